"""Waste: classes of requests that cost money and bought nothing, of the last week."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from tracelib import formatting
from tracelib.choice import Choice
from tracelib.filters import Filters
from tracelib.findings.finding import Evidence, Finding, Found, finding_id
from tracelib.ledgers.windows import Run
from tracelib.ranges import DEFAULT
from tracelib.savings import Waste, WasteClass, together, waste, waste_of_bodies
from tracelib.window import TimeWindow

NAME = "waste"
READ = timedelta(days=7)
# A class below either is not worth a person's time.
LEAST_USD, LEAST_SHARE = 1.0, 0.01
PART = (("part", "savings"),)


def of_waste(run: Run, filters: Filters, now: datetime) -> Found:
    """Which classes of waste cost at least a dollar, and a hundredth of all, in the last week?

    Its size is the cost of the class.
    """
    week = filters.within(TimeWindow(now - READ, now))
    columns, bodies = run([(waste, week), (waste_of_bodies, week)])
    found = together(columns, bodies)
    tested = f"waste of {formatting.counted(found.requests_read, 'request')}"
    return Found(tuple(_findings(found)), (tested,))


def _findings(found: Waste) -> Iterator[Finding]:
    for one in found.classes:
        share = found.share(one.cost_usd)
        if one.cost_usd >= LEAST_USD and share is not None and share >= LEAST_SHARE:
            yield _finding(one, share)


def _finding(one: WasteClass, share: float) -> Finding:
    title = one.declared.title
    return Finding(
        id=finding_id(NAME, one.name),
        source=NAME,
        about=("waste", one.name),
        headline=f"{title}: {formatting.share(share)} of the cost of the last 7 days",
        cause=f"{formatting.counted(one.requests, 'request')}. {one.declared.definition}",
        remedy=one.declared.remedy,
        usd=float(one.cost_usd),
        requests=one.requests,
        evidence=Evidence("Overview", Choice(range=DEFAULT), PART),
    )

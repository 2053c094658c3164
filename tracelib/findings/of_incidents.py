"""Incidents: what fails more than usual, of the last day."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from tracelib import formatting
from tracelib.filters import Filters
from tracelib.findings.finding import Evidence, Finding, Found, evidence, finding_id
from tracelib.incidents import Incident, Incidents, incidents
from tracelib.incidents.words import name_of
from tracelib.ledgers.windows import Run
from tracelib.window import TimeWindow

NAME = "incidents"
READ = timedelta(hours=24)
NAMED = 2
REMEDY = (
    "See under Incidents on Status which errors, and whom it hits; send traffic to another "
    "deployment meanwhile."
)


def of_incidents(run: Run, filters: Filters, now: datetime) -> Found:
    """Which incidents are there now, or were within the last 24 hours?"""
    found: Incidents
    (found,) = run([(incidents, filters.within(TimeWindow(now - READ, now)), now)])
    tested = formatting.counted(found.tested, "provider or deployment", "providers and deployments")
    return Found(tuple(_findings(found)), (f"incidents of {tested}",))


def _findings(found: Incidents) -> Iterator[Finding]:
    for one in found.incidents:
        about = (one.entity.level, one.entity.provider or "", one.entity.deployment or "")
        people = one.user_count or one.key_count
        yield Finding(
            id=finding_id(NAME, *about),
            source=NAME,
            about=(one.entity.level, one.entity.deployment or one.entity.provider or ""),
            headline=f"{name_of(one.entity)}: {formatting.share(one.rate)} of "
            f"{formatting.counted(one.requests, 'request')} failed or were retried, "
            f"usually {formatting.share(one.usual)}",
            cause=_cause(one),
            remedy=REMEDY,
            people=people,
            requests=one.faults,
            since=one.since,
            until=None if one.is_ongoing else one.last_at,
            evidence=_evidence(one),
        )


def _cause(one: Incident) -> str:
    counts = ((one.team_count, "team"), (one.user_count, "user"), (one.key_count, "key"))
    hit = ", ".join(formatting.counted(count, name) for count, name in counts if count)
    hidden = (
        f", {formatting.exact(one.hidden)} hidden by retries or fallbacks" if one.hidden else ""
    )
    return f"{formatting.counted(one.failures, 'failure')}{hidden}; {hit or 'no known user'}."


def _evidence(one: Incident) -> Evidence:
    window = TimeWindow(one.since, one.last_at + timedelta(milliseconds=1))
    provider = one.entity.provider
    return evidence("Status", window, ids={"provider": (provider,)} if provider else {})

"""Changes of the installation in a window: what is first seen in its requests."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, Row, Select, Subquery, func, literal, null, select, union_all
from sqlalchemy.types import DateTime, Text

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.types import utc
from tracelib.window import TimeWindow

DAY = timedelta(days=1)
# A value without a request in this time before the window, or in a window's length, is new.
LEAST_HISTORY = 7 * DAY
# Where a log begins, everything is first seen: for a tenth of the window, at most a day.
BEGINNING = 10
MOST_OF_A_KIND = 100
LOG = "log"
# A column -> what a value of it is called.
FIRST_SEEN = {"model": "Model", "deployment": "Deployment", "agent_version": "Agent"}


@dataclass(frozen=True, slots=True)
class Marker:
    """A change of the installation: when, of which kind, and what, as a sentence without a stop.

    `model` is the public model it is about, None for any. Names in it are those of the log.
    """

    at: datetime
    kind: str
    words: str
    model: str | None = None


def first_seen(source: Source, filters: Filters) -> tuple[Marker, ...]:
    """Which models, deployments and versions of agents are first seen in the window?

    In the order of time. Not seen, that is, in the time of equal length before, at least seven
    days. Of all requests in the scope: other filters do not narrow it. Where the log itself begins
    in that time, what is seen at its beginning is not new.
    """
    window = filters.window
    reach = TimeWindow(window.start - max(window.length, LEAST_HISTORY), window.end)
    requests = source.requests(Filters(reach, filters.zone))
    rows = source.rows(_first_starts(requests))
    begins = next((row.first for row in rows if row.kind == LOG), None)
    if begins is None:
        return ()
    known_from = max(window.start, begins + min(window.length / BEGINNING, DAY))
    new = [row for row in rows if row.kind != LOG and row.first >= known_from]
    # A deployment that is called as its model is not another thing.
    models = {(row.value, row.first) for row in new if row.kind == "model"}
    is_again = [row.kind == "deployment" and (row.value, row.first) in models for row in new]
    return in_order(_marker(row) for row, again in zip(new, is_again, strict=True) if not again)


def in_order(markers: Iterable[Marker]) -> tuple[Marker, ...]:
    """These markers by time, then by kind and words."""
    return tuple(sorted(markers, key=lambda one: (one.at, one.kind, one.words)))


def of_models(markers: Iterable[Marker], models: Collection[str]) -> tuple[Marker, ...]:
    """Those about one of these models, or about none in particular, in order; without any, all."""
    return in_order(one for one in markers if not models or one.model in (None, *models))


def _marker(row: Row[Any]) -> Marker:
    noun = FIRST_SEEN[row.kind]
    return Marker(row.first, row.kind, f"{noun} {row.value} first used", row.model)


def _first_starts(requests: Subquery) -> Select[Any]:
    """When was each value first seen? The log is read once, and its own first start is a row."""
    by = [requests.c[name] for name in FIRST_SEEN]
    first = func.min(requests.c.start_order, type_=DateTime()).label("first")
    combined = select(*by, first).group_by(*by).cte("combined")
    earliest = func.min(combined.c.first, type_=DateTime())
    nothing = null().cast(Text())
    log = select(
        literal(LOG, Text()).label("kind"),
        nothing.label("value"),
        nothing.label("model"),
        utc(earliest).label("first"),
    )
    found = union_all(log, *(_of_kind(combined, kind) for kind in FIRST_SEEN)).subquery("found")
    return select(*found.c).order_by(found.c.first, found.c.kind, found.c.value)


def _of_kind(combined: CTE, kind: str) -> Select[Any]:
    """The values that were first seen last: of older ones no one asks."""
    value = combined.c[kind]
    model = null().cast(Text()) if kind == "agent_version" else measures.first_of(combined.c.model)
    first = func.min(combined.c.first, type_=DateTime())
    found = (
        select(
            literal(kind, Text()).label("kind"),
            value.label("value"),
            model.label("model"),
            utc(first).label("first"),
        )
        .where(value.is_not(None))
        .group_by(value)
        .order_by(first.desc(), measures.alphabetical(value))
        .limit(MOST_OF_A_KIND)
        .subquery(f"of_{kind}")
    )
    return select(*found.c)

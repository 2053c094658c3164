"""Defects that PostgreSQL finds along its indexes: IDs that are none, and times to come."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import FromClause, Select, Subquery, func, literal, select, true
from sqlalchemy.types import DateTime

from tracelib.filters import Filters
from tracelib.keys import NO_KEY
from tracelib.quality.findings import Findings, findings, first_start, shown
from tracelib.source import Postgres
from tracelib.spendlogs.conditions import passes
from tracelib.spendlogs.types import BELIEVABLE
from tracelib.window import TimeWindow

# How programs write that they have no ID.
NO_ID = NO_KEY
NO_IDS, SHARED, FUTURE = "no_ids", "shared_sessions", "in_the_future"
# Clocks of two machines differ a little.
TOLERANCE = timedelta(seconds=60)
END_OF_TIME = BELIEVABLE[1].replace(tzinfo=UTC)


def odd(source: Postgres, filters: Filters, now: datetime) -> Findings:
    """How many requests have an ID that is none, or start later than now?

    Findings of `NO_IDS`, `SHARED`, unless sessions cannot be found without a scan, and `FUTURE`:
    these start in the window or after it. `of` has only the requests outside of the window: those
    within are for another query to count. `now` is the page's; the server's clock counts if it is
    ahead.
    """
    wanted = {NO_IDS: without_id(source, filters), FUTURE: to_come(source, filters, now)}
    if source.schema.is_indexed("session_id"):
        wanted[SHARED] = _of_no_session(source, filters)
    parts = [_counted(name, requests, filters) for name, requests in wanted.items()]
    found = source.row(_together(parts))
    return tuple(one for name in wanted for one in findings(found, (name,), of=f"{name}_outside"))


def without_id(source: Postgres, filters: Filters) -> Subquery:
    """The requests whose ID is none."""
    requests = source.requests(filters)
    return select(*requests.c).where(requests.c.request_id.in_(NO_ID)).subquery("without_id")


def _of_no_session(source: Postgres, filters: Filters) -> Subquery:
    """Requests whose client sent such a word as its session; those without any are not meant."""
    found = source.by_id("session_id", [one for one in NO_ID if one])
    is_sent = found.c.session_id != found.c.request_id
    return select(found.c.start_order).where(is_sent, *passes(found, filters)).subquery("of_none")


def to_come(source: Postgres, filters: Filters, now: datetime) -> Subquery:
    """The requests that start later than now, in the window or after it."""
    later = now + TOLERANCE
    window = TimeWindow(max(filters.window.start, later), END_OF_TIME)
    requests = source.requests(replace(filters, window=window))
    clock = func.timezone("UTC", func.clock_timestamp(), type_=DateTime())
    ahead = requests.c.start_order > clock + literal(TOLERANCE)
    return select(*requests.c).where(ahead).subquery("to_come")


def _counted(name: str, requests: FromClause, filters: Filters) -> Subquery:
    end = filters.window.end.replace(tzinfo=None)
    outside = func.count().filter(requests.c.start_order >= literal(end, DateTime()))
    figures = (
        func.count().label(f"{name}_rows"),
        first_start(requests).label(f"{name}_first"),
        outside.label(f"{name}_outside"),
    )
    one = select(*figures).select_from(requests).subquery(f"count_{name}")
    return select(*shown(one, name), one.c[f"{name}_outside"]).subquery(f"part_{name}")


def _together(parts: list[Subquery]) -> Select[Any]:
    first, *others = parts
    joined: FromClause = first
    for one in others:
        joined = joined.join(one, true())
    return select(*(column for part in parts for column in part.c)).select_from(joined)

"""The totals of a time range, and when the log begins."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Subquery, func, select

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.figures import FIGURES, chosen, grouped
from tracelib.window import LONGEST, TimeWindow


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of the requests of a window: figures of `FIGURES`, and the newest start.

    Without requests, counts and cost are 0, times and rates None.
    """

    requests: int
    failures: int
    cache_hits: int
    cost_usd: float
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    replayed_tokens: int
    answered: int
    response_ms_avg: float | None
    response_ms_p50: float | None
    response_ms_p95: float | None
    response_ms_p99: float | None
    response_ms_max: float | None
    ttft_known: int
    ttft_ms_p50: float | None
    ttft_ms_p95: float | None
    ttft_coverage: float | None
    error_rate: float | None
    cache_hit_rate: float | None
    newest_at: datetime | None


TOTALS = tuple(field.name for field in fields(Totals) if field.name in FIGURES)


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """Different sessions with a request in the window, and those with more than one."""

    unique: int
    with_many_requests: int


def totals(source: Source, filters: Filters) -> Totals:
    """What are the totals of all requests of the window?

    No request gives zeros, and None for every time and rate.
    """
    found = dict(source.row(_totals(source.requests(filters)))._mapping)
    return Totals(**found | {"cost_usd": float(found["cost_usd"])})


def sessions(source: Source, filters: Filters) -> SessionCounts:
    """How many sessions had a request in the window?

    A session is LiteLLM's: a session ID and a key. A request without an ID from the client is a
    session of its own.
    """
    return SessionCounts(**source.row(_sessions(source.requests(filters)))._mapping)


def _totals(requests: Subquery) -> Select[Any]:
    requests = measures.computed_once(requests)
    newest_at = func.max(requests.c.started_at).label("newest_at")
    return grouped(requests, [], *TOTALS, more=[newest_at])


def _sessions(requests: Subquery) -> Select[Any]:
    each = (
        select(*chosen(requests, "requests"))
        .select_from(requests)
        .group_by(requests.c.session_group)
        .subquery("each")
    )
    many = func.count().filter(each.c.requests > 1)
    counts = measures.named(unique=func.count(), with_many_requests=many)
    return select(*counts).select_from(each)


# The longest window and the one it is compared with begin after that.
REACH = 2 * LONGEST


def log_start(source: Source, filters: Filters) -> datetime | None:
    """When did the oldest request of the log start, up to the end of this window?

    Aware UTC; None if there is none. Requests outside the other filters count. It is searched for
    by the index on the start, but not further back than the longest window and its comparison.
    """
    window = TimeWindow(filters.window.start - REACH, filters.window.end)
    first: datetime | None = source.row(source.first_start(window)).first
    return first

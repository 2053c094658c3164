"""The totals of a time range, and when the log begins."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Subquery, func, select

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import extent, measures
from tracelib.window import LONGEST, TimeWindow


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of the requests of a window.

    Counts are 0 and times None without requests. `total_tokens` and its two parts went to a
    provider; `replayed_tokens` were served from LiteLLM's cache. Response times, in milliseconds,
    are over the `answered`: successes that were not cache hits and whose times are known; those to
    the first token over the `ttft_known` of them.
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
    newest_at: datetime | None

    @property
    def cache_hit_rate(self) -> float | None:
        """Which share of all requests were cache hits, as LiteLLM counts them?"""
        return _share(self.cache_hits, self.requests)

    @property
    def error_rate(self) -> float | None:
        """Which share of all requests failed?"""
        return _share(self.failures, self.requests)

    @property
    def ttft_coverage(self) -> float | None:
        """For which share of the answered is the first token known?"""
        return _share(self.ttft_known, self.answered)


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
    response, first_token = requests.c.response_ms, requests.c.ttft_ms
    figures = measures.named(
        requests=measures.requests_count(),
        failures=measures.failures(requests),
        cache_hits=measures.hits(requests),
        cost_usd=measures.cost_usd(requests),
        prompt_tokens=measures.billed(requests, "prompt_tokens"),
        completion_tokens=measures.billed(requests, "completion_tokens"),
        total_tokens=measures.billed(requests, "total_tokens"),
        replayed_tokens=measures.replayed(requests, "total_tokens"),
        answered=func.count(response),
        response_ms_avg=measures.average(response),
        response_ms_p50=measures.percentile(response, 0.5),
        response_ms_p95=measures.percentile(response, 0.95),
        response_ms_p99=measures.percentile(response, 0.99),
        response_ms_max=func.max(response),
        ttft_known=func.count(first_token),
        ttft_ms_p50=measures.percentile(first_token, 0.5),
        ttft_ms_p95=measures.percentile(first_token, 0.95),
        newest_at=func.max(requests.c.started_at),
    )
    return select(*figures).select_from(requests)


def _sessions(requests: Subquery) -> Select[Any]:
    count = measures.requests_count().label("requests")
    each = select(count).select_from(requests).group_by(requests.c.session_group).subquery("each")
    many = func.count().filter(each.c.requests > 1)
    counts = measures.named(unique=func.count(), with_many_requests=many)
    return select(*counts).select_from(each)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


# The longest window and the one it is compared with begin after that.
REACH = 2 * LONGEST


def log_start(source: Source, filters: Filters) -> datetime | None:
    """When did the oldest request of the log start, up to the end of this window?

    Aware UTC; None if there is none. Requests outside the other filters count. It is searched for
    by the index on the start, but not further back than the longest window and its comparison.
    """
    window = TimeWindow(filters.window.start - REACH, filters.window.end)
    first: datetime | None = source.row(extent.first_start(source.schema, window)).first
    return first

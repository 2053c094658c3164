"""Which bucket of time a request belongs to: over a window, or over the hours of the week."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise

from sqlalchemy import ColumnElement, Subquery, case, cast, func, literal, select
from sqlalchemy.types import DateTime, Double, Integer

from tracelib.clock import clock_periods
from tracelib.filters import Filters
from tracelib.spendlogs.measures import divided
from tracelib.window import HOUR_S, Bucket, TimeWindow, bucket_edges

WEEK_H = 168


@dataclass(frozen=True, slots=True)
class Run:
    """Neighboring buckets of one length: the first has this number and starts at `start_s`.

    In seconds; moments since 1970, UTC.
    """

    start_s: int
    first_number: int
    length_s: int


def in_buckets(requests: Subquery, filters: Filters, bucket: Bucket) -> Subquery:
    """Which bucket does each request belong to?

    The same rows and columns with `bucket_number`: the position in `window.bucket_starts`.
    """
    return in_periods(requests, bucket_edges(filters.window, bucket, filters.zone))


def in_periods(requests: Subquery, edges: Sequence[datetime]) -> Subquery:
    """Which of the periods between these edges, whole seconds, does each request belong to?

    The same rows and columns with `bucket_number`, the position of the period.
    """
    runs = runs_of(edges)
    numbers = [(run.start_s, _number(requests, run)) for run in runs]
    columns = (*requests.c, _by_time(requests, numbers).label("bucket_number"))
    return select(*columns).subquery("bucketed")


def in_hours_of_week(requests: Subquery, filters: Filters) -> Subquery:
    """In which hour of the viewer's week does each request start?

    The same rows and columns with `hour_of_week`: 0 is Thursday from 0 to 1 o'clock, because 1
    January 1970 was a Thursday.
    """
    local = local_s(requests, filters.window, filters.zone)
    hours = cast(func.floor(divided(local, HOUR_S)), Integer)
    return select(*requests.c, (hours % WEEK_H).label("hour_of_week")).subquery("bucketed")


def starts_from(requests: Subquery, moment: datetime) -> ColumnElement[bool]:
    """Which requests start at this moment or later? Quicker than by the aware start."""
    is_later: ColumnElement[bool] = requests.c.start_order >= _naive(moment)
    return is_later


def local_s(requests: Subquery, window: TimeWindow, zone: str) -> ColumnElement[float]:
    """When did each request start on the zone's clock, in seconds since 1970 on that clock?"""
    periods = clock_periods(window.start, window.end, zone)
    offsets = [(period.start_s, literal(period.offset_s)) for period in periods]
    return _utc_s(requests) + _by_time(requests, offsets)


def runs_of(edges: Sequence[datetime]) -> Iterator[Run]:
    """Which neighbouring buckets between these edges are equally long?

    In order; all buckets are one run unless the zone's clock changes among them.

    >>> hours = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (0, 1, 2, 4)]
    >>> [(run.first_number, run.length_s) for run in runs_of(hours)]
    [(0, 3600), (2, 7200)]
    """
    seconds = [int(edge.timestamp()) for edge in edges]
    lengths = enumerate(later - start for start, later in pairwise(seconds))
    for length_s, buckets in groupby(lengths, key=lambda bucket: bucket[1]):
        first_number = next(buckets)[0]
        yield Run(seconds[first_number], first_number, length_s)


def _number(requests: Subquery, run: Run) -> ColumnElement[int]:
    passed = func.floor(divided(_utc_s(requests) - run.start_s, run.length_s))
    return cast(passed, Integer) + run.first_number


def _by_time(
    requests: Subquery, values: Sequence[tuple[int, ColumnElement[int]]]
) -> ColumnElement[int]:
    """The last of these values whose second, since 1970, is not after the request's start."""
    (_, first), *later = values
    if not later:
        return first
    start = requests.c.start_order
    passed = [(start >= _stored(since_s), value) for since_s, value in reversed(later)]
    return case(*passed, else_=first)


def _utc_s(requests: Subquery) -> ColumnElement[float]:
    """Seconds as a double; `extract` returns a numeric since PostgreSQL 14, which is slower."""
    return func.date_part("epoch", requests.c.start_order, type_=Double())


def _stored(moment_s: int) -> ColumnElement[datetime]:
    return _naive(datetime.fromtimestamp(moment_s, UTC))


def _naive(moment: datetime) -> ColumnElement[datetime]:
    return literal(moment.astimezone(UTC).replace(tzinfo=None), DateTime())

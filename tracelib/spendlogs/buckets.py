"""Which step of a chart's time axis a request belongs to, as a number that SQL can group by.

The database is never asked about time zones: the clock's changes within the window are worked
out here and written into the statement. So buckets agree with `window.bucket_starts` whatever
rules the server knows, and a row costs a subtraction rather than a look-up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Subquery, case, cast, func, literal, select
from sqlalchemy.types import DateTime, Double, Integer

from tracelib.filters import Filters
from tracelib.window import Bucket, TimeWindow, bucket_starts, offset_s

DAY_S = 86_400
HOUR_S = 3_600
WEEK_H = 168


@dataclass(frozen=True, slots=True)
class ClockChange:
    """From `at` on the zone's clock is `offset_s` seconds ahead of UTC."""

    at: datetime
    offset_s: int


def in_buckets(requests: Subquery, filters: Filters, bucket: Bucket) -> Subquery:
    """Which bucket does each request belong to?

    The same rows and columns with `bucket_number`: the position in `window.bucket_starts`.
    """
    window, zone = filters.window, filters.zone
    first = bucket_starts(window, bucket, zone)[0]
    if bucket.is_day:
        day = window.start.astimezone(ZoneInfo(zone)).date()
        first_s = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        seconds = local_s(requests, window, zone)
    else:
        first_s, seconds = int(first.timestamp()), _utc_s(requests)
    number = func.floor((seconds - first_s) / bucket.seconds)
    columns = (*requests.c, cast(number, Integer).label("bucket_number"))
    return select(*columns).subquery("bucketed")


def in_hours_of_week(requests: Subquery, filters: Filters) -> Subquery:
    """In which hour of the viewer's week does each request start?

    The same rows and columns with `hour_of_week`: 0 is Thursday from 0 to 1 o'clock, for
    the count of seconds began on a Thursday.
    """
    hours = cast(func.floor(local_s(requests, filters.window, filters.zone) / HOUR_S), Integer)
    return select(*requests.c, (hours % WEEK_H).label("hour_of_week")).subquery("bucketed")


def local_s(requests: Subquery, window: TimeWindow, zone: str) -> ColumnElement[float]:
    """When did each request start on the zone's clock, in seconds since 1970 on that clock?"""
    offset: ColumnElement[int] = literal(offset_s(window, zone))
    changes = list(clock_changes(window, zone))
    if changes:
        start = requests.c.start_order
        passed = [(start >= _stored(one.at), one.offset_s) for one in reversed(changes)]
        offset = case(*passed, else_=offset)
    return _utc_s(requests) + offset


def clock_changes(window: TimeWindow, zone: str) -> Iterator[ClockChange]:
    """When does the zone's clock change within the window, and to what? In order.

    >>> window = TimeWindow(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))
    >>> [(str(change.at), change.offset_s) for change in clock_changes(window, "Europe/Paris")]
    [('2026-03-29 01:00:00+00:00', 7200)]
    """
    known = ZoneInfo(zone)
    earlier = window.start
    while earlier < window.end:
        # Two changes within a day are unheard of.
        later = min(earlier + timedelta(days=1), window.end)
        if _offset_s(earlier, known) != _offset_s(later, known):
            yield ClockChange(_change_between(earlier, later, known), _offset_s(later, known))
        earlier = later


def _change_between(earlier: datetime, later: datetime, zone: ZoneInfo) -> datetime:
    before = _offset_s(earlier, zone)
    while (gap := later - earlier) > timedelta(milliseconds=1):
        middle = earlier + gap / 2
        if _offset_s(middle, zone) == before:
            earlier = middle
        else:
            later = middle
    return later.replace(microsecond=0)


def _offset_s(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _utc_s(requests: Subquery) -> ColumnElement[float]:
    """`date_part` gives a double; `extract` a numeric since PostgreSQL 14, several times slower."""
    return func.date_part("epoch", requests.c.start_order, type_=Double())


def _stored(moment: datetime) -> ColumnElement[datetime]:
    return literal(moment.astimezone(UTC).replace(tzinfo=None), DateTime())

"""A half-open window of time, and the buckets it is counted in."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import available_timezones

from tracelib.clock import DAY_S, clock_periods, moment_of

SPANS = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
LONGEST = timedelta(days=400)
MOST_BUCKETS = 1_500
# Of a chart: more points cannot be distinguished.
MOST_POINTS = 500
FITTING_BUCKETS = 200
HOUR_S = 3_600


@cache
def zones() -> tuple[str, ...]:
    """Which time zones are there? UTC first, the others by name; read from the disk once."""
    return ("UTC", *sorted(available_timezones() - {"UTC"}))


@dataclass(frozen=True, slots=True, order=True)
class TimeWindow:
    """The moments from `start` up to, but not including, `end`; both aware, kept in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a window needs aware times")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.start >= self.end:
            raise ValueError("a window must end after it starts")

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def previous(self) -> "TimeWindow":
        """The window of equal length just before this one."""
        return TimeWindow(self.start - self.length, self.start)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One step of a chart's time axis: a number of seconds, or a calendar day of the viewer."""

    name: str
    seconds: int
    words: str

    @property
    def is_day(self) -> bool:
        return self.seconds == DAY_S

    @property
    def splits_repeated_hours(self) -> bool:
        """Is an hour that the clock shows twice counted in buckets of its own each time?"""
        return self.seconds <= HOUR_S


BUCKETS = {
    bucket.name: bucket
    for bucket in (
        Bucket("1m", 60, "1 minute"),
        Bucket("5m", 300, "5 minutes"),
        Bucket("15m", 900, "15 minutes"),
        Bucket("1h", HOUR_S, "1 hour"),
        Bucket("6h", 21_600, "6 hours"),
        Bucket("1d", DAY_S, "1 day"),
    )
}


def recent(span: str | timedelta, now: datetime) -> TimeWindow:
    """The window of this length that ends at `now`; the length may be one of the named SPANS.

    >>> recent("1h", datetime(2026, 11, 23, 12, tzinfo=UTC)).start.isoformat()
    '2026-11-23T11:00:00+00:00'
    """
    return TimeWindow(now - (SPANS[span] if isinstance(span, str) else span), now)


def days(first: date, last: date, zone: str) -> TimeWindow:
    """The window of the whole days `first` to `last` on the clock of `zone`.

    A day that the clock skipped, as in Samoa on 30 December 2011, is a window of one minute.

    >>> days(date(2026, 3, 29), date(2026, 3, 29), "Europe/Paris").length
    datetime.timedelta(seconds=82800)
    """
    return between(
        datetime.combine(first, time()), datetime.combine(last + timedelta(days=1), time()), zone
    )


def between(start: datetime, end: datetime, zone: str) -> TimeWindow:
    """The window from one local time of `zone` up to another.

    Of a time that the clock shows twice, the start is the first and the end the second; but a day
    ends at the first of two midnights. A time that the clock skips is the moment of its change. If
    nothing is between the two, it is a window of one minute.
    """
    begin = moment_of(start, zone)
    finish = moment_of(end.replace(fold=int(end.time() != time())), zone)
    return TimeWindow(begin, max(finish, begin + timedelta(minutes=1)))


def ticked(now: datetime, tick_s: int) -> datetime:
    """The moment that all viewers of the same `tick_s` seconds share as "now".

    >>> ticked(datetime(2026, 11, 23, 12, 0, 44, tzinfo=UTC), 30).isoformat()
    '2026-11-23T12:00:30+00:00'
    """
    seconds = int(now.timestamp())
    return datetime.fromtimestamp(seconds - seconds % tick_s, UTC)


def usable_buckets(window: TimeWindow, most: int = MOST_BUCKETS) -> tuple[Bucket, ...]:
    """Which buckets divide this window into more than one, and at most this many? Finest first."""
    usable = tuple(
        bucket
        for bucket in BUCKETS.values()
        if window.length.total_seconds() / bucket.seconds <= most
        and bucket.seconds < window.length.total_seconds()
    )
    return usable or (BUCKETS["1m"],)


def fitting_bucket(window: TimeWindow) -> Bucket:
    """Which bucket suits this window best: the finest with at most FITTING_BUCKETS points?

    >>> now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    >>> [fitting_bucket(recent(span, now)).name for span in SPANS]
    ['1m', '15m', '1h', '6h']
    """
    for bucket in usable_buckets(window):
        if window.length.total_seconds() / bucket.seconds <= FITTING_BUCKETS:
            return bucket
    return BUCKETS["1d"]


def bucket_starts(window: TimeWindow, bucket: Bucket, zone: str) -> list[datetime]:
    """When does each bucket that touches the window begin? Aware UTC, in order, none missing."""
    return list(bucket_edges(window, bucket, zone)[:-1])


@lru_cache(maxsize=256)
def bucket_edges(window: TimeWindow, bucket: Bucket, zone: str) -> tuple[datetime, ...]:
    """The edges of the buckets that touch the window.

    Aware UTC, in order: the start of each bucket, and the end of the last. A bucket begins when the
    clock of `zone` first reaches a multiple of its length, counted from midnight, and lasts until
    the next begins: so a day has 23 to 25 hours. If the clock is put back, buckets of an hour or
    less start over, so that an hour that it shows twice is counted twice; if it is put forward past
    the start of a bucket, that bucket begins with the change.
    """
    starts_s = list(_starts_s(window, bucket, zone))
    first = bisect_right(starts_s, window.start.timestamp()) - 1
    end = bisect_left(starts_s, window.end.timestamp())
    return tuple(datetime.fromtimestamp(start, UTC) for start in starts_s[first : end + 1])


def _starts_s(window: TimeWindow, bucket: Bucket, zone: str) -> Iterator[int]:
    """The starts of the buckets of the window and some around it, in seconds since 1970."""
    # No bucket is longer, whatever the clock does within it.
    room = timedelta(seconds=bucket.seconds + (0 if bucket.splits_repeated_hours else DAY_S))
    around = clock_periods(window.start - room, window.end + room, zone)
    length, before = bucket.seconds, around[0]
    reached = (before.start_s + before.offset_s) // length
    for period in around:
        number = (period.start_s + period.offset_s) // length
        is_put_back = period.offset_s < before.offset_s
        if number > reached or (is_put_back and bucket.splits_repeated_hours):
            reached = number
            yield period.start_s
        while (start := (reached + 1) * length - period.offset_s) < period.end_s:
            reached += 1
            yield start
        before = period

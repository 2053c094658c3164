"""A half-open slice of time, and the buckets it is counted in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

SPANS = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
LONGEST = timedelta(days=400)
MOST_BUCKETS = 1_500
FITTING_BUCKETS = 200


@cache
def zones() -> tuple[str, ...]:
    """Which time zones are there? UTC first, the others by name; looked for on the disk once."""
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
        """Which window of equal length lies just before this one?"""
        return TimeWindow(self.start - self.length, self.start)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One step of a chart's time axis: so many seconds, or a calendar day of the viewer."""

    name: str
    seconds: int
    words: str

    @property
    def is_day(self) -> bool:
        return self.seconds == 86_400


BUCKETS = {
    bucket.name: bucket
    for bucket in (
        Bucket("1m", 60, "1 minute"),
        Bucket("5m", 300, "5 minutes"),
        Bucket("15m", 900, "15 minutes"),
        Bucket("1h", 3_600, "1 hour"),
        Bucket("6h", 21_600, "6 hours"),
        Bucket("1d", 86_400, "1 day"),
    )
}


def recent(span: str, now: datetime) -> TimeWindow:
    """Which window ends at `now` and reaches back one of the named SPANS?

    >>> recent("1h", datetime(2026, 11, 23, 12, tzinfo=UTC)).start.isoformat()
    '2026-11-23T11:00:00+00:00'
    """
    return TimeWindow(now - SPANS[span], now)


def days(first: date, last: date, zone: str) -> TimeWindow:
    """Which window holds the whole days `first` to `last` as lived in `zone`?

    >>> days(date(2026, 3, 29), date(2026, 3, 29), "Europe/Paris").length
    datetime.timedelta(seconds=82800)
    """
    return TimeWindow(_midnight(first, zone), _midnight(last + timedelta(days=1), zone))


def ticked(now: datetime, tick_s: int) -> datetime:
    """Which moment do all viewers of the same `tick_s` seconds call now?

    >>> ticked(datetime(2026, 11, 23, 12, 0, 44, tzinfo=UTC), 30).isoformat()
    '2026-11-23T12:00:30+00:00'
    """
    seconds = int(now.timestamp())
    return datetime.fromtimestamp(seconds - seconds % tick_s, UTC)


def usable_buckets(window: TimeWindow) -> tuple[Bucket, ...]:
    """Which buckets give a chart of this window a readable number of points, finest first?"""
    usable = tuple(
        bucket
        for bucket in BUCKETS.values()
        if window.length.total_seconds() / bucket.seconds <= MOST_BUCKETS
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
    """When does each bucket that touches the window begin? Aware UTC, in order, none missing.

    Days are the days of `zone`, 23 to 25 hours long; shorter buckets are aligned to the
    zone's clock as it stands at the window's start and all have the same length.
    """
    if bucket.is_day:
        return list(_day_starts(window, zone))
    shift = offset_s(window, zone)
    start = int(window.start.timestamp()) + shift
    first = start - start % bucket.seconds - shift
    last = window.end.timestamp()
    return [
        datetime.fromtimestamp(moment, UTC)
        for moment in range(first, int(last) + 1, bucket.seconds)
        if moment < last
    ]


def offset_s(window: TimeWindow, zone: str) -> int:
    """How many seconds is the zone's clock ahead of UTC at the window's start?

    >>> paris = days(date(2026, 7, 1), date(2026, 7, 1), "Europe/Paris")
    >>> offset_s(paris, "Europe/Paris")
    7200
    """
    offset = window.start.astimezone(ZoneInfo(zone)).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _day_starts(window: TimeWindow, zone: str) -> Iterator[datetime]:
    day = window.start.astimezone(ZoneInfo(zone)).date()
    while (moment := _midnight(day, zone)) < window.end:
        yield moment
        day += timedelta(days=1)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)

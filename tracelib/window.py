"""A half-open slice of time, and the buckets it is counted in."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from itertools import pairwise
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
HOUR_S, DAY_S = 3_600, 86_400


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
        return self.seconds == DAY_S

    @property
    def splits_repeated_hours(self) -> bool:
        """Is an hour that the clock shows twice counted in buckets of its own each time?"""
        return self.seconds <= HOUR_S


@dataclass(frozen=True, slots=True)
class ClockPeriod:
    """The moments from `start_s` up to `end_s`, in which a clock is `offset_s` ahead of UTC.

    All in seconds; moments since 1970, UTC.
    """

    start_s: int
    end_s: int
    offset_s: int


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
    """Which window holds the whole days `first` to `last` on the clock of `zone`?

    A day that the clock left out, as Samoa did with 30 December 2011, is a window of one minute.

    >>> days(date(2026, 3, 29), date(2026, 3, 29), "Europe/Paris").length
    datetime.timedelta(seconds=82800)
    """
    return between(
        datetime.combine(first, time()), datetime.combine(last + timedelta(days=1), time()), zone
    )


def between(start: datetime, end: datetime, zone: str) -> TimeWindow:
    """Which window reaches from one local time of `zone` up to another?

    A time that the clock shows twice is the earlier one as a start and the later one as an end
    but for the midnight at the end of a day, a time that it leaves out is the moment of the
    change. Where nothing is left between them, it is a window of one minute.
    """
    begin = moment_of(start, zone)
    finish = moment_of(end.replace(fold=int(end.time() != time())), zone)
    return TimeWindow(begin, max(finish, begin + timedelta(minutes=1)))


def moment_of(local: datetime, zone: str) -> datetime:
    """When does the clock of `zone` show this local time? Aware UTC.

    A time that is shown twice is the first of both, the second with `fold=1`. One that is left
    out is the moment at which the clock is put forward.

    >>> str(moment_of(datetime(2026, 3, 29, 2, 30), "Europe/Paris"))
    '2026-03-29 01:00:00+00:00'
    """
    known = ZoneInfo(zone)
    moment = local.replace(tzinfo=known).astimezone(UTC)
    if moment.astimezone(known).replace(tzinfo=None) == local:
        return moment
    # The offset before a gap gives a moment after it, and the one after it a moment before.
    late, early = (local.replace(tzinfo=known, fold=fold).astimezone(UTC) for fold in (0, 1))
    changed = clock_periods(TimeWindow(early, late + timedelta(seconds=1)), zone)[-1].start_s
    return datetime.fromtimestamp(changed, UTC)


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
    """When does each bucket that touches the window begin? Aware UTC, in order, none missing."""
    return list(bucket_edges(window, bucket, zone)[:-1])


@lru_cache(maxsize=256)
def bucket_edges(window: TimeWindow, bucket: Bucket, zone: str) -> tuple[datetime, ...]:
    """Between which moments do the buckets lie that touch the window?

    Aware UTC, in order: the start of each bucket, and the end of the last. A bucket begins when
    the clock of `zone` first reaches a multiple of its length, counted from midnight, and lasts
    until the next begins: so a day has 23 to 25 hours. Where the clock is put back, buckets of
    an hour or less begin anew, so that an hour that it shows twice is counted twice; where it is
    put forward past the start of a bucket, that bucket begins with the change.
    """
    starts_s = list(_starts_s(window, bucket, zone))
    first = bisect_right(starts_s, window.start.timestamp()) - 1
    end = bisect_left(starts_s, window.end.timestamp())
    return tuple(datetime.fromtimestamp(start, UTC) for start in starts_s[first : end + 1])


def _starts_s(window: TimeWindow, bucket: Bucket, zone: str) -> Iterator[int]:
    """The starts of the buckets of the window and some around it, in seconds since 1970."""
    # No bucket is longer, whatever the clock does within it.
    room = timedelta(seconds=bucket.seconds + (0 if bucket.splits_repeated_hours else DAY_S))
    around = clock_periods(TimeWindow(window.start - room, window.end + room), zone)
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


def offset_s(moment: datetime, zone: str) -> int:
    """How many seconds is the clock of `zone` ahead of UTC at this moment?

    >>> offset_s(datetime(2026, 7, 1, tzinfo=UTC), "Europe/Paris")
    7200
    """
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def is_repeated(moment: datetime, zone: str) -> bool:
    """Does the clock of `zone` show this moment's time a second time, before it or after it?

    >>> is_repeated(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Europe/Paris")
    True
    """
    local = moment.astimezone(ZoneInfo(zone))
    return local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()


def clock_periods(window: TimeWindow, zone: str) -> list[ClockPeriod]:
    """Between which changes of its clock does a zone keep which offset, over the whole window?

    In order, without a gap; the ends are whole seconds, so that the window lies within them.

    >>> window = TimeWindow(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))
    >>> for period in clock_periods(window, "Europe/Paris"):
    ...     print(datetime.fromtimestamp(period.start_s, UTC), period.offset_s)
    2026-01-01 00:00:00+00:00 3600
    2026-03-29 01:00:00+00:00 7200
    """
    end = math.ceil(window.end.timestamp())
    starts = [math.floor(window.start.timestamp()), *_changes_s(window, zone)]
    return [
        ClockPeriod(start, later, _offset_at(start, zone))
        for start, later in pairwise([*starts, end])
    ]


def _changes_s(window: TimeWindow, zone: str) -> Iterator[int]:
    """When is the clock put back or forward within the window? In seconds since 1970."""
    earlier, end = math.floor(window.start.timestamp()), math.ceil(window.end.timestamp())
    while earlier < end:
        # No zone has changed its clock twice in a day since 2000.
        later = min(earlier + DAY_S, end)
        if _offset_at(earlier, zone) != _offset_at(later, zone):
            changed = _change_between(earlier, later, zone)
            if changed < end:
                yield changed
        earlier = later


def _change_between(earlier: int, later: int, zone: str) -> int:
    before = _offset_at(earlier, zone)
    while later - earlier > 1:
        middle = (earlier + later) // 2
        if _offset_at(middle, zone) == before:
            earlier = middle
        else:
            later = middle
    return later


def _offset_at(moment_s: int, zone: str) -> int:
    return offset_s(datetime.fromtimestamp(moment_s, UTC), zone)

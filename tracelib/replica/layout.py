"""Which files there should be, and which hours of them are stale: computed from the manifest."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from tracelib.replica.manifest import Hour, Span
from tracelib.spendlogs.types import BELIEVABLE
from tracelib.window import HOUR_S

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - stored without zone
HOUR = timedelta(hours=1)
DAY_HOURS = 24
OPEN_HOURS = 2
SETTLES_AFTER_S = HOUR_S
# Chunks of a day are joined once it is whole, or when there are many.
MOST_PARTS = 8
# Days are joined once they are two days old, at least this many at once, up to this many rows.
SETTLED_HOURS = 2 * DAY_HOURS
LEAST_JOINED, MOST_JOINED_ROWS = 4, 2_000_000
# Rows that start before the first or after the last are counted in these hours.
FIRST_HOUR, LAST_HOUR = ((moment - EPOCH) // HOUR for moment in BELIEVABLE)

Range = tuple[int | None, int | None]
# Rows and the sum of their hashes, None where it was not asked for.
Counts = Mapping[int, tuple[int, int | None]]


def hour_at(moment: float) -> int:
    """The hour of this moment, both counted from 1970."""
    return int(moment // HOUR_S)


def day_start(hour: int) -> int:
    """The first hour of the UTC day of this hour."""
    return hour - hour % DAY_HOURS


def times(hours: Range) -> tuple[datetime | None, datetime | None]:
    """The bounds of these hours as the log stores times; all earlier rows are in the first hour."""
    start, end = hours
    return (
        None if start is None or start <= FIRST_HOUR else EPOCH + start * HOUR,
        None if end is None or end > LAST_HOUR else EPOCH + end * HOUR,
    )


def holds(span: Span, hour: int) -> bool:
    """Is this hour one of the span's?"""
    begins = span.start is None or span.start <= hour
    return begins and (span.end is None or hour < span.end)


def within(hours: Iterable[int], span: Span) -> frozenset[int]:
    """Which of these hours are the span's?"""
    return frozenset(hour for hour in hours if holds(span, hour))


def differing(held: Mapping[int, Hour], counted: Counts) -> frozenset[int]:
    """Which hours are not as they were counted: other rows or hashes, new, or gone?"""
    return frozenset(
        hour
        for hour in held.keys() | counted.keys()
        if not _is_equal(held.get(hour), counted.get(hour, (0, 0)))
    )


def _is_equal(held: Hour | None, counted: tuple[int, int | None]) -> bool:
    rows, hashes = counted
    if held is None:
        return rows == 0
    return held.rows == rows and (hashes is None or held.hashes == hashes)


def gone(held: Mapping[int, Hour], counted: Counts, first: int | None) -> frozenset[int]:
    """Of which hours did the log's retention remove rows, if its first row is in hour `first`?"""
    return frozenset(
        hour
        for hour, one in held.items()
        if counted.get(hour, (0, 0))[0] < one.rows and (first is None or hour <= first)
    )


def unsettled(spans: Sequence[Span], now: float) -> frozenset[int]:
    """Which hours closed an hour ago, and were not read since?"""
    return frozenset(
        hour
        for span in spans
        for hour, one in span.hours.items()
        if one.read_at < _settles_at(hour) <= now
    )


def _settles_at(hour: int) -> int:
    return (hour + 1) * HOUR_S + SETTLES_AFTER_S


def runs(
    hours: Collection[int], rows: Mapping[int, int] | None = None, most: int = 0
) -> list[tuple[int, int]]:
    """Ranges of exactly these hours, in order, each of at most this many rows or of one hour.

    Of any number of rows, unless their rows are given.
    """
    found: list[tuple[int, int]] = []
    held = 0
    for hour in sorted(hours):
        more = rows.get(hour, 0) if rows else 0
        if found and found[-1][1] == hour and held + more <= most:
            found[-1] = (found[-1][0], hour + 1)
            held += more
        else:
            found.append((hour, hour + 1))
            held = more
    return found


def chunks(start: int, end: int, rows: Mapping[int, int], most: int) -> list[tuple[int, int]]:
    """Ranges of all these hours, the newest first, each of at most this many rows or one hour."""
    return runs(range(start, end), rows, most)[::-1]


def open_start(now: float) -> int:
    """The hour in which the open span should start."""
    return hour_at(now) - OPEN_HOURS


def days(start: int | None, end: int) -> list[Range]:
    """The parts of these hours by UTC day, in order; all before the last day is one if open."""
    if start is None:
        first = day_start(end - 1)
        return [(None, end)] if first == end else [(None, first), (first, end)]
    edges = [start, *range(day_start(start) + DAY_HOURS, end, DAY_HOURS), end]
    return list(pairwise(edges))


def to_join(spans: Sequence[Span]) -> tuple[int, int] | None:
    """Which neighbours should be one file now: the first and the one after the last; or None."""
    for first, last in _by_day(spans):
        parts = last - first
        is_whole = first > 0 and last < len(spans) - 1
        if parts > MOST_PARTS or (parts > 1 and is_whole):
            return first, last
    return _small_neighbours(spans)


def _small_neighbours(spans: Sequence[Span]) -> tuple[int, int] | None:
    """The first few small spans that follow each other, of days that are settled; or None.

    A query costs about a millisecond for each file, and a file that is large is slow to replace.
    """
    settled_before = (spans[-1].start or 0) - SETTLED_HOURS if spans else 0
    first, rows = 1, 0
    for place, span in enumerate(spans):
        is_settled = span.end is not None and span.end <= settled_before
        if place and is_settled and rows + span.rows <= MOST_JOINED_ROWS:
            rows += span.rows
        elif place - first >= LEAST_JOINED:
            return first, place
        else:
            first, rows = (place, span.rows) if place and is_settled else (place + 1, 0)
    return None


def _by_day(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """The places of closed spans that start on the same day, from first to before last."""
    closed = [None if one.start is None else day_start(one.start) for one in spans[:-1]]
    edges = [n for n, day in enumerate(closed) if n == 0 or day is None or closed[n - 1] != day]
    return list(pairwise([*edges, len(closed)]))


def without_empty(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The spans without closed ones that hold no row: the next one covers their hours."""
    kept: list[Span] = []
    start = spans[0].start if spans else None
    for span in spans:
        if span.rows or span.end is None:
            kept.append(replace(span, start=start))
            start = span.end
    return tuple(kept)


def oldest_check(spans: Sequence[Span], before: float) -> Span | None:
    """Which span was checked longest ago, and before this moment?"""
    due = [span for span in spans if span.checked_at < before]
    return min(due, key=lambda span: span.checked_at, default=None)

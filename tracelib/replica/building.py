"""New spans from the log and from older spans; the manifest is left to the writer."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce

from tracelib.replica import layout
from tracelib.replica.host import Host
from tracelib.replica.layout import Counts, Range
from tracelib.replica.manifest import Hour, Span
from tracelib.replica.storage import Csv, Kept, Storage, newly_read

# A statement of that length takes a few seconds.
MOST_ROWS = 150_000


def filled(host: Host, storage: Storage, hours: Sequence[Range], now: float) -> Span:
    """A span of these hours, which follow each other from the newest to the oldest."""
    return of_rows(storage, host.copy(hours), hours, now)


def of_rows(storage: Storage, read: Sequence[Csv], hours: Sequence[Range], now: float) -> Span:
    """A span of these hours, from the newest to the oldest, whose rows were copied to files."""
    start, end = hours[-1][0], hours[0][1]
    with _removed(read):
        built = storage.build((start, end), read, [])
    return newly_read(built, Span(built.file, start, end, 0, 0, {}, now), now)


def refreshed(
    host: Host,
    storage: Storage,
    span: Span,
    hours: Collection[int],
    counted: Counts,
    now: float,
    is_broken: bool = False,
) -> Span:
    """The span with these hours read again, of which it has no rows where none were counted.

    Of a broken file nothing is used. Raises ReplicaDamaged if the file has other rows than it
    should.
    """
    rows = {hour: counted[hour][0] for hour in hours if counted.get(hour, (0, None))[0]}
    ranges = layout.runs(rows, rows, MOST_ROWS)
    kept = [] if is_broken else [Kept(span, without=hours)]
    with _removed(host.copy(ranges)) as read:
        built = storage.build((span.start, span.end), read, kept)
    others = {hour: one for hour, one in span.hours.items() if hour not in hours}
    return newly_read(built, replace(span, hours={} if is_broken else others), now)


def moved(
    storage: Storage, closed: Sequence[Span], opened: Span, start: int, now: float
) -> tuple[Span, ...]:
    """The spans once the open one starts at this hour: earlier hours have spans by day."""
    if (opened.start is not None and start <= opened.start) or not any(
        hour < start for hour in opened.hours
    ):
        return (*closed, opened)
    parts: list[Range] = [*layout.days(opened.start, start), (start, None)]
    made = []
    for first, last in parts:
        part = replace(opened, start=first, end=last, hours={})
        hours = {hour: opened.hours[hour] for hour in layout.within(opened.hours, part)}
        if hours or last is None:
            read_at = min((one.read_at for one in hours.values()), default=now)
            checked_at = opened.checked_at if last is None else read_at
            built = storage.build((first, last), [], [Kept(opened, first, last)])
            part = newly_read(built, replace(part, hours=hours, checked_at=checked_at), now)
        made.append(part if hours or last is None else replace(part, rows=0))
    return layout.without_empty([*closed, *made])


def joined(storage: Storage, parts: Sequence[Span], now: float) -> Span:
    """One span in place of several that follow each other."""
    built = storage.build((parts[0].start, parts[-1].end), [], [Kept(part) for part in parts])
    hours = reduce(lambda one, other: {**one, **other.hours}, parts, dict[int, Hour]())
    checked_at = min(part.checked_at for part in parts)
    whole = replace(parts[0], end=parts[-1].end, hours=hours, checked_at=checked_at)
    return newly_read(built, whole, now)


@contextmanager
def _removed(read: Sequence[Csv]) -> Iterator[Sequence[Csv]]:
    """The files, which are gone afterwards."""
    try:
        yield read
    finally:
        for one in read:
            one.path.unlink(missing_ok=True)

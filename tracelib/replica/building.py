"""New spans from the log and from older files; the manifest is left to the writer."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce

from tracelib import errors
from tracelib.replica import layout, spans
from tracelib.replica.host import Host
from tracelib.replica.layout import Counts, Range
from tracelib.replica.manifest import Hour, Span
from tracelib.replica.settings import ReplicaSettings
from tracelib.replica.spans import Built, Csv, Kept

# A statement of that length takes a few seconds.
MOST_ROWS = 150_000


def filled(host: Host, settings: ReplicaSettings, hours: Sequence[Range], now: float) -> Span:
    """A span of these hours, which follow each other from the newest to the oldest."""
    return of_rows(settings, host.copy(hours), hours, now)


def of_rows(
    settings: ReplicaSettings, read: Sequence[Csv], hours: Sequence[Range], now: float
) -> Span:
    """A span of these hours, from the newest to the oldest, whose rows were copied to files."""
    start, end = hours[-1][0], hours[0][1]
    with _removed(read):
        built = spans.build(settings, start, read, [])
    return _span(built, Span(built.file, start, end, 0, 0, {}, now), now)


def refreshed(
    host: Host,
    settings: ReplicaSettings,
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
    path = settings.folder / span.file
    kept = [] if is_broken else [Kept(path, without=frozenset(hours))]
    with _removed(host.copy(ranges)) as read:
        built = spans.build(settings, span.start, read, kept)
    others = {hour: one for hour, one in span.hours.items() if hour not in hours}
    return _span(built, replace(span, hours={} if is_broken else others), now)


def moved(
    settings: ReplicaSettings, closed: Sequence[Span], opened: Span, start: int, now: float
) -> tuple[Span, ...]:
    """The spans once the open one starts at this hour: earlier hours have spans by day."""
    if (opened.start is not None and start <= opened.start) or not any(
        hour < start for hour in opened.hours
    ):
        return (*closed, opened)
    path = settings.folder / opened.file
    parts: list[Range] = [*layout.days(opened.start, start), (start, None)]
    made = []
    for first, last in parts:
        part = replace(opened, start=first, end=last, hours={})
        hours = {hour: opened.hours[hour] for hour in layout.within(opened.hours, part)}
        if hours or last is None:
            read_at = min((one.read_at for one in hours.values()), default=now)
            checked_at = opened.checked_at if last is None else read_at
            built = spans.build(settings, first, [], [Kept(path, first, last)])
            part = _span(built, replace(part, hours=hours, checked_at=checked_at), now)
        made.append(part if hours or last is None else replace(part, rows=0))
    return layout.without_empty([*closed, *made])


def joined(settings: ReplicaSettings, parts: Sequence[Span], now: float) -> Span:
    """One span in place of several that follow each other."""
    kept = [Kept(settings.folder / part.file) for part in parts]
    built = spans.build(settings, parts[0].start, [], kept)
    hours = reduce(lambda one, other: {**one, **other.hours}, parts, dict[int, Hour]())
    checked_at = min(part.checked_at for part in parts)
    whole = replace(parts[0], end=parts[-1].end, hours=hours, checked_at=checked_at)
    return _span(built, whole, now)


@contextmanager
def _removed(read: Sequence[Csv]) -> Iterator[Sequence[Csv]]:
    """The files, which are gone afterwards."""
    try:
        yield read
    finally:
        for one in read:
            one.path.unlink(missing_ok=True)


def _span(built: Built, old: Span, now: float) -> Span:
    """The span in its new file, whose other hours are as they were."""
    read = {hour: Hour(*one, now) for hour, one in built.read.items()}
    hours = dict(sorted({**old.hours, **read}.items()))
    if sum(one.rows for one in hours.values()) != built.rows:
        raise errors.ReplicaDamaged(f"{built.file} has {built.rows} rows.")
    return replace(old, file=built.file, rows=built.rows, bytes=built.bytes, hours=hours)

"""In which stretches of time had which entities more faults than usual?"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np

from tracelib.incidents.counts import Counts, hour_of
from tracelib.incidents.detecting import Span, raised_share, sharpened, spans, usual_share
from tracelib.incidents.nesting import most_specific
from tracelib.incidents.values import ALL, Entity, Stretch
from tracelib.window import TimeWindow

# Before it, nothing of an entity is usual.
LEAST_HISTORY = timedelta(days=1)
# Around the hours of a stretch, to find its first and last minutes.
AROUND = timedelta(hours=1)
# An entity without a request for this long may work again.
SILENCE = timedelta(hours=1)
# Looked at closely: those with the most evidence, and the last hours.
MOST_SPANS = 40
LAST_HOURS = (1, 6)


def found(
    hourly: Counts, closely: Callable[[list[TimeWindow]], list[Counts]], since: datetime
) -> tuple[list[Stretch], list[Counts]]:
    """When did which entities have more faults than usual, after a moment? Of nested ones, one.

    `closely` returns the counts of shorter buckets in some windows. The second value is what it
    returned, in order; the last of it has at least the last six hours.
    """
    suspected = [one for one in suspects(hourly) if one[1].end > since]
    end = hourly.window.end
    last = TimeWindow(hour_of(end) - timedelta(hours=max(LAST_HOURS)), end)
    fine = closely(merged([last, *(around for _, around in suspected)]))
    return most_specific(stretches(suspected, hourly, fine), fine), fine


def suspects(counts: Counts) -> list[tuple[Entity, TimeWindow]]:
    """Which entities had more faults than usual in which hours? The most evidence first."""
    found = [
        (span.evidence, entity, _around(counts, span))
        for entity in counts.of
        for span in _spans(counts, entity)
    ]
    found.sort(key=lambda one: (-one[0], one[2], str(one[1])))
    return [(entity, window) for _, entity, window in found[:MOST_SPANS]]


def _spans(counts: Counts, entity: Entity) -> Iterator[Span]:
    """The spans by what is usual over the whole time; of a new entity, by what it is of its whole.

    Else a deployment that failed from its first request on would be as usual.
    """
    series = counts.series(entity)
    usual = usual_share(series.requests, series.faults)
    if _is_new(counts, entity) and entity.parent is not None:
        of_whole = _usual_of(counts, entity.parent, None)
        if of_whole and (usual is None or usual > raised_share(of_whole[0])):
            usual = of_whole[0]
    return iter(()) if usual is None else spans(series.requests, series.faults, usual)


def _is_new(counts: Counts, entity: Entity) -> bool:
    first, own = _first(counts, ALL), _first(counts, entity)
    return first is not None and own is not None and own - first >= LEAST_HISTORY


def _first(counts: Counts, entity: Entity) -> datetime | None:
    counted = np.flatnonzero(counts.series(entity).requests)
    return counts.starts[int(counted[0])] if len(counted) else None


def _around(counts: Counts, span: Span) -> TimeWindow:
    start, end = counts.starts[span.first] - AROUND, counts.starts[span.last] + counts.step + AROUND
    return TimeWindow(max(start, counts.window.start), min(end, counts.window.end))


def _usual_of(
    counts: Counts, entity: Entity, before: datetime | None
) -> tuple[float, Entity] | None:
    """The usual share of faults before this moment, and of which entity: of a new one its whole.

    None if there is too little before.
    """
    series = counts.series(entity)
    stop = len(counts.starts)
    if before is not None:
        stop = sum(one + counts.step <= before for one in counts.starts)
    first = _first(counts, entity)
    usual = usual_share(series.requests[:stop], series.faults[:stop])
    has_history = before is None or (first is not None and before - first >= LEAST_HISTORY)
    if usual is not None and has_history:
        return usual, entity
    return _usual_of(counts, entity.parent, before) if entity.parent else None


def merged(windows: Sequence[TimeWindow]) -> list[TimeWindow]:
    """These windows in order, those that overlap as one."""
    found: list[TimeWindow] = []
    for one in sorted(windows):
        if found and one.start <= found[-1].end:
            found[-1] = TimeWindow(found[-1].start, max(found[-1].end, one.end))
        else:
            found.append(one)
    return found


def stretches(
    suspected: Sequence[tuple[Entity, TimeWindow]], hourly: Counts, fine: Sequence[Counts]
) -> list[Stretch]:
    """Which of these suspects had more faults than usual before, and exactly when?"""
    every = {
        stretch
        for entity, window in suspected
        if (stretch := _stretch(entity, window, hourly, fine)) is not None
    }
    return sorted(every, key=lambda one: (one.start, one.entity.level, str(one.entity)))


def _stretch(
    entity: Entity, window: TimeWindow, hourly: Counts, fine: Sequence[Counts]
) -> Stretch | None:
    counts = next(one for one in fine if one.window.start <= window.start < one.window.end)
    within = counts.within(window.start, window.end)
    series = counts.series(entity)
    requests, faults = series.requests[within], series.faults[within]
    rough = window.start + min(AROUND, window.length / 2)
    usual = _usual_of(hourly, entity, rough)
    span = sharpened(requests, faults, usual[0]) if usual else None
    if usual is None or span is None:
        return None
    starts = counts.starts[within]
    chosen = slice(span.first, span.last + 1)
    return Stretch(
        entity=entity,
        start=starts[span.first],
        end=min(starts[span.last] + counts.step, counts.window.end),
        is_open=span.is_open and _is_current(entity, window, hourly, fine),
        requests=int(requests[chosen].sum()),
        faults=int(faults[chosen].sum()),
        usual=usual[0],
        usual_of=usual[1],
    )


def _is_current(entity: Entity, window: TimeWindow, hourly: Counts, fine: Sequence[Counts]) -> bool:
    """Does this window reach the end of what was counted, with a request in its last hour?"""
    end = hourly.window.end
    last = [
        one.starts[int(number)] + one.step
        for one in fine
        for number in np.flatnonzero(one.series(entity).requests)
    ]
    return window.end == end and bool(last) and max(last) > end - SILENCE

"""Which of several stretches at the same time is the one to report?

A deployment is a part of a provider, and that of all traffic: an outage of one raises the share of
faults of all three.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tracelib.incidents.counts import Counts, Series
from tracelib.incidents.detecting import EVIDENCE, Numbers, evidence, raised_share
from tracelib.incidents.values import Entity, Level, Stretch

# Without the parts that have more faults than usual, the whole has too, at this much evidence.
OF_THE_REST = EVIDENCE / 2
# Of the requests of the whole: less than this is no rest to judge by.
LEAST_REST = 0.2
LEVELS: tuple[Level, ...] = ("provider", "all")


def most_specific(found: Sequence[Stretch], counts: Sequence[Counts]) -> list[Stretch]:
    """The stretches without those that another one explains.

    A whole is reported if it has more faults than usual even without the parts that have, or if
    several of these are nearly all of it; then the parts are named in it. Otherwise the parts are.
    """
    reported = list(found)
    for level in LEVELS:
        for whole in [one for one in reported if one.entity.level == level]:
            parts = [one for one in reported if _is_part(one, whole)]
            if not parts:
                continue
            if _explains(whole, parts, counts):
                named = {entity for one in parts for entity in (one.entity, *one.parts)}
                rest = [one for one in reported if one not in parts and one is not whole]
                reported = [*rest, replace(whole, parts=tuple(sorted(named, key=_name)))]
            else:
                reported.remove(whole)
    return reported


def _name(entity: Entity) -> tuple[str, str]:
    return entity.provider or "", entity.deployment or ""


def _is_part(one: Stretch, whole: Stretch) -> bool:
    return whole.entity.has(one.entity) and one.start < whole.end and whole.start < one.end


def _explains(whole: Stretch, parts: Sequence[Stretch], counts: Sequence[Counts]) -> bool:
    entities = {one.entity for one in parts}
    every, rest = _without(whole, entities, counts)
    requests, faults = rest.requests, rest.faults
    if requests.sum() < LEAST_REST * every.requests.sum():
        return len(entities) > 1
    of_rest = evidence(requests, faults, whole.usual, raised_share(whole.usual))
    return bool(of_rest.sum() >= OF_THE_REST)


def _without(
    whole: Stretch, entities: set[Entity], counts: Sequence[Counts]
) -> tuple[Series, Series]:
    """The series of the whole in its time, and what is left of it without these entities."""
    every = series_within(whole, whole.entity, counts)
    left = every
    for entity in entities:
        part = series_within(whole, entity, counts)
        left = Series(
            *(
                _less(getattr(left, name), getattr(part, name))
                for name in ("requests", "failures", "hidden")
            )
        )
    return every, left


def _less(one: Numbers, other: Numbers) -> Numbers:
    return np.maximum(one - other, 0)


def series_within(stretch: Stretch, entity: Entity, counts: Sequence[Counts]) -> Series:
    """The series of an entity in the time of a stretch, of the counts that have it."""
    for one in counts:
        if one.window.start <= stretch.start and stretch.end <= one.starts[-1] + one.step:
            within, series = one.within(stretch.start, stretch.end), one.series(entity)
            return Series(series.requests[within], series.failures[within], series.hidden[within])
    return Series(*(np.zeros(0) for _ in range(3)))

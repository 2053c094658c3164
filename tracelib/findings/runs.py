"""Hours in a row that are not usual, and whether they are far enough from it together."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tracelib.findings.hourly import Values
from tracelib.findings.usual import DAY_H, Compared, Flags

# How many deviations from usual each hour of a run must be, and all together by Stouffer's sum:
# that of the hours divided by the root of their number.
RAISED, TOGETHER = 2.3, 6.0
# Up to two usual hours between two that are not do not end a run.
BRIDGED_H = 2


@dataclass(frozen=True, slots=True)
class Judged:
    """Which hours are raised above what is usual, by how many deviations, and what is usual.

    `certain` hours need no others next to them.
    """

    raised: Flags
    z: Values
    expected: Values
    certain: Flags


def runs(
    one: Judged, compared: Compared, known: Flags, needed_h: int
) -> Iterator[tuple[int, int, int, bool]]:
    """The entity, the first hour, the end, and whether it is ongoing, of each run of hours."""
    hours = one.raised.shape[1]
    begin = hours - compared.judged
    for entity in np.flatnonzero(one.raised[:, begin:].any(axis=1)):
        flagged = begin + np.flatnonzero(one.raised[entity, begin:])
        starts = np.flatnonzero(np.diff(flagged, prepend=-hours) > BRIDGED_H + 1)
        for run in np.split(flagged, starts[1:]):
            together = one.z[entity, run].sum() / np.sqrt(len(run))
            is_far = together >= TOGETHER and (len(run) >= needed_h)
            if is_far or one.certain[entity, run].any():
                end = int(run[-1]) + 1
                later = int(known[entity, end:].sum())
                is_silent = hours - end > DAY_H
                yield int(entity), int(run[0]), end, later <= BRIDGED_H and not is_silent

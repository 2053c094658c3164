"""When did an entity have more faults than usual? Of counts per bucket of time, without a database.

A cumulative sum (CUSUM, E. S. Page: Continuous inspection schemes, Biometrika 41, 1954) of what
each bucket says for a raised share of faults and against the usual one: the logarithm of the
likelihood ratio. Successes lower it, faults raise it, so a stretch counts however long it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
# A stretch needs this much evidence: chance alone reaches it about once in e**16 independent tries.
EVIDENCE = 16.0
# It is over once this much evidence has been lost again.
RECOVERY = 6.0
# The least that a raised share is: three times the usual one, and five percentage points more.
TIMES, MORE = 3.0, 0.05
LEAST_FAULTS, LEAST_REQUESTS, LEAST_BUCKETS = 10, 20, 2
# To know what is usual.
LEAST_BEFORE = 100
BLOCKS, OF_A_BLOCK = 24, 40
# A block with more faults than expected by so many standard deviations, and faults, is left out.
DEVIATIONS, ROUNDS = 4.0, 3


@dataclass(frozen=True, slots=True)
class Span:
    """Buckets `first` to `last`, both within. `is_open` if nothing after them shows an end."""

    first: int
    last: int
    is_open: bool
    evidence: float


def usual_share(requests: Numbers, faults: Numbers) -> float | None:
    """Which share of these requests are usually faults? None for too few requests.

    Of up to 24 blocks of equally many requests, in order of time, without those that have far more
    faults than the median one: an outage of less than half of the requests does not count. At least
    one fault among all of them is assumed.
    """
    total = float(requests.sum())
    if total < LEAST_BEFORE:
        return None
    blocks = max(1, min(BLOCKS, int(total // OF_A_BLOCK)))
    middle = np.cumsum(requests) - requests / 2
    number = np.minimum((middle * blocks / total).astype(int), blocks - 1)
    every, failed = np.bincount(number, requests, blocks), np.bincount(number, faults, blocks)
    share = float(np.median(failed[every > 0] / every[every > 0]))
    for _ in range(ROUNDS):
        expected = every * share
        usual = failed <= expected + DEVIATIONS * (np.sqrt(expected * (1 - share)) + 1)
        share = float(failed[usual].sum() / max(every[usual].sum(), 1))
    return min(max(share, 1 / total), 1.0)


def raised_share(usual: float) -> float:
    """Which share of faults is well above the usual one? Near to all, half of the way to all.

    >>> raised_share(0.01), raised_share(0.1), raised_share(0.9)
    (0.060000000000000005, 0.30000000000000004, 0.95)
    """
    return min(max(TIMES * usual, usual + MORE), (1 + usual) / 2)


def evidence(requests: Numbers, faults: Numbers, usual: float, raised: float) -> Numbers:
    """What does each bucket say for the raised share, and against the usual one?

    The logarithm of the ratio of their likelihoods; negative if it says the contrary.
    """
    if usual >= raised:
        return np.zeros(len(requests))
    successes = np.maximum(requests - faults, 0)
    return faults * log(raised / usual) + successes * log((1 - raised) / (1 - usual))


def spans(requests: Numbers, faults: Numbers, usual: float) -> Iterator[Span]:
    """In which spans were well more faults than usual, in order of time?"""
    each = evidence(requests, faults, usual, raised_share(usual))
    level = np.concatenate([[0.0], np.cumsum(each)])
    if (level - np.minimum.accumulate(level)).max() < EVIDENCE:
        return
    first, last, total, most = 0, 0, 0.0, 0.0
    for number, value in enumerate(each):
        if total <= 0:
            first, total, most = number, 0.0, 0.0
        total += value
        if total > most:
            last, most = number, total
        if most >= EVIDENCE and total < max(most - RECOVERY, 0.0):
            yield Span(first, last, False, most)
            total = 0.0
    if total > 0 and most >= EVIDENCE:
        yield Span(first, last, True, most)


def sharpened(requests: Numbers, faults: Numbers, usual: float) -> Span | None:
    """Within these buckets, when exactly were there more faults than usual?

    The span with the most evidence for the share of faults that it has itself; None if it is not
    well above the usual one, or has too few requests or faults.
    """
    raised = raised_share(usual)
    found = _greatest(requests, faults, usual, raised)
    within = slice(found.first, found.last + 1)
    share = faults[within].sum() / max(requests[within].sum(), 1)
    if share > raised:
        found = _greatest(requests, faults, usual, min(share, 0.99))
    return found if _is_enough(found, requests, faults, raised) else None


def _is_enough(found: Span, requests: Numbers, faults: Numbers, raised: float) -> bool:
    within = slice(found.first, found.last + 1)
    some, failed = requests[within].sum(), faults[within].sum()
    return bool(
        found.evidence >= EVIDENCE
        and some >= LEAST_REQUESTS
        and failed >= max(LEAST_FAULTS, raised * some)
        and (faults[within] > 0).sum() >= LEAST_BUCKETS
    )


def _greatest(requests: Numbers, faults: Numbers, usual: float, raised: float) -> Span:
    """The span with the greatest sum of evidence."""
    level = np.concatenate([[0.0], np.cumsum(evidence(requests, faults, usual, raised))])
    gain = level - np.minimum.accumulate(level)
    end = int(gain.argmax())
    first = int(level[: end + 1].argmin())
    is_open = bool(level[-1] > level[end] - RECOVERY)
    return Span(first, max(end - 1, first), is_open, float(gain[end]))

"""The whole story as rows: every piece of work of every key, in the order in which rows appear."""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from random import Random

from tracelib.demo import agents, oddities, rhythm, work
from tracelib.demo.cast import Key, cast
from tracelib.demo.exchange import Outcome
from tracelib.demo.rows import Row, row
from tracelib.demo.scene import Scene, scene

SEED = 20250424
"""The seed of the story that `start` tells."""

_SLOT_S = 600
# A piece of work is told no further than this; so far back must one look for what is under way.
_REACH_S = 12 * 3600
_STEADY_REACH_S = 900


def requests(
    seed: int,
    start: datetime,
    end: datetime,
    *,
    anchor: datetime | None = None,
    steady: float | None = None,
) -> Iterator[Row]:
    """Which rows did LiteLLM write in [start, end)?

    `start` and `end` are aware. One dict per row, oldest `created_at` first, columns as the
    table has them: times in UTC without a zone, JSON as text. The same arguments give the same
    rows, and neighbouring spans with one `anchor` join without a gap or a repetition.

    anchor  the end of the first telling, from which the events are counted; `end` if left out
    steady  how busy every hour is, 1 being a busy one, in place of the rhythm of day and week

    An empty span gives no rows.
    """
    events = scene(anchor or end)
    first, last = start.timestamp(), end.timestamp()
    if last <= first:
        return
    waiting: list[tuple[float, int, Outcome]] = []
    number = count()
    slot = (first - (_STEADY_REACH_S if steady else _REACH_S)) // _SLOT_S * _SLOT_S
    while slot < last:
        yield from _due(waiting, first, min(slot, last))
        for outcome in _begun(seed, slot, events, steady):
            if first <= outcome.written < last:
                heapq.heappush(waiting, (outcome.written, next(number), outcome))
        slot += _SLOT_S
    yield from _due(waiting, first, last)


def _due(waiting: list[tuple[float, int, Outcome]], first: float, until: float) -> Iterator[Row]:
    while waiting and first <= waiting[0][0] < until:
        outcome = heapq.heappop(waiting)[2]
        yield oddities.touched(outcome, row(outcome))


def _begun(seed: int, slot: float, events: Scene, steady: float | None) -> Iterator[Outcome]:
    """Everything that begins within ten minutes, to its end."""
    rng = Random(f"{seed} {slot:.0f}")
    reach = slot + (_STEADY_REACH_S if steady else _REACH_S)
    for key in cast().keys:
        if key.is_deleted and slot > events.newcomer_from:
            continue
        busy = _busyness(key, slot, steady)
        for kind, rate in key.work.items():
            for _ in range(rhythm.poisson(rng, rate * busy * _SLOT_S / 3600)):
                own = Random(rng.getrandbits(64))
                at = slot + own.uniform(0, _SLOT_S)
                yield from _until(reach, work.begin(own, key, at, events, kind))
    if steady is None:
        yield from oddities.begun(rng, slot, _SLOT_S)
        if slot <= events.runaway_at < slot + _SLOT_S:
            gardener = cast().key("repo-gardener")
            yield from _until(reach, agents.runaway(rng, gardener, events))


def _until(reach: float, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    for outcome in outcomes:
        if outcome.written >= reach:
            return
        yield outcome


def _busyness(key: Key, slot: float, steady: float | None) -> float:
    if steady is not None and key.rhythm not in ("night", "batch"):
        return steady
    return rhythm.busyness(key.rhythm, slot)


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)

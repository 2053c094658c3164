"""What is notable in a session: its end, its failures, its idle time, where its cost is."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pandas as pd

from tracelib import formatting
from tracelib.timeline.whole import NEAR_LIMIT, Timeline

# A session is mostly idle if it is for this share of its time, and once for this long.
IDLE_SHARE, IDLE_MS = 0.5, 60_000.0
# One request takes most of the time if it has this share of it, and this length.
SLOW_SHARE, SLOW_MS = 0.5, 30_000.0
# A cost is in few requests if at most one in five of them have half of it.
COST_SHARE, FEW = 0.5, 5
MOST_REMARKS = 4
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Remark:
    """One notable thing, as text, and the requests that it ends with.

    Each request by its number and by its row, as in links.
    """

    words: str
    requests: tuple[tuple[int, str], ...] = ()


def verdict(data: Timeline, recovered: Collection[str] = ()) -> tuple[Remark, ...]:
    """What is notable in this session? At most four, the most urgent first; nothing if nothing is.

    `recovered` are the rows of failures that a later attempt made good. A session of one request
    has nothing that its figures do not show.
    """
    if len(data.turns) < 2:
        return ()
    remarks = (
        _failures(data, recovered),
        _limit(data),
        _slowest(data),
        _idle(data),
        _expensive(data),
    )
    return tuple(one for several in remarks for one in several)[:MOST_REMARKS]


def _failures(data: Timeline, recovered: Collection[str]) -> Iterator[Remark]:
    failed = data.turns[data.turns["is_failure"].astype("bool")]
    is_last = failed["number"] == data.turns["number"].max()
    is_made_good = failed["row"].isin(list(recovered))
    if is_last.any():
        yield Remark("Ends with a failure:", _named(failed[is_last]))
    for rows, what in (
        (failed[~is_last & ~is_made_good], "not retried"),
        (failed[~is_last & is_made_good], "retried"),
    ):
        if len(rows):
            yield Remark(f"{formatting.counted(len(rows), 'failure')} {what}:", _named(rows))


def _limit(data: Timeline) -> Iterator[Remark]:
    if data.fullest_share is not None and data.fullest_share >= NEAR_LIMIT:
        fullest = data.turns.nlargest(1, "context_share")
        yield Remark(f"Prompt at {_percent(data.fullest_share)} of the limit:", _named(fullest))


def _slowest(data: Timeline) -> Iterator[Remark]:
    """Which request took most of the time in which any ran?"""
    lengths = data.turns["end_ms"] - data.turns["start_ms"]
    longest = float(lengths.max())
    if data.model_ms and longest >= SLOW_MS and longest >= SLOW_SHARE * data.model_ms:
        share = _percent(min(longest / data.model_ms, 1.0))
        words = f"{share} of the model time ({formatting.duration(longest)}) in"
        yield Remark(words, _named(data.turns.loc[[lengths.idxmax()]]))


def _idle(data: Timeline) -> Iterator[Remark]:
    if data.longest_gap_ms < IDLE_MS or data.idle_ms < IDLE_SHARE * data.wall_ms:
        return
    (start,) = data.gaps.nlargest(1, "length_ms")["start_ms"]
    before = data.turns[data.turns["start_ms"] <= start]
    words = (
        f"{_percent(data.idle_ms / data.wall_ms)} of {formatting.duration(data.wall_ms)} idle, "
        f"the longest gap, {formatting.duration(data.longest_gap_ms)}, after"
    )
    yield Remark(words, _named(before.nlargest(1, "end_ms")))


def _expensive(data: Timeline) -> Iterator[Remark]:
    """Which few requests have most of the cost?"""
    if data.cost_usd <= 0:
        return
    costs = data.turns["cost_usd"].fillna(0).clip(lower=0)
    costs = costs.sort_values(ascending=False, kind="stable")
    shares = costs.cumsum() / costs.sum()
    few = int((shares < COST_SHARE).sum()) + 1
    if few <= len(costs) // FEW:
        where = formatting.counted(few, "request")
        rows = data.turns.loc[costs.index[:few]].sort_values("number")
        words = f"{_percent(float(shares.iloc[few - 1]))} of the cost in {where}:"
        yield Remark(words, _named(rows) if few <= MOST_NAMED else ())


def _named(turns: pd.DataFrame) -> tuple[tuple[int, str], ...]:
    """The first few of these requests."""
    first = turns.head(MOST_NAMED)
    return tuple(zip(map(int, first["number"]), first["row"], strict=True))


def _percent(share: float) -> str:
    """
    >>> _percent(0.864), _percent(0.9999), _percent(1.0)
    ('86 %', '99 %', '100 %')
    """
    return "99 %" if 0.99 < share < 1 else f"{share * 100:.0f} %"

"""The whole timeline of a session, worked out of its rows."""

from dataclasses import dataclass

import pandas as pd

from tracelib.timeline import periods
from tracelib.timeline.context import Parents, Shares, with_context
from tracelib.timeline.money import with_money
from tracelib.timeline.phases import with_phases

NEAR_LIMIT = 0.8


@dataclass(frozen=True, slots=True)
class Timeline:
    """When a session's requests ran and what they sent. Milliseconds, US dollars, int tokens.

    `turns` has a row a request, as `with_phases`, `with_context` and `with_money` say; `gaps`
    a row for each stretch in which nothing ran. `model_ms` is the time in which anything ran:
    with `idle_ms` it is `wall_ms`, from the first start to the last end. `overlap_ms` is that
    in which several ran. `resending_usd` is None where it is unknown of any request,
    `fullest_share` where no model's limit is known.
    """

    turns: pd.DataFrame
    gaps: pd.DataFrame
    wall_ms: float
    model_ms: float
    idle_ms: float
    longest_gap_ms: float
    overlap_ms: float
    most_at_once: int
    cost_usd: float
    prompt_tokens: int
    repeated_tokens: int
    resending_usd: float | None
    fullest_share: float | None
    near_limit: int


def timeline(
    requests: pd.DataFrame, parents: Parents | None = None, shares: Shares | None = None
) -> Timeline:
    """When did these requests run, and what of each prompt had been sent before?

    The rows are those of `sessions.requests_of`; `parents`, as the transcript knows them, say
    which request each continues, and `shares` how much of a changed history was sent before.
    Without rows all figures are 0, and what is unknown None.
    """
    turns = with_money(with_context(with_phases(requests), parents, shares))
    stretches = periods.running(turns)
    gaps = periods.gaps(stretches)
    sent = turns[["cached_tokens", "resent_tokens", "new_tokens"]].to_numpy().sum()
    resending = turns["resending_usd"]
    fullest = turns["context_share"].max()
    return Timeline(
        turns=turns,
        gaps=gaps,
        wall_ms=float(turns["end_ms"].max()) if len(turns) else 0.0,
        model_ms=periods.length_ms(stretches, at_least=1),
        idle_ms=float(gaps["length_ms"].sum()),
        longest_gap_ms=float(gaps["length_ms"].max()) if len(gaps) else 0.0,
        overlap_ms=periods.length_ms(stretches, at_least=2),
        most_at_once=int(stretches["at_once"].max()) if len(stretches) else 0,
        cost_usd=float(turns["cost_so_far_usd"].iloc[-1]) if len(turns) else 0.0,
        prompt_tokens=int(sent),
        repeated_tokens=int(turns["repeated_tokens"].sum()),
        resending_usd=None if resending.isna().any() else float(resending.sum()),
        fullest_share=None if pd.isna(fullest) else float(fullest),
        near_limit=int((turns["context_share"] >= NEAR_LIMIT).sum()),
    )

"""The timeline of a session as one value, and the same time prepared for charts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tracelib.timeline import phases
from tracelib.timeline.phases import Parents, Shares, with_context, with_money, with_phases

NEAR_LIMIT = 0.8


@dataclass(frozen=True, slots=True)
class Timeline:
    """When a session's requests ran and what they sent. Milliseconds, US dollars, int tokens.

    `turns` has a row per request, with the columns of `with_phases`, `with_context` and
    `with_money`; `gaps` a row for each stretch in which nothing ran. `model_ms` is the time in
    which anything ran: with `idle_ms` it is `wall_ms`, from the first start to the last end.
    `overlap_ms` is the time in which several ran. `resending_usd` is None if it is unknown for any
    request, `fullest_share` if no model's limit is known.
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
    """When did these requests run, and which part of each prompt had been sent before?

    The rows are those of `sessions.requests_of`; `parents`, from the transcript, are the requests
    that each continues, and `shares` how much of a changed history was sent before. Without rows
    all figures are 0, and unknown ones None.
    """
    turns = with_money(with_context(with_phases(requests), parents, shares))
    stretches = phases.running(turns)
    gaps = phases.gaps(stretches)
    sent = turns[["cached_tokens", "resent_tokens", "new_tokens"]].to_numpy().sum()
    resending = turns["resending_usd"]
    fullest = turns["context_share"].max()
    return Timeline(
        turns=turns,
        gaps=gaps,
        wall_ms=float(turns["end_ms"].max()) if len(turns) else 0.0,
        model_ms=phases.length_ms(stretches, at_least=1),
        idle_ms=float(gaps["length_ms"].sum()),
        longest_gap_ms=float(gaps["length_ms"].max()) if len(gaps) else 0.0,
        overlap_ms=phases.length_ms(stretches, at_least=2),
        most_at_once=int(stretches["at_once"].max()) if len(stretches) else 0,
        cost_usd=float(turns["cost_so_far_usd"].iloc[-1]) if len(turns) else 0.0,
        prompt_tokens=int(sent),
        repeated_tokens=int(turns["repeated_tokens"].sum()),
        resending_usd=None if resending.isna().any() else float(resending.sum()),
        fullest_share=None if pd.isna(fullest) else float(fullest),
        near_limit=int((turns["context_share"] >= NEAR_LIMIT).sum()),
    )


# What is left of a gap: enough to be visible, and not too much of all gaps together.
KEPT_OF_A_GAP = 0.03
KEPT_OF_ALL = 0.35


def drawn(turns: pd.DataFrame, *, skips_idle: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Where on a time axis is each request, and where was the axis cut?

    The requests with a column `drawn_ms`, where they start; and a row per cut, in order:

        drawn_ms    where the cut begins on the axis
        kept_ms     how much of the gap the axis still has
        length_ms   how long the gap really is

    Requests keep their lengths. Without `skips_idle` nothing is cut.
    """
    stretches = phases.running(turns)
    gaps = phases.gaps(stretches)
    kept = _kept_ms(phases.length_ms(stretches, at_least=1), len(gaps))
    cut = gaps[gaps["length_ms"] > kept] if skips_idle else gaps.head(0)
    taken_out = (cut["length_ms"] - kept).cumsum().to_numpy()
    before = np.searchsorted(cut["end_ms"].to_numpy(), turns["start_ms"].to_numpy(), side="right")
    shifts = np.append(0.0, taken_out)
    cuts = pd.DataFrame(
        {
            "drawn_ms": cut["start_ms"].to_numpy() - shifts[:-1],
            "kept_ms": np.full(len(cut), kept),
            "length_ms": cut["length_ms"].to_numpy(),
        }
    )
    return turns.assign(drawn_ms=turns["start_ms"] - shifts[before]), cuts


def _kept_ms(model_ms: float, gaps: int) -> float:
    """The length that each gap keeps, so that requests that took no time are kept apart, too."""
    return (model_ms or 1.0) * min(KEPT_OF_A_GAP, KEPT_OF_ALL / max(gaps, 1))


def activity(turns: pd.DataFrame, bins: int = 240) -> pd.DataFrame:
    """How busy was a session over its time? Its time in equal bins, in order:

        start_ms, end_ms   since the first start
        busy_share         of the bin in which anything ran
        failures           int, requests that started in it and failed
        number             int, of the first request that starts in it or later, else the last

    No bins without a request, and one if none took any time.
    """
    if turns.empty:
        return pd.DataFrame(columns=["start_ms", "end_ms", "busy_share", "failures", "number"])
    wall = float(turns["end_ms"].max())
    edges = np.linspace(0.0, wall, bins + 1) if wall else np.array([0.0, 1.0])
    stretches = phases.running(turns)
    lengths = (stretches["end_ms"] - stretches["start_ms"]).where(stretches["at_once"] > 0, 0.0)
    moments = np.append(0.0, stretches["end_ms"].to_numpy())
    busy = np.interp(edges, moments, np.append(0.0, lengths.cumsum().to_numpy()))
    turns = turns.sort_values("start_ms", kind="stable")  # with differing clocks they are not
    starts = turns["start_ms"].to_numpy()
    failed = turns.loc[turns["is_failure"].astype("bool"), "start_ms"]
    first = np.searchsorted(starts, edges[:-1], side="left").clip(max=len(turns) - 1)
    return pd.DataFrame(
        {
            "start_ms": edges[:-1],
            "end_ms": edges[1:],
            "busy_share": np.diff(busy) / np.diff(edges),
            "failures": np.histogram(failed, edges)[0],
            "number": turns["number"].to_numpy()[first],
        }
    )

"""What of each prompt had been sent before, and how full the model was.

An estimate from token counts: what a request sends again is at most what the request before it
in its thread had sent and been answered, and at most its own prompt. What a model thought is
not sent again. Where a client leaves out or changes parts of the history, the share of its
characters that had been sent before counts instead.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

NOBODY = -1
Parents = Mapping[str, str | None]
Shares = Mapping[str, float]


def with_context(
    turns: pd.DataFrame, parents: Parents | None, shares: Shares | None = None
) -> pd.DataFrame:
    """What did each request send anew? The rows with more columns:

        repeated_tokens   int, of the prompt: already sent or answered in its thread
        cached_tokens     int, of the prompt: read from the provider's cache
        resent_tokens     int, of the prompt: repeated and not cached
        new_tokens        int, of the prompt: the rest
        context_share     of the model's limit that the prompt took, None where unknown

    The middle three add up to prompt_tokens. Nothing was sent where LiteLLM's own cache
    answered, so all four are 0 there. `parents` are the requests that others go on from, by
    their `row`, None for the first of a thread; without it the nearest earlier answer of the
    same model counts as the one before. `shares` tell by row of requests with a changed history
    which share of it had been sent before, from 0 to 1.
    """
    before = np.array(_before(turns, parents), dtype="int64")
    prompt = turns["prompt_tokens"].fillna(0).clip(lower=0).to_numpy("int64")
    completion = turns["completion_tokens"].fillna(0).clip(lower=0).to_numpy("int64")
    thought = turns["reasoning_tokens"].fillna(0).clip(lower=0).to_numpy("int64")
    answer = np.maximum(completion - thought, 0)
    said = np.append(prompt + answer, 0)[before]  # the last place stands for nobody
    sent = np.where(turns["is_cache_hit"].to_numpy("bool"), 0, prompt)
    cached = turns["cached_prompt_tokens"].fillna(0).clip(lower=0).to_numpy("int64")
    share = turns["row"].map(shares or {}).to_numpy("float64")
    repeated = np.where(np.isnan(share), np.minimum(sent, said), sent * share).round()
    repeated, cached = repeated.astype("int64"), np.minimum(sent, cached)
    resent = np.maximum(repeated - cached, 0)
    limit = turns["max_input_tokens"].astype("float64")
    return turns.assign(
        repeated_tokens=repeated,
        cached_tokens=cached,
        resent_tokens=resent,
        new_tokens=sent - cached - resent,
        context_share=(sent / limit.where(limit > 0)),
    )


def _before(turns: pd.DataFrame, parents: Parents | None) -> Sequence[int]:
    """The place of the request that each goes on from, `NOBODY` where there is none."""
    guessed = _nearest_earlier(turns)
    if parents is None:
        return guessed
    rows = list(turns["row"])
    places = {row: place for place, row in enumerate(rows)}
    has_prompt = list(turns["prompt_tokens"].fillna(0) > 0)
    before: list[int] = []
    for place, row in enumerate(rows):
        known = row in parents
        parent = places.get(parents[row] or "", NOBODY) if known else guessed[place]
        if parent >= place:
            parent = NOBODY
        # Old versions count no token of a failure: what it had sent is what was sent before it.
        elif parent != NOBODY and not has_prompt[parent]:
            parent = before[parent]
        before.append(parent)
    return before


def _nearest_earlier(turns: pd.DataFrame) -> list[int]:
    """The last answer of the same model that was there before each request began."""
    asked = turns[["model", "start_ms"]].reset_index(drop=True)
    answered = turns[["model", "end_ms"]].assign(place=range(len(turns)))
    could_be_resent = (turns["completion_tokens"].fillna(0) > 0).to_numpy("bool")
    answered = answered[could_be_resent].sort_values("end_ms", kind="stable")
    order = asked["start_ms"].argsort(kind="stable")
    found = pd.merge_asof(
        asked.iloc[order],
        answered,
        left_on="start_ms",
        right_on="end_ms",
        by="model",
        allow_exact_matches=False,  # else a request that took no time would follow itself
    )
    places = pd.Series(found["place"].to_numpy(), index=order.to_numpy()).sort_index()
    return [int(place) for place in places.fillna(NOBODY)]

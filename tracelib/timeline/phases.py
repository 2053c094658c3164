"""The columns of a session's timeline: phases of each request, idle periods, context, cost."""

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, localcontext
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd

from tracelib.selection import row_ids

PHASES = ("litellm_ms", "waiting_ms", "generating_ms", "undivided_ms")


def with_phases(requests: pd.DataFrame) -> pd.DataFrame:
    """When did each request run, and what did it do meanwhile? The rows with more columns:

        number          int, from 1, in the order of the rows
        row             text, names the request's row in links
        start_ms        since the first start
        end_ms          since the first start; a request that ends before it starts took no time
        litellm_ms      LiteLLM's own time; drawn first, though a part of it follows the response
        waiting_ms      from there to the first token
        generating_ms   from the first token to the end
        undivided_ms    time that cannot be divided: not streamed, failed, or from a cache

    Milliseconds, never unknown; the last four add up to end_ms - start_ms.
    """
    started, ended = requests["started_at"], requests["ended_at"]
    start, lasted = _ms(started - started.min()), _ms(ended - started).clip(lower=0)
    is_response = ~(requests["is_failure"] | requests["is_cache_hit"]).astype("bool")
    own = requests["overhead_ms"].fillna(0).clip(lower=0).clip(upper=lasted).where(is_response, 0)
    first_token = requests["ttft_ms"].clip(lower=0).clip(upper=lasted).where(is_response)
    own = own.where(first_token.isna(), own.clip(upper=first_token))
    generating = (lasted - first_token).fillna(0)
    return requests.assign(
        number=range(1, len(requests) + 1),
        row=[row.written() for row in row_ids(requests)],
        start_ms=start,
        end_ms=start + lasted,
        litellm_ms=own,
        waiting_ms=(first_token - own).fillna(0),
        generating_ms=generating,
        undivided_ms=(lasted - own).where(first_token.isna(), 0),
    )


def _ms(spans: "pd.Series[Any]") -> "pd.Series[float]":
    microseconds: pd.Series[float] = spans.dt.as_unit("us").astype("int64").astype("float64")
    return microseconds / 1_000


def running(turns: pd.DataFrame) -> pd.DataFrame:
    """How many requests ran at once, from when to when? A row per stretch, in order.

        start_ms, end_ms   since the first start; stretches follow one another without a gap
        at_once            int, 0 if nothing ran

    Needs start_ms and end_ms of each request. Stretches without length are left out, so requests
    that took no time have none.
    """
    starts, ends = turns["start_ms"].to_numpy("float64"), turns["end_ms"].to_numpy("float64")
    moments = np.concatenate([starts, ends])
    steps = np.repeat([1, -1], len(turns))
    order = np.argsort(moments, kind="stable")
    at_once = np.cumsum(steps[order])
    stretches = pd.DataFrame(
        {
            "start_ms": moments[order][:-1],
            "end_ms": moments[order][1:],
            "at_once": at_once[:-1],
        }
    )
    return stretches[stretches["end_ms"] > stretches["start_ms"]].reset_index(drop=True)


def gaps(stretches: pd.DataFrame) -> pd.DataFrame:
    """When did nothing run? A row per gap, in order: start_ms, end_ms and length_ms."""
    idle = stretches.loc[stretches["at_once"] == 0, ["start_ms", "end_ms"]]
    return idle.assign(length_ms=idle["end_ms"] - idle["start_ms"]).reset_index(drop=True)


def length_ms(stretches: pd.DataFrame, at_least: int) -> float:
    """For how long did at least this many requests run at once?"""
    chosen = stretches[stretches["at_once"] >= at_least]
    return float((chosen["end_ms"] - chosen["start_ms"]).sum())


# PostgreSQL adds costs up as decimals, exactly; digits enough for any double.
EXACT = Context(prec=700, traps=[])


def with_money(turns: pd.DataFrame) -> pd.DataFrame:
    """What had the session cost by then, US dollars? The rows with more columns:

        cost_so_far_usd   of this request and all before it; the last is the session's cost
        resending_usd     the part of its cost for repeated_tokens, None if unknown

    The cost of resending is an estimate: cached tokens at their price, the others at the average of
    the prompt's uncached ones. Needs the columns of `with_context`.
    """
    with localcontext(EXACT):
        costs = (Decimal(repr(cost)) for cost in turns["cost_usd"].fillna(0).tolist())
        so_far = [float(cost) for cost in accumulate(costs)]
    return turns.assign(
        cost_so_far_usd=pd.Series(so_far, index=turns.index, dtype="float64"),
        resending_usd=_resending_usd(turns),
    )


def _resending_usd(turns: pd.DataFrame) -> "pd.Series[float]":
    prompt = turns[["cached_tokens", "resent_tokens", "new_tokens"]].sum(axis=1)
    repeated, cached = turns["repeated_tokens"], turns["cached_tokens"]
    free = (turns["cost_usd"] == 0) | (repeated == 0)
    total = turns["input_cost_usd"].where(~free, 0.0)
    uncached = prompt - cached
    # Before LiteLLM logged the cost of cached tokens, the price list gives that of the others.
    priced = (total - uncached * turns["input_cost_per_token"]).clip(lower=0)
    of_cache = turns["cached_input_cost_usd"].fillna(priced).where(cached > 0, 0.0)
    of_cache = of_cache.where(~free, 0.0)
    repeated_of_cache = _share(repeated.clip(upper=cached), cached)
    repeated_of_rest = _share(turns["resent_tokens"], uncached)
    return of_cache * repeated_of_cache + (total - of_cache) * repeated_of_rest


def _share(part: "pd.Series[int]", whole: "pd.Series[int]") -> "pd.Series[float]":
    return (part / whole.where(whole > 0)).fillna(0.0)


NO_PARENT = -1
Parents = Mapping[str, str | None]
Shares = Mapping[str, float]


def with_context(
    turns: pd.DataFrame, parents: Parents | None, shares: Shares | None = None
) -> pd.DataFrame:
    """Which part of each prompt was new? The rows with more columns:

        repeated_tokens   int, of the prompt: already sent or received in its thread
        cached_tokens     int, of the prompt: read from the provider cache
        resent_tokens     int, of the prompt: repeated and not cached
        new_tokens        int, of the prompt: the rest
        context_share     of the model's limit that the prompt took, None if unknown

    The middle three add up to prompt_tokens. A cache hit of LiteLLM's own cache sent nothing, so
    all four are 0 there. `parents` are the requests that others continue, by their `row`, None for
    the first of a thread; without it the nearest earlier response of the same model counts as the
    parent. `shares` give, by row of requests with a changed history, which share of it had been
    sent before, from 0 to 1.
    """
    before = np.array(_before(turns, parents), dtype="int64")
    prompt = turns["prompt_tokens"].fillna(0).clip(lower=0).to_numpy("int64")
    completion = turns["completion_tokens"].fillna(0).clip(lower=0).to_numpy("int64")
    thought = turns["reasoning_tokens"].fillna(0).clip(lower=0).to_numpy("int64")
    visible = np.maximum(completion - thought, 0)
    known = np.append(prompt + visible, 0)[before]  # the last position is that of no request
    sent = np.where(turns["is_cache_hit"].to_numpy("bool"), 0, prompt)
    cached = turns["cached_prompt_tokens"].fillna(0).clip(lower=0).to_numpy("int64")
    share = turns["row"].map(shares or {}).to_numpy("float64")
    repeated = np.where(np.isnan(share), np.minimum(sent, known), sent * share).round()
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
    """The position of the request that each continues, `NO_PARENT` if there is none."""
    guessed = _nearest_earlier(turns)
    if parents is None:
        return guessed
    rows = list(turns["row"])
    places = {row: place for place, row in enumerate(rows)}
    has_prompt = list(turns["prompt_tokens"].fillna(0) > 0)
    before: list[int] = []
    for place, row in enumerate(rows):
        known = row in parents
        parent = places.get(parents[row] or "", NO_PARENT) if known else guessed[place]
        if parent >= place:
            parent = NO_PARENT
        # Old versions count no tokens of a failure: it sent what was sent before it.
        elif parent != NO_PARENT and not has_prompt[parent]:
            parent = before[parent]
        before.append(parent)
    return before


def _nearest_earlier(turns: pd.DataFrame) -> list[int]:
    """The last response of the same model that existed when each request began."""
    begins = turns[["model", "start_ms"]].reset_index(drop=True)
    ends = turns[["model", "end_ms"]].assign(place=range(len(turns)))
    could_be_resent = (turns["completion_tokens"].fillna(0) > 0).to_numpy("bool")
    ends = ends[could_be_resent].sort_values("end_ms", kind="stable")
    order = begins["start_ms"].argsort(kind="stable")
    found = pd.merge_asof(
        begins.iloc[order],
        ends,
        left_on="start_ms",
        right_on="end_ms",
        by="model",
        allow_exact_matches=False,  # else a request that took no time would follow itself
    )
    places = pd.Series(found["place"].to_numpy(), index=order.to_numpy()).sort_index()
    return [int(place) for place in places.fillna(NO_PARENT)]

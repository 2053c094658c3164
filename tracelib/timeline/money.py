"""What the requests had cost by then, and what sending the same again cost."""

from decimal import Context, Decimal, localcontext
from itertools import accumulate

import pandas as pd

# PostgreSQL adds costs up as decimals, exactly; digits enough for any double.
EXACT = Context(prec=700, traps=[])


def with_money(turns: pd.DataFrame) -> pd.DataFrame:
    """What had the session cost by then, US dollars? The rows with more columns:

        cost_so_far_usd   of this request and all before it; the last is the session's cost
        resending_usd     of the request's cost what repeated_tokens took, None where unknown

    The cost of resending is an estimate: cached tokens at what they cost, the others at the
    average of the prompt's uncached ones. Wants the columns of `with_context`.
    """
    with localcontext(EXACT):
        costs = (Decimal(repr(cost)) for cost in turns["cost_usd"].tolist())
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
    # Before LiteLLM told what cached tokens cost, the price list did for the others.
    priced = (total - uncached * turns["input_cost_per_token"]).clip(lower=0)
    of_cache = turns["cached_input_cost_usd"].fillna(priced).where(cached > 0, 0.0)
    of_cache = of_cache.where(~free, 0.0)
    repeated_of_cache = _share(repeated.clip(upper=cached), cached)
    repeated_of_rest = _share(turns["resent_tokens"], uncached)
    return of_cache * repeated_of_cache + (total - of_cache) * repeated_of_rest


def _share(part: "pd.Series[int]", whole: "pd.Series[int]") -> "pd.Series[float]":
    return (part / whole.where(whole > 0)).fillna(0.0)

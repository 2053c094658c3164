"""Where the time of each request went, as far as LiteLLM tells."""

from typing import Any

import pandas as pd

from tracelib.selection import row_ids

PHASES = ("litellm_ms", "waiting_ms", "generating_ms", "undivided_ms")


def with_phases(requests: pd.DataFrame) -> pd.DataFrame:
    """When did each request run, and what did it do meanwhile? The rows with more columns:

        number          int, from 1, in the order of the rows
        row             text, names the request's row in links
        start_ms        since the first start
        end_ms          since the first start; a request that ends before it starts took no time
        litellm_ms      LiteLLM's own time; drawn first, though a part of it follows the answer
        waiting_ms      from there to the first token
        generating_ms   from the first token to the end
        undivided_ms    time of which no more is known: not streamed, failed, or from a cache

    Milliseconds, never unknown; the last four add up to end_ms - start_ms.
    """
    started, ended = requests["started_at"], requests["ended_at"]
    start, lasted = _ms(started - started.min()), _ms(ended - started).clip(lower=0)
    answered = ~(requests["is_failure"] | requests["is_cache_hit"]).astype("bool")
    own = requests["overhead_ms"].fillna(0).clip(lower=0).clip(upper=lasted).where(answered, 0)
    first_token = requests["ttft_ms"].clip(lower=0).clip(upper=lasted).where(answered)
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

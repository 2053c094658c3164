"""How each model did over the window."""

from typing import Any

import pandas as pd
from sqlalchemy import Select, Subquery, func, select

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.buckets import in_buckets
from tracelib.window import Bucket, bucket_starts


def over_time_by_model(
    source: Source, filters: Filters, bucket: Bucket, models: tuple[str, ...]
) -> pd.DataFrame:
    """How did the requests, cost and times of these models go over the window?

    A row a named model and bucket with a request, by model, then bucket; none is filled in:

        model                    text
        bucket                   start of a bucket of `window.bucket_starts`, aware UTC
        requests, failures       int
        cost_usd                 US dollars
        total_tokens             int, without cache hits
        response_ms_avg, response_ms_p95, response_ms_max    over successes, not cache hits

    No such model gives the same columns without rows.
    """
    starts = pd.Series(
        bucket_starts(filters.window, bucket, filters.zone), dtype="datetime64[us, UTC]"
    )
    requests = in_buckets(source.requests(filters), filters, bucket)
    frame = source.frame(_by_model(requests, models))
    numbers = frame.pop("bucket_number").astype("int64")
    frame.insert(1, "bucket", starts.take(numbers.to_numpy()).reset_index(drop=True))
    return frame


def _by_model(requests: Subquery, models: tuple[str, ...]) -> Select[Any]:
    model, number = requests.c.model, requests.c.bucket_number
    return (
        select(
            model,
            number,
            measures.requests_count().label("requests"),
            measures.failures(requests).label("failures"),
            measures.cost_usd(requests).label("cost_usd"),
            measures.billed(requests, "total_tokens").label("total_tokens"),
            measures.average(requests.c.response_ms).label("response_ms_avg"),
            measures.percentile(requests.c.response_ms, 0.95).label("response_ms_p95"),
            func.max(requests.c.response_ms).label("response_ms_max"),
        )
        .where(model.in_(models))
        .group_by(model, number)
        .order_by(model, number)
    )

"""Which models and deployments are used, what do they cost, and how fast do they respond?"""

from typing import Any

import pandas as pd
from sqlalchemy import Select, Subquery, distinct, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.types import Text

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.buckets import in_buckets
from tracelib.spendlogs.figures import chosen
from tracelib.spendlogs.measures import alphabetical
from tracelib.spendlogs.types import MONEY
from tracelib.window import Bucket, bucket_starts

OF_A_MODEL = (
    *("requests", "failures", "error_rate", "cache_hits", "cache_hit_rate", "deployments"),
    *("cost_usd", "prompt_tokens", "completion_tokens", "total_tokens", "replayed_tokens"),
    *("response_ms_avg", "response_ms_p50", "response_ms_p95", "response_ms_p99"),
    *("response_ms_max", "ttft_ms_p50", "ttft_ms_p95", "ttft_coverage", "tokens_per_second"),
)
OF_A_BUCKET = (
    *("requests", "failures", "cost_usd", "total_tokens"),
    *("response_ms_avg", "response_ms_p95", "response_ms_max"),
)
OF_A_DEPLOYMENT = (
    *("requests", "failures", "error_rate", "cost_usd"),
    *("response_ms_p50", "response_ms_p95"),
)


def usage_by_model(source: Source, filters: Filters, limit: int = 200) -> pd.DataFrame:
    """Which models are used, what do they cost, and how fast do they respond?

    A row per public model name, highest cost first, at most `limit`:

        model                text
        providers            text, comma-joined in order; None if unknown
        share, cost_share    0 to 1, of all requests and of the cost of the window
        first_seen, last_seen        aware UTC, first and last start in the window
        each of `OF_A_MODEL`, as `FIGURES` defines it; rates are of the model's requests

    A rate over nothing is NaN. No request gives the same columns without rows.
    """
    return source.frame(_usage(source.requests(filters), limit))


def _usage(requests: Subquery, limit: int) -> Select[Any]:
    one = _by_name(measures.computed_once(requests)).subquery("each")
    requests_of_all = func.sum(one.c.requests).over()
    cost_of_all = func.sum(one.c.cost_usd, type_=MONEY).over()
    shares = measures.named(
        share=measures.ratio(one.c.requests, requests_of_all),
        cost_share=measures.ratio(one.c.cost_usd, cost_of_all),
    )
    return (
        select(*one.c, *shares)
        .order_by(one.c.cost_usd.desc(), one.c.requests.desc(), alphabetical(one.c.model))
        .limit(limit)
    )


def _by_name(requests: Subquery) -> Select[Any]:
    model, provider = requests.c.model, alphabetical(requests.c.provider)
    listed = func.string_agg(
        distinct(provider), aggregate_order_by(literal(", "), provider), type_=Text()
    )
    others = measures.named(
        providers=listed,
        first_seen=func.min(requests.c.started_at),
        last_seen=func.max(requests.c.started_at),
    )
    return select(model, *others, *chosen(requests, *OF_A_MODEL)).group_by(model)


def over_time_by_model(
    source: Source, filters: Filters, bucket: Bucket, models: tuple[str, ...]
) -> pd.DataFrame:
    """How did the requests, cost and times of these models develop over the window?

    A row per named model and bucket with a request, by model, then bucket; none is filled in:

        model      text
        bucket     start of a bucket of `window.bucket_starts`, aware UTC
        each of `OF_A_BUCKET`, as `FIGURES` defines it

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
        select(model, number, *chosen(requests, *OF_A_BUCKET))
        .where(model.in_(models))
        .group_by(model, number)
        .order_by(alphabetical(model), number)
    )


def deployments(source: Source, filters: Filters, limit: int = 500) -> pd.DataFrame:
    """Which deployments serve each model, and how do they differ?

    A row per deployment of a model, by model, then most requests first, at most `limit`:

        model, deployment, provider, api_base    text; the last three None if unknown
        each of `OF_A_DEPLOYMENT`, as `FIGURES` defines it

    No request gives the same columns without rows.
    """
    return source.frame(_deployments(source.requests(filters), limit))


def _deployments(requests: Subquery, limit: int) -> Select[Any]:
    ways = [requests.c[name] for name in ("model", "deployment", "provider", "api_base")]
    model, *others = ways
    return (
        select(*ways, *chosen(requests, *OF_A_DEPLOYMENT))
        .group_by(*ways)
        .order_by(alphabetical(model), func.count().desc(), *map(alphabetical, others))
        .limit(limit)
    )

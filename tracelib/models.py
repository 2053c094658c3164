"""Which models and deployments are used, what do they cost, and how fast do they respond?"""

from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Select, Subquery, and_, case, distinct, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.types import Double, Numeric, Text

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.measures import in_buckets
from tracelib.window import Bucket, bucket_starts


def usage_by_model(source: Source, filters: Filters, limit: int = 200) -> pd.DataFrame:
    """Which models are used, what do they cost, and how fast do they respond?

    A row per public model name, highest cost first, at most `limit`:

        model                text
        providers            text, comma-joined in order; None if unknown
        deployments          int, different deployment strings behind the name
        requests, failures, cache_hits                        int
        share, cost_share    0 to 1, of all requests and of the cost of the window
        error_rate, cache_hit_rate                            0 to 1, of the model's requests
        cost_usd             US dollars
        prompt_tokens, completion_tokens, total_tokens        int, without cache hits
        replayed_tokens      int, served from LiteLLM's cache
        response_ms_avg, response_ms_p50, response_ms_p95, response_ms_p99, response_ms_max
                             over successes that were not cache hits
        ttft_ms_p50, ttft_ms_p95     to the first token, if known
        ttft_coverage        0 to 1, share of those responses for which it is known
        tokens_per_second    completion tokens of those responses by the seconds of generating
                             them: from the first token if known
        first_seen, last_seen        aware UTC, first and last start in the window

    A rate over nothing is NaN. No request gives the same columns without rows.
    """
    return source.frame(_usage(source.requests(filters), limit))


def _usage(requests: Subquery, limit: int) -> Select[Any]:
    requests = measures.computed_once(requests)
    each = select(
        requests.c.model,
        *(value.label(name) for name, value in _figures(requests).items()),
        *(value.label(name) for name, value in _times(requests).items()),
    )
    one = each.group_by(requests.c.model).subquery("each")
    requests_of_all = func.sum(one.c.requests).over()
    cost_of_all = func.sum(one.c.cost_usd, type_=Numeric()).over()
    shares = {
        "share": measures.ratio(one.c.requests, requests_of_all),
        "cost_share": measures.ratio(one.c.cost_usd, cost_of_all),
    }
    return (
        select(*one.c, *(value.label(name) for name, value in shares.items()))
        .order_by(one.c.cost_usd.desc(), one.c.requests.desc(), one.c.model)
        .limit(limit)
    )


def _figures(requests: Subquery) -> dict[str, ColumnElement[Any]]:
    count = measures.requests_count()
    provider = requests.c.provider
    listed = func.string_agg(
        distinct(provider), aggregate_order_by(literal(", "), provider), type_=Text()
    )
    return {
        "providers": listed,
        "deployments": func.count(distinct(requests.c.deployment)),
        "requests": count,
        "failures": measures.failures(requests),
        "error_rate": measures.ratio(measures.failures(requests), count),
        "cache_hits": measures.hits(requests),
        "cache_hit_rate": measures.ratio(measures.hits(requests), count),
        "cost_usd": measures.cost_usd(requests),
        "prompt_tokens": measures.billed(requests, "prompt_tokens"),
        "completion_tokens": measures.billed(requests, "completion_tokens"),
        "total_tokens": measures.billed(requests, "total_tokens"),
        "replayed_tokens": measures.replayed(requests, "total_tokens"),
        "first_seen": func.min(requests.c.started_at),
        "last_seen": func.max(requests.c.started_at),
    }


def _times(requests: Subquery) -> dict[str, ColumnElement[Any]]:
    response, first_token = requests.c.response_ms, requests.c.ttft_ms
    return {
        "response_ms_avg": measures.average(response),
        "response_ms_p50": measures.percentile(response, 0.5),
        "response_ms_p95": measures.percentile(response, 0.95),
        "response_ms_p99": measures.percentile(response, 0.99),
        "response_ms_max": func.max(response),
        "ttft_ms_p50": measures.percentile(first_token, 0.5),
        "ttft_ms_p95": measures.percentile(first_token, 0.95),
        "ttft_coverage": measures.ratio(func.count(first_token), func.count(response)),
        "tokens_per_second": _tokens_per_second(requests),
    }


def _tokens_per_second(requests: Subquery) -> ColumnElement[float]:
    """A ratio of sums, so that a long response counts for more than a short one.

    Responses without a completion (embeddings, images) have no generation speed.
    """
    generated = and_(requests.c.completion_tokens > 0, requests.c.response_ms.is_not(None))
    waited = func.coalesce(requests.c.ttft_ms, 0, type_=Double())
    seconds = func.sum((requests.c.response_ms - waited) / 1000, type_=Double())
    tokens = func.sum(requests.c.completion_tokens)
    return case(
        (
            seconds.filter(generated) > 0,
            measures.ratio(tokens.filter(generated), seconds.filter(generated)),
        )
    )


def over_time_by_model(
    source: Source, filters: Filters, bucket: Bucket, models: tuple[str, ...]
) -> pd.DataFrame:
    """How did the requests, cost and times of these models develop over the window?

    A row per named model and bucket with a request, by model, then bucket; none is filled in:

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


def deployments(source: Source, filters: Filters, limit: int = 500) -> pd.DataFrame:
    """Which deployments serve each model, and how do they differ?

    A row per deployment of a model, by model, then most requests first, at most `limit`:

        model, deployment, provider, api_base    text; the last three None if unknown
        requests, failures                       int
        error_rate                               0 to 1
        cost_usd                                 US dollars
        response_ms_p50, response_ms_p95         over successes that were not cache hits

    No request gives the same columns without rows.
    """
    return source.frame(_deployments(source.requests(filters), limit))


def _deployments(requests: Subquery, limit: int) -> Select[Any]:
    ways = [requests.c[name] for name in ("model", "deployment", "provider", "api_base")]
    count = measures.requests_count()
    return (
        select(
            *ways,
            count.label("requests"),
            measures.failures(requests).label("failures"),
            measures.ratio(measures.failures(requests), count).label("error_rate"),
            measures.cost_usd(requests).label("cost_usd"),
            measures.percentile(requests.c.response_ms, 0.5).label("response_ms_p50"),
            measures.percentile(requests.c.response_ms, 0.95).label("response_ms_p95"),
        )
        .group_by(*ways)
        .order_by(requests.c.model, func.count().desc(), *ways[1:])
        .limit(limit)
    )

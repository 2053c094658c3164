"""Every figure of every model."""

from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Select, Subquery, and_, case, distinct, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.types import Double, Numeric, Text

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures


def usage_by_model(source: Source, filters: Filters, limit: int = 200) -> pd.DataFrame:
    """Which models are used, what do they cost, and how fast do they answer?

    A row a public model name, dearest first, at most `limit`:

        model                text
        providers            text, comma-joined in order; None where unknown
        deployments          int, different deployment strings behind the name
        requests, failures, cache_hits                        int
        share, cost_share    0 to 1, of all requests and of the cost of the window
        error_rate, cache_hit_rate                            0 to 1, of the model's requests
        cost_usd             US dollars
        prompt_tokens, completion_tokens, total_tokens        int, without cache hits
        replayed_tokens      int, served from LiteLLM's cache
        response_ms_avg, response_ms_p50, response_ms_p95, response_ms_p99, response_ms_max
                             over successes that were not cache hits
        ttft_ms_p50, ttft_ms_p95     to the first token, where known
        ttft_coverage        0 to 1, of which share of those answers it is known
        tokens_per_second    completion tokens of those answers by the seconds they took to
                             generate: from the first token on where it is known
        first_seen, last_seen        aware UTC, first and last start in the window

    What is over nothing is NaN. No request gives the same columns without rows.
    """
    return source.frame(_usage(source.requests(filters), limit))


def _usage(requests: Subquery, limit: int) -> Select[Any]:
    requests = measures.worked_out_once(requests)
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
    """A ratio of sums, so that a long answer counts for more than a short one.

    Answers without a completion (embeddings, images) say nothing about generation.
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

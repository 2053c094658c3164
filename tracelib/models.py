"""Which models and deployments are used, what do they cost, and how fast do they respond?"""

from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Select, Subquery, distinct, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.types import Text

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.buckets import in_buckets
from tracelib.spendlogs.figures import chosen, grouped
from tracelib.spendlogs.measures import alphabetical
from tracelib.spendlogs.types import MONEY, are_columns
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
    one = _each(requests)
    requests_of_all = func.sum(one.c.requests).over()
    cost_of_all = func.sum(one.c.cost_usd, type_=MONEY).over()
    shares = measures.named(
        share=measures.ratio(one.c.requests, requests_of_all),
        cost_share=measures.ratio(one.c.cost_usd, cost_of_all),
    )
    order = ("model", "providers", "first_seen", "last_seen", *OF_A_MODEL)
    return (
        select(*(one.c[name] for name in order), *shares)
        .order_by(one.c.cost_usd.desc(), one.c.requests.desc(), alphabetical(one.c.model))
        .limit(limit)
    )


def _each(requests: Subquery) -> Subquery:
    """In a replica, what is different is counted apart: it is slower with other aggregates."""
    if not are_columns(requests):
        requests = measures.computed_once(requests)
        more = [*_seen(requests), _providers(requests)]
        return grouped(requests, [requests.c.model], *OF_A_MODEL, more=more).subquery("each")
    others = [name for name in OF_A_MODEL if name != "deployments"]
    figures = grouped(requests, [requests.c.model], *others, more=_seen(requests))
    each = figures.subquery("figures")
    names = [requests.c[name] for name in ("model", "provider", "deployment")]
    ways = select(*names).group_by(*names).subquery("ways")
    counted = select(ways.c.model, _providers(ways), *chosen(ways, "deployments"))
    different = counted.group_by(ways.c.model).subquery("different")
    columns = [column for column in different.c if column.name != "model"]
    joined = each.join(different, each.c.model == different.c.model)
    return select(*each.c, *columns).select_from(joined).subquery("each")


def _seen(requests: Subquery) -> list[ColumnElement[Any]]:
    start = requests.c.started_at
    return measures.named(first_seen=func.min(start), last_seen=func.max(start))


def _providers(requests: Subquery) -> ColumnElement[str]:
    provider = alphabetical(requests.c.provider)
    ordered = aggregate_order_by(literal(", "), provider)
    return func.string_agg(distinct(provider), ordered, type_=Text()).label("providers")


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
    named = select(*requests.c).where(requests.c.model.in_(models)).subquery("named")
    by = [named.c.model, named.c.bucket_number]
    found = grouped(named, by, *OF_A_BUCKET).subquery("found")
    return select(*found.c).order_by(alphabetical(found.c.model), found.c.bucket_number)


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
    found = grouped(requests, ways, *OF_A_DEPLOYMENT).subquery("found")
    model, *others = (alphabetical(found.c[one.name]) for one in ways)
    order = (model, found.c.requests.desc(), *others)
    return select(*found.c).order_by(*order).limit(limit)

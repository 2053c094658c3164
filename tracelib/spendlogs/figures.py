"""The figures of a set of requests, each declared once: title, definition, unit, computation.

Queries, tiles, tables, files, time series of the API and docs/figures.md are made of these.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, distinct, func, null, select, union_all
from sqlalchemy.types import Double

from tracelib.formatting import Kind
from tracelib.spendlogs import measures, percentiles
from tracelib.spendlogs.measures import Relation
from tracelib.spendlogs.percentiles import Percentile


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a set of requests.

    `title`, `definition` and `kind`, the unit, are shown to users; `exported` is its name in files,
    with the unit in it; `metric` its name as a time series, None if it has none. A sum is 0 for no
    requests; any other figure is unknown.
    """

    title: str
    definition: str
    kind: Kind
    exported: str
    compute: Callable[[Relation], ColumnElement[Any]]
    metric: str | None = None
    is_sum: bool = False


def chosen(requests: Relation, *names: str) -> list[ColumnElement[Any]]:
    """These of `FIGURES` as columns of a statement, each under its name, in their order."""
    return [FIGURES[name].compute(requests).label(name) for name in names]


def grouped(
    requests: Relation,
    by: Sequence[ColumnElement[Any]],
    *names: str,
    more: Sequence[ColumnElement[Any]] = (),
) -> Select[Any]:
    """These of `FIGURES` for each group of requests, or for all of them if `by` is empty.

    The columns of `by`, then other aggregates, then the figures.
    """
    if not percentiles.are_counted(requests, by):
        return select(*by, *more, *chosen(requests, *names)).select_from(requests).group_by(*by)
    by_column = percentiles.of_columns({name: FIGURES[name].compute for name in names})
    counted = {name for wanted in by_column.values() for name in wanted}
    others = chosen(requests, *(name for name in names if name not in counted))
    sums = select(*by, *more, *others).select_from(requests).group_by(*by)
    found = [percentiles.counted(requests, by, wanted, one) for one, wanted in by_column.items()]
    shown = [*(one.name for one in more), *names]
    return _as_one(sums, found, [one.name for one in by], shown)


def _as_one(
    sums: Select[Any], found: Sequence[Select[Any]], by: Sequence[str], names: Sequence[str]
) -> Select[Any]:
    """A row for each group, of statements that each have some of its figures.

    Not by a join: a group may be of requests without a value, and NULL is not equal to NULL.
    """
    arms = [one.subquery() for one in (sums, *found)]
    known = {name: arm.c[name] for arm in arms for name in names if name in arm.c}
    unknown = {name: null() if name in arms[0].c else null().cast(Double) for name in names}
    parts = [
        select(
            *(arm.c[name] for name in by),
            *((arm.c[name] if name in arm.c else unknown[name]).label(name) for name in names),
        )
        for arm in arms
    ]
    whole = union_all(*parts).subquery("parts")
    figures = (func.max(whole.c[name], type_=known[name].type).label(name) for name in names)
    keys = [whole.c[name] for name in by]
    return select(*keys, *figures).group_by(*keys)


BILLED = "Excludes tokens served from LiteLLM’s cache."
RESPONSE_TIME = "Over successes that were not cache hits, from request to last token."
FIRST_TOKEN = "From request to first token, over responses for which it is known: streamed ones."
FIGURES: Mapping[str, Figure] = {
    "requests": Figure(
        "Requests",
        "Rows of LiteLLM’s log that started in this time range; failures count.",
        Kind.COUNT,
        "requests",
        measures.requests_count,
        metric="requests",
        is_sum=True,
    ),
    "failures": Figure(
        "Failures",
        "Requests that LiteLLM recorded as failed.",
        Kind.COUNT,
        "failures",
        measures.failures,
        metric="failures",
        is_sum=True,
    ),
    "cache_hits": Figure(
        "Cache hits",
        "Requests served from LiteLLM’s cache.",
        Kind.COUNT,
        "cache_hits",
        measures.cache_hits,
        metric="cache_hits",
        is_sum=True,
    ),
    "cost_usd": Figure(
        "Cost",
        "Sum of the spend that LiteLLM recorded, US dollars; failures can cost, too.",
        Kind.MONEY,
        "cost_usd",
        measures.cost_usd,
        metric="cost_usd",
        is_sum=True,
    ),
    "prompt_tokens": Figure(
        "Prompt tokens",
        BILLED,
        Kind.COUNT,
        "prompt_tokens",
        lambda requests: measures.billed(requests, "prompt_tokens"),
        metric="prompt_tokens",
        is_sum=True,
    ),
    "completion_tokens": Figure(
        "Completion tokens",
        BILLED,
        Kind.COUNT,
        "completion_tokens",
        lambda requests: measures.billed(requests, "completion_tokens"),
        metric="completion_tokens",
        is_sum=True,
    ),
    "total_tokens": Figure(
        "Tokens",
        f"Prompt and completion. {BILLED}",
        Kind.COUNT,
        "total_tokens",
        measures.total_tokens,
        metric="total_tokens",
        is_sum=True,
    ),
    "replayed_tokens": Figure(
        "Served from cache",
        "Tokens of the requests served from LiteLLM’s cache.",
        Kind.COUNT,
        "served_from_cache_tokens",
        measures.replayed_tokens,
        metric="replayed_tokens",
        is_sum=True,
    ),
    "answered": Figure(
        "Responses",
        "Successes that were not cache hits and whose response time is known.",
        Kind.COUNT,
        "responses",
        lambda requests: func.count(requests.c.response_ms),
        is_sum=True,
    ),
    "response_ms_avg": Figure(
        "Average response time",
        RESPONSE_TIME,
        Kind.DURATION,
        "response_time_avg_ms",
        lambda requests: measures.average(requests.c.response_ms),
        metric="latency_ms_avg",
    ),
    "response_ms_p50": Figure(
        "Response time p50",
        f"{RESPONSE_TIME} Half were faster.",
        Kind.DURATION,
        "response_time_p50_ms",
        Percentile("response_ms", 0.5),
        metric="latency_ms_p50",
    ),
    "response_ms_p95": Figure(
        "Response time p95",
        f"{RESPONSE_TIME} 95 of 100 were faster.",
        Kind.DURATION,
        "response_time_p95_ms",
        Percentile("response_ms", 0.95),
        metric="latency_ms_p95",
    ),
    "response_ms_p99": Figure(
        "Response time p99",
        f"{RESPONSE_TIME} 99 of 100 were faster.",
        Kind.DURATION,
        "response_time_p99_ms",
        Percentile("response_ms", 0.99),
    ),
    "response_ms_max": Figure(
        "Longest response time",
        RESPONSE_TIME,
        Kind.DURATION,
        "response_time_max_ms",
        lambda requests: func.max(requests.c.response_ms),
    ),
    "ttft_known": Figure(
        "Responses with a first token",
        "Responses for which the time to the first token is known.",
        Kind.COUNT,
        "first_tokens_known",
        lambda requests: func.count(requests.c.ttft_ms),
        is_sum=True,
    ),
    "ttft_ms_p50": Figure(
        "First token p50",
        f"{FIRST_TOKEN} Half were faster.",
        Kind.DURATION,
        "time_to_first_token_p50_ms",
        Percentile("ttft_ms", 0.5),
    ),
    "ttft_ms_p95": Figure(
        "First token p95",
        f"{FIRST_TOKEN} 95 of 100 were faster.",
        Kind.DURATION,
        "time_to_first_token_p95_ms",
        Percentile("ttft_ms", 0.95),
    ),
    "ttft_coverage": Figure(
        "First token known",
        "Share of responses for which the time to the first token is known.",
        Kind.SHARE,
        "time_to_first_token_known_percent",
        lambda requests: measures.ratio(
            func.count(requests.c.ttft_ms), func.count(requests.c.response_ms)
        ),
    ),
    "tokens_per_second": Figure(
        "Tokens per second",
        "Completion tokens per second, from the first token if known, else over the whole response "
        "time.",
        Kind.RATE,
        "tokens_per_second",
        measures.tokens_per_second,
    ),
    "error_rate": Figure(
        "Error rate",
        "Failed requests ÷ all requests.",
        Kind.SHARE,
        "error_rate_percent",
        measures.error_rate,
        metric="error_rate",
    ),
    "cache_hit_rate": Figure(
        "Cache hit rate",
        "Requests served from LiteLLM’s cache ÷ all requests.",
        Kind.SHARE,
        "cache_hit_rate_percent",
        lambda requests: measures.ratio(
            measures.cache_hits(requests), measures.requests_count(requests)
        ),
        metric="cache_hit_rate",
    ),
    "deployments": Figure(
        "Deployments",
        "Different deployments that served the requests.",
        Kind.COUNT,
        "deployments",
        lambda requests: func.count(distinct(requests.c.deployment)),
        is_sum=True,
    ),
}
METRICS: Mapping[str, str] = {
    figure.metric: name for name, figure in FIGURES.items() if figure.metric is not None
}

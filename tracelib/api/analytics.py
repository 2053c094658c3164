"""The figures of Overview, Models and Status."""

from typing import Any

import pandas as pd

from tracelib import models, overview, status
from tracelib.api import params, responses
from tracelib.api.caller import Caller
from tracelib.api.values import records, window
from tracelib.filters import Filters
from tracelib.overview import SessionCounts, Totals
from tracelib.spendlogs.figures import METRICS


def totals(caller: Caller, given: params.Chosen) -> responses.Overview:
    """How much traffic, what did it cost, how fast, how many errors; and in the window before?"""
    filters = given.filters(caller.now)
    earlier = filters.previous()
    now, before, sessions, sessions_before = caller.query_together(
        (overview.totals, filters),
        (overview.totals, earlier),
        (overview.sessions, filters),
        (overview.sessions, earlier),
    )
    previous = responses.Figures(**_figures(earlier, before, sessions_before))
    return responses.Overview(**_figures(filters, now, sessions), previous=previous)


def usage(caller: Caller, given: params.Chosen) -> responses.Models:
    """Which models are used, what do they cost, and how fast do they respond?"""
    filters = given.filters(caller.now)
    found = caller.query(models.usage_by_model, filters)
    used = [_usage(row) for row in records(found)]
    return responses.Models(window=window(filters.window), models=used)


def over_time(caller: Caller, given: params.OverTime) -> responses.Timeseries:
    """How did a figure change over time?"""
    filters = given.filters(caller.now)
    bucket = given.chosen_bucket(filters.window)
    found = caller.query(overview.over_time, filters, bucket)
    column = METRICS.get(given.metric, given.metric)
    rows = records(found[["bucket", column]])
    points = [responses.Point(start=row["bucket"], value=row[column]) for row in rows]
    return responses.Timeseries(
        window=window(filters.window), metric=given.metric, bucket=bucket.name, points=points
    )


def failures(caller: Caller, given: params.Failed) -> responses.Failures:
    """Which failures are most frequent, and which are newest?"""
    filters = given.filters(caller.now)
    totals_now, groups, newest = caller.query_together(
        (overview.totals, filters),
        (status.failure_groups, filters),
        (status.newest_failures, filters),
    )
    return responses.Failures(
        window=window(filters.window),
        requests=totals_now.requests,
        failures=totals_now.failures,
        classes=_groups(groups, "class"),
        codes=_groups(groups, "code"),
        providers=_groups(groups, "provider"),
        models=_groups(groups, "model"),
        newest=[_failed(row) for row in records(newest.head(given.limit))],
    )


def _figures(filters: Filters, one: Totals, sessions: SessionCounts) -> dict[str, Any]:
    return {
        "window": window(filters.window),
        "requests": one.requests,
        "unique_sessions": sessions.unique,
        "multi_request_sessions": sessions.with_many_requests,
        "cost_usd": one.cost_usd,
        "prompt_tokens": one.prompt_tokens,
        "completion_tokens": one.completion_tokens,
        "total_tokens": one.total_tokens,
        "latency_ms": responses.Latency(
            avg=one.response_ms_avg,
            p50=one.response_ms_p50,
            p95=one.response_ms_p95,
            p99=one.response_ms_p99,
            max=one.response_ms_max,
        ),
        "ttft_ms": responses.FirstToken(
            p50=one.ttft_ms_p50, p95=one.ttft_ms_p95, coverage=one.ttft_coverage
        ),
        "cache_hit_rate": one.cache_hit_rate,
        "error_rate": one.error_rate,
    }


def _usage(row: dict[str, Any]) -> responses.ModelUsage:
    latency = ("avg", "p50", "p95", "p99", "max")
    same = ("model", "requests", "share", "cost_usd", "prompt_tokens", "completion_tokens")
    return responses.ModelUsage(
        **{name: row[name] for name in (*same, "total_tokens", "cache_hit_rate", "error_rate")},
        provider=row["providers"],
        latency_ms=responses.Latency(**{name: row[f"response_ms_{name}"] for name in latency}),
        ttft_ms=responses.FirstToken(
            p50=row["ttft_ms_p50"], p95=row["ttft_ms_p95"], coverage=row["ttft_coverage"]
        ),
    )


def _groups(groups: pd.DataFrame, by: str) -> list[responses.FailureGroup]:
    chosen = groups[groups["by"] == by].drop(columns="by")
    return [responses.FailureGroup(**row) for row in records(chosen)]


def _failed(row: dict[str, Any]) -> responses.FailedRequest:
    fields = responses.FailedRequest.model_fields
    named = {name: value for name, value in row.items() if name in fields}
    return responses.FailedRequest(**named, api_key_alias=row["key_name"])

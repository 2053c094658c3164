"""The figures of Overview, Models and Status."""

from dataclasses import asdict
from typing import Any

import pandas as pd
from pydantic import BaseModel

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
    question = overview.new_sessions if given.metric == params.NEW_SESSIONS else overview.over_time
    found = caller.query(question, filters, bucket)
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
    return _of(asdict(one), responses.Figures) | {
        "window": window(filters.window),
        "unique_sessions": sessions.unique,
        "multi_request_sessions": sessions.with_many_requests,
    }


def _usage(row: dict[str, Any]) -> responses.ModelUsage:
    return responses.ModelUsage(**_of(row, responses.ModelUsage), provider=row["providers"])


def _of(figures: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """These figures, by the names of `FIGURES`, as fields of this response."""
    latency, first_token = responses.Latency, responses.FirstToken
    return {name: figures[name] for name in model.model_fields if name in figures} | {
        "latency_ms": latency(**{of: figures[f"response_ms_{of}"] for of in latency.model_fields}),
        "ttft_ms": first_token(
            p50=figures["ttft_ms_p50"],
            p95=figures["ttft_ms_p95"],
            coverage=figures["ttft_coverage"],
        ),
    }


def _groups(groups: pd.DataFrame, by: str) -> list[responses.FailureGroup]:
    chosen = groups[groups["by"] == by].drop(columns="by")
    return [responses.FailureGroup(**row) for row in records(chosen)]


def _failed(row: dict[str, Any]) -> responses.FailedRequest:
    fields = responses.FailedRequest.model_fields
    named = {name: value for name, value in row.items() if name in fields}
    return responses.FailedRequest(**named, api_key_alias=row["key_name"])

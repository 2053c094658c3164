"""Charts over time of everything at once: requests, cost, tokens, response time, errors, cache."""

import pandas as pd
import plotly.graph_objects as go

from tracelib.charts import palette
from tracelib.charts.base import FIRST_HEIGHT, TimeAxis, bars, line, over_time

COUNT = "%{y:,.0f}<extra>%{fullData.name}</extra>"
MONEY = "$%{y:,.4~f}<extra>%{fullData.name}</extra>"
SECONDS = "%{y:.3~s}s<extra>%{fullData.name}</extra>"
SHARE = "%{y:.1%}<extra>%{fullData.name}</extra>"


def requests(traffic: pd.DataFrame, axis: TimeAxis) -> go.Figure:
    """How many requests succeeded and failed in each bucket? Stacked, failures on top."""
    succeeded = traffic.assign(succeeded=traffic["requests"] - traffic["failures"])
    chart = over_time(
        axis,
        [
            bars(axis, succeeded, "succeeded", "Succeeded", palette.REQUESTS, COUNT),
            bars(axis, traffic, "failures", "Failed", palette.FAILURE, COUNT),
        ],
        height=FIRST_HEIGHT,
        barmode="stack",
    )
    if traffic["requests"].max() <= 5:
        # There is no half a request.
        chart.update_yaxes(dtick=1)
    return chart


def cost(traffic: pd.DataFrame, axis: TimeAxis) -> go.Figure:
    """What did each bucket cost, in US dollars?"""
    chart = over_time(axis, [bars(axis, traffic, "cost_usd", "Cost", palette.COST, MONEY)])
    chart.update_yaxes(tickprefix="$")
    return chart


def tokens(traffic: pd.DataFrame, axis: TimeAxis) -> go.Figure:
    """How many tokens went in and came out, and how many did the cache serve? Stacked."""
    series = (
        ("prompt_tokens", "Prompt", palette.TOKENS_IN),
        ("completion_tokens", "Completion", palette.TOKENS_OUT),
        ("replayed_tokens", "Served from cache", palette.FROM_CACHE),
    )
    traces = [bars(axis, traffic, column, name, colour, COUNT) for column, name, colour in series]
    return over_time(axis, traces, barmode="stack")


def response_time(traffic: pd.DataFrame, axis: TimeAxis) -> go.Figure:
    """How long did answers take, half of them and all but one in twenty? Seconds."""
    seconds = pd.DataFrame(
        {
            "bucket": traffic["bucket"],
            "p50": traffic["response_ms_p50"] / 1_000,
            "p95": traffic["response_ms_p95"] / 1_000,
        }
    )
    chart = over_time(
        axis,
        [
            line(axis, seconds, "p95", "p95", palette.SLOW, SECONDS),
            line(axis, seconds, "p50", "p50", palette.TYPICAL, SECONDS),
        ],
    )
    chart.update_yaxes(ticksuffix=" s")
    return chart


def error_rate(traffic: pd.DataFrame, axis: TimeAxis) -> go.Figure:
    """Which share of the requests failed? Broken where there were none."""
    return _share(traffic, axis, "error_rate", "Error rate", palette.FAILURE)


def cache_hit_rate(traffic: pd.DataFrame, axis: TimeAxis) -> go.Figure:
    """Which share of the requests did LiteLLM's cache answer? Broken where there were none."""
    return _share(traffic, axis, "cache_hit_rate", "Cache hit rate", palette.FROM_CACHE)


def _share(traffic: pd.DataFrame, axis: TimeAxis, column: str, name: str, colour: str) -> go.Figure:
    chart = over_time(axis, [line(axis, traffic, column, name, colour, SHARE)])
    if traffic[column].notna().all():
        # Over a gap the area would be drawn where nothing is known.
        chart.update_traces(fill="tozeroy", fillcolor=palette.tint(colour, 0.12))
    top = traffic[column].max()
    chart.update_yaxes(
        tickformat=".0%", range=[0, max(0.05, float(top) * 1.1 if top == top else 0.05)]
    )
    return chart

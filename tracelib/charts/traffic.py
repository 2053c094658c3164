"""Charts over time of all traffic: requests, cost, tokens, response time, errors, cache."""

import pandas as pd
import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import palette
from tracelib.charts.base import (
    FEWEST,
    FIRST_HEIGHT,
    MOST_TICKS,
    TimeAxis,
    bars,
    count_whole,
    line,
    lower_panel,
    over_time,
)

COUNT = "%{y:,.0f}<extra>%{fullData.name}</extra>"
WRITTEN = "%{customdata}<extra>%{fullData.name}</extra>"
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
        most_ticks=MOST_TICKS,
        barmode="stack",
    )
    count_whole(chart, traffic["requests"].max())
    return chart


def cost(traffic: pd.DataFrame, axis: TimeAxis) -> go.Figure:
    """What did each bucket cost, in US dollars?"""
    spent = bars(axis, traffic, "cost_usd", "Cost", palette.COST, WRITTEN)
    spent.update(customdata=[formatting.money(cost) for cost in traffic["cost_usd"]])
    chart = over_time(axis, [spent])
    # Plotly would write $0.00002 as $20μ.
    chart.update_yaxes(tickprefix="$", exponentformat="none")
    return chart


def tokens(traffic: pd.DataFrame, axis: TimeAxis) -> go.Figure:
    """How many prompt and completion tokens were there, and how many did the cache serve?

    Completions are a tenth or a hundredth of prompts, so they have a panel and a scale of their
    own.
    """
    series = (
        ("prompt_tokens", "Prompt", palette.TOKENS_IN),
        ("replayed_tokens", "Served from cache", palette.FROM_CACHE),
        ("completion_tokens", "Completion", palette.TOKENS_OUT),
    )
    traces = [bars(axis, traffic, column, name, colour, COUNT) for column, name, colour in series]
    traces[-1].update(yaxis="y2")
    chart = over_time(axis, traces, barmode="stack")
    count_whole(chart, (traffic["prompt_tokens"] + traffic["replayed_tokens"]).max())
    lower_panel(chart, "Completion (separate scale)", traffic["completion_tokens"].max())
    return chart


def response_time(traffic: pd.DataFrame, axis: TimeAxis) -> go.Figure:
    """How long did responses take: the median and the 95th percentile? Seconds."""
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
    """Which share of the requests failed? A gap without requests, hollow for few."""
    return _share(traffic, axis, "error_rate", "Error rate", palette.FAILURE)


def cache_hit_rate(traffic: pd.DataFrame, axis: TimeAxis) -> go.Figure:
    """Which share were cache hits? A gap without requests, hollow for few."""
    return _share(traffic, axis, "cache_hit_rate", "Cache hit rate", palette.FROM_CACHE)


def _share(traffic: pd.DataFrame, axis: TimeAxis, column: str, name: str, colour: str) -> go.Figure:
    rates = traffic[column].astype("float64")
    is_few = (traffic["requests"] < FEWEST) & rates.notna()
    setting = rates.mask(is_few) if not is_few[rates.notna()].all() else rates
    top = min(1.0, max(0.05, 1.1 * float(setting.max()) if setting.notna().any() else 0.0))
    solid = traffic.assign(**{column: rates.mask(is_few)})
    traces = [line(axis, solid, column, name, colour, SHARE)]
    if is_few.any():
        traces.append(_hollow(traffic[is_few], axis, rates[is_few], top, colour))
    chart = over_time(axis, traces)
    if solid[column].notna().all():
        # Across a gap the area would cover unknown values.
        area = {"fill": "tozeroy", "fillcolor": palette.tint(colour, 0.12)}
        chart.update_traces(area, selector=0)
    # Room for marks at the edge. The marks of changes have an axis of their own.
    chart.update_layout(yaxis={"tickformat": ".0%", "range": [0, top * 1.04]})
    return chart


def _hollow(
    few: pd.DataFrame, axis: TimeAxis, rates: "pd.Series[float]", top: float, colour: str
) -> go.Scatter:
    """Rates over few requests; those beyond the scale point there from its edge."""
    return go.Scatter(
        x=axis.local(few["bucket"]),
        y=rates.clip(upper=top),
        name=f"Of fewer than {FEWEST} requests",
        mode="markers",
        marker={
            "symbol": ["triangle-up-open" if rate > top else "circle-open" for rate in rates],
            "size": 7,
            "color": colour,
        },
        hovertext=[
            f"{formatting.share(rate)} of {formatting.exact(of)}"
            for rate, of in zip(rates, few["requests"], strict=True)
        ],
        hovertemplate="%{hovertext}<extra>%{fullData.name}</extra>",
    )

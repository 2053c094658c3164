"""The context of each request of a session, its limit, and the cost so far."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import palette
from tracelib.charts.base import figure
from tracelib.charts.palette import tint

HEIGHT = 280
# More bars than pixels: beyond this the stack is drawn as areas.
MOST_BARS = 200
# More points than pixels: beyond this one represents its neighbours.
MOST_POINTS = 1_000
# A limit far above all prompts would press them flat.
LIMIT_SHOWN_FROM = 0.3
# Entries of one width are in columns, two of them on a phone.
LEGEND = {"entrywidth": 94, "font": {"size": 11}}
PARTS = (
    ("cached_tokens", "Provider’s cache", 0.22),
    ("resent_tokens", "Resent", 0.5),
    ("new_tokens", "New", 1.0),
)


def context(turns: pd.DataFrame, near_limit: float) -> go.Figure:
    """Which part of each prompt was new, sent again, or cached?

    Stacked tokens, one position per request.

    The models' limit is drawn if a prompt came near enough for both to be legible; prompts at
    `near_limit` of it or beyond have a mark. A click gives the request's row. In a long session the
    fullest of every few requests is drawn.
    """
    requests, turns = len(turns), _distinct_positions(turns)
    draw = _bar if len(turns) <= MOST_BARS else _area
    traces = [draw(turns, column, name, opacity) for column, name, opacity in PARTS]
    if turns["context_share"].max() >= LIMIT_SHOWN_FROM:
        traces.append(_limit(turns))
    near = turns[turns["context_share"] >= near_limit]
    if len(near):
        traces.append(_near(near))
    layout = {"barmode": "stack", "bargap": 0.18, "hovermode": "x unified"}
    chart = figure(traces, HEIGHT, clickmode="event+select", **layout)
    chart.update_yaxes(rangemode="tozero", tickformat="~s")
    return _by_request(chart, requests)


def cost_so_far(turns: pd.DataFrame) -> go.Figure:
    """What had the session cost after each request, US dollars? The last is always drawn."""
    requests, turns = len(turns), _distinct_positions(turns)
    line = go.Scatter(
        x=turns["number"],
        y=turns["cost_so_far_usd"],
        name="Cost so far",
        mode="lines+markers" if len(turns) <= 60 else "lines",
        line={"color": palette.COST, "width": 1.8, "shape": "hv"},
        marker={"size": 4},
        fill="tozeroy",
        fillcolor=tint(palette.COST, 0.12),
        customdata=turns["row"].to_numpy(object),
        hovertext=[
            f"{formatting.money(so_far)}, this request {formatting.money(own)}"
            for so_far, own in zip(turns["cost_so_far_usd"], turns["cost_usd"], strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        unselected={"marker": {"opacity": 1}},
        showlegend=False,
    )
    chart = figure([line], HEIGHT, hovermode="x unified", clickmode="event+select")
    top = turns["cost_so_far_usd"].max()
    chart.update_yaxes(rangemode="tozero", tickprefix="$", tickformat=_decimals(top))
    return _by_request(chart, requests)


def _distinct_positions(turns: pd.DataFrame) -> pd.DataFrame:
    """The requests whose positions on the axis can be distinguished, including the last."""
    if len(turns) <= MOST_POINTS:
        return turns
    sent = _sent(turns).reset_index(drop=True)
    neighbours = np.arange(len(turns)) * MOST_POINTS // len(turns)
    fullest = sent.groupby(neighbours).idxmax()
    return turns.iloc[sorted({*fullest, len(turns) - 1})]


def _sent(turns: pd.DataFrame) -> "pd.Series[int]":
    return turns[[column for column, _, _ in PARTS]].sum(axis=1)


def _decimals(top_usd: float) -> str | None:
    """The common number of decimals of about six tick labels up to this amount.

    None to choose per label.
    """
    if top_usd >= 5:
        return ",.0f"
    return ".2f" if top_usd >= 0.05 else None


def _bar(turns: pd.DataFrame, column: str, name: str, opacity: float) -> go.Bar:
    return go.Bar(
        x=turns["number"],
        y=turns[column],
        name=name,
        marker={"color": tint(palette.TOKENS_IN, opacity), "line": {"width": 0}},
        unselected={"marker": {"opacity": 1}},
        customdata=turns["row"].to_numpy(object),
        hovertemplate="%{y:,.0f}<extra>%{fullData.name}</extra>",
    )


def _area(turns: pd.DataFrame, column: str, name: str, opacity: float) -> go.Scatter:
    return go.Scatter(
        x=turns["number"],
        y=turns[column],
        name=name,
        mode="lines",
        line={"width": 0, "shape": "hv", "color": palette.TOKENS_IN},
        stackgroup="prompt",
        fillcolor=tint(palette.TOKENS_IN, opacity),
        customdata=turns["row"].to_numpy(object),
        hovertemplate="%{y:,.0f}<extra>%{fullData.name}</extra>",
    )


def _limit(turns: pd.DataFrame) -> go.Scatter:
    limit = turns["max_input_tokens"].astype("float64")
    # Points along a level line would break up its dashes.
    turning = (limit != limit.shift()) | (limit != limit.shift(-1))
    return go.Scatter(
        x=turns.loc[turning, "number"],
        y=limit[turning],
        name="Model’s limit",
        mode="lines",
        line={"color": palette.OTHERS, "width": 1.4, "dash": "dash", "shape": "hvh"},
        hovertemplate="%{y:,.0f}<extra>%{fullData.name}</extra>",
    )


def _near(near: pd.DataFrame) -> go.Scatter:
    return go.Scatter(
        x=near["number"],
        y=_sent(near),
        name="Near the limit",
        mode="markers",
        marker={"color": palette.SLOW, "symbol": "triangle-down", "size": 9},
        unselected={"marker": {"opacity": 1}},
        customdata=near["row"].to_numpy(object),
        hovertext=[formatting.share(share) for share in near["context_share"]],
        hovertemplate="%{hovertext}<extra>Of the limit</extra>",
    )


def _by_request(chart: go.Figure, requests: int) -> go.Figure:
    places: dict[str, Any] = {"dtick": 1} if requests <= 12 else {"nticks": 8}
    chart.update_xaxes(
        range=[0.4, max(requests, 3) + 0.6],
        tickformat=",d",
        hoverformat=",d",
        title={"text": "Request", "font": {"size": 12}, "standoff": 6},
        showgrid=False,
        **places,
    )
    chart.update_layout(margin={"l": 40, "r": 6, "b": 48}, legend=LEGEND)
    return chart

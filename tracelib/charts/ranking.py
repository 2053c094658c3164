"""Ranked bars, the doughnut and the heat map: who, which and when."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import palette
from tracelib.charts.base import figure
from tracelib.charts.labels import plain, within
from tracelib.filters import NONE

BAR_PX = 26
SLICES = 6
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def ranked(
    names: Sequence[object],
    values: Sequence[float],
    written: Callable[[float | None], str],
    colours: Sequence[str] | str,
    ids: Sequence[object] | None = None,
) -> go.Figure:
    """Bars from the largest value down, each with its name before and its figure behind it.

    `ids` tell a click what was clicked; names where none are given.
    """
    numbers = [float(value) if pd.notna(value) else None for value in values]
    places = [str(position) for position in range(len(names))]
    bar = go.Bar(
        x=numbers,
        y=places,
        orientation="h",
        marker={"color": colours if isinstance(colours, str) else list(colours)},
        text=[written(number) for number in numbers],
        textposition="outside",
        cliponaxis=False,
        hovertext=[plain(name, 120) for name in names],
        customdata=[one if isinstance(one, str) else NONE for one in ids or names],
        hovertemplate="%{hovertext}: %{text}<extra></extra>",
    )
    chart = figure([bar], 44 + BAR_PX * max(len(names), 3), showlegend=False, bargap=0.3)
    top = max((number for number in numbers if number), default=1.0)
    chart.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8}, clickmode="event+select")
    chart.update_xaxes(visible=False, range=[0, top * 1.28])
    chart.update_yaxes(
        range=[max(len(names), 3) - 0.5, -0.5],
        tickvals=places,
        ticktext=[within(name, 26) for name in names],
        automargin=True,
        showgrid=False,
        nticks=None,
        type="category",
    )
    return chart


def shares(usage: pd.DataFrame, value: str, colours: Mapping[str, str]) -> go.Figure:
    """Which share has each model? At most six slices and "others", the total in the middle."""
    top = usage.nlargest(SLICES, value) if len(usage) > SLICES + 1 else usage
    rest = float(usage[value].sum() - top[value].sum())
    drawn = [colours.get(str(name), palette.OTHERS) for name in top["model"]]
    names, values = [*top["model"]], [*top[value].astype("float64")]
    if len(top) < len(usage):
        names, values, drawn = [*names, "others"], [*values, rest], [*drawn, palette.REST]
    ring = go.Pie(
        # Plotly adds slices of one label together, so a long name stays whole.
        labels=[plain(name, 300) for name in names],
        values=values,
        hole=0.62,
        sort=False,
        direction="clockwise",
        marker={
            "line": {"width": 1.5, "color": "rgba(255,255,255,0.7)"},
            "colors": drawn,
        },
        textinfo="percent",
        textposition="outside",
        automargin=True,
        texttemplate="%{percent:.1%}",
        hovertemplate="%{label}: %{value:,.0f} (%{percent:.1%})<extra></extra>",
    )
    chart = figure([ring], 360)
    chart.update_layout(
        margin={"l": 24, "r": 24, "t": 24, "b": 24},
        # Below, so that the ring is as wide on a telephone.
        legend={"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.06, "yanchor": "top"},
        annotations=[
            {"text": formatting.count(sum(values)), "showarrow": False, "font": {"size": 20}}
        ],
    )
    return chart


def busy_hours(hours: pd.DataFrame) -> go.Figure:
    """When do people ask? A row a weekday, a column an hour of the viewer's clock."""
    grid = hours.pivot_table(index="weekday", columns="hour", values="requests", aggfunc="sum")
    grid = grid.reindex(index=range(7), columns=range(24)).fillna(0).astype("float64")
    heat = go.Heatmap(
        z=grid.to_numpy(),
        x=[f"{hour:02d}" for hour in range(24)],
        y=list(WEEKDAYS),
        xgap=2,
        ygap=2,
        colorscale=[[0, "rgba(76,110,245,0.06)"], [1, palette.REQUESTS]],
        colorbar={"thickness": 8, "outlinewidth": 0, "nticks": 4},
        hovertemplate="%{y} %{x}:00: %{z:,.0f} requests<extra></extra>",
    )
    chart = figure([heat], 280)
    chart.update_layout(margin={"l": 40, "r": 12, "t": 12, "b": 28})
    chart.update_yaxes(autorange="reversed", showgrid=False, nticks=None)
    chart.update_xaxes(showgrid=False, dtick=3)
    return chart


def money_by_owner(
    owners: pd.DataFrame, dimension: str, known: Mapping[str, str] | None = None
) -> go.Figure:
    """What did each user, team or key cost? Dearest first, US dollars.

    `known` names tell apart ids that share a name.
    """
    mine = owners[owners["dimension"] == dimension]
    pairs = zip(mine["id"], mine["name"], strict=True)
    names = [(known or {}).get(one, name) for one, name in pairs]
    return ranked(names, list(mine["cost_usd"]), formatting.money, palette.COST, list(mine["id"]))


def money_by_tag(tags: pd.DataFrame) -> go.Figure:
    """What did the requests with each tag cost? Dearest first, US dollars."""
    return ranked(list(tags["tag"]), list(tags["cost_usd"]), formatting.money, palette.COST)


def by_model(
    usage: pd.DataFrame,
    value: str,
    written: Callable[[float | None], str],
    colours: Mapping[str, str],
) -> go.Figure:
    """One figure of each model, the largest first, in the model's own colour."""
    known: Any = usage[usage[value].notna()].sort_values([value, "model"], ascending=[False, True])
    bars_shown = known.head(12)
    return ranked(
        list(bars_shown["model"]),
        list(bars_shown[value]),
        written,
        [colours.get(model, palette.OTHERS) for model in bars_shown["model"]],
    )

"""Ranked bars, the doughnut and the heat map: who, which and when."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import palette
from tracelib.charts.base import COUNT_TICKS, FEWEST, figure
from tracelib.charts.palette import plain, within
from tracelib.filters import NONE

BAR_PX = 26
SLICES = 6
LEGIBLE = 22  # characters of a name in a legend
# Figures that mean little if a model had few requests.
RATES = ("error_rate", "cache_hit_rate")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def ranked(
    names: Sequence[object],
    values: Sequence[float],
    written: Callable[[float | None], str],
    colours: Sequence[str] | str,
    ids: Sequence[object] | None = None,
    few: Mapping[int, int] | None = None,
) -> go.Figure:
    """Bars from the largest value down, each with its name before and its figure after it.

    `ids` identify the bars in a click; the names if none are given. `few` maps the positions of
    figures over few requests to the number of requests: these bars are hollow and set no scale.
    """
    few = few or {}
    numbers = [float(value) if pd.notna(value) else None for value in values]
    places = [str(position) for position in range(len(names))]
    setting = [number for place, number in enumerate(numbers) if place not in few] or numbers
    top = max((number for number in setting if number), default=1.0)
    bar = go.Bar(
        x=[number if number is None else min(number, top) for number in numbers],
        y=places,
        orientation="h",
        marker=_filled([colours] * len(names) if isinstance(colours, str) else colours, few),
        text=[
            written(number) + (f" of {few[place]}" if place in few else "")
            for place, number in enumerate(numbers)
        ],
        textposition="outside",
        cliponaxis=False,
        hovertext=[plain(name, 120) for name in names],
        customdata=[one if isinstance(one, str) else NONE for one in ids or names],
        hovertemplate="%{hovertext}: %{text}<extra></extra>",
    )
    return _laid_out(bar, [within(name, 26) for name in names], top)


def _laid_out(bar: go.Bar, names: Sequence[str], top: float) -> go.Figure:
    """The bars with their names on the left, and room for a figure behind the longest."""
    rows = max(len(names), 3)
    chart = figure([bar], 44 + BAR_PX * rows, showlegend=False, bargap=0.3)
    chart.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8}, clickmode="event+select")
    chart.update_xaxes(visible=False, range=[0, top * 1.28])
    chart.update_yaxes(
        range=[rows - 0.5, -0.5],
        tickvals=list(bar.y),
        ticktext=names,
        automargin=True,
        showgrid=False,
        nticks=None,
        type="category",
    )
    return chart


def _filled(colours: Sequence[str], few: Mapping[int, int]) -> dict[str, Any]:
    """Bars of these colours; those of few requests have only an edge."""
    return {
        "color": ["rgba(0,0,0,0)" if place in few else one for place, one in enumerate(colours)],
        "line": {
            "width": [1.5 if place in few else 0 for place in range(len(colours))],
            "color": list(colours),
        },
    }


def shares(usage: pd.DataFrame, value: str, colours: Mapping[str, str]) -> go.Figure:
    """Which share does each model have?

    At most six slices and "others", the total in the middle.
    """
    top = usage.nlargest(SLICES, value) if len(usage) > SLICES + 1 else usage
    rest = float(usage[value].sum() - top[value].sum())
    drawn = [colours.get(str(name), palette.OTHERS) for name in top["model"]]
    names, values = [*top["model"]], [*top[value].astype("float64")]
    if len(top) < len(usage):
        names, values, drawn = [*names, "others"], [*values, rest], [*drawn, palette.OTHERS]
    ring = go.Pie(
        # A legend must be lower than the chart; full names are in the hover.
        labels=_legible(names),
        hovertext=[plain(name, 120) for name in names],
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
        hovertemplate="%{hovertext}: %{value:,.0f} (%{percent:.1%})<extra></extra>",
    )
    chart = figure([ring], 360)
    chart.update_layout(
        margin={"l": 24, "r": 24, "t": 24, "b": 24},
        # Below, so that the ring is as wide on a phone.
        legend={"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.06, "yanchor": "top"},
        annotations=[
            {"text": formatting.count(sum(values)), "showarrow": False, "font": {"size": 20}}
        ],
    )
    return chart


def _legible(names: Sequence[object]) -> list[str]:
    """Names short enough for a legend, all different: Plotly adds up slices with the same label.

    >>> _legible(["gpt-4o", "one-very-long-name-of-a-model-1", "one-very-long-name-of-a-model-2"])
    ['gpt-4o', 'one-very-l…f-a-model-1', 'one-very-l…f-a-model-2']
    """
    labels: list[str] = []
    for name in names:
        label = within(name, LEGIBLE)
        twins = sum(one.split("\u200b")[0] == label for one in labels)
        # Zero-width characters distinguish equal labels.
        labels.append(label + "\u200b" * twins)
    return labels


def busy_hours(hours: pd.DataFrame) -> go.Figure:
    """When are requests sent? A row per weekday, a column per hour of the viewer's clock."""
    grid = hours.pivot_table(index="weekday", columns="hour", values="requests", aggfunc="sum")
    grid = grid.reindex(index=range(7), columns=range(24)).fillna(0).astype("float64")
    heat = go.Heatmap(
        z=grid.to_numpy(),
        x=[f"{hour:02d}" for hour in range(24)],
        y=list(WEEKDAYS),
        xgap=2,
        ygap=2,
        colorscale=[[0, "rgba(76,110,245,0.06)"], [1, palette.REQUESTS]],
        colorbar={
            "thickness": 8,
            "outlinewidth": 0,
            **({"dtick": 1} if grid.max().max() <= COUNT_TICKS else {"nticks": 4}),
        },
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
    """What did each user, team or key cost? Highest cost first, US dollars.

    `known` names distinguish IDs that share a name.
    """
    mine = owners[owners["dimension"] == dimension]
    pairs = zip(mine["id"], mine["name"], strict=True)
    names = [(known or {}).get(one, name) for one, name in pairs]
    return ranked(names, list(mine["cost_usd"]), formatting.money, palette.COST, list(mine["id"]))


def money_by_tag(tags: pd.DataFrame) -> go.Figure:
    """What did the requests with each tag cost? Highest cost first, US dollars."""
    return ranked(list(tags["tag"]), list(tags["cost_usd"]), formatting.money, palette.COST)


def by_model(
    usage: pd.DataFrame,
    value: str,
    written: Callable[[float | None], str],
    colours: Mapping[str, str],
) -> go.Figure:
    """One figure of each model, the largest first, in the model's own colour.

    A rate over fewer than ten requests comes after the others and is hollow.
    """
    known: Any = usage[usage[value].notna()]
    is_few = known["requests"] < FEWEST if value in RATES else pd.Series(False, known.index)
    order = known.assign(is_few=is_few).sort_values(
        ["is_few", value, "model"], ascending=[True, False, True]
    )
    shown = order.head(12)
    return ranked(
        list(shown["model"]),
        list(shown[value]),
        written,
        [colours.get(model, palette.OTHERS) for model in shown["model"]],
        few={
            place: int(row["requests"])
            for place, row in enumerate(shown.to_dict("records"))
            if row["is_few"]
        },
    )

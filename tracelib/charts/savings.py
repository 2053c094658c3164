"""The chart of waste: one bar, divided into its classes."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import palette
from tracelib.charts.base import figure

HEIGHT = 76
WRITTEN = "%{customdata}<extra>%{fullData.name}</extra>"
TONE = 0.3
# A class keeps its colour; only failures are red.
COLOURS = dict(
    zip(
        (
            *("hang_ups", "internal_calls", "billed_retries", "cut_offs", "loops"),
            *("regenerations", "cacheable"),
        ),
        palette.CATEGORICAL,
        strict=False,
    )
)


class Part(NamedTuple):
    """One class of the bar."""

    name: str
    title: str
    usd: float
    requests: int


def colour(name: str) -> str:
    """The colour of a class."""
    return COLOURS.get(name, palette.FAILURE)


def tone(name: str) -> str:
    """The same, to be drawn behind text."""
    return palette.tint(colour(name), TONE)


def waste(classes: Sequence[Part]) -> go.Figure:
    """What was wasted, in US dollars, as one bar of these parts."""
    whole = sum(one.usd for one in classes)
    traces = [
        go.Bar(
            x=[one.usd],
            y=[""],
            orientation="h",
            name=one.title,
            marker={
                "color": colour(one.name),
                "line": {"width": 0},
            },
            customdata=[_written(one, whole)],
            hovertemplate=WRITTEN,
        )
        for one in classes
    ]
    # The table below is the legend: on a small screen one would cover the bar.
    chart = figure(traces, HEIGHT, barmode="stack", showlegend=False)
    chart.update_layout(margin={"l": 8, "b": 24, "t": 4})
    chart.update_xaxes(tickformat="$,~g", nticks=5, range=[0, whole or 1])
    chart.update_yaxes(visible=False)
    return chart


def _written(one: Part, whole: float) -> str:
    share = formatting.share(one.usd / whole if whole else None)
    return f"{formatting.money(one.usd)}, {share}, {formatting.counted(one.requests, 'request')}"

"""The chart of the ledgers: by how much they differ each day, and why."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import palette
from tracelib.charts.base import BAR_GAP, figure

WRITTEN = "%{customdata}<extra>%{fullData.name}</extra>"
# A class keeps its colour; what nothing explains is grey.
COLOURS = (*palette.CATEGORICAL, palette.OTHERS)


def differences(parts: pd.DataFrame, names: Mapping[str, str], days: tuple[str, ...]) -> go.Figure:
    """By how many dollars does the log exceed the daily totals each day, and why?

    `parts` has a row for each day and class: date, class, usd. `names` are those of all classes.
    """
    colours = dict(zip(names, COLOURS, strict=True))
    traces = [
        go.Bar(
            x=rows["date"],
            y=rows["usd"],
            name=names[str(name)],
            marker={"color": colours[str(name)], "line": {"width": 0}},
            customdata=[formatting.money(usd) for usd in rows["usd"]],
            hovertemplate=WRITTEN,
        )
        for name, rows in parts.groupby("class", sort=False)
    ]
    chart = figure(traces, barmode="relative", hovermode="x unified", showlegend=True)
    chart.update_layout(bargap=BAR_GAP)
    chart.update_xaxes(
        type="date", range=_range(days), showgrid=False, tickformat="%-d %b", nticks=6
    )
    chart.update_yaxes(tickformat="$,~g", zeroline=True)
    return chart


def _range(days: tuple[str, ...]) -> list[pd.Timestamp]:
    half = pd.Timedelta(hours=12)
    return [pd.Timestamp(days[0]) - half, pd.Timestamp(days[-1]) + half]

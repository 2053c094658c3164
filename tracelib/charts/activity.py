"""A long session as one strip: when it was busy, where it failed, which part is shown below."""

import pandas as pd
import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import elapsed, palette
from tracelib.charts.base import figure

ACTIVITY_HEIGHT = 92


def strip(busy: pd.DataFrame, shown_ms: tuple[float, float]) -> go.Figure:
    """When was the session busy? A bar a bin of `timeline.activity`, higher where busier.

    Bins with failures have a red mark; what lies between `shown_ms` is shaded. A click gives
    the number of the first request from there on.
    """
    middles = (busy["start_ms"] + busy["end_ms"]) / 2
    bars = go.Bar(
        x=middles,
        y=busy["busy_share"],
        width=busy["end_ms"] - busy["start_ms"],
        marker={"color": palette.REQUESTS, "line": {"width": 0}},
        unselected={"marker": {"opacity": 1}},
        customdata=list(busy["number"]),
        hovertext=[_said(row) for row in busy.to_dict("records")],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    failed = busy[busy["failures"] > 0]
    marks = go.Scatter(
        x=middles[failed.index],
        y=[1.12] * len(failed),
        mode="markers",
        marker={"symbol": "x", "size": 6, "color": palette.FAILURE},
        hoverinfo="skip",
    )
    chart = figure([bars, marks], ACTIVITY_HEIGHT, showlegend=False, clickmode="event+select", bargap=0)
    chart.update_layout(margin={"l": 30, "r": 6, "t": 4, "b": 24}, hovermode="x")
    end = float(busy["end_ms"].max())
    places = elapsed.ticks(0.0, end)
    chart.update_xaxes(
        range=[0, end], tickvals=places, ticktext=elapsed.written(places, end), showgrid=False
    )
    chart.update_yaxes(range=[0, 1.25], visible=False)
    edge = {"width": 1, "color": palette.OTHERS}
    chart.add_vrect(*shown_ms, fillcolor=palette.tint(palette.OTHERS, 0.22), line=edge)
    return chart


def _said(row: dict[object, float]) -> str:
    failures = f", {formatting.exact(row['failures'])} failed" if row["failures"] else ""
    return (
        f"After {formatting.duration(row['start_ms'])}: "
        f"busy {formatting.share(row['busy_share'])}{failures}"
    )

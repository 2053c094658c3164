"""The strip above a list: how it spreads over time, and which part of it is chosen."""

from datetime import datetime

import pandas as pd
import plotly.graph_objects as go

from tracelib.charts import palette
from tracelib.charts.base import TimeAxis, bars, fading, over_time
from tracelib.window import TimeWindow

HEIGHT = 110
COUNT = "%{y:,.0f}<extra>%{fullData.name}</extra>"
# How opaque is a bar that lies outside the chosen part?
OUTSIDE = 0.25


def sessions(
    spread: pd.DataFrame,
    axis: TimeAxis,
    chosen: TimeWindow | None,
    unread_until: datetime | None = None,
) -> go.Figure:
    """How many sessions has each bucket, and how many of them had a failure? Stacked.

    `spread` has a row a bucket, with `bucket`, `sessions` and `with_failures`. Bars outside
    the chosen part are drawn faint; where none is chosen all are alike. What lies before
    `unread_until` is not read yet and stands under a grey veil. A drag selects bars.
    """
    stacked = spread.assign(without=spread["sessions"] - spread["with_failures"])
    chart = over_time(
        axis,
        [
            bars(axis, stacked, "without", "Without failures", palette.REQUESTS, COUNT),
            bars(axis, stacked, "with_failures", "With failures", palette.FAILURE, COUNT),
        ],
        height=HEIGHT,
        barmode="stack",
        showlegend=False,
        dragmode="select",
        selectdirection="h",
        margin={"l": 40, "r": 4, "t": 6, "b": 20},
    )
    chart.update_traces(marker_opacity=_opacity(spread["bucket"], axis, chosen))
    # It is too low for a second line.
    ticks = axis.ticks(most=4)
    chart.update_xaxes(ticks | {"tickformat": _in_one_line(ticks["tickformat"])})
    chart.update_yaxes(nticks=3)
    if unread_until is not None:
        reached = axis.local(pd.Series([unread_until], dtype="datetime64[us, UTC]"))[0]
        veil = {"fillcolor": palette.OTHERS, "opacity": 0.12, "line_width": 0}
        chart.add_vrect(axis.range()[0], reached, **veil)
    if spread["sessions"].max() <= 2:
        # There is no half a session.
        chart.update_yaxes(dtick=1)
    return chart


def _in_one_line(tickformat: str) -> str:
    """
    >>> _in_one_line("%H:%M\\n%-d %b"), _in_one_line("%-d %b")
    ('%-d %b %H:%M', '%-d %b')
    """
    return " ".join(reversed(tickformat.split("\n")))


def _opacity(
    buckets: "pd.Series[pd.Timestamp]", axis: TimeAxis, chosen: TimeWindow | None
) -> list[float]:
    opacity = fading(axis, len(buckets))
    if chosen is None:
        return opacity
    is_inside = (buckets >= chosen.start) & (buckets < chosen.end)
    return [drawn if inside else OUTSIDE for drawn, inside in zip(opacity, is_inside, strict=True)]

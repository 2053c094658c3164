"""Strips: sessions over time above the list, and a session's activity above its timeline."""

from collections.abc import Sequence
from datetime import datetime
from math import ceil

import pandas as pd
import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import palette
from tracelib.charts.base import TimeAxis, bars, fading, figure, over_time
from tracelib.formatting import duration
from tracelib.window import TimeWindow

SECOND, MINUTE, HOUR, DAY = 1e3, 6e4, 3.6e6, 8.64e7  # milliseconds
STEPS_MS = (
    *(digit * 10.0**power for power in range(-1, 4) for digit in (1, 2, 5)),
    *(15 * SECOND, 30 * SECOND),
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * DAY for days in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)),
)
TICKS = 6


def ticks(start_ms: float, end_ms: float) -> list[float]:
    """Round moments for an axis from here to there. About six.

    >>> ticks(0, 6_745), ticks(90_000, 300_000)
    ([0.0, 2000.0, 4000.0, 6000.0], [120000.0, 180000.0, 240000.0, 300000.0])
    """
    least = (end_ms - start_ms) / TICKS
    step = next((step for step in STEPS_MS if step >= least), STEPS_MS[-1])
    first = ceil(start_ms / step)
    return [(first + place) * step for place in range(int((end_ms / step) - first) + 1)]


def written(moments_ms: Sequence[float], end_ms: float) -> list[str]:
    """Labels for moments on an axis up to this end, in one format.

    >>> written([0, 250], 900), written([0, 2_500], 6_745), written([0, 151_000], 1_800_000)
    (['0 ms', '250 ms'], ['0 s', '2.5 s'], ['0:00', '2:31'])
    >>> written([0, 10_935_000], 2e7), written([0, 90_000_000], 2e8)
    (['0:00:00', '3:02:15'], ['0 h', '1 d 1 h'])
    """
    if end_ms < SECOND:
        return [f"{moment:.3g} ms" for moment in moments_ms]
    if end_ms < MINUTE:
        return [f"{moment / SECOND:.3g} s" for moment in moments_ms]
    if end_ms < DAY:
        return [_clock(moment, has_hours=end_ms >= HOUR) for moment in moments_ms]
    return [
        duration(moment) if moment >= DAY else f"{moment / HOUR:.3g} h" for moment in moments_ms
    ]


def unit(end_ms: float) -> str:
    """Which unit do the labels of an axis up to this end need?

    >>> unit(6_745), unit(1_800_000)
    ('Since the first request', 'Since the first request, min:s')
    """
    spelt = {MINUTE <= end_ms < HOUR: ", min:s", HOUR <= end_ms < DAY: ", h:min:s"}
    return "Since the first request" + spelt.get(True, "")


def _clock(moment_ms: float, *, has_hours: bool) -> str:
    minutes, seconds = divmod(round(moment_ms / SECOND), 60)
    if not has_hours:
        return f"{minutes}:{seconds:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


HEIGHT = 110
COUNT = "%{y:,.0f}<extra>%{fullData.name}</extra>"
# The opacity of a bar outside the chosen part.
OUTSIDE = 0.25


def sessions(
    spread: pd.DataFrame,
    axis: TimeAxis,
    chosen: TimeWindow | None,
    unread_until: datetime | None = None,
) -> go.Figure:
    """How many sessions does each bucket have, and how many of them had a failure? Stacked.

    `spread` has a row per bucket, with `bucket`, `sessions` and `with_failures`. Bars outside the
    chosen part are drawn faint; if none is chosen, all are alike. What is before `unread_until` is
    not read yet and is under a grey veil.
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
        margin={"l": 40, "r": 4, "t": 6, "b": 20},
    )
    opacity = _opacity(spread["bucket"], axis, chosen)
    chart.update_traces(marker_opacity=opacity, selector={"type": "bar"})
    # It is too low for a second line.
    ticks = axis.ticks(most=4)
    chart.update_xaxes(ticks | {"tickformat": _in_one_line(ticks["tickformat"])})
    chart.update_yaxes(nticks=3)
    if unread_until is not None:
        reached = axis.local(pd.Series([unread_until], dtype="datetime64[us, UTC]"))[0]
        veil = {"fillcolor": palette.OTHERS, "opacity": 0.12, "line_width": 0}
        chart.add_vrect(axis.range()[0], reached, **veil)
    if spread["sessions"].max() <= 2:
        # Sessions are whole numbers.
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
    ends = buckets.shift(-1)  # the last is unknown
    is_inside = ((ends > chosen.start) | ends.isna()) & (buckets < chosen.end)
    return [drawn if inside else OUTSIDE for drawn, inside in zip(opacity, is_inside, strict=True)]


ACTIVITY_HEIGHT = 92


def strip(busy: pd.DataFrame, shown_ms: tuple[float, float]) -> go.Figure:
    """When was the session busy? A bar per bin of `timeline.activity`, the higher, the busier.

    Bins with failures have a red mark; the part between `shown_ms` is shaded. A click gives the
    number of the first request from there on.
    """
    middles = (busy["start_ms"] + busy["end_ms"]) / 2
    bars = go.Bar(
        x=middles,
        y=busy["busy_share"],
        width=busy["end_ms"] - busy["start_ms"],
        marker={"color": palette.REQUESTS, "line": {"width": 0}},
        unselected={"marker": {"opacity": 1}},
        customdata=list(busy["number"]),
        hovertext=[_hover_text(row) for row in busy.to_dict("records")],
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
    chart = figure(
        [bars, marks], ACTIVITY_HEIGHT, showlegend=False, clickmode="event+select", bargap=0
    )
    chart.update_layout(margin={"l": 30, "r": 6, "t": 4, "b": 24}, hovermode="x")
    end = float(busy["end_ms"].max())
    places = ticks(0.0, end)
    chart.update_xaxes(
        range=[0, end], tickvals=places, ticktext=written(places, end), showgrid=False
    )
    chart.update_yaxes(range=[0, 1.25], visible=False)
    edge = {"width": 1, "color": palette.OTHERS}
    chart.add_vrect(*shown_ms, fillcolor=palette.tint(palette.OTHERS, 0.22), line=edge)
    return chart


def _hover_text(row: dict[object, float]) -> str:
    failures = f", {formatting.exact(row['failures'])} failed" if row["failures"] else ""
    return (
        f"After {formatting.duration(row['start_ms'])}: "
        f"busy {formatting.share(row['busy_share'])}{failures}"
    )

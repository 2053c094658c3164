"""The frame that all figures share: margins, legend, hover, and one time axis for a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tracelib.window import Bucket, TimeWindow, bucket_starts, offset_s

# From here on the days say enough of an axis.
LONG = timedelta(days=3)
HEIGHT = 280
FIRST_HEIGHT = 340
MARKED_UP_TO = 60


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The x axis of every chart over time on a page: the window in the viewer's zone."""

    window: TimeWindow
    zone: str
    bucket: Bucket
    now: datetime

    def local(self, moments: "pd.Series[Any]") -> "pd.Series[Any]":
        """When is that on the viewer's clock? Plotly knows no zones, so the zone goes.

        Hours keep the clock of the window's start, as their buckets do: else the hour that
        comes twice in autumn would stand in one place. Days are the viewer's own.
        """
        if self.bucket.is_day:
            local: pd.Series[Any] = moments.dt.tz_convert(self.zone).dt.tz_localize(None)
        else:
            local = moments.dt.tz_localize(None) + self._offset
        return local

    def range(self) -> list[datetime]:
        """From where to where does the axis reach? Half a bucket of room on both sides."""
        ends = pd.Series(self._starts()[:: max(len(self._starts()) - 1, 1)])
        half = timedelta(seconds=self.bucket.seconds / 2)
        clock = list(self.local(ends))
        return [clock[0].to_pydatetime() - half, clock[-1].to_pydatetime() + half]

    def last_is_unfinished(self) -> bool:
        """Does the last bucket that has begun still fill?"""
        last = self._starts()[-1]
        longest = timedelta(seconds=self.bucket.seconds)
        return last + longest > self.window.end and self.window.end >= self.now

    def _starts(self) -> list[datetime]:
        return bucket_starts(self.window, self.bucket, self.zone)

    @property
    def _offset(self) -> timedelta:
        return timedelta(seconds=offset_s(self.window, self.zone))


def figure(traces: Sequence[Any], height: int = HEIGHT, **layout: Any) -> go.Figure:
    """A figure with the house's margins, legend above left, and no title of its own."""
    axis = {"fixedrange": True, "zeroline": False}
    common: dict[str, Any] = {
        # Every chart says its own colours; a template's would be most of what is sent of it.
        "template": "none",
        "height": height,
        "margin": {"l": 52, "r": 12, "t": 28, "b": 28},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "xanchor": "left",
            "yanchor": "bottom",
            "traceorder": "normal",
        },
        "hoverlabel": {"namelength": -1},
        "dragmode": False,
        "bargap": 0.15,
        "xaxis": axis,
        "yaxis": axis | {"nticks": 6},
    }
    # All at once: Plotly checks the whole figure again for each update.
    return go.Figure(data=list(traces), layout=common | layout)


def over_time(
    axis: TimeAxis, traces: Sequence[Any], height: int = HEIGHT, **layout: Any
) -> go.Figure:
    """A figure whose x axis is the page's, with one hover for all its series."""
    chart = figure(traces, height, hovermode="x unified", **layout)
    hover = "%a %-d %b" if axis.bucket.is_day else "%a %-d %b %H:%M"
    # After the line break stands what is said only where it changes.
    ticks = "%-d %b" if axis.window.length > LONG else "%H:%M\n%-d %b"
    chart.update_xaxes(
        type="date",
        range=axis.range(),
        showgrid=False,
        hoverformat=hover,
        tickformat=ticks,
        nticks=8,
    )
    chart.update_yaxes(rangemode="tozero")
    return chart


def fading(axis: TimeAxis, points: int) -> list[float]:
    """How opaque is each bar? The bucket that still fills is drawn lighter."""
    opacity = [1.0] * points
    if points and axis.last_is_unfinished():
        opacity[-1] = 0.45
    return opacity


def bars(
    axis: TimeAxis, frame: pd.DataFrame, column: str, name: str, colour: str, hover: str
) -> go.Bar:
    """One series of bars over time."""
    return go.Bar(
        x=axis.local(frame["bucket"]),
        y=frame[column].astype("float64"),
        name=name,
        marker={"color": colour, "opacity": fading(axis, len(frame)), "line": {"width": 0}},
        hovertemplate=hover,
    )


def line(
    axis: TimeAxis, frame: pd.DataFrame, column: str, name: str, colour: str, hover: str
) -> go.Scatter:
    """One line over time, broken where nothing is known."""
    return go.Scatter(
        x=axis.local(frame["bucket"]),
        y=frame[column].astype("float64"),
        name=name,
        # A lone answer between silent buckets has no line to either side.
        mode="lines+markers" if frame[column].count() <= MARKED_UP_TO else "lines",
        marker={"size": 4},
        line={"color": colour, "width": 1.8},
        connectgaps=False,
        hovertemplate=hover,
    )

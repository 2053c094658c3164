"""What all figures share: margins, legend, hover, and one time axis per page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts.marks import Mark, draw_marks
from tracelib.clock import clock_periods, is_repeated
from tracelib.window import Bucket, TimeWindow, bucket_edges, bucket_starts

HEIGHT = 280
FIRST_HEIGHT = 340
LONE_PX = 4
# A rate over fewer requests is drawn hollow and does not set the scale.
FEWEST = 10
COUNT_TICKS = 6
BAR_GAP = 0.15
MOST_TICKS = 8
# Of a chart that is half a page wide: on a small screen more would be slanted.
HALF_TICKS = 5
MILLISECOND, MINUTE = timedelta(milliseconds=1), timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Each divides the next midnight or is a number of days, so that ticks are at full ones.
TICK_STEPS = (
    *(MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(HOUR * n for n in (1, 2, 3, 6, 12)),
    *(DAY * n for n in (1, 2, 4, 7, 14, 28, 56)),
)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The x axis of every chart over time on a page: the window in the viewer's zone.

    Plotly knows no zones, so a position on the axis is a local time without its zone.
    """

    window: TimeWindow
    zone: str
    bucket: Bucket
    now: datetime
    marks: tuple[Mark, ...] = ()

    def local(self, moments: "pd.Series[Any]") -> "pd.Series[Any]":
        """Positions on the axis: the moments on the viewer's clock.

        The axis has one position for an hour that the clock shows twice. If there are buckets for
        both, they share it: the first hour has its left half, the second its right.
        """
        places: pd.Series[Any] = moments.dt.tz_convert(self.zone).dt.tz_localize(None)
        for begin, end in self._repeated_hours():
            is_repeated = (moments >= begin) & (moments < end)
            first = begin.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)
            places = places.mask(is_repeated, first + (moments - begin) / 2)
        return places

    def names(self) -> list[str]:
        """The name of each bucket: its start, with the offset if the clock shows it twice."""
        return [self.name(start) for start in self._starts()]

    def range(self) -> list[datetime]:
        """The two ends of the axis, with room for half a bucket on both sides."""
        half = timedelta(seconds=self.bucket.seconds / 2)
        ends = pd.Series([self._starts()[0], self._starts()[-1]], dtype="datetime64[us, UTC]")
        first, last = (place.to_pydatetime() for place in self.local(ends))
        return [first - half, last + half]

    def ticks(self, most: int = MOST_TICKS) -> dict[str, Any]:
        """The ticks and their labels: at full minutes, hours or local days."""
        left, right = self.range()
        whole = timedelta(seconds=self.bucket.seconds)
        least = max(whole, (right - left) / most)
        step = next((one for one in TICK_STEPS if one >= least), TICK_STEPS[-1])
        first_day = datetime.combine(left + whole / 2, time())
        # Plotly shows the text after the line break only where it changes.
        form = "%-d %b" if step >= DAY else "%H:%M\n%-d %b"
        if step >= DAY and left.year != right.year:
            form = "%-d %b\n%Y"
        return {"tick0": first_day, "dtick": step / MILLISECOND, "tickformat": form}

    def bar_widths(self) -> list[float] | None:
        """The width of each bar, in milliseconds; None if all are equally wide.

        Otherwise Plotly draws all of them as narrow as those of an hour that comes twice.
        """
        if not self.has_repeated_hour():
            return None
        places = self.local(pd.Series(self._starts(), dtype="datetime64[us, UTC]"))
        whole = self.bucket.seconds * 1_000.0
        gaps = [whole, *(places.diff().dropna().dt.total_seconds() * 1_000), whole]
        return [min(before, after) * (1 - BAR_GAP) for before, after in pairwise(gaps)]

    def has_repeated_hour(self) -> bool:
        """Does the clock show an hour twice, with buckets for both?"""
        return any(True for _ in self._repeated_hours())

    def last_is_unfinished(self) -> bool:
        """Is the last bucket that has begun incomplete?"""
        end = bucket_edges(self.window, self.bucket, self.zone)[-1]
        return end > self.window.end >= self.now

    def _starts(self) -> list[datetime]:
        return bucket_starts(self.window, self.bucket, self.zone)

    def _repeated_hours(self) -> Iterator[tuple[datetime, datetime]]:
        """The start and end of each hour that the clock shows twice, both times together."""
        if not self.bucket.splits_repeated_hours:
            return
        for before, after in pairwise(clock_periods(self.window.start, self.window.end, self.zone)):
            if (twice_s := before.offset_s - after.offset_s) > 0:
                change = datetime.fromtimestamp(after.start_s, UTC)
                yield change - timedelta(seconds=twice_s), change + timedelta(seconds=twice_s)

    def name(self, moment: datetime) -> str:
        """This moment on the viewer's clock, or its day if the buckets are days."""
        local = moment.astimezone(ZoneInfo(self.zone))
        day = f"{local:%a} {local.day} {local:%b}"
        if self.bucket.is_day:
            return day
        offset = f", {formatting.offset(local)}" if is_repeated(moment, self.zone) else ""
        return f"{day} {local:%H:%M}{offset}"


def figure(traces: Sequence[Any], height: int = HEIGHT, **layout: Any) -> go.Figure:
    """A figure with the app's margins, legend above left, and no title of its own."""
    axis = {"fixedrange": True, "zeroline": False}
    common: dict[str, Any] = {
        # Every chart sets its own colours; a template's would be most of its size.
        "template": "none",
        "height": height,
        # To the right there is room for half of the label of a tick at the end of the axis.
        "margin": {"l": 52, "r": 22, "t": 28, "b": 28},
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
        "bargap": BAR_GAP,
        "xaxis": axis,
        "yaxis": axis | {"nticks": COUNT_TICKS},
    }
    # All at once: Plotly validates the whole figure again for each update.
    return go.Figure(data=list(traces), layout=common | layout)


def over_time(
    axis: TimeAxis,
    traces: Sequence[Any],
    height: int = HEIGHT,
    most_ticks: int = HALF_TICKS,
    **layout: Any,
) -> go.Figure:
    """A figure whose x axis is the page's, with one hover for all its series."""
    chart = figure(traces, height, hovermode="x unified", **layout)
    chart.update_xaxes(
        type="date",
        range=axis.range(),
        showgrid=False,
        hoverformat="%a %-d %b" if axis.bucket.is_day else "%a %-d %b %H:%M",
        **axis.ticks(most_ticks),
    )
    if axis.has_repeated_hour():
        _name_buckets(chart, axis)
    chart.update_yaxes(rangemode="tozero")
    draw_marks(chart, axis.marks, bucket_starts(axis.window, axis.bucket, axis.zone), axis.local)
    return chart


def _name_buckets(chart: go.Figure, axis: TimeAxis) -> None:
    """Let the hover name each bucket if its position on the axis is ambiguous."""
    starts = pd.Series(bucket_starts(axis.window, axis.bucket, axis.zone))
    chart.add_scatter(
        x=axis.local(starts.astype("datetime64[us, UTC]")),
        y=[0] * len(starts),
        mode="lines",
        line={"color": "rgba(0,0,0,0)"},
        showlegend=False,
        customdata=axis.names(),
        hovertemplate="%{customdata}<extra></extra>",
    )
    chart.update_xaxes(unifiedhovertitle_text=axis.zone)


def count_whole(chart: go.Figure, top: float, axis: str = "yaxis") -> None:
    """Let this axis of integers, up to `top`, have no fractional tick."""
    if top <= COUNT_TICKS:
        chart.update_layout({axis: {"dtick": 1}})
    if not top:
        # Plotly would draw an empty axis from 0 to 1 in tenths, or around 0.
        chart.update_layout({axis: {"range": [0, 1]}})


# Both panels of a chart show counts; the second has room for few ticks.
_SECOND_PANEL = {"rangemode": "tozero", "nticks": 3, "fixedrange": True, "zeroline": False}


def lower_panel(chart: go.Figure, title: str, top: float) -> None:
    """Give the traces of axis `y2` a panel of their own, for counts up to `top`.

    It is below the rest and shares the x axis. `title` is its heading.
    """
    chart.update_layout(
        yaxis={"domain": [0.46, 1]},
        yaxis2={
            "domain": [0, 0.32],
            "anchor": "x",
            **_SECOND_PANEL,
        },
        xaxis={"anchor": "y2"},
        hoversubplots="axis",
    )
    count_whole(chart, top, "yaxis2")
    place = {"x": 0, "y": 0.33, "xref": "paper", "yref": "paper", "yanchor": "bottom"}
    chart.add_annotation(text=title, showarrow=False, font={"size": 12}, **place)


def side_panel(chart: go.Figure, titles: tuple[str, str], top: float) -> None:
    """Give the traces of axis `x2` a panel of their own, for counts up to `top`.

    It is to the right of the rest and shares the y axis. The titles replace a legend.
    """
    chart.update_layout(
        showlegend=False,
        xaxis={"domain": [0, 0.56], "nticks": 4},
        xaxis2={
            "domain": [0.64, 1],
            "anchor": "y",
            **_SECOND_PANEL,
        },
    )
    count_whole(chart, top, "xaxis2")
    for title, left in zip(titles, (0, 0.64), strict=True):
        place = {"x": left, "y": 1, "xref": "paper", "yref": "paper"}
        anchors = {"xanchor": "left", "yanchor": "bottom"}
        chart.add_annotation(text=title, showarrow=False, font={"size": 12}, **place, **anchors)


def fading(axis: TimeAxis, points: int) -> list[float]:
    """The opacity of each bar: an incomplete bucket is drawn lighter."""
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
        width=axis.bar_widths(),
        marker={"color": colour, "opacity": fading(axis, len(frame)), "line": {"width": 0}},
        hovertemplate=hover,
    )


def line(
    axis: TimeAxis, frame: pd.DataFrame, column: str, name: str, colour: str, hover: str
) -> go.Scatter:
    """One line over time, with gaps for unknown values; a single known value is a dot."""
    known = frame[column].notna()
    is_lone = known & ~known.shift(1, fill_value=False) & ~known.shift(-1, fill_value=False)
    return go.Scatter(
        x=axis.local(frame["bucket"]),
        y=frame[column].astype("float64"),
        name=name,
        mode="lines+markers" if is_lone.any() else "lines",
        marker=_dots(is_lone),
        line={"color": colour, "width": 1.8},
        connectgaps=False,
        hovertemplate=hover,
    )


def _dots(is_marked: "pd.Series[bool]") -> dict[str, Any] | None:
    """Dots at marked points.

    If they had individual sizes, Plotly would give all of them an edge.
    """
    if not is_marked.any():
        return None
    sizes = [LONE_PX * one for one in is_marked.astype(int)]
    return {"size": sizes, "opacity": 1, "line": {"width": 0}}

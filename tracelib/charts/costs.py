"""The chart of the cost table: what each group cost in each day, week or month."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import palette
from tracelib.charts.base import FIRST_HEIGHT, HALF_TICKS, figure
from tracelib.charts.palette import plain
from tracelib.window import TimeWindow

MOST_SERIES = 8
WRITTEN = "%{customdata}<extra>%{fullData.name}</extra>"
TICKS = {"day": "%-d %b", "week": "%-d %b", "month": "%b\n%Y"}
HOVERS = {"day": "%a %-d %b", "week": "Week of %-d %b", "month": "%B %Y"}


class Series(NamedTuple):
    """A group: the ID that its colour belongs to, its name, and its cost in each period."""

    id: str | None
    name: str
    costs: Sequence[Decimal]


class Calendar(NamedTuple):
    """The periods of a chart: what each is, their edges, the window, and the viewer's zone."""

    period: str
    edges: tuple[datetime, ...]
    window: TimeWindow
    zone: str

    @property
    def places(self) -> list[datetime]:
        """The start of each period on the viewer's clock."""
        return [one.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None) for one in self.edges[:-1]]

    @property
    def opacity(self) -> list[float]:
        """A period that is partly outside the window is drawn lighter."""
        start, end = self.window.start, self.window.end
        return [0.45 if one < start or later > end else 1.0 for one, later in pairwise(self.edges)]


def over_time(
    series: tuple[Series, ...],
    calendar: Calendar,
    colours: Mapping[str, str],
    is_stacked: bool = True,
) -> go.Figure:
    """What did these groups cost in each period, in US dollars? The first eight, and others.

    Stacked, the bars are as high as the cost of all. Groups that overlap are lines next to one
    another, without the others.
    """
    shown = list(_shown(series, colours, is_stacked))
    draw = _bars if is_stacked else _line
    traces = [draw(one, calendar, colour) for one, colour in shown]
    chart = figure(traces, FIRST_HEIGHT, barmode="relative", hovermode="x unified", showlegend=True)
    chart.update_xaxes(
        type="date",
        showgrid=False,
        tickformat=TICKS[calendar.period],
        hoverformat=HOVERS[calendar.period],
        **_ticks(calendar),
    )
    # Plotly would write $0.00002 as $20μ.
    chart.update_yaxes(tickprefix="$", exponentformat="none", rangemode="tozero")
    return chart


def _ticks(calendar: Calendar) -> dict[str, Any]:
    """Ticks at the starts of periods: Plotly's own may be between them."""
    places = calendar.places
    step = -(-len(places) // HALF_TICKS)
    day_ms = 86_400_000
    every = {"day": step * day_ms, "week": 7 * step * day_ms, "month": f"M{step}"}
    return {"tick0": places[0], "dtick": every[calendar.period]}


def _shown(
    series: tuple[Series, ...], colours: Mapping[str, str], is_stacked: bool
) -> Iterator[tuple[Series, str]]:
    for place, one in enumerate(series[:MOST_SERIES]):
        ranked = palette.CATEGORICAL[place % len(palette.CATEGORICAL)]
        yield one, colours.get(one.id or "", ranked)
    if is_stacked and (rest := series[MOST_SERIES:]):
        costs = [sum(some, Decimal(0)) for some in zip(*(one.costs for one in rest), strict=True)]
        yield Series(None, "others", costs), palette.OTHERS


def _bars(one: Series, calendar: Calendar, colour: str) -> go.Bar:
    return go.Bar(
        x=calendar.places,
        y=[float(usd) for usd in one.costs],
        name=plain(one.name, 28),
        marker={"color": colour, "opacity": calendar.opacity, "line": {"width": 0}},
        customdata=[formatting.money(float(usd)) for usd in one.costs],
        hovertemplate=WRITTEN,
    )


def _line(one: Series, calendar: Calendar, colour: str) -> go.Scatter:
    return go.Scatter(
        x=calendar.places,
        y=[float(usd) for usd in one.costs],
        name=plain(one.name, 28),
        mode="lines+markers",
        marker={"size": 5},
        line={"color": colour, "width": 1.8},
        customdata=[formatting.money(float(usd)) for usd in one.costs],
        hovertemplate=WRITTEN,
    )

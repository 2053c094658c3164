"""Marks of changes on charts over time: a thin line with a small triangle on top."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tracelib.charts.palette import OTHERS, plain

MOST_MARKS = 12
# Nearer than this share of the range, two marks would be one on the screen.
NEAR = 60
MOST_LINES = 6
LONGEST_LINE = 90
# Over the others, from 0 to 1 whatever the chart shows.
AXIS = "yaxis9"


@dataclass(frozen=True, slots=True)
class Mark:
    """What changed at a moment, a line each."""

    at: datetime
    lines: tuple[str, ...]


def grouped(marks: Sequence[Mark], length: timedelta, most: int = MOST_MARKS) -> tuple[Mark, ...]:
    """These marks, in order of time, with near ones as one: at most `most` on a range this long."""
    near = length / NEAR
    while len(found := _joined(marks, near)) > most:
        near *= 1.5
    return found


def _joined(marks: Sequence[Mark], near: timedelta) -> tuple[Mark, ...]:
    found: list[Mark] = []
    for one in sorted(marks, key=lambda mark: mark.at):
        if found and one.at - found[-1].at < near:
            found[-1] = Mark(found[-1].at, (*found[-1].lines, *one.lines))
        else:
            found.append(one)
    return tuple(found)


def draw_marks(
    chart: go.Figure,
    marks: Sequence[Mark],
    starts: Sequence[datetime],
    local: Callable[["pd.Series[Any]"], "pd.Series[Any]"],
) -> None:
    """Add these marks to a chart over time, whose buckets have these starts.

    Each is at the place of its bucket, `local` of its start: there the hover finds it.
    """
    if not marks:
        return
    own = [starts[max(bisect_right(starts, one.at) - 1, 0)] for one in marks]
    places = list(local(pd.Series(own, dtype="datetime64[us, UTC]")))
    chart.add_scatter(
        x=places,
        y=[1] * len(marks),
        yaxis=AXIS.replace("axis", ""),
        mode="markers",
        marker={"symbol": "triangle-down", "size": 8, "color": OTHERS, "line": {"width": 0}},
        customdata=[_text(one) for one in marks],
        hovertemplate="%{customdata}<extra></extra>",
        cliponaxis=False,
        showlegend=False,
        name="Changes",
    )
    overlay = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    line = {"width": 1, "dash": "dot", "color": OTHERS}
    lines = ({"x0": one, "x1": one, "y0": 0, "y1": 1} for one in places)
    shapes = [{"type": "line", "yref": "paper", "line": line, **one} for one in lines]
    chart.update_layout({AXIS: overlay, "shapes": [*chart.layout.shapes, *shapes]})


def _text(one: Mark) -> str:
    lines = [plain(line, LONGEST_LINE) for line in one.lines[:MOST_LINES]]
    rest = len(one.lines) - len(lines)
    return "<br>".join([*lines, *([f"and {rest} more"] if rest else [])])

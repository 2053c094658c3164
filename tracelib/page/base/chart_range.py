"""A time chosen in a chart: by a drag, a click, a tap or keys, it becomes the range of all pages.

The script listens to the page, and not the charts to Streamlit: a selection of Streamlit's is lost
when a refresh draws the chart again, knows neither keys nor taps, and fades what is not selected.
What the script sends is a trigger, which is handled once.
"""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import ranges
from tracelib.charts.base import TimeAxis
from tracelib.page.base import address
from tracelib.page.base.navigation import css_class
from tracelib.ranges import words
from tracelib.window import bucket_edges, bucket_starts

KEY = "chart range"
HINT = "Drag or click in a chart over time to show only that time, on all pages."
# The charts over time that this run of the page has drawn so far, by their keys.
DRAWN = "charts over time"
HTML = """\
<div class="chart-range" popover="manual">
  <div class="chart-range-mark"></div>
  <div class="chart-range-words">
    <span class="chart-range-time"></span>
    <button type="button" class="chart-range-show">Show only this</button>
    <button type="button" class="chart-range-cancel" aria-label="Cancel">✕</button>
    <span class="chart-range-keys">
      <kbd>←</kbd> <kbd>→</kbd> choose a time, with <kbd>Shift</kbd> several;
      <kbd>Enter</kbd> shows only this time on all pages; <kbd>Esc</kbd> cancels
    </span>
  </div>
</div>
<span class="chart-range-status" role="status"></span>
"""
_component = st.components.v2.component(
    "chart_range",
    html=HTML,
    css=Path(__file__).with_suffix(".css").read_text("utf-8"),
    js=Path(__file__).with_suffix(".js").read_text("utf-8"),
    isolate_styles=False,
)


def note(key: str, title: str, axis: TimeAxis) -> None:
    """Note that the chart with this key is one over time: a range can be chosen in it."""
    st.session_state.setdefault(DRAWN, {})[key] = (title, replace(axis, marks=()))


def listen() -> None:
    """Let a range be chosen in the charts that were noted. At the end of a page."""
    drawn: dict[str, tuple[str, TimeAxis]] = st.session_state.pop(DRAWN, {})
    axes = list(dict.fromkeys(axis for _, axis in drawn.values()))
    charts = [
        {"class": css_class(key), "title": title, "axis": axes.index(axis)}
        for key, (title, axis) in drawn.items()
    ]
    data = {"charts": charts, "axes": [stops(axis) for axis in axes]}
    _component(key=KEY, data=data, on_chosen_change=_choose)


def stops(axis: TimeAxis) -> dict[str, Any]:
    """What can be chosen on this axis: its buckets, as far as they are in its window.

    `edges` are their ends as in a URL, and `names` those on the viewer's clock: each one more than
    the buckets. `middles` are those of the bars, as shares of the axis. If they are days, the
    last name is that of no bucket.
    """
    edges = _edges(axis)
    left, right = (pd.Timestamp(end) for end in axis.range())
    starts = pd.Series(
        bucket_starts(axis.window, axis.bucket, axis.zone), dtype="datetime64[us, UTC]"
    )
    middles = (axis.local(starts) - left) / (right - left)
    return {
        "edges": [words.in_url(edge) for edge in edges],
        "names": [axis.name(edge) for edge in edges],
        "middles": [round(middle, 5) for middle in middles.tolist()],
        "areDays": axis.bucket.is_day,
    }


def _edges(axis: TimeAxis) -> list[datetime]:
    """The edges of the buckets. The outer ones are those of the window: no others are counted."""
    inner = bucket_edges(axis.window, axis.bucket, axis.zone)[1:-1]
    return [axis.window.start, *inner, axis.window.end]


def _choose() -> None:
    """Take over the time that was chosen, if it is one."""
    chosen = st.session_state[KEY].get("chosen")
    if not isinstance(chosen, list) or len(chosen) != 2:
        return
    part, _ = ranges.read_part(*map(str, chosen))
    if part is not None:
        address.change(part=part)

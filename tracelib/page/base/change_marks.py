"""Marks of changes on every chart over time: read after a page's figures, and never waited for."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from tracelib import changes
from tracelib import window as windows
from tracelib.changes import Marker
from tracelib.charts.base import TimeAxis
from tracelib.charts.marks import Mark, grouped
from tracelib.choice import OFF
from tracelib.filters import Filters
from tracelib.page.base import address
from tracelib.page.base.view import View
from tracelib.querying.query import Query
from tracelib.querying.runner import run_together
from tracelib.querying.store import Result

# What changes an installation changes rarely: its queries need not follow every tick.
EVERY_S = 300
# How long a page whose figures are drawn waits for them. Then they come with its next run.
PATIENCE_S = 0.2
SWITCH = "marks of changes"


def marked_axis(view: View) -> TimeAxis:
    """The time axis of a page's charts, with the marks of changes as far as they are known.

    To be called after the first result of the page has been read.
    """
    found = markers(view)
    marks = [Mark(one.at, (one.words,)) for one in found]
    return replace(view.axis, marks=grouped(marks, view.filters.window.length))


def markers(view: View) -> tuple[Marker, ...]:
    """The changes in the range of the page, in order; none if they are switched off or late.

    With a filter of models only those about these models, or about none in particular.
    """
    if view.choice.marks == OFF:
        return ()
    window = view.filters.window
    # Theirs ends some minutes earlier, and can be that of the day before.
    found = [one for part in _results(view) for one in part if window.start <= one.at < window.end]
    return changes.of_models(found, view.filters.model)


def _results(view: View) -> Sequence[tuple[Marker, ...]]:
    tick = windows.ticked(view.now, EVERY_S)
    window = view.choice.shown.window(tick, view.filters.zone)
    filters = Filters(window, view.filters.zone, view.choice.shown)
    queries = [Query(one, (filters,), tick) for one in changes.MARKERS]
    results = run_together(
        view.installed, tick, queries, PATIENCE_S, held=view.frame.held, who=view.who
    )
    known = {query.name for query, _ in view.frame.late}
    for query, result in zip(queries, results, strict=True):
        if result.is_late and query.name not in known:
            # Without a value: the figures are complete, and no older than the page says.
            view.frame.late.append((query, Result(None, result.error, view.now, 0.0)))
    return [result.value for result in results if result.value is not None]


def switch(view: View) -> None:
    """Draw the switch of the marks, which all pages share."""
    st.session_state[SWITCH] = view.choice.marks != OFF
    st.checkbox("Mark changes in charts", key=SWITCH, on_change=_switch, help=ABOUT)


def _switch() -> None:
    address.change(marks=None if st.session_state[SWITCH] else OFF)


ABOUT = (
    "A dotted line where a model, a deployment or an agent’s version was first used, a price "
    "changed, or LiteLLM recorded a change. Overview’s part What changed lists them."
)

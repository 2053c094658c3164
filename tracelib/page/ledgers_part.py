"""Ledgers: are the numbers true, as far as LiteLLM's own ledgers can tell?"""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import streamlit as st

from tracelib import errors, ledgers
from tracelib import window as windows
from tracelib.charts import ledgers as charts
from tracelib.charts.base import TimeAxis
from tracelib.ledgers import Ledgers, words
from tracelib.ledgers.logged import models_of_cell
from tracelib.ledgers.totals import KINDS, Kind
from tracelib.page import ledgers as tables
from tracelib.page.base.cards import card, plot, show_error
from tracelib.page.base.view import View, refresh_now
from tracelib.page.text.markdown_escape import label
from tracelib.querying.query import Query

# The log of a day that is over stays as it is, and the ledgers need not follow every tick.
FINISHED_TICK_S, TICK_S = 3_600, 120
LONGEST_SENTENCE = 900
BY: dict[Kind, str] = {kind: f"By {kind}" for kind in KINDS}


def draw(view: View) -> None:
    """Draw the ledgers of the UTC days of the range, and why they differ."""
    first, last = tables.span(view)
    try:
        found = ledgers.ledgers(partial(_run, view), first, last, view.now)
        models = _models(view, found)
    except errors.TraceError as error:
        show_error(error)
        st.button("Try again", on_click=refresh_now, key="try again")
        return
    _sentence(found)
    if found.days_by:
        _differences(view, found)
        tables.days(found)
        if found.largest:
            tables.largest(view, found, models)
    _owners(found)
    _limits(found)


def _run(view: View, queries: Sequence[tuple[Any, ...]], are_optional: bool = False) -> list[Any]:
    """Run these queries in parallel. Raises the TraceError of one that has no result.

    Unless they are optional and it only took too long.
    """
    pending = [
        view.request(Query(function, tuple(arguments), windows.ticked(view.now, _tick_s(function))))
        for function, *arguments in queries
    ]
    results = [one.result for one in pending]
    for result in results:
        is_slow = isinstance(result.error, errors.QuestionTooSlow)
        if result.value is None and result.error and not (are_optional and is_slow):
            raise result.error
    return [result.value for result in results]


def _tick_s(function: object) -> int:
    return FINISHED_TICK_S if function in (ledgers.logged, ledgers.log_cells) else TICK_S


def _models(view: View, found: Ledgers) -> list[tuple[str, ...]]:
    """The public models of the largest differences, for the links to their requests."""
    cells = [one.cell for one in found.largest]
    queries = [(models_of_cell, one.day, one.key, one.model) for one in cells]
    return [one or () for one in _run(view, queries, are_optional=True)]


def _sentence(found: Ledgers) -> None:
    st.markdown(f"**{label(words.headline(found), LONGEST_SENTENCE)}**")
    st.caption(
        "The log has one row for each request. LiteLLM also adds requests up each UTC day, and in "
        "running totals. The UTC days that the range touches are compared whole; other filters do "
        "not apply."
    )


def _differences(view: View, found: Ledgers) -> None:
    parts = tables.parts(found)
    if parts.empty:
        if found.largest:
            tables.meanings(found)
        return
    names: dict[str, str] = {name: one.title for name, one in words.WORDS.items()}
    days = tuple(line.id for line in found.days)
    with card("Differences in money", tables.DIFFERENCE):
        chart = charts.differences(parts, names, days)
        plot("Differences in money", chart, _axis(view, days))
    tables.meanings(found)


def _axis(view: View, days: Sequence[str]) -> TimeAxis:
    """The axis of these days, which are those of UTC."""
    window = windows.days(date.fromisoformat(days[0]), date.fromisoformat(days[-1]), "UTC")
    return TimeAxis(window, "UTC", windows.BUCKETS["1d"], view.now)


def _owners(found: Ledgers) -> None:
    kind = st.segmented_control(
        "Compared by",
        list(BY),
        format_func=lambda name: BY[name],
        default="key",
        required=True,
        key="ledgers by",
        label_visibility="collapsed",
    )
    tables.owners(found, kind)


def _limits(found: Ledgers) -> None:
    with card("What this does not show"):
        for sentence in (*found.booked.missing, *words.notes(found)):
            st.caption(label(sentence, LONGEST_SENTENCE))

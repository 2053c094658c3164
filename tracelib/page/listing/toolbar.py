"""The strip above the list: sessions over time.

Where a part of the range is chosen, the list is that of the part. The strip shows all of the range,
so that another part can be chosen in it.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib import formatting
from tracelib.charts import strip
from tracelib.charts.base import TimeAxis
from tracelib.page.base import address, chart_range, chart_table
from tracelib.page.base.view import View
from tracelib.page.listing import search_form
from tracelib.page.listing.search_form import CONDITIONS, SORTS
from tracelib.page.text.markdown_escape import label
from tracelib.sessions import SessionSearch, in_words
from tracelib.window import TimeWindow, bucket_starts

KEY, TITLE = "session strip", "Sessions over time"
CONFIG = {"displayModeBar": False, "scrollZoom": False, "showTips": False}


def whole(view: View) -> View:
    """The same page with all of its range, which a chosen part is shown in.

    A range that has moved on may be past the part: then it is the page as it is.
    """
    choice = replace(view.choice, part=None)
    filters = choice.filters(view.now, view.filters.zone)
    part = view.filters.window
    is_past = part.end <= filters.window.start or part.start >= filters.window.end
    return view if is_past else replace(view, choice=choice, filters=filters)


def part(view: View) -> TimeWindow | None:
    """Which part of the range does the page show? None for all of it."""
    return view.filters.window if view.choice.part else None


def minute(moment: datetime, zone: str) -> str:
    """The moment on the viewer's clock, as text without the year.

    >>> from datetime import UTC
    >>> minute(datetime(2026, 11, 23, 12, 5, 9, tzinfo=UTC), "Europe/Paris")
    '23 Nov 13:05'
    """
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %H:%M}"


def show(
    spread: pd.DataFrame,
    axis: TimeAxis,
    part: TimeWindow | None,
    unread_until: datetime | None = None,
    is_final: bool = True,
) -> None:
    """Draw the sessions over time, in which a part of the range can be chosen.

    Not while it is not final: it is drawn again every second then.
    """
    key = KEY if is_final else f"{KEY} moving"
    if is_final:
        chart_range.note(key, TITLE, axis)
    figure = strip.sessions(spread, axis, part, unread_until)
    st.plotly_chart(figure, key=key, config=CONFIG, alt=TITLE)
    if is_final:
        chart_table.offer(TITLE, figure, axis.zone)


def spread_of(rows: pd.DataFrame, axis: TimeAxis) -> pd.DataFrame:
    """The number of sessions per bucket of the axis, each at its last activity."""
    starts = pd.Series(
        bucket_starts(axis.window, axis.bucket, axis.zone), dtype="datetime64[us, UTC]"
    )
    position = starts.searchsorted(rows["last_started_at"], side="right") - 1
    has_failures = rows["failures"] > 0
    counts = {
        "sessions": pd.Series(position).value_counts(),
        "with_failures": pd.Series(position[has_failures.to_numpy()]).value_counts(),
    }
    spread = pd.DataFrame(counts).reindex(range(len(starts))).fillna(0)
    return spread.assign(bucket=starts)


NAME = "name"
LONGEST_NAME = 80
# The position in the list is not part of a search.
LEFT_OUT = (NAME, address.AFTER)


def heading() -> None:
    """Draw the name of the saved search, also in the browser's tab; nothing without one."""
    name = _name()
    if not name:
        return
    st.set_page_config(page_title=f"{name} · LLM traceability")
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.subheader(label(name, LONGEST_NAME), anchor=False, width="content")
        st.button(
            "Close",
            key="remove the name",
            icon=":material/close:",
            type="tertiary",
            help="Remove the name, keep the search",
            on_click=address.close,
            args=(NAME,),
        )


def save_search() -> None:
    """Draw the button that saves this search under a name and a link."""
    with st.popover("Save search", icon=":material/bookmark:", type="tertiary"):
        name = st.text_input(
            "Name",
            _name(),
            max_chars=LONGEST_NAME,
            key="name to save",
            placeholder="e.g. Refunds this week",
        ).strip()
        st.caption(
            "This link stores the search, its time range and filters, and the name as the title of "
            "the list. Bookmark or share it."
        )
        st.code(_link(name), language=None, wrap_lines=True)


def _name() -> str:
    return " ".join(st.query_params.get(NAME, "").split())[:LONGEST_NAME]


def _link(name: str) -> str:
    query = {
        parameter: st.query_params.get_all(parameter)
        for parameter in st.query_params
        if parameter not in LEFT_OUT
    }
    named = {NAME: [name]} if name else {}
    address_of_page = (st.context.url or "").split("?")[0]
    return f"{address_of_page}?{urlencode(named | query, doseq=True)}"


def line() -> DeltaGenerator:
    """The line of the toolbar, next to the number of sessions if it is known."""
    return st.container(horizontal=True, vertical_alignment="center", gap="xsmall")


def sentence(view: View, search: SessionSearch) -> None:
    """Draw the search as a sentence: time, conditions and order."""
    for fields in CONDITIONS:
        if search_form.is_set(search, fields):
            words = ", ".join(in_words(search_form.only(search, fields)))
            _chip(words, fields[0], "Remove this condition", _remover(search, fields))
    st.caption(f"{_range(view, search)}{SORTS[search.sort].lower()} first")
    save_search()


def counted(count: int) -> str:
    """
    >>> counted(0), counted(1), counted(1_200)
    ('0 sessions', '1 session', '1,200 sessions')
    """
    return formatting.counted(count, "session")


def _range(view: View, search: SessionSearch) -> str:
    """The time range in a few words, unless a chip shows it; the head of the page has all of it."""
    if search.id:
        return "At any time, "
    return "" if view.choice.part else f"{view.choice.range.title}, "


def _chip(words: str, key: str, what: str, remove: Callable[[], None]) -> None:
    st.button(
        label(words, 60),
        key=f"condition {key}",
        icon=":material/close:",
        help=what,
        on_click=remove,
    )


def _remover(search: SessionSearch, fields: tuple[str, ...]) -> Callable[[], None]:
    return lambda: search_form.write(search_form.without(search, fields))

"""What is sought, in words above the results; each condition is a chip that can be removed."""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib import formatting
from tracelib.page import kept_searches, session_search, session_strip
from tracelib.page.safe import label
from tracelib.page.session_search import CONDITIONS, SORTS
from tracelib.page.view import View
from tracelib.sessions import SessionSearch, in_words
from tracelib.window import TimeWindow


def line() -> DeltaGenerator:
    """The line in which they stand, beside how many sessions there are where that is known."""
    return st.container(horizontal=True, vertical_alignment="center", gap="xsmall")


def sentence(view: View, search: SessionSearch, part: TimeWindow | None) -> None:
    """Sessions of which time, of which kind, in which order?"""
    if part is not None and not search.id:
        words = session_strip.range_in_words(part, view.filters.zone)
        _chip(words, "part", "Show the whole range", session_strip.choose_whole)
    for fields in CONDITIONS:
        if session_search.is_set(search, fields):
            words = ", ".join(in_words(session_search.only(search, fields)))
            _chip(words, fields[0], "Remove this condition", _remover(search, fields))
    st.caption(f"{_range(view, search, part)}{SORTS[search.sort].lower()} first")
    kept_searches.keep(view)


def counted(count: int) -> str:
    """
    >>> counted(0), counted(1), counted(1_200)
    ('0 sessions', '1 session', '1,200 sessions')
    """
    return formatting.counted(count, "session")


def _range(view: View, search: SessionSearch, part: TimeWindow | None) -> str:
    """The time range in a few words, where no chip says it; the head of the page says all of it."""
    if search.id:
        return "At any time, "
    if part is not None:
        return ""
    return f"{view.choice.range.title}, "


def _chip(words: str, key: str, what: str, remove: Callable[[], None]) -> None:
    st.button(
        label(words, 60),
        key=f"condition {key}",
        icon=":material/close:",
        help=what,
        on_click=remove,
    )


def _remover(search: SessionSearch, fields: tuple[str, ...]) -> Callable[[], None]:
    return lambda: session_search.say(session_search.without(search, fields))

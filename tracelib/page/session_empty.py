"""Why no session was found, and what to do about it."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from tracelib import formatting
from tracelib.filters import DIMENSIONS
from tracelib.page import address, range_picker, session_search, session_strip
from tracelib.page.cards import nothing
from tracelib.page.view import View
from tracelib.ranges import Last
from tracelib.sessions import SessionSearch
from tracelib.window import TimeWindow


def show_empty(
    view: View, search: SessionSearch, part: TimeWindow | None, read: int | None = None
) -> None:
    """Why is there none, and what may help? `read` requests were searched, where known."""
    nothing(_why(view, search, part, read))
    with st.container(horizontal=True, gap="xsmall"):
        if part is not None and not search.id:
            _offer("Search the whole range", session_strip.choose_whole)
        elif (longer := _longer(view)) and not search.id:
            _offer(f"Search the {longer.title.lower()}", address.change, range=longer)
        if not search.is_plain:
            plain = SessionSearch(sort=search.sort)
            _offer("Clear the search", session_search.say, search=plain)
        if view.filters.chosen() and not search.id:
            _offer("Remove the filters", address.change, **dict.fromkeys(DIMENSIONS, ()))


def _why(view: View, search: SessionSearch, part: TimeWindow | None, read: int | None) -> str:
    if search.id:
        return "No session, request or call with this ID, in any time range."
    where = "in this part of the time range" if part else "in this time range"
    if read is not None:
        return (
            f"No sessions match this search {where}. Requests searched: {formatting.exact(read)}."
        )
    if not search.is_plain:
        return f"No sessions match this search {where}. A search by ID ignores the time range."
    if view.filters.chosen():
        return f"No sessions {where} with these filters."
    return f"No sessions {where}. Status shows how far back the log reaches."


def _longer(view: View) -> Last | None:
    """The next longer of the ranges that the list names; None where it names no longer one."""
    chosen = view.choice.range
    if not isinstance(chosen, Last):
        return None
    return next((one for one in range_picker.LASTS if one.hours > chosen.hours), None)


def _offer(title: str, do: Callable[..., None], **arguments: Any) -> None:
    st.button(title, key=f"offer {title}", on_click=do, kwargs=arguments)

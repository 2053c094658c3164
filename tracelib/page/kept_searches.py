"""Searches that are kept as links: a link with a name is all that keeping takes."""

from urllib.parse import urlencode

import streamlit as st

from tracelib.page import address, session_strip
from tracelib.page.safe import label
from tracelib.page.view import View

NAME = "name"
LONGEST_NAME = 80
# Where somebody happened to be in the list is no part of the search.
LEFT_OUT = (NAME, address.PLACE)


def heading() -> None:
    """Which kept search is this? Says its name, also in the browser's tab; nothing without one."""
    name = _name()
    if not name:
        return
    st.set_page_config(page_title=f"{name} · LLM traceability")
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.subheader(label(name, LONGEST_NAME), anchor=False, width="content")
        st.button(
            "Close",
            key="forget the name",
            icon=":material/close:",
            type="tertiary",
            help="Remove the name, keep the search",
            on_click=address.close,
            args=(NAME,),
        )


def keep(view: View) -> None:
    """Under which name, and which link, is this search kept? Draws the button that asks."""
    with st.popover("Save search", icon=":material/bookmark:", type="tertiary"):
        name = st.text_input(
            "Name",
            _name(),
            max_chars=LONGEST_NAME,
            key="name to keep",
            placeholder="e.g. Refunds this week",
        ).strip()
        st.caption(
            "This link stores the search, its time range and filters, and the name as the title of "
            "the list. Bookmark or share it."
        )
        st.code(_link(name, view), language=None, wrap_lines=True)


def _name() -> str:
    return " ".join(st.query_params.get(NAME, "").split())[:LONGEST_NAME]


def _link(name: str, view: View) -> str:
    query = {
        parameter: st.query_params.get_all(parameter)
        for parameter in st.query_params
        if parameter not in LEFT_OUT
    }
    if session_strip.SINCE in query:
        # A part has its own times: the range it was chosen from must not move on without it.
        query |= view.choice.held(view.filters).to_query()
    named = {NAME: [name]} if name else {}
    address_of_page = (st.context.url or "").split("?")[0]
    return f"{address_of_page}?{urlencode(named | query, doseq=True)}"

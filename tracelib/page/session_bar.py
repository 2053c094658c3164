"""The bar above a session: the way back, how it is shown, and ways to hand it on."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib.page import address
from tracelib.page.message import Look
from tracelib.page.view import View
from tracelib.selection import Selection


def begin() -> DeltaGenerator:
    """Draw the way back, and keep the rest of the bar for when the session is known."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All sessions", icon=":material/arrow_back:", on_click=address.close_session)
        return st.container(
            horizontal=True, horizontal_alignment="right", vertical_alignment="center"
        )


def show(bar: DeltaGenerator, view: View, selection: Selection) -> Look:
    """How is this session shown? The URL holds it."""
    with bar:
        _switch(
            "Formatted",
            address.FORMATTED,
            "Lays Markdown out: headings, lists, tables, code. Links and images stay text.",
        )
    return Look(view.filters.zone, address.is_said(address.FORMATTED))


def _switch(title: str, name: str, explained: str) -> None:
    key = f"switch {name}"
    st.session_state[key] = address.is_said(name)
    st.toggle(
        title,
        key=key,
        help=explained,
        on_change=lambda: address.say(name, st.session_state[key]),
    )

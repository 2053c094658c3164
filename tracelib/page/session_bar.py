"""The bar above a session: the way back, how it is shown, and ways to hand it on."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib.page import address, opened_before, session_export
from tracelib.page.message import Look
from tracelib.page.view import View

BESIDE = "session to compare"
MASKED = (
    "Masks e-mail addresses, keys and passwords, card, telephone, bank account and US social "
    "security numbers, and custom patterns, in all messages."
)
FORMATTED = "Renders Markdown: headings, lists, tables, code. Links and images stay text."


def begin() -> DeltaGenerator:
    """Draw the way back, and keep the rest of the bar for when the session is known."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All sessions", icon=":material/arrow_back:", on_click=address.close_session)
        return st.container(
            horizontal=True, horizontal_alignment="right", vertical_alignment="center"
        )


def chosen_look(view: View) -> Look:
    """How is this session shown? The URL holds it."""
    _switch("Masked", address.REDACTED, MASKED)
    if view.installed.access.reads_messages:
        _switch("Formatted", address.FORMATTED, FORMATTED)
    is_formatted = address.is_said(address.FORMATTED)
    return Look(view.filters.zone, is_formatted, redaction=session_export.shown(view))


def compare(session_id: str, api_key: str, look: Look) -> None:
    """Choose a session to be read beside this one, or close the one that is."""
    if address.WITH in st.query_params:
        st.button(
            "Close the comparison",
            icon=":material/close:",
            on_click=address.close_beside,
        )
        return
    with st.popover("Compare", icon=":material/compare_arrows:"):
        st.text_input(
            "ID of the session to compare with", key=BESIDE, on_change=_open_said, max_chars=2_000
        )
        for other in opened_before.others(session_id, api_key):
            st.button(
                opened_before.called(other, look),
                key=f"beside {other.session_id} {other.api_key}",
                type="tertiary",
                on_click=address.open_beside,
                args=(other.session_id, other.api_key),
            )
        st.caption("Sessions opened in this tab are listed here.")


def _open_said() -> None:
    if session_id := st.session_state[BESIDE].strip():
        address.open_beside(session_id, None)


def _switch(title: str, name: str, explained: str) -> None:
    key = f"switch {name}"
    st.session_state[key] = address.is_said(name)
    st.toggle(
        title,
        key=key,
        help=explained,
        on_change=lambda: address.say(name, st.session_state[key]),
    )

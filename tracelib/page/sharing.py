"""The card of the Status page that says who may look, and whether that is noted."""

import streamlit as st

from tracelib.page.cards import card
from tracelib.page.identity import WayIn, way_in
from tracelib.page.view import View

WAYS: dict[WayIn, str] = {
    "open": "Everyone who can open this address sees everything; there is no sign-in.",
    "sign-in": "People sign in, and see what TRACELIB_PEOPLE grants them.",
    "proxy": "A proxy identifies people, and they see what TRACELIB_PEOPLE grants them.",
}
NOTED = "Access to messages is audited."
NOT_NOTED = "No audit log is configured (TRACELIB_AUDIT_LOG)."


def who_may_look(view: View) -> None:
    """Access here, and is it noted what they read?"""
    settings = view.installed.settings
    way = way_in(settings)
    with card("Access"):
        if way == "open":
            st.warning(WAYS[way], icon=":material/lock_open:")
        else:
            st.text(WAYS[way])
        st.text(NOTED if settings.audit_log else NOT_NOTED)

"""The card of the Status page that says who may look, and whether that is noted."""

import streamlit as st

from tracelib.page.cards import card
from tracelib.page.identity import WayIn, way_in
from tracelib.page.view import View

WAYS: dict[WayIn, str] = {
    "open": "Everyone who reaches this address sees everything: nobody has to sign in.",
    "sign-in": "People sign in, and see what TRACELIB_PEOPLE lists for them.",
    "proxy": "A proxy says who somebody is, and they see what TRACELIB_PEOPLE lists for them.",
}
NOTED = "Whoever reads or hands on what was said is noted before it is shown."
NOT_NOTED = "Nobody notes who reads what was said; TRACELIB_AUDIT_LOG would."


def show(view: View) -> None:
    """Who may look here, and is it noted what they read?"""
    settings = view.installed.settings
    way = way_in(settings)
    with card("Who may look"):
        if way == "open":
            st.warning(WAYS[way], icon=":material/lock_open:")
        else:
            st.text(WAYS[way])
        st.text(NOTED if settings.audit_log else NOT_NOTED)

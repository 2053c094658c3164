"""The sessions opened in this browser tab, so that one can be read beside another."""

import streamlit as st

from tracelib import formatting
from tracelib.page.safe import label
from tracelib.sessions import SessionSummary

OPENED = "sessions opened"
MOST = 8

Opened = tuple[str, str, str]  # session id, key, and how it is called


def remember(summary: SessionSummary, zone: str) -> None:
    """Note that this session is open now."""
    who = summary.user_name or summary.key_name or summary.end_user or "Nobody"
    requests = "1 request" if summary.requests == 1 else f"{summary.requests:,} requests"
    called = f"{label(who, 24)}, {formatting.clock(summary.started_at, zone)}, {requests}"
    one = (summary.session_id, summary.api_key, called)
    others = [other for other in st.session_state.get(OPENED, []) if other[:2] != one[:2]]
    st.session_state[OPENED] = [one, *others][:MOST]


def others(session_id: str, api_key: str) -> list[Opened]:
    """Which other sessions were opened here, the last one first?"""
    opened: list[Opened] = st.session_state.get(OPENED, [])
    return [one for one in opened if one[:2] != (session_id, api_key)]

"""The sessions opened in this browser tab, so that one can be read beside another."""

import streamlit as st

from tracelib import formatting
from tracelib.page.message import Look
from tracelib.page.safe import label
from tracelib.redaction import masked
from tracelib.sessions import SessionSummary

OPENED = "sessions opened"
MOST = 8


def remember(summary: SessionSummary) -> None:
    """Note that this session is open now."""
    earlier = others(summary.session_id, summary.api_key)
    st.session_state[OPENED] = [summary, *earlier][:MOST]


def others(session_id: str, api_key: str) -> list[SessionSummary]:
    """Which other sessions were opened here, the last one first?"""
    opened: list[SessionSummary] = st.session_state.get(OPENED, [])
    return [one for one in opened if (one.session_id, one.api_key) != (session_id, api_key)]


def called(summary: SessionSummary, look: Look) -> str:
    """How is this session called in a list? For a label."""
    who, _ = masked(
        summary.user_name or summary.key_name or summary.end_user or "Nobody", look.redaction
    )
    requests = formatting.counted(summary.requests, "request")
    return f"{label(who, 24)}, {formatting.clock(summary.started_at, look.zone)}, {requests}"

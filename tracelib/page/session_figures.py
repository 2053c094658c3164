"""A session's figures, and who asked, with what, and when."""

from collections.abc import Callable

import streamlit as st

from tracelib import formatting
from tracelib.page.cards import card, literal
from tracelib.page.safe import label
from tracelib.sessions import SessionSummary

# Title, and how the figure is written; in the order a reader asks for them.
FIGURES: tuple[tuple[str, Callable[[SessionSummary], str]], ...] = (
    ("Cost", lambda one: formatting.money(one.cost_usd)),
    ("Requests", lambda one: formatting.exact(one.requests)),
    ("Failures", lambda one: formatting.exact(one.failures)),
    ("Tokens", lambda one: formatting.count(one.total_tokens)),
    ("Duration", lambda one: formatting.duration(one.duration_ms)),
    ("Cache hits", lambda one: formatting.exact(one.cache_hits)),
)


def show_figures(summary: SessionSummary, zone: str, title: str = "Session") -> None:
    """What did this session cost, take and hold, and whose was it?"""
    with card(title):
        st.code(summary.session_id, language=None)
        with st.grid(columns=6, min_column_width=130, gap="small"):
            for name, written in FIGURES:
                exact = formatting.exact_money(summary.cost_usd) if name == "Cost" else None
                st.metric(name, literal(written(summary)), help=exact and literal(exact))
        st.caption(" · ".join(_who(summary, zone)))


def _who(summary: SessionSummary, zone: str) -> list[str]:
    """Who asked, with what, and when: only what is known."""
    known = (
        ("User", summary.user_name),
        ("Team", summary.team_name),
        ("Key", summary.key_name),
        ("Agent", summary.agent),
        ("End user", summary.end_user),
        ("Models", ", ".join(summary.models)),
        ("Tags", ", ".join(summary.tags)),
        ("From", formatting.clock(summary.started_at, zone)),
        ("To", formatting.clock(summary.ended_at, zone)),
        ("Zone", zone),
    )
    return [f"{name}: {label(value, 120)}" for name, value in known if value]

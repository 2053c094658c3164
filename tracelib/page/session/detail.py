"""One session: toolbar, figures, timeline, conversation."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib import conversation, errors, formatting, sessions
from tracelib.conversation.order import turn_frame
from tracelib.export import redacted
from tracelib.page.base import address, downloads
from tracelib.page.base.cards import card, escaped_figure, show_missing_result
from tracelib.page.base.derived import derived
from tracelib.page.base.view import View
from tracelib.page.session import (
    attempts,
    chain,
    comparison,
    session_conversation,
    session_timeline,
    verdict,
)
from tracelib.page.session.link_target import (
    only_key,
    refuse_impossible,
    show_namesakes,
    show_not_found,
)
from tracelib.page.text.markdown_escape import label
from tracelib.page.text.message import Look
from tracelib.querying.store import Result, rewritten
from tracelib.redaction import NONE, Redaction, masked
from tracelib.selection import Selection, session
from tracelib.sessions import SessionSummary
from tracelib.sessions.lookup import requests_of

# Fields of a chart that clients choose: model names, and errors that quote them.
CHOSEN_BY_CLIENTS = ("model", "deployment", "asked_model", "error_class", "error_message")


@dataclass(frozen=True, slots=True)
class SessionData:
    """The queries of the page for a selection, before the messages."""

    summary: Result[SessionSummary]
    order: Result[pd.DataFrame]
    requests: Result[pd.DataFrame]


def show(view: View, session_id: str, api_key: str | None) -> None:
    """Draw this session. Shows a message if it does not exist or is not the only one."""
    refuse_impossible(session_id, api_key, st.query_params.get(address.WITH))
    bar = begin()
    with bar:
        look = chosen_look(view)
    if api_key is None:
        api_key = only_key(view, session_id, look.redaction, address.open_session)
    stored = session(session_id, api_key)
    with bar:
        compare(session_id, api_key, look)
    if second := st.query_params.get(address.WITH):
        comparison.show(view, stored, second, st.query_params.get(address.WITH_OF), look)
    else:
        _show_one(view, stored, look, bar)


def _show_one(view: View, stored: Selection, look: Look, bar: DeltaGenerator) -> None:
    data = _query_data(view, stored)
    if isinstance(data.summary.error, errors.NoSuchSession):
        show_not_found(stored.session_ids[0])
        return
    if data.summary.value is None:
        show_missing_result(data.summary)
        return
    remember(data.summary.value)
    selection = stored
    if view.installed.access.reads_messages:
        selection = chain.joined(view, stored, data.summary.value, look)
        with bar:
            downloads.session_buttons(view, selection)
    if selection != stored:
        data = _query_data(view, selection)
    _show_all(view, selection, data, look)


def _query_data(view: View, selection: Selection) -> SessionData:
    summary = view.query(sessions.summary, selection)
    order = view.query(conversation.turn_order, selection)
    requests = view.query(requests_of, selection)
    return SessionData(summary.result, order.result, requests.result)


def _show_all(view: View, selection: Selection, data: SessionData, look: Look) -> None:
    if data.summary.value is None:
        show_missing_result(data.summary)
        return
    summary, _ = redacted(data.summary.value, look.redaction)
    top = st.container()
    show_figures(summary, look.zone, _title(selection))
    if data.order.value is None:
        show_missing_result(data.order)
        return
    position = session_conversation.position_in_url(data.order.value)
    if position.by_id:
        show_namesakes(view, position.by_id)
    page = session_conversation.read(view, selection, data.order.value, position, look)
    opened = position.row.written() if position.row else None
    by_turn = derived(data.requests, turn_frame, data.order)
    named = _without_names(by_turn, look.redaction)
    tried = attempts.found_in(view, selection, data.requests)
    with top:
        verdict.show(session_timeline.timeline_of(named, page).value, tried, address.open_request)
    session_timeline.show(view, named, page, address.open_request, opened)
    attempts.show(tried, data.order.value, look)
    session_conversation.show(page, data.order.value, position, look)
    comparison.show_changes(view, selection, data.order.value, look)


def _title(selection: Selection) -> str:
    if selection.rows:
        return "Requests combined into one conversation"
    several = len(selection.session_ids)
    return f"{several:,} sessions shown as one conversation" if several > 1 else "Session"


def _without_names(requests: Result[pd.DataFrame], redaction: Redaction) -> Result[pd.DataFrame]:
    """The same requests, with the names chosen by clients formatted as on the rest of the page."""
    if redaction == NONE:
        return requests
    return rewritten(
        requests,
        lambda frame: frame.assign(
            **{
                name: frame[name].map(lambda value: redacted(value, redaction)[0])
                for name in CHOSEN_BY_CLIENTS
            }
        ),
    )


# Title and format, in the order of importance.
FIGURES: tuple[tuple[str, Callable[[SessionSummary], str]], ...] = (
    ("Cost", lambda one: formatting.money(one.cost_usd)),
    ("Requests", lambda one: formatting.exact(one.requests)),
    ("Failures", lambda one: formatting.exact(one.failures)),
    ("Tokens", lambda one: formatting.count(one.total_tokens)),
    ("Duration", lambda one: formatting.duration(one.duration_ms)),
    ("Cache hits", lambda one: formatting.exact(one.cache_hits)),
)


def show_figures(summary: SessionSummary, zone: str, title: str = "Session") -> None:
    """Draw the figures of this session."""
    with card(title):
        st.code(summary.session_id, language=None)
        with st.grid(columns=6, min_column_width=130, gap="small"):
            for name, written in FIGURES:
                exact = formatting.exact_money(summary.cost_usd) if name == "Cost" else None
                st.metric(
                    name, escaped_figure(written(summary)), help=exact and escaped_figure(exact)
                )
        st.caption(" · ".join(_who(summary, zone)))


def _who(summary: SessionSummary, zone: str) -> list[str]:
    """Users, models and times: only what is known."""
    facts = (
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
    return [f"{name}: {label(value, 120)}" for name, value in facts if value]


OPENED = "sessions opened"
MOST = 8


def remember(summary: SessionSummary) -> None:
    """Remember that this session is open now."""
    earlier = others(summary.session_id, summary.api_key)
    st.session_state[OPENED] = [summary, *earlier][:MOST]


def others(session_id: str, api_key: str) -> list[SessionSummary]:
    """Which other sessions were opened here, the last one first?"""
    opened: list[SessionSummary] = st.session_state.get(OPENED, [])
    return [one for one in opened if (one.session_id, one.api_key) != (session_id, api_key)]


def title_of(summary: SessionSummary, look: Look) -> str:
    """The title of this session in a list. For a label."""
    who, _ = masked(
        summary.user_name or summary.key_name or summary.end_user or "Unknown user", look.redaction
    )
    requests = formatting.counted(summary.requests, "request")
    return f"{label(who, 24)}, {formatting.clock(summary.started_at, look.zone)}, {requests}"


SECOND = "session to compare"
MASKED = (
    "Masks e-mail addresses, keys and passwords, card, telephone, bank account and US social "
    "security numbers, and custom patterns, in all messages."
)
FORMATTED = "Renders Markdown: headings, lists, tables, code. Links and images stay text."


def begin() -> DeltaGenerator:
    """Draw the way back, and reserve the rest of the bar until the session is known."""
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
    is_formatted = address.is_on(address.FORMATTED)
    return Look(view.filters.zone, is_formatted, redaction=downloads.shown(view))


def compare(session_id: str, api_key: str, look: Look) -> None:
    """Draw the choice of a second session to compare with, or the button that closes it."""
    if address.WITH in st.query_params:
        st.button(
            "Close the comparison",
            icon=":material/close:",
            on_click=address.close_second,
        )
        return
    with st.popover("Compare", icon=":material/compare_arrows:"):
        st.text_input(
            "ID of the session to compare with", key=SECOND, on_change=_open_typed, max_chars=2_000
        )
        for other in others(session_id, api_key):
            st.button(
                title_of(other, look),
                key=f"compare with {other.session_id} {other.api_key}",
                type="tertiary",
                on_click=address.open_second,
                args=(other.session_id, other.api_key),
            )
        st.caption("Sessions opened in this tab are listed here.")


def _open_typed() -> None:
    if session_id := st.session_state[SECOND].strip():
        address.open_second(session_id, None)


def _switch(title: str, name: str, explained: str) -> None:
    key = f"switch {name}"
    st.session_state[key] = address.is_on(name)
    st.toggle(
        title,
        key=key,
        help=explained,
        on_change=lambda: address.switch(name, st.session_state[key]),
    )

"""One session: its figures, and its whole conversation in order."""

import pandas as pd
import streamlit as st

from tracelib import conversation, errors, formatting, sessions
from tracelib.conversation import session_rows
from tracelib.filters import NONE
from tracelib.page import address, transcript
from tracelib.page.cards import card, literal, nothing, unanswered
from tracelib.page.safe import label
from tracelib.page.view import View
from tracelib.selection import session
from tracelib.sessions import SessionSummary

MOST_REQUESTS = 1_000


def show(view: View, session_id: str, api_key: str | None) -> None:
    """What happened in this session? Says so where it does not exist or is not the only one."""
    _way_back()
    if api_key is None:
        api_key = _only_key(view, session_id)
    summary, stored = view.ask(
        (sessions.summary, session(session_id, api_key)),
        (session_rows.stored_requests, session(session_id, api_key), MOST_REQUESTS),
    )
    if summary.value is None:
        unanswered(summary)
        return
    _figures(view, summary.value)
    if stored.value is None:
        unanswered(stored)
        return
    if summary.value.requests > MOST_REQUESTS:
        st.info(f"The first {MOST_REQUESTS} of {summary.value.requests:,} requests are shown.")
    transcript.show(conversation.transcript(stored.value), view.filters.zone)


def _way_back() -> None:
    st.button("All sessions", icon=":material/arrow_back:", on_click=address.close_session)


def _only_key(view: View, session_id: str) -> str:
    """Whose session is it, where the link does not say? Several keys may share an id."""
    (keys,) = view.ask((sessions.keys_of, session_id))
    if keys.value is not None and len(keys.value) == 1:
        return str(keys.value.iloc[0]["api_key"])
    if keys.value is None:
        unanswered(keys)
    elif keys.value.empty:
        nothing(f"{errors.NoSuchSession.sentence} {errors.NoSuchSession.remedy}")
    else:
        _which_key(session_id, keys.value)
    st.stop()


def _which_key(session_id: str, keys: pd.DataFrame) -> None:
    with card("Several keys share this session id; each has a session of its own"):
        for key in keys.to_dict("records"):
            st.button(
                f"{label(key['key_name'] or NONE)}, {key['requests']} requests",
                key=f"session of {key['api_key']}",
                on_click=address.open_session,
                args=(session_id, key["api_key"]),
            )


def _figures(view: View, summary: SessionSummary) -> None:
    with card("Session"):
        st.code(summary.session_id, language=None)
        with st.grid(columns=6, min_column_width=130, gap="small"):
            _figure("Cost", formatting.money(summary.cost_usd))
            _figure("Requests", formatting.exact(summary.requests))
            _figure("Failures", formatting.exact(summary.failures))
            _figure("Tokens", formatting.count(summary.total_tokens))
            _figure("Duration", formatting.duration(summary.duration_ms))
            _figure("Cache hits", formatting.exact(summary.cache_hits))
        st.caption(" · ".join(_who(view, summary)))


def _who(view: View, summary: SessionSummary) -> list[str]:
    """Who asked, with what, and when: only what is known."""
    zone = view.filters.zone
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


def _figure(title: str, value: str) -> None:
    st.metric(title, literal(value))

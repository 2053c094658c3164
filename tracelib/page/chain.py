"""Sessions that go on from one another: told above the page, and read as one where wanted.

The Responses API names the response a turn goes on from, and LiteLLM stores each turn as a
session of its own. That they belong together is stored, not inferred.
"""

from datetime import UTC, datetime

import streamlit as st

from tracelib import formatting
from tracelib.conversation.links import LinkedSession, Links, chained, linked_sessions
from tracelib.page import address, stitching
from tracelib.page.cards import unanswered
from tracelib.page.message import Look
from tracelib.page.safe import label
from tracelib.page.view import View
from tracelib.redaction import masked
from tracelib.selection import Selection
from tracelib.sessions import SessionSummary

TOGGLE = "read the chain as one"
MOST_SHOWN = 8


def joined(view: View, stored: Selection, summary: SessionSummary, look: Look) -> Selection:
    """What is read as one conversation on the page of this session?

    The session, or with it those it is chained to where the URL says so. A session of a single
    request in no chain may be joined with what seems to go on from it.
    """
    links = view.ask(linked_sessions, stored).answer
    if links.value is None:
        unanswered(links)
        return stored
    if not links.value.earlier and not links.value.later:
        _missing(links.value)
        return stitching.offer(view, stored) if summary.requests == 1 else stored
    _told(links.value, look)
    if not _is_wanted():
        return stored
    whole = view.ask(chained, stored).answer
    if whole.value is None:
        unanswered(whole)
    return whole.value or stored


def _told(links: Links, look: Look) -> None:
    """The nearest sessions of the chain on either side."""
    _missing(links)
    _line("Continued from", links.earlier[-MOST_SHOWN:], len(links.earlier), look)
    _line("Continues in", links.later[:MOST_SHOWN], len(links.later), look)
    _until(links.later_until, look.zone)


def _missing(links: Links) -> None:
    if not links.is_earlier_complete:
        st.caption(":material/link_off: Continues a response that is no longer in the log.")


def _until(moment: datetime | None, zone: str) -> None:
    if moment is not None:
        until = min(moment, datetime.now(UTC))
        st.caption(f"Looked for continuations up to {formatting.clock(until, zone)}.")


def _line(title: str, linked: tuple[LinkedSession, ...], of: int, look: Look) -> None:
    if not linked:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f":material/link: {title}", width="content")
        for one in linked:
            model, _ = masked(one.model, look.redaction)
            st.button(
                f"{formatting.clock(one.started_at, look.zone)}, {label(model, 24)}",
                key=f"linked {one.session_id}",
                type="tertiary",
                on_click=address.open_session,
                args=(one.session_id, one.api_key),
            )
        if of > len(linked):
            st.caption(f"and {of - len(linked):,} more", width="content")


def _is_wanted() -> bool:
    st.session_state[TOGGLE] = address.is_said(address.JOINED)
    return st.toggle(
        "Show the chain as one conversation",
        key=TOGGLE,
        on_change=lambda: address.say(address.JOINED, st.session_state[TOGGLE]),
        help="Each turn names the response it continues; LiteLLM stores each as a session.",
    )

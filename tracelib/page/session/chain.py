"""Sessions that continue one another: shown above the page, and read as one if chosen.

In the Responses API a turn names the response it continues, and LiteLLM stores each turn as a
session of its own. That they belong together is stored, not inferred.
"""

from collections import Counter
from datetime import UTC, datetime

import streamlit as st

from tracelib import formatting
from tracelib.conversation.links import LinkedSession, Links, chained, linked_sessions
from tracelib.page.base import address
from tracelib.page.base.cards import show_empty_state, show_missing_result
from tracelib.page.base.view import View
from tracelib.page.text.markdown_escape import label
from tracelib.page.text.message import Look
from tracelib.redaction import masked
from tracelib.selection import Selection
from tracelib.sessions import SessionSummary
from tracelib.stitching import REACH, Reason, Stitched, conversation_around

STITCH = "joined conversation"
EVIDENCE: dict[Reason, str] = {
    "names it": "names the response it continues",
    "extends it": "repeats the messages and response of another",
    "sends it again": "repeats a request that failed just before",
    "restarts it": "resumes a conversation left unfinished just before",
    "summarises it": "begins with the summary of another",
    "works for it": "does the work of a tool call of another, which received its result",
}


def offer(view: View, selection: Selection) -> Selection:
    """The requests to read on the page of this single request, with its inferred others.

    Draws a switch; the URL holds it. If it is off, or nothing is found, the selection stays as it
    is. For sessions of one request: for all others the stored ID says what belongs together.
    """
    st.session_state[STITCH] = address.is_on(address.JOINED)
    is_on = st.toggle(
        "Combine requests that appear to continue this one",
        key=STITCH,
        on_change=lambda: address.switch(address.JOINED, st.session_state[STITCH]),
        help="If a client sends no session ID, each request is stored as its own session. "
        "Their messages may still show which belong together.",
    )
    if not is_on:
        return selection
    found = view.query(conversation_around, selection).result
    if found.value is None:
        show_missing_result(found)
        return selection
    stitched: Stitched = found.value
    _explained(stitched)
    return stitched.selection


def _explained(stitched: Stitched) -> None:
    if not stitched.found:
        show_empty_state(f"No related requests found. {_searched(stitched)}")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.badge("Inferred", color="orange")
        st.caption(
            "This request appears to belong to a conversation of "
            f"{formatting.exact(stitched.found)} requests, which LiteLLM stored as separate "
            f"sessions. {_evidence(stitched)} {_searched(stitched)}",
            width="content",
        )


def _evidence(stitched: Stitched) -> str:
    counted = Counter(link.reason for link in stitched.links)
    evidence = [
        f"{description} ({counted[reason]:,})"
        for reason, description in EVIDENCE.items()
        if counted[reason]
    ]
    return f"Evidence: {'; '.join(evidence)}."


def _searched(stitched: Stitched) -> str:
    hours = int(REACH.total_seconds() // 3600)
    count = formatting.counted(stitched.searched, "single request")
    if stitched.is_bounded:
        return f"Searched: the nearest {count} of its key; there are more within {hours} hours."
    return f"Searched: {count} of its key, all within {hours} hours."


TOGGLE = "read the chain as one"
MOST_SHOWN = 8


def joined(view: View, stored: Selection, summary: SessionSummary, look: Look) -> Selection:
    """The requests to read as one conversation on the page of this session.

    The session, or with it those of its chain if the URL says so. A session of a single request in
    no chain may be joined with requests that seem to continue it.
    """
    links = view.query(linked_sessions, stored).result
    if links.value is None:
        show_missing_result(links)
        return stored
    if not links.value.earlier and not links.value.later:
        _missing(links.value)
        return offer(view, stored) if summary.requests == 1 else stored
    _show_links(links.value, look)
    if not _is_joined():
        return stored
    whole = view.query(chained, stored).result
    if whole.value is None:
        show_missing_result(whole)
    return whole.value or stored


def _show_links(links: Links, look: Look) -> None:
    """Draw the nearest sessions of the chain on either side."""
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


def _is_joined() -> bool:
    st.session_state[TOGGLE] = address.is_on(address.JOINED)
    return st.toggle(
        "Show the chain as one conversation",
        key=TOGGLE,
        on_change=lambda: address.switch(address.JOINED, st.session_state[TOGGLE]),
        help="Each turn names the response it continues; LiteLLM stores each as a session.",
    )

"""The offer to read requests as one conversation that are stored apart: off by default."""

from collections import Counter

import streamlit as st

from tracelib import formatting
from tracelib.page import address
from tracelib.page.cards import nothing, unanswered
from tracelib.page.view import View
from tracelib.selection import Selection
from tracelib.stitching import REACH, Reason, Stitched, conversation_around

STITCH = "joined conversation"
SIGNS: dict[Reason, str] = {
    "names it": "names the response it continues",
    "extends it": "repeats the messages and response of another",
    "sends it again": "repeats a request that failed just before",
    "begins anew": "resumes a conversation left unfinished just before",
    "sums it up": "begins with the summary of another",
    "was handed on": "does the work of a tool call of another, which received its result",
}


def offer(view: View, selection: Selection) -> Selection:
    """Which requests are read on the page of this single request, with its inferred others?

    Draws a switch; the URL holds it. Off, and where nothing is found, the selection stays as
    it is. For sessions of one request: of all others the stored id says what belongs together.
    """
    st.session_state[STITCH] = address.is_said(address.JOINED)
    is_wanted = st.toggle(
        "Combine requests that appear to continue this one",
        key=STITCH,
        on_change=lambda: address.say(address.JOINED, st.session_state[STITCH]),
        help="If a client sends no session ID, each request is stored as its own session. "
        "Their messages may still show which belong together.",
    )
    if not is_wanted:
        return selection
    found = view.ask(conversation_around, selection).answer
    if found.value is None:
        unanswered(found)
        return selection
    stitched: Stitched = found.value
    _explained(stitched)
    return stitched.selection


def _explained(stitched: Stitched) -> None:
    if not stitched.found:
        nothing(f"No related requests found. {_searched(stitched)}")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.badge("Inferred", color="orange")
        st.caption(
            "This request appears to belong to a conversation of "
            f"{formatting.exact(stitched.found)} requests, which LiteLLM stored as separate "
            f"sessions. {_signs(stitched)} {_searched(stitched)}",
            width="content",
        )


def _signs(stitched: Stitched) -> str:
    counted = Counter(link.reason for link in stitched.links)
    told = [f"{sign} ({counted[reason]:,})" for reason, sign in SIGNS.items() if counted[reason]]
    return f"Evidence: {'; '.join(told)}."


def _searched(stitched: Stitched) -> str:
    hours = int(REACH.total_seconds() // 3600)
    count = formatting.counted(stitched.searched, "single request")
    if stitched.is_bounded:
        return f"Searched: the nearest {count} of its key; there are more within {hours} hours."
    return f"Searched: {count} of its key, all within {hours} hours."

"""The offer to read requests as one conversation that are stored apart: off by default."""

from collections import Counter

import streamlit as st

from tracelib import formatting, stitching
from tracelib.page import address
from tracelib.page.cards import nothing, unanswered
from tracelib.page.view import View
from tracelib.selection import Selection
from tracelib.stitching import Reason, Stitched

TOGGLE = "joined conversation"
WORDS: dict[Reason, str] = {
    "names it": "name the response they go on from",
    "extends it": "repeat the messages and the answer of another and go on from there",
    "sends it again": "send again what failed within two minutes before",
    "begins anew": "open a conversation anew that was left open within two minutes before",
    "sums it up": "begin with the summary of another",
    "was handed on": "work on what a tool call of another handed on and brought back",
}


def offer(view: View, selection: Selection) -> Selection:
    """Which requests are read on the page of this single request, with its inferred others?

    Draws a switch; the URL holds it. Off, and where nothing is found, the selection stays as
    it is. For sessions of one request: of all others the stored id says what belongs together.
    """
    st.session_state[TOGGLE] = address.is_said(address.JOINED)
    is_wanted = st.toggle(
        "Join requests that seem to go on from this one",
        key=TOGGLE,
        on_change=lambda: address.say(address.JOINED, st.session_state[TOGGLE]),
        help="The client sent no session id. What was said may still tell what belongs together.",
    )
    if not is_wanted:
        return selection
    (found,) = view.ask((stitching.conversation_around, selection))
    if found.value is None:
        unanswered(found)
        return selection
    stitched: Stitched = found.value
    _explained(stitched)
    return stitched.selection


def _explained(stitched: Stitched) -> None:
    if not stitched.found:
        nothing(f"Nothing joins this request to another. {_searched(stitched)}")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.badge("Inferred", color="orange")
        st.caption(
            f"This request seems to belong to a conversation of {stitched.found:,} requests: "
            f"{_reasons(stitched)}. LiteLLM stored them as sessions of their own. "
            f"{_searched(stitched)}",
            width="content",
        )


def _reasons(stitched: Stitched) -> str:
    counted = Counter(link.reason for link in stitched.links)
    return ", ".join(f"{counted[reason]:,} {WORDS[reason]}" for reason in WORDS if counted[reason])


def _searched(stitched: Stitched) -> str:
    hours = int(stitching.REACH.total_seconds() // 3600)
    searched = formatting.exact(stitched.searched)
    nearest = "the nearest " if stitched.is_bounded else ""
    return (
        f"Searched were {nearest}{searched} single requests of its key, "
        f"up to {hours} hours before and after it."
    )

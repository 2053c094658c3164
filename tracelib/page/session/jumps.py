"""Jumps within a conversation: to its failures, and to the places with a searched text."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.conversation.pieces import Address
from tracelib.conversation.reading import TurnPage
from tracelib.conversation.sections import written_message
from tracelib.page.base import address
from tracelib.page.text.markdown_escape import label
from tracelib.redaction import Redaction, masked

# As many as are useful to choose from; the rest are in the timeline.
MOST = 60


@dataclass(frozen=True, slots=True)
class Jump:
    """A turn to go to, by its number and its request as in links, or a message of it."""

    name: str
    turn: int
    row: str
    message: str | None = None


def to_failures(order: pd.DataFrame) -> None:
    """Draw a jump to each failure of the conversation. Nothing if there are none."""
    failed = order.index[order["is_failure"]]
    numbers = [(int(index) + 1, order["rows"][index][0].written()) for index in failed]
    jumps = [Jump(str(number), number, row) for number, row in numbers]
    _line(f"{formatting.counted(len(failed), 'failure')}: request", jumps, "failure")


def matches_on(page: TurnPage, text: str) -> list[Jump]:
    """Where on this page is this text, as it is stored? A request each, or a message of a long one.

    A request that is too long to be drawn at once has a jump for each section with the text.
    """
    folded, found = text.casefold(), dict[Address, Jump]()
    for turn in page.turns if folded else ():
        starts = [one.start for one in page.sections if one.start[0] == turn.number]
        row = turn.request.row.written()
        for number, message in enumerate((*turn.new_messages, *turn.responses), start=1):
            if not any(folded in part.text.casefold() for part in message.parts):
                continue
            at = (turn.number, number, 1)
            if len(starts) < 2:
                found.setdefault((turn.number, 0, 0), Jump(str(turn.number), turn.number, row))
                break
            start = max((one for one in starts if one <= at), default=starts[0])
            name = f"{turn.number}, message {number:,}"
            found.setdefault(start, Jump(name, turn.number, row, written_message(at)))
    return list(found.values())


def to_matches(page: TurnPage, text: str, jumps: Sequence[Jump], redaction: Redaction) -> None:
    """Draw a jump to each of the places with this text, formatted as the rest of the page."""
    if not text:
        return
    where = "" if len(page.turns) == page.total else " on this page"
    quoted = f"“{label(masked(text, redaction)[0])}”"
    if jumps:
        _line(f"{quoted} appears{where} in request", jumps, "match")
    else:
        st.caption(f"{quoted} appears in no request{where}.", width="content")


def _line(title: str, jumps: Sequence[Jump], kind: str) -> None:
    if not jumps:
        return
    key = f"jumps-{kind}"
    with st.container(horizontal=True, wrap=False, width="content", key=key, gap="xsmall"):
        st.caption(title, width="content")
        for jump in jumps[:MOST]:
            st.button(
                jump.name,
                key=f"{kind} {jump.name}",
                type="tertiary",
                on_click=address.open_request,
                args=(jump.row, jump.message),
            )
        if len(jumps) > MOST:
            st.caption(f"and {len(jumps) - MOST:,} more", width="content")

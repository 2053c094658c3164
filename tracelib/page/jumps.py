"""Ways to places in a conversation: to its failures, and to where the sought words stand."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.conversation.reading import TurnPage
from tracelib.page import address
from tracelib.page.safe import label
from tracelib.redaction import Redaction, masked

# As many as are worth choosing from; the rest are found from the timeline.
MOST = 60

Jump = tuple[int, str]  # the number of a turn, and its request as links name it


def to_failures(order: pd.DataFrame) -> None:
    """A way to each failure of the conversation. Nothing where there is none."""
    failed = order.index[order["is_failure"]]
    places = [(int(index) + 1, order["rows"][index][0].written()) for index in failed]
    _line(f"{formatting.counted(len(failed), 'failure')}: request", places, "failure")


def standing(page: TurnPage, said: str) -> list[Jump]:
    """In which requests of this page does something hold these words, as it is stored?"""
    sought = said.casefold()
    return [
        (turn.number, turn.request.row.written())
        for turn in page.turns
        if sought
        and any(
            sought in part.text.casefold()
            for message in (*turn.asked, *turn.answered)
            for part in message.parts
        )
    ]


def to_words(page: TurnPage, said: str, places: Sequence[Jump], redaction: Redaction) -> None:
    """A way to each of the places where these words stand, written as the rest of the page is."""
    if not said:
        return
    where = "" if len(page.turns) == page.total else " on this page"
    quoted = f"“{label(masked(said, redaction)[0])}”"
    if places:
        _line(f"{quoted} appears{where} in request", places, "said")
    else:
        st.caption(f"{quoted} appears in no request{where}.", width="content")


def _line(title: str, places: Sequence[Jump], kind: str) -> None:
    if not places:
        return
    key = f"jumps-{kind}"
    with st.container(horizontal=True, wrap=False, width="content", key=key, gap="xsmall"):
        st.caption(title, width="content")
        for number, row in places[:MOST]:
            st.button(
                str(number),
                key=f"{kind} {number}",
                type="tertiary",
                on_click=address.open_request,
                args=(row,),
            )
        if len(places) > MOST:
            st.caption(f"and {len(places) - MOST:,} more", width="content")

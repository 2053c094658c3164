"""What is notable in a session, with a way to the requests that show it."""

from collections.abc import Callable, Sequence

import streamlit as st

from tracelib.conversation.operations import Operation
from tracelib.page.base.cards import escaped_figure
from tracelib.timeline import Timeline
from tracelib.timeline.verdict import Remark, verdict


def show(
    data: Timeline | None, attempts: Sequence[Operation], on_open: Callable[[str], None]
) -> None:
    """Draw what is notable; nothing if nothing is. A click on a request calls `on_open`."""
    if data is None:
        return
    made_good = {row.written() for one in attempts if one.served_model for row in one.rows}
    remarks = verdict(data, made_good)
    if not remarks:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="verdict"):
        for number, remark in enumerate(remarks):
            _draw(f"{'· ' if number else ''}{remark.words}", remark, on_open)


def _draw(words: str, remark: Remark, on_open: Callable[[str], None]) -> None:
    st.markdown(f"**{escaped_figure(words)}**", width="content")
    for number, row in remark.requests:
        st.button(
            f"request {number}",
            key=f"verdict {remark.words} {number}",
            type="tertiary",
            on_click=on_open,
            args=(row,),
        )

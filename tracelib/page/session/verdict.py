"""What stands out in a session, with a way to the requests that show it."""

from collections.abc import Callable, Sequence

import streamlit as st

from tracelib.conversation.operations import Operation
from tracelib.page.base.cards import escaped_figure
from tracelib.timeline import Timeline
from tracelib.timeline.verdict import Remark, verdict


def show(
    data: Timeline | None, attempts: Sequence[Operation], on_open: Callable[[str], None]
) -> None:
    """Draw what stands out; nothing if nothing does. A click on a request calls `on_open`."""
    if data is None:
        return
    made_good = {row.written() for one in attempts if one.served_model for row in one.rows}
    remarks = verdict(data, made_good)
    if not remarks:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="verdict"):
        for number, remark in enumerate(remarks, start=1):
            _draw(remark, on_open, is_last=number == len(remarks))


def _draw(remark: Remark, on_open: Callable[[str], None], is_last: bool) -> None:
    sign = "." if is_last else ";"
    end = "" if remark.requests else sign
    st.markdown(f"**{escaped_figure(remark.words)}{end}**", width="content")
    for position, (number, row) in enumerate(remark.requests, start=1):
        st.button(
            f"request {number}{sign if position == len(remark.requests) else ','}",
            key=f"verdict {remark.words} {number}",
            type="tertiary",
            on_click=on_open,
            args=(row,),
        )

"""The parts of a page: one is shown, so that only its queries run."""

from collections.abc import Callable, Mapping

import streamlit as st

from tracelib.page.base import address
from tracelib.page.base.view import View

Parts = Mapping[str, Callable[[View], None]]


def draw(view: View, parts: Parts) -> None:
    """Draw the choice of a part, and the part that the URL names: the first if it names none."""
    part = address.part(parts)
    if len(parts) > 1:
        st.segmented_control(
            "Part of the page",
            list(parts),
            default=part,
            required=True,
            key=f"part {part}",
            on_change=_open,
            args=(f"part {part}", next(iter(parts))),
            label_visibility="collapsed",
        )
    parts[part](view)


def _open(key: str, first: str) -> None:
    address.open_part(st.session_state[key], first)

"""Choosing a row of a table that may change between the drawing and the click.

A click tells a position. It is looked up in the rows as they were drawn, before new ones
are asked for: else a session that has just arrived would be opened instead.
"""

import pandas as pd
import streamlit as st

PICKED = "row picked"


def show(key: str, rows: pd.DataFrame) -> None:
    """Remember which session stands in which row of the table with this key."""
    st.session_state[f"{key} as drawn"] = list(
        zip(rows["session_id"], rows["api_key"], strict=True)
    )


def take(key: str) -> None:
    """A row was clicked; for the table's callback, which runs before the page does."""
    selection = st.session_state[key]["selection"]
    positions = selection["rows"] or [row for row, _ in selection["cells"]]
    drawn = st.session_state.get(f"{key} as drawn", [])
    if positions and positions[0] < len(drawn):
        st.session_state[PICKED] = drawn[positions[0]]


def taken() -> dict[str, str] | None:
    """Which session was clicked, as the URL's parameters? Each click is told once."""
    picked = st.session_state.pop(PICKED, None)
    return {"session": picked[0], "of": picked[1]} if picked else None

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
    positions = [row for row, _ in selection["cells"]] or selection["rows"]
    drawn = st.session_state.get(f"{key} as drawn", [])
    if positions and positions[0] < len(drawn):
        st.session_state[PICKED] = drawn[positions[0]]


def take_or_tick(key: str) -> None:
    """A cell was clicked, or rows were ticked; for the callback of a table that has both."""
    selection = st.session_state[key]["selection"]
    if selection["cells"]:
        take(key)
    drawn = st.session_state.get(f"{key} as drawn", [])
    st.session_state[f"{key} ticked"] = [
        drawn[position] for position in selection["rows"] if position < len(drawn)
    ]


def ticked(key: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Which of these sessions are ticked, wherever they stood when they were?"""
    sessions = st.session_state.get(f"{key} ticked", [])
    standing = zip(rows["session_id"], rows["api_key"], strict=True)
    return rows[[one in sessions for one in standing]]


def hold(key: str, rows: pd.DataFrame) -> None:
    """Let each tick stay with its session, whichever row it stands in now; before the table."""
    places = rows.index.get_indexer(ticked(key, rows).index).tolist()
    state = st.session_state.get(key)
    if state is not None and sorted(state["selection"]["rows"]) != places:
        st.session_state[key] = {"selection": {"rows": places, "columns": [], "cells": []}}


def taken() -> dict[str, str] | None:
    """Which session was clicked, as the URL's parameters? Each click is told once."""
    picked = st.session_state.pop(PICKED, None)
    return {"session": picked[0], "of": picked[1]} if picked else None

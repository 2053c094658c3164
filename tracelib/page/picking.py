"""Choosing a row of a table that may change between the drawing and the click.

A click tells a position. It is looked up in the rows as they were drawn, before new ones
are asked for: else a session that has just arrived would be opened instead.
"""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd
import streamlit as st

from tracelib.selection import RowId

PICKED = "row picked"
TAKEN = "rows taken"


class Picked(NamedTuple):
    """What was clicked: a session, the request of the row where it has one, and the column."""

    session_id: str
    api_key: str
    row: RowId | None
    column: str | None


def element(key: str) -> str:
    """What is the table called in the browser? Anew after each row that was taken.

    A browser keeps what is chosen in a table, and a click on what is chosen says nothing.
    """
    return f"{key} {st.session_state.get(TAKEN, 0)}"


def show(key: str, rows: pd.DataFrame) -> None:
    """Remember which session each row of the table with this key has.

    Rows of requests, with `request_id` and `started_at`, lead to the request there.
    """
    requests: Iterable[RowId | None] = [None] * len(rows)
    if "request_id" in rows:
        requests = map(RowId, rows["request_id"], rows["started_at"])
    st.session_state[f"{key} as drawn"] = list(
        zip(rows["session_id"], rows["api_key"], requests, strict=True)
    )


def take(key: str) -> None:
    """A row was clicked; for the table's callback, which runs before the page does."""
    selection = st.session_state[element(key)]["selection"]
    cells = selection["cells"] or [(row, None) for row in selection["rows"]]
    for row, column in cells[:1]:
        take_row(key, row, column)


def take_row(key: str, position: int, column: str | None = None) -> None:
    """Take over the row that stands there in the table with this key; for callbacks."""
    drawn = st.session_state.get(f"{key} as drawn", [])
    if position < len(drawn):
        session_id, api_key, row = drawn[position]
        st.session_state[PICKED] = Picked(session_id, api_key, row, column)


def take_or_tick(key: str) -> None:
    """A cell was clicked, or rows were ticked; for the callback of a table that has both."""
    selection = st.session_state[element(key)]["selection"]
    if selection["cells"]:
        take(key)
    drawn = st.session_state.get(f"{key} as drawn", [])
    st.session_state[f"{key} ticked"] = [
        drawn[position][:2] for position in selection["rows"] if position < len(drawn)
    ]


def ticked(key: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Which of these sessions are ticked, wherever they stood when they were?"""
    sessions = st.session_state.get(f"{key} ticked", [])
    standing = zip(rows["session_id"], rows["api_key"], strict=True)
    return rows[[one in sessions for one in standing]]


def hold(key: str, rows: pd.DataFrame) -> None:
    """Let each tick stay with its session, whichever row it stands in now; before the table."""
    places = rows.index.get_indexer(ticked(key, rows).index).tolist()
    name = element(key)
    if sorted(_rows_chosen(name)) != places:
        st.session_state[name] = {"selection": {"rows": places, "columns": [], "cells": []}}


def taken() -> Picked | None:
    """Which row was clicked? Each click is given once."""
    picked: Picked | None = st.session_state.pop(PICKED, None)
    if picked is not None:
        st.session_state[TAKEN] = st.session_state.get(TAKEN, 0) + 1
    return picked


def _rows_chosen(name: str) -> list[int]:
    chosen: list[int] = st.session_state.get(name, {"selection": {"rows": []}})["selection"]["rows"]
    return chosen

"""The table of sessions: one row each; a click opens it, two that are ticked are compared."""

from typing import Any

import pandas as pd
import streamlit as st

from tracelib import conversation, formatting
from tracelib.filters import Filters
from tracelib.page import address, picking, session_said
from tracelib.page.cards import known, money_format
from tracelib.page.picking import Picked
from tracelib.page.session_said import NOTHING, Sought
from tracelib.page.view import View
from tracelib.selection import session

ROW_PX = 33
TALLEST_PX = 760


def show(
    view: View,
    filters: Filters,
    rows: pd.DataFrame,
    key: str,
    is_of_failures: bool,
    sought: Sought = NOTHING,
) -> None:
    """Draw these sessions; a click opens one. Another key is another list, read from its top.

    A click on a session's errors, and in a list of failures any click, leads to its first
    failure.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        session_said.switch(view, sought)
        _compare(picking.ticked(key, rows))
    words = session_said.of(view, filters, rows, sought)
    shown = rows.assign(
        words=words,
        duration=[formatting.duration(known(value)) for value in rows["duration_ms"]],
        beyond=rows["goes_on"].map({True: "goes on", False: ""}),
    )
    heading = None if words is None else sought.heading
    columns = _columns(rows["cost_usd"], filters.zone, heading)
    picking.hold(key, rows)
    st.dataframe(
        # What is not shown is not sent either.
        shown[list(columns)],
        hide_index=True,
        placeholder=formatting.UNKNOWN,
        height=min(ROW_PX * (len(rows) + 1) + 4, TALLEST_PX),
        column_config=columns,
        on_select=lambda: picking.take_or_tick(key),
        selection_mode=["multi-row", "single-cell"],
        key=picking.element(key),
    )
    picking.show(key, rows)
    if picked := picking.taken():
        is_at_failure = is_of_failures or picked.column == "failures"
        place = _first_failure(view, picked) if is_at_failure else None
        address.open_session(picked.session_id, picked.api_key, place)
        st.rerun()


def _first_failure(view: View, picked: Picked) -> str | None:
    """Which request of this session failed first? None where none did."""
    (order,) = view.ask((conversation.turn_order, session(picked.session_id, picked.api_key)))
    if order.value is None or not order.value["is_failure"].any():
        return None
    return str(order.value.loc[order.value["is_failure"], "request_id"].iloc[0])


def _compare(ticked: pd.DataFrame) -> None:
    """The earlier one is read on the left: a change is that of the later against it."""
    is_clicked = st.button(
        "Compare these two",
        icon=":material/compare_arrows:",
        help="Tick two sessions to read them side by side.",
        disabled=len(ticked) != 2,
        key="compare ticked",
    )
    if is_clicked and len(ticked) == 2:
        in_time = ticked.sort_values("started_at")
        address.open_pair(*zip(in_time["session_id"], in_time["api_key"], strict=True))
        st.rerun()


def _columns(costs: "pd.Series[float]", zone: str, heading: str | None) -> dict[str, Any]:
    """The columns in their order, each with its heading and how it is written.

    What a telephone has room for comes first: when, how dear, how bad, how long.
    """
    column = st.column_config
    words = {"words": column.TextColumn(heading, width=420)} if heading else {}
    return {
        "last_started_at": _moment("Last activity", zone, "When its last request began."),
        "cost_usd": column.NumberColumn("Cost", format=money_format(costs), width=96),
        "failures": column.NumberColumn("Errors", format="localized", width=52),
        "requests": column.NumberColumn("Requests", format="localized", width=68),
        **words,
        "user_name": column.TextColumn("User", width=120),
        "team_name": column.TextColumn("Team", width=126),
        "key_name": column.TextColumn("Key", width=126),
        "models": column.TextColumn("Models", width=157),
        "total_tokens": column.NumberColumn("Tokens", format="compact", width=60),
        "duration": column.TextColumn("Duration", width=85),
        "started_at": _moment("First activity", zone),
        "beyond": column.TextColumn("Outside the range"),
        "session_id": column.TextColumn("Session", width="small"),
    }


def _moment(title: str, zone: str, explained: str | None = None) -> Any:
    return st.column_config.DatetimeColumn(
        title, timezone=zone, format="D MMM HH:mm:ss", width=106, help=explained
    )

"""The table of sessions: one row each, and a click opens it."""

from typing import Any

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.page import address, picking
from tracelib.page.cards import known, money_format

ROW_PX = 33
TALLEST_PX = 760


def show(rows: pd.DataFrame, zone: str, key: str) -> None:
    """Which sessions are these? Another key is another list, which is read from its top."""
    shown = rows.assign(
        duration=[formatting.duration(known(value)) for value in rows["duration_ms"]],
        beyond=rows["goes_on"].map({True: "goes on", False: ""}),
    )
    columns = _columns(rows["cost_usd"], zone)
    st.dataframe(
        shown,
        hide_index=True,
        placeholder=formatting.UNKNOWN,
        height=min(ROW_PX * (len(rows) + 1) + 4, TALLEST_PX),
        column_order=list(columns),
        column_config=columns,
        on_select=lambda: picking.take(key),
        selection_mode=["single-row", "single-cell"],
        key=key,
    )
    picking.show(key, rows)
    if session := picking.taken():
        address.open_session(session["session"], session["of"])
        st.rerun()


def _columns(costs: "pd.Series[float]", zone: str) -> dict[str, Any]:
    """The columns in their order, each with its heading and how it is written."""
    column = st.column_config
    dearest = float(costs.max() or 0) or 1.0
    money = money_format(costs)
    return {
        "ended_at": _moment("Last activity", zone),
        "user_name": column.TextColumn("User", width=110),
        "team_name": column.TextColumn("Team", width=110),
        "key_name": column.TextColumn("Key", width=95),
        "models": column.TextColumn("Models", width=130),
        "cost_usd": column.ProgressColumn(
            "Cost", format=money, min_value=0.0, max_value=dearest, width=120
        ),
        "requests": column.NumberColumn("Requests", format="localized", width=70),
        "failures": column.NumberColumn("Errors", format="localized", width=55),
        "total_tokens": column.NumberColumn("Tokens", format="compact", width=65),
        "duration": column.TextColumn("Duration", width=90),
        "started_at": _moment("First activity", zone),
        "beyond": column.TextColumn("Outside the range"),
        "session_id": column.TextColumn("Session", width="small"),
    }


def _moment(title: str, zone: str) -> Any:
    return st.column_config.DatetimeColumn(title, timezone=zone, format="D MMM HH:mm:ss")

"""The sessions that were found: a table, on a telephone cards; a click or a tap opens one."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from tracelib import conversation
from tracelib.filters import Filters
from tracelib.handover import Column, Kind
from tracelib.page import address, picking, session_cards, session_said, table
from tracelib.page.picking import Picked
from tracelib.page.session_said import NOTHING, Sought
from tracelib.page.view import View
from tracelib.selection import RowId, session

ROW_PX = 33
TALLEST_PX = 760
BEFORE_WORDS = {
    "last_started_at": Column(
        "Last activity", "last_activity_utc", Kind.MOMENT, 106, "When its last request began."
    ),
    "failures": Column("Status", "failures", Kind.COUNT, 70, None, "left", session_cards.status),
    "cost": Column("Cost", "cost_usd", Kind.MONEY, 76),
    "cost_usd": Column(
        "Cost, bar",
        "cost_usd",
        Kind.BAR,
        70,
        "Length of the bar: cost, relative to the sessions shown.",
    ),
    "requests": Column("Requests", "requests", Kind.COUNT, 68),
}
AFTER_WORDS = {
    "user_name": Column("User", "user", width=120),
    "team_name": Column("Team", "team", width=126),
    "key_name": Column("Key", "key", width=126),
    "models": Column("Models", "models", width=157),
    "total_tokens": Column("Tokens", "tokens", Kind.COUNT, 76),
    "duration_ms": Column("Duration", "duration_ms", Kind.DURATION, 85),
    "started_at": Column("First activity", "first_activity_utc", Kind.MOMENT, 106),
    "beyond": Column("Outside the range", "goes_on"),
    "session_id": Column("Session", "session", width="small"),
}


def show(
    view: View,
    filters: Filters,
    rows: pd.DataFrame,
    key: str,
    is_of_failures: bool,
    sought: Sought = NOTHING,
    has_more: bool = False,
    offer_files: Callable[[], None] = lambda: None,
) -> None:
    """Draw these sessions; a click opens one. Another key is another list, read from its top.

    A click on a session's status, and in a list of failures any click, leads to its first
    failure. `has_more` says that there are others beside them; `offer_files` draws the way to
    download all of them.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        session_said.switch(view, sought)
        _compare(picking.ticked(key, rows))
        offer_files()
    words = session_said.of(view, filters, rows, sought)
    beyond = rows["goes_on"].map({True: "continues", False: ""})
    shown = rows.assign(words=words, cost=rows["cost_usd"], beyond=beyond)
    picking.hold(key, rows)
    # Which of the two is seen is the browser's affair: it alone knows how wide it is.
    with st.container(key="sessions-as-table"):
        _table(shown, key, filters.zone, None if words is None else sought.heading)
        if has_more:
            st.caption(f"Headings sort only the {len(rows)} sessions shown; Order sorts all.")
    with st.container(key="sessions-as-cards"):
        session_cards.show_cards(view, shown, key)
    picking.show(key, rows)
    if picked := picking.taken():
        is_at_failure = is_of_failures or picked.column == "failures"
        place = _first_failure(view, picked) if is_at_failure else None
        address.open_session(picked.session_id, picked.api_key, place)
        st.rerun()


def _first_failure(view: View, picked: Picked) -> RowId | None:
    """Which request of this session failed first? None where none did."""
    order = view.ask(conversation.turn_order, session(picked.session_id, picked.api_key)).answer
    if order.value is None or not order.value["is_failure"].any():
        return None
    first = order.value[order.value["is_failure"]].iloc[0]
    return RowId(first["request_id"], first["started_at"])


def _table(shown: pd.DataFrame, key: str, zone: str, heading: str | None) -> None:
    words = {"words": Column(heading, "words", width=420)} if heading else {}
    table.draw(
        shown,
        BEFORE_WORDS | words | AFTER_WORDS,
        picking.element(key),
        zone=zone,
        tones={"failures": session_cards.tone},
        height=min(ROW_PX * (len(shown) + 1) + 4, TALLEST_PX),
        on_open=lambda: picking.take_or_tick(key),
        selection_mode=["multi-row", "single-cell"],
    )


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

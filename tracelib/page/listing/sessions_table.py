"""The sessions found: a table, cards on a phone, or why there are none. A click opens one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import conversation, formatting
from tracelib.charts import palette
from tracelib.export import Column
from tracelib.filters import DIMENSIONS, Filters
from tracelib.formatting import Kind
from tracelib.page.base import address, controls, table
from tracelib.page.base.cards import show_empty_state
from tracelib.page.base.table import Click
from tracelib.page.base.view import View
from tracelib.page.listing import search_form, snippets
from tracelib.page.listing.snippets import NO_MATCHES, TextMatches
from tracelib.ranges import Last
from tracelib.selection import RowId, session
from tracelib.sessions import SessionSearch
from tracelib.signs import one_line

LONGEST = 80
# A user says more than a key, and a key more than an agent.
NAMES = ("user_name", "end_user", "key_name", "agent", "team_name")
OK, FAILED = palette.tint("#12B886", 0.14), palette.tint(palette.FAILURE, 0.2)
_component = st.components.v2.component(
    "session_cards",
    html="<ul></ul>\n",
    css=Path(__file__).with_name("session_cards.css").read_text("utf-8"),
    js=Path(__file__).with_name("session_cards.js").read_text("utf-8"),
)


def show_cards(view: View, rows: pd.DataFrame, key: str) -> None:
    """Draw a card for each session; a tap opens it, as a click in the table with this key."""
    name = f"{key} cards"
    highest = float(rows["cost_usd"].max()) or 1.0
    cards = [_card(view, row, highest) for row in rows.to_dict("records")]

    def open_tapped() -> None:
        if (position := st.session_state[name].get("opened")) is not None:
            table.store_row_click(key, int(position))

    _component(key=name, data={"cards": cards}, on_opened_change=open_tapped)


def status(failures: float) -> str:
    """
    >>> status(0), status(2)
    ('OK', '2 failed')
    """
    return f"{formatting.exact(failures)} failed" if failures else "OK"


def tone(failures: float) -> str:
    """The colour behind a status."""
    return FAILED if failures else OK


def _card(view: View, row: dict[Any, Any], highest: float) -> dict[str, Any]:
    """Who, when, what, and its result: only text, a share and a colour."""
    zone, requests = view.filters.zone, int(row["requests"])
    return {
        "who": next((_text(row[name]) for name in NAMES if _text(row[name])), "Unknown user"),
        "when": formatting.age(row["last_started_at"], view.now),
        "at": formatting.clock(row["last_started_at"], zone),
        "models": _text(row["models"]),
        "words": _text(row["words"]),
        "status": status(row["failures"]),
        "tone": tone(row["failures"]),
        "requests": formatting.counted(requests, "request"),
        "cost": formatting.money(float(row["cost_usd"])),
        "exactly": formatting.exact_money(float(row["cost_usd"])),
        "share": float(row["cost_usd"]) / highest,
    }


def _text(value: object) -> str:
    return formatting.shortened(one_line(value), LONGEST) if isinstance(value, str) else ""


ROW_PX = 33
TALLEST_PX = 760
BEFORE_WORDS = {
    "last_started_at": Column(
        "Last activity", "last_activity_utc", Kind.MOMENT, 106, "When its last request began."
    ),
    "failures": Column.of(
        "failures", heading="Status", width=70, explained=None, alignment="left", written=status
    ),
    "cost": Column.of("cost_usd", width=76),
    "cost_usd": Column.of(
        "cost_usd",
        heading="Cost, bar",
        width=70,
        explained="Length of the bar: cost, relative to the sessions shown.",
        is_bar=True,
    ),
    "requests": Column.of("requests", width=68),
}
AFTER_WORDS = {
    "user_name": Column("User", "user", width=120),
    "team_name": Column("Team", "team", width=126),
    "key_name": Column("Key", "key", width=126),
    "models": Column("Models", "models", width=157),
    "total_tokens": Column.of("total_tokens", width=76),
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
    matches: TextMatches = NO_MATCHES,
    has_more: bool = False,
    offer_files: Callable[[], None] = lambda: None,
) -> None:
    """Draw these sessions; a click opens one. Another key is another list, read from its top.

    A click on a session's status, and in a list of failures any click, leads to its first failure.
    `has_more` says that there are others; `offer_files` draws the downloads of all of them.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        snippets.switch(view, matches)
        _compare(table.ticked(key, rows))
        offer_files()
    words = snippets.snippets_of(view, filters, rows, matches)
    beyond = rows["goes_on"].map({True: "continues", False: ""})
    shown = rows.assign(words=words, cost=rows["cost_usd"], beyond=beyond)
    table.keep_ticks(key, rows)
    # The browser decides which of the two is visible: only it knows its width.
    with st.container(key="sessions-as-table"):
        _table(shown, key, filters.zone, None if words is None else matches.heading)
        if has_more:
            st.caption(f"Headings sort only the {len(rows)} sessions shown; Order sorts all.")
    with st.container(key="sessions-as-cards"):
        show_cards(view, shown, key)
    table.remember_rows(key, rows)
    if click := table.clicked():
        is_at_failure = is_of_failures or click.column == "failures"
        failure = _first_failure(view, click) if is_at_failure else None
        address.open_session(click.session_id, click.api_key, failure)
        st.rerun()


def _first_failure(view: View, click: Click) -> RowId | None:
    """Which request of this session failed first? None without failures."""
    order = view.query(conversation.turn_order, session(click.session_id, click.api_key)).result
    if order.value is None or not order.value["is_failure"].any():
        return None
    first = order.value[order.value["is_failure"]].iloc[0]
    return RowId(first["request_id"], first["started_at"])


def _table(shown: pd.DataFrame, key: str, zone: str, heading: str | None) -> None:
    words = {"words": Column(heading, "words", width=420)} if heading else {}
    table.draw(
        shown,
        BEFORE_WORDS | words | AFTER_WORDS,
        table.element_key(key),
        zone=zone,
        tones={"failures": tone},
        height=min(ROW_PX * (len(shown) + 1) + 4, TALLEST_PX),
        on_open=lambda: table.store_click_or_ticks(key),
        selection_mode=["multi-row", "single-cell"],
    )


def _compare(ticked: pd.DataFrame) -> None:
    """The earlier one is on the left: a change is that of the later against it."""
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


def show_empty(view: View, search: SessionSearch, read: int | None = None) -> None:
    """Draw why there are none, and what may help. `read` requests were searched, if known."""
    show_empty_state(_why(view, search, read))
    with st.container(horizontal=True, gap="xsmall"):
        if view.choice.part is not None and not search.id:
            _offer("Search the whole range", address.change, part=None)
        elif (longer := _longer(view)) and not search.id:
            _offer(f"Search the {longer.title.lower()}", address.change, range=longer)
        if not search.is_plain:
            plain = SessionSearch(sort=search.sort)
            _offer("Clear the search", search_form.write, search=plain)
        if view.filters.chosen() and not search.id:
            _offer("Remove the filters", address.change, **dict.fromkeys(DIMENSIONS, ()))


def _why(view: View, search: SessionSearch, read: int | None) -> str:
    if search.id:
        return "No session, request or call with this ID, in any time range."
    where = "in this part of the time range" if view.choice.part else "in this time range"
    if read is not None:
        return (
            f"No sessions match this search {where}. Requests searched: {formatting.exact(read)}."
        )
    if not search.is_plain:
        return f"No sessions match this search {where}. A search by ID ignores the time range."
    if view.filters.chosen():
        return f"No sessions {where} with these filters."
    return f"No sessions {where}. Status shows how far back the log reaches."


def _longer(view: View) -> Last | None:
    """The next longer range in the list; None if there is none."""
    chosen = view.choice.range
    if not isinstance(chosen, Last):
        return None
    return next((one for one in controls.LASTS if one.hours > chosen.hours), None)


def _offer(title: str, do: Callable[..., None], **arguments: Any) -> None:
    st.button(title, key=f"offer {title}", on_click=do, kwargs=arguments)

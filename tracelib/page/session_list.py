"""The search for sessions, and the list of what it found."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import formatting, sessions
from tracelib.page import address, picking
from tracelib.page.answers import Answer
from tracelib.page.cards import card, known, money_format, nothing, unanswered
from tracelib.page.safe import label
from tracelib.page.view import View
from tracelib.sessions import SessionPage, SessionSearch, read_search

SEARCH = "search"
PARAMETERS = ("q", "id", "min_cost", "max_cost", "status", "many", "sort")
STATUSES = ("any", "with failures", "without failures")
SORTS = {
    "recent": "Most recent",
    "cost": "Dearest",
    "length": "Most requests",
    "errors": "Most failures",
}
PAGE_LENGTH = 50
# A Responses id has several hundred characters.
LONGEST_ID = 2_000


def opened() -> tuple[str, str | None] | None:
    """Which session does the URL open: its id, and the key where it says so?"""
    session_id = st.query_params.get("session")
    return (session_id, st.query_params.get("of")) if session_id else None


def search_form() -> SessionSearch:
    """What is searched for? Draws the fields; the URL holds what they say."""
    search, complaints = read_search(_said())
    for complaint in complaints:
        st.warning(label(complaint, 200))
    with st.grid(columns=4, min_column_width=170, gap="small"):
        _text("Name", "text", search.text, "Part of a user, team, key, model or agent name")
        _text("Session or request id", "id", search.id, "Exact; found whenever it was")
        _choice("Failures", "status", STATUSES, search.status)
        _choice("Order", "sort", tuple(SORTS), search.sort, SORTS.get)
        _cost("Cost from, $", "min_cost_usd", search.min_cost_usd)
        _cost("Cost up to, $", "max_cost_usd", search.max_cost_usd)
        with st.container(height="stretch", vertical_alignment="bottom"):
            _many(search)
    st.session_state[SEARCH] = search
    return search


def results(view: View, search: SessionSearch) -> None:
    """Which sessions were found? A row opens the session; pages go by keyset."""
    after = st.query_params.get("after")
    found, counted = view.ask(
        (sessions.found_sessions, view.filters, search, after, PAGE_LENGTH),
        (sessions.session_counts, view.filters, search),
    )
    with card(
        _heading(counted),
        "Choose a row to open it. Figures are those of the requests in the time range.",
    ):
        if found.value is None:
            unanswered(found)
            return
        if found.value.complaint:
            st.warning(label(found.value.complaint, 200))
        if found.value.rows.empty:
            nothing(_why_nothing(search))
        else:
            _table(view, found.value.rows)
        _pager(after, found.value)


def _table(view: View, rows: pd.DataFrame) -> None:
    shown = rows.assign(
        duration=[formatting.duration(known(value)) for value in rows["duration_ms"]],
        beyond=rows["goes_on"].map({True: "goes on", False: ""}),
    )
    columns = _columns(rows["cost_usd"], view.filters.zone)
    st.dataframe(
        shown,
        hide_index=True,
        placeholder=formatting.UNKNOWN,
        height=min(36 * (len(rows) + 1) + 4, 760),
        column_order=list(columns),
        column_config=columns,
        on_select=lambda: picking.take("sessions"),
        selection_mode=["single-row", "single-cell"],
        key="sessions",
    )
    picking.show("sessions", rows)
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


def _heading(counted: Answer[int | None]) -> str:
    if counted.error:
        return "Sessions"
    if counted.value is None:
        return "More than 10,000 sessions"
    return f"{formatting.exact(counted.value)} {'session' if counted.value == 1 else 'sessions'}"


def _why_nothing(search: SessionSearch) -> str:
    if search == SessionSearch(sort=search.sort):
        return "No sessions in this time range. Choose a longer one, or remove filters."
    return "No session fits this search in this time range. An id is found whenever it was."


def _pager(after: str | None, page: SessionPage) -> None:
    with st.container(horizontal=True):
        st.button("First page", disabled=not after, on_click=_go, args=(None,), key="first page")
        st.button(
            "Next page", disabled=not page.next, on_click=_go, args=(page.next,), key="next page"
        )


def _go(after: str | None) -> None:
    if after:
        st.query_params["after"] = after
    elif "after" in st.query_params:
        del st.query_params["after"]


def _said() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in PARAMETERS if name in st.query_params}


def _take(key: str, field: str) -> None:
    """Take over what a field shows, and begin at the first page again."""
    value = st.session_state[key]
    changed = replace(st.session_state[SEARCH], **{field: _stripped(value)})
    query: Mapping[str, Any] = changed.to_query()
    for name in PARAMETERS:
        if name in query:
            st.query_params[name] = query[name]
        elif name in st.query_params:
            del st.query_params[name]
    _go(None)


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _text(title: str, field: str, current: str, placeholder: str) -> None:
    key = f"search {field}"
    st.session_state[key] = current
    st.text_input(
        title,
        key=key,
        placeholder=placeholder,
        max_chars=LONGEST_ID,
        on_change=_take,
        args=(key, field),
    )


def _choice(
    title: str, field: str, options: tuple[str, ...], current: str, written: Any = str.capitalize
) -> None:
    key = f"search {field}"
    st.session_state[key] = current
    st.selectbox(title, options, format_func=written, key=key, on_change=_take, args=(key, field))


def _cost(title: str, field: str, current: float | None) -> None:
    key = f"search {field}"
    st.session_state[key] = current
    st.number_input(
        title,
        min_value=0.0,
        value=None,
        step=0.1,
        format="%.4f",
        key=key,
        placeholder="Any",
        on_change=_take,
        args=(key, field),
    )


def _many(search: SessionSearch) -> None:
    key = "search many_requests_only"
    st.session_state[key] = search.many_requests_only
    st.toggle(
        "More than one request",
        key=key,
        on_change=_take,
        args=(key, "many_requests_only"),
    )

"""The list of sessions: search form, sessions over time, results."""

import pandas as pd
import streamlit as st

from tracelib import errors, sessions
from tracelib.page.base import address, auditing, downloads
from tracelib.page.base.cards import show_error, show_missing_result
from tracelib.page.base.change_marks import marked_axis
from tracelib.page.base.view import View
from tracelib.page.listing import scan, search_form, sessions_table, toolbar
from tracelib.page.text.markdown_escape import label
from tracelib.querying.store import Result
from tracelib.sessions import SessionPage, SessionSearch

PAGE_LENGTH = 50


def opened() -> tuple[str, str | None] | None:
    """Which session does the URL open: its ID, and its key if it is given?"""
    session_id, key = st.query_params.get("session"), st.query_params.get("of")
    # Requests without any ID are a session without one: a link to it has only the key.
    is_opened = bool(session_id) or (session_id == "" and key is not None)
    return (session_id or "", key) if is_opened else None


def show(view: View) -> None:
    """Draw the search and the sessions that match. A row opens the session."""
    toolbar.heading()
    search = search_form.form(view.installed.access)
    search_form.show(view, search)
    with st.container(border=True, key="results"):
        _found(view, search)


def _found(view: View, search: SessionSearch) -> None:
    try:
        auditing.record_search(view, search)
    except errors.TraceError as error:
        show_error(error)
        return
    if search.needs_scan:
        scan.show(view, search)
    else:
        _listed(view, search)


def _listed(view: View, search: SessionSearch) -> None:
    """Draw a page of the list; pages are by keyset."""
    filters, after = view.filters, st.query_params.get(address.AFTER)
    whole = toolbar.whole(view)
    with toolbar.line():
        count = st.empty()
        toolbar.sentence(view, search)
    listed = view.query(sessions.found_sessions, filters, search, after, PAGE_LENGTH)
    over_time = view.query(sessions.sessions_over_time, whole.filters, search, whole.bucket)
    found, spread = listed.result, over_time.result
    count.markdown(f"**{_how_many(view, search, spread)}**", width="content")
    if found.value is None:
        show_missing_result(found)
        return
    if found.value.complaint:
        st.warning(label(found.value.complaint, 200))
    if spread.value is not None and spread.value["sessions"].any() and not search.id:
        toolbar.show(spread.value, marked_axis(whole), toolbar.part(view))
    if found.value.rows.empty:
        sessions_table.show_empty(view, search)
    else:
        # Another page is another table, which is read from its top.
        sessions_table.show(
            view,
            filters,
            found.value.rows,
            f"sessions {after or ''}",
            search.is_of_failures,
            has_more=bool(after or found.value.next),
            offer_files=lambda: downloads.list_buttons(view, filters, search),
        )
    with st.container(horizontal=True):
        _pager(after, found.value)


def _how_many(view: View, search: SessionSearch, spread: Result[pd.DataFrame]) -> str:
    """How many sessions match? The sum of the bars, except for a part of them, and for an ID."""
    if not search.id and view.choice.part is None:
        if spread.value is None:
            return "Sessions"
        return toolbar.counted(int(spread.value["sessions"].sum()))
    counted = view.query(sessions.session_counts, view.filters, search).result
    if counted.error:
        return "Sessions"
    return "More than 10,000 sessions" if counted.value is None else toolbar.counted(counted.value)


def _pager(after: str | None, page: SessionPage) -> None:
    if not after and not page.next:
        return
    st.button(
        "First page",
        disabled=not after,
        on_click=address.close,
        args=(address.AFTER,),
        key="first page",
    )
    st.button(
        "Next page",
        disabled=not page.next,
        on_click=_go_to_page,
        args=(page.next,),
        key="next page",
    )


def _go_to_page(after: str) -> None:
    st.query_params[address.AFTER] = after

"""The list of sessions: what is sought in words, how it spreads over time, and what was found."""

import pandas as pd
import streamlit as st

from tracelib import errors, sessions
from tracelib.asking.memory import Answer
from tracelib.filters import Filters
from tracelib.page import (
    address,
    audited,
    kept_searches,
    session_empty,
    session_export,
    session_more,
    session_scan,
    session_search,
    session_strip,
    session_table,
    session_words,
)
from tracelib.page.cards import failed, unanswered
from tracelib.page.safe import label
from tracelib.page.view import View
from tracelib.sessions import SessionPage, SessionSearch
from tracelib.window import TimeWindow

PAGE_LENGTH = 50


def opened() -> tuple[str, str | None] | None:
    """Which session does the URL open: its id, and the key where it says so?"""
    session_id, key = st.query_params.get("session"), st.query_params.get("of")
    # Requests without any id are a session without one: a link to it names the key alone.
    is_opened = bool(session_id) or (session_id == "" and key is not None)
    return (session_id or "", key) if is_opened else None


def show(view: View) -> None:
    """Which sessions are sought, and which were found? A row opens the session."""
    kept_searches.heading()
    search = session_search.form(view.installed.access)
    session_more.show(view, search)
    part, complaint = session_strip.part(view.filters.window)
    if complaint:
        st.warning(complaint)
    with st.container(border=True, key="results"):
        _found(view, search, part)


def _found(view: View, search: SessionSearch, part: TimeWindow | None) -> None:
    try:
        audited.searched(view, search.said)
    except errors.AuditFailed as error:
        failed(error)
        return
    if search.needs_scan:
        session_scan.show(view, search, part)
    else:
        _listed(view, search, part)


def _listed(view: View, search: SessionSearch, part: TimeWindow | None) -> None:
    """A page of the list; pages go by keyset."""
    filters, after = session_strip.narrowed(view.filters, part), st.query_params.get(address.PLACE)
    with session_words.line():
        count = st.empty()
        session_words.sentence(view, search, part)
    listed = view.ask(sessions.found_sessions, filters, search, after, PAGE_LENGTH)
    over_time = view.ask(sessions.sessions_over_time, view.filters, search, view.bucket)
    found, spread = listed.answer, over_time.answer
    count.markdown(f"**{_how_many(view, filters, search, spread)}**", width="content")
    if found.value is None:
        unanswered(found)
        return
    if found.value.complaint:
        st.warning(label(found.value.complaint, 200))
    if spread.value is not None and spread.value["sessions"].any() and not search.id:
        session_strip.show(spread.value, view.axis, part)
    if found.value.rows.empty:
        session_empty.show_empty(view, search, part)
    else:
        # Another page is another table, which is read from its top.
        session_table.show(
            view,
            filters,
            found.value.rows,
            f"sessions {after or ''}",
            search.is_of_failures,
            has_more=bool(after or found.value.next),
            offer_files=lambda: session_export.list_buttons(view, filters, search),
        )
    with st.container(horizontal=True):
        _pager(after, found.value)


def _how_many(
    view: View, filters: Filters, search: SessionSearch, spread: Answer[pd.DataFrame]
) -> str:
    """The bars add up to the count, but for a part of them, and for what an id finds anywhere."""
    if not search.id and filters == view.filters:
        if spread.value is None:
            return "Sessions"
        return session_words.counted(int(spread.value["sessions"].sum()))
    counted = view.ask(sessions.session_counts, filters, search).answer
    if counted.error:
        return "Sessions"
    return (
        "More than 10,000 sessions"
        if counted.value is None
        else session_words.counted(counted.value)
    )


def _pager(after: str | None, page: SessionPage) -> None:
    if not after and not page.next:
        return
    st.button(
        "First page",
        disabled=not after,
        on_click=address.close,
        args=(address.PLACE,),
        key="first page",
    )
    st.button("Next page", disabled=not page.next, on_click=_go, args=(page.next,), key="next page")


def _go(after: str) -> None:
    st.query_params[address.PLACE] = after

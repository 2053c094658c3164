"""The conversation on a session's page: the viewer's position, and what is drawn there."""

from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd
import streamlit as st

from tracelib import conversation, errors
from tracelib.audit import What
from tracelib.conversation.order import KnownOrder
from tracelib.conversation.reading import (
    CHARACTERS_AT_ONCE,
    TURNS_A_PAGE,
    TurnPage,
)
from tracelib.conversation.sections import (
    newest_address,
    read_message,
    section_at,
    written_message,
)
from tracelib.page.base import address, auditing, navigation
from tracelib.page.base.cards import show_empty_state, show_missing_result
from tracelib.page.base.view import View
from tracelib.page.session import session_timeline, transcript
from tracelib.page.session.jumps import matches_on, to_failures, to_matches
from tracelib.page.text.message import Look
from tracelib.querying.runner import reading_of
from tracelib.querying.store import Result
from tracelib.redaction import masked
from tracelib.selection import RowId, Selection, read_row_id

WITHHELD = "Messages are shown to auditors and admins; your role shows figures only."


@dataclass(frozen=True, slots=True)
class Position:
    """The viewer's position in a conversation: on which page of how many, going to which turn.

    `row` is that of the turn's own request; `by_id` is the row that a link names by its ID only.
    `message` is a message of that turn and a part of it, if the link names one.
    """

    page: int
    pages: int
    target: int | None
    row: RowId | None = None
    by_id: RowId | None = None
    message: tuple[int, int] | None = None


def position_in_url(order: pd.DataFrame) -> Position:
    """The viewer's position in the URL."""
    text = st.query_params.get(address.REQUEST)
    row = named_row(order, text)
    target = number_of(order, row) if row else None
    pages = max(1, -(-len(order) // TURNS_A_PAGE))
    first = order["rows"][target - 1][0] if target else None
    by_id = row if row and row.written() != text else None
    page = page_of(target) if target else _page_in_url(pages)
    message = read_message(st.query_params.get(address.MESSAGE, "")) if target else None
    return Position(page, pages, target, first, by_id, message)


def section_of(page: TurnPage, at: Position) -> int:
    """Which section of this page, by its index, does the viewer see?

    That with the message that the link names, else that with the response of the turn, which is the
    first of the page if none is named.
    """
    if at.target and at.message:
        return section_at(page.sections, (at.target, *at.message))
    index = at.target - page.first if at.target else 0
    turns = page.turns[index : index + 1]
    return section_at(page.sections, newest_address(turns[0])) if turns else 0


def named_row(order: pd.DataFrame, text: str | None) -> RowId | None:
    """Which row of this conversation does a link name? None if it names none.

    If a link has only a request ID, as old ones do, and several rows have it, the newest.
    """
    rows = [row for turn in order["rows"] for row in turn]
    named = read_row_id(text or "")
    if named in rows:
        return named
    return max((row for row in rows if row.request_id == text), key=_start, default=None)


def number_of(order: pd.DataFrame, row: RowId) -> int:
    """Which turn of this conversation has this row?"""
    return next(number for number, turn in enumerate(order["rows"], start=1) if row in turn)


def _start(row: RowId) -> datetime:
    return row.started_at


def page_of(number: int) -> int:
    """Which page has the turn of this number?

    >>> page_of(1), page_of(40), page_of(41)
    (1, 1, 2)
    """
    return (number - 1) // TURNS_A_PAGE + 1


def read(
    view: View,
    selection: Selection,
    order: pd.DataFrame,
    at: Position,
    look: Look,
    what: What = "opened",
) -> Result[TurnPage]:
    """Read the messages of the viewer's page. The access is audited."""
    record = auditing.record_of(view, what, selection, look.redaction)
    first = (at.page - 1) * TURNS_A_PAGE + 1
    record = replace(record, page=at.page)
    reading = reading_of(view.installed, selection)
    known = KnownOrder(tuple(order["rows"]))
    return auditing.query(
        view, record, conversation.turns, reading, first, TURNS_A_PAGE, CHARACTERS_AT_ONCE, known
    )


def show(messages: Result[TurnPage], order: pd.DataFrame, at: Position, look: Look) -> None:
    """Draw the messages: one page of them, at the position in the URL."""
    st.subheader("Conversation", anchor=False)
    if isinstance(messages.error, errors.NotForThisRole):
        show_empty_state(WITHHELD)
        return
    words = st.query_params.get("said", "")
    # Masked like the messages: the page itself sends nothing private to the browser.
    look = replace(look, words=masked(words, look.redaction)[0])
    if messages.value is None:
        _bar(None, order, at, look, words)
        show_missing_result(messages)
        return
    at = _bar(messages.value, order, at, look, words)
    if not messages.value.turns:
        show_empty_state("The requests of this conversation are no longer in the log.")
    transcript.show(messages.value, section_of(messages.value, at), look, at.target)
    section_pager(messages.value, at, "below")
    pager(at, "below")


def _bar(
    page: TurnPage | None, order: pd.DataFrame, at: Position, look: Look, text: str
) -> Position:
    """Draw the jumps, at the top of the screen; returns the position to scroll to."""
    jumps = matches_on(page, text) if page else []
    # A search that names no position leads to the first match on the page.
    if jumps and not (address.REQUEST in st.query_params or address.PAGE in st.query_params):
        first = jumps[0]
        at = replace(at, target=first.turn, message=read_message(first.message or ""))
    with st.container(key="conversation-bar", gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", key="conversation-jumps"):
            pager(at, "above")
            to_failures(order)
            if page:
                to_matches(page, text, jumps, look.redaction)
        if page:
            section_pager(page, at, "above")
        _scroll(page, at, look.words)
    return at


def section_pager(page: TurnPage, at: Position, where: str) -> None:
    """Draw which section of this page is shown, and the links to the others, if there are any."""
    found, index = page.sections, section_of(page, at)
    if len(found) < 2:
        return
    with st.container(
        horizontal=True, vertical_alignment="center", key=f"sections-{where}", gap="small"
    ):
        st.caption(found[index].extent, width="content")
        key = f"sections {where} {at.page} {index}"
        st.pagination(
            len(found),
            default=index + 1,
            key=key,
            on_change=lambda: _open_section(page, st.session_state[key] - 1),
        )


def chosen_section(page: TurnPage, at: Position, side: str) -> int:
    """Draw which section of one of two conversations is shown, and return the chosen one."""
    index = section_of(page, at)
    if len(page.sections) < 2:
        return index
    shown = st.empty()
    key = f"{side}section {at.page} {len(page.sections)}"
    chosen = st.pagination(len(page.sections), default=index + 1, key=key) - 1
    shown.caption(page.sections[chosen].extent)
    return chosen


def _open_section(page: TurnPage, index: int) -> None:
    start = page.sections[index].start
    row = page.turns[start[0] - page.first].request.row.written()
    address.open_request(row, written_message(start))


def pager(at: Position, where: str) -> None:
    """Draw the links to the other pages; `where` distinguishes several of them."""
    if at.pages == 1:
        return
    # Another page has its own pager: only the URL holds the viewer's position.
    key = f"transcript page {at.page} {where}"
    st.pagination(
        at.pages,
        default=at.page,
        key=key,
        on_change=lambda: address.open_page(st.session_state[key]),
    )


def _page_in_url(pages: int) -> int:
    page = st.query_params.get(address.PAGE, "1")
    return min(max(int(page), 1), pages) if page.isdecimal() and len(page) < 6 else 1


def _scroll(page: TurnPage | None, at: Position, text: str) -> None:
    """Scroll to what the URL names: a request, a message, a match, or the top of a new page."""
    moves = address.moves()
    token = (
        f"{hash(st.query_params.get(address.SESSION))} {at.page} {at.target} {at.message} {moves}"
    )
    key = "transcript" if moves else None
    if page and at.target:
        key = transcript.target_key(page, section_of(page, at), at.target, at.message)
    navigation.scroll_to(key, token, text, session_timeline.KEY)

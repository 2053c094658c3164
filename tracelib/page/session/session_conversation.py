"""The conversation on a session's page: the viewer's position, jumps to failures and matches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd
import streamlit as st

from tracelib import conversation, errors, formatting
from tracelib.audit import What
from tracelib.conversation.order import KnownOrder
from tracelib.conversation.reading import (
    CHARACTERS_AT_ONCE,
    TURNS_A_PAGE,
    TurnPage,
)
from tracelib.export import redacted
from tracelib.page.base import address, auditing, navigation
from tracelib.page.base.cards import show_empty_state, show_missing_result
from tracelib.page.base.view import View
from tracelib.page.session import session_timeline, transcript
from tracelib.page.text.markdown_escape import label
from tracelib.page.text.message import Look
from tracelib.querying.runner import reading_of
from tracelib.querying.store import Result
from tracelib.redaction import Redaction, masked
from tracelib.selection import RowId, Selection, read_row_id

# As many as are useful to choose from; the rest are in the timeline.
MOST = 60

Jump = tuple[int, str]  # the number of a turn, and its request as in links


def to_failures(order: pd.DataFrame) -> None:
    """Draw a jump to each failure of the conversation. Nothing if there are none."""
    failed = order.index[order["is_failure"]]
    jumps = [(int(index) + 1, order["rows"][index][0].written()) for index in failed]
    _line(f"{formatting.counted(len(failed), 'failure')}: request", jumps, "failure")


def matches_on(page: TurnPage, text: str) -> list[Jump]:
    """Which requests of this page contain this text, as it is stored?"""
    folded = text.casefold()
    return [
        (turn.number, turn.request.row.written())
        for turn in page.turns
        if folded
        and any(
            folded in part.text.casefold()
            for message in (*turn.new_messages, *turn.responses)
            for part in message.parts
        )
    ]


def to_matches(page: TurnPage, text: str, jumps: Sequence[Jump], redaction: Redaction) -> None:
    """Draw a jump to each of the places with this text, formatted as the rest of the page."""
    if not text:
        return
    where = "" if len(page.turns) == page.total else " on this page"
    quoted = f"“{label(masked(text, redaction)[0])}”"
    if jumps:
        _line(f"{quoted} appears{where} in request", jumps, "match")
    else:
        st.caption(f"{quoted} appears in no request{where}.", width="content")


def _line(title: str, jumps: Sequence[Jump], kind: str) -> None:
    if not jumps:
        return
    key = f"jumps-{kind}"
    with st.container(horizontal=True, wrap=False, width="content", key=key, gap="xsmall"):
        st.caption(title, width="content")
        for number, row in jumps[:MOST]:
            st.button(
                str(number),
                key=f"{kind} {number}",
                type="tertiary",
                on_click=address.open_request,
                args=(row,),
            )
        if len(jumps) > MOST:
            st.caption(f"and {len(jumps) - MOST:,} more", width="content")


WITHHELD = "Messages are shown to auditors and admins; your role shows figures only."


@dataclass(frozen=True, slots=True)
class Position:
    """The viewer's position in a conversation: on which page of how many, going to which turn.

    `row` is that of the turn's own request; `by_id` is the row that a link names by its ID only.
    """

    page: int
    pages: int
    target: int | None
    row: RowId | None = None
    by_id: RowId | None = None


def position_in_url(order: pd.DataFrame) -> Position:
    """The viewer's position in the URL."""
    text = st.query_params.get(address.REQUEST)
    row = named_row(order, text)
    target = number_of(order, row) if row else None
    pages = max(1, -(-len(order) // TURNS_A_PAGE))
    first = order["rows"][target - 1][0] if target else None
    by_id = row if row and row.written() != text else None
    return Position(page_of(target) if target else _page_in_url(pages), pages, target, first, by_id)


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
    target = _bar(messages.value, order, at, look, words)
    if messages.value is None:
        show_missing_result(messages)
        return
    if not messages.value.turns:
        show_empty_state("The requests of this conversation are no longer in the log.")
    page, _ = redacted(messages.value, look.redaction)
    transcript.show(page, look, target)
    pager(at, "below")


def _bar(
    page: TurnPage | None, order: pd.DataFrame, at: Position, look: Look, text: str
) -> int | None:
    """Draw the jumps, at the top of the screen; returns the turn to scroll to."""
    jumps = matches_on(page, text) if page else []
    # A search that names no position leads to the first match on the page.
    is_named = address.REQUEST in st.query_params or address.PAGE in st.query_params
    target = at.target or (jumps[0][0] if jumps and not is_named else None)
    with st.container(key="conversation-bar", gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", key="conversation-jumps"):
            pager(at, "above")
            to_failures(order)
            if page:
                to_matches(page, text, jumps, look.redaction)
        _scroll(at, target, look.words)
    return target


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


def _scroll(at: Position, turn: int | None, text: str) -> None:
    """Scroll to what the URL names: a request, a match, or the top of a new page."""
    moves = address.moves()
    token = f"{hash(st.query_params.get(address.SESSION))} {at.page} {turn} {moves}"
    top = "transcript" if moves else None
    target = transcript.turn_key(turn) if turn else top
    navigation.scroll_to(target, token, text, session_timeline.KEY)

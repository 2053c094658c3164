"""The transcript of a conversation: each message once, and below each response its cost.

A tool result is next to its call if both are on the page. If a request does not continue the one
above it, its parent is named. A page is drawn by sections, so that it stays small.
"""

from collections.abc import Sequence
from contextlib import nullcontext

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib.conversation import Part, StoredRequest, Turn
from tracelib.conversation.pieces import Piece
from tracelib.conversation.reading import TurnPage
from tracelib.conversation.sections import (
    ChangeExcerpt,
    MessageExcerpt,
    TurnExcerpt,
)
from tracelib.conversation.transcript import failure_in_words, figures_in_words
from tracelib.export import redacted
from tracelib.page.base import address
from tracelib.page.text import message
from tracelib.page.text.markdown_escape import label
from tracelib.page.text.message import Look

CHANGED = ":material/edit_note:"
AS_SENT_NOW = ", as it is sent now"
MOST_TOOLS = 60


def show(page: TurnPage, index: int, look: Look, target: int | None = None) -> None:
    """Draw the section with this index of this page, masked. The turn `target` is marked."""
    notes, _ = redacted(page.notes, look.redaction)
    for note in notes:
        st.info(label(note, 400), icon=":material/info:")
    _tools_used(page, look)
    excerpts, _ = redacted(page.sections[index].turns if page.sections else (), look.redaction)
    with st.container(key=f"{look.side}transcript"):
        for excerpt in excerpts:
            number = excerpt.turn.number
            with st.container(key=turn_key(number, look.side), gap="small"):
                _origin(excerpt.origin)
                with _marked() if number == target else nullcontext():
                    _turn(excerpt, look)


def turn_key(number: int, side: str = "") -> str:
    """The key of the element with the turn of this number."""
    return f"{side}turn-{number}"


def message_key(excerpt: MessageExcerpt, turn: int) -> str:
    """The key of the element with this message of the turn of this number."""
    return message.frame_key("role", excerpt.message, f"{turn}-{excerpt.number}")


def target_key(page: TurnPage, index: int, number: int, at: tuple[int, int] | None) -> str:
    """The key of the element to scroll to in this section: the turn, or a message of it.

    In a turn that is divided and of which no message is named, the newest one before its response.
    """
    turns = (one for one in page.sections[index].turns if one.turn.number == number)
    for one in turns if page.sections else ():
        if at is None and one.begins and one.ends:
            break
        wanted = at[0] if at else one.new_messages
        shown = [excerpt for excerpt in one.messages if excerpt.number <= wanted]
        if shown:
            return message_key(shown[-1], number)
    return turn_key(number)


def _marked() -> DeltaGenerator:
    return st.container(key="target-turn", gap="small")


def _tools_used(page: TurnPage, look: Look) -> None:
    where = "" if len(page.turns) == page.total else " on this page"
    called, _ = redacted(tuple(page.results.calls().items()), look.redaction)
    never_called, _ = redacted(page.never_called, look.redaction)
    _tools(f"Tools called{where}", [f"{label(name)} ({times:,})" for name, times in called])
    _tools(f"Offered, never called{where}", [label(name) for name in never_called])


def _tools(title: str, names: Sequence[str]) -> None:
    if names:
        more = len(names) - MOST_TOOLS
        others = f" and {more:,} more" if more > 0 else ""
        st.caption(f":material/build: {title}: {', '.join(names[:MOST_TOOLS])}{others}")


def _turn(excerpt: TurnExcerpt, look: Look) -> None:
    turn = excerpt.turn
    for change in excerpt.changes:
        _change(change, turn, look)
    for shown in excerpt.messages:
        suffix = f", choice {shown.message.choice}" if shown.message.choice else ""
        extent = f", {shown.extent}" if shown.extent else ""
        key = f"{turn.number}-{shown.number}"
        frame = (shown.message, turn.request.started_at, look, key, suffix + extent)
        with message.framed(*frame):
            for piece in shown.pieces:
                _piece(piece, look)
            if shown.ends:
                message.show_ending(shown.message)
    if excerpt.ends:
        _figures(turn, look)
        for note in turn.notes:
            st.caption(label(note, 400))


def _change(change: ChangeExcerpt, turn: Turn, look: Look) -> None:
    """Draw what the client changed in the conversation; the new text on a click."""
    if not change.messages:
        st.caption(f"{CHANGED} {label(change.sentence)}")
        return
    with st.expander(label(change.sentence), icon=CHANGED, type="compact"):
        for shown in change.messages:
            key = f"{turn.number}-change-{change.number}-{shown.number}"
            frame = (shown.message, turn.request.started_at, look, key, AS_SENT_NOW)
            with message.framed(*frame, kind="history"):
                for piece in shown.pieces:
                    message.show_part(piece.part, look)


def _piece(piece: Piece, look: Look) -> None:
    """Draw a part; next to a call its results."""
    if piece.part.kind != "tool_call":
        message.show_part(piece.part, look)
        return
    call_column, result_column = st.columns(2, gap="small")
    with call_column:
        message.show_part(piece.part, look)
    with result_column:
        for result in piece.results:
            message.show_part(result, look)
        if piece.why_no_result:
            st.caption(piece.why_no_result)


def _origin(origin: str | None) -> None:
    """Draw which request this one continues, unless it is the one just above."""
    if origin:
        st.divider()
        st.caption(f":material/fork_right: {origin}")


def _figures(turn: Turn, look: Look) -> None:
    """Draw one line: model, tokens, cost, times, cache; and errors in red."""
    request = turn.request
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        figures = ", ".join(map(label, figures_in_words(request)))
        st.caption(f"Request {turn.number}: {figures}", help=_ids(request), width="content")
        if turn.parent and not look.side:
            st.button(
                "What changed",
                key=f"diff {turn.number} {request.request_id}",
                type="tertiary",
                help=f"Compared with request {turn.parent_number}, which it continues",
                on_click=address.open_diff,
                args=(turn.parent, request.row),
            )
    if request.is_failure:
        with st.container(key=f"failed-{look.side}{turn.number}", gap="xxsmall"):
            _failure(request, look)


def _ids(request: StoredRequest) -> str:
    ids = [label(row.request_id, 2_000) for row in request.row_ids]
    return f"Request {'id' if len(ids) == 1 else 'ids'}: {', '.join(ids)}"


def _failure(request: StoredRequest, look: Look) -> None:
    st.caption(f":red[**Failed** {label(failure_in_words(request))}]")
    if request.error_message:
        message.show_code(Part("data", request.error_message), look)

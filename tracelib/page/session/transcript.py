"""The transcript of a conversation: each message once, and below each response its cost.

A tool result is next to its call if both are on the page. If a request does not continue the one
above it, its parent is named.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import takewhile

import streamlit as st

from tracelib.conversation import Message, Part, ShownChange, StoredRequest, Turn
from tracelib.conversation.reading import TurnPage
from tracelib.conversation.tool_use import offered_never_called, tool_uses
from tracelib.conversation.transcript import failure_in_words, figures_in_words, origin_in_words
from tracelib.page.base import address
from tracelib.page.text import message
from tracelib.page.text.markdown_escape import label
from tracelib.page.text.message import Look

# What a tool may return in addition to text.
_FILES = frozenset({"image", "audio", "file", "data", "citation"})


class Tools:
    """The calls of a page's turns, each with the result on the same page.

    A request that restates the conversation, such as one that summarises it, quotes calls with
    their results: those are shown together too, but do not count as calls. Parts are compared as
    objects: two calls may look the same.
    """

    def __init__(self, turns: Sequence[Turn], *, is_whole: bool) -> None:
        uses = tool_uses(turns)
        self._names = [use.name or "a tool" for use in uses]
        self._result_of = {id(use.arguments): use.result for use in uses}
        placed = {id(use.result) for use in uses}
        for turn in turns:
            for call, result in _quoted(turn.new_messages, self._result_of.keys() | placed):
                self._result_of[id(call)] = result
        self._files_of = dict(_files(turns))
        self._placed = {
            id(part)
            for result in self._result_of.values()
            if result
            for part in (result, *self._files_of.get(id(result), ()))
        }
        self._no_result = "No result was sent back." if is_whole else "No result on this page."

    def calls(self) -> dict[str, int]:
        """Which tools were called, how often? In the order first called."""
        return {name: self._names.count(name) for name in dict.fromkeys(self._names)}

    def results_of(self, call: Part) -> tuple[Part, ...]:
        """The result of this call: its text, then its images and files. Empty for none."""
        result = self._result_of.get(id(call))
        return (result, *self._files_of.get(id(result), ())) if result else ()

    def why_no_result(self, call: Part) -> str | None:
        """The note for a call without a result; none for a quoted call."""
        return self._no_result if id(call) in self._result_of else None

    def without_results(self, message: Message) -> Message:
        """This message without the results that are next to their calls."""
        left = tuple(part for part in message.parts if id(part) not in self._placed)
        return replace(message, parts=left)


def _files(turns: Iterable[Turn]) -> Iterator[tuple[int, tuple[Part, ...]]]:
    """Each result, by its identity, with the images and files that came with it."""
    for turn in turns:
        for one in (*turn.new_messages, *turn.responses):
            for at, part in enumerate(one.parts):
                if part.kind == "tool_result":
                    yield id(part), tuple(_parts_after(one.parts[at + 1 :], part.call_id))


def _parts_after(parts: Sequence[Part], call_id: str | None) -> Iterator[Part]:
    return takewhile(lambda part: part.call_id == call_id and part.kind in _FILES, parts)


def _quoted(messages: Iterable[Message], known: set[int]) -> Iterator[tuple[Part, Part]]:
    """The calls among these messages that are not known, each with the result that follows it."""
    waiting: dict[str, Part] = {}
    for part in (part for one in messages for part in one.parts):
        if id(part) in known or not part.call_id:
            continue
        if part.kind == "tool_call":
            waiting[part.call_id] = part
        elif part.kind == "tool_result" and part.call_id in waiting:
            yield waiting.pop(part.call_id), part


CHANGED = ":material/edit_note:"
AS_SENT_NOW = ", as it is sent now"


def show(page: TurnPage, look: Look, target: int | None = None) -> None:
    """Draw the messages of this page of the conversation, in order. The turn `target` is marked."""
    for note in page.notes:
        st.info(label(note, 400), icon=":material/info:")
    is_whole = len(page.turns) == page.total
    tools = Tools(page.turns, is_whole=is_whole)
    where = "" if is_whole else " on this page"
    _tools_used(tools.calls(), offered_never_called(page.turns), where)
    above: Turn | None = None
    with st.container(key=f"{look.side}transcript"):
        for turn in page.turns:
            with st.container(key=turn_key(turn.number, look.side), gap="small"):
                _thread(turn, above)
                is_target = turn.number == target
                with st.container(key="target-turn", gap="small") if is_target else nullcontext():
                    _turn(turn, tools, look)
            above = turn


def turn_key(number: int, side: str = "") -> str:
    """The key of the element with the turn of this number."""
    return f"{side}turn-{number}"


def _tools_used(calls: Mapping[str, int], never_called: Sequence[str], where: str) -> None:
    if calls:
        names = ", ".join(f"{label(name)} ({times})" for name, times in calls.items())
        st.caption(f":material/build: Tools called{where}: {names}")
    if never_called:
        names = ", ".join(label(name) for name in never_called)
        st.caption(f":material/build: Offered, never called{where}: {names}")


def _turn(turn: Turn, tools: Tools, look: Look) -> None:
    for number, change in enumerate(turn.changes):
        _change(change, turn, look, f"{turn.number}-change-{number}")
    for position, request_message in enumerate(turn.new_messages):
        left = tools.without_results(request_message)
        if left.parts or not request_message.parts:
            _message(left, turn, tools, look, f"{turn.number}-{position}")
    for number, response in enumerate(turn.responses, start=1):
        choice = f", choice {response.choice}" if response.choice else ""
        left = tools.without_results(response)
        if left.parts or left.ending or not response.parts:
            _message(left, turn, tools, look, f"{turn.number}-answer-{number}", choice)
    _figures(turn, look)
    for note in turn.notes:
        st.caption(label(note, 400))


def _change(change: ShownChange, turn: Turn, look: Look, key: str) -> None:
    """Draw what the client changed in the conversation; the new text on a click."""
    if not change.messages:
        st.caption(f"{CHANGED} {label(change.sentence)}")
        return
    with st.expander(label(change.sentence), icon=CHANGED, type="compact"):
        for number, shown in enumerate(change.messages):
            frame = (shown, turn.request.started_at, look, f"{key}-{number}", AS_SENT_NOW)
            with message.framed(*frame, kind="history"):
                for part in shown.parts:
                    message.show_part(part, look)


def _message(
    shown: Message, turn: Turn, tools: Tools, look: Look, key: str, suffix: str = ""
) -> None:
    with message.framed(shown, turn.request.started_at, look, key, suffix):
        for part in shown.parts:
            if part.kind == "tool_call":
                _call(part, tools, look)
            else:
                message.show_part(part, look)
        message.show_ending(shown)


def _call(part: Part, tools: Tools, look: Look) -> None:
    """Draw a call, and next to it its result."""
    call_column, result_column = st.columns(2, gap="small")
    with call_column:
        message.show_part(part, look)
    with result_column:
        if results := tools.results_of(part):
            for result in results:
                message.show_part(result, look)
        elif why := tools.why_no_result(part):
            st.caption(why)


def _thread(turn: Turn, above: Turn | None) -> None:
    """Draw which request this one continues, unless it is the one just above."""
    if origin := origin_in_words(turn, above):
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

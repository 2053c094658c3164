"""Which result belongs beside which call, on one page of a conversation."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

from tracelib.conversation import Message, Part, Turn
from tracelib.conversation.tool_use import tool_uses

# What a tool may give back beside words.
_FILES = frozenset({"image", "audio", "file", "data", "citation"})


class Tools:
    """The calls of a page's turns, each with the result that the same page holds.

    A request that tells the conversation anew, as one that sums it up does, quotes calls with
    their results: those stand together too, but are no calls of their own. Parts are told apart
    as objects: two calls may read the same.
    """

    def __init__(self, turns: Sequence[Turn], *, is_whole: bool) -> None:
        uses = tool_uses(turns)
        self._names = [use.name or "a tool" for use in uses]
        self._result_of = {id(use.arguments): use.result for use in uses}
        placed = {id(use.result) for use in uses}
        for turn in turns:
            for call, result in _quoted(turn.asked, self._result_of.keys() | placed):
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
        """What did this call give back: its words, then its images and files? None for nothing."""
        result = self._result_of.get(id(call))
        return (result, *self._files_of.get(id(result), ())) if result else ()

    def why_no_result(self, call: Part) -> str | None:
        """What is said where a call has no result? Of one that is only quoted, nothing."""
        return self._no_result if id(call) in self._result_of else None

    def without_results(self, message: Message) -> Message:
        """This message without the results that stand beside their calls."""
        left = tuple(part for part in message.parts if id(part) not in self._placed)
        return replace(message, parts=left)


def _files(turns: Iterable[Turn]) -> Iterator[tuple[int, tuple[Part, ...]]]:
    """Each result, by its identity, with the images and files that came with it."""
    for turn in turns:
        for said in (*turn.asked, *turn.answered):
            for at, part in enumerate(said.parts):
                if part.kind == "tool_result":
                    yield id(part), tuple(_following(said.parts[at + 1 :], part.call_id))


def _following(parts: Sequence[Part], call_id: str | None) -> Iterator[Part]:
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

"""Each tool call of some turns with its results, so that both are shown together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tracelib.conversation.bodies.messages import Message, Part
from tracelib.conversation.tool_use import ToolUse
from tracelib.conversation.transcript import Turn

# What a tool may return in addition to text.
_FILES = frozenset({"image", "audio", "file", "data", "citation"})


class Results:
    """The calls of these turns, each with the results that are among them.

    A request that restates the conversation, such as one that summarises it, quotes calls with
    their results: those are shown together too, but do not count as calls. Parts are compared as
    objects: two calls may look the same.
    """

    def __init__(self, turns: Sequence[Turn], uses: Sequence[ToolUse], *, is_whole: bool) -> None:
        self._names = [use.name or "a tool" for use in uses]
        self._result_of = {id(use.arguments): use.result for use in uses}
        placed = {id(use.result) for use in uses}
        known = self._result_of.keys() | placed
        for turn in turns:
            for call, result in _quoted(turn.new_messages, known):
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
        counts: dict[str, int] = {}
        for name in self._names:
            counts[name] = counts.get(name, 0) + 1
        return counts

    def of(self, call: Part) -> tuple[Part, ...]:
        """The result of this call: its text, then its images and files. Empty for none."""
        result = self._result_of.get(id(call))
        return (result, *self._files_of.get(id(result), ())) if result else ()

    def why_none(self, call: Part) -> str | None:
        """The note for a call without a result; none for a quoted call."""
        return self._no_result if id(call) in self._result_of else None

    def without_results(self, message: Message) -> Message:
        """This message without the results that are next to their calls."""
        left = tuple(part for part in message.parts if id(part) not in self._placed)
        return message if len(left) == len(message.parts) else replace(message, parts=left)


def _files(turns: Iterable[Turn]) -> Iterator[tuple[int, tuple[Part, ...]]]:
    """Each result, by its identity, with the images and files that came with it."""
    for turn in turns:
        for one in (*turn.new_messages, *turn.responses):
            yield from _files_in(one.parts)


def _files_in(parts: Sequence[Part]) -> Iterator[tuple[int, tuple[Part, ...]]]:
    result: Part | None = None
    files: list[Part] = []
    for part in parts:
        if result and part.call_id == result.call_id and part.kind in _FILES:
            files.append(part)
            continue
        if result and files:
            yield id(result), tuple(files)
        result, files = part if part.kind == "tool_result" else None, []
    if result and files:
        yield id(result), tuple(files)


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

"""Which result belongs beside which call, on one page of a conversation."""

from collections.abc import Sequence
from dataclasses import replace

from tracelib.conversation import Message, Part, Turn
from tracelib.conversation.tool_use import tool_uses


class Tools:
    """The calls of a page's turns, each with the result that the same page holds.

    Parts are told apart as objects: two calls may read the same.
    """

    def __init__(self, turns: Sequence[Turn], *, is_whole: bool) -> None:
        uses = tool_uses(turns)
        self._names = [use.name or "a tool" for use in uses]
        self._result_of = {id(use.arguments): use.result for use in uses}
        self._placed = {id(use.result) for use in uses if use.result is not None}
        self.why_no_result = "No result was sent back." if is_whole else "No result on this page."

    def calls(self) -> dict[str, int]:
        """Which tools were called, how often? In the order first called."""
        return {name: self._names.count(name) for name in dict.fromkeys(self._names)}

    def result_of(self, call: Part) -> Part | None:
        """What did this call give back?"""
        return self._result_of.get(id(call))

    def without_results(self, message: Message) -> Message:
        """This message without the results that stand beside their calls."""
        left = tuple(part for part in message.parts if id(part) not in self._placed)
        return replace(message, parts=left)

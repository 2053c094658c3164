"""Tool calls, each with the result that a later request brought."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tracelib.conversation.bodies.messages import Message, Part
from tracelib.conversation.transcript import Turn

# An MCP server is offered as a whole; its tools are called by their own names.
_SERVERS = frozenset({"mcp"})


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call. `result` and `answered_in` are None if no turn brought a result.

    `called_in` is the request whose response made the call, or the first that quoted it if that
    response is not among the turns.
    """

    name: str | None
    call_id: str | None
    arguments: Part
    result: Part | None
    called_in: str
    answered_in: str | None

    @property
    def has_result(self) -> bool:
        return self.result is not None


def tool_uses(turns: Sequence[Turn]) -> tuple[ToolUse, ...]:
    """Which tools were called, and what did each return?

    In the order of the calls. A result belongs to the newest open call of its ID, of its own thread
    before others; without an ID, to the last calls of its thread by their name, in order. A result
    that fits several calls, or none, is left out; of several results of one call, as in branches,
    the first counts. No calls give an empty tuple.
    """
    ledger = _Ledger(turns)
    for turn in turns:
        ledger.read(turn)
    return tuple(ledger.uses)


def offered_never_called(turns: Sequence[Turn], uses: Sequence[ToolUse]) -> tuple[str, ...]:
    """Which tools were offered to the model and never called?

    `uses` are the `tool_uses` of the turns. By name, in the order first offered.
    """
    called = {use.name for use in uses}
    offered = dict.fromkeys(name for turn in turns for name in _offered(turn))
    return tuple(name for name in offered if not called & _spellings(name))


def _offered(turn: Turn) -> Iterator[str]:
    # No API allows a comma in the name of a tool.
    names = dict(turn.settings).get("tools offered", "").split(", ")
    return (name for name in names if name and name not in _SERVERS)


def _spellings(name: str) -> set[str]:
    """The names under which an offered tool may be called.

    Responses offers `computer_use_preview` and calls it `computer_call`; Anthropic offers
    `code_execution` and calls it by what runs in it.
    """
    stem = name.removesuffix("_preview").removesuffix("_use")
    return {name, f"{name}_call", f"{stem}_call", f"bash_{name}", f"text_editor_{name}"}


def _parts(messages: Iterable[Message]) -> Iterator[tuple[Message, Part]]:
    return ((message, part) for message in messages for part in message.parts)


class _Ledger:
    """The calls so far, and which of them still wait for a result."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.uses: list[ToolUse] = []
        self._thread_of = {turn.number: turn.thread for turn in turns}
        self._called_in: list[int] = []  # the number of each call's turn: IDs may be repeated
        self._met: set[Hashable] = set()
        self._open: dict[str | None, list[int]] = defaultdict(list)  # by call ID

    def read(self, turn: Turn) -> None:
        for message, part in _parts(turn.new_messages):
            is_quoted = message.role == "assistant" and _mark(part) in self._met
            if not is_quoted:
                self._remember(part, turn)
        for _, part in _parts(turn.responses):
            self._remember(part, turn)

    def _remember(self, part: Part, turn: Turn) -> None:
        if part.kind == "tool_call":
            self._met.add(_mark(part))
            self._open[part.call_id].append(len(self.uses))
            request_id = turn.request.request_id
            self.uses.append(ToolUse(part.name, part.call_id, part, None, request_id, None))
            self._called_in.append(turn.number)
        elif part.kind == "tool_result":
            self._settle(part, turn)

    def _settle(self, result: Part, turn: Turn) -> None:
        fits = self._by_id(result, turn) if result.call_id else self._by_name(result, turn)
        if fits is None:
            return
        self._open[result.call_id].remove(fits)
        request_id = turn.request.request_id
        self.uses[fits] = replace(self.uses[fits], result=result, answered_in=request_id)

    def _by_id(self, result: Part, turn: Turn) -> int | None:
        waiting = self._open.get(result.call_id, [])
        own = [index for index in waiting if self._is_of_thread(index, turn)]
        return next(reversed(own or waiting), None)

    def _by_name(self, result: Part, turn: Turn) -> int | None:
        waiting = [index for index in self._open[None] if self._is_of_thread(index, turn)]
        together = [index for index in waiting if self._called_with(waiting[-1], index)]
        if result.name:
            return next((one for one in together if self.uses[one].name == result.name), None)
        return together[0] if len(together) == 1 else None

    def _called_with(self, last: int, index: int) -> bool:
        return self._called_in[index] == self._called_in[last]

    def _is_of_thread(self, index: int, turn: Turn) -> bool:
        return self._thread_of[self._called_in[index]] == turn.thread


def _mark(part: Part) -> Hashable:
    """The value by which a call is recognised when a later request quotes it."""
    return part.call_id or (part.name, part.fingerprint or part.text)

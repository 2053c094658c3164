"""A request reduced to keys of its messages, without its stored session ID."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile

from tracelib.conversation.bodies.messages import Message, Part
from tracelib.conversation.bodies.request_messages import CHAT, RequestMessages
from tracelib.conversation.json_values import parsed_text, string
from tracelib.conversation.requests import StoredRequest
from tracelib.conversation.threading.canonical import Canonical, Item, canonical
from tracelib.conversation.threading.history import Reader, as_message, read_turn

# LiteLLM stores about this much of a text.
LONGEST = 4_000
# "yes", "42": such a task occurs in many conversations.
SHORTEST_TASK = 8


def words(message: Message) -> str:
    """The text of this message; '' if it has none."""
    return _short("".join(part.text for part in message.parts if part.kind == "text"))


def tasks(responses: Iterable[Message]) -> tuple[tuple[str, str], ...]:
    """Which tasks do these responses give to tools? The ID of each call with each of its texts."""
    return tuple(
        (part.call_id, text)
        for part in _parts(responses, "tool_call")
        if part.call_id
        for text in _texts(part)
        if len(text) >= SHORTEST_TASK
    )


def outcomes(messages: Iterable[Message]) -> tuple[tuple[str, str], ...]:
    """Which results did tools return? The ID of each call with its result."""
    results = _parts(messages, "tool_result")
    return tuple((part.call_id, _short(part.text)) for part in results if part.call_id)


def _parts(messages: Iterable[Message], kind: str) -> Iterator[Part]:
    return (part for message in messages for part in message.parts if part.kind == kind)


def _texts(call: Part) -> Iterator[str]:
    arguments = parsed_text(call.text)
    values = arguments.values() if isinstance(arguments, dict) else ()
    return (_short(string(value)) for value in values)


def _short(text: str) -> str:
    return text.strip()[:LONGEST]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One request as joining needs it: keys of its messages, and little text. Times aware UTC.

    `history` is the whole history it sent, `responses` one message per choice; all is empty if the
    messages are not stored, redacted, or not a conversation (an embedding, an image). `user` is the
    end user that the client named, '' for none. `previous_ids` name the response it continues; such
    a request sends no history, so it is found by that name alone.

    `task` is its first message after the system prompt, `outcome` its response, as text; `tasks`
    are what its response gives to tools, `outcomes` what tools returned since the response before,
    each with the ID of the call.
    """

    request_id: str
    started_at: datetime
    ended_at: datetime
    is_failure: bool
    user: str
    previous_ids: tuple[str, ...]
    history: tuple[Canonical, ...] = ()
    responses: tuple[Canonical, ...] = ()
    task: str = ""
    outcome: str = ""
    tasks: tuple[tuple[str, str], ...] = ()
    outcomes: tuple[tuple[str, str], ...] = ()

    @property
    def prompts(self) -> tuple[Item, ...]:
        """The system prompts at its beginning."""
        return tuple(item for one in takewhile(_is_system, self.history) for item in one.items)

    @property
    def opening(self) -> tuple[Canonical, ...]:
        """The system prompt and the first message after it; () for a system prompt alone."""
        systems = sum(1 for _ in takewhile(_is_system, self.history))
        return self.history[: systems + 1] if systems < len(self.history) else ()

    @property
    def responses_held(self) -> int:
        """How many earlier responses does its history contain?"""
        return sum(message.role == "assistant" for message in self.history)

    @property
    def is_left_open(self) -> bool:
        """Did it end without a response, or with one that waits for a tool?"""
        return self.is_failure or any(response.calls for response in self.responses)


def _is_system(message: Canonical) -> bool:
    return message.is_system


def fingerprint(request: StoredRequest, reader: Reader) -> Fingerprint:
    """The messages of this request as keys. `reader` knows the messages of other requests."""
    one = read_turn(request)
    question, replies = one.question, one.responses
    named = Fingerprint(
        request.request_id,
        request.started_at,
        request.ended_at,
        request.is_failure,
        string(question.body.get("user")),
        question.previous_ids,
    )
    history = tuple(reader.read(raw) for raw in question.messages)
    responses = tuple(canonical(reply, is_response=True) for reply in replies)
    if question.kind != CHAT or question.previous_ids or not history or _redacted(history):
        return named
    if _redacted(responses):
        return _with_prompt(named, question, history)
    return replace(
        _with_prompt(named, question, history),
        responses=responses,
        outcome=words(replies[0]) if replies else "",
        tasks=tasks(replies),
    )


def _with_prompt(
    named: Fingerprint, question: RequestMessages, history: tuple[Canonical, ...]
) -> Fingerprint:
    opening = len(replace(named, history=history).opening)
    return replace(
        named,
        history=history,
        task=words(as_message(question.messages[opening - 1])) if opening else "",
        outcomes=outcomes(_since_last_response(question, history)),
    )


def _redacted(messages: Sequence[Canonical]) -> bool:
    return any(message.is_redacted for message in messages)


def _since_last_response(question: RequestMessages, history: Sequence[Canonical]) -> list[Message]:
    newest = takewhile(lambda one: one.role != "assistant", reversed(history))
    count = sum(1 for _ in newest)
    return [as_message(raw) for raw in question.messages[len(history) - count :]]

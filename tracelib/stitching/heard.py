"""A request reduced to keys of its messages, its stored session ID left aside."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile

from tracelib.conversation.bodies.asked import CHAT, Asked
from tracelib.conversation.bodies.messages import Message, Part
from tracelib.conversation.json_values import parsed_text, string
from tracelib.conversation.requests import StoredRequest
from tracelib.conversation.threading.canonical import Canonical, Item, canonical
from tracelib.conversation.threading.history import Reader, opened, spoken

# LiteLLM keeps about so much of a text.
LONGEST = 4_000
# "yes", "42": such a task is set in many conversations.
SHORTEST_TASK = 8


def words(message: Message) -> str:
    """What does this message say in words? '' where it says nothing."""
    return _short("".join(part.text for part in message.parts if part.kind == "text"))


def tasks(answers: Iterable[Message]) -> tuple[tuple[str, str], ...]:
    """What do these answers ask tools to do? The id of each call with each text it carries."""
    return tuple(
        (part.call_id, text)
        for part in _parts(answers, "tool_call")
        if part.call_id
        for text in _texts(part)
        if len(text) >= SHORTEST_TASK
    )


def outcomes(messages: Iterable[Message]) -> tuple[tuple[str, str], ...]:
    """What came back from tools? The id of each call with its result."""
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
class Heard:
    """One request as joining sees it: keys of what was said, and few words. Times aware UTC.

    `asked` is the whole history it sent, `answered` one message per choice; all is empty
    where the words are not stored, redacted, or no conversation (an embedding, an image).
    `user` is the end user that the client named, '' for none. `previous_ids` name the response
    it goes on from; such a request sends no history, so it is found by that name alone.

    `task` is its first message after the system prompt, `outcome` its answer, in words; `tasks`
    are what its answer hands to tools, `outcomes` what tools brought back since the answer
    before, each with the id of the call.
    """

    request_id: str
    started_at: datetime
    ended_at: datetime
    is_failure: bool
    user: str
    previous_ids: tuple[str, ...]
    asked: tuple[Canonical, ...] = ()
    answered: tuple[Canonical, ...] = ()
    task: str = ""
    outcome: str = ""
    tasks: tuple[tuple[str, str], ...] = ()
    outcomes: tuple[tuple[str, str], ...] = ()

    @property
    def prompts(self) -> tuple[Item, ...]:
        """The system prompts at its beginning."""
        return tuple(item for one in takewhile(_is_system, self.asked) for item in one.items)

    @property
    def opening(self) -> tuple[Canonical, ...]:
        """The system prompt and the first message after it; () for a system prompt alone."""
        systems = sum(1 for _ in takewhile(_is_system, self.asked))
        return self.asked[: systems + 1] if systems < len(self.asked) else ()

    @property
    def answers_held(self) -> int:
        """How many earlier answers does its history hold?"""
        return sum(message.role == "assistant" for message in self.asked)

    @property
    def is_left_open(self) -> bool:
        """Did it end without an answer, or with one that waits for a tool?"""
        return self.is_failure or any(answer.calls for answer in self.answered)


def _is_system(message: Canonical) -> bool:
    return message.is_system


def heard(request: StoredRequest, reader: Reader) -> Heard:
    """What was said in this request? `reader` knows what others have said."""
    one = opened(request)
    question, replies = one.question, one.answered
    named = Heard(
        request.request_id,
        request.started_at,
        request.ended_at,
        request.is_failure,
        string(question.body.get("user")),
        question.previous_ids,
    )
    history = tuple(reader.read(raw) for raw in question.messages)
    answered = tuple(canonical(reply, is_answer=True) for reply in replies)
    if question.kind != CHAT or question.previous_ids or not history or _redacted(history):
        return named
    if _redacted(answered):
        return _asking(named, question, history)
    return replace(
        _asking(named, question, history),
        answered=answered,
        outcome=words(replies[0]) if replies else "",
        tasks=tasks(replies),
    )


def _asking(named: Heard, question: Asked, history: tuple[Canonical, ...]) -> Heard:
    opening = len(replace(named, asked=history).opening)
    return replace(
        named,
        asked=history,
        task=words(spoken(question.messages[opening - 1])) if opening else "",
        outcomes=outcomes(_since_last_answer(question, history)),
    )


def _redacted(messages: Sequence[Canonical]) -> bool:
    return any(message.is_redacted for message in messages)


def _since_last_answer(question: Asked, history: Sequence[Canonical]) -> list[Message]:
    newest = takewhile(lambda one: one.role != "assistant", reversed(history))
    count = sum(1 for _ in newest)
    return [spoken(raw) for raw in question.messages[len(history) - count :]]

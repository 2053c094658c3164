"""What an agent hands to another through a tool: the task that goes, the outcome that returns."""

from collections.abc import Iterable, Iterator

from tracelib.conversation.json_values import parsed_text, string
from tracelib.conversation.messages import Message, Part

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

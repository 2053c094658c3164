"""Rows that hold a connection: realtime talk, and the Responses API over WebSocket."""

from collections.abc import Mapping, Sequence
from itertools import takewhile

from tracelib.conversation.chat import message
from tracelib.conversation.events import Connection
from tracelib.conversation.json_values import array, mapping, objects, stored_json, string
from tracelib.conversation.messages import Message
from tracelib.conversation.stored import Stored

_OF_A_CLIENT = ("system", "developer", "user")


def is_realtime(call_type: str) -> bool:
    """Is this a row of realtime talk, whose body is but a handshake?"""
    return "realtime" in call_type


def events_of(stored: object) -> list[Mapping[str, object]]:
    """The events of a connection that this answer holds; none where it is another answer."""
    found = mapping(stored).get("results") if isinstance(stored, dict) else stored
    events = objects(found)
    is_whole = len(events) == len(array(found)) and all(_is_event(event) for event in events)
    return events if is_whole and any(_tells(event) for event in events) else []


def _is_event(event: Mapping[str, object]) -> bool:
    return "type" in event or isinstance(event.get("response"), dict)


def _tells(event: Mapping[str, object]) -> bool:
    named = string(event.get("type")).startswith(
        ("response.", "session.", "conversation.", "transcription_session.", "input_audio_")
    )
    return (named and _holds_anything(event)) or "output" in mapping(event.get("response"))


def _holds_anything(event: Mapping[str, object]) -> bool:
    """Is there what an event is about, or more of a text?"""
    objects_of = (mapping(event.get(name)) for name in ("response", "item", "session", "error"))
    return any(objects_of) or any(string(event.get(name)) for name in ("delta", "transcript"))


def talk(request: Stored) -> tuple[Message, ...]:
    """What was said on this realtime connection, by both sides, in order?

    What the user said aloud stands among the events; what was typed LiteLLM keeps apart, and
    where there are as many of these as there are answers, each is put before its answer.
    """
    connection = Connection()
    for event in events_of(stored_json(request.response_body)):
        connection.read(event)
    happened = connection.messages()
    known = [_words(one) for one in happened if one.role in _OF_A_CLIENT]
    kept_apart = [one for one in _kept_apart(request.messages_body) if _words(one) not in known]
    told = [one for one in kept_apart if one.role != "user"]
    typed = [one for one in kept_apart if one.role == "user"]
    lead = list(takewhile(lambda one: one.role in ("system", "developer"), happened))
    return (*lead, *told, *_in_turn(typed, happened[len(lead) :]))


def asked_first(whole: Sequence[Message]) -> tuple[Message, ...]:
    """What a client said before it was first answered."""
    return tuple(takewhile(lambda one: one.role in _OF_A_CLIENT, whole))


def _kept_apart(messages_body: object) -> list[Message]:
    stored = stored_json(messages_body)
    if isinstance(stored, dict):
        stored = stored.get("messages", [stored] if "content" in stored else [])
    return [message(entry) for entry in objects(stored) if "content" in entry]


def _in_turn(typed: Sequence[Message], happened: Sequence[Message]) -> tuple[Message, ...]:
    answers = [one for one in happened if one.role == "assistant"]
    if len(answers) != len(typed) or len(answers) != len(happened):
        return (*typed, *happened)
    return tuple(one for pair in zip(typed, answers, strict=True) for one in pair)


def _words(one: Message) -> str:
    return " ".join(part.text for part in one.parts if part.kind == "text")

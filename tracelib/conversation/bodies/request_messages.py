"""The messages of a stored request, whatever API it was sent to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from tracelib.conversation.bodies.chat import message
from tracelib.conversation.bodies.events import Connection
from tracelib.conversation.bodies.items import Raw, item_messages
from tracelib.conversation.bodies.messages import Message
from tracelib.conversation.bodies.other_calls import input_messages
from tracelib.conversation.bodies.texts import data_part
from tracelib.conversation.bodies.unknown_shapes import Unknown, unknown_request
from tracelib.conversation.json_values import (
    EMPTY,
    array,
    looks_like_json,
    mapping,
    objects,
    stored_json,
    string,
)
from tracelib.conversation.requests import Stored

_OF_A_CLIENT = ("system", "developer", "user")


def is_realtime(call_type: str) -> bool:
    """Is this a row of a realtime connection, whose request body is only a handshake?"""
    return "realtime" in call_type


def events_of(stored: object) -> list[Mapping[str, object]]:
    """The events of a connection that this response holds; empty for any other response."""
    found = mapping(stored).get("results") if isinstance(stored, dict) else stored
    events = objects(found)
    is_whole = len(events) == len(array(found)) and all(_is_event(event) for event in events)
    return events if is_whole and any(_is_of_connection(event) for event in events) else []


def _is_event(event: Mapping[str, object]) -> bool:
    return "type" in event or isinstance(event.get("response"), dict)


def _is_of_connection(event: Mapping[str, object]) -> bool:
    named = string(event.get("type")).startswith(
        ("response.", "session.", "conversation.", "transcription_session.", "input_audio_")
    )
    return (named and _holds_anything(event)) or "output" in mapping(event.get("response"))


def _holds_anything(event: Mapping[str, object]) -> bool:
    """Does this event contain its subject, or more of a text?"""
    objects_of = (mapping(event.get(name)) for name in ("response", "item", "session", "error"))
    return any(objects_of) or any(string(event.get(name)) for name in ("delta", "transcript"))


def realtime_messages(request: Stored) -> tuple[Message, ...]:
    """Which messages did both sides send on this realtime connection, in order?

    The user's spoken messages are among the events. LiteLLM stores typed ones separately: if there
    are as many of them as responses, each is put before its response.
    """
    connection = Connection()
    for event in events_of(stored_json(request.response_body)):
        connection.read(event)
    happened = connection.messages()
    known = [_words(one) for one in happened if one.role in _OF_A_CLIENT]
    stored = [one for one in _typed_messages(request.messages_body) if _words(one) not in known]
    others = [one for one in stored if one.role != "user"]
    typed = [one for one in stored if one.role == "user"]
    lead = list(takewhile(lambda one: one.role in ("system", "developer"), happened))
    return (*lead, *others, *_in_turn(typed, happened[len(lead) :]))


def before_first_response(whole: Sequence[Message]) -> tuple[Message, ...]:
    """The messages that a client sent before the first response."""
    return tuple(takewhile(lambda one: one.role in _OF_A_CLIENT, whole))


def _typed_messages(messages_body: object) -> list[Message]:
    stored = stored_json(messages_body)
    if isinstance(stored, dict):
        stored = stored.get("messages", [stored] if "content" in stored else [])
    return [message(entry) for entry in objects(stored) if "content" in entry]


def _in_turn(typed: Sequence[Message], happened: Sequence[Message]) -> tuple[Message, ...]:
    responses = [one for one in happened if one.role == "assistant"]
    if len(responses) != len(typed) or len(responses) != len(happened):
        return (*typed, *happened)
    return tuple(one for pair in zip(typed, responses, strict=True) for one in pair)


def _words(one: Message) -> str:
    return " ".join(part.text for part in one.parts if part.kind == "text")


CHAT = "chat"
POLL = "poll"

_LINKS = ("_litellm_addressed_response_id", "previous_response_id", "previous_interaction_id")
_POLLS = ("get_responses", "cancel_responses", "delete_responses", "get_interaction")
_COHERE_ROLES = {"CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}

Body = Mapping[str, object]
Messages = tuple[Raw | Message, ...]


@dataclass(frozen=True, slots=True)
class RequestMessages:
    """The messages of a request, not yet read (or already read, if no other row has them).

    `kind` is CHAT for all conversations; single calls (embedding, image, tool) have their own, so
    that they are never taken for the start of a conversation. POLL sends no messages: it fetches
    the response to an earlier request, `polled_id`. `conversation_id` names a conversation that the
    provider stores.
    """

    messages: Messages
    kind: str
    body: Body
    previous_ids: tuple[str, ...] = ()  # the responses that this request continues
    is_unreadable: bool = False  # something is stored, but none of it may be shown
    polled_id: str | None = None
    conversation_id: str | None = None


def request_messages(request: Stored) -> RequestMessages:
    """Which messages does this request hold?

    Prompts that are not stored give no messages. Of `proxy_server_request` only the fields that
    hold a prompt are read: the others hold keys, addresses and headers. If no prompt field is
    known, the other fields are shown as far as they may be.
    """
    stored = stored_json(request.request_body)
    body = _first_message(mapping(stored))
    call_type = request.call_type or ""
    previous = tuple(string(body[link]) for link in _LINKS if string(body.get(link)))
    if any(call_type.endswith(poll) for poll in _POLLS):
        polled = string(body.get("response_id") or body.get("interaction_id")) or None
        return RequestMessages((), POLL, body, previous, polled_id=polled)
    messages, kind = _messages_and_kind(request, body, call_type)
    if messages:
        return RequestMessages(messages, kind, body, previous, conversation_id=_conversation(body))
    found = _unknown(request, stored, call_type)
    return RequestMessages(found.messages, CHAT, body, previous, found.is_hidden)


def _first_message(body: Body) -> Body:
    """The request over a WebSocket: the first message, which is stored as text."""
    first = stored_json(body.get("first_message"))
    if not isinstance(first, dict):
        return body
    inner = first.get("response")
    return {**body, **first, **(inner if isinstance(inner, dict) else {})}


def _conversation(body: Body) -> str | None:
    found = body.get("conversation")
    return string(found) or string(mapping(found).get("id")) or None


def _messages_and_kind(request: Stored, body: Body, call_type: str) -> tuple[Messages, str]:
    if is_realtime(call_type):
        return before_first_response(realtime_messages(request)), CHAT
    messages = _chat(body) or _agent(body)
    if messages or _is_responses(body, call_type):
        messages = messages or _input(body.get("input"))
        return (*_stored_prompt(body), *_system(body), *messages, *_other_input(body)), CHAT
    prompt = (*_stored_prompt(body), *_system(body))
    single = input_messages(body, call_type)
    if single or not prompt:
        return (*prompt, *single), call_type or "single"
    return prompt, CHAT


def _system(body: Body) -> list[Raw]:
    """The system prompt, which Anthropic, Responses and Gemini store outside the messages."""
    names = ("system", "instructions", "systemInstruction", "system_instruction", "preamble")
    contents = [body[field] for field in names if body.get(field)]
    return [
        {**content, "role": "system"}
        if isinstance(content, dict) and "parts" in content
        else {"role": "system", "content": content}
        for content in contents
    ]


def _stored_prompt(body: Body) -> list[Raw]:
    """A prompt that OpenAI or LiteLLM stores, by its ID, with the values of its variables."""
    own = mapping(body.get("prompt"))
    block: dict[str, object] = {}
    if own.get("id"):
        block = {**own, "type": "stored_prompt"}
    elif body.get("prompt_id") or body.get("prompt_variables"):
        block = {
            "type": "stored_prompt",
            "id": body.get("prompt_id"),
            "version": body.get("prompt_version"),
            "variables": body.get("prompt_variables"),
        }
    return [{"role": "developer", "content": [block]}] if block else []


def _chat(body: Body) -> list[Raw]:
    messages = body.get("messages")
    if isinstance(messages, str) and messages:
        return [{"role": "user", "content": messages}]
    if isinstance(messages, dict) and messages:
        return [_raw(messages)]
    if array(messages):
        return [_raw(entry) for entry in array(messages)]
    if body.get("message") and "method" not in body:  # Cohere's older API
        return [*_cohere_history(body), {"role": "user", "content": body["message"]}]
    contents = body.get("contents")  # Gemini's own API
    turns = contents if isinstance(contents, list) else [contents] if contents else []
    return [_gemini_turn(turn) for turn in turns]


def _gemini_turn(turn: object) -> Raw:
    if not isinstance(turn, dict):
        return {"role": "user", "content": turn}
    return turn if "parts" in turn else {"role": turn.get("role"), "content": [turn]}


def _cohere_history(body: Body) -> list[Raw]:
    turns = objects(body.get("chat_history"))
    return [{**turn, "role": _COHERE_ROLES.get(string(turn.get("role")))} for turn in turns]


def _raw(entry: object) -> Raw:
    return entry if isinstance(entry, dict) else {"role": "user", "content": entry}


def _agent(body: Body) -> list[Raw]:
    """The message to an agent over A2A, a JSON-RPC protocol."""
    sent = mapping(body.get("params")).get("message")
    return [_raw(sent)] if sent and ("method" in body or "jsonrpc" in body) else []


def _is_responses(body: Body, call_type: str) -> bool:
    """Is this a request to the Responses API? Embeddings have an `input` of texts and numbers."""
    if "responses" in call_type or "interaction" in call_type:
        return True
    if any(body.get(key) for key in ("instructions", *_LINKS)) and body.get("input"):
        return True
    known_elsewhere = ("embedding", "moderation", "speech")
    items = objects(body.get("input"))
    return bool(items) and not any(word in call_type for word in known_elsewhere)


def _input(items: object) -> list[Raw]:
    if items in EMPTY:
        return []
    return item_messages(items if isinstance(items, list) else [items])


def _other_input(body: Body) -> list[Raw]:
    """Input that was sent next to the messages: documents, a predicted output."""
    found = [body[name] for name in ("documents", "prediction") if body.get(name)]
    blocks = [entry for one in found for entry in (one if isinstance(one, list) else [one])]
    return [{"role": "user", "content": blocks}] if blocks else []


def _unknown(request: Stored, stored: object, call_type: str) -> Unknown:
    """What may be shown of the `messages` column, or of a body of an unknown shape."""
    loose = stored_json(request.messages_body)
    if loose not in EMPTY:
        return Unknown(_loose_messages(loose), False)
    if isinstance(stored, list):
        entries = [entry for entry in stored if isinstance(entry, dict) and "role" in entry]
        if entries:
            return Unknown(tuple(entries), False)
    if is_realtime(call_type) or stored in EMPTY:
        return Unknown((), False)
    if isinstance(stored, str):
        is_cut = looks_like_json(stored)
        return Unknown(() if is_cut else (Message("user", (data_part(stored),)),), is_cut)
    return unknown_request(stored)


def _loose_messages(stored: object) -> Messages:
    if isinstance(stored, dict):
        if isinstance(stored.get("messages"), list):
            return tuple(_chat(stored))
        return (stored,) if "content" in stored else (Message("user", (data_part(stored),)),)
    if isinstance(stored, list):
        return tuple(item_messages(stored) if _has_items(stored) else map(_raw, stored))
    return (Message("user", (data_part(stored),)),)


def _has_items(stored: list[object]) -> bool:
    return any("type" in entry and "role" not in entry for entry in objects(stored))

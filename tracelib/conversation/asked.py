"""What a stored request asked, whatever API it was sent to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tracelib.conversation.json_values import (
    array,
    looks_like_json,
    mapping,
    objects,
    stored_json,
    string,
)
from tracelib.conversation.messages import Message
from tracelib.conversation.responses import Raw, item_messages
from tracelib.conversation.single import single_request
from tracelib.conversation.texts import data_part

CHAT = "chat"

_LINKS = ("_litellm_addressed_response_id", "previous_response_id")


class Prompted(Protocol):
    """What of a stored request tells what it asked: its API, and two bodies."""

    @property
    def call_type(self) -> str | None: ...
    @property
    def request_body(self) -> object: ...
    @property
    def messages_body(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """The messages of a request, not yet read (or read already, where no other row has them).

    `kind` is CHAT for all conversations; single calls (embedding, image, tool) have their
    own, so that they never pass for the beginning of a conversation.
    """

    messages: tuple[Raw | Message, ...]
    kind: str
    body: Mapping[str, object]
    previous_ids: tuple[str, ...] = ()  # of the response this request goes on from
    is_unreadable: bool = False  # something is stored, but in no shape that may be shown


def asked(request: Prompted) -> Asked:
    """What did this request ask?

    Prompts that are not stored give no messages. Of `proxy_server_request` only the fields
    that hold a prompt are read: the rest of it holds keys, addresses and headers.
    """
    stored = stored_json(request.request_body)
    body = mapping(stored)
    call_type = request.call_type or ""
    previous = tuple(string(body[link]) for link in _LINKS if string(body.get(link)))
    messages, kind = _messages_and_kind(body, call_type)
    if not messages:
        messages, kind = _stored_messages(request, stored), CHAT
    unreadable = not messages and stored not in (None, "", {}, [])
    return Asked(messages, kind, body, previous, unreadable)


def _messages_and_kind(
    body: Mapping[str, object], call_type: str
) -> tuple[tuple[Raw | Message, ...], str]:
    if "realtime" in call_type:
        return (), CHAT  # its body is a WebSocket handshake
    chat = _chat(body)
    if chat:
        return (*_system(body), *chat), CHAT
    if _is_responses(body, call_type):
        return tuple(_system(body) + _input(body.get("input"))), CHAT
    return single_request(body, call_type), call_type or "single"


def _system(body: Mapping[str, object]) -> list[Raw]:
    """The system prompt that Anthropic, Responses and Gemini keep beside the messages."""
    for field in ("system", "instructions", "systemInstruction", "system_instruction"):
        content = body.get(field)
        if content:
            parts = mapping(content).get("parts")
            return [{"role": "system", "content": parts or content}]
    return []


def _chat(body: Mapping[str, object]) -> list[Raw]:
    messages = body.get("messages")
    if isinstance(messages, str) and messages:
        return [{"role": "user", "content": messages}]
    if array(messages):
        return [_raw(entry) for entry in array(messages)]
    contents = body.get("contents")  # Gemini's own API
    turns = objects([contents] if isinstance(contents, dict) else contents)
    return [{"role": turn.get("role"), "content": turn.get("parts")} for turn in turns]


def _raw(entry: object) -> Raw:
    return entry if isinstance(entry, dict) else {"role": "user", "content": entry}


def _is_responses(body: Mapping[str, object], call_type: str) -> bool:
    """Embeddings and moderations have an `input` too, of texts and numbers alone."""
    if "responses" in call_type or any(body.get(key) for key in ("instructions", *_LINKS)):
        return bool(body.get("input"))
    known_elsewhere = ("embedding", "moderation", "speech")
    items = objects(body.get("input"))
    return bool(items) and not any(word in call_type for word in known_elsewhere)


def _input(items: object) -> list[Raw]:
    return item_messages(items if isinstance(items, list) else [items])


def _stored_messages(request: Prompted, body: object) -> tuple[Raw | Message, ...]:
    """From the `messages` column, or from a body that is itself the messages."""
    stored = stored_json(request.messages_body)
    if stored not in (None, "", {}, []):
        return _loose_messages(stored)
    if isinstance(body, list):
        return tuple(entry for entry in body if isinstance(entry, dict) and "role" in entry)
    if body in (None, "", {}) or isinstance(body, dict) or looks_like_json(body):
        return ()
    return (Message("user", (data_part(body),)),)


def _loose_messages(stored: object) -> tuple[Raw | Message, ...]:
    if isinstance(stored, dict):
        if isinstance(stored.get("messages"), list):
            return tuple(_chat(stored))
        return (stored,) if "content" in stored else (Message("user", (data_part(stored),)),)
    if isinstance(stored, list):
        return tuple(item_messages(stored) if _has_items(stored) else map(_raw, stored))
    return (Message("user", (data_part(stored),)),)


def _has_items(stored: list[object]) -> bool:
    return any("type" in entry and "role" not in entry for entry in objects(stored))

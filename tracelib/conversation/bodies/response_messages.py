"""The messages of a response, whatever API it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tracelib.conversation.bodies import other_calls, phrases
from tracelib.conversation.bodies.chat import failed, message
from tracelib.conversation.bodies.events import Connection
from tracelib.conversation.bodies.fields import Fields
from tracelib.conversation.bodies.messages import Message, Part
from tracelib.conversation.bodies.request_messages import (
    before_first_response,
    events_of,
    is_realtime,
    realtime_messages,
    request_messages,
)
from tracelib.conversation.bodies.response_shapes import (
    SHAPES,
    Reader,
    empty_response,
    responses_api,
)
from tracelib.conversation.bodies.streams import assembled, read_stream
from tracelib.conversation.bodies.texts import data_part, rest_parts, text_part
from tracelib.conversation.bodies.untyped import citations, grounding
from tracelib.conversation.json_values import EMPTY, mapping, objects, stored_json
from tracelib.conversation.requests import Stored

# Fields in which a response repeats its own text, or names its author.
_COPIES = (
    *("segments", "words", "tool_calls", "modelVersion", "provider", "response_ms", "task"),
    "prompt",
)
_SOURCES = ("citations", "search_results", "vertex_ai_citation_metadata")
_GROUNDING = ("vertex_ai_grounding_metadata", "groundingMetadata")


def response_messages(request: Stored) -> tuple[Message, ...]:
    """Which messages does the response to this request hold?

    One message per choice. For a connection, everything after the first response, in order,
    including the user's messages. Empty if nothing came back or nothing was stored. A response of
    an unknown shape is shown as JSON.
    """
    stored = stored_json(request.response_body)
    if is_realtime(request.call_type or "") and (stored in EMPTY or events_of(stored)):
        whole = realtime_messages(request)
        return whole[len(before_first_response(whole)) :]
    return _named(_without_question(_read(stored, request.call_type or ""), request), request)


def _named(found: tuple[Message, ...], request: Stored) -> tuple[Message, ...]:
    """A tool result with neither a name nor an ID gets the name of the only call in the request."""
    if not any(_is_nameless(part) for one in found for part in one.parts):
        return found
    sent = (one for one in request_messages(request).messages if isinstance(one, Message))
    called = [part.name for one in sent for part in one.parts if part.kind == "tool_call"]
    if len(called) != 1:
        return found
    return tuple(
        replace(
            one,
            parts=tuple(
                replace(part, name=called[0]) if _is_nameless(part) else part for part in one.parts
            ),
        )
        for one in found
    )


def _is_nameless(part: Part) -> bool:
    return part.kind == "tool_result" and not part.name and not part.call_id


def _without_question(found: tuple[Message, ...], request: Stored) -> tuple[Message, ...]:
    """The messages without the question: some responses repeat the history that they continue."""
    if all(one.role != "user" for one in found):
        return found
    sent = request_messages(request).messages
    known = [(one if isinstance(one, Message) else message(one)).parts for one in sent]
    return tuple(one for one in found if one.role != "user" or one.parts not in known)


def _read(stored: object, call_type: str) -> tuple[Message, ...]:
    if stored in EMPTY:
        return ()
    events = events_of(stored)
    if events:
        return _connection(events)
    if isinstance(stored, list):
        return _array_response(stored, call_type)
    if isinstance(stored, str):
        return _text_response(stored, call_type)
    if not isinstance(stored, dict):
        return (Message("assistant", (data_part(stored),)),)
    if set(stored) == {"response"}:  # a pass-through wraps the provider's response
        return _read(stored_json(stored["response"]), call_type)
    if "jsonrpc" in stored and isinstance(mapping(stored.get("result")).get("content"), list):
        return _read(stored["result"], call_type)  # the result of an MCP tool
    if stored.get("object") in ("response", "response.compaction"):
        return _completed(responses_api, Fields(stored), call_type)
    return _shaped(stored, call_type) or (Message("assistant", (data_part(stored),)),)


def _shaped(stored: Mapping[str, object], call_type: str) -> tuple[Message, ...]:
    """The messages of a response of a known shape, with any text that is left; otherwise empty."""
    for field, read in SHAPES.items():
        found = _completed(read, Fields(stored), call_type) if stored.get(field) else ()
        if found:
            return found
    if stored.get("type") == "message" or stored.get("object") == "chat.completion":
        return _completed(empty_response, Fields(stored), call_type)
    return ()


def _completed(read: Reader, fields: Fields, call_type: str) -> tuple[Message, ...]:
    """What this reader finds; the last message gets the citations and how the response ended."""
    found = read(fields, call_type)
    if not found:
        return ()
    last = found[-1]
    cited = [part for name in _SOURCES for part in citations(fields.entries(name))]
    for name in _GROUNDING:
        cited += [part for one in fields.objects(name) for part in grounding(one)]
    fields.drop(*_COPIES)
    ended = last.ending or failed(fields)
    new = [part for part in dict.fromkeys(cited) if part not in last.parts]
    parts = (*last.parts, *new, *rest_parts(fields))
    return (*found[:-1], replace(last, parts=parts, ending=ended))


def _connection(events: Sequence[Mapping[str, object]]) -> tuple[Message, ...]:
    connection = Connection()
    for event in events:
        connection.read(event)
    return tuple(one for one in connection.messages() if one.role != "system")


def _text_response(stored: str, call_type: str) -> tuple[Message, ...]:
    """A stream as it arrived, or a text."""
    found = read_stream(stored)
    if found is None:
        return (Message("assistant", (data_part(stored),)),)
    events, unread = found
    whole = assembled(events)
    if whole is None and not events_of(list(events)):
        return (Message("assistant", (data_part(stored),)),)
    messages = _read(list(events) if whole is None else whole, call_type)
    if not unread:
        return messages
    left = text_part(unread, "data", name=phrases.UNREAD_STREAM)
    last = messages[-1] if messages else Message("assistant", ())
    return (*messages[:-1], replace(last, parts=(*last.parts, left)))


def _array_response(stored: list[object], call_type: str) -> tuple[Message, ...]:
    entries = objects(stored)
    if len(entries) < len(stored):
        return (Message("assistant", (data_part(stored),)),)
    whole = assembled(entries)
    if whole is not None:
        return _read(whole, call_type)
    if all("name" in entry and "type" not in entry for entry in entries):
        return (Message("tool", other_calls.tool_list(stored)),)
    if all("type" in entry for entry in entries):
        return (other_calls.tool_result({"content": stored}),)
    if all(isinstance(entry.get("generated_text"), str) for entry in entries):
        return tuple(found for entry in entries for found in _shaped(entry, call_type))
    return (Message("assistant", (data_part(stored),)),)

"""What was answered, whatever API it came from."""

from collections.abc import Callable, Mapping
from typing import Protocol

from tracelib.conversation import single
from tracelib.conversation.chat import answer_message, choice_messages, message
from tracelib.conversation.json_values import array, mapping, objects, stored_json, string
from tracelib.conversation.media import media_part
from tracelib.conversation.messages import Kind, Message, Part
from tracelib.conversation.parts import parts_of
from tracelib.conversation.responses import Raw, item_messages
from tracelib.conversation.texts import data_part, text_part

Body = Mapping[str, object]


class Answered(Protocol):
    """What of a stored request tells what it was answered."""

    @property
    def call_type(self) -> str | None: ...
    @property
    def response_body(self) -> object: ...


def answers(request: Answered) -> tuple[Message, ...]:
    """What was answered to this request?

    One message per choice; none where nothing came back or nothing was stored. An answer of
    no known shape is shown as the JSON it is.
    """
    return _answers(stored_json(request.response_body), request.call_type or "")


def _answers(stored: object, call_type: str) -> tuple[Message, ...]:
    if stored in (None, "", {}, []):
        return ()
    if isinstance(stored, list):
        return _array_answer(stored)
    if not isinstance(stored, dict):
        return (Message("assistant", (data_part(stored),)),)
    if set(stored) == {"response"}:  # a pass-through wraps what the vendor sent
        return _answers(stored_json(stored["response"]), call_type)
    if stored.get("object") == "response":  # it repeats fields of the request, tools and text
        return _output(stored, call_type)
    if "realtime" in call_type:
        return _events(objects(stored.get("results")))
    for field, read in _SHAPES.items():
        found = read(stored, call_type) if stored.get(field) else ()
        if found:
            return found
    return (Message("assistant", (data_part(stored),)),)


def _array_answer(stored: list[object]) -> tuple[Message, ...]:
    entries = objects(stored)
    if len(entries) < len(stored):
        return (Message("assistant", (data_part(stored),)),)
    if all("name" in entry and "type" not in entry for entry in entries):
        return (Message("tool", single.tool_list(stored)),)
    if all("type" in entry for entry in entries):
        return (single.tool_answer({"content": stored}),)
    return (Message("assistant", (data_part(stored),)),)


def _choices(stored: Body, _: str) -> tuple[Message, ...]:
    return choice_messages(stored["choices"])


def _output(stored: Body, _: str) -> tuple[Message, ...]:
    items = item_messages(stored.get("output"))
    parts = tuple(part for raw in items for part in message(raw).parts)
    return (Message("assistant", parts),) if parts else ()


def _candidates(stored: Body, _: str) -> tuple[Message, ...]:
    contents = [mapping(entry.get("content")) for entry in objects(stored["candidates"])]
    return tuple(Message("assistant", parts_of(content.get("parts"))) for content in contents)


def _content(stored: Body, _: str) -> tuple[Message, ...]:
    if stored.get("type") == "message" or "role" in stored:
        return (answer_message(stored),)
    return (single.tool_answer(stored),)


def _data(stored: Body, _: str) -> tuple[Message, ...]:
    entries = objects(stored["data"])
    if any("embedding" in entry for entry in entries):
        return (Message("assistant", (single.vectors(stored["data"]),)),)
    parts = tuple(part for entry in entries for part in _generated_image(entry))
    return (Message("assistant", parts),) if parts else ()


def _generated_image(entry: Body) -> tuple[Part, ...]:
    content = entry.get("url") or entry.get("b64_json")
    if not content:
        return ()
    image = media_part("image", content)
    revised = string(entry.get("revised_prompt"))
    return (text_part(revised), image) if revised else (image,)


def _results(stored: Body, _: str) -> tuple[Message, ...]:
    entries = objects(stored["results"])
    if any("relevance_score" in entry for entry in entries):
        return (Message("assistant", (single.ranking(entries),)),)
    if any("flagged" in entry for entry in entries):
        return (Message("assistant", single.verdicts(entries)),)
    return ()


def _events(events: list[Body]) -> tuple[Message, ...]:
    """The answers among realtime events: a `response.done` holds what was said, whole."""
    done = [event for event in events if event.get("type") == "response.done"]
    outputs: list[Raw] = []
    for event in done:
        outputs += item_messages(mapping(event.get("response")).get("output"))
    return tuple(message(raw) for raw in outputs)


def _text(stored: Body, _: str) -> tuple[Message, ...]:
    text = string(stored["text"])
    return (Message("assistant", parts_of(text)),) if text else ()


def _binary(stored: Body, call_type: str) -> tuple[Message, ...]:
    if stored["object"] != "binary":
        return ()
    kind: Kind = "audio" if "speech" in call_type else "file"
    return (Message("assistant", (Part(kind, f"{kind}, not stored"),)),)


def _tools(stored: Body, _: str) -> tuple[Message, ...]:
    return (Message("tool", single.tool_list(array(stored["tools"]))),)


_SHAPES: dict[str, Callable[[Body, str], tuple[Message, ...]]] = {
    "choices": _choices,
    "output": _output,
    "candidates": _candidates,
    "content": _content,
    "data": _data,
    "results": _results,
    "text": _text,
    "object": _binary,
    "tools": _tools,
}

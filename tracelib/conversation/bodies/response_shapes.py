"""The shapes of response bodies, each recognised by the field that identifies it."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tracelib.conversation.bodies import other_calls, phrases
from tracelib.conversation.bodies.chat import (
    choice_messages,
    ending,
    failed,
    message,
    response_ending,
    response_message,
    stopped,
)
from tracelib.conversation.bodies.fields import Fields
from tracelib.conversation.bodies.items import item_messages
from tracelib.conversation.bodies.messages import Kind, Message, Part
from tracelib.conversation.bodies.parts import parts_of
from tracelib.conversation.bodies.texts import rest_parts, shown_name, text_part
from tracelib.conversation.bodies.untyped import citations, grounding
from tracelib.conversation.json_values import mapping, objects, string

_WRAPPED = ("task", "message", "statusUpdate", "artifactUpdate")


def agent_response(fields: Fields) -> tuple[Message, ...]:
    """The response of an agent: a message, or a task with its state and its artifacts.

    None if `result` is of another kind. Earlier messages of the task come first.
    """
    result = unwrapped(mapping(fields.peek("result")))
    if "parts" in result:
        fields.drop("result")
        return (response_message(result),)
    if not (mapping(result.get("status")) or result.get("artifacts")):
        return ()
    fields.drop("result", "jsonrpc")
    task = Fields(result)
    status = task.inner("status")
    status_message = response_message(status.inner("message").left())
    made = [part for one in task.objects("artifacts") for part in _artifact(one)]
    before = [message(one.left()) for one in task.objects("history")]
    ended = ending(status.text("state"))
    rest = rest_parts(task, status)
    last = Message("assistant", (*status_message.parts, *made, *rest), ending=ended)
    return (*before, last) if last.parts or ended else tuple(before)


def unwrapped(result: Mapping[str, object]) -> Mapping[str, object]:
    """The task, message or update itself, which newer versions of A2A wrap in a field."""
    inner = (result.get(name) for name in _WRAPPED if len(result) == 1)
    return next((one for one in inner if isinstance(one, dict)), result)


def _artifact(fields: Fields) -> tuple[Part, ...]:
    """A task's artifact, with its name."""
    name = shown_name(fields.text("name"))
    about = fields.text("description")
    note = (text_part(about),) if about else ()
    parts = parts_of(fields.array("parts"))
    named = tuple(replace(part, name=part.name or name) for part in parts)
    return (*note, *named, *rest_parts(fields))


def kind_of(event: Mapping[str, object]) -> str:
    """Which kind of event is this, in the stream of an agent's response? '' for none."""
    result = mapping(event.get("result"))
    return string(result.get("kind")) or next((name for name in _WRAPPED if name in result), "")


# Reads the response of a call type. Takes the fields it reads; returns nothing for other shapes.
Reader = Callable[[Fields, str], tuple[Message, ...]]

# Fields that a response repeats from the request.
_OF_THE_REQUEST = (
    *("instructions", "metadata", "tools", "tool_choice", "text", "reasoning", "truncation"),
    *("prompt", "conversation", "user", "include", "prompt_cache_key", "safety_identifier"),
    *("output_text", "prompt_cache_retention", "prompt_cache_options", "input", "tool_usage"),
    *("prompt_cache_diagnostics", "billing", "access_programs"),
)
_PLAIN = (
    *("text", "generation", "completion", "outputText", "generated_text", "transcript", "response"),
)


def _choices(fields: Fields, _: str) -> tuple[Message, ...]:
    fields.drop("input")
    return choice_messages(fields.array("choices"))


def _output(fields: Fields, call_type: str) -> tuple[Message, ...]:
    """Bedrock's message, or the items of the Responses API."""
    if isinstance(fields.peek("output"), dict):
        return _bedrock(fields)
    return responses_api(fields, call_type) if isinstance(fields.peek("output"), list) else ()


def responses_api(fields: Fields, _: str) -> tuple[Message, ...]:
    """The items of the Responses API in one message; nothing if there are no items yet."""
    ended = response_ending(fields)
    fields.drop(*_OF_THE_REQUEST)
    output = fields.array("output")
    messages = [message(raw) for raw in item_messages(output, is_response=True)]
    parts = tuple(part for one in messages for part in one.parts)
    ended = ended or next((one.ending for one in messages if one.ending), None)
    has_content = parts or ended or fields.rest()
    return (Message("assistant", parts, ending=ended),) if has_content else ()


def _bedrock(fields: Fields) -> tuple[Message, ...]:
    output = fields.inner("output")
    content = output.inner("message")
    fields.put("output", output)
    ended = stopped(fields)
    if not content:
        return ()
    return (replace(response_message(content.left()), ending=ended),)


def _interaction(fields: Fields, _: str) -> tuple[Message, ...]:
    steps = fields.array("outputs", "steps")
    ended = response_ending(fields)
    found = [message(raw) for raw in item_messages(steps, is_response=True)]
    last = found.pop() if found and found[-1].role == "assistant" else Message("assistant", ())
    return (*found, replace(last, ending=ended)) if last.parts or ended else tuple(found)


def _candidates(fields: Fields, _: str) -> tuple[Message, ...]:
    """Gemini's candidates; for a blocked prompt, only the reason."""
    found = [_candidate(entry) for entry in fields.objects("candidates")]
    blocked = fields.inner("promptFeedback", "prompt_feedback")
    reason = ending(blocked.text("blockReason"), blocked.text("blockReasonMessage"))
    fields.put("promptFeedback", blocked)
    if reason and not found:
        return (Message("assistant", (), ending=reason),)
    if len(found) > 1:
        found = [replace(one, choice=number) for number, one in enumerate(found, start=1)]
    return tuple(found)


def empty_response(fields: Fields, _: str) -> tuple[Message, ...]:
    """A response of chat completions or of Anthropic without text, and how it ended."""
    fields.drop("choices", "content")
    return (Message("assistant", (), ending=stopped(fields)),)


def _candidate(fields: Fields) -> Message:
    content = fields.value("content")
    found = response_message(content) if isinstance(content, dict) else None
    parts = found.parts if found else parts_of(content)
    metadata = fields.inner("citationMetadata", "citation_metadata")
    cited = citations(metadata.entries("citations", "citationSources"))
    fields.put("citationMetadata", metadata)
    for entry in fields.objects("groundingMetadata", "grounding_metadata"):
        cited += grounding(entry)
    ended = stopped(fields)
    return Message("assistant", (*parts, *cited, *rest_parts(fields)), ending=ended)


def _content(fields: Fields, _: str) -> tuple[Message, ...]:
    """A message of Anthropic's API, or the result of an MCP tool."""
    whole = {key: value for key, value in fields.left().items() if key != "error"}
    is_message = whole.get("type") == "message" or "role" in whole
    fields.drop(*whole)
    return (response_message(whole),) if is_message else (other_calls.tool_result(whole),)


def _message(fields: Fields, _: str) -> tuple[Message, ...]:
    """The message of a response from Ollama or Cohere."""
    if not isinstance(fields.peek("message"), dict):
        return ()
    found = response_message(fields.inner("message").left())
    return (replace(found, ending=stopped(fields) or found.ending),)


def _data(fields: Fields, _: str) -> tuple[Message, ...]:
    found = objects(fields.peek("data"))
    if any("embedding" in entry for entry in found):
        return (Message("assistant", other_calls.vectors(fields.objects("data"))),)
    if found and all("role" in entry and "content" in entry for entry in found):
        return tuple(message(one.left()) for one in fields.objects("data"))  # of a thread
    if not any(entry.get("url") or entry.get("b64_json") for entry in found):
        return ()
    parts = [part for entry in fields.objects("data") for part in _generated_image(entry)]
    return (Message("assistant", tuple(parts)),) if parts else ()


def _generated_image(fields: Fields) -> tuple[Part, ...]:
    revised = fields.text("revised_prompt")
    image = parts_of({"type": "image", **fields.left()})
    return (text_part(revised), *image) if revised else image


def _results(fields: Fields, _: str) -> tuple[Message, ...]:
    entries = objects(fields.peek("results"))
    if any("relevance_score" in entry for entry in entries):
        return (Message("assistant", other_calls.ranking(fields.objects("results"))),)
    if any("flagged" in entry for entry in entries):
        return (Message("assistant", other_calls.verdicts(fields.objects("results"))),)
    if entries and all("outputText" in entry for entry in entries):
        return tuple(message for one in fields.objects("results") for message in _generated(one))
    if entries and all("url" in entry and "title" in entry for entry in entries):
        found = [{**one.left(), "type": "web_search_result"} for one in fields.objects("results")]
        return (Message("assistant", parts_of(found)),)
    return ()


def _generated(fields: Fields) -> tuple[Message, ...]:
    """One of the texts that an Amazon model generated."""
    text = _text(fields, "")
    return tuple(replace(one, parts=(*one.parts, *rest_parts(fields))) for one in text)


def _pages(fields: Fields, _: str) -> tuple[Message, ...]:
    """The pages that were read from a document: their text, then their images."""
    numbered = enumerate(fields.objects("pages"), start=1)
    parts = [part for number, page in numbered for part in _page(page, number)]
    if not parts:
        return ()
    annotation = fields.value("document_annotation")
    return (Message("assistant", (*parts, *parts_of(annotation))),)


def _page(fields: Fields, number: int) -> tuple[Part, ...]:
    text = fields.text("markdown", "text")
    images = [{**one.left(), "type": "image"} for one in fields.objects("images")]
    text_parts = (text_part(text, name=phrases.PAGE.format(number=number)),) if text else ()
    return (*text_parts, *parts_of(images), *rest_parts(fields))


def _text(fields: Fields, _: str) -> tuple[Message, ...]:
    text = fields.text(*_PLAIN)
    cited = citations(fields.array("citations"))
    ended = stopped(fields)
    return (Message("assistant", (*parts_of(text), *cited), ending=ended),) if text else ()


def _binary(fields: Fields, call_type: str) -> tuple[Message, ...]:
    if fields.peek("object") != "binary":
        return ()
    kind: Kind = "audio" if "speech" in call_type else "file"
    return (Message("assistant", (Part(kind, phrases.NOT_STORED.format(kind=kind)),)),)


def _tools(fields: Fields, _: str) -> tuple[Message, ...]:
    found = other_calls.tool_list(fields.array("tools"))
    return (Message("tool", found),) if found else ()


def _error(fields: Fields, _: str) -> tuple[Message, ...]:
    """A response that consists of an error only."""
    ended = failed(fields)
    return (Message("assistant", (), ending=ended),) if ended else ()


def _agent(fields: Fields, _: str) -> tuple[Message, ...]:
    return agent_response(fields)


def _contents(fields: Fields, _: str) -> tuple[Message, ...]:
    """Resources that were read over MCP."""
    read = fields.objects("contents")
    found = [{"type": "resource", "resource": one.left()} for one in read]
    return (Message("tool", parts_of(found)),) if found else ()


def _messages(fields: Fields, _: str) -> tuple[Message, ...]:
    """A prompt that was fetched over MCP, or the messages of a thread."""
    return tuple(message(one.left()) for one in fields.objects("messages"))


SHAPES: dict[str, Reader] = {
    "choices": _choices,
    "output": _output,
    "outputs": _interaction,
    "steps": _interaction,
    "candidates": _candidates,
    "promptFeedback": _candidates,
    "result": _agent,
    "content": _content,
    "message": _message,
    "data": _data,
    "results": _results,
    "pages": _pages,
    "contents": _contents,
    "messages": _messages,
    **dict.fromkeys(_PLAIN, _text),
    "object": _binary,
    "tools": _tools,
    "error": _error,
}

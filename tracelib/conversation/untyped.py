"""Blocks that name their kind by the field that is there: of Gemini, Bedrock and A2A."""

from collections.abc import Callable
from dataclasses import replace

from tracelib.conversation import calls, documents, media, results, wording
from tracelib.conversation.citations import citations
from tracelib.conversation.fields import Fields
from tracelib.conversation.json_values import mapping, string
from tracelib.conversation.messages import Part
from tracelib.conversation.texts import call_part, data_part, text_part

Read = Callable[[object], tuple[Part, ...]]
Reader = Callable[[Fields, Read], tuple[Part, ...]]


def block(fields: Fields, read: Read) -> tuple[Part, ...]:
    """What does this block say? Nothing where it has no field that is known.

    `read` reads content within it. The fields that are read are taken.
    """
    if results.is_terminal(fields):
        return results.terminal(fields, read)
    parts: list[Part] = []
    for name, reader in _FIELDS.items():
        if isinstance(fields.peek(name), dict):
            inner = fields.inner(name)
            parts += reader(inner, read)
            fields.put(name, Fields(inner.rest()))
    if isinstance(fields.peek("text"), str | dict):
        found = read(fields.value("text"))
        is_thought = fields.peek("thought") is True
        parts += [replace(part, kind="reasoning") for part in found] if is_thought else found
        parts += citations(fields.entries("citations"))
    if fields.peek("json") is not None:
        parts.append(data_part(fields.value("json")))
    return (*parts, *_bytes_beside(fields))


def _bytes_beside(fields: Fields) -> tuple[Part, ...]:
    """A2A's newer parts hold the bytes or the address of a file themselves."""
    if not (fields.peek("mediaType") and (fields.peek("raw") or fields.peek("url"))):
        return ()
    return media.medium(media.kind_of_type(string(fields.peek("mediaType"))), fields)


def _function_call(fields: Fields, _: Read) -> tuple[Part, ...]:
    name = fields.text("name", "toolType", "tool_type")
    return (call_part(name, fields.value("args", "arguments", "input"), fields.peek("id")),)


def _function_response(fields: Fields, read: Read) -> tuple[Part, ...]:
    name = fields.text("name", "toolType", "tool_type")
    response, files = fields.value("response"), fields.value("parts")
    call_id, is_error = fields.peek("id"), bool(mapping(response).get("error"))
    parts = results.result_parts(response, call_id, name, read=read, is_error=is_error)
    return (*parts, *(replace(part, call_id=parts[0].call_id) for part in read(files)))


def _executable_code(fields: Fields, _: Read) -> tuple[Part, ...]:
    part = text_part(fields.text("code"), "tool_call", name=wording.CODE_EXECUTION)
    return (replace(part, call_id=string(fields.peek("id")) or None),)


def _code_result(fields: Fields, read: Read) -> tuple[Part, ...]:
    outcome = fields.text("outcome").lower()
    is_error = outcome in ("outcome_failed", "outcome_deadline_exceeded")
    output = fields.value("output")
    return results.result_parts(
        output, fields.peek("id"), wording.CODE_EXECUTION, read=read, is_error=is_error
    )


def _tool_use(fields: Fields, read: Read) -> tuple[Part, ...]:
    return calls.call(fields, read)


def _tool_result(fields: Fields, read: Read) -> tuple[Part, ...]:
    return results.result(fields, read)


def _medium(fields: Fields, _: Read) -> tuple[Part, ...]:
    media_type = string(fields.peek("mimeType")) or string(fields.peek("mime_type"))
    return media.medium(media.kind_of_type(media_type), fields)


def _image(fields: Fields, _: Read) -> tuple[Part, ...]:
    return media.medium("image", fields)


def _audio(fields: Fields, _: Read) -> tuple[Part, ...]:
    return media.medium("audio", fields)


def _video(fields: Fields, _: Read) -> tuple[Part, ...]:
    return media.medium("file", fields)


def _reasoning(fields: Fields, read: Read) -> tuple[Part, ...]:
    words = fields.inner("reasoningText")
    text = words.text("text")
    hidden = fields.value("redactedContent")
    block = {"type": "redacted_thinking"} if hidden else {"type": "thinking", "thinking": text}
    return read(block)


def _cited(fields: Fields, read: Read) -> tuple[Part, ...]:
    return (*read(fields.value("content")), *citations(fields.entries("citations")))


def _inside(fields: Fields, read: Read) -> tuple[Part, ...]:
    return read(fields.value("text", "content", "image", "root"))


_FIELDS: dict[str, Reader] = {
    **dict.fromkeys(("functionCall", "function_call", "toolCall", "tool_call"), _function_call),
    **dict.fromkeys(("functionResponse", "function_response"), _function_response),
    **dict.fromkeys(("toolResponse", "tool_response"), _function_response),
    **dict.fromkeys(("executableCode", "executable_code"), _executable_code),
    **dict.fromkeys(("codeExecutionResult", "code_execution_result"), _code_result),
    "toolUse": _tool_use,
    "toolResult": _tool_result,
    **dict.fromkeys(("inlineData", "inline_data", "fileData", "file_data", "file"), _medium),
    "image": _image,
    "audio": _audio,
    "video": _video,
    "document": documents.document,
    "searchResult": documents.search_result,
    "reasoningContent": _reasoning,
    "citationsContent": _cited,
    "guardContent": _inside,
    "root": _inside,
}

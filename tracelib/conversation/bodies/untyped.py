"""Blocks without a type, recognised by the field that they have, and citations in all spellings."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from tracelib.conversation.bodies import media, phrases, tool_calls
from tracelib.conversation.bodies.fields import Fields
from tracelib.conversation.bodies.messages import Part
from tracelib.conversation.bodies.texts import (
    call_part,
    data_part,
    rest_parts,
    shown_name,
    text_part,
)
from tracelib.conversation.json_values import array, mapping, string

# An annotation may hold its fields in an object of the same name next to these.
_NESTED = (
    *("url_citation", "file_citation", "container_file_citation", "file_path", "file"),
    *("web", "retrievedContext", "retrieved_context", "maps", "document", "place_citation"),
)
_TITLES = (
    *("title", "document_title", "documentTitle", "filename", "file_name", "name"),
    "displayName",
)
_ADDRESSES = ("url", "uri", "source", "document_uri", "domain")
_DATES = ("date", "page_age", "published_date", "last_updated")
_WORDS = ("cited_text", "citedText", "quote", "snippet", "text", "content")


def citations(value: object) -> tuple[Part, ...]:
    """The citations in this array, or in arrays within it; each once, in order."""
    return tuple(dict.fromkeys(_all(value)))


def _all(value: object) -> Iterator[Part]:
    for entry in array(value):
        if isinstance(entry, list):
            yield from _all(entry)
        elif isinstance(entry, str) and entry:
            yield text_part(entry, "citation")
        elif isinstance(entry, dict):
            yield from citation(Fields(entry))


def citation(fields: Fields) -> tuple[Part, ...]:
    """The citation that these fields describe, with each of its sources; other fields as data."""
    fields.drop("supported_text")  # the text of the response itself
    sources = [part for source in fields.objects("sources") for part in _source(source)]
    for name in _NESTED:
        sources += [part for inner in fields.objects(name) for part in _source(inner)]
    own = _citation(fields, is_empty_wanted=not sources)
    return (*own, *sources, *rest_parts(fields))


def _source(fields: Fields) -> Iterable[Part]:
    inner = fields.inner("document", "tool_output")
    found = _citation(inner, is_empty_wanted=False) or _citation(fields, is_empty_wanted=True)
    return (*found, *rest_parts(inner), *rest_parts(fields))


def _citation(fields: Fields, *, is_empty_wanted: bool) -> tuple[Part, ...]:
    title = fields.text(*_TITLES)
    address = fields.text(*_ADDRESSES)
    lines = [address, fields.text(*_DATES), fields.text(*_WORDS), *_quoted(fields)]
    text = "\n".join(line for line in lines if line)
    if not (text or title):
        reference = fields.text("file_id", "fileId", "id") if is_empty_wanted else ""
        text = reference
    if not (text or title):
        return ()
    part = text_part(text, "citation", name=shown_name(title))
    return (part,)


def _quoted(fields: Fields) -> list[str]:
    """The quoted text, which Bedrock stores in pieces."""
    return [piece.text("text") for piece in fields.objects("sourceContent")]


def grounding(fields: Fields) -> tuple[Part, ...]:
    """What Gemini looked up for its response: its searches as data, then the sources it found."""
    queries = [*fields.texts("webSearchQueries"), *fields.texts("retrievalQueries")]
    fields.drop("groundingSupports", "searchEntryPoint", "retrievalMetadata")
    found = citations(fields.entries("groundingChunks", "grounding_chunks"))
    searched = "\n".join(queries)
    searches = (text_part(searched, "data", name=phrases.SEARCHED_FOR),) if searched else ()
    return (*searches, *found, *rest_parts(fields))


Read = Callable[[object], tuple[Part, ...]]
Reader = Callable[[Fields, Read], tuple[Part, ...]]


def block(fields: Fields, read: Read) -> tuple[Part, ...]:
    """What does this block hold? Nothing if it has no known field.

    `read` reads its content. The fields that are read are taken.
    """
    if tool_calls.is_terminal(fields):
        return tool_calls.terminal(fields, read)
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
    return (*parts, *_own_bytes(fields))


def _own_bytes(fields: Fields) -> tuple[Part, ...]:
    """The bytes or the address of a file, which A2A's newer parts hold themselves."""
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
    parts = tool_calls.result_parts(response, call_id, name, read=read, is_error=is_error)
    return (*parts, *(replace(part, call_id=parts[0].call_id) for part in read(files)))


def _executable_code(fields: Fields, _: Read) -> tuple[Part, ...]:
    part = text_part(fields.text("code"), "tool_call", name=phrases.CODE_EXECUTION)
    return (replace(part, call_id=string(fields.peek("id")) or None),)


def _code_result(fields: Fields, read: Read) -> tuple[Part, ...]:
    outcome = fields.text("outcome").lower()
    is_error = outcome in ("outcome_failed", "outcome_deadline_exceeded")
    output = fields.value("output")
    return tool_calls.result_parts(
        output, fields.peek("id"), phrases.CODE_EXECUTION, read=read, is_error=is_error
    )


def _tool_use(fields: Fields, read: Read) -> tuple[Part, ...]:
    return tool_calls.call(fields, read)


def _tool_result(fields: Fields, read: Read) -> tuple[Part, ...]:
    return tool_calls.result(fields, read)


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
    "document": media.document,
    "searchResult": media.search_result,
    "reasoningContent": _reasoning,
    "citationsContent": _cited,
    "guardContent": _inside,
    "root": _inside,
}

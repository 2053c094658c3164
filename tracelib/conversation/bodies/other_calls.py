"""Calls that are not conversations: one input, one output."""

from collections.abc import Mapping, Sequence

from tracelib.conversation.bodies import phrases
from tracelib.conversation.bodies.fields import Fields
from tracelib.conversation.bodies.messages import Message, Part
from tracelib.conversation.bodies.parts import parts_of
from tracelib.conversation.bodies.texts import (
    call_part,
    data_part,
    json_part,
    rest_parts,
    shown_name,
    text_part,
)
from tracelib.conversation.bodies.tool_calls import result_parts
from tracelib.conversation.json_values import (
    array,
    canonical,
    mapping,
    parsed_text,
    string,
)
from tracelib.formatting import counted

Body = Mapping[str, object]

_JOB_FIELDS = ("input_file_id", "endpoint", "completion_window", "purpose", "batch_id")
_WORDS = ("input", "inputs", "prompt", "suffix", "negative_prompt", "texts", "inputText", "text")
_FILES = ("image", "mask", "input_reference", "document", "file")


def input_messages(body: Body, call_type: str) -> tuple[Message, ...]:
    """What did a call that is not a conversation send? One message, or none.

    Only fields that are known to hold input are read.
    """
    parts = _tool_call(body, call_type) or _input_parts(body)
    return (Message("user", parts),) if parts else ()


def _tool_call(body: Body, call_type: str) -> tuple[Part, ...]:
    """The call of an MCP tool, as LiteLLM stores it or as the protocol sends it."""
    params = mapping(body.get("params"))
    called = params if "name" in params and "arguments" in params else body
    if "mcp" not in call_type and not ("name" in called and "arguments" in called):
        return ()
    name = string(called.get("name"))
    return (call_part(name, called.get("arguments"), None),) if name else ()


def _input_parts(body: Body) -> tuple[Part, ...]:
    words = [part for field in _WORDS for part in _inputs(body.get(field))]
    if body.get("query"):
        words += [*parts_of(body["query"]), *_documents(body.get("documents"))]
    files = [part for field in _FILES for part in _file(field, body.get(field))]
    job = {field: body[field] for field in _JOB_FIELDS if isinstance(body.get(field), str)}
    return (*words, *files, *((json_part(job),) if job and not words else ()))


def _inputs(value: object) -> tuple[Part, ...]:
    """Texts as they are; texts that were sent as token numbers as a count."""
    if isinstance(value, dict) and value.get("id"):  # a prompt by its ID, which is read elsewhere
        return ()
    entries = array(value)
    if entries and all(isinstance(entry, int) for entry in entries):
        return (Part("data", counted(len(entries), "token")),)
    if entries:
        return tuple(part for entry in entries for part in _inputs(entry))
    return parts_of(value)


def _documents(documents: object) -> tuple[Part, ...]:
    if not isinstance(documents, list):
        return parts_of(documents)
    numbered = enumerate(documents, start=1)
    return tuple(part for number, entry in numbered for part in _document(entry, number))


def _document(entry: object, number: object) -> tuple[Part, ...]:
    """A document to be ranked, with its number: its text, and its other fields."""
    name = phrases.DOCUMENT.format(number=number)
    if isinstance(entry, str):
        return (text_part(entry, name=name),)
    fields = Fields(mapping(entry))
    text = fields.text("text")
    return (
        (text_part(text, name=name), *rest_parts(fields))
        if text
        else (json_part(entry, name=name),)
    )


def _file(field: str, value: object) -> tuple[Part, ...]:
    """A file that was sent: what is known about it, or that it is not stored."""
    if isinstance(value, list):
        return tuple(part for entry in value for part in _file(field, entry))
    if isinstance(value, dict) and value.get("type"):
        return parts_of(value)
    inner = mapping(value)
    if any(isinstance(inner.get(key), str) for key in ("data", "url", "uri", "file_id", "bytes")):
        return parts_of({"type": "image" if field == "image" else "file", **inner})
    found = inner.get("filename") or inner.get("name") or value
    if not found:
        return ()
    if isinstance(found, str) and ("://" in found[:20] or found.startswith("data:")):
        return parts_of({"type": "image" if field == "image" else "file", "url": found})
    return (Part("file", phrases.NOT_STORED.format(kind="file"), shown_name(found)),)


def vectors(entries: Sequence[Fields]) -> tuple[Part, ...]:
    """Embedding vectors as a count: thousands of numbers are of no use to a reader."""
    lengths = {len(array(entry.value("embedding"))) for entry in entries} - {0}
    of_numbers = f" of {lengths.pop():,} numbers" if len(lengths) == 1 else ""
    vectors = Part("data", counted(len(entries), "vector") + of_numbers)
    return (vectors, *rest_parts(*entries))


def verdicts(results: Sequence[Fields]) -> tuple[Part, ...]:
    """What a moderation found, one part per input."""
    return (*(Part("data", _verdict(result)) for result in results), *rest_parts(*results))


def _verdict(result: Fields) -> str:
    categories = mapping(result.peek("categories"))
    raised = [shown_name(name) or "" for name, found in categories.items() if found is True]
    if not result.peek("flagged"):
        return phrases.NOT_FLAGGED
    return f"{phrases.FLAGGED}: {', '.join(raised)}" if raised else phrases.FLAGGED


def ranking(entries: Sequence[Fields]) -> tuple[Part, ...]:
    """How a rerank ordered the documents, in the provider's order, best first."""
    lines = text_part("\n".join(map(_rank, entries)), "data")
    documents = [(entry, entry.value("document")) for entry in entries]
    texts = [part for entry, one in documents if one for part in _document(one, _number(entry))]
    return (lines, *texts, *rest_parts(*entries))


def _number(entry: Fields) -> str:
    index = entry.peek("index")
    return str(index + 1) if isinstance(index, int) else "?"


def _rank(entry: Fields) -> str:
    score = entry.peek("relevance_score")
    shown = f"{score:.4g}" if isinstance(score, int | float) else phrases.UNKNOWN
    return phrases.RELEVANCE.format(number=_number(entry), score=shown)


def tool_list(tools: object) -> tuple[Part, ...]:
    """The tools that a server offers, one part each: description and parameters."""
    return tuple(part for entry in array(tools) for part in _tool(entry))


def _tool(entry: object) -> tuple[Part, ...]:
    if not isinstance(entry, dict):
        return (data_part(entry),)
    fields = Fields(entry)
    name = shown_name(fields.text("name"))
    about = text_part(fields.text("description") or phrases.NO_DESCRIPTION, "data", name=name)
    rest = fields.rest()
    return (about, json_part(rest, name=name)) if rest else (about,)


def tool_result(response: Body) -> Message:
    """The result of a called tool."""
    fields = Fields(response)
    is_error = any(fields.peek(name) is True for name in ("is_error", "isError"))
    content = fields.value("content")
    structured = fields.value("structured_content", "structuredContent")
    parts = result_parts(content, None, read=parts_of, is_error=is_error)
    value = parsed_text(parts[0].text)
    if structured and not (value is not None and canonical(value) == canonical(structured)):
        of_structured = result_parts(structured, None, read=parts_of, is_error=is_error)
        parts = (*parts, *of_structured) if content else of_structured
    return Message("tool", (*parts, *rest_parts(fields)))

"""Calls that are no conversation: one thing asked, one thing answered."""

from collections.abc import Mapping

from tracelib.conversation.json_values import array, mapping, objects, string
from tracelib.conversation.messages import Message, Part
from tracelib.conversation.parts import parts_of
from tracelib.conversation.texts import call_part, data_part, json_part, printable, text_part

Body = Mapping[str, object]

_JOB_FIELDS = ("input_file_id", "endpoint", "completion_window", "purpose", "batch_id")


def single_request(body: Body, call_type: str) -> tuple[Message, ...]:
    """What did a call of another kind than a conversation ask? One message, or none.

    Only fields known to hold what was asked are read.
    """
    parts = _asked_parts(body, call_type)
    return (Message("user", parts),) if parts else ()


def _asked_parts(body: Body, call_type: str) -> tuple[Part, ...]:
    if "mcp" in call_type or ("name" in body and "arguments" in body):
        name = string(body.get("name"))
        return (call_part(name, body.get("arguments"), None),) if name else ()
    if body.get("query"):
        return (*parts_of(body["query"]), *_documents(body.get("documents")))
    for field in ("input", "prompt"):
        if body.get(field):
            return _inputs(body[field])
    if mapping(body.get("file")) or string(body.get("file")):
        return (_named_file(body["file"]),)
    job = {field: body[field] for field in _JOB_FIELDS if isinstance(body.get(field), str)}
    return (json_part(job),) if job else ()


def _inputs(value: object) -> tuple[Part, ...]:
    """Texts as they are; texts already made into token numbers as a count."""
    entries = array(value)
    if entries and all(isinstance(entry, int) for entry in entries):
        return (Part("data", _count(len(entries), "token")),)
    if entries:
        return tuple(part for entry in entries for part in _inputs(entry))
    return parts_of(value)


def _documents(documents: object) -> tuple[Part, ...]:
    numbered = enumerate(array(documents), start=1)
    return tuple(_document(entry, f"document {number}") for number, entry in numbered)


def _document(entry: object, name: str) -> Part:
    text = entry if isinstance(entry, str) else string(mapping(entry).get("text"))
    return text_part(text, name=name) if text else json_part(entry, name=name)


def _named_file(value: object) -> Part:
    found = mapping(value).get("filename") or mapping(value).get("name") or value
    name = printable(found[:200]) if isinstance(found, str) else None
    return Part("file", "file, not stored", name)


def vectors(data: object) -> Part:
    """Embedding vectors, counted: thousands of numbers tell a person nothing."""
    entries = objects(data)
    lengths = {len(array(entry.get("embedding"))) for entry in entries} - {0}
    of_numbers = f" of {lengths.pop():,} numbers" if len(lengths) == 1 else ""
    return Part("data", _count(len(entries), "vector") + of_numbers)


def verdicts(results: object) -> tuple[Part, ...]:
    """What a moderation found, one part per input."""
    return tuple(Part("data", _verdict(result)) for result in objects(results))


def _verdict(result: Body) -> str:
    categories = mapping(result.get("categories"))
    raised = [printable(name) for name, found in categories.items() if found is True]
    if not result.get("flagged"):
        return "Not flagged"
    return f"Flagged: {', '.join(raised)}" if raised else "Flagged"


def ranking(results: object) -> Part:
    """How a rerank ordered the documents, best first as the provider gave them."""
    return Part("data", "\n".join(_rank(entry) for entry in objects(results)))


def _rank(entry: Body) -> str:
    index, score = entry.get("index"), entry.get("relevance_score")
    number = index + 1 if isinstance(index, int) else "?"
    shown = f"{score:.4g}" if isinstance(score, int | float) else "unknown"
    return f"document {number}: relevance {shown}"


def tool_list(tools: object) -> tuple[Part, ...]:
    """The tools a server offers, one part each."""
    return tuple(
        text_part(
            string(tool.get("description")) or "No description",
            "data",
            name=printable(string(tool.get("name"))),
        )
        for tool in objects(tools)
    )


def tool_answer(response: Body) -> Message:
    """What a called tool gave back."""
    structured = response.get("structured_content") or response.get("structuredContent")
    parts = parts_of(response.get("content")) or ((data_part(structured),) if structured else ())
    return Message("tool", tuple(_as_result(part) for part in parts))


def _as_result(part: Part) -> Part:
    if part.kind not in ("text", "data"):
        return part
    return Part(
        "tool_result",
        part.text,
        is_json=part.is_json,
        truncated_chars=part.truncated_chars,
        is_redacted=part.is_redacted,
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"

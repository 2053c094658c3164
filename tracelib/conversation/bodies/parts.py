"""The content blocks of a message, of every API, as parts.

A table maps the type of a block to its reader. Each reader takes the fields it knows. Text that is
left in a block is shown as data, and so is a block of an unknown type.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from tracelib.conversation.bodies import media, phrases, tool_calls, untyped
from tracelib.conversation.bodies.fields import Fields
from tracelib.conversation.bodies.items import ITEM_ID
from tracelib.conversation.bodies.messages import Part
from tracelib.conversation.bodies.texts import (
    data_part,
    json_part,
    rest_parts,
    shown_name,
    text_part,
)
from tracelib.conversation.bodies.untyped import citations
from tracelib.conversation.json_values import mapping, parsed_text, string

Read = Callable[[object], tuple[Part, ...]]


def compaction(fields: Fields, read: Read) -> tuple[Part, ...]:
    """The summary of an earlier conversation, by a provider or LiteLLM; often encrypted."""
    summary = fields.value("content", "summary")
    if summary is None:  # LiteLLM stores its own summaries in the field for encrypted ones
        encrypted = string(fields.peek("encrypted_content"))
        begin = encrypted.find("{")
        inner = mapping(parsed_text(encrypted[begin:])) if begin >= 0 else {}
        summary = inner.get("content")
    if isinstance(summary, str) or not summary:
        words = string(summary) or phrases.ENCRYPTED
        return (text_part(words, "data", name=phrases.COMPACTED),)
    return (Part("data", phrases.SUMMED_UP, phrases.COMPACTED), *read(summary))


def compaction_trigger(_: Fields) -> tuple[Part, ...]:
    """A client's request to compact the conversation."""
    return (Part("data", phrases.COMPACTION_REQUESTED, phrases.COMPACTED),)


def approval_request(fields: Fields) -> tuple[Part, ...]:
    """A provider's request for permission to call a tool."""
    name = shown_name(fields.text("name")) or phrases.A_TOOL
    given = fields.value("arguments")
    value = parsed_text(given) if isinstance(given, str) else given
    title = phrases.APPROVAL_REQUESTED.format(name=name)
    return (data_part(given if value is None else value, name=title),)


def approval_response(fields: Fields) -> tuple[Part, ...]:
    """Whether the client permits the tool call."""
    text = phrases.APPROVED if fields.peek("approve") is True else phrases.NOT_APPROVED
    reason = fields.text("reason")
    return (text_part(f"{text}: {reason}" if reason else text, "data", name=phrases.APPROVAL),)


def item_reference(fields: Fields) -> tuple[Part, ...]:
    """An item that is referred to by its ID instead of being sent again."""
    named = string(fields.peek("id"))
    note = text_part(phrases.REFERS_TO.format(id=named or phrases.AN_ITEM), "data")
    return (replace(note, item_id=named or None),)


def stored_prompt(fields: Fields, read: Read) -> tuple[Part, ...]:
    """A prompt that is stored elsewhere, by its ID, with the values of its variables."""
    version = fields.text("version") or fields.peek("version")
    name = string(fields.peek("id")) or phrases.WITHOUT_ID
    is_known = isinstance(version, str | int | float)
    title = phrases.PROMPT_VERSION if is_known else phrases.PROMPT
    lines = [title.format(id=name, version=version)]
    variables = fields.inner("variables").left()
    plain = {key: value for key, value in variables.items() if not isinstance(value, dict | list)}
    lines += [f"{key}: {_variable(value)}" for key, value in plain.items()]
    blocks = (read(value) for key, value in variables.items() if key not in plain)
    return (text_part("\n".join(lines)), *(part for found in blocks for part in found))


def _variable(value: object) -> str:
    return value if isinstance(value, str) else json_part(value).text


Reader = Callable[[Fields], tuple[Part, ...]]


def parts_of(content: object) -> tuple[Part, ...]:
    """Which parts does this content hold?

    Content is text, a block, an array of both, or None. Empty text gives no part, a block of an
    unknown type gives a `data` part. Raises nothing except RecursionError for content nested a
    thousand deep.
    """
    if content is None or content == "":
        return ()
    if isinstance(content, str):
        return (text_part(content),)
    if isinstance(content, dict):
        return _block(Fields(content), content)
    if isinstance(content, list):
        return tuple(part for entry in content for part in parts_of(entry))
    return (data_part(content),)


def _block(fields: Fields, whole: Mapping[str, object]) -> tuple[Part, ...]:
    item_id = fields.text(ITEM_ID)
    if item_id:
        whole = {key: value for key, value in whole.items() if key != ITEM_ID}
        return tuple(replace(part, item_id=item_id) for part in _read(fields, whole))
    return _read(fields, whole)


def _read(fields: Fields, whole: object) -> tuple[Part, ...]:
    kind = string(fields.peek("type")) or string(fields.peek("kind"))
    read = _reader(kind) if kind else partial(untyped.block, read=parts_of)
    found = read(fields) if read else ()
    if not found and not (kind and read):
        return (json_part(whole),) if fields.has_more_than_figures() else ()
    rest = rest_parts(fields)
    if found and found[0].kind == "tool_result":  # the other fields describe the same call
        rest = tuple(replace(part, call_id=found[0].call_id) for part in rest)
    return (*found, *rest)


def _reader(kind: str) -> Reader | None:
    known = _BLOCKS.get(kind)
    if known:
        return known
    endings = (reader for ending, reader in _ENDINGS.items() if kind.endswith(ending))
    return next(endings, None)


def _text(fields: Fields) -> tuple[Part, ...]:
    found = fields.value("text", "input_text", "output_text", "logs")
    inner = mapping(found).get("value")
    cited = citations([*fields.entries("annotations"), *fields.entries("citations")])
    if isinstance(inner, str):
        found = inner
    return (*parts_of(found), *cited)


def _refusal(fields: Fields) -> tuple[Part, ...]:
    return parts_of(fields.value("refusal", "text"))


def _thinking(fields: Fields) -> tuple[Part, ...]:
    """The reasoning of a model, as text or blocks; if there is none, why not."""
    names = ("thinking", "summary", "text", "content")
    found = [part for name in names for part in parts_of(fields.value(name))]
    hidden = fields.value("encrypted_content", "redactedContent")
    if not found:
        return (Part("reasoning", phrases.ENCRYPTED if hidden else phrases.EMPTY_THOUGHT),)
    if any(part.kind not in ("text", "reasoning") for part in found):
        return tuple(
            replace(part, kind="reasoning") if part.kind == "text" else part for part in found
        )
    return (
        Part(
            "reasoning",
            "\n\n".join(part.text for part in found),
            truncated_chars=sum(part.truncated_chars for part in found),
            is_redacted=any(part.is_redacted for part in found),
        ),
    )


def _encrypted(fields: Fields) -> tuple[Part, ...]:
    fields.drop("data")
    return (Part("reasoning", phrases.ENCRYPTED),)


def _compaction(fields: Fields) -> tuple[Part, ...]:
    return compaction(fields, parts_of)


def _stored_prompt(fields: Fields) -> tuple[Part, ...]:
    return stored_prompt(fields, parts_of)


def _web_result(fields: Fields) -> tuple[Part, ...]:
    lines = [fields.text("title"), fields.text("url", "uri"), fields.text("page_age", "date")]
    text = "\n".join(filter(None, lines))
    return (*parts_of(text), *parts_of(fields.value("content", "text", "snippet")))


def _files_of_run(fields: Fields) -> tuple[Part, ...]:
    return (text_part(fields.text("file_id") or phrases.NOT_STORED.format(kind="file"), "file"),)


def _tool_reference(fields: Fields) -> tuple[Part, ...]:
    return parts_of(fields.value("tool_name", "tool_references"))


def _edited(fields: Fields) -> tuple[Part, ...]:
    """The report of a file editor on an edit."""
    lines = fields.texts("lines")
    made = phrases.FILE_UPDATED if fields.peek("is_file_update") else phrases.FILE_CREATED
    return (text_part("\n".join(lines) or made),)


def _reasoned(fields: Fields) -> tuple[Part, ...]:
    return (text_part(fields.text("text"), "reasoning"),) if fields.peek("text") else ()


def _document(fields: Fields) -> tuple[Part, ...]:
    return media.document(fields, parts_of)


def _search_result(fields: Fields) -> tuple[Part, ...]:
    return media.search_result(fields, parts_of)


def _call(fields: Fields) -> tuple[Part, ...]:
    return tool_calls.call(fields, parts_of)


def _result(fields: Fields) -> tuple[Part, ...]:
    return tool_calls.result(fields, parts_of)


def _run(fields: Fields) -> tuple[Part, ...]:
    """The output of code, or the step of a hosted tool that ran it."""
    if any(fields.peek(name) is not None for name in ("stdout", "stderr", "return_code")):
        return tool_calls.terminal(fields, parts_of)
    return tool_calls.result(fields, parts_of)


def _found_file(fields: Fields) -> tuple[Part, ...]:
    """A part of a file that a search found."""
    lines = [fields.text("filename", "file_name"), fields.text("text")]
    return (*parts_of("\n".join(filter(None, lines))), *parts_of(fields.value("content")))


def _data(fields: Fields) -> tuple[Part, ...]:
    found = fields.value("data")
    return (data_part(found),) if found is not None else ()


_IMAGE = partial(media.medium, "image")
_AUDIO = partial(media.medium, "audio")
_FILE = partial(media.medium, "file")

_BLOCKS: dict[str, Reader] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "logs"), _text),
    "refusal": _refusal,
    **dict.fromkeys(("thinking", "reasoning", "thought", "reasoning_details"), _thinking),
    **dict.fromkeys(("reasoning.text", "reasoning.summary", "reasoning_text"), _thinking),
    **dict.fromkeys(("redacted_thinking", "reasoning.encrypted"), _encrypted),
    "compaction": _compaction,
    "compaction_trigger": compaction_trigger,
    "mcp_approval_request": approval_request,
    "mcp_approval_response": approval_response,
    "item_reference": item_reference,
    "stored_prompt": _stored_prompt,
    "program": _call,
    "mcp_list_tools": _result,
    "offered_tool": tool_calls.offered_tool,
    "web_search_result": _web_result,
    "web_fetch_result": _web_result,
    **dict.fromkeys(("code_execution_output", "bash_code_execution_output"), _files_of_run),
    **dict.fromkeys(("tool_reference", "tool_search_tool_search_result"), _tool_reference),
    "text_editor_code_execution_create_result": _edited,
    "text_editor_code_execution_str_replace_result": _edited,
    **dict.fromkeys(("code_execution_result", "bash_code_execution_result"), _run),
    "encrypted_code_execution_result": _run,
    "found_file": _found_file,
    "data": _data,
    **dict.fromkeys(("image", "image_url", "input_image", "computer_screenshot"), _IMAGE),
    **dict.fromkeys(("audio", "input_audio", "output_audio"), _AUDIO),
    **dict.fromkeys(("file", "input_file", "container_upload", "video", "video_url"), _FILE),
    **dict.fromkeys(("document_url", "input_video"), _FILE),
    "document": _document,
    "search_result": _search_result,
    "resource": media.resource,
    "resource_link": media.resource,
}
# Endings of types, in this order: web_search_tool_result, shell_call_output.
_ENDINGS: dict[str, Reader] = {
    "_error": tool_calls.failed_result,
    "tool_result": _result,
    "_output": _result,
    "_call": _call,
    "tool_use": _call,
    "_result": _result,
}

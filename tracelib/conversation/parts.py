"""The blocks of a message's content, of every API, as parts."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tracelib.conversation import media
from tracelib.conversation.json_values import array, mapping, objects, string
from tracelib.conversation.messages import Kind, Part
from tracelib.conversation.texts import (
    call_part,
    data_part,
    json_part,
    printable,
    text_part,
    written,
)

Block = Mapping[str, object]

_MEDIA: dict[str, Kind] = {"image": "image", "audio": "audio"}

_ENCRYPTED = "Encrypted by the provider, which alone can read it"


def parts_of(content: object) -> tuple[Part, ...]:
    """What does this content hold, piece by piece?

    Content is text, a block, an array of both, or None. Empty text gives no part, a block
    of an unknown type gives a `data` part; nothing raises but a RecursionError on content
    nested a thousand deep.
    """
    if content is None or content == "":
        return ()
    if isinstance(content, str):
        return (text_part(content),)
    if isinstance(content, dict):
        return _block(content)
    if isinstance(content, list):
        return tuple(part for entry in content for part in parts_of(entry))
    return (data_part(content),)


def result_parts(content: object, call_id: object, name: object = None) -> tuple[Part, ...]:
    """A tool's result: its text as one part, images and files it returned after it."""
    identity = printable(string(call_id)) or None
    tool = printable(string(name)) or None
    inner = parts_of(content) if isinstance(content, str | list | None) else (json_part(content),)
    spoken = [part for part in inner if part.kind in ("text", "data")]
    shown = Part(
        "tool_result",
        "\n".join(part.text for part in spoken),
        tool,
        identity,
        is_json=len(spoken) == 1 and spoken[0].is_json,
        truncated_chars=sum(part.truncated_chars for part in spoken),
        is_redacted=any(part.is_redacted for part in spoken),
    )
    others = (part for part in inner if part.kind not in ("text", "data"))
    return (shown, *(replace(part, call_id=identity) for part in others))


def _block(block: Block) -> tuple[Part, ...]:
    kind = string(block.get("type"))
    known = _BLOCKS.get(kind)
    if known:
        return known(block)
    if kind.endswith("tool_result"):  # web_search_tool_result and its like
        return _tool_result(block)
    if kind.endswith(("_call", "tool_use")):
        return _other_call(block)
    return _untyped(block) if not kind else (json_part(block),)


def _text(block: Block) -> tuple[Part, ...]:
    found = block.get("text")
    text = found if isinstance(found, str) else string(mapping(found).get("value"))
    return (text_part(text),) if text else ()


def _refusal(block: Block) -> tuple[Part, ...]:
    return parts_of(string(block.get("refusal")))


def _thinking(block: Block) -> tuple[Part, ...]:
    text = string(block.get("thinking"))
    return (text_part(text, "reasoning"),) if text else ()


def _encrypted(_: Block) -> tuple[Part, ...]:
    return (Part("reasoning", _ENCRYPTED),)


def _reasoning(block: Block) -> tuple[Part, ...]:
    text = written(block.get("summary")) or written(block.get("content")) or written(block)
    if text:
        return (text_part(text, "reasoning"),)
    return (Part("reasoning", _ENCRYPTED),) if block.get("encrypted_content") else ()


def _tool_use(block: Block) -> tuple[Part, ...]:
    return (call_part(block.get("name"), block.get("input"), block.get("id")),)


def _function_call(block: Block) -> tuple[Part, ...]:
    given = block.get("arguments", block.get("input"))
    return (call_part(block.get("name"), given, block.get("call_id") or block.get("id")),)


def _mcp_call(block: Block) -> tuple[Part, ...]:
    call = call_part(block.get("name"), block.get("arguments"), block.get("id"))
    if block.get("output") is None:
        return (call,)
    return (call, *result_parts(block.get("output"), block.get("id"), block.get("name")))


def _other_call(block: Block) -> tuple[Part, ...]:
    """Tools the provider runs itself: the block is the call, so all of it but its labels."""
    labels = ("type", "id", "call_id", "status", "cache_control", "result")
    given = {key: value for key, value in block.items() if key not in labels}
    tool = block.get("name") or block.get("type")
    return (call_part(tool, given.get("input", given), block.get("call_id") or block.get("id")),)


def _tool_result(block: Block) -> tuple[Part, ...]:
    return result_parts(block.get("content"), block.get("tool_use_id"))


def _untyped(block: Block) -> tuple[Part, ...]:
    """A block of Gemini's own API names its kind by the field that is there."""
    call = mapping(block.get("functionCall") or block.get("function_call"))
    if call:
        return (call_part(call.get("name"), call.get("args"), call.get("id")),)
    result = mapping(block.get("functionResponse") or block.get("function_response"))
    if result:
        return result_parts(result.get("response"), result.get("id"), result.get("name"))
    inline = mapping(block.get("inlineData") or block.get("inline_data"))
    if inline:
        media_type = string(inline.get("mimeType") or inline.get("mime_type"))
        known = _MEDIA.get(media_type.split("/")[0], "file")
        return (media.media_part(known, inline.get("data"), media_type=media_type),)
    if isinstance(block.get("text"), str):
        return (text_part(string(block["text"]), "reasoning" if block.get("thought") else "text"),)
    return (json_part(block),)


_BLOCKS: dict[str, Callable[[Block], tuple[Part, ...]]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "refusal": _refusal,
    "thinking": _thinking,
    "redacted_thinking": _encrypted,
    "reasoning": _reasoning,
    "tool_use": _tool_use,
    "function_call": _function_call,
    "custom_tool_call": _function_call,
    "mcp_call": _mcp_call,
    "tool_result": _tool_result,
    "image": media.image,
    "image_url": media.image,
    "input_image": media.image,
    "input_audio": media.audio,
    "audio": media.audio,
    "output_audio": media.audio,
    "file": media.file,
    "input_file": media.file,
    "document": media.file,
}


def tool_calls(value: object) -> tuple[Part, ...]:
    """The `tool_calls` of a chat message, or its older `function_call`."""
    calls = [value] if isinstance(value, dict) else array(value)
    return tuple(_chat_call(call) for call in objects(calls))


def _chat_call(call: Block) -> Part:
    function = mapping(call.get("function")) or mapping(call.get("custom")) or call
    given = function.get("arguments", function.get("input"))
    return call_part(function.get("name"), given, call.get("id"))

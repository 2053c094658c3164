"""Items of the Responses API, gathered into messages."""

from collections.abc import Mapping

from tracelib.conversation.json_values import array, string

Raw = dict[str, object]


def item_messages(items: object) -> list[Raw]:
    """The items of `input` or `output` as messages.

    What an assistant does in one turn (reasoning, text, calls) comes as several items in a
    row, and goes into one message, as in the other APIs; each tool's result is its own.
    """
    gathered: list[Raw] = []
    open_blocks: list[object] | None = None
    for item in array(items):
        blocks = _assistant_blocks(item) if isinstance(item, dict) else None
        if blocks is None:
            open_blocks = None
            gathered.append(_other_message(item))
            continue
        if open_blocks is None:
            open_blocks = []
            gathered.append({"role": "assistant", "content": open_blocks})
        open_blocks.extend(blocks)
    return gathered


def _assistant_blocks(item: Mapping[str, object]) -> list[object] | None:
    kind = string(item.get("type"))
    if kind == "reasoning" or kind.endswith("_call"):
        return [item]
    if kind in ("", "message") and item.get("role") == "assistant":
        content = item.get("content")
        return list(content) if isinstance(content, list) else [content]
    return None


def _other_message(item: object) -> Raw:
    if not isinstance(item, dict):
        return {"role": "user", "content": item}
    kind = string(item.get("type"))
    if kind.endswith("_output"):
        called = item.get("call_id") or item.get("id")
        return {"role": "tool", "tool_call_id": called, "content": item.get("output")}
    if "role" in item or kind == "message":
        return dict(item)
    # A bare block (text, image) is the user's; an item of an unknown type is shown as data.
    return {"role": "user", "content": item}

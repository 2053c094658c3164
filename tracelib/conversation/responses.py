"""Items of the Responses and Interactions APIs, gathered into messages."""

from collections.abc import Mapping

from tracelib.conversation.fields import Fields
from tracelib.conversation.json_values import array, string

Raw = dict[str, object]

# What a model does in a turn beside speaking; each `_call` too.
_DEEDS = frozenset(
    {
        *("reasoning", "thought", "compaction", "mcp_list_tools", "mcp_approval_request"),
        *("program", "item_reference", "tool_use", "server_tool_use"),
    }
)
_RESULTS = ("_output", "_result")
_TURNS = {"model_output": "assistant", "user_input": "user"}
_ANSWERED = ("assistant", "model", "agent")
ITEM_ID = "_item_id"  # put into the blocks of an answer, to be known by when it is named later


def item_messages(items: object, *, is_answer: bool = False) -> list[Raw]:
    """The items of `input` or `output` as messages.

    What an assistant does in one turn (reasoning, text, calls) comes as several items in a
    row, and goes into one message, as in the other APIs; each tool's result is its own. In an
    answer the results of the tools that the provider ran belong to the assistant's turn.
    """
    gathered: list[Raw] = []
    open_blocks: list[object] | None = None
    for item in array(items):
        blocks = _assistant_blocks(item, is_answer) if isinstance(item, dict) else None
        if blocks is None:
            open_blocks = None
            gathered.append(_other_message(item))
            continue
        if open_blocks is None:
            open_blocks = []
            gathered.append({"role": "assistant", "content": open_blocks})
        open_blocks.extend([_with_id(one, item) for one in blocks] if is_answer else blocks)
    return gathered


def _with_id(block: object, item: object) -> object:
    named = string(item.get("id")) if isinstance(item, dict) else ""
    return {**block, ITEM_ID: named} if named and isinstance(block, dict) else block


def _assistant_blocks(item: Mapping[str, object], is_answer: bool) -> list[object] | None:
    kind, role = string(item.get("type")), string(item.get("role"))
    is_message = "content" in item and (kind in ("", "message", *_TURNS) or bool(role))
    if is_message and (_TURNS.get(kind, role) in _ANSWERED or (is_answer and not role)):
        fields = Fields(item)
        content = fields.value("content")
        rest = fields.rest()
        beside = [{"type": "data", "data": rest}] if rest else []
        return [*(content if isinstance(content, list) else [content]), *beside]
    if is_message or (role and role not in _ANSWERED):
        return None
    if is_answer or kind in _DEEDS or kind.endswith("_call"):
        return [item]
    return None


def _other_message(item: object) -> Raw:
    if not isinstance(item, dict):
        return {"role": "user", "content": item}
    kind = string(item.get("type"))
    if kind.endswith(_RESULTS) and "role" not in item and kind != "search_result":
        return {"role": "tool", "content": [item]}
    if kind == "compaction_trigger":
        return {"role": "compaction", "content": [item]}
    if kind in _TURNS:
        return {**item, "role": _TURNS[kind]}
    if "role" in item and ("content" in item or "parts" in item or kind == "message"):
        return dict(item)
    if "role" in item:
        return {"role": item["role"], "content": [{k: v for k, v in item.items() if k != "role"}]}
    # A bare block (text, image) is the user's; an item of an unknown type is shown as data.
    return {"role": "user", "content": item}

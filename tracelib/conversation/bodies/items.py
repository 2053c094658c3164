"""Items of the Responses and Interactions APIs, grouped into messages."""

from collections.abc import Mapping

from tracelib.conversation.bodies.fields import Fields
from tracelib.conversation.json_values import array, string

Raw = dict[str, object]

# What a model does in a turn other than writing text; each also with `_call`.
_ACTIONS = frozenset(
    {
        *("reasoning", "thought", "compaction", "mcp_list_tools", "mcp_approval_request"),
        *("program", "item_reference", "tool_use", "server_tool_use"),
    }
)
_RESULTS = ("_output", "_result")
_TURNS = {"model_output": "assistant", "user_input": "user"}
_RESPONSE_ROLES = ("assistant", "model", "agent")
# Put into the blocks of a response, to recognise them when a later request names them.
ITEM_ID = "_item_id"


def item_messages(items: object, *, is_response: bool = False) -> list[Raw]:
    """The items of `input` or `output` as messages.

    What an assistant does in one turn (reasoning, text, calls) comes as several consecutive items
    and becomes one message, as in the other APIs; each tool result is its own message. In a
    response, the results of tools that the provider ran belong to the assistant's turn.
    """
    gathered: list[Raw] = []
    open_blocks: list[object] | None = None
    for item in array(items):
        blocks = _assistant_blocks(item, is_response) if isinstance(item, dict) else None
        if blocks is None:
            open_blocks = None
            gathered.append(_other_message(item))
            continue
        if open_blocks is None:
            open_blocks = []
            gathered.append({"role": "assistant", "content": open_blocks})
        open_blocks.extend([_with_id(one, item) for one in blocks] if is_response else blocks)
    return gathered


def _with_id(block: object, item: object) -> object:
    named = string(item.get("id")) if isinstance(item, dict) else ""
    return {**block, ITEM_ID: named} if named and isinstance(block, dict) else block


def _assistant_blocks(item: Mapping[str, object], is_response: bool) -> list[object] | None:
    kind, role = string(item.get("type")), string(item.get("role"))
    is_message = "content" in item and (kind in ("", "message", *_TURNS) or bool(role))
    if is_message and (_TURNS.get(kind, role) in _RESPONSE_ROLES or (is_response and not role)):
        fields = Fields(item)
        content = fields.value("content")
        rest = fields.rest()
        other = [{"type": "data", "data": rest}] if rest else []
        return [*(content if isinstance(content, list) else [content]), *other]
    if is_message or (role and role not in _RESPONSE_ROLES):
        return None
    if is_response or kind in _ACTIONS or kind.endswith("_call"):
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
    # A block without a message (text, image) is the user's; an item of an unknown type is data.
    return {"role": "user", "content": item}


# Fields that every piece repeats instead of extending.
_REPEATED = frozenset(
    {
        *("id", "type", "role", "name", "object", "model", "index", "call_id", "finish_reason"),
        *("finishReason", "stop_reason", "stopReason", "toolUseId", "done_reason", "mimeType"),
        *("created_at", "createTime", "event_type", "kind", "language", "status", "format"),
        *("artifactId", "description"),
    }
)

_WORDS = frozenset({"text", "thinking"})
_OF_A_TEXT = _WORDS | {"thought", "type", "kind"}


class Pieces:
    """An object that is assembled from pieces."""

    def __init__(self) -> None:
        self._whole: dict[str, object] = {}

    def add(self, piece: Mapping[str, object], without: tuple[str, ...] = ()) -> None:
        """Add one more piece, except for some of its fields."""
        self._whole = _joined(self._whole, {k: v for k, v in piece.items() if k not in without})

    def whole(self) -> dict[str, object]:
        """The object so far."""
        return self._whole


def joined(one: object, other: object, key: str = "") -> object:
    """A value and its next piece as one value.

    >>> joined({"text": "a", "id": "1"}, {"text": "b", "id": "1"})
    {'text': 'ab', 'id': '1'}
    """
    if other is None or one in (None, {}, []):
        return other if other is not None else one
    if isinstance(one, str) and isinstance(other, str):
        return (other or one) if key in _REPEATED else one + other
    if isinstance(one, dict) and isinstance(other, dict):
        return _joined(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return _filled(one, other)
    return other


def _joined(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    return {**one, **{key: joined(one.get(key), value, key) for key, value in other.items()}}


def _filled(one: list[object], other: list[object]) -> list[object]:
    """The entries joined: by index if they have one; text continues text."""
    whole = list(one)
    for entry in other:
        place = next((at for at, known in enumerate(whole) if _is_next(known, entry)), None)
        if place is None and whole and _are_one_text(whole[-1], entry):
            place = len(whole) - 1
        if place is None:
            whole.append(entry)
        else:
            whole[place] = joined(whole[place], entry)
    return whole


def _is_next(known: object, entry: object) -> bool:
    if not (isinstance(known, dict) and isinstance(entry, dict)):
        return False
    return "index" in entry and known.get("index") == entry["index"]


def _are_one_text(last: object, entry: object) -> bool:
    """Are these two pieces of one text: objects that hold text only?"""
    if not (isinstance(last, dict) and isinstance(entry, dict)):
        return False
    kinds = [set(one) - {"thoughtSignature", "signature"} for one in (last, entry)]
    words = [{key for key in _WORDS if isinstance(one.get(key), str)} for one in (last, entry)]
    return kinds[0] == kinds[1] <= _OF_A_TEXT and words[0] == words[1] != set()

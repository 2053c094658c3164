"""Calls of tools: of the client's, and of those that a provider hosts and runs itself."""

from tracelib.conversation import wording
from tracelib.conversation.fields import Fields
from tracelib.conversation.json_values import array, string
from tracelib.conversation.messages import Part
from tracelib.conversation.results import (
    CALL_IDS,
    FAILED,
    Reader,
    error_of,
    result_parts,
    with_failure,
)
from tracelib.conversation.texts import (
    call_part,
    data_part,
    json_part,
)

_GIVEN = ("input", "arguments", "args", "parameters")
# What a hosted tool was given stands in its block beside these.
_BESIDE_GIVEN = frozenset(
    {*("type", "id", "call_id", "status", "cache_control", "container_id", "fingerprint"), "caller"}
)
# The client runs these, so that they say nothing of how it went.
_CLIENT_RUN = frozenset(
    {
        *("tool_use", "function_call", "custom_tool_call", "computer_call", "local_shell_call"),
        *("shell_call", "apply_patch_call"),
    }
)
_PLAIN_CALLS = frozenset(
    {*("tool_use", "server_tool_use", "mcp_tool_use", "function_call", "custom_tool_call"), ""}
)


def call(fields: Fields, read: Reader) -> tuple[Part, ...]:
    """A call of a tool; where its block holds the result too, that follows under the same id.

    `read` reads content within it.
    """
    kind, own_id = string(fields.peek("type")), fields.peek("id")
    call_id = fields.text(*CALL_IDS) or own_id
    name = fields.text("name", "toolName", "tool_name") or kind
    status = string(fields.peek("status")).lower()
    failure = error_of(fields) or _failure("" if kind in _CLIENT_RUN else status)
    outputs = _outputs(fields, kind)
    given = fields.value(*_GIVEN)
    if given is None and kind not in _PLAIN_CALLS:
        given = _hosted_given(fields)
    called = call_part(name, given, call_id)
    if outputs is None and failure is None:
        return (called,)
    parts = result_parts(outputs, call_id, name, read=read, is_error=failure is not None)
    return (called, *with_failure(parts, failure))


def _outputs(fields: Fields, kind: str) -> object:
    """What a hosted tool gave back; None where its call holds no result."""
    if kind == "image_generation_call":
        image = fields.text("result")
        form = string(fields.peek("output_format"))
        block = {"type": "image", "data": image, "mime_type": f"image/{form}" if form else ""}
        return [block] if image else None
    if kind in _PLAIN_CALLS:
        return None
    if kind == "file_search_call":
        found = fields.objects("results")
        return [{**one.left(), "type": "found_file"} for one in found] or None
    if kind == "web_search_call":
        action = fields.inner("action")
        sources = action.objects("sources")
        fields.put("action", action)
        return [{**one.left(), "type": "web_search_result"} for one in sources] or None
    return fields.value("output", "outputs", "results", "result")


def _hosted_given(fields: Fields) -> object:
    """What a tool that the provider runs was given: all of its block but its labels."""
    given = {key: value for key, value in fields.left().items() if key not in _BESIDE_GIVEN}
    fields.drop(*given)
    code = given.get("code")
    return code if isinstance(code, str) and len(given) == 1 else given


def _failure(status: str) -> str | None:
    """What this status says of a hosted tool's failure; None where it did not fail."""
    if status in FAILED:
        return wording.TOOL_FAILED
    return wording.TOOL_UNFINISHED if status == "incomplete" else None


def chat_calls(value: object) -> tuple[Part, ...]:
    """The `tool_calls` of a chat message, or its older `function_call`."""
    calls = [value] if isinstance(value, dict) else array(value)
    return tuple(part for entry in calls for part in _chat_call(entry))


def _chat_call(entry: object) -> tuple[Part, ...]:
    if not isinstance(entry, dict):
        return (data_part(entry),) if entry else ()
    fields = Fields(entry)
    function = fields.inner("function", "custom")
    called = function if function else fields
    given = called.value("arguments", "input", "parameters")
    part = call_part(called.text("name"), given, fields.peek("id"))
    rest = {**fields.rest(), **function.rest()}
    return (part, json_part(rest)) if rest else (part,)

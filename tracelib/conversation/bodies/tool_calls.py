"""Tool calls: the client's, and those of tools that a provider hosts and runs itself."""

from collections.abc import Callable
from dataclasses import replace

from tracelib.conversation.bodies import phrases
from tracelib.conversation.bodies.fields import Fields
from tracelib.conversation.bodies.messages import Part
from tracelib.conversation.bodies.texts import (
    call_part,
    data_part,
    json_part,
    shown_id,
    shown_name,
    text_part,
)
from tracelib.conversation.json_values import array, objects, string

Reader = Callable[[object], tuple[Part, ...]]

CALL_IDS = ("call_id", "tool_use_id", "toolUseId", "tool_call_id", "callId")
FAILED = frozenset({"failed", "error", "outcome_failed", "outcome_deadline_exceeded"})

_OUTPUTS = ("output", "outputs", "results", "result", "content", "response", "tools", "text")
_LISTS_OF_TOOLS = ("mcp_list_tools", "tool_search_output")
_TEXT_KINDS = ("text", "data")


def error_of(fields: Fields) -> str | None:
    """The error that a block describes; None if there was none."""
    plain = fields.text("error")
    error = fields.inner("error")
    if plain or not error:
        return plain or None
    content = error.value("content")
    words = error.text("message") or _content_words(content)
    code = error.text("code")
    error.drop("code")
    fields.put("error", Fields(error.rest()))
    return words or code or phrases.TOOL_FAILED


def _content_words(content: object) -> str:
    """The text of this content, one text below another; other content as JSON."""
    if isinstance(content, str):
        return content
    blocks = objects(content)
    texts = [string(block.get("text")) for block in blocks]
    if content and not (blocks and all(texts) and len(blocks) == len(array(content))):
        return json_part(content).text
    return "\n".join(texts)


def with_failure(parts: tuple[Part, ...], failure: str | None) -> tuple[Part, ...]:
    """The result, with the text of its failure."""
    shown = parts[0]
    if failure is None or (shown.text and failure == phrases.TOOL_FAILED):
        return parts
    error = text_part(failure)
    text = "\n".join(filter(None, (shown.text, error.text)))
    cut = shown.truncated_chars + error.truncated_chars
    return (replace(shown, text=text, is_json=False, truncated_chars=cut), *parts[1:])


def result(fields: Fields, read: Reader) -> tuple[Part, ...]:
    """The tool result in this block, of any API."""
    kind = string(fields.peek("type"))
    own_id = fields.peek("id")
    call_id = fields.text(*CALL_IDS) or own_id
    name = fields.text("name", "toolName", "tool_name")
    is_error = _is_error(fields)
    error = error_of(fields)
    content = fields.value(*_OUTPUTS)
    if kind in _LISTS_OF_TOOLS:
        content, name = tool_list(content), name or kind
    parts = result_parts(content, call_id, name, read=read, is_error=is_error or error is not None)
    return with_failure(parts, error)


def _is_error(fields: Fields) -> bool:
    flags = (fields.peek("is_error"), fields.peek("isError"))
    states = (fields.peek("status"), fields.peek("outcome"))
    values = (string(state).lower() for state in states)
    return any(flag is True for flag in flags) or any(state in FAILED for state in values)


def result_parts(
    content: object, call_id: object, name: object = None, *, read: Reader, is_error: bool = False
) -> tuple[Part, ...]:
    """A tool result: its text as one part, then the images and files it returned."""
    identity, tool = shown_id(call_id), shown_name(name)
    inner = _read_result(content, read)
    texts = [part for part in inner if part.kind in _TEXT_KINDS or _is_within(part)]
    shown = Part(
        "tool_result",
        "\n".join(part.text for part in texts),
        tool,
        identity,
        is_json=len(texts) == 1 and texts[0].is_json,
        truncated_chars=sum(part.truncated_chars for part in texts),
        is_redacted=any(part.is_redacted for part in texts),
        is_error=is_error or any(part.is_error for part in inner),
    )
    others = (part for part in inner if not (part.kind in _TEXT_KINDS or _is_within(part)))
    return (shown, *(replace(part, call_id=identity) for part in others))


def _is_within(part: Part) -> bool:
    """Is this a block with a part of another result, as in the results of some hosted tools?"""
    return part.kind == "tool_result" and not part.call_id


def _read_result(content: object, read: Reader) -> tuple[Part, ...]:
    if isinstance(content, dict) and not content.get("type"):
        return _structured(content, read)
    return read(content) if isinstance(content, str | list | dict | None) else (data_part(content),)


def _structured(content: dict[str, object], read: Reader) -> tuple[Part, ...]:
    """A tool result that is an object: terminal output, or any fields."""
    if is_terminal(Fields(content)):
        return read(content)
    part = json_part(content)
    error = content.get("error")
    return (replace(part, is_error=True),) if error and set(content) <= {"error"} else (part,)


def is_terminal(fields: Fields) -> bool:
    """Is this the output of a command, or its exit status?"""
    printed = any(isinstance(fields.peek(name), str) for name in ("stdout", "stderr"))
    return printed or isinstance(fields.peek("outcome"), dict)


def terminal(fields: Fields, read: Reader) -> tuple[Part, ...]:
    """The output of a command, its exit status, and the files it created."""
    printed, complained = fields.text("stdout"), fields.text("stderr", "error_output")
    outcome = fields.inner("outcome")
    is_late = outcome.peek("type") == "timeout"
    code = outcome.peek("exit_code") if outcome else fields.value("return_code", "exit_code")
    lines = [
        printed.rstrip("\n"),
        phrases.STDERR.format(text=complained) if complained else "",
    ]
    lines += [phrases.TIMED_OUT] if is_late else []
    is_blank = not (printed or complained or is_late)
    if code is not None and (code != 0 or is_blank):
        lines.append(phrases.EXIT_CODE.format(code=code))
    fields.drop("return_code", "exit_code")
    files = read(fields.value("content"))
    output = replace(text_part("\n".join(filter(None, lines))), is_error=is_late)
    return (output, *files)


def failed_result(fields: Fields) -> tuple[Part, ...]:
    """The failure that a hosted tool reports in place of a result."""
    texts = [fields.text("error_code", "errorCode"), fields.text("error_message", "message")]
    part = text_part(": ".join(filter(None, texts)) or string(fields.peek("type")))
    return (replace(part, is_error=True),)


def tool_list(tools: object) -> object:
    """The tools that a server offers, each as a block with its name and description."""
    if not isinstance(tools, list):
        return tools
    return [
        {**entry, "type": "offered_tool"} if isinstance(entry, dict) else entry for entry in tools
    ]


def offered_tool(fields: Fields) -> tuple[Part, ...]:
    """A tool that is offered: its name, description and parameters."""
    name, description = fields.text("name"), fields.text("description")
    takes = fields.value("input_schema", "inputSchema", "parameters")
    description_part = text_part(": ".join(filter(None, (name, description))))
    return (description_part, json_part(takes)) if takes else (description_part,)


_GIVEN = ("input", "arguments", "args", "parameters")
# Fields of a hosted tool's block that are next to its input.
_NOT_INPUT = frozenset(
    {*("type", "id", "call_id", "status", "cache_control", "container_id", "fingerprint"), "caller"}
)
# The client runs these tools, so their blocks do not report how the run ended.
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
    """A tool call; if its block holds the result too, it follows with the same ID.

    `read` reads its content.
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
    """The result of a hosted tool; None if its call holds no result."""
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
    """The input of a hosted tool: all of its block except the labels."""
    given = {key: value for key, value in fields.left().items() if key not in _NOT_INPUT}
    fields.drop(*given)
    code = given.get("code")
    return code if isinstance(code, str) and len(given) == 1 else given


def _failure(status: str) -> str | None:
    """How this status describes a hosted tool's failure; None if it did not fail."""
    if status in FAILED:
        return phrases.TOOL_FAILED
    return phrases.TOOL_UNFINISHED if status == "incomplete" else None


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

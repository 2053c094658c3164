"""What tools gave back: of the client's tools, of those that providers host, and of MCP."""

from collections.abc import Callable
from dataclasses import replace

from tracelib.conversation import wording
from tracelib.conversation.fields import Fields
from tracelib.conversation.json_values import array, objects, string
from tracelib.conversation.messages import Part
from tracelib.conversation.texts import data_part, json_part, shown_id, shown_name, text_part

Reader = Callable[[object], tuple[Part, ...]]

CALL_IDS = ("call_id", "tool_use_id", "toolUseId", "tool_call_id", "callId")
FAILED = frozenset({"failed", "error", "outcome_failed", "outcome_deadline_exceeded"})

_OUTPUTS = ("output", "outputs", "results", "result", "content", "response", "tools", "text")
_LISTS_OF_TOOLS = ("mcp_list_tools", "tool_search_output")
_SPOKEN = ("text", "data")


def error_of(fields: Fields) -> str | None:
    """What a block says of an error; None where there was none."""
    plain = fields.text("error")
    error = fields.inner("error")
    if plain or not error:
        return plain or None
    content = error.value("content")
    words = error.text("message") or _content_words(content)
    error.drop("code")
    fields.put("error", Fields(error.rest()))
    return words or wording.TOOL_FAILED


def _content_words(content: object) -> str:
    """The words of this content, one text under another; of other content its JSON."""
    if isinstance(content, str):
        return content
    blocks = objects(content)
    texts = [string(block.get("text")) for block in blocks]
    if content and not (blocks and all(texts) and len(blocks) == len(array(content))):
        return json_part(content).text
    return "\n".join(texts)


def with_failure(parts: tuple[Part, ...], failure: str | None) -> tuple[Part, ...]:
    """The result, with what is said of its failure."""
    shown = parts[0]
    if failure is None or (shown.text and failure == wording.TOOL_FAILED):
        return parts
    said = text_part(failure)
    text = "\n".join(filter(None, (shown.text, said.text)))
    cut = shown.truncated_chars + said.truncated_chars
    return (replace(shown, text=text, is_json=False, truncated_chars=cut), *parts[1:])


def result(fields: Fields, read: Reader) -> tuple[Part, ...]:
    """The result of a tool, of the block of any API that holds one."""
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
    said = (string(state).lower() for state in states)
    return any(flag is True for flag in flags) or any(state in FAILED for state in said)


def result_parts(
    content: object, call_id: object, name: object = None, *, read: Reader, is_error: bool = False
) -> tuple[Part, ...]:
    """A tool's result: its words as one part, images and files it returned after it."""
    identity, tool = shown_id(call_id), shown_name(name)
    inner = _read_result(content, read)
    spoken = [part for part in inner if part.kind in _SPOKEN or _is_within(part)]
    shown = Part(
        "tool_result",
        "\n".join(part.text for part in spoken),
        tool,
        identity,
        is_json=len(spoken) == 1 and spoken[0].is_json,
        truncated_chars=sum(part.truncated_chars for part in spoken),
        is_redacted=any(part.is_redacted for part in spoken),
        is_error=is_error or any(part.is_error for part in inner),
    )
    others = (part for part in inner if part not in spoken)
    return (shown, *(replace(part, call_id=identity) for part in others))


def _is_within(part: Part) -> bool:
    """Is this a block that holds a part of another result, as some hosted tools' results do?"""
    return part.kind == "tool_result" and not part.call_id


def _read_result(content: object, read: Reader) -> tuple[Part, ...]:
    if isinstance(content, dict) and not content.get("type"):
        return _structured(content, read)
    return read(content) if isinstance(content, str | list | dict | None) else (data_part(content),)


def _structured(content: dict[str, object], read: Reader) -> tuple[Part, ...]:
    """What a tool gave back as an object of its own: what a terminal printed, or any fields."""
    if is_terminal(Fields(content)):
        return read(content)
    part = json_part(content)
    error = content.get("error")
    return (replace(part, is_error=True),) if error and set(content) <= {"error"} else (part,)


def is_terminal(fields: Fields) -> bool:
    """Is this what a command printed, or how it exited?"""
    printed = any(isinstance(fields.peek(name), str) for name in ("stdout", "stderr"))
    return printed or isinstance(fields.peek("outcome"), dict)


def terminal(fields: Fields, read: Reader) -> tuple[Part, ...]:
    """What a command printed, how it exited, and the files it left."""
    printed, complained = fields.text("stdout"), fields.text("stderr", "error_output")
    outcome = fields.inner("outcome")
    is_late = outcome.peek("type") == "timeout"
    code = outcome.peek("exit_code") if outcome else fields.value("return_code", "exit_code")
    lines = [printed.rstrip("\n"), wording.STDERR.format(text=complained) if complained else ""]
    lines += [wording.TIMED_OUT] if is_late else []
    says_nothing = not (printed or complained or is_late)
    if code is not None and (code != 0 or says_nothing):
        lines.append(wording.EXIT_CODE.format(code=code))
    fields.drop("return_code", "exit_code")
    files = read(fields.value("content"))
    said = replace(text_part("\n".join(filter(None, lines))), is_error=is_late)
    return (said, *files)


def failed_result(fields: Fields) -> tuple[Part, ...]:
    """What a hosted tool says in place of a result: why it failed."""
    said = [fields.text("error_code", "errorCode"), fields.text("error_message", "message")]
    part = text_part(": ".join(filter(None, said)) or string(fields.peek("type")))
    return (replace(part, is_error=True),)


def tool_list(tools: object) -> object:
    """The tools a server offers, each as a block of its name and what it says of itself."""
    if not isinstance(tools, list):
        return tools
    return [
        {**entry, "type": "offered_tool"} if isinstance(entry, dict) else entry for entry in tools
    ]


def offered_tool(fields: Fields) -> tuple[Part, ...]:
    """A tool that is offered: its name, what it does, and what it takes."""
    name, description = fields.text("name"), fields.text("description")
    takes = fields.value("input_schema", "inputSchema", "parameters")
    said = text_part(": ".join(filter(None, (name, description))))
    return (said, json_part(takes)) if takes else (said,)

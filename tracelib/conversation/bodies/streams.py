"""Streams that were stored as they arrived, assembled into the response."""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence

from tracelib.conversation.bodies import response_shapes
from tracelib.conversation.bodies.items import Pieces
from tracelib.conversation.json_values import array, mapping, objects, read_json, string

Event = Mapping[str, object]

# LiteLLM stores a stream that it cannot read as the text of a Python list of its lines.
_UNREAD = re.compile(r"\Acannot parse chunks[^=]{0,200}Chunks=(?=\[)")


def read_stream(text: str) -> tuple[list[Event], str] | None:
    """The events of this stored stream, and what could not be read.

    Reads server-sent events, and JSON objects one per line. None if it is not a stream.

    >>> read_stream('data: {"a": 1}\\n\\ndata: [DONE]\\n\\n')
    ([{'a': 1}], '')
    """
    lines = _lines(text)
    if lines is None:
        return None
    events: list[Event] = []
    unread: list[str] = []
    for line in lines:
        data = line.removeprefix("data:").strip()
        if not data or data == "[DONE]" or line.startswith(("event:", "id:", "retry:", ":")):
            continue
        try:
            found = read_json(data)
        except (ValueError, RecursionError):
            unread.append(data)
            continue
        events += [found] if isinstance(found, dict) else objects(found)
    return (events, "\n".join(unread)) if events else None


def _lines(text: str) -> list[str] | None:
    listed = _UNREAD.match(text)
    if listed:
        try:
            entries = ast.literal_eval(text[listed.end() :])
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        return [line for entry in entries if isinstance(entry, str) for line in entry.splitlines()]
    begin = text.lstrip()
    if begin.startswith(("data:", "event:", "id:", ": ", "retry:")):
        return begin.splitlines()
    lines = begin.splitlines()
    is_each_json = len(lines) > 1 and all(line[:1] == "{" for line in lines[:2])
    return lines if is_each_json else None


def assembled(events: Sequence[Event]) -> object:
    """The response that these events make up, in its shape without streaming.

    None for events of an unknown stream.
    """
    for is_of, gather in _STREAMS:
        if any(is_of(event) for event in events):
            return gather(events)
    return None


def _is_chat(event: Event) -> bool:
    return any("delta" in choice for choice in objects(event.get("choices")))


def _chat(events: Iterable[Event]) -> object:
    choices: dict[object, Pieces] = {}
    whole: dict[str, object] = {}
    for event in events:
        whole |= {key: value for key, value in event.items() if value not in (None, [], {})}
        for choice in objects(event.get("choices")):
            pieces = choices.setdefault(choice.get("index", 0), Pieces())
            pieces.add({**choice, "message": choice.get("delta")}, without=("delta", "index"))
    return {**whole, "choices": [pieces.whole() for pieces in choices.values()]}


def _is_completion(event: Event) -> bool:
    return any("text" in choice for choice in objects(event.get("choices")))


def _completion(events: Iterable[Event]) -> object:
    choices: dict[object, Pieces] = {}
    for event in events:
        for choice in objects(event.get("choices")):
            choices.setdefault(choice.get("index", 0), Pieces()).add(choice, without=("index",))
    return {"choices": [pieces.whole() for pieces in choices.values()]}


def _is_messages(event: Event) -> bool:
    return event.get("type") in ("message_start", "content_block_start", "content_block_delta")


def _messages(events: Iterable[Event]) -> object:
    """Anthropic's events: blocks that start, grow and stop."""
    whole: dict[str, object] = {"type": "message", "role": "assistant"}
    blocks: dict[object, Pieces] = {}
    for event in events:
        if event.get("type") == "message_start":
            whole |= mapping(event.get("message"))
        elif event.get("type") == "error":
            whole["error"] = event.get("error")
        elif event.get("type") == "message_delta":
            whole |= mapping(event.get("delta"))
        elif event.get("type") in ("content_block_start", "content_block_delta"):
            block = blocks.setdefault(event.get("index"), Pieces())
            block.add(mapping(event.get("content_block")))
            block.add(_block_delta(mapping(event.get("delta"))))
    return {**whole, "content": [block.whole() for block in blocks.values()]}


def _block_delta(delta: Event) -> dict[str, object]:
    if "partial_json" in delta:
        return {"input": delta["partial_json"]}
    if "citation" in delta:
        return {"citations": [delta["citation"]]}
    return {key: value for key, value in delta.items() if key != "type"}


def _is_gemini(event: Event) -> bool:
    return "candidates" in event


def _gemini(events: Iterable[Event]) -> object:
    candidates: dict[object, Pieces] = {}
    whole: dict[str, object] = {}
    for event in events:
        whole |= event
        for candidate in objects(event.get("candidates")):
            candidates.setdefault(candidate.get("index", 0), Pieces()).add(candidate)
    return {**whole, "candidates": [pieces.whole() for pieces in candidates.values()]}


def _is_converse(event: Event) -> bool:
    return any(key in event for key in ("contentBlockDelta", "messageStart", "contentBlockStart"))


def _converse(events: Iterable[Event]) -> object:
    """Bedrock's events, each named by its only field."""
    blocks: dict[object, Pieces] = {}
    end: dict[str, object] = {}
    for event in events:
        for name in ("contentBlockStart", "contentBlockDelta"):
            found = mapping(event.get(name))
            if found:
                block = blocks.setdefault(found.get("contentBlockIndex"), Pieces())
                block.add(mapping(found.get("start") or found.get("delta")))
        end |= mapping(event.get("messageStop"))
    content = [block.whole() for block in blocks.values()]
    return {"output": {"message": {"role": "assistant", "content": content}}, **end}


def _is_lines(event: Event) -> bool:
    return "done" in event and ("message" in event or "response" in event)


def _by_line(events: Iterable[Event]) -> object:
    """Ollama's lines, each with more of the text."""
    whole = Pieces()
    for event in events:
        whole.add(event, without=("created_at", "model"))
    return whole.whole()


def _is_cohere(event: Event) -> bool:
    return event.get("type") in ("content-delta", "message-start", "tool-call-start")


def _cohere(events: Iterable[Event]) -> object:
    message = Pieces()
    contents: dict[object, Pieces] = {}
    called: dict[object, Pieces] = {}
    end: dict[str, object] = {}
    for event in events:
        delta = mapping(event.get("delta"))
        response = dict(mapping(delta.get("message")))
        content, calls = response.pop("content", None), response.pop("tool_calls", None)
        if isinstance(content, dict):
            contents.setdefault(event.get("index"), Pieces()).add(content)
        if isinstance(calls, dict):
            called.setdefault(event.get("index"), Pieces()).add(calls)
        cited = response.pop("citations", None)
        message.add({**response, "citations": [cited] if cited else []})
        end |= {key: value for key, value in delta.items() if key != "message"}
    whole = message.whole() | {"content": [piece.whole() for piece in contents.values()]}
    return {"message": whole | {"tool_calls": [one.whole() for one in called.values()]}, **end}


def _is_agent(event: Event) -> bool:
    return "jsonrpc" in event and bool(response_shapes.kind_of(event))


def _agent(events: Iterable[Event]) -> object:
    """A2A's events: the state of a task, and its artifacts piece by piece."""
    task: dict[str, object] = {}
    artifacts: dict[object, Pieces] = {}
    for event in events:
        result = response_shapes.unwrapped(mapping(event.get("result")))
        artifact = mapping(result.get("artifact"))
        if artifact:
            artifacts.setdefault(artifact.get("artifactId"), Pieces()).add(artifact)
        elif "parts" in result:
            return {"result": result}
        else:
            task |= result
    made = [*array(task.get("artifacts")), *(pieces.whole() for pieces in artifacts.values())]
    return {"jsonrpc": "2.0", "result": {**task, "artifacts": made}}


def _is_interaction(event: Event) -> bool:
    kind = string(event.get("event_type"))
    return kind.startswith(("interaction.", "step.", "content."))


def _interaction(events: Iterable[Event]) -> object:
    """Gemini's interactions: the complete one from the end, or what arrived before."""
    blocks: dict[object, Pieces] = {}
    whole: dict[str, object] = {"object": "interaction"}
    for event in events:
        kind = string(event.get("event_type"))
        whole |= mapping(event.get("interaction"))
        if kind.startswith(("step.", "content.")):
            block = blocks.setdefault(event.get("index"), Pieces())
            block.add(mapping(event.get("content") or event.get("step")))
            block.add(mapping(event.get("delta")))
    if whole.get("outputs") or whole.get("steps"):
        return whole
    return {**whole, "outputs": [block.whole() for block in blocks.values()]}


_STREAMS = (
    (_is_chat, _chat),
    (_is_completion, _completion),
    (_is_messages, _messages),
    (_is_gemini, _gemini),
    (_is_converse, _converse),
    (_is_agent, _agent),
    (_is_interaction, _interaction),
    (_is_cohere, _cohere),
    (_is_lines, _by_line),
)

"""What a model answers, whatever API carries it: the vendor sends it, the client receives it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A tool that the model wants called. `arguments` is JSON text."""

    name: str
    arguments: str
    id: str


@dataclass(frozen=True)
class Answer:
    """What one choice of a model's answer says: thoughts, then text, then calls."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    thinking: str = ""


def call(name: str, id: str, **arguments: object) -> Call:
    """A call with these arguments."""
    return Call(name, json.dumps(arguments), id)


# What the client received, read without any code of the app.


def received_by_chat(answer: Json) -> tuple[Answer, ...]:
    """The choices of a chat completion."""
    return tuple(_chat_answer(choice["message"]) for choice in answer["choices"])


def _chat_answer(message: Json) -> Answer:
    calls = tuple(
        Call(one["function"]["name"], one["function"]["arguments"], one["id"])
        for one in message.get("tool_calls") or ()
    )
    return Answer(message.get("content") or "", calls, message.get("reasoning_content") or "")


def received_by_messages(answer: Json) -> tuple[Answer, ...]:
    """The one answer of Anthropic's messages."""
    return (_of_blocks(answer["content"]),)


def _of_blocks(blocks: list[Json]) -> Answer:
    return Answer(
        "".join(block["text"] for block in blocks if block["type"] == "text"),
        tuple(
            Call(block["name"], json.dumps(block["input"]), block["id"])
            for block in blocks
            if block["type"] == "tool_use"
        ),
        "".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
    )


def received_by_responses(answer: Json) -> tuple[Answer, ...]:
    """The one answer of the Responses API."""
    items = answer["output"]
    texts = [
        part["text"] for item in items if item["type"] == "message" for part in item["content"]
    ]
    calls = tuple(
        Call(item["name"], item["arguments"], item["call_id"])
        for item in items
        if item["type"] == "function_call"
    )
    return (Answer("".join(texts), calls),)


def streamed_chat(text: str) -> tuple[Answer, ...]:
    """The choices of a stream of chat completion chunks."""
    messages: dict[int, Json] = {}
    for event in events(text):
        for choice in event.get("choices", ()):
            message = messages.setdefault(choice["index"], {"content": "", "tool_calls": []})
            _add_delta(message, choice["delta"])
    return tuple(_chat_answer(messages[index]) for index in sorted(messages))


def _add_delta(message: Json, delta: Json) -> None:
    message["content"] += delta.get("content") or ""
    for one in delta.get("tool_calls") or ():
        calls = message["tool_calls"]
        if one["index"] == len(calls):
            calls.append({"id": one["id"], "function": {"name": "", "arguments": ""}})
        for name in ("name", "arguments"):
            calls[one["index"]]["function"][name] += one["function"].get(name) or ""


def streamed_messages(text: str) -> tuple[Answer, ...]:
    """The answer of a stream of Anthropic's events."""
    blocks: list[Json] = []
    inputs: dict[int, str] = {}
    for event in events(text):
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            delta, block = event["delta"], blocks[event["index"]]
            if delta["type"] == "input_json_delta":
                inputs[event["index"]] = inputs.get(event["index"], "") + delta["partial_json"]
            elif delta["type"] in ("text_delta", "thinking_delta"):
                kind = delta["type"].removesuffix("_delta")
                block[kind] += delta[kind]
    for index, arguments in inputs.items():
        blocks[index]["input"] = json.loads(arguments)
    return (_of_blocks(blocks),)


def streamed_responses(text: str) -> tuple[Answer, ...]:
    """The answer of a stream of the Responses API: its last event has it whole."""
    (whole,) = (one["response"] for one in events(text) if one["type"] == "response.completed")
    return received_by_responses(whole)


def events(text: str) -> Iterator[Json]:
    """The JSON of each event of a stream."""
    for line in text.splitlines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))

"""An answer as OpenAI's and Anthropic's APIs spell it, whole and as a stream of events."""

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from tests.live.answers import Answer, Call

Json = dict[str, Any]
Event = tuple[str | None, Json]
"""The name of an event, where the API gives it one, and its JSON."""


def new_id(prefix: str) -> str:
    """An id that nobody was given before."""
    return f"{prefix}{uuid.uuid4().hex[:24]}"


def tokens(value: object) -> int:
    """About as many tokens as a model would count."""
    return max(1, len(value if isinstance(value, str) else json.dumps(value)) // 4)


def answer_tokens(choices: Sequence[Answer]) -> int:
    """The tokens of all choices of an answer."""
    return sum(
        tokens(one.thinking + one.text) + sum(tokens(call.arguments) + 4 for call in one.calls)
        for one in choices
    )


# Chat completions


def chat(body: Json, choices: Sequence[Answer], prompt: int, cached: int) -> Json:
    """A chat completion. `prompt` and `cached` are tokens, the second a part of the first."""
    entries = [
        {"index": index, "message": _chat_message(one), "finish_reason": _finish(one)}
        for index, one in enumerate(choices)
    ]
    whole = _chat_head(body["model"], "chat.completion")
    return whole | {"choices": entries, "usage": _chat_usage(prompt, cached, choices)}


def _chat_head(model: str, kind: str) -> Json:
    head = {"id": new_id("chatcmpl-"), "object": kind, "created": int(time.time())}
    return head | {"model": model, "system_fingerprint": "fp_live"}


def _chat_message(answer: Answer) -> Json:
    message: Json = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.thinking:
        message["reasoning_content"] = answer.thinking
    if answer.calls:
        message["tool_calls"] = [_chat_call(one) for one in answer.calls]
    return message


def _chat_call(call: Call) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.calls else "stop"


def _chat_usage(prompt: int, cached: int, choices: Sequence[Answer]) -> Json:
    completion = answer_tokens(choices)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def chat_events(body: Json, choices: Sequence[Answer], prompt: int, cached: int) -> Iterator[Event]:
    """The same, word by word."""
    head = _chat_head(body["model"], "chat.completion.chunk")
    for index, answer in enumerate(choices):
        for delta in _chat_deltas(answer):
            entry = {"index": index, "delta": delta, "finish_reason": None}
            yield None, head | {"choices": [entry]}
        entry = {"index": index, "delta": {}, "finish_reason": _finish(answer)}
        yield None, head | {"choices": [entry]}
    if body.get("stream_options", {}).get("include_usage"):
        yield None, head | {"choices": [], "usage": _chat_usage(prompt, cached, choices)}


def _chat_deltas(answer: Answer) -> Iterator[Json]:
    yield {"role": "assistant", "content": ""}
    if answer.thinking:
        yield {"reasoning_content": answer.thinking}
    for word in words(answer.text):
        yield {"content": word}
    for index, call in enumerate(answer.calls):
        whole = _chat_call(call)
        yield {"tool_calls": [whole | {"index": index, "function": {"name": call.name}}]}
        for piece in words(call.arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def words(text: str) -> list[str]:
    """The words of a text, each with the space after it: together they are the text.

    >>> words("a  b c")
    ['a ', ' ', 'b ', 'c']
    """
    pieces = text.split(" ")
    spaced = [f"{piece} " for piece in pieces[:-1]] + pieces[-1:]
    return [piece for piece in spaced if piece]


# Anthropic's messages


def message(body: Json, choices: Sequence[Answer], prompt: int, cached: int) -> Json:
    """A message of Anthropic's API, which counts cached tokens beside the others."""
    (answer,) = choices
    whole = _message_head(body["model"], prompt, cached)
    whole["usage"]["output_tokens"] = answer_tokens(choices)
    return whole | {"content": _blocks(answer), "stop_reason": _stop_reason(answer)}


def _message_head(model: str, prompt: int, cached: int) -> Json:
    usage = {
        "input_tokens": prompt - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": 1,
    }
    head = {"id": new_id("msg_"), "type": "message", "role": "assistant", "model": model}
    return head | {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}


def _stop_reason(answer: Answer) -> str:
    return "tool_use" if answer.calls else "end_turn"


def _blocks(answer: Answer) -> list[Json]:
    thinking = {"type": "thinking", "thinking": answer.thinking, "signature": "c2lnbmVk"}
    text = {"type": "text", "text": answer.text}
    calls = [
        {"type": "tool_use", "id": one.id, "name": one.name, "input": json.loads(one.arguments)}
        for one in answer.calls
    ]
    return [thinking] * bool(answer.thinking) + [text] * bool(answer.text) + calls


def message_events(
    body: Json, choices: Sequence[Answer], prompt: int, cached: int
) -> Iterator[Event]:
    """The same, word by word."""
    (answer,) = choices
    yield _named("message_start", message=_message_head(body["model"], prompt, cached))
    for index, block in enumerate(_blocks(answer)):
        empty, deltas = _block_deltas(block)
        yield _named("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield _named("content_block_delta", index=index, delta=delta)
        yield _named("content_block_stop", index=index)
    end = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    yield _named("message_delta", delta=end, usage={"output_tokens": answer_tokens(choices)})
    yield _named("message_stop")


def _block_deltas(block: Json) -> tuple[Json, list[Json]]:
    """A block without its words, and its words."""
    kind = block["type"]
    if kind == "tool_use":
        pieces = words(json.dumps(block["input"]))
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        return block | {"input": {}}, deltas
    deltas = [{"type": f"{kind}_delta", kind: piece} for piece in words(block[kind])]
    if kind == "thinking":
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {"type": kind, "thinking": "", "signature": ""}, deltas
    return {"type": kind, "text": ""}, deltas


def _named(name: str, **fields: object) -> Event:
    return name, {"type": name, **fields}


# Responses


def response(body: Json, choices: Sequence[Answer], prompt: int, cached: int) -> Json:
    """A response of OpenAI's newer API."""
    (answer,) = choices
    completion = answer_tokens(choices)
    usage = {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + completion,
    }
    return _response_head(body) | {
        "status": "completed",
        "output": _items(answer),
        "usage": usage,
    }


def _response_head(body: Json) -> Json:
    return {
        "id": new_id("resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": body.get("tools", []),
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "metadata": {},
    }


def _items(answer: Answer) -> list[Json]:
    items: list[Json] = []
    if answer.thinking:
        summary = [{"type": "summary_text", "text": answer.thinking}]
        items.append({"type": "reasoning", "id": new_id("rs_"), "summary": summary})
    if answer.text:
        content = [{"type": "output_text", "text": answer.text, "annotations": []}]
        head = {"type": "message", "id": new_id("msg_"), "status": "completed"}
        items.append(head | {"role": "assistant", "content": content})
    return items + [_function_call(one) for one in answer.calls]


def _function_call(call: Call) -> Json:
    head = {"type": "function_call", "id": new_id("fc_"), "status": "completed"}
    return head | {"call_id": call.id, "name": call.name, "arguments": call.arguments}


def response_events(
    body: Json, choices: Sequence[Answer], prompt: int, cached: int
) -> Iterator[Event]:
    """The same, item by item."""
    whole = response(body, choices, prompt, cached)
    begun = whole | {"status": "in_progress", "output": [], "usage": None}
    number = count()
    yield _numbered(number, "response.created", response=begun)
    for index, item in enumerate(whole["output"]):
        at = {"output_index": index}
        yield _numbered(number, "response.output_item.added", item=item, **at)
        if item["type"] == "message":
            for word in words(item["content"][0]["text"]):
                place = {"item_id": item["id"], "content_index": 0, **at}
                yield _numbered(number, "response.output_text.delta", delta=word, **place)
        yield _numbered(number, "response.output_item.done", item=item, **at)
    yield _numbered(number, "response.completed", response=whole)


def _numbered(number: Iterator[int], name: str, **fields: object) -> Event:
    return name, {"type": name, "sequence_number": next(number), **fields}

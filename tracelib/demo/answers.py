"""The `response` column: what came back, in the shape of each kind of call."""

from typing import Any

from tracelib.demo.exchange import Outcome, Usage

REDACTED = "redacted-by-litellm"
MASKED = "REDACTED_BY_LITELM"  # LiteLLM's own spelling


def response(outcome: Outcome) -> dict[str, Any]:
    """What is stored as the answer? `{}` for failures and for teams that keep no prompts."""
    key = outcome.ask.key
    if outcome.failure is not None or not key.team.stores_prompts:
        return {}
    shape = _SHAPES[outcome.ask.call_type]
    return shape(outcome)


def usage_object(usage: Usage, call_type: str) -> dict[str, Any]:
    """The usage block as LiteLLM keeps it, in the answer and in the metadata."""
    counts: dict[str, Any] = {
        "completion_tokens": usage.completion,
        "prompt_tokens": usage.prompt,
        "total_tokens": usage.total,
    }
    if call_type in ("aembedding", "atext_completion"):
        return counts
    return counts | usage_details(usage)


def usage_details(usage: Usage) -> dict[str, Any]:
    """The parts of the usage, with the provider's prompt cache where it was used."""
    details: dict[str, Any] = {
        "completion_tokens_details": {"audio_tokens": 0, "reasoning_tokens": usage.reasoning},
        "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": usage.cached},
    }
    if usage.cached or usage.written:
        details["cache_read_input_tokens"] = usage.cached
    if usage.written:
        details["prompt_tokens_details"]["cache_creation_tokens"] = usage.written
        details["cache_creation_input_tokens"] = usage.written
    return details


def _chat(outcome: Outcome) -> dict[str, Any]:
    message = outcome.ask.answer
    if outcome.ask.key.redacted:
        message = {**message, "content": REDACTED}
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"finish_reason": reason, "index": 0, "message": message}
    return {
        "id": outcome.request_id.partition("_cache_hit")[0],
        "created": int(outcome.ended),
        "model": outcome.model.name,
        "object": "chat.completion",
        "system_fingerprint": MASKED,
        "choices": [{**choice, "provider_specific_fields": {}, "logprobs": None}],
        "usage": usage_object(outcome.usage, outcome.ask.call_type),
        "service_tier": "default",
    }


def _responses(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.request_id,
        "created_at": int(outcome.ask.at),
        "error": None,
        "incomplete_details": None,
        "instructions": outcome.ask.body.get("instructions"),
        "metadata": {},
        "model": outcome.model.name,
        "object": "response",
        **outcome.ask.answer,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "status": "completed",
        "text": {"format": {"type": "text"}},
        "usage": usage_object(outcome.usage, outcome.ask.call_type),
        "store": True,
    }


def _text_completion(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.request_id,
        "object": "text_completion",
        "created": int(outcome.ended),
        "model": outcome.model.name,
        "choices": [{"finish_reason": "stop", "index": 0, **outcome.ask.answer}],
        "usage": usage_object(outcome.usage, outcome.ask.call_type),
    }


def _embedding(outcome: Outcome) -> dict[str, Any]:
    usage = usage_object(outcome.usage, outcome.ask.call_type)
    return {"model": outcome.model.name, **outcome.ask.answer, "object": "list", "usage": usage}


def _image(outcome: Outcome) -> dict[str, Any]:
    usage = {
        "total_tokens": outcome.usage.total,
        "input_tokens": outcome.usage.prompt,
        "output_tokens": outcome.usage.completion,
    }
    return {"created": int(outcome.ended), **outcome.ask.answer, "size": None, "usage": usage}


_SHAPES = {
    "acompletion": _chat,
    "anthropic_messages": _chat,
    "aresponses": _responses,
    "atext_completion": _text_completion,
    "aembedding": _embedding,
    "aimage_generation": _image,
}

"""What a turn's request cost and where it continues, in words, for a page and for files alike."""

from tracelib import formatting
from tracelib.conversation.stored import StoredRequest
from tracelib.conversation.transcript import Turn
from tracelib.conversation.turn_rows import others_in_words

# A stream that broke off has cost what had arrived by then.
PAID = "but cost"
ROLES = {
    "system": "System",
    "developer": "Developer",
    "user": "User",
    "assistant": "Assistant",
    "tool": "Tool",
}


def figures_in_words(request: StoredRequest) -> list[str]:
    """Model, tokens, cost and times of a request, its cache and retries, its other rows."""
    model = request.model
    if request.asked_model and request.asked_model != model:
        model = f"{request.asked_model} requested, {model} served"
    cached = f" ({request.cached_prompt_tokens:,} cached)" if request.cached_prompt_tokens else ""
    is_streamed = request.ttft_ms is not None
    first = f" (first token {formatting.duration(request.ttft_ms)})" if is_streamed else ""
    words = [
        model,
        f"{request.prompt_tokens:,} → {request.completion_tokens:,} tokens{cached}",
        formatting.money(request.spend_usd),
        formatting.duration(request.latency_ms) + first,
    ]
    if request.is_cache_hit:
        words.append("from LiteLLM’s cache")
    if request.attempted_retries:
        words.append(formatting.counted(request.attempted_retries, "retry", "retries"))
    return words + others_in_words(request)


def failure_in_words(request: StoredRequest) -> str:
    """Why a request failed, and what it cost all the same."""
    reason = ", ".join(word for word in (request.error_class, request.error_code) if word)
    paid = f", {PAID} {formatting.money(request.spend_usd)}" if request.spend_usd > 0 else ""
    return (reason or "without a reason") + paid


def origin_in_words(turn: Turn, above: Turn | None) -> str | None:
    """Which request a turn continues; None where that is the one just above, or unknown."""
    if turn.parent_number is None:
        # One whose prompt is not stored starts nothing that is known.
        origin = "Starts a new thread" if turn.branches else None
    elif turn.branches:
        origin = f"Branches off request {turn.parent_number}"
    elif above is None or turn.parent_number != above.number:
        origin = f"Continues request {turn.parent_number}"
    else:
        origin = None
    if origin and turn.repeated:
        repeated = formatting.counted(turn.repeated, "message")
        origin = f"{origin}, {repeated} from above not repeated"
    return origin

"""How an answer ended, where it did not end as it should: in plain words."""

from tracelib.conversation import wording
from tracelib.conversation.fields import Fields
from tracelib.conversation.json_values import mapping, string
from tracelib.conversation.texts import shown

# Ends that need no word. All are compared in lower case.
_NORMAL = frozenset(
    {
        *("stop", "end_turn", "stop_sequence", "tool_calls", "tool_use", "tool_call", "eos"),
        *("function_call", "complete", "completed", "success", "finished", "requires_action"),
        *("finish_reason_unspecified", "eos_token", "end_of_turn", "compaction", "finish"),
    }
)
WORDS = {
    "Cut off at the token limit": (
        *("length", "max_tokens", "max_output_tokens", "max_length", "model_length"),
        *("model_context_window_exceeded", "error_limit", "budget_exceeded", "max_messages"),
    ),
    "Stopped by a content filter": (
        *("content_filter", "content_filtered", "safety", "prohibited_content", "blocklist"),
        *("spii", "recitation", "image_safety", "guardrail_intervened", "error_toxic"),
        *("sensitive", "jailbreak", "model_armor", "image_prohibited_content", "violation"),
        *("image_recitation",),
    ),
    "Refused by the model": ("refusal", "refused", "rejected"),
    wording.FAILED: (
        *("failed", "error", "malformed_function_call", "malformed_model_output"),
        *(
            "malformed_tool_use",
            "malformed_response",
            "unexpected_tool_call",
            "insufficient_system_resource",
        ),
    ),
    "Cancelled": ("cancelled", "canceled", "abort", "aborted", "user_cancel"),
    "Interrupted by the user": ("turn_detected", "client_cancelled", "interrupted", "steered"),
    "Incomplete": ("incomplete",),
    "Paused, to be resumed": ("pause_turn",),
    "Not finished when it was stored": ("queued", "in_progress", "working", "submitted", "running"),
    "Waiting for the user to sign in": ("auth_required",),
    "Waiting for the user": ("input_required",),
}
_REASONS = (
    *("finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason"),
    "completionReason",
)
_SAID = {reason: words for words, reasons in WORDS.items() for reason in reasons}


def ending(reason: object, detail: str = "") -> str | None:
    """What is said of an answer that ended for this reason? None where it ended normally.

    >>> ending("length"), ending("stop"), ending("failed", "out of memory")
    ('Cut off at the token limit (length)', None, 'Failed (failed): out of memory')
    """
    found = string(reason).strip()
    plain = found.lower().removeprefix("task_state_").replace(" ", "_").replace("-", "_")
    if not found or plain in _NORMAL:
        return (
            shown(wording.ENDED_WITH.format(detail=detail)).text if detail and not found else None
        )
    words = _SAID.get(plain, wording.ENDED_OTHERWISE)
    return shown(f"{words} ({found}): {detail}" if detail else f"{words} ({found})").text


def error_ending(error: object) -> str | None:
    """What is said of an answer that is an error? None where there is none.

    >>> error_ending({"code": "server_error", "message": "overheated"})
    'Failed (server_error): overheated'
    """
    if isinstance(error, str) and error:
        return shown(f"{wording.FAILED}: {error}").text
    fields = mapping(error)
    message = string(fields.get("message")) or string(fields.get("error_message"))
    code = fields.get("code") or fields.get("type") or fields.get("status")
    if not (message or code):
        return None
    named = f" ({code})" if isinstance(code, str | int) and not isinstance(code, bool) else ""
    words = wording.FAILED + named
    return shown(f"{words}: {message}" if message else words).text


def failed(fields: Fields) -> str | None:
    """How does this answer say that it failed? Takes from its error what says it."""
    plain, error = fields.text("error"), fields.inner("error")
    ended = error_ending(plain or error.left())
    if ended:
        error.drop("message", "error_message", "code")
    fields.put("error", Fields(error.rest()))
    return ended


def response_ending(response: Fields) -> str | None:
    """How did this response of the Responses or realtime API end? Takes the fields that say it."""
    status = response.text("status")
    details = response.inner("incomplete_details", "status_details")
    reason = details.text("reason")
    failure = failed(response) or failed(details)
    response.put("status_details", Fields(details.rest()))
    if failure:
        return failure
    if status.lower() in ("incomplete", "cancelled", "failed") and reason:
        return ending(reason)
    return ending(status)


def stopped(fields: Fields) -> str | None:
    """How did this choice, candidate or message end? Takes the fields that say it."""
    details = fields.inner("stop_details")
    detail = details.text("explanation") or fields.text("finishMessage", "finish_message")
    fields.put("stop_details", Fields(details.rest()))
    reasons = [fields.text(name) for name in _REASONS]
    told = (ending(reason, detail) for reason in reasons if reason)
    return next((one for one in told if one), None)

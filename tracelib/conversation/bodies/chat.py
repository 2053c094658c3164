"""One message of a chat, in the spelling of any API, and how a response ended."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tracelib.conversation.bodies import phrases
from tracelib.conversation.bodies.fields import Fields
from tracelib.conversation.bodies.messages import Message, Part
from tracelib.conversation.bodies.parts import parts_of
from tracelib.conversation.bodies.texts import data_part, rest_parts, shown, shown_name, text_part
from tracelib.conversation.bodies.tool_calls import chat_calls, result_parts
from tracelib.conversation.bodies.untyped import citations, grounding
from tracelib.conversation.json_values import array, mapping, objects, string

# Normal ends, which are not shown. All are compared in lower case.
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
    phrases.FAILED: (
        *("failed", "error", "malformed_function_call", "malformed_model_output"),
        *("malformed_tool_use", "malformed_response", "unexpected_tool_call"),
        "insufficient_system_resource",
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
_ENDINGS = {reason: words for words, reasons in WORDS.items() for reason in reasons}


def ending(reason: object, detail: str = "") -> str | None:
    """What is shown for a response that ended for this reason? None if it ended normally.

    >>> ending("length"), ending("stop"), ending("failed", "out of memory")
    ('Cut off at the token limit (length)', None, 'Failed (failed): out of memory')
    """
    found = string(reason).strip()
    plain = found.lower().removeprefix("task_state_").replace(" ", "_").replace("-", "_")
    if not found or plain in _NORMAL:
        has_detail_only = detail and not found
        return shown(phrases.ENDED_WITH.format(detail=detail)).text if has_detail_only else None
    words = _ENDINGS.get(plain, phrases.ENDED_OTHERWISE)
    return shown(f"{words} ({found}): {detail}" if detail else f"{words} ({found})").text


def error_ending(error: object) -> str | None:
    """What is shown for a response that is an error? None if there is no error.

    >>> error_ending({"code": "server_error", "message": "overheated"})
    'Failed (server_error): overheated'
    """
    if isinstance(error, str) and error:
        return shown(f"{phrases.FAILED}: {error}").text
    fields = mapping(error)
    message = string(fields.get("message")) or string(fields.get("error_message"))
    code = fields.get("code") or fields.get("type") or fields.get("status")
    if not (message or code):
        return None
    named = f" ({code})" if isinstance(code, str | int) and not isinstance(code, bool) else ""
    words = phrases.FAILED + named
    return shown(f"{words}: {message}" if message else words).text


def failed(fields: Fields) -> str | None:
    """How does this response describe its failure? Takes these fields out of the error."""
    plain, error = fields.text("error"), fields.inner("error")
    ended = error_ending(plain or error.left())
    if ended:
        error.drop("message", "error_message", "code")
    fields.put("error", Fields(error.rest()))
    return ended


def response_ending(response: Fields) -> str | None:
    """How did this response of the Responses or realtime API end? Takes the fields that say so."""
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
    """How did this choice, candidate or message end? Takes the fields that say so."""
    details = fields.inner("stop_details")
    detail = details.text("explanation") or fields.text("finishMessage", "finish_message")
    fields.put("stop_details", Fields(details.rest()))
    reasons = [fields.text(name) for name in _REASONS]
    endings = (ending(reason, detail) for reason in reasons if reason)
    return next((one for one in endings if one), None)


_ROLES = {"model": "assistant", "agent": "assistant", "bot": "assistant", "function": "tool"}
_RESULTS = ("web_search_results", "tool_results")
# Fields in which LiteLLM stores parts of a message a second time, in another form.
_COPIES = (
    *("web_search_calls", "server_tool_calls", "code_interpreter_results", "refusal"),
    *("context_management", "input_transformations", "thought_signatures", "stop_sequence"),
    *("server_side_tool_invocations", "stop_details", "container", "citation"),
    "reasoningContentBlocks",
)


def message(raw: Mapping[str, object]) -> Message:
    """The message in this JSON object.

    Parts come in reading order: reasoning, text, tool calls, each with its result, and citations.
    Raises nothing except RecursionError for content nested a thousand deep.
    """
    fields = Fields(raw)
    stored_role = shown_name(fields.text("role")) or "user"
    role, name = _ROLES.get(stored_role, stored_role), shown_name(fields.text("name"))
    if role == "tool":
        parts = _tool_message(fields, name)
        return Message(role, (*parts, *rest_parts(fields)), name)
    content = parts_of(fields.value("content", "parts", "message"))
    if role == "user" and content and all(map(_is_result, content)):
        role = "tool"  # Anthropic returns tool results as user messages
    refused = _refusal(fields, raw)
    outside = _outside_content(fields)
    if not fields:  # most messages hold nothing else
        return Message(role, _named((*content, *outside)), name, refused)
    extra = fields.inner("provider_specific_fields")
    thought = _not_in_text(_reasoning(fields, extra), content)
    ended = refused or stopped(fields)
    calls = _named(_with_results((*thought, *content, *outside), _hosted_results(extra)))
    cited, summed_up = _references(fields, extra), parts_of(extra.value("compaction_blocks"))
    extra.drop(*_COPIES)
    return Message(role, (*calls, *cited, *summed_up, *rest_parts(fields, extra)), name, ended)


def choice_messages(choices: object) -> tuple[Message, ...]:
    """The messages in `choices`, one per choice; the response of a text completion too."""
    responses = [_choice(entry) for entry in array(choices)]
    if len(responses) < 2:
        return tuple(responses)
    return tuple(replace(one, choice=number) for number, one in enumerate(responses, start=1))


def response_message(raw: Mapping[str, object]) -> Message:
    """The message of a response; its role is the assistant's if none is stored."""
    return message({**raw, "role": raw.get("role") or "assistant"})


def _is_result(part: Part) -> bool:
    return part.kind == "tool_result" or (part.call_id is not None and part.kind != "tool_call")


def _choice(choice: object) -> Message:
    if not isinstance(choice, dict):
        return Message("assistant", (data_part(choice),))
    fields = Fields(choice)
    raw = fields.value("message", "delta")
    if isinstance(raw, dict):
        response = response_message(raw)
    elif raw is not None:
        response = Message("assistant", (data_part(raw),))
    else:
        response = Message("assistant", parts_of(fields.value("text")))
    kept = (mapping(one).get("provider_specific_fields") for one in (choice, raw))
    own_words = (stopped(Fields(mapping(one))) for one in kept)
    failure, reason = failed(fields), stopped(fields)
    ended = failure or reason or response.ending or next(filter(None, own_words), None)
    return replace(response, parts=(*response.parts, *rest_parts(fields)), ending=ended)


def _tool_message(fields: Fields, name: str | None) -> tuple[Part, ...]:
    call_id = fields.value("tool_call_id", "call_id")
    content = fields.value("content", "parts")
    read = parts_of(content)
    if call_id is None and any(part.kind == "tool_result" for part in read):
        return read
    is_error = fields.peek("is_error") is True or fields.peek("status") == "error"
    return result_parts(content, call_id, name, read=parts_of, is_error=is_error)


def _reasoning(fields: Fields, extra: Fields) -> tuple[Part, ...]:
    """The reasoning. It is stored up to three times and shown once."""
    blocks = [
        part
        for found in (fields.array("thinking_blocks"), extra.array("thinking_blocks"))
        for part in parts_of(found)
    ]
    texts = [fields.text(name) for name in ("reasoning_content", "reasoning", "thinking")]
    texts += [extra.text("reasoning_content"), fields.text("tool_plan")]
    plain = tuple(text_part(text, "reasoning") for text in texts if text)
    worded = tuple(
        part for part in blocks if part.text not in (phrases.ENCRYPTED, phrases.EMPTY_THOUGHT)
    )
    for more in (plain, parts_of(fields.array("reasoning_details"))):
        worded = (*worded, *_not_in_text(more, worded))
    encrypted = (part for part in blocks if part.text == phrases.ENCRYPTED)
    return tuple(dict.fromkeys((*worded, *encrypted))) or tuple(dict.fromkeys(blocks))


def _not_in_text(parts: Sequence[Part], content: Sequence[Part]) -> tuple[Part, ...]:
    """The reasoning parts that the text does not contain, each once."""
    known = "".join(part.text for part in content if part.kind == "reasoning")
    text = "".join(known.split())
    new = []
    for part in parts:
        bare = "".join(part.text.split())
        if bare not in text:
            new.append(part)
            text += bare
    return tuple(new)


def _outside_content(fields: Fields) -> tuple[Part, ...]:
    refused = parts_of(fields.text("refusal"))
    sound = fields.inner("audio")
    audio = parts_of({"type": "audio", **sound.left()}) if sound else ()
    pictures = tuple(part for one in fields.array("images") for part in _image(one))
    older = fields.inner("function_call").left()
    calls = [*fields.array("tool_calls"), *([older] if older else [])]
    return (*refused, *audio, *pictures, *chat_calls(calls))


def _image(image: object) -> tuple[Part, ...]:
    """An image; Ollama sends it as base64 without a header."""
    return parts_of({"type": "image", "data": image} if isinstance(image, str) else image)


def _hosted_results(extra: Fields) -> tuple[Part, ...]:
    """The results of hosted tools, if LiteLLM stores them next to the message."""
    return tuple(part for name in _RESULTS for part in parts_of(extra.value(name)))


def _with_results(parts: Sequence[Part], results: Sequence[Part]) -> tuple[Part, ...]:
    """The parts, each call followed by its results; results without a call come last."""
    by_call: dict[str | None, list[Part]] = {}
    for result in results:
        by_call.setdefault(result.call_id, []).append(result)
    placed = list[Part]()
    for part in parts:
        is_call = part.kind == "tool_call" and part.call_id
        placed += [part, *(by_call.pop(part.call_id, ()) if is_call else ())]
    return (*placed, *(one for one in results if one.call_id in by_call))


def _named(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts, each result with the name of the tool that the same message called."""
    names = {part.call_id: part.name for part in parts if part.kind == "tool_call"}
    if not names:
        return tuple(parts)
    return tuple(
        replace(part, name=names.get(part.call_id))
        if part.kind == "tool_result" and part.call_id and not part.name
        else part
        for part in parts
    )


def _references(fields: Fields, extra: Fields) -> tuple[Part, ...]:
    """The citations of the response, each once."""
    found = [*fields.entries("annotations"), *fields.entries("citations")]
    found += [*extra.entries("citations"), *extra.entries("annotations")]
    for entry in extra.objects("citationsContent"):
        found += entry.array("citations")
    looked_up = fields.objects("grounding_metadata", "groundingMetadata")
    cited = [*citations(found), *(part for one in looked_up for part in grounding(one))]
    return tuple(dict.fromkeys(cited))


def _refusal(fields: Fields, raw: Mapping[str, object]) -> str | None:
    texts = [fields.peek("refusal"), *(one.get("refusal") for one in objects(raw.get("content")))]
    return ending("refusal") if any(string(one) for one in texts) else None

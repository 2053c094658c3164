"""Notes on a turn: which data is missing, and which setting would store it."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tracelib.conversation.bodies.messages import Message
from tracelib.conversation.bodies.request_messages import POLL, RequestMessages
from tracelib.conversation.requests import StoredRequest, is_under_way
from tracelib.spendlogs.facts import DISCONNECTED as CLIENT_GONE

NOT_STORED = (
    "Neither prompt nor response is stored. To store them from now on, set "
    "store_prompts_in_spend_logs: true under general_settings in LiteLLM’s configuration."
)
WITHHELD = (
    "Messages cannot be shown: the database role may not read all of the columns messages, "
    "response and proxy_server_request."
)
REFUSED = (
    "The prompt is not stored: LiteLLM stores no prompt of requests it rejects before reading "
    "them, and none at all unless store_prompts_in_spend_logs: true is set under general_settings."
)
NO_PROMPT = (
    "The prompt of this request is not stored, only its response. LiteLLM stores no prompt of its "
    "own health checks, for example."
)
NO_RESPONSE = "The request succeeded, but LiteLLM stored no response."
UNREADABLE = (
    "This request is stored in an unknown format. It is not shown because it may contain keys and "
    "addresses; LiteLLM’s own log page shows it."
)
TRUNCATED = (
    "LiteLLM truncated long texts here before storing them. To keep more, set "
    "MAX_STRING_LENGTH_PROMPT_IN_DB in LiteLLM’s environment (default 2048 characters)."
)
REDACTED = (
    "LiteLLM redacted the messages here. To store them, set turn_off_message_logging: false "
    "under litellm_settings, and have clients send no x-litellm-enable-message-redaction header."
)
NOT_COMPARED = (
    "The conversation before this page is too long to read at once: requests that continue earlier "
    "ones show only what followed the last response. Each refresh reads further, as far as memory "
    "allows."
)
TOO_MANY = "Only the first 20,000 requests of a conversation are shown; this one may have more."
_WITHOUT_PROMPT = ("list_", "retrieve")  # in call types without a prompt

BROKEN_OFF = "The request failed during its response; the part that arrived is shown."
HUNG_UP = (
    "The client disconnected before the response was complete. The part that arrived is shown, as "
    "far as it is stored, and was billed. LiteLLM counts the request as a success."
)
NOT_FETCHED = (
    "The response was still being generated in the background, and no logged request has fetched "
    "it."
)
ELSEWHERE = (
    "Continues a response that is not in this session. To see the earlier messages, as far as they "
    "are still in the log, read the chain as one conversation."
)


def _polled(prompt: RequestMessages) -> str | None:
    if prompt.kind != POLL:
        return None
    named = f" {prompt.polled_id}" if prompt.polled_id else ""
    return f"No prompt: this fetches the response{named} of an earlier request."


def _stored_elsewhere(prompt: RequestMessages) -> str | None:
    if not prompt.conversation_id:
        return None
    return (
        f"Part of the conversation {prompt.conversation_id}, which the provider stores: a request "
        "sends only its new messages."
    )


def notes_on(
    request: StoredRequest,
    prompt: RequestMessages,
    shown: Iterable[Message],
    responses: Sequence[Message],
    *,
    continues_elsewhere: bool,
) -> tuple[str, ...]:
    """Which notes does this turn need? Sentences; none if its data is complete."""
    parts = [part for message in (*shown, *responses) for part in message.parts]
    found = [
        _missing(request, prompt, responses),
        _polled(prompt),
        _stored_elsewhere(prompt),
        BROKEN_OFF if request.is_failure and responses else None,
        HUNG_UP if is_hang_up(request) else None,
        REDACTED if any(part.is_redacted for part in parts) else None,
        TRUNCATED if any(part.truncated_chars for part in parts) else None,
        ELSEWHERE if continues_elsewhere else None,
    ]
    return tuple(note for note in found if note)


def is_hang_up(request: StoredRequest) -> bool:
    """Is this a success whose client disconnected before the response was complete?"""
    return request.error_class == CLIENT_GONE and not request.is_failure


def _missing(
    request: StoredRequest, prompt: RequestMessages, responses: Sequence[Message]
) -> str | None:
    is_poll = prompt.kind == POLL
    if is_poll or any(word in (request.call_type or "") for word in _WITHOUT_PROMPT):
        return None
    if prompt.is_unreadable:
        return UNREADABLE
    if request.is_withheld and not (prompt.messages and responses):
        return WITHHELD
    if all(map(is_under_way, request.rows)) and not any(one.parts for one in responses):
        return NOT_FETCHED
    if prompt.messages:
        return None if responses or request.is_failure else NO_RESPONSE
    if request.cold_storage_key and not responses:
        return (
            f"Prompt and response are in object storage, under {request.cold_storage_key}, which "
            "this page does not read. To store them in the database too, remove "
            "cold_storage_custom_logger from LiteLLM’s litellm_settings."
        )
    if responses:
        return NO_PROMPT
    return REFUSED if request.is_failure else NOT_STORED


def shared_notes(turns: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Which notes hold for every turn of a session with several turns?

    They are shown once, on top.
    """
    if len(turns) < 2:
        return ()
    counts = Counter(note for notes in turns for note in dict.fromkeys(notes))
    return tuple(note for note in dict.fromkeys(turns[0]) if counts[note] == len(turns))

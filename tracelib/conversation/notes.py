"""What a reader must know about a turn: what is missing from it, and how to change that."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tracelib.conversation.asked import POLL, Asked
from tracelib.conversation.messages import Message
from tracelib.conversation.stored import StoredRequest
from tracelib.conversation.turn_rows import is_under_way
from tracelib.spendlogs.facts import HUNG_UP as CLIENT_GONE

NOT_STORED = (
    "Neither prompt nor answer is stored. To keep them from now on, set "
    "store_prompts_in_spend_logs: true under general_settings in LiteLLM's configuration."
)
WITHHELD = (
    "What was said is not read here: the database role is not granted all of the columns messages, "
    "response and proxy_server_request."
)
REFUSED = (
    "The prompt is not stored: LiteLLM keeps none of a request it refuses before reading it, "
    "and none at all unless store_prompts_in_spend_logs: true is set under general_settings."
)
NO_PROMPT = (
    "The prompt of this request is not stored, only its answer. LiteLLM keeps no prompt of its "
    "own health checks, for instance."
)
NO_ANSWER = "The request succeeded, but LiteLLM stored no answer to it."
UNREADABLE = (
    "What is stored of this request is in no known shape, and is not shown because it may hold "
    "keys and addresses. LiteLLM's own log page shows it."
)
TRUNCATED = (
    "LiteLLM cut long texts here before storing them. To keep more, set "
    "MAX_STRING_LENGTH_PROMPT_IN_DB in LiteLLM's environment (default 2048 characters)."
)
REDACTED = (
    "LiteLLM redacted what was said here. To store it, set turn_off_message_logging: false "
    "under litellm_settings, and have clients send no x-litellm-enable-message-redaction header."
)
NOT_COMPARED = (
    "Too much was said before this page to be read at once: of a request that goes on from "
    "earlier ones, only what followed the last answer is shown. Each refresh reads on, as far as "
    "memory allows."
)
TOO_MANY = "Of a conversation, the first 20,000 requests are shown: this one may have more."
_ASK_NOTHING = ("list_", "retrieve")  # in call types without a prompt

BROKEN_OFF = "The request failed after its answer had begun: what had arrived is shown."
HUNG_UP = (
    "The client hung up before the answer was complete: what had arrived is shown, as far as it is "
    "stored, and was paid for. LiteLLM counts the request as a success."
)
NOT_FETCHED = (
    "The answer was still being made in the background, and nothing that is logged here has "
    "fetched it."
)
ELSEWHERE = (
    "This goes on from a response that is not in this session. What was said before is shown where "
    "the chain is read as one conversation, as far as the log still has it."
)


def _polled(asked: Asked) -> str | None:
    if asked.kind != POLL:
        return None
    named = f" {asked.polled_id}" if asked.polled_id else ""
    return f"This asks nothing: it fetches the answer to an earlier request, the response{named}."


def _kept_elsewhere(asked: Asked) -> str | None:
    if not asked.conversation_id:
        return None
    return (
        f"This is part of the conversation {asked.conversation_id}, which the provider keeps: a "
        "request sends only what is new in it."
    )


def notes_on(
    request: StoredRequest,
    asked: Asked,
    shown: Iterable[Message],
    answered: Sequence[Message],
    *,
    goes_on_elsewhere: bool,
) -> tuple[str, ...]:
    """What must be known to read this turn rightly? Sentences, none where all is there."""
    parts = [part for message in (*shown, *answered) for part in message.parts]
    found = [
        _missing(request, asked, answered),
        _polled(asked),
        _kept_elsewhere(asked),
        BROKEN_OFF if request.is_failure and answered else None,
        HUNG_UP if is_hang_up(request) else None,
        REDACTED if any(part.is_redacted for part in parts) else None,
        TRUNCATED if any(part.truncated_chars for part in parts) else None,
        ELSEWHERE if goes_on_elsewhere else None,
    ]
    return tuple(note for note in found if note)


def is_hang_up(request: StoredRequest) -> bool:
    """Is this a success whose client was gone before the answer was complete?"""
    return request.error_class == CLIENT_GONE and not request.is_failure


def _missing(request: StoredRequest, asked: Asked, answered: Sequence[Message]) -> str | None:
    is_poll = asked.kind == POLL
    if is_poll or any(word in (request.call_type or "") for word in _ASK_NOTHING):
        return None
    if asked.is_unreadable:
        return UNREADABLE
    if request.is_withheld and not (asked.messages and answered):
        return WITHHELD
    if all(map(is_under_way, request.rows)) and not any(one.parts for one in answered):
        return NOT_FETCHED
    if asked.messages:
        return None if answered or request.is_failure else NO_ANSWER
    if request.cold_storage_key and not answered:
        return (
            f"Prompt and answer are in object storage, under {request.cold_storage_key}, which "
            "this page does not read. To keep them in the database too, take "
            "cold_storage_custom_logger out of LiteLLM's litellm_settings."
        )
    if answered:
        return NO_PROMPT
    return REFUSED if request.is_failure else NOT_STORED


def shared_notes(turns: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Which notes hold for every turn of a session of several? They are said once, above it."""
    if len(turns) < 2:
        return ()
    counts = Counter(note for notes in turns for note in dict.fromkeys(notes))
    return tuple(note for note in dict.fromkeys(turns[0]) if counts[note] == len(turns))

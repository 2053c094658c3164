"""The classes of wasted money, each declared once: what it means, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass

from tracelib.spendlogs.wasted import (
    BILLED_RETRIES,
    CACHEABLE,
    CUT_OFFS,
    HANG_UPS,
    INTERNAL_CALLS,
    LOOPS,
    PAID_FAILURES,
    REGENERATIONS,
)


@dataclass(frozen=True, slots=True)
class Declared:
    """A class of waste: `definition` says which requests it has, `remedy` what to do about them."""

    title: str
    definition: str
    remedy: str


# In this order: a request with a cost is in the first class that fits, and in no other.
DECLARED: Mapping[str, Declared] = {
    HANG_UPS: Declared(
        "Disconnected clients",
        "Requests whose client disconnected before the response was complete.",
        "Compare the client’s time limit with the response time of the model. Stream long "
        "responses, or ask for shorter ones.",
    ),
    PAID_FAILURES: Declared(
        "Failures with a cost",
        "Other requests that failed and have a cost: mostly streams that were interrupted.",
        "Look at the errors on Status. Retry on another deployment, and set a time limit for "
        "streams (stream_timeout).",
    ),
    INTERNAL_CALLS: Declared(
        "LiteLLM’s own calls",
        "Health checks, and other calls that LiteLLM makes itself (internal_call_origin), such as "
        "those of its router.",
        "Check less often (health_check_interval), and with a cheap model or a small max_tokens "
        "(health_check_model, health_check_max_tokens).",
    ),
    BILLED_RETRIES: Declared(
        "Billed retries",
        "Attempts that were billed and then repeated (billed_retry_attempt).",
        "Lower num_retries for errors that retries do not mend, and use a fallback instead.",
    ),
    CUT_OFFS: Declared(
        "Cut off",
        "Responses that end at the maximum of tokens (finish reason length), of at least 64 "
        "tokens. Needs stored responses.",
        "Raise max_tokens, or ask for shorter responses: a response that is cut off is often sent "
        "for again.",
    ),
    LOOPS: Declared(
        "Loops",
        "Requests of a session whose tool calls, with the same arguments, are those of the last "
        "one to four requests for the third time or more. Needs stored responses.",
        "Let the agent stop after a number of turns, or after the same call twice. A budget for "
        "the key (max_budget) limits the damage.",
    ),
    REGENERATIONS: Declared(
        "Regenerations",
        "The same request again in the same session, within ten minutes of a success. Needs stored "
        "prompts.",
        "Ask people why the first response did not do. Send retries of a program only after "
        "failures.",
    ),
    CACHEABLE: Declared(
        "A cache could have served",
        "The same request of the same key on the same UTC day, after a success. Needs stored "
        "prompts.",
        "Switch LiteLLM’s cache on for the key’s requests, for the time that is shown. Responses "
        "are the same then, whatever the temperature.",
    ),
}

"""The classes of wasted money, each declared once: what it means, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass

from tracelib.spendlogs.wasted import BILLED_RETRIES, HANG_UPS, INTERNAL_CALLS, PAID_FAILURES


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
}

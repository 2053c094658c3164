"""The checks of the log, each declared once: what it means, what it does, and what mends it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tracelib.quality.by_index import FUTURE, NO_IDS, SHARED
from tracelib.quality.counting import NO_FIRST_TOKEN, SINGLE, UNRESOLVED, requests_in
from tracelib.quality.findings import Finding, Findings
from tracelib.quality.sampling import AS_TEXT, DUPLICATED, FIELDS, NO_PROMPT, STREAMS


@dataclass(frozen=True, slots=True)
class Declared:
    """A check: `definition` says which requests it finds, `of` which ones were read for it.

    `effect` is what that does to which figure, `remedy` the setting or action that mends it.
    """

    title: str
    definition: str
    effect: str
    remedy: str
    of: str = "requests"


READ = "newest"
CLOCKS = "Synchronize the clocks of the machines that run LiteLLM, for example by NTP."
# What matters most comes first: wrong money, then lost or repeated requests, then gaps.
CHECKS: Mapping[str, Declared] = {
    "impossible_amounts": Declared(
        "Impossible amounts",
        "Spend that is NaN, infinite or beyond $10¹⁵, or spend or tokens below 0.",
        "Cost leaves out what is no amount, and is lowered by what is negative.",
        "Look for a negative price among custom prices (input_cost_per_token, "
        "output_cost_per_token), and for other programs that write to the log.",
    ),
    "unpriced": Declared(
        "Tokens without cost",
        "Successes with tokens and a spend of 0. Cache hits, and requests that only fetch a "
        "background response, are not meant.",
        "Cost is lower than what the provider bills, and LiteLLM’s budgets do not count these "
        "requests either.",
        "Set input_cost_per_token and output_cost_per_token in the model’s model_info, or "
        "base_model for Azure. A model that costs nothing needs no price.",
    ),
    NO_IDS: Declared(
        "Request ID is None",
        "Requests whose ID is empty, None, null or undefined.",
        "The log has one row per ID: more requests with that ID are missing from all figures, "
        "while LiteLLM’s totals count them.",
        "Upgrade LiteLLM: older versions logged responses without an ID so.",
    ),
    DUPLICATED: Declared(
        "Repeated IDs",
        "Requests whose ID, or call ID, an earlier one has. Rows that LiteLLM adds for the cost of "
        "a batch, of a background response or of an attempt are not meant.",
        "One call counts as several requests, and its tokens and cost may count twice.",
        "Clients that send x-litellm-call-id need a new one for each request. Else upgrade "
        "LiteLLM: some versions log a call for each API that it passes through.",
        READ,
    ),
    FUTURE: Declared(
        "Starts in the future",
        "Requests that start more than a minute from now, in the range or after it.",
        "They are missing from ranges up to now until their time comes, and the log seems fresher "
        "than it is.",
        CLOCKS,
    ),
    "ends_before_start": Declared(
        "Ends before it starts",
        "Requests whose end is before their start.",
        "Response time is unknown without LiteLLM’s own measurement, and is missing from averages. "
        "Durations of sessions are wrong.",
        CLOCKS,
    ),
    NO_PROMPT: Declared(
        "No stored prompt",
        "Requests without a stored prompt.",
        "What was sent cannot be shown, searched or exported. Figures do not need it.",
        "Set store_prompts_in_spend_logs: true in general_settings, for new requests. Those that "
        "are refused early, or whose prompts are in object storage, stay without.",
        READ,
    ),
    SINGLE: Declared(
        "Sessions of one request",
        "Requests that are the only one of their session, in the last seven days of the range. "
        "LiteLLM makes up a session ID for each request that has none.",
        "Unique sessions counts each of them: sessions are too many, too short and too cheap.",
        "Let clients send an ID per conversation: the header x-litellm-session-id, or "
        "litellm_session_id in the body. With missing_session_id: reject in general_settings "
        "LiteLLM demands it.",
        READ,
    ),
    SHARED: Declared(
        "Session ID is None",
        "Requests whose client sent None, null or undefined as session ID.",
        "Unrelated requests of a key are one session.",
        "Correct the client: it sends its own word for no value.",
    ),
    UNRESOLVED: Declared(
        "Keys without a name",
        "Requests with a key that has no name, neither in LiteLLM’s tables nor in the request that "
        "names are taken from.",
        "Their cost is shown under the beginning of a hash, so there is no one to talk to.",
        "Give each key a key_alias. Keys that LiteLLM does not know, and refused, have none.",
    ),
    STREAMS: Declared(
        "Streams without first token",
        "Streamed responses for which the time to the first token is unknown.",
        "Time to first token leaves out responses that it should cover.",
        "Upgrade LiteLLM: older versions log the end instead for some streams.",
        READ,
    ),
    NO_FIRST_TOKEN: Declared(
        "No time to first token",
        "Responses with completion tokens for which the time to the first token is unknown.",
        "Time to first token covers only the other responses.",
        "Nothing to mend where clients do not stream: without streaming there is no first token.",
        "responses",
    ),
    AS_TEXT: Declared(
        "Documents stored as text",
        "Requests with a JSON column that holds a text with JSON in it, instead of an object.",
        "They are read here all the same. LiteLLM’s own pages, and SQL of others, find nothing in "
        "them.",
        "Upgrade LiteLLM, or correct the program that copies or restores rows of the log.",
        READ,
    ),
    "unknown_call_types": Declared(
        "Unknown call types",
        "Requests of a call type that this version was not made for.",
        "Figures are complete. Messages may be shown as plain data, or not at all.",
        "Upgrade this dashboard.",
    ),
    FIELDS: Declared(
        "Unknown fields of requests",
        "Requests with a field at the top of their body that this version does not know.",
        "Figures are complete. The field is not shown next to the messages.",
        "Upgrade this dashboard. Fields that only the client understands need nothing.",
        READ,
    ),
}
OF_INDEX = (NO_IDS, SHARED, FUTURE)


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found: `rows` of the `of` requests read, the first of which is `since`.

    `rows` and `of` are None if it is unknown; `without` then says why, and is empty otherwise.
    """

    name: str
    rows: int | None
    of: int | None
    since: datetime | None
    without: str = ""

    @property
    def declared(self) -> Declared:
        """What the check means."""
        return CHECKS[self.name]

    @property
    def share(self) -> float | None:
        """Which share of the requests read has the defect? None of none."""
        return self.rows / self.of if self.rows is not None and self.of else None


def checks(
    counts: Findings, others: Iterable[Findings], unreadable: Iterable[tuple[str, str]]
) -> tuple[Check, ...]:
    """What did each check find, in the order of `CHECKS`?

    `counts` are those of the same name, `others` of `odd` and `sampled`, if there are any.
    """
    requests = requests_in(counts)
    found = {one.name: one for part in (counts, *others) for one in part}
    missing: dict[str, list[str]] = {}
    for name, column in unreadable:
        missing.setdefault(name, []).append(column)
    return tuple(_check(name, found.get(name), missing.get(name, ()), requests) for name in CHECKS)


def _check(name: str, found: Finding | None, missing: Iterable[str], requests: int) -> Check:
    if columns := ", ".join(missing):
        return Check(name, None, None, None, f"Needs {columns}, which cannot be read.")
    if found is None:
        return Check(name, None, None, None, "Not known.")
    of = found.of + requests if name in OF_INDEX else found.of
    return Check(name, found.rows, of, found.since)


def worst(found: Iterable[Check]) -> Check | None:
    """Which of these matters most? The first in the order of `CHECKS` that has any rows."""
    return next((one for one in found if one.rows), None)

"""The search for sessions: one frozen value, as in the URL."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from tracelib.choice import LONGEST_VALUE
from tracelib.selection import LONGEST_ID
from tracelib.spendlogs.conditions import UNSTORABLE, can_be_stored

YES = "yes"
# A Responses ID is base64 of a route and the provider's ID: several hundred characters.
STATUSES = ("any", "with failures", "without failures")
SORTS = ("recent", "cost", "length", "errors", "duration", "tokens")
# A field of the search -> its name in the URL.
TEXTS = {
    "text": "q",
    "id": "id",
    "said": "said",
    "tool": "tool",
    "error_class": "error",
    "tag": "tag",
    "end_user": "end_user",
    "agent": "agent",
    "call_type": "call_type",
}
FLAGS = {"many_requests_only": "many", "has_tool_calls": "calls", "used_fallback": "fallback"}
CHOICES = {"status": STATUSES, "sort": SORTS}
METADATA = "meta"
# Conditions on JSON documents, which are read one by one rather than grouped.
IN_DOCUMENTS = (
    *("said", "tool", "error_class", "metadata_key"),
    *("has_tool_calls", "used_fallback"),
)
# Those that read prompts and responses.
IN_MESSAGES = ("said", "tool", "has_tool_calls")


class Bounds(NamedTuple):
    """A minimum and a maximum of a figure, both inclusive: two fields and two URL parameters."""

    figure: str
    fields: tuple[str, str]
    parameters: tuple[str, str]
    number: Callable[[str], float]
    smallest: float
    # Larger values are not meant, and need no query.
    greatest: float


def _bounds(
    figure: str, number: Callable[[str], float], smallest: float, greatest: float
) -> Bounds:
    named = (f"min_{figure}", f"max_{figure}")
    parameters = ("min_cost", "max_cost") if figure == "cost_usd" else named
    return Bounds(figure, named, parameters, number, smallest, greatest)


BOUNDS = (
    _bounds("cost_usd", float, -1e15, 1e15),
    _bounds("requests", int, 0, 10**15),
    _bounds("error_share", float, 0, 1),
    _bounds("duration_s", float, 0, 1e12),
    _bounds("tokens", int, 0, 10**15),
    _bounds("models", int, 0, 10**6),
)
PARAMETERS = (
    *TEXTS.values(),
    METADATA,
    *FLAGS.values(),
    *CHOICES,
    *(name for one in BOUNDS for name in one.parameters),
)


@dataclass(frozen=True, slots=True)
class SessionSearch:
    """Which sessions are searched for, and in which order? A session must meet every condition.

    For each of these, one request that meets it is enough:

        text        part of a name or ID: key, team, user, model, deployment, end user, agent
        said        part of a prompt or a response, whatever its case
        tool        a tool that was called, by its whole name
        error_class            the class of a failure, whole, whatever its case
        metadata_key, metadata_value      metadata of LiteLLM or the client; no value: any
        tag, end_user, agent   whole
        call_type   which API was called, as LiteLLM names it: aresponses; whole
        has_tool_calls, used_fallback

    The ranges are of the whole session, inclusive: US dollars, counts, billed tokens, seconds from
    the first start to the last end, failures as a share of 0 to 1.

    `id` is a session ID, a request ID or a call ID, whole; if it is given, nothing else narrows the
    search, neither the time range nor a filter.
    """

    text: str = ""
    id: str = ""
    said: str = ""
    tool: str = ""
    error_class: str = ""
    metadata_key: str = ""
    metadata_value: str = ""
    tag: str = ""
    end_user: str = ""
    agent: str = ""
    call_type: str = ""
    min_cost_usd: float | None = None
    max_cost_usd: float | None = None
    min_requests: int | None = None
    max_requests: int | None = None
    min_error_share: float | None = None
    max_error_share: float | None = None
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None
    min_models: int | None = None
    max_models: int | None = None
    status: str = "any"
    many_requests_only: bool = False
    has_tool_calls: bool = False
    used_fallback: bool = False
    sort: str = "recent"

    def __post_init__(self) -> None:
        for name in (*TEXTS, "metadata_key", "metadata_value"):
            object.__setattr__(self, name, UNSTORABLE.sub("", getattr(self, name)).strip())
        # As the URL would be parsed again: the first equals sign ends the key.
        key, value = _key_and_value(f"{self.metadata_key}={self.metadata_value}")
        object.__setattr__(self, "metadata_key", key)
        object.__setattr__(self, "metadata_value", value if key else "")

    @property
    def is_of_failures(self) -> bool:
        """Does the search require failures?"""
        return self.status == "with failures" or bool(self.error_class)

    @property
    def in_documents(self) -> tuple[str, ...]:
        """Which of its conditions are on JSON documents, which only `scan` reads?"""
        names = tuple(name for name in IN_DOCUMENTS if getattr(self, name))
        return () if self.id else names

    @property
    def reads_messages(self) -> bool:
        """Does it search in messages? Then its result says what is in them."""
        return any(name in IN_MESSAGES for name in self.in_documents)

    @property
    def needs_scan(self) -> bool:
        """Is `scan` needed for this search, instead of the list?"""
        return bool(self.in_documents)

    @property
    def is_plain(self) -> bool:
        """Does every session match, whatever the order?"""
        return replace(self, sort=SORTS[0]) == SessionSearch()

    def to_query(self) -> dict[str, list[str]]:
        """The search as URL parameters. Defaults are left out."""
        params: dict[str, str] = {url: getattr(self, name) for name, url in TEXTS.items()}
        params |= {url: YES if getattr(self, name) else "" for name, url in FLAGS.items()}
        for name, allowed in CHOICES.items():
            params[name] = getattr(self, name) if getattr(self, name) != allowed[0] else ""
        for one in BOUNDS:
            ends = zip(one.parameters, one.fields, strict=True)
            params |= {url: _written(getattr(self, name)) for url, name in ends}
        if self.metadata_key:
            params[METADATA] = f"{self.metadata_key}={self.metadata_value}"
        return {name: [value] for name, value in params.items() if value}


def read_search(query: Mapping[str, Iterable[str]]) -> tuple[SessionSearch, tuple[str, ...]]:
    """Which search does this URL hold, and which of its parts are not valid?

    The second value holds a sentence for each part that was ignored.

    >>> search, complaints = read_search({"q": ["billing"], "min_cost": ["0.5"], "max_cost": []})
    >>> search == SessionSearch(text="billing", min_cost_usd=0.5), complaints
    (True, ())
    >>> read_search({"min_cost": ["much"]})[1]
    ('Ignored min_cost “much” in the link: not a valid number.',)
    """
    params = {name: next(iter(values), "") for name, values in query.items()}
    complaints: list[str] = []
    read: dict[str, Any] = {name: _text(params, url, complaints) for name, url in TEXTS.items()}
    read |= {
        name: _one_of(params, url, ("", YES), complaints) == YES for name, url in FLAGS.items()
    }
    read |= {name: _one_of(params, name, allowed, complaints) for name, allowed in CHOICES.items()}
    for one in BOUNDS:
        read |= _ends(params, one, complaints)
    read |= _metadata(params, complaints)
    return SessionSearch(**read), tuple(complaints)


def _ends(params: Mapping[str, str], one: Bounds, complaints: list[str]) -> dict[str, float | None]:
    least, most = (_number(params, name, one, complaints) for name in one.parameters)
    if least is not None and most is not None and least > most:
        low, high = one.parameters
        complaints.append(f"Ignored {low} and {high} in the link: {low} is greater than {high}.")
        least = most = None
    return dict(zip(one.fields, (least, most), strict=True))


def _number(
    params: Mapping[str, str], name: str, one: Bounds, complaints: list[str]
) -> float | None:
    text = params.get(name, "").strip()
    if not text:
        return None
    try:
        value = one.number(text)
    except ValueError:
        value = math.nan
    if one.smallest <= value <= one.greatest:
        return value
    complaints.append(f"Ignored {name} “{text[:40]}” in the link: not a valid number.")
    return None


def _metadata(params: Mapping[str, str], complaints: list[str]) -> dict[str, str]:
    text = _text(params, METADATA, complaints)
    key, value = _key_and_value(text)
    if key:
        return {"metadata_key": key, "metadata_value": value}
    if text:
        complaints.append(f"Ignored {METADATA} in the link: the metadata key is missing.")
    return {}


def _key_and_value(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key.strip(), value.strip()


def _text(params: Mapping[str, str], name: str, complaints: list[str]) -> str:
    text = params.get(name, "").strip()
    longest = {"id": LONGEST_ID, METADATA: 2 * LONGEST_VALUE + 1}.get(name, LONGEST_VALUE)
    if not text or (len(text) <= longest and can_be_stored(text)):
        return text
    complaints.append(f"Ignored {name} in the link: too long or unreadable.")
    return ""


def _one_of(
    params: Mapping[str, str], name: str, allowed: tuple[str, ...], complaints: list[str]
) -> str:
    """The value of a parameter; the first of the allowed values is the default."""
    value = params.get(name, "") or allowed[0]
    if value in allowed:
        return value
    complaints.append(f"Ignored {name} “{value[:40]}” in the link: unknown value.")
    return allowed[0]


def _written(number: float | None) -> str:
    return "" if number is None else repr(number)

"""Requests as LiteLLM stored them, and which rows of the log are one turn of a conversation.

Usually each row is one turn. But LiteLLM writes several rows for some calls: one more each time a
client checks for a background response, one for the cost of that response, and two if one API is
served through another.
"""

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Protocol, TypeVar

from tracelib import formatting
from tracelib.conversation.json_values import mapping, stored_json
from tracelib.selection import RowId
from tracelib.spendlogs.conditions import can_be_stored


class Stored(Protocol):
    """What readers of messages need of a stored request: its API, and its bodies."""

    @property
    def call_type(self) -> str | None: ...
    @property
    def request_body(self) -> object: ...
    @property
    def messages_body(self) -> object: ...
    @property
    def response_body(self) -> object: ...


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """One row of the log: its facts, and its three bodies as they were stored.

    Times are aware UTC, `spend_usd` is US dollars, absent is None. A body is the value of the JSON
    column: object, array, text (JSON or not), number or None.
    """

    request_id: str
    call_type: str | None
    started_at: datetime
    ended_at: datetime
    model: str
    deployment: str | None
    provider: str | None
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_prompt_tokens: int | None  # read from the provider cache
    spend_usd: float | None  # None if no possible amount is stored
    latency_ms: float | None
    ttft_ms: float | None
    is_cache_hit: bool
    is_failure: bool
    error_class: str | None
    error_code: str | None
    error_message: str | None
    asked_model: str | None  # the requested model, if a fallback responded
    attempted_retries: int | None
    attempted_fallbacks: int | None
    cold_storage_key: str | None
    request_body: object  # proxy_server_request
    response_body: object  # response
    messages_body: object  # messages
    is_withheld: bool = False  # whether there are bodies that may not be read
    call_id: str | None = None
    background_id: str | None = None  # the background response that it only fetches or bills
    rest: tuple["StoredRequest", ...] = ()  # the other rows of its turn, by start

    @property
    def row(self) -> RowId:
        """Which row of the log this is."""
        return RowId(self.request_id, self.started_at)

    @property
    def rows(self) -> tuple["StoredRequest", ...]:
        """All rows of its turn, this one first."""
        return (self, *self.rest)

    @property
    def row_ids(self) -> tuple[RowId, ...]:
        """Which rows of the log its turn consists of, this one first."""
        return tuple(one.row for one in self.rows)


_PREFIX = "resp_"
_ROUTED = re.compile(rb"litellm:.*;response_id:(.+)", re.DOTALL)
_CACHE_HIT = "_cache_hit"  # followed by the time, in the row of a response from the cache


def spellings(response_id: str) -> frozenset[str]:
    """Under which IDs may this response be stored or named?

    Its own, without the suffix of a cache hit, and the provider's if LiteLLM has wrapped it with
    its route. Empty for an ID that PostgreSQL cannot hold. LiteLLM's encrypted IDs hide the
    provider's, but are the same wherever they are written.

    >>> sorted(spellings("resp_1_cache_hit1764058952.25"))
    ['resp_1', 'resp_1_cache_hit1764058952.25']
    >>> routed = base64.b64encode(b"litellm:model_id:m;response_id:resp_1").decode()
    >>> sorted(spellings(f"resp_{routed}")) == ["resp_1", f"resp_{routed}"]
    True
    """
    named = response_id.split(_CACHE_HIT)[0]
    return frozenset(filter(can_be_stored, (response_id, named, _provider_s(named))))


def _provider_s(response_id: str) -> str:
    if not response_id.startswith(_PREFIX):
        return ""
    try:
        plain = base64.b64decode(response_id.removeprefix(_PREFIX))
    except (binascii.Error, ValueError):  # too short, or not ASCII
        return ""
    found = _ROUTED.fullmatch(plain)
    return found[1].decode(errors="replace") if found else ""


# The clocks of two replicas may differ by seconds.
CLOCKS_APART = timedelta(seconds=5)
# Both rows of a bridged call are written by one process.
ONE_PROCESS = timedelta(seconds=1)
# The APIs that a client may call; each may be served through one further down.
APIS = ("responses", "anthropic_messages", "generate_content", "text_completion", "completion")

UNDER_WAY = ("queued", "in_progress")

TurnRows = tuple[RowId, ...]
"""The rows of one turn: first the client's own request, then the others by start."""


class Light(Protocol):
    """The facts of a row that decide which turn it belongs to."""

    @property
    def request_id(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def ended_at(self) -> datetime: ...
    @property
    def call_type(self) -> str | None: ...
    @property
    def call_id(self) -> str | None: ...
    @property
    def background_id(self) -> str | None: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def total_tokens(self) -> int: ...


Row = TypeVar("Row", bound=Light)


def row_id(row: Light) -> RowId:
    """The identity of a light row."""
    return RowId(row.request_id, row.started_at)


def by_turn(rows: Iterable[Row]) -> list[tuple[Row, ...]]:
    """Which of these rows are one turn? A tuple per turn, the client's own request first.

    Turns by the start of that request, ties by its ID. A row that only fetches or bills a
    background response belongs to the request that began it, else to the first row that fetched it.
    If two rows of one call ID overlap, and one calls an API through which the other's is served,
    the first such pair is one turn; if their tokens differ, only if they also begin and end
    together. No rows give no turns.
    """
    ordered = sorted(rows, key=attrgetter("started_at", "request_id"))
    leads = _bridged(ordered)
    leads |= _background(ordered, leads)
    turns = {place: [row] for place, row in enumerate(ordered) if place not in leads}
    for place in sorted(leads):
        turns[leads[place]].append(ordered[place])
    return list(map(tuple, turns.values()))


def _background(rows: Sequence[Light], bridged: dict[int, int]) -> dict[int, int]:
    """Positions of rows that fetch or bill a response -> those of the rows they belong to."""
    if all(row.background_id is None for row in rows):
        return {}
    begun: defaultdict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row.background_id is None:
            for name in spellings(row.request_id):
                begun[name].append(place)
    leads: dict[int, int] = {}
    fetched: dict[str, int] = {}
    for place, row in enumerate(rows):
        if row.background_id is None:
            continue
        names = spellings(row.background_id)
        lead = _begun_before(rows, [one for name in names for one in begun[name]], row)
        if lead is None:
            lead = next((fetched[name] for name in names if name in fetched), None)
        if lead is not None:
            leads[place] = bridged.get(lead, lead)
        fetched |= dict.fromkeys(names, place if lead is None else lead)
    return leads


def _begun_before(rows: Sequence[Light], places: Iterable[int], row: Light) -> int | None:
    """The newest of these that existed when this row began, as far as clocks agree."""
    there = [one for one in places if rows[one].started_at <= row.started_at + CLOCKS_APART]
    return max(there, default=None)


def _bridged(rows: Sequence[Light]) -> dict[int, int]:
    """The position of each inner row of a bridged call -> that of the row the client requested."""
    of_call: defaultdict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row.call_id and row.background_id is None:
            of_call[row.call_id].append(place)
    leads: dict[int, int] = {}
    paired: set[int] = set()
    for places in of_call.values():
        for outer, inner in _outer_and_inner(rows, places):
            if paired.isdisjoint((outer, inner)):
                paired |= {outer, inner}
                leads[inner] = outer
    return leads


def _outer_and_inner(rows: Sequence[Light], places: Sequence[int]) -> Iterator[tuple[int, int]]:
    for at, one in enumerate(places):
        for other in places[at + 1 :]:
            if rows[other].started_at > rows[one].ended_at + ONE_PROCESS:
                break
            above, below = sorted((one, other), key=lambda place: _depth(rows[place]))
            is_served_through = _depth(rows[above]) < _depth(rows[below]) < len(APIS)
            if is_served_through and _is_one_call(rows[above], rows[below]):
                yield above, below


def _depth(row: Light) -> int:
    """How far down is the API of this row? Below all of them for any other kind of call."""
    call_type = row.call_type or ""
    return next((depth for depth, name in enumerate(APIS) if name in call_type), len(APIS))


def _is_one_call(one: Light, other: Light) -> bool:
    """Are these rows one call? The same response has the same tokens, or one row has none.

    Some APIs do not count the tokens read from a cache as prompt: then both rows must begin and end
    together, because a client may use one call ID for parallel requests.
    """
    if one.total_tokens == other.total_tokens or not (one.total_tokens and other.total_tokens):
        return True
    begin_apart = abs(one.started_at - other.started_at)
    return max(begin_apart, abs(one.ended_at - other.ended_at)) <= ONE_PROCESS


def finished_first(request: StoredRequest) -> list[StoredRequest]:
    """The rows of a turn, in the order in which their responses are preferred as that of the turn.

    A finished background response comes before unfinished ones, and of those the newest, which
    holds the most, comes first.
    """
    if not request.rest:
        return [request]
    finished: list[StoredRequest] = []
    under_way: list[StoredRequest] = []
    for one in request.rows:
        (under_way if is_under_way(one) else finished).append(one)
    return [*finished, *reversed(under_way)]


def is_under_way(request: StoredRequest) -> bool:
    """Was the response still being made in the background when this was logged?"""
    return mapping(stored_json(request.response_body)).get("status") in UNDER_WAY


def others_in_words(request: StoredRequest) -> list[str]:
    """What the other rows of a turn are, and what they cost; empty for a turn of one row."""
    fetched = [one for one in request.rest if one.background_id is not None]
    again = [one for one in request.rest if one.background_id is None]
    words = [f"response fetched {_times(len(fetched))}, {_cost(fetched)}"] if fetched else []
    return words + [f"logged again as {one.call_type}, {_cost([one])}" for one in again]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def cost_usd(rows: Iterable[StoredRequest]) -> float:
    """The sum of the known costs, US dollars; 0 without any."""
    return sum(one.spend_usd or 0.0 for one in rows)


def _cost(rows: Iterable[StoredRequest]) -> str:
    return formatting.money(cost_usd(rows))

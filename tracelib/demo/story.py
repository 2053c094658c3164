"""The whole story as rows: every piece of work of every key, in the order in which rows appear."""

import hashlib
import heapq
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from random import Random
from types import MappingProxyType
from zoneinfo import ZoneInfo

import orjson

from tracelib.demo import agents, defects, failures, moves, wasteful, work
from tracelib.demo.cast import Key, cast, models
from tracelib.demo.exchange import Ask, Outcome, Usage
from tracelib.demo.gateway import Outage, Scene, new_id, refuse, scene, send
from tracelib.demo.messages import ChatMessage
from tracelib.demo.rows import Row, row

HOME = ZoneInfo("Europe/Berlin")

_OFFICE = (0, 0, 0, 0, 0, 0.01, 0.05, 0.25, 0.7, 1, 1.1, 1, 0.6, 0.85, 1.05, 1, 0.85, 0.5, 0.2)
_SHOP = (0.2, 0.1, 0.05, 0.05, 0.05, 0.1, 0.2, 0.4, 0.6, 0.7, 0.8, 0.8, 0.8, 0.7, 0.7, 0.7, 0.8)
_SHOP_EVENING = (0.9, 1, 1.1, 1, 0.8, 0.5, 0.3)
_NIGHT = (0.9, 1, 1, 0.7, 0.3)

RHYTHMS: Mapping[str, tuple[tuple[float, ...], float]] = MappingProxyType(
    {
        "office": ((*_OFFICE, 0.1, 0.06, 0.05, 0.03, 0.01), 0.06),
        "shop": ((*_SHOP, *_SHOP_EVENING), 0.8),
        "night": ((*_NIGHT, *(0.0,) * 17, 0.1, 0.5), 0.3),
        "batch": ((0.0, 0.0, 1.0, 0.6, *(0.0,) * 20), 0.5),
    }
)
"""Per rhythm: how busy each local hour is (1 is a busy hour), and the factor at week-ends."""


def busyness(rhythm: str, at: float) -> float:
    """How busy is it, 1 being a busy hour? `at` is in seconds since 1970."""
    local = datetime.fromtimestamp(at, UTC).astimezone(HOME)
    hours, weekend = RHYTHMS[rhythm]
    return hours[local.hour] * (weekend if local.weekday() >= 5 else 1.0)


def poisson(rng: Random, expected: float) -> int:
    """A Poisson draw with mean `expected`.

    >>> poisson(Random(1), 0.0)
    0
    """
    limit, product, drawn = math.exp(-expected), rng.random(), 0
    while product > limit:
        product *= rng.random()
        drawn += 1
    return drawn


HEALTH_CHECK = "litellm-internal-health-check"
# Of a network for documentation, which no one has.
ELSEWHERE = "203.0.113.77"
MISSPELT = "gpt4-o"
_NEVER = Outage("", 0, 0)


def begun(rng: Random, slot: float, slot_s: float) -> Iterator[Outcome]:
    """The work that begins in a slot by chance: a wrong model, a wrong key, or a check."""
    at = slot + rng.uniform(0, slot_s)
    if rng.random() < 0.005:
        ask = _plain(rng, rng.choice(cast().keys), at, "hi")
        yield refuse(rng, ask, failures.unknown_model(MISSPELT))
    if rng.random() < 0.004:
        ask = _plain(rng, cast().key("support-triage"), at, "ping")
        yield refuse(rng, ask, failures.unknown_key())
    if slot % (4 * 86_400) == 5 * 3600:
        yield from _health_checks(rng, slot)


def intruding(seed: int, slot: float, events: Scene) -> Iterator[Outcome]:
    """What an auditor would find: a blocked key that is tried, and a key used from elsewhere."""
    rng = Random(f"{seed} {slot:.0f} intruding")
    at = slot + rng.uniform(0, _SLOT_S)
    if rng.random() < 0.01:
        ask = _plain(rng, cast().key("legacy-importer"), at, "Import row 1.")
        yield refuse(rng, ask, failures.blocked_key())
    if slot >= events.elsewhere_from and rng.random() < 0.05:
        key = replace(cast().key("sql-helper"), client="python-requests/2.32", address=ELSEWHERE)
        ask = _plain(rng, key, at, "What is in the table of customers?")
        yield send(rng, replace(ask, stream=False), _NEVER)


def touched(outcome: Outcome, row: Row) -> Row:
    """The row with an edge case of LiteLLM's; most rows unchanged."""
    failure = outcome.failure
    if outcome.ask.session == HEALTH_CHECK:
        return {**row, **_as_health_check(row)}
    if failure is not None and failure.error_class == "ProxyModelNotFoundError":
        body = row["proxy_server_request"].replace(outcome.ask.model.name, MISSPELT)
        unknown = {"model": "unknown-model", "model_group": "", "proxy_server_request": body}
        return {**row, **unknown}
    if failure is not None and failure.normalized == failures.unknown_key().normalized:
        return {**row, **_as_unknown_key(row)}
    if failure is not None and failure.error_class == "BudgetExceededError":
        return {**row, "user": "", "team_id": ""}
    return {**row, **_left_empty(outcome)}


def _left_empty(outcome: Outcome) -> Row:
    """One row in 256 lacks a session, one has columns as an older LiteLLM left them."""
    draw = int(outcome.call_id[:2], 16)
    if draw == 0 and not outcome.ask.names_session:
        return {"session_id": None}
    if draw == 1 and outcome.failure is None and not outcome.is_cache_hit:
        return {"status": None, "cache_hit": "", "request_duration_ms": None}
    return {}


def _plain(rng: Random, key: Key, at: float, text: str) -> Ask:
    return Ask(
        key=key,
        model=models()["gpt-4o"],
        call_type="acompletion",
        at=at,
        body={"messages": [{"role": "user", "content": text}]},
        answer=ChatMessage("assistant", "Two.").as_response(),
        usage=Usage(11, 4),
        session=new_id(rng),
    )


def _health_checks(rng: Random, slot: float) -> Iterator[Outcome]:
    for name in ("gpt-4o", "claude-sonnet-4-5"):
        key, at = cast().key("support-triage"), slot + rng.uniform(1, 9)
        ask = replace(_plain(rng, key, at, "What's 1 + 1?"), model=models()[name])
        yield send(rng, replace(ask, session=HEALTH_CHECK), _NEVER)


def _as_health_check(row: Row) -> Row:
    facts = orjson.loads(row["metadata"])
    facts |= {"user_api_key": HEALTH_CHECK, "user_api_key_alias": HEALTH_CHECK}
    return {
        "api_key": HEALTH_CHECK,
        "team_id": HEALTH_CHECK,
        "session_id": row["litellm_call_id"],
        "model": row["model"].partition("/")[2],
        "model_group": "",
        "model_id": "",
        "user": "",
        "organization_id": "",
        "end_user": "",
        "request_tags": f'["{HEALTH_CHECK}"]',
        "proxy_server_request": "{}",
        "metadata": orjson.dumps(facts).decode(),
        "cache_key": "Cache OFF",
        "requester_ip_address": None,
    }


def _as_unknown_key(row: Row) -> Row:
    """Nothing is known of such a client except the digest of the key it sent."""
    digest = hashlib.sha256(row["request_id"].encode()).hexdigest()
    facts = orjson.loads(row["metadata"])
    known = [name for name in facts if name.startswith("user_api_key")]
    facts |= dict.fromkeys(known) | {"user_api_key": digest}
    return {
        "api_key": digest,
        "user": "",
        "team_id": "",
        "organization_id": "",
        "model": "",
        "model_group": "",
        "metadata": orjson.dumps(facts).decode(),
        "proxy_server_request": "{}",
    }


SEED = 20250424
"""The seed of the story of `start`."""

_SLOT_S = 600
# No piece of work takes longer; earlier ones need not be considered.
_REACH_S = 12 * 3600
_STEADY_REACH_S = 900


def requests(
    seed: int,
    start: datetime,
    end: datetime,
    *,
    anchor: datetime | None = None,
    steady: float | None = None,
) -> Iterator[Row]:
    """Which rows did LiteLLM write in [start, end)?

    `start` and `end` are aware. One dict per row, oldest `created_at` first, columns as in the
    table: times in UTC without a zone, JSON as text. The same arguments give the same rows, and
    neighbouring spans with one `anchor` join without a gap or a repetition.

    anchor  the end of the story at first, from which the events are counted; `end` if left out
    steady  how busy every hour is, 1 being a busy one, in place of the rhythm of day and week

    An empty span gives no rows.
    """
    events = scene(anchor or end)
    first, last = start.timestamp(), end.timestamp()
    if last <= first:
        return
    waiting: list[tuple[float, int, Outcome]] = []
    number = count()
    slot = (first - (_STEADY_REACH_S if steady else _REACH_S)) // _SLOT_S * _SLOT_S
    while slot < last:
        yield from _due(waiting, first, min(slot, last), events)
        for outcome in _begun(seed, slot, events, steady):
            if first <= outcome.written < last:
                heapq.heappush(waiting, (outcome.written, next(number), outcome))
        slot += _SLOT_S
    yield from _due(waiting, first, last, events)


def _due(
    waiting: list[tuple[float, int, Outcome]], first: float, until: float, events: Scene
) -> Iterator[Row]:
    while waiting and first <= waiting[0][0] < until:
        outcome = heapq.heappop(waiting)[2]
        moved = moves.with_moves(outcome, touched(outcome, row(outcome)), events)
        yield defects.with_defects(outcome, wasteful.marked(outcome, moved), events)


def _begun(seed: int, slot: float, events: Scene, steady: float | None) -> Iterator[Outcome]:
    """Everything that begins within ten minutes, to its end."""
    rng = Random(f"{seed} {slot:.0f}")
    reach = slot + (_STEADY_REACH_S if steady else _REACH_S)
    for key in cast().keys:
        if key.is_deleted and slot > events.newcomer_from:
            continue
        busy = _busyness(key, slot, steady)
        for kind, rate in key.work.items():
            for _ in range(poisson(rng, rate * busy * _SLOT_S / 3600)):
                own = Random(rng.getrandbits(64))
                at = slot + own.uniform(0, _SLOT_S)
                yield from _until(reach, work.begin(own, key, at, events, kind))
    if steady is None:
        yield from begun(rng, slot, _SLOT_S)
        yield from intruding(seed, slot, events)
        yield from wasteful.begun(seed, slot, _SLOT_S, busyness("office", slot))
        if slot <= events.runaway_at < slot + _SLOT_S:
            gardener = cast().key("repo-gardener")
            yield from _until(reach, agents.runaway(rng, gardener, events))
        if defects.begins(slot, _SLOT_S, events):
            at = slot + rng.uniform(0, _SLOT_S)
            ask = _plain(rng, cast().key("support-triage"), at, "What's 1 + 1?")
            yield from defects.of_ids(rng, ask, slot)


def _until(reach: float, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    for outcome in outcomes:
        if outcome.written >= reach:
            return
        yield outcome


def _busyness(key: Key, slot: float, steady: float | None) -> float:
    if steady is not None and key.rhythm not in ("night", "batch"):
        return steady
    return busyness(key.rhythm, slot)


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)

"""What real tables hold besides plain traffic: refused clients, health checks, empty columns."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import orjson

from tracelib.demo import failures
from tracelib.demo.cast import Key, cast
from tracelib.demo.catalog import models
from tracelib.demo.exchange import Ask, Outcome, Usage
from tracelib.demo.gateway import Outage, new_id, refuse, send
from tracelib.demo.messages import Said
from tracelib.demo.rows import Row

HEALTH_CHECK = "litellm-internal-health-check"
MISSPELT = "gpt4-o"
_NEVER = Outage("", 0, 0)


def begun(rng: Random, slot: float, slot_s: float) -> Iterator[Outcome]:
    """What begins in a slot by chance: a wrong model, a wrong key; and some mornings a check."""
    at = slot + rng.uniform(0, slot_s)
    if rng.random() < 0.005:
        ask = _plain(rng, rng.choice(cast().keys), at, "hi")
        yield refuse(rng, ask, failures.unknown_model(MISSPELT))
    if rng.random() < 0.004:
        ask = _plain(rng, cast().key("support-triage"), at, "ping")
        yield refuse(rng, ask, failures.unknown_key())
    if slot % (4 * 86_400) == 5 * 3600:
        yield from _health_checks(rng, slot)


def touched(outcome: Outcome, row: Row) -> Row:
    """The row as LiteLLM leaves it in the odd cases; the same row in all others."""
    failure = outcome.failure
    if outcome.ask.session == HEALTH_CHECK:
        return {**row, **_as_health_check(row)}
    if failure is not None and failure.error_class == "ProxyModelNotFoundError":
        body = row["proxy_server_request"].replace(outcome.ask.model.name, MISSPELT)
        unknown = {"model": "unknown-model", "model_group": "", "proxy_server_request": body}
        return {**row, **unknown}
    if failure is not None and failure.error_class == "ProxyException":
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
        answer=Said("assistant", "Two.").as_answer(),
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
    """Nothing is known of such a client but the digest of the key it sent."""
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

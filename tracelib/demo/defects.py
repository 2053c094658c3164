"""Defects of the log: a model without a price, a clock that is off, an ID that is None."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import orjson

from tracelib.demo.exchange import Ask, Outcome
from tracelib.demo.gateway import Outage, Scene, send
from tracelib.demo.rows import Row, moment

_NEVER = Outage("", 0, 0)
_DAY_S = 86_400
# One in so many rows.
_BACKWARDS, _AS_TEXT = 2_000, 2_500


def begins(slot: float, slot_s: float, scene: Scene) -> bool:
    """Has a request of this slot an ID of `of_ids`?"""
    return slot <= scene.unpriced_from < slot + slot_s or _is_logged_twice(slot)


def of_ids(rng: Random, ask: Ask, slot: float) -> Iterator[Outcome]:
    """A response without an ID, once; and every few days a call that two APIs have logged."""
    outer = send(rng, ask, _NEVER)
    if _is_logged_twice(slot):
        yield outer
        yield replace(outer, request_id=f"resp_{rng.getrandbits(96):024x}")
    else:
        yield replace(outer, request_id="None")


def _is_logged_twice(slot: float) -> bool:
    return slot % (3 * _DAY_S) == 10 * 3600


def with_defects(outcome: Outcome, row: Row, scene: Scene) -> Row:
    """The row with a defect; most rows unchanged."""
    if outcome.failure is not None or outcome.is_cache_hit:
        return row
    draw = int(outcome.call_id[-6:], 16)
    if outcome.ask.call_type == "atext_completion" and outcome.ask.at >= scene.unpriced_from:
        return {**row, **_unpriced(row)}
    if draw % _BACKWARDS == 0:
        ended = moment(outcome.ask.at - 0.04)
        times = dict.fromkeys(("endTime", "completionStartTime"), ended)
        return {**row, **times, "request_duration_ms": -40}
    if draw % _AS_TEXT == 1:
        return {**row, "request_tags": orjson.dumps(row["request_tags"]).decode()}
    return row


def _unpriced(row: Row) -> Row:
    facts = orjson.loads(row["metadata"]) | {"cost_breakdown": None, "model_map_information": None}
    return {"spend": 0.0, "metadata": orjson.dumps(facts).decode()}

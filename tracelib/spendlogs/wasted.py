"""Requests whose cost bought nothing, in classes that exclude each other."""

from collections.abc import Callable, Mapping
from hashlib import sha256

from sqlalchemy import ColumnElement, FromClause, and_, case, cast, extract, func, or_
from sqlalchemy.types import Boolean, Double

from tracelib.spendlogs.body_facts import CUT_OFF
from tracelib.spendlogs.facts import DISCONNECTED
from tracelib.spendlogs.measures import divided

HEALTH_CHECK = "litellm-internal-health-check"
# The key of health checks, and its hash: some versions log that.
HEALTH_CHECK_KEYS = (HEALTH_CHECK, sha256(HEALTH_CHECK.encode()).hexdigest())
HANG_UPS, PAID_FAILURES = "hang_ups", "paid_failures"
INTERNAL_CALLS, BILLED_RETRIES = "internal_calls", "billed_retries"


def _is_hang_up(known: FromClause) -> ColumnElement[bool]:
    return _is(known.c.error_class == DISCONNECTED)


def _is_internal(known: FromClause) -> ColumnElement[bool]:
    is_check = known.c.stored_key.in_(HEALTH_CHECK_KEYS)
    return or_(known.c.internal_origin.is_not(None), _is(is_check))


# The first that is true of a request is its class.
CLASSES: Mapping[str, Callable[[FromClause], ColumnElement[bool]]] = {
    HANG_UPS: _is_hang_up,
    PAID_FAILURES: lambda known: known.c.is_failure,
    INTERNAL_CALLS: _is_internal,
    BILLED_RETRIES: lambda known: _is(known.c.is_billed_retry),
}
# The same of requests whose bodies were read. Those with a class above have none of these.
CUT_OFFS, LOOPS = "cut_offs", "loops"
REGENERATIONS, CACHEABLE = "regenerations", "cacheable"
# A limit of a few tokens is meant: a yes or no, a label.
LEAST_CUT = 64
REGENERATED_WITHIN_MS = 600_000
# How long a cache may keep responses, in seconds.
TTLS = (60, 600, 3_600, 86_400)


def _is_cut_off(known: FromClause) -> ColumnElement[bool]:
    is_long = known.c.completion_tokens >= LEAST_CUT
    return _is(and_(known.c.finish_reason == CUT_OFF, is_long))


def _is_regenerated(known: FromClause) -> ColumnElement[bool]:
    is_soon = known.c.repeated_after_ms <= REGENERATED_WITHIN_MS
    return _is(and_(known.c.repeats_session, is_soon))


OF_BODIES: Mapping[str, Callable[[FromClause], ColumnElement[bool]]] = {
    CUT_OFFS: _is_cut_off,
    LOOPS: lambda known: _is(known.c.is_loop),
    REGENERATIONS: _is_regenerated,
    CACHEABLE: lambda known: known.c.repeated_after_ms.is_not(None),
}
# The columns of requests that this reads, in addition to those of `facts.with_facts`.
READ = ("spend_usd", "is_failure", "stored_key")


def is_wasted(known: FromClause, of_bodies: bool = False) -> ColumnElement[bool]:
    """Which of these requests, with their facts, have a cost and a class: one `OF_BODIES`?"""
    first = or_(*(has(known) for has in CLASSES.values()))
    if not of_bodies:
        return and_(known.c.spend_usd > 0, first)
    return and_(known.c.spend_usd > 0, or_(*(has(known) for has in OF_BODIES.values())), ~first)


def waste_class(known: FromClause, of_bodies: bool = False) -> ColumnElement[str]:
    """Which class has each of these requests? NULL for none."""
    classes = OF_BODIES if of_bodies else CLASSES
    return case(*((has(known), name) for name, has in classes.items()), else_=None)


def is_served_within(known: FromClause, ttl_s: int) -> ColumnElement[bool]:
    """Which repeated requests would a cache serve, at the least, that keeps responses so long?

    All but the first of the same requests in each period of that length.
    """
    start = cast(extract("epoch", known.c.start_order), Double)
    before = start - divided(known.c.repeated_after_ms, 1_000)
    period, period_before = (func.floor(divided(one, ttl_s)) for one in (start, before))
    return _is(period == period_before)


def _is(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition, where unknown is False."""
    return func.coalesce(condition, False, type_=Boolean())

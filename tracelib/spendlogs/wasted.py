"""Requests whose cost bought nothing, in classes that exclude each other."""

from collections.abc import Callable, Mapping
from hashlib import sha256

from sqlalchemy import ColumnElement, FromClause, and_, case, func, or_
from sqlalchemy.types import Boolean

from tracelib.spendlogs.facts import DISCONNECTED

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
# The columns of requests that this reads, in addition to those of `facts.with_facts`.
READ = ("spend_usd", "is_failure", "stored_key")


def is_wasted(known: FromClause) -> ColumnElement[bool]:
    """Which of these requests, with their facts, have a cost and a class?"""
    has_class = or_(*(has(known) for has in CLASSES.values()))
    return and_(known.c.spend_usd > 0, has_class)


def waste_class(known: FromClause) -> ColumnElement[str]:
    """Which class has each of these requests? NULL for none."""
    found = ((has(known), name) for name, has in CLASSES.items())
    return case(*found, else_=None)


def _is(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition, where unknown is False."""
    return func.coalesce(condition, False, type_=Boolean())

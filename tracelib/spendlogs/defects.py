"""Defects of requests that plain columns show, as conditions on the relation.

They mean the same on PostgreSQL and on a replica, which rounds spend to 15 decimals.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, FromClause, and_, func, not_, or_
from sqlalchemy.types import Text

from tracelib.spendlogs.relation import FETCHES
from tracelib.spendlogs.types import are_columns

# Less than this is rounded to nothing.
LEAST_AMOUNT = 5e-16
AMOUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
# For a request that is refused early, LiteLLM logs the path as its call type.
PATH = "/"


def is_unpriced(requests: FromClause) -> ColumnElement[bool]:
    """Which successes have tokens and no cost?

    Cache hits cost nothing, and of a background response only one row has its cost.
    """
    call_type = func.coalesce(requests.c.call_type, "", type_=Text())
    return and_(
        requests.c.total_tokens > 0,
        _is_nothing(requests),
        ~requests.c.is_cache_hit,
        ~requests.c.is_failure,
        call_type.not_in(FETCHES),
    )


def _is_nothing(requests: FromClause) -> ColumnElement[bool]:
    """What cost nothing? By the column that is quicker to compare."""
    if are_columns(requests):
        nothing: ColumnElement[bool] = requests.c.spend_usd == 0
        return nothing
    return func.abs(requests.c.spend_order) < LEAST_AMOUNT


def is_generated(requests: FromClause) -> ColumnElement[bool]:
    """Which responses were generated token by token, so that they have a first token?"""
    return and_(requests.c.response_ms.is_not(None), requests.c.completion_tokens > 0)


def has_no_first_token(requests: FromClause) -> ColumnElement[bool]:
    """For which of these is the time to first token unknown?"""
    return and_(is_generated(requests), requests.c.ttft_ms.is_(None))


def ends_before_start(requests: FromClause) -> ColumnElement[bool]:
    """Which requests end before they start?"""
    columns = requests.c
    is_backwards: ColumnElement[bool]
    if are_columns(requests):
        is_backwards = columns.elapsed_ms < 0
    else:
        is_backwards = columns.end_order < columns.start_order
    return is_backwards


def is_impossible(requests: FromClause) -> ColumnElement[bool]:
    """Which requests have a cost that is no amount, or is negative, or negative tokens?"""
    spend = requests.c.spend_order
    is_less = spend <= -LEAST_AMOUNT
    if are_columns(requests):
        spend = requests.c.spend_usd
        is_less = spend < 0
    return or_(spend.is_(None), is_less, *(requests.c[name] < 0 for name in AMOUNTS))


def has_other_call_type(requests: FromClause, known: Collection[str]) -> ColumnElement[bool]:
    """Which requests have a call type that is none of these?"""
    call_type = requests.c.call_type
    is_path = call_type.startswith(PATH, autoescape=True)
    return and_(call_type.is_not(None), call_type.not_in(known), not_(is_path))

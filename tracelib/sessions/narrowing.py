"""What a search asks of a session as a whole, as conditions on a group of its requests."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Subquery, case, cast, func, literal
from sqlalchemy.types import BigInteger, Double, Numeric

from tracelib.sessions.search import RANGES, SessionSearch
from tracelib.spendlogs import measures
from tracelib.spendlogs.relation import utc
from tracelib.spendlogs.tags import is_tagged

Figure = Callable[[Subquery], ColumnElement[Any]]
# The list is sorted by whole trillionths of a dollar, as long as so many of them fit.
TRILLIONTHS: ColumnElement[float] = literal(1e12, Double())
TRILLIONTH = literal(Decimal("1e-12"), Numeric())
MOST_IN_TRILLIONTHS: ColumnElement[float] = literal(1e6, Double())


def _requests(_: Subquery) -> ColumnElement[int]:
    return measures.requests_count()


def _last_start(requests: Subquery) -> ColumnElement[Any]:
    return utc(func.max(requests.c.start_order))


def _ends(requests: Subquery) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """First start and last end, made times for a session rather than for each request."""
    return utc(func.min(requests.c.start_order)), utc(func.max(requests.c.end_order))


def _duration_ms(requests: Subquery) -> ColumnElement[float]:
    return measures.elapsed_ms(*_ends(requests))


def _duration_order(requests: Subquery) -> ColumnElement[int]:
    """Every session has a place in the list, those whose clocks disagree too."""
    first, last = _ends(requests)
    # A double, where `extract` gives a numeric: a fifth of the whole question.
    seconds: ColumnElement[float] = func.date_part("epoch", last - first, type_=Double())
    return case((last >= first, cast(seconds * 1000, BigInteger)), else_=0)


def _tokens(requests: Subquery) -> ColumnElement[int]:
    return measures.billed(requests, "total_tokens")


def _cost_order(requests: Subquery) -> ColumnElement[Any]:
    """The cost for sorting: whole numbers add up as exactly as decimals, in half the time."""
    spend = requests.c.spend_order
    fits = spend.between(-MOST_IN_TRILLIONTHS, MOST_IN_TRILLIONTHS)
    whole = func.sum(cast(spend * TRILLIONTHS, BigInteger), type_=Numeric()).filter(fits)
    others = func.sum(requests.c.spend_usd, type_=Numeric()).filter(~fits)
    return func.coalesce(whole, 0, type_=Numeric()) * TRILLIONTH + func.coalesce(others, 0)


# Each order of the list, always the greatest first.
SORTED_BY: dict[str, Figure] = {
    "recent": _last_start,
    "cost": _cost_order,
    "length": _requests,
    "errors": measures.failures,
    "duration": _duration_order,
    "tokens": _tokens,
}
NARROWED_BY: dict[str, Figure] = {
    "cost_usd": measures.cost_usd,
    "requests": _requests,
    "error_share": lambda one: measures.ratio(measures.failures(one), measures.requests_count()),
    "duration_s": lambda one: _duration_ms(one) / 1000,
    "tokens": _tokens,
    "models": lambda one: func.count(one.c.model.distinct()),
}


def of_sessions(requests: Subquery, search: SessionSearch) -> list[ColumnElement[bool]]:
    """Which conditions must a group of requests meet to be a session that is sought?

    None where every session is. `requests` are grouped by session and carry `is_match`.
    """
    if search.id:
        return []
    asked = [*_carried(requests, search), *_in_ranges(requests, search)]
    if search.status != "any":
        is_failing = measures.failures(requests) > 0
        asked.append(is_failing if search.status == "with failures" else ~is_failing)
    if search.many_requests_only:
        asked.append(measures.requests_count() > 1)
    return asked


def _carried(requests: Subquery, search: SessionSearch) -> list[ColumnElement[bool]]:
    """One request that carries it is enough."""
    carried: list[tuple[object, ColumnElement[bool]]] = [
        (search.text, requests.c.is_match),
        (search.tag, is_tagged(requests.c.request_tags, search.tag)),
        (search.end_user, requests.c.end_user == search.end_user),
        (search.agent, requests.c.agent == search.agent),
        (search.call_type, requests.c.call_type == search.call_type),
    ]
    return [func.bool_or(is_carried) for asked, is_carried in carried if asked]


def _in_ranges(requests: Subquery, search: SessionSearch) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = []
    for one in RANGES:
        least, most = (getattr(search, name) for name in one.fields)
        figure = NARROWED_BY[one.figure](requests)
        exact = one.figure == "cost_usd"
        asked += [figure >= _number(least, exact)] if least is not None else []
        asked += [figure <= _number(most, exact)] if most is not None else []
    return asked


def _number(amount: float, is_exact: bool) -> ColumnElement[Any]:
    """An amount as it was written: 0.1 means a tenth, not the double nearest to it."""
    return literal(Decimal(repr(amount)), Numeric()) if is_exact else literal(amount, Double())

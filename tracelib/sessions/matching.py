"""Which requests a search reads, and how the conditions of a search narrow sessions."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.types import BigInteger, Boolean, DateTime, Double, Text

from tracelib.filters import Filters
from tracelib.keys import HIDDEN, NAMES
from tracelib.schema import NAMED_BY
from tracelib.sessions.search import BOUNDS, SessionSearch
from tracelib.source import Postgres, Source
from tracelib.spendlogs import conditions, measures
from tracelib.spendlogs.measures import is_tagged
from tracelib.spendlogs.types import MONEY, Elapsed, are_columns, believable, utc

# What a page shows of a request next to its key; one text, so that one match searches it.
SEARCHED = ("model", "deployment", "end_user", "agent", "user", "team")
# A character that no name contains, so that no match spans two names.
BETWEEN = "\x1f"
# The identity is more expensive: it is computed only for keys that begin with the text themselves.
KEY_AND_IDENTITY = ("stored_key", "key")
# The first eight digits of a hash are shown; fewer than six would match by chance.
LEAST_OF_HASH = 6
MOST_BY_ID = 1_000


def searched_requests(source: Source, filters: Filters, search: SessionSearch) -> Subquery:
    """Which requests decide whether a session matches? `is_match` marks those with the text.

    Without an ID, those within the filters; with one, all of the sessions it leads to.
    """
    if not search.id:
        requests = source.requests(filters)
        if are_columns(requests):
            return _narrowed(source, requests, search)
        return _marked(requests, _carries(source, requests, search.text))
    keys = source.rows(_sessions_by_any_id(source, filters, search.id))
    found = [(key.session_key, key.session_id) for key in keys]
    requests = source.by_id("session_id", sorted({session_id for _, session_id in found}))
    is_one = requests.c.session_key.in_([session_key for session_key, _ in found])
    return _marked(requests, literal(True), is_one)


def requests_in(
    source: Postgres, filters: Filters, search: SessionSearch, session_ids: Sequence[str]
) -> Subquery:
    """Which requests within the filters belong to sessions with these IDs? `is_match` as above.

    Without an index on the session ID, all within the filters: no slower than a scan.
    """
    requests = source.requests(filters)
    if source.schema.is_indexed("session_id") or not source.schema.has("session_id"):
        whole = source.by_id("session_id", session_ids)
        requests = select(*whole.c).where(*conditions.passes(whole, filters)).subquery("chosen")
    return _marked(requests, _carries(source, requests, search.text))


def _narrowed(source: Source, requests: Subquery, search: SessionSearch) -> Subquery:
    """In a replica, only the requests of sessions that carry what is searched for.

    There it is quicker to find those few first, by each condition alone, than to carry it through
    the grouping; and to count different models only in sessions that meet all else.
    """
    number = requests.c.session_group
    found = [select(number).where(one) for one in _carried(requests, search)]
    carrying: list[Select[Any] | CompoundSelect[Any]] = [*found]
    if search.text:
        ways = _ways_to_carry(source, requests, search.text)
        carrying.append(union_all(*(select(number).where(one) for one in ways)))
    of_any_models = replace(search, min_models=None, max_models=None)
    others = of_sessions(requests, of_any_models) if of_any_models != search else []
    if others:
        carrying.append(select(number).group_by(number).having(and_(*others)))
    of_these = (number.in_(one) for one in carrying)
    return _marked(requests, literal(True), *of_these)


def _marked(
    requests: Subquery, is_match: ColumnElement[bool], *only: ColumnElement[bool]
) -> Subquery:
    return select(*requests.c, is_match.label("is_match")).where(*only).subquery("searched")


def _sessions_by_any_id(source: Source, filters: Filters, identity: str) -> Select[Any]:
    """Which sessions have this ID, or have a request with it? Rows of session key and ID."""
    found = [source.by_id("session_id", [identity]), source.by_id("request_id", [identity])]
    calls = _by_call_id(source, filters, identity)
    ids = union_all(
        *(select(one.c.session_key, one.c.session_id) for one in found), calls
    ).subquery()
    return (
        select(ids.c.session_key, ids.c.session_id)
        .distinct()
        .order_by(ids.c.session_key)
        .limit(MOST_BY_ID)
    )


def _by_call_id(source: Source, filters: Filters, identity: str) -> Select[Any]:
    """Requests by call ID; within the window if LiteLLM has not created its index."""
    if source.finds_calls():
        requests = source.by_id("call_id", [identity])
        return select(requests.c.session_key, requests.c.session_id)
    requests = source.requests(Filters(filters.window))
    return select(requests.c.session_key, requests.c.session_id).where(
        requests.c.call_id == identity
    )


def _carries(source: Source, requests: Subquery, text: str) -> ColumnElement[bool]:
    if not text:
        return literal(True)
    return func.coalesce(or_(*_ways_to_carry(source, requests, text)), False, type_=Boolean())


def _ways_to_carry(source: Source, requests: Subquery, text: str) -> list[ColumnElement[bool]]:
    """Conditions of which one is met by each request with this text in a name or an ID."""
    if BETWEEN in text:
        return [literal(False)]
    named = [or_(*_by_name(requests, text)), *_by_key(requests, text)]
    for dimension in NAMED_BY:
        ids = requests.c["stored_key" if dimension == "key" else dimension]
        named += [ids.in_(called) for called in source.ids_called(dimension, text)]
    return named


def _by_name(requests: Subquery, text: str) -> list[ColumnElement[bool]]:
    """One match of all names per row in PostgreSQL; in a replica one per different name."""
    names: list[ColumnElement[str]] = [requests.c[name] for name in SEARCHED]
    if not are_columns(requests):
        names = [func.concat_ws(BETWEEN, *names, type_=Text())]
    return [name.icontains(text, autoescape=True) for name in names]


def _by_key(requests: Subquery, text: str) -> list[ColumnElement[bool]]:
    """Only by its identity: otherwise a stored key could be guessed character by character."""
    special = [one for one, name in NAMES.items() if text.lower() in name.lower()]
    named: list[ColumnElement[bool]] = [requests.c.stored_key.in_(special)]
    digits = text.lower().rstrip("…")
    if digits.startswith(HIDDEN):
        named.append(requests.c.key.startswith(digits, autoescape=True))
    elif len(digits) >= LEAST_OF_HASH:
        begins = (requests.c[one].startswith(digits, autoescape=True) for one in KEY_AND_IDENTITY)
        named.append(and_(*begins))
    return named


OfSession = Callable[[Subquery], ColumnElement[Any]]


def _last_start(requests: Subquery) -> ColumnElement[Any]:
    return utc(func.max(requests.c.start_order))


def _ends(requests: Subquery) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """First start and last end, bounded per session rather than per request."""
    first = func.min(requests.c.start_order, type_=DateTime())
    last = func.max(requests.c.end_order, type_=DateTime())
    # In a replica they are bounded already.
    return (first, last) if are_columns(requests) else (believable(first), believable(last))


def _duration_ms(requests: Subquery) -> ColumnElement[float]:
    return measures.elapsed_ms(*_ends(requests))


def _duration_order(requests: Subquery) -> ColumnElement[int]:
    """The duration for sorting; sessions whose clocks disagree have one, too."""
    first, last = _ends(requests)
    return case((last >= first, cast(Elapsed(first, last), BigInteger)), else_=0)


# Each order of the list, always the greatest first.
SORTED_BY: dict[str, OfSession] = {
    "recent": _last_start,
    "cost": measures.cost_usd,
    "length": measures.requests_count,
    "errors": measures.failures,
    "duration": _duration_order,
    "tokens": measures.total_tokens,
}
NARROWED_BY: dict[str, OfSession] = {
    "cost_usd": measures.cost_usd,
    "requests": measures.requests_count,
    "error_share": measures.error_rate,
    "duration_s": lambda one: measures.divided(_duration_ms(one), 1_000),
    "tokens": measures.total_tokens,
    "models": lambda one: func.count(one.c.model.distinct()),
}


def of_sessions(requests: Subquery, search: SessionSearch) -> list[ColumnElement[bool]]:
    """Which conditions must a group of requests meet to be a matching session?

    Empty if every session matches. `requests` are grouped by session and have `is_match`.
    """
    if search.id:
        return []
    conditions = _in_ranges(requests, search)
    if not are_columns(requests):
        conditions += [func.bool_or(is_carried) for is_carried in _carried(requests, search)]
        conditions += [func.bool_or(requests.c.is_match)] if search.text else []
    if search.call_type:
        conditions.append(func.bool_or(requests.c.call_type == search.call_type))
    if search.status != "any":
        is_failing = measures.failures(requests) > 0
        conditions.append(is_failing if search.status == "with failures" else ~is_failing)
    if search.many_requests_only:
        conditions.append(measures.requests_count(requests) > 1)
    return conditions


def _carried(requests: Subquery, search: SessionSearch) -> list[ColumnElement[bool]]:
    """Conditions that a session meets if one of its requests does, and of which few requests do.

    Most requests meet one on the type of call.
    """
    carried: list[tuple[object, ColumnElement[bool]]] = [
        (search.tag, is_tagged(requests.c.request_tags, search.tag)),
        (search.end_user, requests.c.end_user == search.end_user),
        (search.agent, requests.c.agent == search.agent),
    ]
    return [is_carried for is_required, is_carried in carried if is_required]


def _in_ranges(requests: Subquery, search: SessionSearch) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for one in BOUNDS:
        least, most = (getattr(search, name) for name in one.fields)
        figure = NARROWED_BY[one.figure](requests)
        exact = one.figure == "cost_usd"
        conditions += [figure >= _number(least, exact)] if least is not None else []
        conditions += [figure <= _number(most, exact)] if most is not None else []
    return conditions


def _number(amount: float, is_exact: bool) -> ColumnElement[Any]:
    """An amount as it was written: 0.1 is a tenth, not the nearest double."""
    return literal(Decimal(repr(amount)), MONEY) if is_exact else literal(amount, Double())

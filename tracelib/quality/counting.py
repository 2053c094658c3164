"""Defects that plain columns show, counted over all requests of a window."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    Subquery,
    case,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.types import Boolean, Integer

from tracelib.conversation.bodies.known_fields import CALL_TYPES
from tracelib.filters import Filters
from tracelib.quality.findings import Finding, Findings, first_start
from tracelib.source import Source
from tracelib.spendlogs import defects, measures
from tracelib.spendlogs.conditions import key_or_none
from tracelib.spendlogs.names import is_unnamed
from tracelib.spendlogs.types import are_columns, utc
from tracelib.window import TimeWindow

NO_FIRST_TOKEN, UNRESOLVED, SINGLE = "no_first_token", "unresolved_keys", "single_request_sessions"
CALLS, GENERATED = "unknown_call_types", "is_generated"
# A kind of request is a number with a bit for each of these that is true of it.
BITS: Mapping[str, Callable[[FromClause], ColumnElement[bool]]] = {
    "unpriced": defects.is_unpriced,
    "ends_before_start": defects.ends_before_start,
    "impossible_amounts": defects.is_impossible,
    CALLS: lambda requests: defects.has_other_call_type(requests, CALL_TYPES),
    NO_FIRST_TOKEN: defects.has_no_first_token,
    GENERATED: defects.is_generated,
}
KEPT = ("key_group", "api_key", "request_id", "start_order")
OF_ROWS = ("unpriced", "ends_before_start", "impossible_amounts")
# A negative kind counts one of these and says nothing of others.
ALONE, TOGETHER = "alone", "together"
COUNTED = (*BITS, ALONE, TOGETHER)
# To group all sessions of a long range takes longer than everything else.
SESSIONS = timedelta(days=7)


def counts(source: Source, filters: Filters) -> Findings:
    """How many requests of the window have a defect that plain columns show?

    A finding for each of `OF_ROWS`, CALLS, NO_FIRST_TOKEN, UNRESOLVED and SINGLE, in this order.
    All are of the requests of the window, but NO_FIRST_TOKEN is of the responses with completion
    tokens, and SINGLE of the requests of the window's last seven days. No request gives zeros.
    """
    groups = source.rows(_groups(source, filters))
    rows = [one for one in groups if one.kind >= 0]
    alone, together = (_with(groups, name) for name in (ALONE, TOGETHER))
    of_rows = (_found(name, _with(groups, name), rows) for name in (*OF_ROWS, CALLS))
    return (
        *of_rows,
        _found(NO_FIRST_TOKEN, _with(groups, NO_FIRST_TOKEN), _with(groups, GENERATED)),
        _found(UNRESOLVED, [one for one in rows if one.is_unnamed], rows),
        _found(SINGLE, alone, [*alone, *together]),
    )


def _groups(source: Source, filters: Filters) -> Select[Any]:
    """All counts in one statement: rows of kind, is_unnamed, requests and since."""
    window = filters.window
    last = TimeWindow(max(window.start, window.end - SESSIONS), window.end)
    requests = source.requests(filters)
    parts = [_of_sessions(source.requests(replace(filters, window=last)))]
    if are_columns(requests):
        # A replica reads only the columns of each defect, and of most files not even those.
        parts += [_of_one(requests, name) for name in BITS]
        parts.append(_of_kinds(source, _of_no_kind(requests)))
    else:
        parts.append(_of_kinds(source, _with_kinds(requests)))
    return select(*union_all(*parts).subquery("parts").c)


def requests_in(found: Findings) -> int:
    """How many requests has the window of these counts?"""
    return next(one.of for one in found if one.name == UNRESOLVED)


def _kind(name: str) -> int:
    return -1 - COUNTED.index(name)


def _with(groups: Sequence[Row[Any]], name: str) -> list[Row[Any]]:
    """Those of this one thing, and those whose kind has its bit."""
    bit = 1 << COUNTED.index(name)
    return [one for one in groups if one.kind == _kind(name) or (one.kind >= 0 and one.kind & bit)]


def _found(name: str, groups: Sequence[Row[Any]], of: Sequence[Row[Any]]) -> Finding:
    since = min((one.since for one in groups if one.since), default=None)
    rows, read = (sum(one.requests or 0 for one in some) for some in (groups, of))
    return Finding(name, rows, read, since)


def _of_kinds(source: Source, known: Subquery) -> Select[Any]:
    """One scan: how many requests of each kind has each key? Then by whether it has a name."""
    of_key = (known.c.key_group, known.c.kind)
    figures = (func.count().label("requests"), first_start(known).label("start_order"))
    grouped = select(*of_key, *figures, measures.sample(known)).group_by(*of_key).cte("grouped")
    unnamed = _unnamed(source, grouped)
    is_same_key = unnamed.c.key_group == grouped.c.key_group
    named = select(
        grouped.c.kind,
        func.coalesce(unnamed.c.is_unnamed, False, type_=Boolean()).label("is_unnamed"),
        grouped.c.requests,
        grouped.c.start_order,
    ).select_from(grouped.outerjoin(unnamed, is_same_key))
    return _summed(named.subquery("named"))


def _summed(groups: Subquery) -> Select[Any]:
    return select(
        groups.c.kind,
        groups.c.is_unnamed,
        measures.added_up(groups.c.requests).label("requests"),
        utc(first_start(groups)).label("since"),
    ).group_by(groups.c.kind, groups.c.is_unnamed)


def _with_kinds(requests: Subquery) -> Subquery:
    """The requests with their kinds, which PostgreSQL computes once per row."""
    kind: ColumnElement[int] = literal(0, Integer())
    for number, has in enumerate(BITS.values()):
        kind = kind + case((has(requests), 1 << number), else_=0)
    kept = (requests.c[name] for name in KEPT)
    return select(*kept, kind.label("kind")).offset(0).subquery("known")


def _of_no_kind(requests: Subquery) -> Subquery:
    kept = (requests.c[name] for name in KEPT)
    return select(*kept, literal(0, Integer()).label("kind")).subquery("known")


def _of_one(requests: Subquery, name: str) -> Select[Any]:
    """How many requests have this one defect?"""
    figures = (func.count().label("requests"), first_start(requests).label("start_order"))
    found = select(*figures).where(BITS[name](requests)).subquery(name)
    kind, unnamed = literal(_kind(name)).label("kind"), literal(False).label("is_unnamed")
    return _summed(select(*found.c, kind, unnamed).subquery(f"of_{name}"))


def _unnamed(source: Source, grouped: FromClause) -> Subquery:
    """Which keys have no name? Looked up once for each."""
    sample = measures.last_of(grouped.c.sample).label("sample")
    keys = select(grouped.c.key_group, sample).group_by(grouped.c.key_group).subquery("keys")
    identity = key_or_none(keys.c.key_group)
    name = source.name_of("key", identity, keys.c.sample)
    unnamed = is_unnamed(identity, name).label("is_unnamed")
    return select(keys.c.key_group, unnamed).subquery("unnamed")


def _of_sessions(requests: Subquery) -> Select[Any]:
    """How many requests are alone in their session, and how many are not?"""
    each = select(func.count().label("requests"), first_start(requests).label("start_order"))
    sessions = each.group_by(requests.c.session_group).subquery("sessions")
    kind = case((sessions.c.requests == 1, _kind(ALONE)), else_=_kind(TOGETHER))
    unnamed = literal(False).label("is_unnamed")
    return _summed(select(*sessions.c, kind.label("kind"), unnamed).subquery("kinds_of_sessions"))

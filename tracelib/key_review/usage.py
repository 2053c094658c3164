"""What the log knows of each key: how often, by which model, from where, and since when."""

from typing import Any

import pandas as pd
from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.types import BigInteger, Boolean, DateTime, Numeric, Text

from tracelib.filters import Filters
from tracelib.key_review.catalogue import DORMANT
from tracelib.keys import HASH, NAMES
from tracelib.source import Postgres
from tracelib.spendlogs.measures import added_up, first_of, named
from tracelib.spendlogs.names import known_keys
from tracelib.spendlogs.types import MONEY, utc
from tracelib.window import TimeWindow

MOST_UNKNOWN = 100
MOST_ROWS = 200_000
IPV4 = r"^(?:::ffff:)?(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$"
IPV6 = "^([0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]{1,4}):"
# The third group is 0, and left out.
SHORT_IPV6 = "^([0-9a-f]{1,4}:[0-9a-f]{1,4})::"
# What the log is counted by at once, so that it is read once.
COUNTED = ("requests", "failures", "all_requests", "expired_requests", "expired_failures")
GROUPED_BY = ("key_group", "model", "tool", "requester_ip", "user_agent")


def reach_of(window: TimeWindow) -> TimeWindow:
    """How far is the log read for this range? From 90 days before it, to its end."""
    return TimeWindow(window.start - DORMANT, window.end)


def usage_of_keys(source: Postgres, filters: Filters) -> pd.DataFrame:
    """How was each key used in the range of the filters, and in the 90 days before it?

    A row per key and model, per MCP tool, and per network or user agent that is new in the range;
    one per key that is in no table, of the hundred with the most failures; one for the whole log:

        kind           text        model, tool, network, agent, unknown or log
        key            text        as stored
        value          text        of the kind; None for an unknown key
        requests, failures         int, in the range
        all_requests               int, in the range and the 90 days
        first_at, last_at          aware UTC, of all
        last_success_at, last_failure_at    aware UTC
        expired_requests, expired_failures  int, after the key expired
        expired_usd                numeric, US dollars
        knew_network, knew_agent   bool, whether any was known before the range
        addresses, address         int and text: how many, and one of them
        keys                       int, how many keys are in no table in all

    Unknown keys only for a viewer of everything. No request gives one row.
    """
    read = Filters(reach_of(filters.window))
    finest = _finest(source, source.requests(read), filters.window)
    window = filters.window
    whole = _arm(finest, "log", null().cast(Text()), None)
    arms = [whole, _models(finest, window), _tools(finest), *_new(finest, window)]
    counted = [select(*arm.subquery().c, literal(0, BigInteger()).label("keys")) for arm in arms]
    if source.schema.scope.is_all and known_keys(source.schema) is not None:
        counted.append(select(*_unknown(finest).subquery("unknown").c))
    found = union_all(*counted).subquery("found")
    order = (found.c.kind, found.c.key.collate("C"), found.c.value.collate("C"))
    return source.frame(select(*found.c).order_by(*order).limit(MOST_ROWS))


def _finest(source: Postgres, requests: Subquery, window: TimeWindow) -> CTE:
    """Counts of the finest groups, from which all others are added up."""
    known = known_keys(source.schema)
    is_known: ColumnElement[Any] = literal(True)
    expires: ColumnElement[Any] = null().cast(DateTime())
    joined: FromClause = requests
    if known is not None:
        is_known, expires = known.c.token.is_not(None), known.c.expires
        joined = requests.outerjoin(known, known.c.token == requests.c.stored_key)
    in_range = requests.c.started_at >= window.start
    start, failed = requests.c.start_order, requests.c.is_failure
    is_late = start > expires
    values = [requests.c[name] for name in GROUPED_BY]
    counts = named(
        is_known=func.bool_or(is_known, type_=Boolean()),
        requests=func.count().filter(in_range),
        failures=func.count().filter(in_range, failed),
        all_requests=func.count(),
        first=func.min(start, type_=DateTime()),
        last=func.max(start, type_=DateTime()),
        last_success=func.max(start, type_=DateTime()).filter(~failed),
        last_failure=func.max(start, type_=DateTime()).filter(failed),
        expired_requests=func.count().filter(is_late),
        expired_failures=func.count().filter(is_late, failed),
        expired_usd=func.sum(requests.c.spend_usd, type_=Numeric()).filter(is_late),
    )
    return select(*values, *counts).select_from(joined).group_by(*values).cte("finest")


def _arm(
    finest: CTE, kind: str, value: ColumnElement[Any], window: TimeWindow | None
) -> Select[Any]:
    """The counts per key and value of this kind; with the kind log, of all requests."""
    key = literal("", Text()) if kind == "log" else finest.c.key_group
    grouped_by = [] if kind == "log" else [key, value]
    was_before = false() if window is None else utc(finest.c.first) < window.start
    ip, agent = finest.c.requester_ip, finest.c.user_agent
    return select(
        literal(kind, Text()).label("kind"),
        key.label("key"),
        value.label("value"),
        *(added_up(finest.c[name]).label(name) for name in COUNTED),
        *(_utc_of(finest, name) for name in ("first", "last", "last_success", "last_failure")),
        cast(func.coalesce(func.sum(finest.c.expired_usd), 0), MONEY).label("expired_usd"),
        func.bool_or(and_(was_before, ip.is_not(None)), type_=Boolean()).label("knew_network"),
        func.bool_or(and_(was_before, agent.is_not(None)), type_=Boolean()).label("knew_agent"),
        func.count(ip.distinct()).label("addresses"),
        first_of(ip).label("address"),
    ).group_by(*grouped_by)


def _utc_of(finest: CTE, name: str) -> ColumnElement[Any]:
    moment = func.min if name == "first" else func.max
    return utc(moment(finest.c[name], type_=DateTime())).label(f"{name}_at")


def _models(finest: CTE, window: TimeWindow) -> Select[Any]:
    is_named = finest.c.key_group.in_(list(NAMES))
    return _arm(finest, "model", finest.c.model, window).where(or_(finest.c.is_known, is_named))


def _tools(finest: CTE) -> Select[Any]:
    used = and_(finest.c.is_known, finest.c.tool.is_not(None))
    return _arm(finest, "tool", finest.c.tool, None).where(used)


def _new(finest: CTE, window: TimeWindow) -> list[Select[Any]]:
    """The networks and user agents that were first seen in the range."""
    kinds = {"network": _network(finest.c.requester_ip), "agent": finest.c.user_agent}
    is_new = utc(func.min(finest.c.first, type_=DateTime())) >= window.start
    return [
        _arm(finest, kind, value, None).where(finest.c.is_known, value.is_not(None)).having(is_new)
        for kind, value in kinds.items()
    ]


def _network(ip: ColumnElement[str]) -> ColumnElement[str]:
    """The /24 of an IPv4 address, the /48 of an IPv6 address; the text of anything else."""
    small = func.lower(ip, type_=Text())
    v4, v6, short_v6 = (
        func.substring(small, pattern, type_=Text()) for pattern in (IPV4, IPV6, SHORT_IPV6)
    )
    return case(
        (v4.is_not(None), v4.concat(".0/24")),
        (v6.is_not(None), v6.concat("::/48")),
        (short_v6.is_not(None), short_v6.concat(":0::/48")),
        else_=small,
    )


def _unknown(finest: CTE) -> Select[Any]:
    """Keys that are in no table and whose requests all failed, those with most failures first."""
    is_hash = finest.c.key_group.regexp_match(f"^{HASH}$")
    nothing = null().cast(Text())
    only_failed = func.max(finest.c.last_success).is_(None)
    failed = added_up(finest.c.failures)
    rows = (
        _arm(finest, "unknown", nothing, None)
        .where(~finest.c.is_known, is_hash)
        .having(only_failed, failed > 0)
        .subquery("rows")
    )
    total = func.count().over()
    order = (rows.c.failures.desc(), rows.c.key.collate("C"))
    return select(*rows.c, total.label("keys")).order_by(*order).limit(MOST_UNKNOWN)

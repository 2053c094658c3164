"""Whose requests are these, and which key, model or session has most of them?"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Subquery, case, cast, func, literal, null, select, union_all
from sqlalchemy.types import BigInteger, Text

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.conditions import key_or_none
from tracelib.spendlogs.types import MONEY

DIMENSIONS = ("key", "model", "session", "team", "user")


@dataclass(frozen=True, slots=True)
class Driver:
    """The one of a dimension with the largest share, of cost or, without cost, of requests.

    `count` is how many the dimension has; `name` is None for a session, and for what has none.
    """

    dimension: str
    name: str | None
    share: float | None
    count: int


def drivers(source: Source, filters: Filters, are_failures: bool) -> tuple[Driver, ...]:
    """Which key, model, session, team and user has most of these requests, or of the failures?

    One of each of `DIMENSIONS` that any of the requests has, by name of the dimension.
    """
    requests = source.requests(filters)
    if are_failures:
        failed = select(*requests.c).where(requests.c.is_failure)
        requests = failed.subquery("failed")
    rows = source.rows(_drivers(source, requests))
    return tuple(Driver(row.dimension, row.name, row.share, row.ids) for row in rows)


def _drivers(source: Source, requests: Subquery) -> Select[Any]:
    arms = [_first(source, requests, one) for one in DIMENSIONS]
    found = union_all(*arms).subquery("found")
    return select(*found.c).order_by(found.c.dimension)


def _first(source: Source, requests: Subquery, dimension: str) -> Select[Any]:
    value = requests.c[{"key": "key_group", "session": "session_group"}.get(dimension, dimension)]
    cost = func.coalesce(func.sum(requests.c.spend_usd, type_=MONEY), 0, type_=MONEY)
    grouped = (
        select(
            value.label("id"),
            cost.label("cost_usd"),
            func.count().label("requests"),
            measures.sample(requests),
        )
        .where(value.is_not(None))
        .group_by(value)
        .subquery(f"grouped_{dimension}")
    )
    size = grouped.c.cost_usd, grouped.c.requests
    tie = grouped.c.id if dimension == "session" else measures.alphabetical(grouped.c.id)
    rank = func.row_number(type_=BigInteger()).over(order_by=[*(one.desc() for one in size), tie])
    whole_usd = func.sum(grouped.c.cost_usd, type_=MONEY).over()
    whole = cast(func.sum(grouped.c.requests).over(), BigInteger)
    ranked = select(
        *grouped.c,
        rank.label("rank"),
        cast(func.count().over(), BigInteger).label("ids"),
        case(
            (whole_usd > 0, measures.ratio(grouped.c.cost_usd, whole_usd)),
            else_=measures.ratio(grouped.c.requests, whole),
        ).label("share"),
    ).subquery(f"ranked_{dimension}")
    return select(
        literal(dimension, Text()).label("dimension"),
        _name(source, ranked, dimension).label("name"),
        ranked.c.share,
        ranked.c.ids,
    ).where(ranked.c.rank == 1)


def _name(source: Source, ranked: Subquery, dimension: str) -> Any:
    if dimension == "session":
        return null().cast(Text())
    identity = key_or_none(ranked.c.id) if dimension == "key" else ranked.c.id
    return source.name_of(dimension, identity, ranked.c.sample)

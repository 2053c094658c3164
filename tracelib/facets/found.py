"""What is really in the log, so that a drop-down offers nothing that would show nothing."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, Row, Select, Subquery, func, literal, select, union_all
from sqlalchemy.types import BigInteger, Text

from tracelib.facets.value import Facet, Facets, told_apart
from tracelib.filters import DIMENSIONS, NONE, Filters
from tracelib.schema import Schema
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.names import name_of
from tracelib.spendlogs.shown import key_or_none
from tracelib.window import recent

REACH = timedelta(days=90)
NEWEST = 100_000
MOST = 200


def facets(source: Source, now: datetime) -> Facets:
    """Which models, providers, users, teams and keys are there to choose from?

    Out of the newest 100,000 requests of the 90 days before `now`; in each dimension at most
    200, the most used first, ties by id. Requests without a value are the facet `NONE`. Two
    ids of the same name carry the id behind it. No request gives empty dimensions.
    """
    requests = source.requests(Filters(recent(REACH, now)))
    rows = source.rows(_facets(source.schema, requests))
    return Facets(**{dimension: _of(dimension, rows) for dimension in DIMENSIONS})


def _of(dimension: str, rows: Iterable[Row[Any]]) -> tuple[Facet, ...]:
    return told_apart(
        [
            Facet(NONE, NONE, row.requests)
            if row.id is None
            else Facet(row.id, row.name, row.requests)
            for row in rows
            if row.dimension == dimension
        ]
    )


def _facets(schema: Schema, requests: Subquery) -> Select[Any]:
    """The rows are read once, into a line for each combination of values."""
    together = _together(requests)
    arms = (_most_used(schema, together, dimension) for dimension in DIMENSIONS)
    found = union_all(*arms).subquery("found")
    return select(*found.c).order_by(found.c.dimension, found.c.rank)


def _together(requests: Subquery) -> CTE:
    """The identity of a key is worked out for each line rather than for each row."""
    grouped_by = ["key_group" if one == "key" else one for one in DIMENSIONS]
    columns = [requests.c[name] for name in grouped_by]
    newest = (
        select(*columns, requests.c.request_id)
        .order_by(requests.c.start_order.desc(), requests.c.request_id)
        .limit(NEWEST)
        .subquery("newest")
    )
    values = [newest.c[name] for name in grouped_by]
    grouped = (
        select(
            *values,
            func.count().label("requests"),
            func.max(newest.c.request_id, type_=Text()).label("sample_request_id"),
        )
        .group_by(*values)
        .subquery("grouped")
    )
    return select(*grouped.c, key_or_none(grouped.c.key_group).label("key")).cte("together")


def _most_used(schema: Schema, together: CTE, dimension: str) -> Select[Any]:
    each = _ranked(together, dimension).subquery(f"each_{dimension}")
    return select(
        literal(dimension, Text()).label("dimension"),
        each.c.id,
        name_of(schema, dimension, each.c.id, each.c.sample_request_id).label("name"),
        each.c.requests,
        each.c.rank,
    ).where(each.c.rank <= MOST)


def _ranked(together: CTE, dimension: str) -> Select[Any]:
    value = together.c[dimension]
    requests = measures.added_up(together.c.requests)
    return select(
        value.label("id"),
        requests.label("requests"),
        func.max(together.c.sample_request_id, type_=Text()).label("sample_request_id"),
        func.row_number(type_=BigInteger()).over(order_by=(requests.desc(), value)).label("rank"),
    ).group_by(value)

"""The values to filter by: the recent models, providers, users, teams and keys."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, Row, Select, Subquery, func, literal, select, union_all
from sqlalchemy.types import BigInteger, Text

from tracelib.filters import DIMENSIONS, NONE, Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.conditions import key_or_none
from tracelib.spendlogs.types import are_columns
from tracelib.window import recent

SHORT = 8


@dataclass(frozen=True, slots=True)
class Facet:
    """One value: the ID for filters, its name, and its number of recent requests."""

    id: str
    name: str
    requests: int


@dataclass(frozen=True, slots=True)
class Facets:
    """The values of each of `filters.DIMENSIONS`, the most used first."""

    by_dimension: Mapping[str, tuple[Facet, ...]] = field(default_factory=dict)

    def of(self, dimension: str) -> tuple[Facet, ...]:
        """The values of this dimension."""
        return self.by_dimension.get(dimension, ())

    def names(self, dimension: str) -> dict[str, str]:
        """The name of each ID of this dimension, in the order of the facets."""
        return {facet.id: facet.name for facet in self.of(dimension)}


def with_unique_names(found: Sequence[Facet]) -> tuple[Facet, ...]:
    """The facets with unique names: if two IDs share a name, each has its ID appended.

    >>> twins = (Facet("a1", "Ada", 2), Facet("b2", "Ada", 1), Facet("c3", "Bo", 1))
    >>> [facet.name for facet in with_unique_names(twins)]
    ['Ada (a1)', 'Ada (b2)', 'Bo']
    """
    shared = {name for name, count in Counter(facet.name for facet in found).items() if count > 1}
    alike = Counter((facet.name, _shortened(facet.id)) for facet in found)
    return tuple(
        replace(facet, name=f"{facet.name} ({_id(facet, alike)})")
        if facet.name in shared
        else facet
        for facet in found
    )


def _id(facet: Facet, alike: Counter[tuple[str, str]]) -> str:
    short = _shortened(facet.id)
    return short if alike[facet.name, short] == 1 else facet.id


def _shortened(identity: str) -> str:
    return identity if len(identity) <= SHORT + 1 else f"{identity[:SHORT]}…"


REACH = timedelta(days=90)
NEWEST = 100_000
MOST = 200


def facets(source: Source, now: datetime) -> Facets:
    """Which models, providers, users, teams and keys are there to choose from?

    From the requests of the 90 days before `now`, the newest 100,000 of them outside a replica; in
    each dimension at most 200, the most used first, ties by ID. Requests without a value are the
    facet `NONE`. If two IDs share a name, it is followed by the ID. No request gives empty
    dimensions.
    """
    requests = source.requests(Filters(recent(REACH, now)))
    rows = source.rows(_facets(source, requests))
    return Facets({dimension: _of(dimension, rows) for dimension in DIMENSIONS})


def _of(dimension: str, rows: Iterable[Row[Any]]) -> tuple[Facet, ...]:
    return with_unique_names(
        [
            Facet(NONE, NONE, row.requests)
            if row.id is None
            else Facet(row.id, row.name, row.requests)
            for row in rows
            if row.dimension == dimension
        ]
    )


def _facets(source: Source, requests: Subquery) -> Select[Any]:
    counts = {dimension: _counts(requests, dimension) for dimension in DIMENSIONS}
    if not are_columns(requests):
        # The rows are read once, and counted per combination of values.
        counts = dict.fromkeys(DIMENSIONS, _together(requests))
    arms = (_most_used(source, counts[dimension], dimension) for dimension in DIMENSIONS)
    found = union_all(*arms).subquery("found")
    return select(*found.c).order_by(found.c.dimension, found.c.rank)


def _counts(requests: Subquery, dimension: str) -> CTE:
    value = requests.c[dimension]
    counted = select(value, func.count().label("requests"), measures.sample(requests))
    return counted.group_by(value).cte(f"counts_{dimension}")


def _together(requests: Subquery) -> CTE:
    """The identity of a key is computed per combination rather than per row."""
    grouped_by = ["key_group" if one == "key" else one for one in DIMENSIONS]
    columns = [requests.c[name] for name in grouped_by]
    newest = (
        select(*columns, requests.c.request_id)
        .order_by(requests.c.start_order.desc(), measures.alphabetical(requests.c.request_id))
        .limit(NEWEST)
        .subquery("newest")
    )
    values = [newest.c[name] for name in grouped_by]
    grouped = (
        select(
            *values,
            func.count().label("requests"),
            measures.last_of(newest.c.request_id).label("sample"),
        )
        .group_by(*values)
        .subquery("grouped")
    )
    return select(*grouped.c, key_or_none(grouped.c.key_group).label("key")).cte("together")


def _most_used(source: Source, together: CTE, dimension: str) -> Select[Any]:
    each = _ranked(together, dimension).subquery(f"each_{dimension}")
    return select(
        literal(dimension, Text()).label("dimension"),
        each.c.id,
        source.name_of(dimension, each.c.id, each.c.sample).label("name"),
        each.c.requests,
        each.c.rank,
    ).where(each.c.rank <= MOST)


def _ranked(together: CTE, dimension: str) -> Select[Any]:
    value = together.c[dimension]
    requests = measures.added_up(together.c.requests)
    order = (requests.desc(), measures.alphabetical(value))
    return select(
        value.label("id"),
        requests.label("requests"),
        measures.last_of(together.c.sample).label("sample"),
        func.row_number(type_=BigInteger()).over(order_by=order).label("rank"),
    ).group_by(value)

"""Percentiles of a set of requests: by the database's own aggregate, or by counting equal values.

Counts add up over parts of the requests: by counting, a distributed database computes them where
its rows are. Over all requests of a replica counting is also several times as quick. In many groups
it takes more memory than the aggregate, which is used there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Numeric, Select, cast, func, literal, select, type_coerce
from sqlalchemy.sql.selectable import Subquery
from sqlalchemy.types import BigInteger, Double

from tracelib.spendlogs.measures import Relation
from tracelib.spendlogs.types import Counted, are_columns

# To a thousandth: beyond it, databases interpolate differently.
THOUSANDTHS: Numeric[Any] = Numeric(30, 3)


@dataclass(frozen=True, slots=True)
class Percentile:
    """The value of a column below which is this fraction of the known ones."""

    column: str
    fraction: float

    def __call__(self, requests: Relation) -> ColumnElement[float]:
        """The same as an aggregate over these requests."""
        return percentile(requests.c[self.column], self.fraction)


def percentile(value: ColumnElement[Any], fraction: float) -> ColumnElement[float]:
    """Below which value is this fraction of the known ones? Interpolated; None if there are none.

    The dialect of a replica in files has a quicker form of it.
    """
    within = func.percentile_cont(fraction).within_group(value)
    return _rounded(type_coerce(within, Double()))


def are_counted(requests: Relation, by: Sequence[ColumnElement[Any]]) -> bool:
    """Are percentiles of these groups of requests computed by counting?"""
    if not are_columns(requests):
        return False
    return not by or isinstance(requests.c.response_ms.type, Counted)


def counted(
    requests: Relation,
    by: Sequence[ColumnElement[Any]],
    wanted: Mapping[str, Percentile],
    column: str,
) -> Select[Any]:
    """The percentiles of this column in each group, under their names, by counting equal values.

    The columns of `by` and those of `wanted`. A group without a known value has no row.
    """
    value = requests.c[column]
    equal = (
        select(*by, value.label("value"), func.count().label("times"))
        .where(value.is_not(None))
        .group_by(*by, value)
        .cte(f"equal_{column}")
    )
    groups = [equal.c[one.name] for one in by]
    over: dict[str, Any] = {"partition_by": groups} if groups else {}
    upto = func.sum(equal.c.times, type_=BigInteger()).over(order_by=equal.c.value, **over)
    total = func.sum(equal.c.times, type_=BigInteger()).over(**over)
    first = cast(upto, BigInteger) - equal.c.times
    placed = select(
        *groups,
        cast(equal.c.value, Double).label("value"),
        first.label("first"),
        cast(total, BigInteger).label("total"),
    ).subquery(f"placed_{column}")
    found = [_interpolated(placed, one.fraction).label(name) for name, one in wanted.items()]
    keys = [placed.c[one.name] for one in by]
    return select(*keys, *found).group_by(*keys)


def _interpolated(placed: Subquery, fraction: float) -> ColumnElement[float]:
    """As `percentile_cont`: between the two values around this fraction of the places from 0."""
    place: ColumnElement[float] = literal(fraction, Double()) * cast(placed.c.total - 1, Double)
    below, above = (_value_at(placed, edge(place)) for edge in (func.floor, func.ceil))
    rest: ColumnElement[float] = func.max(place - func.floor(place), type_=Double())
    return _rounded(type_coerce(below + (above - below) * rest, Double()))


def _value_at(placed: Subquery, place: ColumnElement[Any]) -> ColumnElement[Any]:
    """The value at this place: the last one that begins there or before."""
    return func.max(placed.c.value, type_=Double()).filter(placed.c.first <= place)


def _rounded(value: ColumnElement[float]) -> ColumnElement[float]:
    return cast(cast(value, THOUSANDTHS), Double)


def of_columns(
    computed: Mapping[str, Callable[[Relation], ColumnElement[Any]]],
) -> dict[str, dict[str, Percentile]]:
    """The percentiles among these computations, by the column that they are of."""
    found: dict[str, dict[str, Percentile]] = {}
    for name, compute in computed.items():
        if isinstance(compute, Percentile):
            found.setdefault(compute.column, {})[name] = compute
    return found

"""The cost table: groups by day, week or month, next to the time before."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from sqlalchemy import Row, literal, null, select, union_all
from sqlalchemy.types import BigInteger, Text

from tracelib.costs.periods import PERIODS
from tracelib.costs.sums import BEFORE, FIGURES, by_group, costliest, in_order, of_all
from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.window import TimeWindow

SHOWN = 50
NOTHING = Decimal(0)


class Part(NamedTuple):
    """What some requests of one period add up to."""

    cost_usd: Decimal = NOTHING
    requests: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Costs:
    """What some requests cost, in exact US dollars: in all, in each period, and in the time before.

    `tokens` exclude those served from LiteLLM's cache.
    """

    by_period: tuple[Part, ...]
    earlier_usd: Decimal

    @property
    def cost_usd(self) -> Decimal:
        return sum((one.cost_usd for one in self.by_period), NOTHING)

    @property
    def requests(self) -> int:
        return sum(one.requests for one in self.by_period)

    @property
    def tokens(self) -> int:
        return sum(one.tokens for one in self.by_period)

    def share_of(self, whole: "Costs") -> float | None:
        """The share of the whole cost; None if that is nothing, or less."""
        return float(self.cost_usd / whole.cost_usd) if whole.cost_usd > 0 else None


@dataclass(frozen=True, slots=True)
class Group:
    """A value that requests are grouped by; `id` and `name` are None for requests without one."""

    id: str | None
    name: str | None
    costs: Costs


@dataclass(frozen=True, slots=True)
class CostTable:
    """The groups that cost most, highest first, all others together, and all requests.

    `edges` are the starts of the periods and the end of the last, aware UTC; the first and last may
    be only partly in the window. `others` are the `other_groups` beyond the limit together, None if
    there are none. With `by` tag the groups overlap: they add up to more or less than the `total`.
    """

    by: str
    period: str
    window: TimeWindow
    edges: tuple[datetime, ...]
    groups: tuple[Group, ...]
    others: Costs | None
    other_groups: int
    total: Costs

    @property
    def spans(self) -> list[TimeWindow]:
        """The part of each period that is in the window."""
        start, end = self.window.start, self.window.end
        return [TimeWindow(max(one, start), min(later, end)) for one, later in pairwise(self.edges)]


def cost_table(
    source: Source, filters: Filters, by: str, period: str, limit: int = SHOWN
) -> CostTable:
    """Which groups cost how much in each day, week or month, and in the time before?

    `by` is one of `DIMENSIONS`, `period` one of `PERIODS`. The time before is that of equal length
    just before the window; a group that has requests only then is included. No request gives a
    table without groups, whose total is 0.
    """
    edges = PERIODS[period].edges(filters.window, filters.zone)
    whole = filters.within(TimeWindow(filters.window.previous().start, filters.window.end))
    groups, total = by_group(in_order(source, whole, edges, filters.window.start), by)
    found = costliest(source, groups, by, limit).subquery("costliest")
    every = of_all(total).subquery("every")
    figures = (every.c[name] for name in FIGURES)
    place, last = literal(0, BigInteger()), literal(0, BigInteger())
    nameless = null().cast(Text())
    rows = union_all(
        select(*found.c),
        select(place, every.c.id, nameless, every.c.period, *figures, last),
    ).subquery("rows")
    statement = select(*rows.c).order_by(rows.c.place, rows.c.period)
    return _table(source.rows(statement), filters.window, by, period, edges, limit)


def _table(
    rows: Sequence[Row[Any]],
    window: TimeWindow,
    by: str,
    period: str,
    edges: tuple[datetime, ...],
    limit: int,
) -> CostTable:
    periods = len(edges) - 1
    places = {place: tuple(some) for place, some in groupby(rows, key=lambda row: row.place)}
    costs = {place: _costs(some, periods) for place, some in places.items()}
    last = max((row.last_place for row in rows), default=0)
    return CostTable(
        by=by,
        period=period,
        window=window,
        edges=edges,
        groups=tuple(_groups(places, costs, limit)),
        others=costs.get(limit + 1),
        other_groups=max(last - limit, 0),
        total=costs.get(0) or _costs((), periods),
    )


def _groups(
    places: dict[int, tuple[Row[Any], ...]], costs: dict[int, Costs], limit: int
) -> Iterator[Group]:
    for place, (first, *_) in places.items():
        if 0 < place <= limit:
            yield Group(first.id, first.name, costs[place])


def _costs(rows: Iterable[Row[Any]], periods: int) -> Costs:
    known = {row.period: Part(row.cost_usd, row.requests, row.total_tokens) for row in rows}
    earlier = known.get(BEFORE, Part()).cost_usd
    return Costs(tuple(known.get(one, Part()) for one in range(periods)), earlier)

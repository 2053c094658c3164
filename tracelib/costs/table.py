"""The cost table: groups by day, week or month, next to the time before."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Row, literal, null, select, union_all
from sqlalchemy.types import BigInteger, Text

from tracelib.costs.periods import PERIODS
from tracelib.costs.sums import BEFORE, FIGURES, by_group, costliest, of_all
from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.window import TimeWindow

SHOWN = 50
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Costs:
    """What some requests cost, in exact US dollars: in all, in each period, and in the time before.

    `tokens` exclude those served from LiteLLM's cache.
    """

    cost_usd: Decimal
    earlier_usd: Decimal
    requests: int
    tokens: int
    by_period: tuple[Decimal, ...]

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

    `starts` are the starts of the periods, aware UTC; the first and last may be only partly in the
    window. `others` are the `other_groups` beyond the limit together, None if there are none. With
    `by` tag the groups overlap, so that they add up to more or less than the `total`.
    """

    by: str
    period: str
    starts: tuple[datetime, ...]
    groups: tuple[Group, ...]
    others: Costs | None
    other_groups: int
    total: Costs


def cost_table(
    source: Source, filters: Filters, by: str, period: str, limit: int = SHOWN
) -> CostTable:
    """Which groups cost how much in each day, week or month, and in the time before?

    `by` is one of `DIMENSIONS`, `period` one of `PERIODS`. The time before is that of equal length
    just before the window; a group that has requests only then is included. No request gives a
    table without groups, whose total is 0.
    """
    edges = PERIODS[period].edges(filters.window, filters.zone)
    start = filters.window.start
    whole = filters.within(TimeWindow(filters.window.previous().start, filters.window.end))
    groups, total = by_group(source, whole, by, edges, start)
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
    return _table(source.rows(statement), by, period, edges[:-1], limit)


def _table(
    rows: Sequence[Row[Any]], by: str, period: str, starts: tuple[datetime, ...], limit: int
) -> CostTable:
    places = {place: tuple(some) for place, some in groupby(rows, key=lambda row: row.place)}
    costs = {place: _costs(some, len(starts)) for place, some in places.items()}
    last = max((row.last_place for row in rows), default=0)
    return CostTable(
        by=by,
        period=period,
        starts=starts,
        groups=tuple(_groups(places, costs, limit)),
        others=costs.get(limit + 1),
        other_groups=max(last - limit, 0),
        total=costs.get(0) or _costs((), len(starts)),
    )


def _groups(
    places: dict[int, tuple[Row[Any], ...]], costs: dict[int, Costs], limit: int
) -> Iterator[Group]:
    for place, (first, *_) in places.items():
        if 0 < place <= limit:
            yield Group(first.id, first.name, costs[place])


def _costs(rows: Iterable[Row[Any]], periods: int) -> Costs:
    known = {row.period: row for row in rows}
    since = [row for number, row in known.items() if number > BEFORE]
    by_period = (known[one].cost_usd if one in known else NOTHING for one in range(periods))
    return Costs(
        cost_usd=sum((row.cost_usd for row in since), NOTHING),
        earlier_usd=known[BEFORE].cost_usd if BEFORE in known else NOTHING,
        requests=sum(row.requests for row in since),
        tokens=sum(row.total_tokens for row in since),
        by_period=tuple(by_period),
    )

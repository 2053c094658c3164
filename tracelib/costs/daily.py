"""What each day cost of the current month and of the weeks before, to estimate the month from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import cast, func, select

from tracelib.costs.periods import DAY, PERIODS, months_around
from tracelib.costs.sums import by_period, in_order, of_groups
from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs.types import MONEY
from tracelib.window import TimeWindow, days

HISTORY_DAYS = 28
Days = tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class DailyCosts:
    """What each day cost, in exact US dollars, up to `until`: in all, and of each group by its ID.

    `edges` are the starts of the days, and the end of the last, which is today and not over. Days
    are those of `zone`. Aware UTC.
    """

    edges: tuple[datetime, ...]
    until: datetime
    zone: str
    total: Days
    groups: Mapping[str | None, Days] = field(default_factory=dict)


def reach_of(now: datetime, zone: str) -> TimeWindow:
    """How far is the log read for an estimate at `now`?

    From four weeks before today, or from the start of the month if that is earlier, up to now.
    """
    _, first, _ = months_around(now, zone)
    today = now.astimezone(ZoneInfo(zone)).date()
    start = days(today - HISTORY_DAYS * DAY, today, zone).start
    return TimeWindow(min(first, start), max(now, start + timedelta(minutes=1)))


def daily_costs(
    source: Source, filters: Filters, by: str, ids: tuple[str | None, ...]
) -> DailyCosts:
    """What did each day of the window cost, in all and of the groups with these IDs?

    The window is that of `reach_of`. Groups without a request in it are left out.
    """
    edges = PERIODS["day"].edges(filters.window, filters.zone)
    placed = in_order(source, filters, edges, filters.window.start)
    total = {row.period: row.cost_usd for row in source.rows(by_period(placed))}
    of_each: dict[str | None, dict[int, Decimal]] = {}
    for row in source.rows(of_groups(placed, by, ids)) if ids else ():
        of_each.setdefault(row.id, {})[row.period] = row.cost_usd
    return DailyCosts(
        edges=edges,
        until=filters.window.end,
        zone=filters.zone,
        total=_in_order(total, range(len(edges) - 1)),
        groups={one: _in_order(some, range(len(edges) - 1)) for one, some in of_each.items()},
    )


def _in_order(known: Mapping[int, Decimal], numbers: Iterable[int]) -> Days:
    return tuple(known.get(one, Decimal(0)) for one in numbers)


def month_before(now: datetime, zone: str) -> TimeWindow:
    """The calendar month before that of `now`."""
    before, first, _ = months_around(now, zone)
    return TimeWindow(before, first)


@dataclass(frozen=True, slots=True)
class WholeCost:
    """What a window cost, in exact US dollars, and the start of its first request, aware UTC."""

    cost_usd: Decimal
    first_at: datetime | None


def whole_cost(source: Source, filters: Filters) -> WholeCost:
    """What did all requests of the window cost, and when did the first of them start?"""
    requests = source.requests(filters)
    cost = func.coalesce(func.sum(requests.c.spend_usd, type_=MONEY), cast(0, MONEY))
    first = func.min(requests.c.started_at, type_=requests.c.started_at.type)
    row = source.row(select(cost.label("cost_usd"), first.label("first_at")))
    return WholeCost(Decimal(row.cost_usd), row.first_at)


def cost_of_month(whole: WholeCost, month: Filters) -> float | None:
    """What did the month of these filters cost, in US dollars? None if the log begins within it."""
    if whole.first_at is None or whole.first_at >= month.window.start + DAY:
        return None
    return float(whole.cost_usd)

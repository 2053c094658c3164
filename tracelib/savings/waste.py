"""Wasted money: which requests have a cost and bought nothing?"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, Select, Subquery, cast, func, select
from sqlalchemy.types import BigInteger

from tracelib.filters import Filters
from tracelib.savings.classes import DECLARED, Declared
from tracelib.source import Source
from tracelib.spendlogs import facts, measures
from tracelib.spendlogs.measures import alphabetical
from tracelib.spendlogs.types import MONEY
from tracelib.spendlogs.wasted import READ, is_wasted, waste_class

NEWEST = 20_000
MOST_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Example:
    """A session with requests of a class, and the cost of these, in US dollars."""

    session_id: str
    api_key: str
    requests: int
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class WasteClass:
    """The requests of one class; the examples are its sessions of the highest cost."""

    name: str
    requests: int
    cost_usd: Decimal
    examples: tuple[Example, ...]

    @property
    def declared(self) -> Declared:
        """What the class means."""
        return DECLARED[self.name]


@dataclass(frozen=True, slots=True)
class Waste:
    """The waste among the `requests_read` newest of `requests`, whose cost is `cost_usd`.

    `classes` are those with requests, in the order of `DECLARED`. No request is in two of them, so
    they add up.
    """

    requests: int
    requests_read: int
    cost_usd: Decimal
    classes: tuple[WasteClass, ...]

    @property
    def wasted_usd(self) -> Decimal:
        """The cost of all classes."""
        return sum((one.cost_usd for one in self.classes), Decimal())

    def share(self, cost_usd: Decimal) -> float | None:
        """Which share is this of the cost of the requests read? None if they cost nothing."""
        return float(cost_usd / self.cost_usd) if self.cost_usd > 0 else None


def waste(source: Source, filters: Filters, newest: int = NEWEST) -> Waste:
    """Which requests have a cost and bought nothing, by class?

    Over at most the `newest` requests of the window where the facts are in a JSON document of each
    row, over all in a replica; of all if `requests_read` equals `requests`. No such request gives
    no classes.
    """
    requests = source.requests(filters)
    read = facts.newest(requests, newest, *KEPT)
    totals = source.row(_totals(requests, read))
    found = source.rows(_by_session(_with_class(read)))
    cost = Decimal(totals.cost_usd)
    return Waste(totals.requests, totals.requests_read, cost, _classes(found))


KEPT = (*READ, "session_group", "session_id", "api_key", "start_order", "request_id")


def _totals(requests: Subquery, read: Subquery) -> Select[Any]:
    count = select(func.count().label("requests")).select_from(requests)
    cost = cast(func.coalesce(func.sum(read.c.spend_usd), 0), MONEY).label("cost_usd")
    known = select(func.count().label("requests_read"), cost).select_from(read).subquery("known")
    return select(count.scalar_subquery().label("requests"), *known.c)


def _with_class(read: Subquery) -> Subquery:
    """The requests that are wasted, with their class."""
    known = measures.computed_once(facts.with_facts(read, *KEPT).subquery("known"))
    kept = (known.c[name] for name in KEPT)
    wasted = select(*kept, waste_class(known).label("class_name")).where(is_wasted(known))
    return wasted.subquery("wasted")


def _by_session(wasted: Subquery) -> Select[Any]:
    """The sessions of each class with the highest cost, next to the sums of the class."""
    of_session = (wasted.c.class_name, wasted.c.session_group)
    each = (
        select(
            wasted.c.class_name,
            measures.first_of(wasted.c.session_id).label("session_id"),
            measures.first_of(wasted.c.api_key).label("api_key"),
            func.count().label("requests"),
            func.sum(wasted.c.spend_usd, type_=MONEY).label("cost_usd"),
        )
        .group_by(*of_session)
        .subquery("each")
    )
    order = (each.c.cost_usd.desc(), alphabetical(each.c.session_id), alphabetical(each.c.api_key))
    of_class = each.c.class_name
    ranked = select(
        *each.c,
        func.row_number(type_=BigInteger())
        .over(partition_by=of_class, order_by=order)
        .label("place"),
        cast(func.sum(each.c.requests).over(partition_by=of_class), BigInteger).label(
            "of_requests"
        ),
        cast(func.sum(each.c.cost_usd).over(partition_by=of_class), MONEY).label("of_cost_usd"),
    ).subquery("ranked")
    shown = select(*ranked.c).where(ranked.c.place <= MOST_EXAMPLES)
    return shown.order_by(alphabetical(ranked.c.class_name), ranked.c.place)


def _classes(found: Sequence[Row[Any]]) -> tuple[WasteClass, ...]:
    by_name: dict[str, list[Row[Any]]] = {}
    for row in found:
        by_name.setdefault(row.class_name, []).append(row)
    return tuple(_class(name, by_name[name]) for name in DECLARED if name in by_name)


def _class(name: str, rows: Sequence[Row[Any]]) -> WasteClass:
    examples = (
        Example(one.session_id, one.api_key, one.requests, Decimal(one.cost_usd)) for one in rows
    )
    first = rows[0]
    return WasteClass(name, first.of_requests, Decimal(first.of_cost_usd), tuple(examples))

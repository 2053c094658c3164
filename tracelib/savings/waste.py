"""Wasted money: which requests have a cost and bought nothing?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import CTE, FromClause, Row, Select, Subquery, and_, cast, func, select, true
from sqlalchemy.types import BigInteger

from tracelib.filters import Filters
from tracelib.savings.bodies import NEWEST_BODIES, bodies
from tracelib.savings.classes import DECLARED, Declared
from tracelib.source import Source
from tracelib.spendlogs import facts, measures
from tracelib.spendlogs.measures import Relation, alphabetical
from tracelib.spendlogs.types import MONEY
from tracelib.spendlogs.wasted import (
    CACHEABLE,
    READ,
    TTLS,
    is_served_within,
    is_wasted,
    waste_class,
)

NEWEST = 20_000
ENOUGH = Decimal("0.8")
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
    they add up. `bodies_read` is the number of requests whose bodies were compared, of which alone
    some classes are known. `cacheable_usd` is what a cache could have served, by the time that it
    keeps responses, in seconds.
    """

    requests: int
    requests_read: int
    cost_usd: Decimal
    classes: tuple[WasteClass, ...]
    bodies_read: int = 0
    cacheable_usd: tuple[tuple[int, Decimal], ...] = ()

    @property
    def wasted_usd(self) -> Decimal:
        """The cost of all classes."""
        return sum((one.cost_usd for one in self.classes), Decimal())

    @property
    def ttl_s(self) -> int | None:
        """Which is the shortest time that gets 80 % of what the longest does? None for nothing."""
        most = max((usd for _, usd in self.cacheable_usd), default=Decimal())
        enough = (ttl for ttl, usd in self.cacheable_usd if most and usd >= most * ENOUGH)
        return next(enough, None)

    def share(self, cost_usd: Decimal) -> float | None:
        """Which share is this of the cost of the requests read? None if they cost nothing."""
        return float(cost_usd / self.cost_usd) if self.cost_usd > 0 else None


def waste(source: Source, filters: Filters, newest: int = NEWEST) -> Waste:
    """Which requests have a cost and bought nothing, as far as no body is needed to know?

    Over at most the `newest` requests of the window where the facts are in a JSON document of each
    row, over all in a replica; of all if `requests_read` equals `requests`. No such request gives
    no classes.
    """
    requests = source.requests(filters)
    read = facts.newest(requests, newest, *KEPT)
    known = measures.computed_once(facts.with_facts(read, *KEPT).subquery("known"))
    wasted = _classified(known, of_bodies=False)
    return _found(source.rows(_statement(requests, read, wasted)))


def waste_of_bodies(source: Source, filters: Filters, newest: int = NEWEST_BODIES) -> Waste:
    """Which other requests bought nothing, by what their bodies show?

    As `waste`, whose requests are in none of these classes. Over at most the `newest` requests with
    a stored prompt, which are compared with each other, or all of a replica that reads bodies; of
    requests without bodies nothing is known.
    """
    requests, known = bodies(source, filters, newest)
    wasted = _classified(known, of_bodies=True)
    return _found(source.rows(_statement(requests, known, wasted, _served(wasted))))


KEPT = (*READ, "session_group", "session_id", "api_key", "start_order", "request_id")
SERVED = tuple(f"within_{ttl}" for ttl in TTLS)


def _statement(
    requests: Subquery, read: Relation, wasted: CTE, served: Select[Any] | None = None
) -> Select[Any]:
    """The sums in each row, next to a session of a class; one row without a session for none."""
    sessions = _by_session(wasted).subquery("sessions")
    parts = [_totals(requests, read).subquery("totals")]
    if served is not None:
        parts.append(served.subquery("served"))
    joined: FromClause = parts[0]
    for part in (*parts[1:], sessions):
        joined = joined.outerjoin(part, true())
    columns = (column for part in (*parts, sessions) for column in part.c)
    order = (alphabetical(sessions.c.class_name), sessions.c.place)
    return select(*columns).select_from(joined).order_by(*order)


def _found(rows: Sequence[Row[Any]]) -> Waste:
    first = rows[0]
    sums = first._mapping
    by_ttl = (
        (ttl, Decimal(sums[name])) for ttl, name in zip(TTLS, SERVED, strict=True) if name in sums
    )
    cost = Decimal(first.cost_of_read)
    return Waste(
        first.of_all, first.requests_read, cost, _classes(rows), cacheable_usd=tuple(by_ttl)
    )


def together(waste: Waste, of_bodies: Waste | None) -> Waste:
    """The classes of `waste`, and of `waste_of_bodies` as far as these are known."""
    if of_bodies is None:
        return waste
    return replace(
        waste,
        classes=(*waste.classes, *of_bodies.classes),
        bodies_read=of_bodies.requests_read,
        cacheable_usd=of_bodies.cacheable_usd,
    )


def _totals(requests: Subquery, read: Relation) -> Select[Any]:
    count = select(func.count()).select_from(requests).scalar_subquery()
    cost = cast(func.coalesce(func.sum(read.c.spend_usd), 0), MONEY).label("cost_of_read")
    known = select(func.count().label("requests_read"), cost).select_from(read).subquery("known")
    return select(count.label("of_all"), *known.c)


def _classified(known: Relation, of_bodies: bool) -> CTE:
    kept = (known.c[name] for name in (*KEPT, *(("repeated_after_ms",) if of_bodies else ())))
    wasted = select(*kept, waste_class(known, of_bodies).label("class_name"))
    return wasted.where(is_wasted(known, of_bodies)).cte("wasted")


def _served(wasted: CTE) -> Select[Any]:
    """The cost of what a cache could have served, by the time that it keeps responses."""
    is_cacheable = wasted.c.class_name == CACHEABLE
    sums = (
        func.sum(wasted.c.spend_usd).filter(is_cacheable, is_served_within(wasted, ttl)).label(name)
        for ttl, name in zip(TTLS, SERVED, strict=True)
    )
    each = select(*sums).subquery("sums")
    return select(*(cast(func.coalesce(one, 0), MONEY).label(one.name) for one in each.c))


def _by_session(wasted: CTE) -> Select[Any]:
    """The sessions of each class with the highest cost, next to the sums of the class."""
    top = _top(wasted)
    is_in = and_(
        wasted.c.class_name == top.c.class_name, wasted.c.session_group == top.c.session_group
    )
    sums = (top.c.class_name, top.c.requests, top.c.cost_usd, top.c.of_requests, top.c.of_cost_usd)
    named = (
        select(
            *sums,
            measures.first_of(wasted.c.session_id).label("session_id"),
            measures.first_of(wasted.c.api_key).label("api_key"),
        )
        .select_from(top.join(wasted, is_in))
        .group_by(*sums, top.c.session_group)
        .subquery("named")
    )
    names = (alphabetical(named.c.session_id), alphabetical(named.c.api_key))
    place = func.row_number(type_=BigInteger()).over(
        partition_by=named.c.class_name, order_by=(named.c.cost_usd.desc(), *names)
    )
    ranked = select(*named.c, place.label("place")).subquery("ranked")
    return select(*ranked.c).where(ranked.c.place <= MOST_EXAMPLES)


def _top(wasted: CTE) -> Subquery:
    """The first few sessions of each class and all that cost as much, by their numbers alone.

    IDs of all sessions would take more memory than a replica may use.
    """
    of_session = (wasted.c.class_name, wasted.c.session_group)
    cost = func.sum(wasted.c.spend_usd, type_=MONEY).label("cost_usd")
    each = select(*of_session, func.count().label("requests"), cost).group_by(*of_session)
    sums = each.subquery("each")
    of_class = sums.c.class_name
    ranked = select(
        *sums.c,
        func.rank().over(partition_by=of_class, order_by=sums.c.cost_usd.desc()).label("rank"),
        cast(func.sum(sums.c.requests).over(partition_by=of_class), BigInteger).label(
            "of_requests"
        ),
        cast(func.sum(sums.c.cost_usd).over(partition_by=of_class), MONEY).label("of_cost_usd"),
    ).subquery("each_ranked")
    return select(*ranked.c).where(ranked.c.rank <= MOST_EXAMPLES).subquery("top")


def _classes(found: Sequence[Row[Any]]) -> tuple[WasteClass, ...]:
    by_name: dict[str, list[Row[Any]]] = {}
    for row in found:
        by_name.setdefault(row.class_name or "", []).append(row)
    return tuple(_class(name, by_name[name]) for name in DECLARED if name in by_name)


def _class(name: str, rows: Sequence[Row[Any]]) -> WasteClass:
    examples = (
        Example(one.session_id, one.api_key, one.requests, Decimal(one.cost_usd)) for one in rows
    )
    first = rows[0]
    return WasteClass(name, first.of_requests, Decimal(first.of_cost_usd), tuple(examples))

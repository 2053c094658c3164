"""Sums by day, key and owner, with which the cells of a day are compared without reading them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, FromClause, Select, cast, func, literal, null, select
from sqlalchemy import union_all as united
from sqlalchemy.types import DateTime, Text

from tracelib.ledgers.cells import DIGITS, NONE_USD, By, Cells, Owner, Sums, rounded, sums_of
from tracelib.ledgers.classes import LEAST_USD
from tracelib.spendlogs.sums import SUMS
from tracelib.spendlogs.types import MONEY, Weight

EVERY: tuple[By, ...] = ("day", "key", "owner")
SUMMED: tuple[Owner, ...] = ("user", "team")
# No name contains it.
BETWEEN = "\x1f"
# Amounts are multiplied by less than this: DuckDB's decimals have 38 digits.
LIGHT = 2**16
# Of the money of a day: what is left when doubles are added up in any order is less.
NOISE = Decimal("1e-13")


class Check(NamedTuple):
    """Requests and money of the cells of a day, each times a number that depends on its cell.

    Equal cells have equal ones. Others of the same sums have, too, if two cells have the same
    number by chance: once in four billion times, or in 65,536 where only money is in another cell.
    """

    requests: int
    usd: Decimal

    def plus(self, other: "Check") -> "Check":
        """Both together."""
        return Check(self.requests + other.requests, DIGITS.add(self.usd, other.usd))


NOTHING = Check(0, NONE_USD)


class Subtotal(NamedTuple):
    """The sums of a day as 2026-11-28, of a key, or of an owner; days have a check."""

    owner: Owner
    by: By
    id: str
    sums: Sums
    check: Check = NOTHING


@dataclass(frozen=True, slots=True)
class Subtotals:
    """The sums of all requests from the day `first` to `last`, by kind of owner."""

    first: date
    last: date
    rows: tuple[Subtotal, ...] = ()

    def covers(self, day: date) -> bool:
        """Are the requests of this day in them?"""
        return self.first <= day <= self.last


def statement(cells: Mapping[Owner, Select[Any]]) -> Select[Any]:
    """What do these sums add up to by day, by key and by owner, for each kind of owner?

    Each statement has the columns day, own and key, and those of `SUMS`. Rows for `subtotals`.
    """
    weighed = {owner: _weighed(owner, one.subquery()) for owner, one in cells.items()}
    parts = [_added_up(owner, by, one) for owner, one in weighed.items() for by in EVERY]
    return select(united(*parts).subquery("subtotals"))


def _weighed(owner: Owner, cells: FromClause) -> CTE:
    own, key = (func.coalesce(cells.c[name], "", type_=Text()) for name in ("own", "key"))
    weight = Weight(own.concat(BETWEEN).concat(key))
    known = {"day": cells.c.day, "key": key, "owner": own, "weight": weight}
    named = (one.label(name) for name, one in known.items())
    return select(*named, *(cells.c[name] for name in SUMS)).cte(f"by_{owner}")


def _added_up(owner: Owner, by: By, cells: CTE) -> Select[Any]:
    requests = cast(cells.c.requests, MONEY) * cells.c.weight
    usd = cells.c.usd * (cells.c.weight % LIGHT)
    is_day = by == "day"
    nothing = null().cast(Text())
    shown = {
        "owner": literal(owner, Text()),
        "by": literal(by, Text()),
        "day": cells.c.day if is_day else null().cast(cells.c.day.type),
        "id": nothing if is_day else cells.c[by],
        **{name: _sum(cells, name) for name in SUMS},
        "check_requests": func.sum(requests, type_=MONEY) if is_day else cast(null(), MONEY),
        "check_usd": func.sum(usd, type_=MONEY) if is_day else cast(null(), MONEY),
    }
    return select(*(one.label(name) for name, one in shown.items())).group_by(cells.c[by])


def _sum(cells: FromClause, name: str) -> ColumnElement[Any]:
    if isinstance(SUMS[name], DateTime):
        return (func.min if name == "first_at" else func.max)(cells.c[name], type_=SUMS[name])
    return func.sum(cells.c[name], type_=SUMS[name])


def subtotals(rows: Iterable[Sequence[Any]]) -> tuple[Subtotal, ...]:
    """The rows of the statement, in order. Raises a ValueError for a date that is none."""
    return tuple(sorted(map(_subtotal, rows)))


def _subtotal(row: Sequence[Any]) -> Subtotal:
    owner, by, day, name, *sums, requests, usd = row
    # Rounded once it is added up: a source may have read more days at once than another.
    exact = sums_of(sums)._replace(usd=sums[list(SUMS).index("usd")] or NONE_USD)
    if by != "day":
        return Subtotal(owner, by, name, exact)
    known = day.date() if isinstance(day, datetime) else date.fromisoformat(day)
    return Subtotal(owner, by, known.isoformat(), exact, Check(int(requests or 0), usd or NONE_USD))


def added_up(by: By, owner: Owner, parts: Sequence[Subtotals], cells: Cells) -> dict[str, Sums]:
    """The sums of each day, key or owner: of these parts, and of the cells of other days."""
    found: dict[str, Sums] = {}
    for part in parts:
        for one in part.rows:
            if (one.owner, one.by) == (owner, by):
                found[one.id] = found[one.id].plus(one.sums) if one.id in found else one.sums
    # Tags have no subtotals.
    known = [part for part in parts if owner in SUMMED]
    days = {cell.day for cell in cells}
    others = {day for day in days if not any(part.covers(day) for part in known)}
    for cell, sums in cells.items():
        if cell.day in others:
            name = cell.named(by)
            found[name] = found[name].plus(sums) if name in found else sums
    return {name: sums._replace(usd=rounded(sums.usd)) for name, sums in found.items()}


def differing_days(owner: Owner, log: Sequence[Subtotals], daily: Sequence[Subtotals]) -> set[date]:
    """On which days have the two not the same cells?"""
    one, other = _days(owner, log), _days(owner, daily)
    nothing = Subtotal(owner, "day", "", Sums())
    return {
        date.fromisoformat(day)
        for day in one.keys() | other.keys()
        if _differ(one.get(day, nothing), other.get(day, nothing))
    }


def _days(owner: Owner, parts: Sequence[Subtotals]) -> dict[str, Subtotal]:
    found: dict[str, Subtotal] = {}
    for one in (row for part in parts for row in part.rows):
        if (one.owner, one.by) == (owner, "day"):
            known = found.get(one.id, one._replace(sums=Sums(), check=NOTHING))
            both = known.sums.plus(one.sums)
            found[one.id] = known._replace(sums=both, check=known.check.plus(one.check))
    return found


def _differ(one: Subtotal, other: Subtotal) -> bool:
    usd = max(abs(one.sums.usd), abs(other.sums.usd))
    noise = LEAST_USD + NOISE * usd
    return (
        one.sums.requests != other.sums.requests
        or one.check.requests != other.check.requests
        or abs(one.sums.usd - other.sums.usd) > noise
        or abs(one.check.usd - other.check.usd) > noise * LIGHT
    )

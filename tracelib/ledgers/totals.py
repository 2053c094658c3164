"""The running totals of keys, teams, users and tags, and what the days of each add up to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    cast,
    column,
    func,
    null,
    or_,
    select,
    table,
)
from sqlalchemy.types import BigInteger, DateTime, Float, Text, TypeEngine

from tracelib.ledgers import daily
from tracelib.ledgers.cells import By, Owner, Sums, rounded, summed
from tracelib.ledgers.daily import Daily
from tracelib.ledgers.logged import A_DAY
from tracelib.ledgers.subtotals import added_up
from tracelib.running_totals import PSEUDO_USER, amount, length_of, whose, window_spends
from tracelib.schema import Schema
from tracelib.source import Postgres
from tracelib.spendlogs.conditions import shown_key
from tracelib.spendlogs.types import MONEY, utc

Kind = Literal["key", "team", "user", "tag"]
KINDS: tuple[Kind, ...] = ("key", "team", "user", "tag")
TABLES: Mapping[Kind, tuple[str, str]] = {
    "key": ("LiteLLM_VerificationToken", "token"),
    "team": ("LiteLLM_TeamTable", "team_id"),
    "user": ("LiteLLM_UserTable", "user_id"),
    "tag": ("LiteLLM_TagTable", "tag_name"),
}
# Where a kind's requests are added up, and the column with its ID.
BOOKED_IN: Mapping[Kind, tuple[Owner, str]] = {
    "key": ("user", "api_key"),
    "team": ("team", "team_id"),
    "user": ("user", "user_id"),
    "tag": ("tag", "tag"),
}
OPTIONAL: Mapping[str, TypeEngine[Any]] = {
    "total_spend": Float(),
    "budget_duration": Text(),
    "budget_reset_at": DateTime(),
}


@dataclass(frozen=True, slots=True)
class BudgetWindow:
    """The current budget window: when it began, aware UTC, and what LiteLLM has counted in it.

    `is_assumed` if the start is not stored, but computed from the next reset.
    """

    duration: str
    start: datetime
    is_assumed: bool
    spend_usd: Decimal


@dataclass(frozen=True, slots=True)
class RunningTotal:
    """What LiteLLM has counted for an ID, in US dollars.

    `spend_usd` begins again at each reset, `total_usd` does not; it is None where LiteLLM has no
    such column. `booked_usd` and `booked_requests` are the sums of all daily totals, None and 0
    if they are unreadable.
    """

    spend_usd: Decimal
    total_usd: Decimal | None
    booked_usd: Decimal | None
    has_budget: bool
    windows: tuple[BudgetWindow, ...] = ()
    booked_requests: int = 0


Totals = Mapping[tuple[Kind, str], RunningTotal]


def totals(source: Postgres, first: date, last: date, tables: Mapping[Owner, Daily]) -> Totals:
    """What are the running totals of all keys, teams, users and tags that the viewer may see?

    `tables` are the daily tables from `first` to `last`, which are not read again. Nothing of a
    kind whose table is missing or unreadable.
    """
    found: dict[tuple[Kind, str], RunningTotal] = {}
    windows = _windows(source)
    for kind in KINDS:
        if not reads(source.schema, kind):
            continue
        read = tables if source.schema.scope.is_all else {}
        booked = _booked(source, kind, first, last, read.get(BOOKED_IN[kind][0]))
        for row in source.rows(_running(source.schema, kind)):
            of_days = None if booked is None else booked.get(row.id, Sums())
            found[kind, row.id] = _total(row, of_days, windows.get((kind, row.id), ()))
    return found


def reads(schema: Schema, kind: Kind) -> bool:
    """May the running totals of this kind be read?"""
    name, id_column = TABLES[kind]
    return schema.reads(name, id_column, "spend")


def _total(row: Any, booked: Sums | None, windows: Sequence[BudgetWindow]) -> RunningTotal:
    spend = rounded(row.spend)
    total = None if row.total_spend is None else rounded(row.total_spend)
    own = () if windows else _assumed(row.budget_duration, row.budget_reset_at, spend)
    has_budget = bool(row.budget_duration or row.has_budget)
    usd, requests = (booked.usd, booked.requests) if booked else (None, 0)
    return RunningTotal(spend, total, usd, has_budget, (*windows, *own), requests)


def _running(schema: Schema, kind: Kind) -> Select[Any]:
    name, id_column = TABLES[kind]
    known = [one for one in (*OPTIONAL, "budget_id") if schema.reads(name, one)]
    kinds = {**OPTIONAL, "budget_id": Text()}
    columns = (column(one, kinds[one]) for one in known)
    rows = table(
        name, column(id_column, Text()), column("spend", Float()), *columns, schema=schema.name
    )
    own = rows.c[id_column]
    shown = shown_key(own) if kind == "key" else own
    budget = rows.c["budget_id"].is_not(None) if "budget_id" in rows.c else null().is_not(None)
    total = amount(rows.c["total_spend"]) if "total_spend" in rows.c else cast(null(), MONEY)
    return select(
        shown.label("id"),
        amount(rows.c.spend).label("spend"),
        total.label("total_spend"),
        _or_null(rows, "budget_duration"),
        utc(_or_null(rows, "budget_reset_at")).label("budget_reset_at"),
        budget.label("has_budget"),
    ).where(own != PSEUDO_USER, *whose(own, kind, schema.scope))


def _or_null(rows: FromClause, name: str) -> ColumnElement[Any]:
    return rows.c[name] if name in rows.c else cast(null(), OPTIONAL[name]).label(name)


def _booked(
    source: Postgres, kind: Kind, first: date, last: date, read: Daily | None
) -> Mapping[str, Sums] | None:
    """Requests and cost of all daily totals of each ID; None if they are unreadable.

    Those that are `read` already, from `first` to `last`, are not read again.
    """
    owner, id_column = BOOKED_IN[kind]
    schema, scope = source.schema, source.schema.scope
    if not daily.reads(schema, owner):
        return None
    rows = table(
        daily.TABLES[owner],
        column(daily.OWNERS[owner], Text()),
        column("api_key", Text()),
        column("date", Text()),
        column("api_requests", BigInteger()),
        column("spend", Float()),
        schema=schema.name,
    )
    own = rows.c[id_column]
    end = (last + A_DAY).isoformat()
    money, number = daily.money_sum(rows.c.spend), func.sum(rows.c.api_requests, type_=BigInteger())
    others = [or_(rows.c.date < first.isoformat(), rows.c.date >= end)] if read else []
    grouped = (
        select(own.label("id"), money.label("usd"), number.label("requests"))
        .where(rows.c.api_key != daily.FLAT_COST, *others, *whose(own, kind, scope))
        .group_by(own)
        .subquery("grouped")
    )
    shown = shown_key(grouped.c.id) if kind == "key" else grouped.c.id
    found: dict[str, Sums] = {}
    for row in source.rows(select(shown.label("id"), grouped.c.usd, grouped.c.requests)):
        one = Sums(int(row.requests or 0), usd=rounded(row.usd))
        found[row.id or ""] = found.get(row.id or "", Sums()).plus(one)
    by: By = "key" if kind == "key" else "owner"
    of_days = added_up(by, owner, read.subtotals, summed(read.rows)) if read else {}
    for name, sums in of_days.items():
        found[name] = found.get(name, Sums()).plus(Sums(sums.requests, usd=sums.usd))
    return found


def _windows(source: Postgres) -> Mapping[tuple[str, str], tuple[BudgetWindow, ...]]:
    """The budget windows whose start LiteLLM stores, of keys and teams."""
    return {
        place: tuple(
            BudgetWindow(one.duration, one.start, False, rounded(one.spend_usd)) for one in some
        )
        for place, some in window_spends(source).items()
    }


def _assumed(
    duration: str | None, reset_at: datetime | None, spend: Decimal
) -> Iterator[BudgetWindow]:
    if duration and reset_at and (length := length_of(duration, reset_at)):
        yield BudgetWindow(duration, reset_at - length, True, spend)

"""The tables in which LiteLLM adds up each day, and what of them a viewer may see."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    FromClause,
    Row,
    Subquery,
    case,
    cast,
    column,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    table,
)
from sqlalchemy.types import BigInteger, DateTime, Float, Text, TypeEngine

from tracelib.keys import key_identity
from tracelib.ledgers import subtotals
from tracelib.ledgers.cells import BookedRow, Cell, Owner, sums_of
from tracelib.ledgers.logged import A_DAY
from tracelib.ledgers.subtotals import SUMMED, Subtotals
from tracelib.permissions.access import Scope
from tracelib.schema import Schema
from tracelib.source import Postgres
from tracelib.spendlogs.conditions import can_be_stored, shown_key, shown_name
from tracelib.spendlogs.measures import AUTOMATIC_TAG
from tracelib.spendlogs.sums import SUMS
from tracelib.spendlogs.types import GREATEST_AMOUNT, MONEY

OWNERS: Mapping[Owner, str] = {"user": "user_id", "team": "team_id", "tag": "tag"}
TABLES: Mapping[Owner, str] = {
    "user": "LiteLLM_DailyUserSpend",
    "team": "LiteLLM_DailyTeamSpend",
    "tag": "LiteLLM_DailyTagSpend",
}
NEEDED = ("date", "api_key", "spend", "api_requests")
# Columns that older versions lack; a ledger is compared without those of its cells.
OPTIONAL: Mapping[str, TypeEngine[Any]] = {
    "model": Text(),
    "custom_llm_provider": Text(),
    "mcp_namespaced_tool_name": Text(),
    "failed_requests": BigInteger(),
    "prompt_tokens": BigInteger(),
    "completion_tokens": BigInteger(),
    "created_at": DateTime(),
    "updated_at": DateTime(),
}
IN_CELLS = {"model": "model", "custom_llm_provider": "provider", "mcp_namespaced_tool_name": "tool"}
# The columns of a cell, after day and owner; in coarse sums only the key, and of tags not that.
FINE = ("api_key", *IN_CELLS)
COARSE: Mapping[Owner, tuple[str, ...]] = {"user": FINE[:1], "team": FINE[:1], "tag": ()}
# Not a key: LiteLLM books a flat cost of a team under it, without requests.
FLAT_COST = "__ptu_flat_cost__"


@dataclass(frozen=True, slots=True)
class Daily:
    """The rows of a daily table by cell.

    `subtotals` are those of finished days, of which `rows` has only what is looked into. `lacking`
    are the columns of a cell that the table lacks, `odd_dates` how many groups of rows were left
    out because their date is none.
    """

    rows: tuple[BookedRow, ...] = ()
    lacking: frozenset[str] = frozenset()
    odd_dates: int = 0
    subtotals: tuple[Subtotals, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A daily table as far as it is compared; `known` are those of `OPTIONAL` that it has.

    Tags without those that LiteLLM adds itself, or these alone.
    """

    source: Postgres
    owner: Owner
    known: tuple[str, ...]
    is_automatic: bool = False

    def grouped(
        self, first: date, last: date, columns: Sequence[str], odd: Sequence[str] = ()
    ) -> Subquery:
        """The sums of the rows of these days that the viewer may see, but of these dates.

        By date, owner and these of its columns.
        """
        rows = self._rows()
        own = rows.c[OWNERS[self.owner]]
        chosen = [*_days(rows, first, last), *_whose(rows, self.owner, self.is_automatic)]
        chosen += within(rows, self.owner, self.source.schema.scope)
        chosen += [rows.c.date.not_in(odd)] if odd else []
        by = [rows.c.date, own.label("own"), *(rows.c[name] for name in columns if name in rows.c)]
        sums = (one.label(name) for name, one in zip(SUMS, _sums(rows), strict=True))
        return select(*by, *sums).where(*chosen).group_by(*by).subquery("grouped")

    def _rows(self) -> FromClause:
        columns: tuple[ColumnClause[Any], ...] = (
            column(OWNERS[self.owner], Text()),
            column("date", Text()),
            column("api_key", Text()),
            column("spend", Float()),
            column("api_requests", BigInteger()),
            *(column(name, OPTIONAL[name]) for name in self.known),
        )
        return table(TABLES[self.owner], *columns, schema=self.source.schema.name)


def reads(schema: Schema, owner: Owner) -> bool:
    """May this daily table be read, as far as a comparison needs it?"""
    return schema.reads(TABLES[owner], OWNERS[owner], *NEEDED)


def _table(source: Postgres, owner: Owner, is_automatic: bool = False) -> Table | None:
    if not reads(source.schema, owner):
        return None
    known = tuple(name for name in OPTIONAL if source.schema.reads(TABLES[owner], name))
    return Table(source, owner, known, is_automatic)


def daily(
    source: Postgres,
    owner: Owner,
    first: date,
    last: date,
    fine_from: date,
    is_automatic: bool = False,
) -> Daily | None:
    """What has LiteLLM added up by this kind of owner on these days? None if that is unreadable.

    Before the day `fine_from` subtotals, or of tags coarse sums. Only what the viewer may see. Tags
    without those that LiteLLM adds itself, or these alone.
    """
    of = _table(source, owner, is_automatic)
    if of is None:
        return None
    parts = []
    if first < fine_from:
        before = first, min(last, fine_from - A_DAY)
        is_summed = owner in SUMMED
        parts += [_summed(of, *before) if is_summed else _cells(of, *before, COARSE[owner])]
    if last >= fine_from:
        parts += [_cells(of, max(first, fine_from), last, FINE)]
    return Daily(
        tuple(row for part in parts for row in part.rows),
        frozenset(cell for name, cell in IN_CELLS.items() if name not in of.known),
        sum(part.odd_dates for part in parts),
        tuple(one for part in parts for one in part.subtotals),
    )


def daily_cells(source: Postgres, first: date, last: date) -> Mapping[Owner, Daily]:
    """What has LiteLLM added up on these UTC days in coarse sums, by user and by team?"""
    tables = {owner: _table(source, owner) for owner in SUMMED}
    return {
        owner: _cells(one, first, last, COARSE[owner])
        for owner, one in tables.items()
        if one is not None
    }


def daily_details(
    source: Postgres, day: date, keys: tuple[str, ...], tags: tuple[str, ...]
) -> Mapping[Owner, Daily]:
    """What has LiteLLM added up on a UTC day, in all columns, of these keys and tags, by owner?"""
    found = {owner: daily(source, owner, day, day, day) for owner in TABLES}
    return {
        owner: replace(
            one, rows=tuple(row for row in one.rows if _is_of(row.cell, owner, keys, tags))
        )
        for owner, one in found.items()
        if one is not None
    }


def _is_of(cell: Cell, owner: Owner, keys: Collection[str], tags: Collection[str]) -> bool:
    return cell.owner in tags if owner == "tag" else cell.key in keys


def _summed(of: Table, first: date, last: date) -> Daily:
    def rows(odd: Sequence[str] = ()) -> Sequence[Row[Any]]:
        grouped = of.grouped(first, last, COARSE[of.owner], odd)
        key = shown_key(grouped.c.api_key).label("key")
        sums = (grouped.c[name] for name in SUMS)
        cells = select(grouped.c.date.label("day"), grouped.c.own, key, *sums)
        return of.source.rows(subtotals.statement({of.owner: cells}))

    found = rows()
    odd = [row.day for row in found if row.by == "day" and _day(row.day) is None]
    known = subtotals.subtotals(rows(odd) if odd else found)
    return Daily(odd_dates=len(odd), subtotals=(Subtotals(first, last, known),))


def _cells(of: Table, first: date, last: date, columns: Sequence[str]) -> Daily:
    grouped = of.grouped(first, last, columns)
    nothing = literal("", Text())
    key, model, provider, tool = (grouped.c.get(name, nothing) for name in FINE)
    shown = select(
        grouped.c.date,
        grouped.c.own,
        shown_key(key).label("key"),
        shown_name(model).label("model"),
        provider.label("provider"),
        tool.label("tool"),
        *(grouped.c[name] for name in SUMS),
    )
    found = [_row(row) for row in of.source.rows(shown)]
    rows = tuple(one for one in found if one is not None)
    return Daily(rows, odd_dates=len(found) - len(rows))


def _row(row: Sequence[Any]) -> BookedRow | None:
    """The sums of a cell; None if its date is none."""
    day = _day(row[0])
    if day is None:
        return None
    owner, key, model, provider, tool = (text or "" for text in tuple(row)[1:6])
    return BookedRow(Cell(day, owner, key, model, provider, tool), sums_of(row[6:]))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _sums(rows: FromClause) -> list[ColumnElement[Any]]:
    """The sums of `sums.SUMS`, of which the last two are when rows were made and last changed."""
    return [
        func.sum(rows.c.api_requests, type_=BigInteger()),
        func.sum(_or_null(rows, "failed_requests"), type_=BigInteger()),
        money_sum(rows.c.spend),
        func.sum(_or_null(rows, "prompt_tokens"), type_=BigInteger()),
        func.sum(_or_null(rows, "completion_tokens"), type_=BigInteger()),
        func.min(_or_null(rows, "created_at"), type_=DateTime()),
        func.max(_or_null(rows, "updated_at"), type_=DateTime()),
    ]


def _or_null(rows: FromClause, name: str) -> ColumnElement[Any]:
    return rows.c[name] if name in rows.c else cast(null(), OPTIONAL[name])


def money_sum(spend: ColumnElement[Any]) -> ColumnElement[Any]:
    """The sum of these doubles as exact decimals; what is no possible amount counts as none."""
    is_amount = spend.between(-GREATEST_AMOUNT, GREATEST_AMOUNT)
    total = func.sum(cast(case((is_amount, spend)), MONEY), type_=MONEY)
    return func.coalesce(total, literal(0, MONEY))


def _days(rows: FromClause, first: date, last: date) -> list[ColumnElement[bool]]:
    end = last + A_DAY
    return [rows.c.date >= first.isoformat(), rows.c.date < end.isoformat()]


def _whose(rows: FromClause, owner: Owner, is_automatic: bool) -> list[ColumnElement[bool]]:
    """Which rows are compared? Every user, also none, but no row without a team or tag."""
    own = rows.c[OWNERS[owner]]
    chosen: list[ColumnElement[bool]] = [rows.c.api_key != FLAT_COST]
    if owner != "user":
        chosen.append(own != "")
    if owner == "tag":
        is_own = own.like(f"{AUTOMATIC_TAG}%")
        chosen.append(is_own if is_automatic else not_(is_own))
    return chosen


def within(rows: FromClause, owner: Owner, scope: Scope) -> list[ColumnElement[bool]]:
    """Which rows of a daily table are of this scope? None of those that it cannot be limited to."""
    own = rows.c[OWNERS[owner]]
    if scope.is_all:
        return []
    if owner == "team":
        return [own.in_([one for one in scope.teams if can_be_stored(one)])]
    if owner == "tag" or scope.teams:
        return [false()]
    keys = [one for one in map(key_identity, scope.keys) if one]
    users = [one for one in scope.users if can_be_stored(one)]
    return [or_(own.in_(users), shown_key(rows.c.api_key).in_(keys))]

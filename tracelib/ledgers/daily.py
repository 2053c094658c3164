"""The tables in which LiteLLM adds up each day, and what of them a viewer may see."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    FromClause,
    Select,
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
from tracelib.ledgers.cells import BookedRow, Cell
from tracelib.ledgers.logged import A_DAY, sums_of
from tracelib.permissions.access import Scope
from tracelib.schema import Schema
from tracelib.source import Postgres
from tracelib.spendlogs.conditions import can_be_stored, shown_key, shown_name
from tracelib.spendlogs.measures import AUTOMATIC_TAG
from tracelib.spendlogs.types import GREATEST_AMOUNT, MONEY

OWNERS = {"user": "user_id", "team": "team_id", "tag": "tag"}
TABLES = {
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
# The columns of coarse sums, after day and owner.
COARSE = {"user": ["api_key"], "team": ["api_key"], "tag": []}
IN_CELLS = {"model": "model", "custom_llm_provider": "provider", "mcp_namespaced_tool_name": "tool"}
# Not a key: LiteLLM books a flat cost of a team under it, without requests.
FLAT_COST = "__ptu_flat_cost__"


@dataclass(frozen=True, slots=True)
class Daily:
    """The rows of a daily table by cell.

    `lacking` are the columns of a cell that the table lacks, `odd_dates` how many rows were left
    out because their date is none.
    """

    rows: tuple[BookedRow, ...] = ()
    lacking: frozenset[str] = frozenset()
    odd_dates: int = 0


def reads(schema: Schema, owner: str) -> bool:
    """May this daily table be read, as far as a comparison needs it?"""
    return schema.reads(TABLES[owner], OWNERS[owner], *NEEDED)


def daily(
    source: Postgres,
    owner: str,
    first: date,
    last: date,
    fine_from: date,
    is_automatic: bool = False,
) -> Daily | None:
    """What has LiteLLM added up by this kind of owner on these days? None if that is unreadable.

    In coarse sums before the day `fine_from`. Only what the viewer may see. Tags without those that
    LiteLLM adds itself, or these alone.
    """
    if not reads(source.schema, owner):
        return None
    known = [name for name in OPTIONAL if source.schema.reads(TABLES[owner], name)]
    coarse = ((first, min(last, fine_from - A_DAY)), COARSE[owner])
    fine = ((max(first, fine_from), last), [*COARSE["user"], *IN_CELLS])
    rows: list[BookedRow] = []
    odd = 0
    for (start, end), columns in (coarse, fine):
        if start <= end:
            table = _table(source.schema, owner, known)
            chosen = [*_days(table, start, end), *_whose(table, owner, is_automatic)]
            chosen += within(table, owner, source.schema.scope)
            statement = _by_cell(table, owner, columns, chosen)
            found = [_row(row) for row in source.rows(statement)]
            rows += [one for one in found if one is not None]
            odd += sum(one is None for one in found)
    lacking = frozenset(cell for name, cell in IN_CELLS.items() if name not in known)
    return Daily(tuple(rows), lacking, odd)


def daily_details(
    source: Postgres, day: date, keys: tuple[str, ...], tags: tuple[str, ...]
) -> Mapping[str, Daily]:
    """What has LiteLLM added up on a UTC day, in all columns, of these keys and tags, by owner?"""
    found = {owner: daily(source, owner, day, day, day) for owner in TABLES}
    return {
        owner: replace(
            one, rows=tuple(row for row in one.rows if _is_of(row.cell, owner, keys, tags))
        )
        for owner, one in found.items()
        if one is not None
    }


def _is_of(cell: Cell, owner: str, keys: Collection[str], tags: Collection[str]) -> bool:
    return cell.owner in tags if owner == "tag" else cell.key in keys


def _row(row: Sequence[Any]) -> BookedRow | None:
    """The sums of a cell; None if its date is none."""
    try:
        day = date.fromisoformat(row[0])
    except ValueError:
        return None
    owner, key, model, provider, tool = (text or "" for text in tuple(row)[1:6])
    return BookedRow(Cell(day, owner, key, model, provider, tool), sums_of(row[6:]))


def _table(schema: Schema, owner: str, known: Sequence[str]) -> FromClause:
    columns: tuple[ColumnClause[Any], ...] = (
        column(OWNERS[owner], Text()),
        column("date", Text()),
        column("api_key", Text()),
        column("spend", Float()),
        column("api_requests", BigInteger()),
        *(column(name, OPTIONAL[name]) for name in known),
    )
    return table(TABLES[owner], *columns, schema=schema.name)


def _by_cell(
    rows: FromClause,
    owner: str,
    columns: Sequence[str],
    chosen: Sequence[ColumnElement[bool]],
) -> Select[Any]:
    own = rows.c[OWNERS[owner]]
    known = {name: rows.c[name] for name in columns if name in rows.c}
    sums = [
        func.sum(rows.c.api_requests, type_=BigInteger()),
        func.sum(_or_null(rows, "failed_requests"), type_=BigInteger()),
        money_sum(rows.c.spend),
        func.sum(_or_null(rows, "prompt_tokens"), type_=BigInteger()),
        func.sum(_or_null(rows, "completion_tokens"), type_=BigInteger()),
        func.min(_or_null(rows, "created_at"), type_=DateTime()),
        func.max(_or_null(rows, "updated_at"), type_=DateTime()),
    ]
    named = [one.label(f"sum_{number}") for number, one in enumerate(sums)]
    by = [rows.c.date, own.label("own"), *known.values()]
    grouped = (
        select(*by, *named)
        .where(*chosen)
        .group_by(rows.c.date, own, *known.values())
        .subquery("grouped")
    )
    nothing = literal("", Text())
    key, model, provider, tool = (
        grouped.c[name] if name in known else nothing for name in ("api_key", *IN_CELLS)
    )
    return select(
        grouped.c.date,
        grouped.c.own,
        shown_key(key).label("key"),
        shown_name(model).label("model"),
        provider.label("provider"),
        tool.label("tool"),
        *(grouped.c[one.name] for one in named),
    )


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


def _whose(rows: FromClause, owner: str, is_automatic: bool) -> list[ColumnElement[bool]]:
    """Which rows are compared? Every user, also none, but no row without a team or tag."""
    own = rows.c[OWNERS[owner]]
    chosen: list[ColumnElement[bool]] = [rows.c.api_key != FLAT_COST]
    if owner != "user":
        chosen.append(own != "")
    if owner == "tag":
        is_own = own.like(f"{AUTOMATIC_TAG}%")
        chosen.append(is_own if is_automatic else not_(is_own))
    return chosen


def within(rows: FromClause, owner: str, scope: Scope) -> list[ColumnElement[bool]]:
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

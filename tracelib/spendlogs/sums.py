"""Requests added up by UTC day: by PostgreSQL, or once next to the rows of a replica."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import time
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    MetaData,
    Select,
    Subquery,
    Table,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.types import BigInteger, DateTime, TypeEngine

from tracelib.permissions.access import Scope
from tracelib.spendlogs import measures
from tracelib.spendlogs.replicated import COLUMNS, within
from tracelib.spendlogs.types import MONEY, Identity
from tracelib.window import TimeWindow

# What a file of a replica has next to its rows: their sums by day and these columns. A table whose
# meaning changes gets another name.
TABLES = {"owner_sums": ("key", "user", "team"), "tag_sums": ("request_tags",)}
# The same columns as questions name them.
NAMES = {"key": "key_group"}
# Figures that add up, and the first and the last start.
SUMS: Mapping[str, TypeEngine[Any]] = {
    "requests": BigInteger(),
    "failures": BigInteger(),
    "usd": MONEY,
    "prompt_tokens": BigInteger(),
    "completion_tokens": BigInteger(),
    "first_at": DateTime(),
    "last_at": DateTime(),
}
# With fewer requests in each sum on average, rows are read nearly as quickly.
LEAST_REQUESTS = 10


def by_day(requests: FromClause, columns: Sequence[str]) -> Select[Any]:
    """What do these requests add up to, by UTC day and these of their columns?

    Columns: `day`, its first moment, naive; the given ones; those of `SUMS`.
    """
    # Not a parameter, which would be another one in each place.
    day = func.date_trunc(literal_column("'day'"), requests.c.start_order, type_=DateTime())
    by = [requests.c[name] for name in columns]
    usd = func.coalesce(func.sum(requests.c.spend_usd, type_=MONEY), literal_column("0", MONEY))
    sums = measures.named(
        requests=func.count(),
        failures=measures.failures(requests),
        usd=usd,
        prompt_tokens=measures.added_up(requests.c.prompt_tokens),
        completion_tokens=measures.added_up(requests.c.completion_tokens),
        first_at=func.min(requests.c.start_order, type_=DateTime()),
        last_at=func.max(requests.c.start_order, type_=DateTime()),
    )
    return select(day.label("day"), *by, *sums).group_by(day, *by)


def table_with(columns: Sequence[str], window: TimeWindow) -> str | None:
    """Which table of a file has what is needed for sums by these columns?

    None if there is none, or if the window has parts of days.
    """
    is_of_days = window.start.time() == window.end.time() == time()
    known = {name: {NAMES.get(one, one) for one in by} for name, by in TABLES.items()}
    found = (name for name, by in known.items() if by.issuperset(columns))
    return next(found, None) if is_of_days else None


def sums_table(name: str, table: str, schema_name: str | None = None) -> Table:
    """The table with this name, whose columns are those of one of `TABLES`."""
    by = {one: COLUMNS[one] for one in TABLES[table]}
    columns: dict[str, TypeEngine[Any]] = {"day": DateTime(), **by, **SUMS}
    known = (Column(one, kind) for one, kind in columns.items())
    return Table(name, MetaData(), *known, schema=schema_name)


def seen(table: FromClause, scope: Scope, window: TimeWindow) -> Subquery:
    """Which sums in this table are of the scope and of the days of the window?

    Its columns, as `by_day` names them.
    """
    start, end = (literal(one.replace(tzinfo=None), DateTime()) for one in astuple(window))
    shown = [_key_group(one) if one.name == "key" else one for one in table.c]
    days = (table.c.day >= start, table.c.day < end)
    return select(*shown).where(*days, *within(table, scope)).subquery("sums")


def _key_group(key: ColumnElement[str]) -> ColumnElement[str]:
    return func.coalesce(key, "", type_=Identity()).label(NAMES["key"])

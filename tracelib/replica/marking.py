"""The marks of requests that repeat or continue others, computed as a file of a span is written.

Requests are compared within a file. A mark that an older file had stays: the request that it was
compared with may be in another file now.
"""

from collections.abc import Mapping, Sequence

import duckdb
from sqlalchemy import Column, MetaData, Table
from sqlalchemy.types import BigInteger

from tracelib.replica.dialect import compiled
from tracelib.replica.layout import DAY_HOURS
from tracelib.replica.storage import Kept
from tracelib.spendlogs.marks import COMPARED, MARKS, READ, marked
from tracelib.spendlogs.replicated import COLUMNS

# Rows that were read are the first source, and those of kept files the others.
SOURCE_BITS = 40
NUMBER = "number"
TABLE = "marks"


def mark(database: duckdb.DuckDBPyConnection, sources: Mapping[int, tuple[str, str]]) -> None:
    """Create the table of marks for the rows of these sources: each a table and a condition."""
    parts = (
        f"SELECT {_number(place)} AS {NUMBER}, {_read(table)} FROM {table} WHERE {condition}"  # noqa: S608
        for place, (table, condition) in sources.items()
    )
    database.execute(f"CREATE TEMP VIEW compared AS {' UNION ALL '.join(parts)}")
    columns = (Column(name, COLUMNS[name]) for name in _columns() if name in COLUMNS)
    more = (Column(NUMBER, BigInteger()), Column("session_group", BigInteger()))
    text, values = compiled(marked(Table("compared", MetaData(), *columns, *more), NUMBER))
    database.execute(f"CREATE TEMP TABLE {TABLE} AS {text}", values)


def joined(place: int, table: str) -> str:
    """The rows of this source next to their marks."""
    return f"{table} one LEFT JOIN {TABLE} ON {TABLE}.{NUMBER} = {_number(place, 'one.')}"


def columns(is_kept: bool) -> list[str]:
    """The marks of a row of `joined`: new ones, else those that a kept row has."""
    return [
        f'coalesce({TABLE}."{name}", one."{name}") AS "{name}"' if is_kept else f'{TABLE}."{name}"'
        for name in MARKS
    ]


def is_needed(has_read: bool, kept: Sequence[Kept]) -> bool:
    """Must rows be compared? Not where the file is made of others that have whole days."""
    return has_read or not all(_has_whole_days(one) for one in kept)


def _has_whole_days(one: Kept) -> bool:
    bounds = (one.span.start, one.span.end)
    is_whole = all(hour is None or hour % DAY_HOURS == 0 for hour in bounds)
    return is_whole and one.start is None and one.end is None and not one.without


def _number(place: int, row: str = "") -> str:
    return f"({place << SOURCE_BITS} + {row}rowid)"


def _columns() -> tuple[str, ...]:
    return (*READ, *COMPARED)


def _read(table: str) -> str:
    group = "session_number AS session_group"
    if table == "read":
        group = "(md5_number_lower(session_id || ':' || coalesce(key, '')) >> 1)::BIGINT"
        group += " AS session_group"
    return ", ".join(group if name == "session_group" else f'"{name}"' for name in _columns())

"""The marks of requests that repeat or continue others, computed as a file of a span is written.

Requests are compared within a file. A mark that a row had in an older file stays: the request that
it was compared with may be in another file now.
"""

from collections.abc import Mapping, Sequence

import duckdb
from sqlalchemy import Column, MetaData, Table, or_, select
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
# By which a row that is read again is known.
SAME = ("start_order", "session_id", "key", "request_hash", "prompt_tokens")


def mark(
    database: duckdb.DuckDBPyConnection,
    sources: Mapping[int, tuple[str, str]],
    read_again: Sequence[str],
) -> None:
    """Create the table of marks for the rows of these sources: each a table and a condition.

    `read_again` are the tables of older files that have the rows of `read`, as they were.
    """
    rows = (
        f"SELECT {_number(place)} AS {NUMBER}, {_read(table)} FROM {table} WHERE {condition}"  # noqa: S608
        for place, (table, condition) in sources.items()
    )
    database.execute(f"CREATE TEMP VIEW compared AS {' UNION ALL '.join(rows)}")
    columns = (Column(name, COLUMNS[name]) for name in _columns() if name in COLUMNS)
    more = (Column(NUMBER, BigInteger()), Column("session_group", BigInteger()))
    every = marked(Table("compared", MetaData(), *columns, *more), NUMBER).subquery("every")
    has_mark = or_(*(every.c[name].is_not(None) for name in MARKS))
    text, values = compiled(select(*every.c).where(has_mark))
    database.execute(f"CREATE TEMP TABLE found AS {text}", values)
    names = ", ".join(f'arg_min("{name}", age) AS "{name}"' for name in MARKS)
    parts = " UNION ALL ".join(["SELECT *, 0 AS age FROM found", *map(_before, read_again)])
    # Of a mark that was found again, the new one.
    database.execute(
        f"CREATE TEMP TABLE {TABLE} AS SELECT {NUMBER}, {names} FROM ({parts}) GROUP BY {NUMBER}"  # noqa: S608
    )
    # A join keeps the order of the rows if these are not what is hashed.
    database.execute("SET disabled_optimizers = 'build_side_probe_side,join_order'")


def _before(old: str) -> str:
    """The marks that rows had when they were read before, in the older file `old`."""
    same = " AND ".join(f"now.{name} IS NOT DISTINCT FROM before.{name}" for name in SAME)
    marks = ", ".join(f'before."{name}"' for name in MARKS)
    has_mark = " OR ".join(f'before."{name}" IS NOT NULL' for name in MARKS)
    return (
        f"SELECT {_number(0, 'now.')}, {marks}, 1 FROM read now JOIN {old} before ON {same} "  # noqa: S608
        f"WHERE {has_mark}"
    )


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

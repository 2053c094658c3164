"""The rows of a replica in PostgreSQL: how they arrive, which go, and which names they carry."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import psycopg2
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    Table,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import BigInteger, DateTime, Text

from tracelib.replica import layout
from tracelib.replica.layout import EPOCH, HOUR, Range
from tracelib.replica.spans import ALIASES
from tracelib.replica.store import Carried, Csv, Kept, Listed
from tracelib.spendlogs.measures import alphabetical, last_of
from tracelib.spendlogs.replicated import COLUMNS, ON_THE_WAY

COPIED = tuple(name for name in COLUMNS if name != "session_number")
# Of the session: it stays when a transaction has ended.
ARRIVING = Table(
    "tracelib_arriving",
    MetaData(),
    *(Column(name, COLUMNS[name]) for name in COPIED),
    *(Column(name, kind) for name, kind in ON_THE_WAY.items()),
    prefixes=["TEMPORARY"],
)
MICROSECONDS = "YYYYMMDDHH24MISSUS"
MICROSECONDS_LENGTH = 20


def arrived(connection: Connection, read: Sequence[Csv]) -> dict[int, tuple[int, int]]:
    """Copy these rows into the table `ARRIVING` alone; rows and hashes by hour."""
    connection.execute(text(f"TRUNCATE {ARRIVING.name}"))
    cursor = connection.connection.cursor()
    for one in read:
        with one.path.open("rb") as file:
            try:
                cursor.copy_expert(f"COPY {ARRIVING.name} FROM STDIN CSV", file)
            except psycopg2.Error as error:
                raise DBAPIError("COPY", {}, error) from error
    hour, hashes = ARRIVING.c.hour, func.sum(ARRIVING.c.row_hash)
    counted = select(hour, func.count(), hashes).group_by(hour).order_by(hour)
    return {hour: (rows, int(hashes)) for hour, rows, hashes in connection.execute(counted)}


def insert_arrived(connection: Connection, requests: Table) -> None:
    """Insert the rows that have arrived."""
    rows = select(_session_number().label("session_number"), *(ARRIVING.c[one] for one in COPIED))
    connection.execute(insert(requests).from_select(["session_number", *COPIED], rows))


def _session_number() -> ColumnElement[int]:
    """As `replicated.session_number`: the last 8 bytes of the hash, the last one first."""
    key = ARRIVING.c.session_id.concat(":").concat(func.coalesce(ARRIVING.c.key, ""))
    digest = func.md5(key, type_=Text())
    pairs = (func.substr(digest, place, 2, type_=Text()) for place in range(31, 16, -2))
    digits: ColumnElement[str] = func.concat("x", *pairs, type_=Text())
    bits: ColumnElement[Any] = cast(digits, BIT(64)).op(">>")(1)
    return cast(bits, BigInteger)


def remove(connection: Connection, requests: Table, hours: Range, kept: Sequence[Kept]) -> None:
    """Delete the rows of these hours that are not kept."""
    for start, end in _not_kept(hours, kept):
        connection.execute(delete(requests).where(*within(requests, (start, end))))


def _not_kept(hours: Range, kept: Sequence[Kept]) -> Iterator[Range]:
    if not kept:
        yield hours
    for one in kept:
        gone = one.span.hours.keys() & one.without
        yield from layout.runs(gone, {}, 1)


def within(requests: Table, hours: Range) -> list[ColumnElement[bool]]:
    """Which requests start in these hours? None is without a bound."""
    start, end = hours
    bounds = []
    if start is not None:
        bounds.append(requests.c.start_order >= _moment(start))
    if end is not None:
        bounds.append(requests.c.start_order < _moment(end))
    return bounds


def _moment(hour: int) -> ColumnElement[datetime]:
    return literal(EPOCH + hour * HOUR, DateTime())


def listed(connection: Connection, requests: Table, hours: Range) -> Listed:
    """Which names and models do the rows of these hours have?"""
    model = requests.c.model
    used = select(model, func.count()).where(*within(requests, hours)).group_by(model)
    models = {one: times for one, times in connection.execute(used) if one is not None}
    return Listed(_names(connection, requests, hours), models)


def _names(connection: Connection, requests: Table, hours: Range) -> list[Carried]:
    arms = (_carried(requests, hours, *one) for one in ALIASES.items())
    found = union_all(*arms).subquery("found")
    statement = select(found).order_by(found.c.dimension, alphabetical(found.c.id))
    return [Carried(*one) for one in connection.execute(statement)]


def _carried(requests: Table, hours: Range, dimension: str, alias: str) -> Select[Any]:
    """The name in the newest row of each ID: of start and name as one text, the last."""
    owner, name = requests.c[dimension], requests.c[alias]
    start = func.to_char(requests.c.start_order, MICROSECONDS, type_=Text())
    newest = (
        select(owner.label("id"), last_of(start.concat(name)).label("newest"))
        .where(and_(owner.is_not(None), name.is_not(None)), *within(requests, hours))
        .group_by(owner)
        .subquery(f"newest_{dimension}")
    )
    started = func.to_timestamp(
        func.substr(newest.c.newest, 1, MICROSECONDS_LENGTH), MICROSECONDS, type_=DateTime()
    )
    return select(
        literal(dimension, Text()).label("dimension"),
        newest.c.id,
        func.substr(newest.c.newest, MICROSECONDS_LENGTH + 1, type_=Text()).label("name"),
        cast(started, DateTime).label("started"),
    )


def kept_rows(kept: Kept) -> int:
    """How many rows are kept, by the counts of their hours?"""
    return sum(
        one.rows
        for hour, one in kept.span.hours.items()
        if hour not in kept.without
        and (kept.start is None or hour >= kept.start)
        and (kept.end is None or hour < kept.end)
    )

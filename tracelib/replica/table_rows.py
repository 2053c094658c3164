"""The rows of a replica in PostgreSQL: how they arrive, which go, and which names they carry."""

from collections.abc import Collection, Iterator, Sequence
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
    extract,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import BigInteger, DateTime, Text

from tracelib.replica import layout
from tracelib.replica.layout import EPOCH, HOUR, Range
from tracelib.replica.spans import ALIASES
from tracelib.replica.storage import Carried, Csv, Kept, Listed
from tracelib.spendlogs.copying import ON_THE_WAY
from tracelib.spendlogs.measures import alphabetical, divided, last_of
from tracelib.spendlogs.replicated import COLUMNS, COPIED
from tracelib.window import HOUR_S

# A replica in tables has no marks.
WRITTEN = ("session_number", *COPIED)
# Of one transaction: behind a pooler, a session may be another one's at the next.
ARRIVING = Table(
    "tracelib_arriving",
    MetaData(),
    *(Column(name, COLUMNS[name]) for name in COPIED),
    *(Column(name, kind) for name, kind in ON_THE_WAY.items()),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
# psycopg2 may tell the server another encoding.
COPY = f"COPY {ARRIVING.name} FROM STDIN (FORMAT csv, ENCODING 'UTF8')"
MICROSECONDS = "YYYYMMDDHH24MISSUS"
MICROSECONDS_LENGTH = 20


def arrived(connection: Connection, read: Sequence[Csv]) -> dict[int, tuple[int, int]]:
    """Copy these rows into a new table `ARRIVING`; rows and hashes by hour."""
    connection.execute(CreateTable(ARRIVING))
    cursor = connection.connection.cursor()
    for one in read:
        with one.path.open("rb") as file:
            try:
                cursor.copy_expert(COPY, file)
            except psycopg2.Error as error:
                raise DBAPIError("COPY", {}, error) from error
    hour, hashes = ARRIVING.c.hour, func.sum(ARRIVING.c.row_hash)
    counted = select(hour, func.count(), hashes).group_by(hour).order_by(hour)
    return {hour: (rows, int(hashes)) for hour, rows, hashes in connection.execute(counted)}


def insert_arrived(connection: Connection, requests: Table) -> None:
    """Insert the rows that have arrived."""
    connection.execute(insert(requests).from_select(WRITTEN, _rows()))


def only_adds(connection: Connection, requests: Table, hours: Collection[int]) -> bool:
    """Have all rows of these hours arrived again, perhaps with others?"""
    gone = _held(requests, hours).except_all(_rows()).limit(1).subquery()
    return not connection.scalar(select(func.count()).select_from(gone))


def insert_new(connection: Connection, requests: Table, hours: Collection[int]) -> None:
    """Insert the rows that have arrived and are not there."""
    new = _rows().except_all(_held(requests, hours))
    connection.execute(insert(requests).from_select(WRITTEN, new))


def _rows() -> Select[Any]:
    number = _session_number().label("session_number")
    return select(number, *(ARRIVING.c[one] for one in COPIED))


def _held(requests: Table, hours: Collection[int]) -> Select[Any]:
    ranges = (and_(*within(requests, one)) for one in layout.runs(hours))
    return select(*(requests.c[one] for one in WRITTEN)).where(or_(*ranges))


def counts(connection: Connection, requests: Table, hours: Range) -> dict[int, int]:
    """How many rows has each of these hours?"""
    seconds = extract("epoch", requests.c.start_order)
    hour = cast(func.floor(divided(seconds, HOUR_S)), BigInteger)
    counted = select(hour, func.count()).where(*within(requests, hours)).group_by(hour)
    return {int(one[0]): int(one[1]) for one in connection.execute(counted)}


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
        yield from layout.runs(one.without)


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

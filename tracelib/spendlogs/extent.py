"""The log as a whole: its ends, its newest rows, and its size, without a scan."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    cast,
    column,
    func,
    literal,
    select,
    table,
    union,
)
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.types import DateTime, Double, Integer, Text

from tracelib.schema import Schema
from tracelib.spendlogs.catalog import path
from tracelib.spendlogs.conditions import in_window, spend_logs
from tracelib.spendlogs.relation import all_requests
from tracelib.spendlogs.replicated import hour_of, starting
from tracelib.spendlogs.types import utc
from tracelib.window import TimeWindow

PLAIN, PARTITIONED = "r", "p"
CLASSES = table(
    "pg_class",
    column("oid", Integer()),
    column("relkind", Text()),
    column("relpages", Integer()),
    column("reltuples", Double()),
    schema="pg_catalog",
)
DATABASES = table(
    "pg_database", column("oid", OID()), column("datname", Text()), schema="pg_catalog"
)


def first_and_last(schema: Schema) -> Select[Any]:
    """When did the oldest and the newest request start, and what is the server's time?

    One row: oldest, newest (aware UTC, None in an empty log), server_time.
    """
    logs = spend_logs(schema)
    # Of the bare column, so that each is one step on its index.
    return select(
        utc(func.min(logs.c.startTime, type_=DateTime())).label("oldest"),
        utc(func.max(logs.c.startTime, type_=DateTime())).label("newest"),
        func.clock_timestamp(type_=DateTime(timezone=True)).label("server_time"),
    )


def first_start(schema: Schema, window: TimeWindow) -> Select[Any]:
    """When did the first request of this window start? One row: first, None if there is none.

    One step on the index on the start.
    """
    logs = spend_logs(schema)
    # Of the bare column, as above.
    first = func.min(logs.c.startTime, type_=DateTime())
    return select(utc(first).label("first")).where(*in_window(logs, window))


def newest_requests(schema: Schema, limit: int) -> Subquery:
    """Which requests started last, in any time range? The columns of `requests`."""
    every = all_requests(schema)
    return select(*every.c).order_by(every.c.start_order.desc()).limit(limit).subquery("newest")


def storage(schema: Schema) -> Select[Any]:
    """What does the catalog know about the log's files?

    A row per table, so one for each partition:

        relkind        text    r for a table with rows, p for the partitioned parent
        known_pages, known_rows    when it was last analysed; -1 rows if it never was
        heap_bytes     int     the rows themselves now, without out-of-line values
        page_bytes     int
        total_bytes    int     with indexes and out-of-line values
    """
    log = func.to_regclass(path(schema.table, schema.name))
    tree = func.pg_partition_tree(log).table_valued(column("relid", Integer()), name="tree")
    parts = union(select(log.label("relid")), select(tree.c.relid)).subquery("parts")
    return select(
        CLASSES.c.relkind.cast(Text()).label("relkind"),
        CLASSES.c.relpages.label("known_pages"),
        CLASSES.c.reltuples.label("known_rows"),
        func.pg_relation_size(CLASSES.c.oid, type_=BigInteger()).label("heap_bytes"),
        func.current_setting("block_size", type_=Text()).cast(Integer()).label("page_bytes"),
        func.pg_total_relation_size(CLASSES.c.oid, type_=BigInteger()).label("total_bytes"),
    ).join(parts, parts.c.relid == CLASSES.c.oid)


def count_up_to(schema: Schema, most: int) -> Select[Any]:
    """How many rows are there, up to `most`? It stops reading there."""
    some = select(literal(1)).select_from(spend_logs(schema)).limit(most + 1).subquery("some")
    return select(func.count()).select_from(some)


def first_hour(schema: Schema) -> Select[Any]:
    """In which hour since 1970 does the first row start? One row: hour, None in an empty log."""
    logs = spend_logs(schema)
    # Of the bare column, so that it is one step on its index.
    first = select(func.min(logs.c.startTime, type_=DateTime()).label("startTime"))
    return select(hour_of(first.subquery("first")).label("hour"))


def last_hour(schema: Schema, end: datetime | None) -> Select[Any]:
    """In which hour does the last row before this time start? One row: hour, None without one."""
    logs = spend_logs(schema)
    last = select(func.max(logs.c.startTime, type_=DateTime()).label("startTime"))
    return select(hour_of(last.where(*starting(logs, None, end)).subquery("last")).label("hour"))


def system_identifier() -> Select[Any]:
    """Which PostgreSQL cluster is it? One row: system, as text. The role may lack the right."""
    control = func.pg_control_system().table_valued(
        column("system_identifier", BigInteger()), name="control"
    )
    return select(cast(control.c.system_identifier, Text()).label("system"))


def table_identity(schema: Schema) -> Select[Any]:
    """Which database and table is it? One row: their object IDs."""
    database = select(DATABASES.c.oid).where(
        DATABASES.c.datname == func.current_database(type_=Text())
    )
    table_id = cast(func.to_regclass(path(schema.table, schema.name)), OID)
    ids: list[ColumnElement[Any]] = [
        cast(database.scalar_subquery(), BigInteger).label("database"),
        cast(table_id, BigInteger).label("table"),
    ]
    return select(*ids)

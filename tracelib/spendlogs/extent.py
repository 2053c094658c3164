"""The log as a whole: its ends, its newest rows, and its size, without a scan."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Select,
    Subquery,
    column,
    func,
    literal,
    select,
    table,
    union,
)
from sqlalchemy.types import DateTime, Double, Integer, Text

from tracelib.schema import Schema
from tracelib.spendlogs.catalog import path
from tracelib.spendlogs.conditions import in_window, spend_logs
from tracelib.spendlogs.relation import all_requests, utc
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

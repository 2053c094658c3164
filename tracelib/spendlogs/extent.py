"""The log as a whole: its ends, its newest rows, and its size, without a scan."""

from datetime import date, datetime
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
from tracelib.spendlogs.copying import hour_of, starting
from tracelib.spendlogs.relation import all_requests
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
CHANGES = table(
    "pg_stat_all_tables",
    column("relid", Integer()),
    column("n_tup_del", BigInteger()),
    schema="pg_catalog",
)
COUNTING = table(
    "pg_stat_database",
    column("datname", Text()),
    column("stats_reset", DateTime(timezone=True)),
    schema="pg_catalog",
)
# LiteLLM does not delete its totals with the log.
BY_DAY = "LiteLLM_DailyUserSpend"
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


def pace(schema: Schema, since: datetime, until: datetime, most: int) -> Select[Any]:
    """How many requests start between these times, naive UTC, and when does the first of them?

    One row: rows, first (aware UTC, None for none). Of the newest `most` only, along the index.
    """
    logs = spend_logs(schema)
    starts = select(logs.c.startTime).where(*starting(logs, since, until))
    newest = starts.order_by(logs.c.startTime.desc()).limit(most).subquery("newest")
    first = func.min(newest.c.startTime, type_=DateTime())
    return select(func.count().label("rows"), utc(first).label("first")).select_from(newest)


def deletions(schema: Schema) -> Select[Any]:
    """How many rows were deleted from the log since PostgreSQL began to count, and when was that?

    One row: deleted, since (aware UTC, None if it counts from the beginning).
    """
    log = func.to_regclass(path(schema.table, schema.name))
    tree = func.pg_partition_tree(log).table_valued(column("relid", Integer()), name="tree")
    parts = union(select(log.label("relid")), select(tree.c.relid)).subquery("parts")
    deleted = (
        select(func.coalesce(func.sum(CHANGES.c.n_tup_del), 0))
        .join_from(CHANGES, parts, parts.c.relid == CHANGES.c.relid)
        .scalar_subquery()
    )
    since = select(COUNTING.c.stats_reset).where(
        COUNTING.c.datname == func.current_database(type_=Text())
    )
    return select(
        cast(deleted, BigInteger).label("deleted"), since.scalar_subquery().label("since")
    )


def first_booked_day(schema: Schema) -> Select[Any] | None:
    """Which is the first day that LiteLLM's totals by day know? None if they cannot be read.

    One row: day, a text that should be a date; None without any.
    """
    if not schema.reads(BY_DAY, "date"):
        return None
    days = table(BY_DAY, column("date", Text()), schema=schema.name)
    return select(func.min(days.c.date.collate("C"), type_=Text()).label("day"))


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


GATEWAY = "LiteLLM_DailyGatewayRequests"
GATEWAY_COLUMNS = ("date", "successful_requests", "failed_requests")


def gateway_counts(schema: Schema, first: date, end: date) -> Select[Any] | None:
    """How many requests has the gateway counted on each UTC day from `first` to before `end`?

    Rows of date, a text that should be a date, and requests, by date. It counts for no team, user
    or model: None for a viewer of a part, or if it cannot be read.
    """
    if not schema.scope.is_all or not schema.reads(GATEWAY, *GATEWAY_COLUMNS):
        return None
    day, succeeded, failed = GATEWAY_COLUMNS
    rows = table(
        GATEWAY,
        column(day, Text()),
        column(succeeded, BigInteger()),
        column(failed, BigInteger()),
        schema=schema.name,
    )
    every = func.sum(rows.c[succeeded] + rows.c[failed])
    return (
        select(rows.c.date, cast(every, BigInteger).label("requests"))
        .where(rows.c.date >= first.isoformat(), rows.c.date < end.isoformat())
        .group_by(rows.c.date)
        .order_by(rows.c.date)
    )


def booked_counts(schema: Schema, first: date, end: date) -> Select[Any] | None:
    """How many requests has LiteLLM added up on each UTC day from `first` to before `end`?

    Rows as above. Of all requests: None for a viewer of a part, or if it cannot be read.
    """
    if not schema.scope.is_all or not schema.reads(BY_DAY, "date", "api_requests"):
        return None
    days = table(
        BY_DAY, column("date", Text()), column("api_requests", BigInteger()), schema=schema.name
    )
    every = cast(func.sum(days.c.api_requests), BigInteger)
    return (
        select(days.c.date, every.label("requests"))
        .where(days.c.date >= first.isoformat(), days.c.date < end.isoformat())
        .group_by(days.c.date)
        .order_by(days.c.date)
    )


def day_of(text: str | None) -> date | None:
    """The day of a text in LiteLLM's totals; None if it is none.

    >>> day_of("2026-11-28"), day_of("yesterday"), day_of(None)
    (datetime.date(2026, 11, 28), None, None)
    """
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None

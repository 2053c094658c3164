"""Which database is it, how large and how fresh is the log, and what is missing?"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    case,
    column,
    extract,
    func,
    not_,
    or_,
    select,
    table,
)
from sqlalchemy.types import Boolean, DateTime, Double, Integer, Text

from tracelib.schema import BASELINE, KNOWN_COLUMNS, NAME_TABLES, Schema
from tracelib.source import Postgres
from tracelib.spendlogs import extent
from tracelib.spendlogs.catalog import path
from tracelib.spendlogs.conditions import STORED
from tracelib.spendlogs.percentiles import percentile

WRITES = "INSERT, UPDATE, DELETE, TRUNCATE"
ENCRYPTION = table(
    "pg_stat_ssl", column("pid", Integer()), column("ssl", Boolean()), schema="pg_catalog"
)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server and the app's connection to it.

    `round_trip_ms` is the time of one trivial query with all its overhead. `is_read_only_role` says
    whether PostgreSQL itself would refuse a write. `encryption` is None if the server does not
    report it; behind a pooler it is the pooler's connection. `statement_timeout` and
    `is_read_only_transaction` are the guards, read back from within a query.
    """

    version: str
    role: str
    database: str
    is_read_only_role: bool
    is_replica: bool
    replica_lag_s: float | None
    time: datetime
    round_trip_ms: float
    encryption: bool | None
    statement_timeout: str
    is_read_only_transaction: bool


def server(source: Postgres) -> ServerFacts:
    """Which server is it, may the app write there, and how long is a round trip?

    Raises a TraceError.
    """
    facts = source.row(_facts(source.schema))._asdict()
    started = time.perf_counter()
    source.row(select(1))
    round_trip_ms = (time.perf_counter() - started) * 1_000
    facts["version"] = facts["version"].split(" ")[0]
    return ServerFacts(**facts, round_trip_ms=round_trip_ms)


def _facts(schema: Schema) -> Select[Any]:
    is_replica = func.pg_is_in_recovery(type_=Boolean())
    encryption = select(ENCRYPTION.c.ssl).where(ENCRYPTION.c.pid == func.pg_backend_pid())
    return select(
        _setting("server_version").label("version"),
        func.current_user().label("role"),
        func.current_database(type_=Text()).label("database"),
        _may_not_write(schema).label("is_read_only_role"),
        is_replica.label("is_replica"),
        case((is_replica, _behind_s())).label("replica_lag_s"),
        func.clock_timestamp(type_=DateTime(timezone=True)).label("time"),
        encryption.scalar_subquery().label("encryption"),
        _setting("statement_timeout").label("statement_timeout"),
        (_setting("transaction_read_only") == "on").label("is_read_only_transaction"),
    )


def _may_not_write(schema: Schema) -> ColumnElement[bool]:
    """Is writing refused: on a replica to everyone, else by the role's default or grants?"""
    table_id = func.to_regclass(path(schema.table, schema.name))
    return or_(
        func.pg_is_in_recovery(type_=Boolean()),
        _setting("default_transaction_read_only") == "on",
        not_(func.has_table_privilege(table_id, WRITES, type_=Boolean())),
    )


def _behind_s() -> ColumnElement[float]:
    """The replication lag; a replica that has replayed all it received has none."""
    has_all = func.pg_last_wal_receive_lsn() == func.pg_last_wal_replay_lsn()
    replayed_at = func.pg_last_xact_replay_timestamp(type_=DateTime(timezone=True))
    behind = extract("epoch", func.clock_timestamp(type_=DateTime(timezone=True)) - replayed_at)
    return case((has_all, 0.0), else_=behind.cast(Double))


def _setting(name: str) -> ColumnElement[str]:
    return func.current_setting(name, type_=Text())


# This many rows in a small file are counted in milliseconds, and need no estimate.
FEW_ROWS = 10_000
SMALL_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """The log's size: rows, bytes with indexes and out-of-line values, and partitions.

    `estimated_rows` is the planner's estimate, None if the table was never analysed; `exact` says
    that it was counted instead. `partitions` is 0 if there are none.
    """

    estimated_rows: int | None
    bytes: int
    partitions: int
    exact: bool


def size(source: Postgres) -> Size:
    """How large is the log? Read from the catalog, in the same time for any size."""
    files = source.rows(extent.storage(source.schema))
    leaves = [file for file in files if file.relkind != extent.PARTITIONED]
    counted = _counted(source, leaves)
    return Size(
        estimated_rows=_estimated(leaves) if counted is None else counted,
        bytes=sum(file.total_bytes for file in files),
        partitions=len(leaves) if source.schema.is_partitioned else 0,
        exact=counted is not None,
    )


def _counted(source: Postgres, leaves: Sequence[Row[Any]]) -> int | None:
    if sum(leaf.heap_bytes for leaf in leaves) > SMALL_BYTES:
        return None
    if any(leaf.relkind != extent.PLAIN for leaf in leaves):
        return None
    count = int(source.row(extent.count_up_to(source.schema, FEW_ROWS))[0])
    return count if count <= FEW_ROWS else None


def _estimated(leaves: Sequence[Row[Any]]) -> int | None:
    """The planner's estimate: rows per page when last analysed, times the pages of now."""
    total = 0.0
    for leaf in leaves:
        if leaf.heap_bytes == 0 and leaf.relkind == extent.PLAIN:
            continue
        if leaf.known_rows < 0 or leaf.known_pages == 0:
            return None
        total += leaf.known_rows / leaf.known_pages * (leaf.heap_bytes / leaf.page_bytes)
    return round(total)


NEWEST = 100
# Clocks of two machines differ, and a proxy's may be a little ahead of the database's.
TOLERANCE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Freshness:
    """The ends of the log, aware UTC; None if it is empty.

    `ingest_lag_s` is how long the newest requests took from their end to their row, the median of a
    hundred; None if LiteLLM does not log it. `ahead_of_clock` says that the newest request starts
    later than now.
    """

    newest_started_at: datetime | None
    oldest_started_at: datetime | None
    newest_created_at: datetime | None
    ingest_lag_s: float | None
    ahead_of_clock: bool


def freshness(source: Postgres, now: datetime) -> Freshness:
    """When was the newest request, when the oldest, and how late do rows arrive?

    Read by the index on the start, in any time range. `now` is the page's, which may be a tick old;
    the server's clock counts if it is ahead of that.
    """
    ends = source.row(extent.first_and_last(source.schema))
    newest = source.row(_newest(source))
    clock = max(now, ends.server_time)
    is_ahead = ends.newest is not None and ends.newest > clock + TOLERANCE
    return Freshness(ends.newest, ends.oldest, newest.created_at, newest.lag_s, is_ahead)


def _newest(source: Postgres) -> Select[Any]:
    requests = extent.newest_requests(source.schema, NEWEST)
    created_at = requests.c.created_at
    lag_s: ColumnElement[Any] = extract("epoch", created_at - requests.c.ended_at)
    median: ColumnElement[Any] = percentile(lag_s.cast(Double), 0.5)
    newest = func.max(created_at, type_=DateTime(timezone=True))
    return select(newest.label("created_at"), median.label("lag_s"))


COLUMNS = ("kind", "name", "since", "without_it")
# Columns that all versions have, so that only a grant can be missing.
WITHHELD = {
    "metadata": "Error classes, retries, cached tokens and old names are unknown.",
    "request_tags": "Tags are unknown.",
    "response": "Responses cannot be shown.",
    "messages": "Prompts of realtime sessions cannot be shown.",
    "completionStartTime": "Time to first token is unknown.",
    "cache_hit": "Cache hits are unknown.",
    "user": "Users are unknown.",
    "team_id": "Teams are unknown.",
    "end_user": "End users are unknown.",
    "model_group": "Models are shown by deployment name.",
    "custom_llm_provider": "Providers are unknown.",
    "call_type": "Call types are unknown.",
    "requester_ip_address": "The networks in which a key is used are unknown.",
}
NAMELESS = {
    "LiteLLM_VerificationToken": "Keys are shown by the start of their hash.",
    "LiteLLM_DeletedVerificationToken": "Deleted keys are shown by the start of their hash.",
    "LiteLLM_UserTable": "Users are shown by ID.",
    "LiteLLM_TeamTable": "Teams are shown by the alias in their requests, or by ID.",
}
NAME_TABLE_SINCE = {"LiteLLM_DeletedVerificationToken": "2025-12-19"}

Gap = tuple[str, str, str, str]


def missing(source: Postgres) -> pd.DataFrame:
    """Which columns, grants, indexes and tables are missing, and what is the consequence?

    A row each, columns first, then grants, indexes and name tables, each by age:

        kind         text    column, grant, index or name table
        name         text    an index by its columns
        since        text    the day LiteLLM added it, as 2026-08-18
        without_it   text    a sentence

    No rows if nothing is missing. Runs no query: it is known from the first connection.
    """
    schema = source.schema
    gaps = [*_columns(schema), *_grants(schema), *_indexes(schema), *_name_tables(schema)]
    return pd.DataFrame(gaps, columns=list(COLUMNS), dtype="str")


def _columns(schema: Schema) -> Iterator[Gap]:
    for known in schema.missing_columns():
        if known.name not in schema.unreadable:
            yield "column", known.name, known.since, known.without_it


def _grants(schema: Schema) -> Iterator[Gap]:
    known = {column.name: column for column in KNOWN_COLUMNS}
    for name in sorted(schema.unreadable):
        if name in known:
            yield "grant", name, known[name].since, known[name].without_it
        elif name in STORED:
            yield "grant", name, BASELINE, WITHHELD.get(name, "Its values are not shown.")


def _indexes(schema: Schema) -> Iterator[Gap]:
    there = schema.columns | schema.unreadable
    for known in schema.missing_indexes():
        if set(known.columns) <= there:
            yield "index", ", ".join(known.columns), known.since, known.without_it


def _name_tables(schema: Schema) -> Iterator[Gap]:
    readable = dict(schema.other_tables)
    for name in NAME_TABLES:
        if not readable.get(name):
            yield "name table", name, NAME_TABLE_SINCE.get(name, BASELINE), NAMELESS[name]

"""What the database is, as whom we are in it, and what keeps us harmless there."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, column, extract, func, not_, or_, select, table
from sqlalchemy.types import Boolean, DateTime, Double, Integer, Text

from tracelib.schema import Schema
from tracelib.source import Source
from tracelib.spendlogs.catalog import path

WRITES = "INSERT, UPDATE, DELETE, TRUNCATE"
ENCRYPTION = table(
    "pg_stat_ssl", column("pid", Integer()), column("ssl", Boolean()), schema="pg_catalog"
)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server and our place in it.

    `round_trip_ms` is one trivial question with all that surrounds it. `is_read_only_role`
    says whether PostgreSQL itself would refuse a write. `encryption` is None where the server
    does not say; behind a pooler it is the pooler's connection. `statement_timeout` and
    `is_read_only_transaction` are the guards, read back from within a question.
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


def server(source: Source) -> ServerFacts:
    """Which server is it, may we write there, and how far away is it? Raises a TraceError."""
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
    """A replica refuses everybody; else it is the role's default, or what it was not granted."""
    table_id = func.to_regclass(path(schema.table, schema.name))
    return or_(
        func.pg_is_in_recovery(type_=Boolean()),
        _setting("default_transaction_read_only") == "on",
        not_(func.has_table_privilege(table_id, WRITES, type_=Boolean())),
    )


def _behind_s() -> ColumnElement[float]:
    """A replica that has replayed all it received is not behind, however quiet the primary."""
    has_all = func.pg_last_wal_receive_lsn() == func.pg_last_wal_replay_lsn()
    replayed_at = func.pg_last_xact_replay_timestamp(type_=DateTime(timezone=True))
    behind = extract("epoch", func.clock_timestamp(type_=DateTime(timezone=True)) - replayed_at)
    return case((has_all, 0.0), else_=behind.cast(Double))


def _setting(name: str) -> ColumnElement[str]:
    return func.current_setting(name, type_=Text())

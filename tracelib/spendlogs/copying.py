"""The rows of the log as a replica takes them over, and how it notices changed ones."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    case,
    cast,
    extract,
    func,
    literal,
    null,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.types import BigInteger, Boolean, DateTime, TypeEngine

from tracelib.schema import Schema
from tracelib.spendlogs.body_facts import body_facts, no_facts
from tracelib.spendlogs.conditions import STORED, spend_logs
from tracelib.spendlogs.facts import with_facts
from tracelib.spendlogs.measures import AUTOMATIC_TAG, divided, joined_tags
from tracelib.spendlogs.relation import clean
from tracelib.spendlogs.replicated import COLUMNS, COPIED
from tracelib.spendlogs.types import RowHash, believable
from tracelib.window import HOUR_S

# Columns of the copied rows that are used on the way, and not stored.
ON_THE_WAY: Mapping[str, TypeEngine[Any]] = {"hour": BigInteger(), "row_hash": BigInteger()}
NOT_COPIED = ("requester_ip_address",)
PLAIN = tuple(name for name, kind in STORED.items() if kind is not JSONB and name not in NOT_COPIED)
# The documents that facts are read from: a change of one nearly always changes its size.
READ_DOCUMENTS = ("metadata", "request_tags")
BODIES = ("request_body", "response_body")


def to_copy(
    schema: Schema, start: datetime | None, end: datetime | None, reads_bodies: bool = False
) -> Select[Any]:
    """Which rows start in this time, as the replica holds them?

    The columns of `COPIED`, in their order, and those of `ON_THE_WAY`: the hour of the start,
    counted from 1970, and a hash that differs once a row was changed. None is without a bound. The
    facts of bodies are unknown unless these are read.
    """
    logs = spend_logs(schema)
    known = clean(logs)
    plain = {name: known[name] for name in COLUMNS if name in known}
    stored = plain | {
        "failed_request_id": case((known["is_failure"], logs.c.request_id)),
        "start_order": believable(logs.c.startTime),
        "elapsed_ms": _elapsed_ms(logs),
        "other_ms": case((known["response_ms"].is_(None), known["latency_ms"])),
        "request_tags": _own_tags(known["request_tags"]),
        "metadata": known["metadata"],
        "hour": hour_of(logs),
        "row_hash": row_hash(logs),
    }
    if reads_bodies:
        stored |= {name: known[name] for name in BODIES}
    read = select(*(one.label(name) for name, one in stored.items()))
    rows = read.where(*starting(logs, start, end)).subquery("stored")
    kept = [name for name in (*COPIED, *ON_THE_WAY) if name in stored]
    joins, of_bodies = body_facts(rows) if reads_bodies else ([], no_facts())
    facts = with_facts(rows, *kept).add_columns(*of_bodies)
    for one in joins:
        facts = facts.outerjoin(one, true())
    every = facts.subquery("known")
    return select(*(_as_stored(every.c[one]) for one in (*COPIED, *ON_THE_WAY)))


def _own_tags(request_tags: ColumnElement[Any]) -> ColumnElement[str]:
    """The client's tags; of the many rows that have only automatic ones, without a subquery."""
    is_automatic = f'@ == "" || @ starts with "{AUTOMATIC_TAG}"'
    other = f"strict $[*] ? (!({is_automatic}) || ({is_automatic}) is unknown)"
    nothing: ColumnElement[Any] = func.jsonb_build_object(type_=JSONB())
    has_other: ColumnElement[bool] = func.jsonb_path_exists(
        request_tags, cast(other, JSONPATH), nothing, True, type_=Boolean()
    )
    return case((has_other.is_not(False), joined_tags(request_tags)))


def _elapsed_ms(logs: FromClause) -> ColumnElement[int]:
    elapsed = believable(logs.c.endTime) - believable(logs.c.startTime)
    return cast(extract("epoch", elapsed) * 1_000, BigInteger)


def _as_stored(value: ColumnElement[Any]) -> ColumnElement[Any]:
    kind = COLUMNS.get(str(value.name))
    return cast(value, BigInteger) if isinstance(kind, BigInteger) else value


def hour_of(logs: FromClause) -> ColumnElement[int]:
    """In which hour since 1970 does each row start?"""
    seconds = extract("epoch", believable(logs.c.startTime))
    return cast(func.floor(divided(seconds, HOUR_S)), BigInteger)


def row_hash(logs: FromClause) -> ColumnElement[int]:
    """A hash of each row, by which a changed row is noticed without reading its documents."""
    plain = [logs.c[name] for name in PLAIN if name in logs.c]
    sizes = [func.pg_column_size(logs.c[name]) for name in READ_DOCUMENTS if name in logs.c]
    return RowHash(*plain, *sizes)


def starting(
    logs: FromClause, start: datetime | None, end: datetime | None
) -> list[ColumnElement[bool]]:
    """Which rows start in this time, naive UTC? None is without a bound."""
    bounds = []
    if start is not None:
        bounds.append(logs.c.startTime >= literal(start, DateTime()))
    if end is not None:
        bounds.append(logs.c.startTime < literal(end, DateTime()))
    return bounds


def counts_by_hour(
    schema: Schema, start: datetime | None, end: datetime | None, hashed: bool
) -> Select[Any]:
    """How many rows has each hour of this time, and what is the sum of their hashes?

    Rows of hour, rows and hashes, by hour. Without hashes, which are None, it reads an index only.
    """
    logs = spend_logs(schema)
    hour = hour_of(logs)
    hashes: ColumnElement[Any] = func.sum(row_hash(logs)) if hashed else null()
    return (
        select(hour.label("hour"), func.count().label("rows"), hashes.label("hashes"))
        .where(*starting(logs, start, end))
        .group_by(hour)
        .order_by(hour)
    )

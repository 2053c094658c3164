"""Hashes over rows of the log, and the marks that LiteLLM leaves in what it has not stored whole.

docs/evidence.md says how to recompute the hashes.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import BYTEA, aggregate_order_by
from sqlalchemy.types import Boolean, DateTime, Text

from tracelib.filters import Filters
from tracelib.schema import BODY_COLUMNS, Schema
from tracelib.spendlogs.conditions import STORED, chosen_ids, in_window, spend_logs
from tracelib.spendlogs.documents import decoded
from tracelib.spendlogs.relation import clean
from tracelib.spendlogs.types import MONEY

# In this order; those that this database lacks, or the viewer may not read, are left out.
COLUMNS = (
    *("request_id", "call_type", "api_key", "spend", "total_tokens", "prompt_tokens"),
    *("completion_tokens", "startTime", "endTime", "model", "model_group"),
    *("custom_llm_provider", "user", "team_id", "end_user", "cache_hit", "status", "session_id"),
)
BODIES = ("messages", "proxy_server_request", "response")
MOMENT = 'YYYY-MM-DD"T"HH24:MI:SS.MS'
HOUR = 'YYYY-MM-DD"T"HH24'
TRUNCATED = ("%(litellm_truncated skipped %", "%... (truncated %")
REDACTED = '%"redacted-by-litellm"%'


def hashed_columns(schema: Schema, with_bodies: bool) -> tuple[str, ...]:
    """Which columns does the hash of a row cover here, in order?"""
    wanted = (*COLUMNS, *(BODIES if with_bodies else ()))
    return tuple(name for name in wanted if schema.has(name))


def hashes_by_hour(schema: Schema, filters: Filters, columns: Sequence[str]) -> Select[Any]:
    """What is the hash of the rows of each UTC hour, and what is not stored whole in them?

    A row per hour with requests, in order:

        hour        text      as 2026-11-23T09
        requests    int
        cost_usd    numeric   US dollars, exact
        sha256      text      of the SHA-256 of each row, in order of start and ID
        truncated, redacted, in_cold_storage    int; None if the bodies are not among the columns
    """
    logs = spend_logs(schema)
    known = clean(logs)
    hour = func.to_char(logs.c.startTime, HOUR, type_=Text())
    rows = (
        select(
            hour.label("hour"),
            logs.c.startTime.label("start"),
            logs.c.request_id,
            known["spend_usd"].label("spend_usd"),
            _row_hash(logs, columns).label("digest"),
            *_marks(logs, bool(BODY_COLUMNS & set(columns))),
        )
        .where(*in_window(logs, filters.window), *chosen_ids(known, filters))
        .subquery("rows")
    )
    order = (rows.c.start, rows.c.request_id.collate("C"))
    together = func.string_agg(rows.c.digest, aggregate_order_by(literal(b"", BYTEA()), *order))
    total = func.coalesce(func.sum(rows.c.spend_usd), 0)
    return (
        select(
            rows.c.hour,
            func.count().label("requests"),
            cast(total, MONEY).label("cost_usd"),
            _hex(func.sha256(cast(together, BYTEA))).label("sha256"),
            *(_counted(rows.c[name]).label(name) for name in MARKS),
        )
        .group_by(rows.c.hour)
        .order_by(rows.c.hour)
    )


def _row_hash(logs: FromClause, columns: Sequence[str]) -> ColumnElement[Any]:
    """The SHA-256 of the values as a JSON array of texts."""
    line = cast(func.jsonb_build_array(*(_text(logs, name) for name in columns)), Text)
    return func.sha256(func.convert_to(line, "UTF8", type_=BYTEA()), type_=BYTEA())


def _text(logs: FromClause, name: str) -> ColumnElement[str]:
    value = logs.c[name]
    if STORED[name] is DateTime:
        return func.to_char(value, MOMENT, type_=Text())
    return value if STORED[name] is Text else cast(value, Text)


def _hex(digest: ColumnElement[Any]) -> ColumnElement[str]:
    return func.encode(digest, "hex", type_=Text())


MARKS = ("truncated", "redacted", "in_cold_storage")


def _marks(logs: FromClause, are_read: bool) -> list[ColumnElement[Any]]:
    if not are_read:
        return [cast(None, Boolean).label(name) for name in MARKS]
    body, response, messages, metadata = (
        logs.c[name] if name in logs.c else cast(None, Text)
        for name in ("proxy_server_request", "response", "messages", "metadata")
    )
    return marks(body, response, messages, metadata)


def marks(
    body: ColumnElement[Any],
    response: ColumnElement[Any],
    messages: ColumnElement[Any],
    metadata: ColumnElement[Any],
) -> list[ColumnElement[Any]]:
    """Was a row truncated, redacted or moved to cold storage, by LiteLLM's own marks?

    The columns of `MARKS`, bool. A message that quotes a mark counts as well.
    """
    texts = [func.coalesce(cast(one, Text), "") for one in (body, response, messages)]
    truncated = or_(*(text.like(one) for text in texts for one in TRUNCATED))
    redacted = or_(*(text.like(REDACTED) for text in texts))
    place = decoded(metadata, "object").op("->>", return_type=Text())("cold_storage_object_key")
    is_cold = func.coalesce(place, "") != ""
    return [
        truncated.label("truncated"),
        redacted.label("redacted"),
        is_cold.label("in_cold_storage"),
    ]


def _counted(mark: ColumnElement[Any]) -> ColumnElement[Any]:
    """How many rows have this mark? None if none of them was read."""
    return case((func.count(mark) > 0, func.count().filter(mark)))

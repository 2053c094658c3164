"""Changes that LiteLLM has recorded in tables of its own, as far as they may be read."""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    column,
    func,
    literal,
    null,
    select,
    table,
    union_all,
)
from sqlalchemy.types import DateTime, Text

from tracelib.changes.markers import Marker, in_order
from tracelib.filters import Filters
from tracelib.source import Postgres
from tracelib.spendlogs.conditions import shown_key
from tracelib.spendlogs.types import utc
from tracelib.window import TimeWindow

AUDIT_LOG, MODELS = "LiteLLM_AuditLog", "LiteLLM_ProxyModelTable"
KEYS, WORKERS = "LiteLLM_VerificationToken", "LiteLLM_ProxyWorkerHeartbeat"
MOST_RECORDED = 200
# What LiteLLM calls a table in its audit log -> what it holds, and the dimension of its IDs.
RECORDED = {
    MODELS: ("Model", None),
    "LiteLLM_TeamTable": ("Team", "team"),
    KEYS: ("Key", "key"),
    "LiteLLM_Config": ("Configuration", None),
    "LiteLLM_CacheConfig": ("Cache settings", None),
    "LiteLLM_ConfigOverrides": ("Configuration", None),
    "LiteLLM_AgentsTable": ("Agent", None),
}


def recorded(source: Postgres, filters: Filters) -> tuple[Marker, ...]:
    """Which changes of models, teams, keys and settings did LiteLLM record in the window?

    In the order of time: from the audit log, the table of models, the rotation of keys and the
    start of workers. They are about the whole installation: none for a viewer of a part. What the
    role may not read, or this version of LiteLLM does not have, adds none.
    """
    if not source.schema.scope.is_all:
        return ()
    parts = [
        part
        for of_table in (_of_audit_log, _of_models, _of_rotations, _of_workers)
        if (part := of_table(source, filters.window)) is not None
    ]
    if not parts:
        return ()
    found = union_all(*parts).subquery("found")
    rows = source.rows(select(*found.c).order_by(found.c.at.desc()).limit(MOST_RECORDED))
    return in_order(_markers(rows))


def _markers(rows: Any) -> Iterator[Marker]:
    audited = {(row.noun, row.at.replace(microsecond=0)) for row in rows if row.origin == "audit"}
    for row in rows:
        # LiteLLM writes a change of a model into both tables, in the same second or so.
        is_again = row.origin == "models" and (row.noun, row.at.replace(microsecond=0)) in audited
        if not is_again:
            yield Marker(row.at, "recorded", _words(row), row.model)


def _words(row: Row[Any]) -> str:
    name = f" {row.name}" if row.name else ""
    return f"{row.noun}{name} {row.action}"


def _of_audit_log(source: Postgres, window: TimeWindow) -> Select[Any] | None:
    """The audit log without its values, which can hold secrets."""
    names = ("updated_at", "action", "table_name", "object_id")
    audit = _table(source, AUDIT_LOG, names, "updated_at")
    if audit is None:
        return None
    parts = [
        _change(
            "audit",
            noun,
            audit.c.updated_at,
            _object(source, audit, kind),
            audit.c.action,
        ).where(audit.c.table_name == stored, *_within(audit.c.updated_at, window))
        for stored, (noun, kind) in RECORDED.items()
    ]
    found = union_all(*parts).subquery("audited")
    return select(*found.c)


def _object(source: Postgres, audit: FromClause, dimension: str | None) -> ColumnElement[str]:
    """The name of what was changed; its ID is not shown where it has none."""
    if dimension is None:
        return null().cast(Text())
    identity = shown_key(audit.c.object_id) if dimension == "key" else audit.c.object_id
    return source.name_of(dimension, identity, null().cast(Text()))


def _of_models(source: Postgres, window: TimeWindow) -> Select[Any] | None:
    names = ("model_name", "created_at", "updated_at")
    models = _table(source, MODELS, names, "created_at", "updated_at")
    if models is None:
        return None
    parts = []
    for at, action in (("created_at", "added"), ("updated_at", "updated")):
        is_later = models.c.updated_at > models.c.created_at
        conditions = _within(models.c[at], window)
        conditions += [is_later] if action == "updated" else []
        name = models.c.model_name
        part = _change("models", "Model", models.c[at], name, literal(action, Text()), name)
        parts.append(part.where(*conditions))
    found = union_all(*parts).subquery("in_table")
    return select(*found.c)


def _of_rotations(source: Postgres, window: TimeWindow) -> Select[Any] | None:
    keys = _table(source, KEYS, ("token", "last_rotation_at"), "last_rotation_at")
    if keys is None:
        return None
    name = source.name_of("key", shown_key(keys.c.token), null().cast(Text()))
    part = _change("keys", "Key", keys.c.last_rotation_at, name, literal("rotated", Text()))
    return part.where(*_within(keys.c.last_rotation_at, window))


def _of_workers(source: Postgres, window: TimeWindow) -> Select[Any] | None:
    workers = _table(source, WORKERS, ("started_at",), "started_at")
    if workers is None:
        return None
    minute = func.date_trunc("minute", workers.c.started_at, type_=DateTime())
    name = null().cast(Text())
    part = _change("workers", "Proxy", minute, name, literal("started a worker", Text()))
    return part.where(*_within(workers.c.started_at, window)).distinct()


def _change(
    origin: str,
    noun: str,
    at: ColumnElement[Any],
    name: ColumnElement[str],
    action: ColumnElement[str],
    model: ColumnElement[str] | None = None,
) -> Select[Any]:
    return select(
        literal(origin, Text()).label("origin"),
        literal(noun, Text()).label("noun"),
        utc(at).label("at"),
        name.label("name"),
        action.label("action"),
        (null().cast(Text()) if model is None else model).label("model"),
    )


def _within(at: ColumnElement[Any], window: TimeWindow) -> list[ColumnElement[bool]]:
    start, end = (
        literal(moment.astimezone(UTC).replace(tzinfo=None), DateTime())
        for moment in (window.start, window.end)
    )
    return [at >= start, at < end]


def _table(source: Postgres, name: str, columns: tuple[str, ...], *times: str) -> FromClause | None:
    """The table, None if one of these columns may not be read."""
    if not source.schema.reads(name, *columns):
        return None
    kinds = {one: DateTime() if one in times else Text() for one in columns}
    readable = (column(one, kind) for one, kind in kinds.items())
    return table(name, *readable, schema=source.schema.name)

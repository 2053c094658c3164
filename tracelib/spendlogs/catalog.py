"""What this database actually has: columns, indexes and grants, from its catalog."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, column, func, select, table, true, values
from sqlalchemy.types import Boolean, Integer, Text

from tracelib import errors
from tracelib.schema import OTHER_TABLES, Schema

REQUIRED = frozenset(
    (
        "request_id",
        "api_key",
        "startTime",
        "endTime",
        "spend",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "model",
    )
)
PARTITIONED = "p"
# An index over all rows, not a partial one: its columns are at the end of its definition.
INDEXED = re.compile(r".* USING (?:gin|gist) \((.*)\)")
# A JSON column as one text, indexed by trigrams of pg_trgm.
TRIGRAMS = re.compile(r"\(+(\w+)\)?::text\) (?:\w+\.)?(?:gin|gist)_trgm_ops")

ATTRIBUTES = table(
    "pg_attribute",
    column("attrelid", Integer()),
    column("attname", Text()),
    column("attnum", Integer()),
    column("attisdropped", Boolean()),
    schema="pg_catalog",
)
CLASSES = table(
    "pg_class", column("oid", Integer()), column("relkind", Text()), schema="pg_catalog"
)
INDEXES = table(
    "pg_index",
    column("indexrelid", Integer()),
    column("indrelid", Integer()),
    column("indkey"),
    column("indisvalid", Boolean()),
    schema="pg_catalog",
)


class Attribute(NamedTuple):
    """A column of a table, as the catalog has it; `relkind` is the table's."""

    relation: str
    relkind: str
    name: str
    is_readable: bool


class IndexedColumn(NamedTuple):
    """A column of an index; None if the index is over an expression.

    `definition` is the statement that creates the whole index.
    """

    index_id: int
    position: int
    name: str | None
    definition: str


def attributes(table_name: str, schema_name: str | None) -> Select[Any]:
    """Which columns do SpendLogs and the other tables have, and which may the role read?

    Rows of Attribute; none for a missing table.
    """
    relations = (table_name, *OTHER_TABLES)
    known = values(column("relation", Text()), column("path", Text()), name="wanted").data(
        [(name, path(name, schema_name)) for name in relations]
    )
    readable = func.has_column_privilege(
        ATTRIBUTES.c.attrelid, ATTRIBUTES.c.attnum, "SELECT", type_=Boolean()
    )
    return (
        select(
            known.c.relation,
            CLASSES.c.relkind.cast(Text()),
            ATTRIBUTES.c.attname.cast(Text()),
            readable,
        )
        .select_from(known)
        .join(CLASSES, CLASSES.c.oid == func.to_regclass(known.c.path))
        .join(ATTRIBUTES, ATTRIBUTES.c.attrelid == CLASSES.c.oid)
        .where(ATTRIBUTES.c.attnum > 0, ~ATTRIBUTES.c.attisdropped)
    )


def indexes(table_name: str, schema_name: str | None) -> Select[Any]:
    """Which columns do the valid indexes of SpendLogs have? Rows of IndexedColumn, in order."""
    key = (
        func.unnest(INDEXES.c.indkey)
        .table_valued(column("attnum", Integer()), with_ordinality="position", name="key")
        .render_derived()
    )
    on_column = (ATTRIBUTES.c.attrelid == INDEXES.c.indrelid) & (
        ATTRIBUTES.c.attnum == key.c.attnum
    )
    definition = func.pg_get_indexdef(INDEXES.c.indexrelid, type_=Text())
    return (
        select(INDEXES.c.indexrelid, key.c.position, ATTRIBUTES.c.attname.cast(Text()), definition)
        .select_from(INDEXES)
        .join(key, true())
        .outerjoin(ATTRIBUTES, on_column)
        .where(
            INDEXES.c.indrelid == func.to_regclass(path(table_name, schema_name)),
            INDEXES.c.indisvalid,
        )
        .order_by(INDEXES.c.indexrelid, key.c.position)
    )


def schema_of(
    table_name: str,
    schema_name: str | None,
    found: Sequence[Attribute],
    indexed: Sequence[IndexedColumn],
) -> Schema:
    """What does this database have: its columns, grants and indexes?

    Raises TableMissing, PermissionMissing or SchemaUnknown if no page could work.
    """
    logs = [attribute for attribute in found if attribute.relation == table_name]
    if not logs:
        raise errors.TableMissing()
    _need(logs)
    return Schema(
        table=table_name,
        name=schema_name,
        columns=_readable(logs),
        unreadable=frozenset(one.name for one in logs if not one.is_readable),
        other_tables=_other_tables(found),
        indexes=_column_lists(indexed),
        searchable=frozenset(name for one in indexed for name in _as_text(one.definition)),
        is_partitioned=logs[0].relkind == PARTITIONED,
    )


def path(table_name: str, schema_name: str | None) -> str:
    """The name of the table for `to_regclass`: quoted, as LiteLLM's capitals need it."""
    parts = (schema_name, table_name) if schema_name else (table_name,)
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def _need(logs: Sequence[Attribute]) -> None:
    if absent := REQUIRED - {attribute.name for attribute in logs}:
        raise errors.SchemaUnknown(f"Missing: {', '.join(sorted(absent))}.")
    if withheld := REQUIRED - _readable(logs):
        raise errors.PermissionMissing(f"Not granted: {', '.join(sorted(withheld))}.")


def _readable(found: Sequence[Attribute]) -> frozenset[str]:
    return frozenset(attribute.name for attribute in found if attribute.is_readable)


def _other_tables(found: Sequence[Attribute]) -> tuple[tuple[str, frozenset[str]], ...]:
    known = {name: [one for one in found if one.relation == name] for name in OTHER_TABLES}
    return tuple((name, _readable(columns)) for name, columns in known.items() if columns)


def _column_lists(indexed: Sequence[IndexedColumn]) -> tuple[tuple[str, ...], ...]:
    lists: defaultdict[int, list[str]] = defaultdict(list)
    for one in indexed:
        lists[one.index_id].append(one.name or "")
    return tuple(sorted(tuple(names) for names in lists.values()))


def _as_text(definition: str) -> Iterator[str]:
    """The columns whose text this index can search for any part.

    >>> made = "CREATE INDEX i ON t USING gin (((response)::text) gin_trgm_ops)"
    >>> list(_as_text(made)), list(_as_text(f"{made} WHERE (status = 'failure'::text)"))
    (['response'], [])
    """
    if found := INDEXED.fullmatch(definition):
        for column in found[1].split(", "):
            if trigrams := TRIGRAMS.fullmatch(column):
                yield trigrams[1]

"""A replica in PostgreSQL as a source: the same statements, on its tables."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from sqlalchemy import Engine, FromClause, Row, Select, Subquery, case, select
from sqlalchemy.engine.result import IteratorResult, Result, SimpleResultMetaData

from tracelib import errors, events
from tracelib.database_url import DatabaseAddress
from tracelib.permissions.access import Access
from tracelib.replica import manifest as manifests
from tracelib.replica.dialect import converted
from tracelib.replica.manifest import Manifest
from tracelib.replica.reader import Replica
from tracelib.replica.schema import DEFAULT_NAME, Tables
from tracelib.source import NotHeld, pool, reading
from tracelib.spendlogs.types import Counted

MANIFEST_S, RETRY_S = 1.0, 10.0
MANIFEST_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class TableReplica(Replica):
    """The requests in the tables of a replica, as far as a scope sees them."""

    milliseconds = Counted()

    engine: Engine
    tables: Tables

    def _with_numbers(self, numbers: Sequence[int]) -> Subquery:
        every = self._relation([self.tables.requests])
        is_one = every.c.session_group.in_(numbers)
        return select(*every.c).where(is_one).subquery("of_sessions")

    def rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """The rows of the result. Raises QuestionTooSlow, or NotHeld if it fails."""
        try:
            with reading(self.engine, self.timeout_s) as connection:
                rows = [tuple(row) for row in connection.execute(statement)]
        except errors.QuestionTooSlow:
            raise
        except errors.TraceError as error:
            events.log("warning", "replica_query_failed", fault=type(error).__name__)
            raise NotHeld(error.detail) from error
        names = [column.name for column in statement.selected_columns]
        found = iter(converted(statement, rows))
        result: Result[Any] = IteratorResult(SimpleResultMetaData(names), found)
        return result.all()

    def _tables(self, first: int, last: int) -> list[FromClause]:  # noqa: ARG002 - part of Replica
        return [self.tables.requests]

    def _names(self) -> FromClause:
        return self.tables.names


class TableReader:
    """The tables of a replica at this address, opened for reading.

    `identity` is that of the log as far as it is known: what is of another log, or of none that is
    known, is not shown.
    """

    def __init__(
        self, address: DatabaseAddress, connections: int, identity: Callable[[], str | None]
    ) -> None:
        self.sentence = ""
        self._engine = pool(address, connections)
        # Of its own: the manifest does not wait for queries.
        self._manifest_engine = pool(address, 1)
        self._tables = Tables(address.schema or DEFAULT_NAME)
        self._identity = identity
        self._lock = Lock()
        self._changed: int | None = None
        self._manifest: Manifest | None = None
        self._read_at = 0.0

    def manifest(self) -> Manifest | None:
        """The newest manifest; None if there is none that can be read. At most a second old.

        While another thread reads it, the last one: it grows too old to be used if that takes long.
        """
        if time.monotonic() >= self._read_at and self._lock.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._lock.release()
        return self._manifest

    def replica(self, access: Access, timeout_s: float) -> TableReplica | None:
        """The replica as it is now, for this access; None if there is none that can be read."""
        found = self.manifest()
        if found is None:
            return None
        return TableReplica(found, access.scope, timeout_s, False, self._engine, self._tables)

    def _refresh(self) -> None:
        try:
            self._manifest, self.sentence = self._newest(), ""
            wait_s = MANIFEST_S
        except errors.TraceError as error:
            self._manifest, self._changed, self.sentence = None, None, _sentence(error)
            wait_s = RETRY_S
        self._read_at = time.monotonic() + wait_s

    def _newest(self) -> Manifest | None:
        """The manifest, whose text is read only if it has changed. Raises a TraceError."""
        identity = self._identity()
        if identity is None:
            return None
        replicas = self._tables.replicas
        is_new = replicas.c.changed.is_distinct_from(self._changed)
        text = case((is_new, replicas.c.manifest))
        mine = select(replicas.c.changed, replicas.c.as_of, text.label("text")).where(
            replicas.c.shape == self._tables.shape
        )
        with reading(self._manifest_engine, MANIFEST_TIMEOUT_S) as connection:
            row = connection.execute(mine).one_or_none()
        if row is None:
            self._changed = None
            return None
        found = self._manifest if row.text is None else manifests.parsed(bytes(row.text))
        self._changed = row.changed if found else None
        if found is not None and found.identity != identity:
            raise errors.ReplicaOfAnotherLog(self._tables.schema)
        return replace(found, as_of=row.as_of) if found else None


def _sentence(error: errors.TraceError) -> str:
    """What is wrong; a database without tables is one that no one has written to yet."""
    if isinstance(error, errors.TableMissing):
        return ""
    is_own = isinstance(error, errors.ReplicaUnreadable | errors.ReplicaOfAnotherLog)
    return str(error if is_own else errors.ReplicaDatabaseUnusable(error.detail))

"""A replica in PostgreSQL as a source: the same statements, on its tables."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from sqlalchemy import Engine, FromClause, Row, Select, Subquery, select
from sqlalchemy.engine.result import IteratorResult, Result, SimpleResultMetaData

from tracelib import errors
from tracelib.database_url import DatabaseAddress
from tracelib.permissions.access import Access
from tracelib.replica import manifest as manifests
from tracelib.replica.dialect import converted
from tracelib.replica.manifest import Manifest
from tracelib.replica.reader import Replica
from tracelib.replica.schema import DEFAULT_NAME, Tables
from tracelib.source import NotHeld, pool, reading
from tracelib.spendlogs.types import Counted

log = logging.getLogger(__name__)
MANIFEST_S, RETRY_S = 1.0, 10.0
MANIFEST_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class TableReplica(Replica):
    """The requests in the tables of a replica, as far as a scope sees them."""

    milliseconds = Counted()

    engine: Engine
    tables: Tables

    def numbered(self, numbers: Sequence[int]) -> Subquery:
        """Which requests have the sessions with these numbers, at any time?"""
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
            log.warning("The replica could not run a query: %s", error)
            raise NotHeld(str(error)) from error
        names = [column.name for column in statement.selected_columns]
        found = iter(converted(statement, rows))
        result: Result[Any] = IteratorResult(SimpleResultMetaData(names), found)
        return result.all()

    def _tables(self, first: int, last: int) -> list[FromClause]:  # noqa: ARG002 - partitions are
        return [self.tables.requests]

    def _names(self) -> FromClause:
        return self.tables.names


class TableReader:
    """The tables of a replica at this address, opened for reading."""

    def __init__(self, address: DatabaseAddress, connections: int) -> None:
        self.sentence = ""
        self._engine = pool(address, connections)
        self._tables = Tables(address.schema or DEFAULT_NAME)
        self._lock = Lock()
        self._version: int | None = None
        self._manifest: Manifest | None = None
        self._read_at = 0.0

    def manifest(self) -> Manifest | None:
        """The newest manifest; None if there is none that can be read. At most a second old."""
        with self._lock:
            if time.monotonic() >= self._read_at:
                self._read_at = time.monotonic() + MANIFEST_S
                try:
                    self._read()
                    self.sentence = ""
                except errors.TraceError as error:
                    self._version = self._manifest = None
                    self.sentence = _sentence(error)
                    self._read_at = time.monotonic() + RETRY_S
            return self._manifest

    def replica(self, access: Access, timeout_s: float) -> TableReplica | None:
        """The replica as it is now, for this access; None if there is none that can be read."""
        found = self.manifest()
        if found is None:
            return None
        return TableReplica(found, access.scope, timeout_s, self._engine, self._tables)

    def _read(self) -> None:
        """Read the manifest, if it is another one than before."""
        replicas = self._tables.replicas
        mine = select(replicas.c.version, replicas.c.manifest).where(
            replicas.c.shape == self._tables.shape
        )
        if self._version is not None:
            mine = mine.where(replicas.c.version != self._version)
        with reading(self._engine, MANIFEST_TIMEOUT_S) as connection:
            row = connection.execute(mine).one_or_none()
        if row is not None:
            self._manifest = manifests.parsed(bytes(row.manifest))
            self._version = row.version


def _sentence(error: errors.TraceError) -> str:
    """What is wrong; a database without tables is one that no one has written to yet."""
    if isinstance(error, errors.TableMissing):
        return ""
    own = isinstance(error, errors.ReplicaUnreadable)
    return str(error if own else errors.ReplicaDatabaseUnusable(str(error)))

"""A replica in tables of a PostgreSQL of its own, for app servers that share no disk.

One of them writes: the one that holds an advisory lock, on the connection that it writes with. Rows
and the manifest change in one transaction, which fails if another process has written the manifest
since: even two writers lose and double nothing. The lock is the session's, so a pooler must be in
session mode.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from tracelib import errors
from tracelib.database_url import DatabaseAddress
from tracelib.replica import manifest as manifests
from tracelib.replica import table_rows
from tracelib.replica.layout import Range
from tracelib.replica.manifest import Manifest, Span
from tracelib.replica.schema import path
from tracelib.replica.session import Session, unusable
from tracelib.replica.settings import ReplicaSettings
from tracelib.replica.storage import NOTHING, Built, Csv, Kept, Listed, NameRow
from tracelib.replica.table_manifest import OpenedTables, days_of
from tracelib.spendlogs.replicated import NAMES


class TableStorage:
    """The tables of a replica at this address. Implements `Storage`."""

    def __init__(self, settings: ReplicaSettings, address: DatabaseAddress, log_table: str) -> None:
        self._session = Session(address, log_table)
        # Other tables may be written on this machine: each has a folder for rows on their way.
        own = settings.folder / f"rows-{self._session.name[:12]}"
        self.settings = replace(settings, folder=own)

    def win(self) -> bool:
        """Am I the only writer? Becomes it if there is none."""
        self.settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._session.win()

    def resign(self) -> None:
        """Let another one be the writer."""
        self._session.resign()

    def is_paused(self) -> bool:
        """Has an admin paused the writer?"""
        replicas = self._session.tables.replicas
        is_paused = select(replicas.c.is_paused).where(
            replicas.c.shape == self._session.tables.shape
        )
        with self._session.reading() as connection:
            return bool(connection.scalar(is_paused))

    def set_paused(self, is_paused: bool) -> None:
        """Pause the writer of any process, or let it continue. Raises a TraceError."""
        replicas = self._session.tables.replicas
        mine = replicas.c.shape == self._session.tables.shape
        try:
            with self._session.engine.connect() as connection:
                writing = connection.execution_options(postgresql_readonly=False)
                writing.execute(select(func.set_config("statement_timeout", "5000", True)))
                paused = writing.execute(update(replicas).where(mine).values(is_paused=is_paused))
                writing.commit()
        except SQLAlchemyError as error:
            raise unusable(error) from error
        finally:
            self._session.engine.dispose()
        if paused.rowcount != 1:
            raise errors.ReplicaDatabaseUnusable("There is no replica yet.")

    def open(self, identity: str) -> "OpenedTables":
        """The replica in these tables, or a new one. Raises ReplicaOfAnotherLog."""
        for left in self.settings.folder.glob("rows-*.tmp"):
            left.unlink(missing_ok=True)
        self._session.forget()
        with self._session.using() as connection:
            is_new = self._session.tables.create(connection)
            known = None if is_new else self._known(connection)
            manifest, version = known or self._new(connection, identity)
            connection.commit()
        if manifest.identity != identity:
            raise errors.ReplicaOfAnotherLog(self._session.tables.schema)
        return OpenedTables(manifest, session=self._session, version=version)

    def _known(self, connection: Connection) -> tuple[Manifest, int] | None:
        replicas = self._session.tables.replicas
        mine = select(replicas).where(replicas.c.shape == self._session.tables.shape)
        row = connection.execute(mine).one_or_none()
        try:
            found = row and manifests.parsed(bytes(row.manifest))
        except errors.ReplicaUnreadable:
            return None
        return (replace(found, as_of=row.as_of), row.version) if row and found else None

    def _new(self, connection: Connection, identity: str) -> tuple[Manifest, int]:
        """Nothing is held; nor is what was, if its manifest cannot be read."""
        manifest = Manifest(identity, complete_from=NOTHING, columns=manifests.shape())
        replicas = self._session.tables.replicas
        connection.execute(text(f"TRUNCATE {path(self._session.tables.requests)}"))
        mine = replicas.c.shape == self._session.tables.shape
        # A pause stays, and readers notice another version.
        old = connection.execute(replicas.delete().where(mine).returning(replicas)).one_or_none()
        version = old.version + 1 if old else 0
        is_paused = bool(old and old.is_paused)
        written = {"manifest": manifests.written(manifest), "changed": version, "as_of": 0.0}
        mine_now = {"shape": self._session.tables.shape, "version": version, "is_paused": is_paused}
        connection.execute(insert(replicas), mine_now | written)
        return manifest, version

    def tell(self, sentence: str, error: Exception) -> None:
        """Nothing: each process that tries to write has met the same, and says so itself."""

    def build(self, hours: Range, read: Sequence[Csv], kept: Sequence[Kept]) -> Built:
        """Hold exactly these rows in these hours, once the manifest is published."""
        with self._session.using() as connection:
            arrived = self._arrived(connection, read) if read else {}
            self._hold(connection, hours, kept, arrived)
            self._session.is_building = True
        rows = sum(map(table_rows.kept_rows, kept)) + sum(rows for rows, _ in arrived.values())
        file = f"hours-{uuid.uuid4().hex[:12]}"
        return Built(file, rows, round(rows * self._session.bytes_a_row), arrived)

    def _arrived(
        self, connection: Connection, read: Sequence[Csv]
    ) -> Mapping[int, tuple[int, int]]:
        """Rows and hashes by hour of the rows that have arrived, whose days have partitions."""
        arrived = table_rows.arrived(connection, read)
        if missing := days_of(arrived) - self._session.tables.days(connection):
            # On its own: no query waits for a new partition until the rows are written.
            connection.rollback()
            self._session.tables.add_days(connection, sorted(missing))
            connection.commit()
            arrived = table_rows.arrived(connection, read)
        return arrived

    def _hold(
        self,
        connection: Connection,
        hours: Range,
        kept: Sequence[Kept],
        arrived: Mapping[int, tuple[int, int]],
    ) -> None:
        """Insert what has arrived in place of what is not kept; only new rows if none are gone."""
        requests = self._session.tables.requests
        again = {hour for one in kept for hour in one.without}
        if arrived and again and table_rows.only_adds(connection, requests, again):
            table_rows.insert_new(connection, requests, again)
            return
        table_rows.remove(connection, requests, hours, kept)
        if arrived:
            table_rows.insert_arrived(connection, requests)

    def build_names(self, rows: Sequence[NameRow]) -> str:
        """Hold exactly these names, once a manifest with the result is published."""
        names = self._session.tables.names
        with self._session.using() as connection:
            self._session.is_building = True
            connection.execute(names.delete())
            if rows:
                values = [dict(zip(NAMES, row, strict=True)) for row in rows]
                connection.execute(insert(names), values)
        return f"names-{uuid.uuid4().hex[:12]}"

    def listed(self, span: Span) -> Listed:
        """Which names and models do the rows of this span have?"""
        with self._session.reading() as connection:
            hours = (span.start, span.end)
            return table_rows.listed(connection, self._session.tables.requests, hours)

    def counts(self, span: Span) -> dict[int, int]:
        """How many rows of each hour are really there?"""
        with self._session.reading() as connection:
            hours = (span.start, span.end)
            return table_rows.counts(connection, self._session.tables.requests, hours)

"""A replica in tables of a PostgreSQL of its own, for app servers that share no disk.

One of them writes: the one that holds an advisory lock, on the connection that it writes with. Rows
and the manifest change in one transaction, which fails if another process has written the manifest
since: even two writers lose and double nothing. The lock and a temporary table are the session's,
so a pooler must be in session mode.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, replace
from hashlib import sha256

from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from tracelib import errors
from tracelib.database_url import DatabaseAddress
from tracelib.replica import manifest as manifests
from tracelib.replica import table_rows
from tracelib.replica.layout import EPOCH, HOUR, Range
from tracelib.replica.manifest import Manifest, Span
from tracelib.replica.schema import DEFAULT_NAME, Tables, path
from tracelib.replica.settings import ReplicaSettings
from tracelib.replica.store import NOTHING, Built, Csv, Kept, Listed, NameRow, Opened
from tracelib.source import pool
from tracelib.source.driver_errors import explained
from tracelib.spendlogs.replicated import NAMES

# Of the writer's connection. A new partition waits for the queries that run, and these for it.
GUARDS = {
    "TimeZone": "UTC",
    "statement_timeout": "600000",
    "lock_timeout": "20000",
    "idle_in_transaction_session_timeout": "300000",
}
LOG = text(
    "SELECT count(*) > 0 FROM pg_class WHERE relname = :name AND relkind IN ('r', 'p', 'v', 'f')"
)
TIDY_S = 600.0
OUTDATED_S = 86_400.0
# Until it is measured.
BYTES_A_ROW = 400.0


def unusable(error: SQLAlchemyError) -> errors.TraceError:
    """The error of the replica's database, with the reason."""
    return errors.ReplicaDatabaseUnusable(str(explained(error)))


class TableStore:
    """The tables of a replica at this address. Implements `Store`.

    `log_table` is the table of LiteLLM's log: a database with one is refused.
    """

    def __init__(self, settings: ReplicaSettings, address: DatabaseAddress, log_table: str) -> None:
        self.settings = settings
        self.tables = Tables(address.schema or DEFAULT_NAME)
        self.bytes_a_row = BYTES_A_ROW
        self._log_table = log_table
        self._engine = pool(address, 1)
        self._connection: Connection | None = None

    @contextmanager
    def using(self) -> Iterator[Connection]:
        """The writer's connection, which is given up after an error. Raises a TraceError."""
        if self._connection is None:
            raise errors.ReplicaDatabaseUnusable("There is no connection.")
        try:
            yield self._connection
        except SQLAlchemyError as error:
            self.resign()
            raise unusable(error) from error

    def win(self) -> bool:
        """Am I the only writer? Becomes it if there is none."""
        if self._connection is not None:
            with self.using() as connection:
                connection.rollback()
                connection.execute(select(1))
                connection.rollback()
            return True
        self.settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            connection = self._engine.connect()
            self._connection = connection.execution_options(postgresql_readonly=False)
        except SQLAlchemyError as error:
            raise unusable(error) from error
        return self._lock()

    def _lock(self) -> bool:
        name = f"{self.tables.schema} {self.tables.shape}"
        number = int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)
        with self.using() as connection:
            is_log = connection.scalar(LOG, {"name": self._log_table})
            guards = (func.set_config(one, value, False) for one, value in GUARDS.items())
            connection.execute(select(*guards))
            is_won = not is_log and connection.scalar(select(func.pg_try_advisory_lock(number)))
            connection.commit()
        if not is_won:
            self.resign()
        if is_log:
            raise errors.ReplicaDatabaseIsTheLog()
        return bool(is_won)

    def resign(self) -> None:
        """Let another one be the writer."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # Closed rather than returned to the pool: the lock is the session's.
            with suppress(SQLAlchemyError):
                connection.invalidate()
                connection.close()

    def is_paused(self) -> bool:
        """Has an admin paused the writer?"""
        replicas = self.tables.replicas
        is_paused = select(replicas.c.is_paused).where(replicas.c.shape == self.tables.shape)
        with self.using() as connection:
            return bool(connection.scalar(is_paused))

    def set_paused(self, is_paused: bool) -> None:
        """Pause the writer of any process, or let it continue. Raises a TraceError."""
        replicas = self.tables.replicas
        mine = replicas.c.shape == self.tables.shape
        try:
            with self._engine.connect() as connection:
                writing = connection.execution_options(postgresql_readonly=False)
                writing.execute(update(replicas).where(mine).values(is_paused=is_paused))
                writing.commit()
        except SQLAlchemyError as error:
            raise unusable(error) from error
        finally:
            self._engine.dispose()

    def open(self, identity: str) -> "OpenedTables":
        """The replica in these tables, or a new one. Raises ReplicaOfAnotherLog."""
        for left in self.settings.folder.glob("rows-*.tmp"):
            left.unlink(missing_ok=True)
        with self.using() as connection:
            connection.rollback()
            connection.execute(CreateTable(table_rows.ARRIVING, if_not_exists=True))
            self.tables.create(connection)
            manifest, version = self._known(connection) or self._new(connection, identity)
            connection.commit()
        if manifest.identity != identity:
            raise errors.ReplicaOfAnotherLog(self.tables.schema)
        return OpenedTables(manifest, store=self, version=version)

    def _known(self, connection: Connection) -> tuple[Manifest, int] | None:
        replicas = self.tables.replicas
        mine = select(replicas).where(replicas.c.shape == self.tables.shape)
        row = connection.execute(mine).one_or_none()
        try:
            return row and (manifests.parsed(bytes(row.manifest)), row.version)
        except errors.ReplicaUnreadable:
            return None

    def _new(self, connection: Connection, identity: str) -> tuple[Manifest, int]:
        """Nothing is held; nor is what was, if its manifest cannot be read."""
        manifest = Manifest(identity, complete_from=NOTHING, columns=manifests.shape())
        replicas = self.tables.replicas
        connection.execute(text(f"TRUNCATE {path(self.tables.requests)}"))
        connection.execute(replicas.delete().where(replicas.c.shape == self.tables.shape))
        written = {"is_paused": False, "manifest": manifests.written(manifest)}
        values = {"shape": self.tables.shape, "version": 0, **written}
        connection.execute(insert(replicas), values)
        return manifest, 0

    def tell(self, sentence: str, error: Exception) -> None:
        """Nothing: each process that tries to write has met the same, and says so itself."""

    def build(self, hours: Range, read: Sequence[Csv], kept: Sequence[Kept]) -> Built:
        """Hold exactly these rows in these hours, once the manifest is published."""
        requests = self.tables.requests
        with self.using() as connection:
            arrived = table_rows.arrived(connection, read) if read else {}
            days = {(EPOCH + hour * HOUR).date() for hour in arrived}
            self.tables.add_days(connection, sorted(days - self.tables.days(connection).keys()))
            # No query waits for a new partition until the rows are written.
            connection.commit()
            table_rows.remove(connection, requests, hours, kept)
            if arrived:
                table_rows.insert_arrived(connection, requests)
        rows = sum(map(table_rows.kept_rows, kept)) + sum(rows for rows, _ in arrived.values())
        file = f"hours-{uuid.uuid4().hex[:12]}"
        return Built(file, rows, round(rows * self.bytes_a_row), arrived)

    def build_names(self, rows: Sequence[NameRow]) -> str:
        """Hold exactly these names, once a manifest with the result is published."""
        names = self.tables.names
        with self.using() as connection:
            connection.execute(names.delete())
            if rows:
                values = [dict(zip(NAMES, row, strict=True)) for row in rows]
                connection.execute(insert(names), values)
        return f"names-{uuid.uuid4().hex[:12]}"

    def listed(self, span: Span) -> Listed:
        """Which names and models do the rows of this span have?"""
        with self.using() as connection:
            hours = (span.start, span.end)
            return table_rows.listed(connection, self.tables.requests, hours)


@dataclass
class OpenedTables(Opened):
    """The manifest of tables whose only writer this is."""

    _: KW_ONLY
    store: TableStore
    version: int
    _tidy_at: float = 0.0

    def publish(self, manifest: Manifest) -> None:
        """Make this the manifest, with the rows that were built for it."""
        replicas, shape = self.store.tables.replicas, self.store.tables.shape
        mine = (replicas.c.shape == shape, replicas.c.version == self.version)
        values = {"version": self.version + 1, "manifest": manifests.written(manifest)}
        with self.store.using() as connection:
            changed = connection.execute(update(replicas).where(*mine).values(values))
            if changed.rowcount != 1:
                connection.rollback()
                raise errors.ReplicaDamaged("Another process has written the manifest.")
            connection.commit()
        self.manifest, self.version = manifest, self.version + 1

    def tidy(self, now: float) -> None:
        """Drop the partitions of days without rows and outdated shapes; measure the rows."""
        if now < self._tidy_at:
            return
        hours = {hour for span in self.manifest.spans for hour in span.hours}
        days = {(EPOCH + hour * HOUR).date() for hour in hours}
        tables = self.store.tables
        with self.store.using() as connection:
            for day in tables.days(connection).keys() - days:
                tables.drop_day(connection, day)
            for shape in self._outdated(connection, now):
                tables.of_shape(shape).drop(connection)
            if self.manifest.rows:
                self.store.bytes_a_row = sum(tables.days(connection).values()) / self.manifest.rows
            connection.commit()
        self._tidy_at = now + TIDY_S

    def _outdated(self, connection: Connection, now: float) -> list[str]:
        """Which other shapes has no one written for a day, while this one holds everything?"""
        if self.manifest.complete_from is not None:
            return []
        replicas = self.store.tables.replicas
        others = select(replicas).where(replicas.c.shape != self.store.tables.shape)
        known = (
            (one.shape, manifests.moment(bytes(one.manifest))) for one in connection.execute(others)
        )
        return [shape for shape, as_of in known if as_of < now - OUTDATED_S]

    def fail(self, sentence: str, error: Exception) -> None:  # noqa: ARG002 - part of Opened
        """Say in the manifest what is wrong, without the rows that were not yet published."""
        with suppress(errors.TraceError):
            with self.store.using() as connection:
                connection.rollback()
            self.publish(replace(self.manifest, sentence=sentence))

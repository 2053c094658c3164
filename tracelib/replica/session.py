"""The writer's session with the database of a replica, and the lock that makes it the only one."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from tracelib import errors
from tracelib.database_url import DatabaseAddress
from tracelib.replica.schema import DEFAULT_NAME, Tables
from tracelib.source import pool
from tracelib.source.driver_errors import reason

# Of the writer's connection.
GUARDS = {
    "TimeZone": "UTC",
    "statement_timeout": "600000",
    "lock_timeout": "20000",
    "idle_in_transaction_session_timeout": "300000",
}
LOG = text(
    "SELECT count(*) > 0 FROM pg_class WHERE relname = :name AND relkind IN ('r', 'p', 'v', 'f')"
)
# Behind a pooler in transaction mode, the lock may be another process's on the same session.
IS_LOCKED_ALREADY = text(
    "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
)
ENCODING = text("SELECT current_setting('server_encoding')")
# Until it is measured.
BYTES_A_ROW = 400.0


def unusable(error: SQLAlchemyError) -> errors.TraceError:
    """The error of the replica's database, with the reason."""
    return errors.ReplicaDatabaseUnusable(reason(error))


class Session:
    """A connection that holds the lock of the tables at this address, once it has won.

    `log_table` is the table of LiteLLM's log: a database with one is refused. `is_building` says
    that its transaction has rows which are not published, `bytes_a_row` how large these are.
    """

    def __init__(self, address: DatabaseAddress, log_table: str) -> None:
        self.tables = Tables(address.schema or DEFAULT_NAME)
        self.name = sha256(f"{self.tables.schema} {self.tables.shape}".encode()).hexdigest()
        self.engine = pool(address, 1)
        self.is_building = False
        self.bytes_a_row = BYTES_A_ROW
        self._log_table = log_table
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

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The same, without a transaction afterwards, unless rows were built in it.

        One that waits while the log is read would be ended by the server.
        """
        with self.using() as connection:
            yield connection
            if not self.is_building:
                connection.rollback()

    def win(self) -> bool:
        """Am I the only writer? Becomes it if there is none."""
        if self._connection is not None:
            self.forget()
            with self.reading() as connection:
                connection.execute(select(1))
            return True
        try:
            connection = self.engine.connect()
            self._connection = connection.execution_options(postgresql_readonly=False)
        except SQLAlchemyError as error:
            raise unusable(error) from error
        with self.using() as connection:
            is_won = self._lock(connection)
            connection.commit()
        if not is_won:
            self.resign()
        return is_won

    def _lock(self, connection: Connection) -> bool:
        """Take the lock, if this is a database for a replica and no one has it."""
        if problem := self._problem(connection):
            self.resign()
            raise problem
        guards = (func.set_config(one, value, False) for one, value in GUARDS.items())
        connection.execute(select(*guards))
        number = int.from_bytes(bytes.fromhex(self.name[:16]), "big", signed=True)
        lock = select(func.pg_try_advisory_lock(number))
        return not connection.scalar(IS_LOCKED_ALREADY) and bool(connection.scalar(lock))

    def _problem(self, connection: Connection) -> errors.TraceError | None:
        if connection.scalar(LOG, {"name": self._log_table}):
            return errors.ReplicaDatabaseIsTheLog()
        encoding = connection.scalar(ENCODING)
        if encoding != "UTF8":
            return errors.ReplicaDatabaseUnusable(f"Its encoding is {encoding}, not UTF8.")
        return None

    def resign(self) -> None:
        """Let another one be the writer."""
        connection, self._connection, self.is_building = self._connection, None, False
        if connection is not None:
            # Closed rather than returned to the pool: the lock is the session's.
            with suppress(SQLAlchemyError):
                connection.invalidate()
                connection.close()

    def forget(self) -> None:
        """Forget the rows that were built and not published."""
        with self.using() as connection:
            connection.rollback()
            self.is_building = False

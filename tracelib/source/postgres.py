"""A LiteLLM database that runs statements without risk to it.

Every protection is set per transaction (BEGIN READ ONLY and set_config(…, is_local)), because only
that works on a direct connection and behind PgBouncer in transaction mode, where a start-up option
is refused and a plain SET leaks to others.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import pandas as pd
import psycopg2
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    Subquery,
    create_engine,
    select,
)
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tracelib import errors, events
from tracelib.database_url import DatabaseAddress
from tracelib.filters import Filters
from tracelib.permissions.access import Access, Scope
from tracelib.schema import Schema
from tracelib.selection import RowId, Selection
from tracelib.settings import Settings
from tracelib.source.connections import logged
from tracelib.source.deadline import Deadline, watched, within
from tracelib.source.driver_errors import explained
from tracelib.source.frames import frame_of
from tracelib.source.guards import guards
from tracelib.source.literals import with_values
from tracelib.spendlogs import catalog, extent, names, relation, sums
from tracelib.window import TimeWindow

CONNECT_TIMEOUT_S = 3
# The server stops a statement at its limit; if it does not, the connection is cut this much later.
GRACE_S = 10.0
# A transaction's first takes no time but two round trips: a host that is gone is left for another.
POOL_TIMEOUT_S = 10
PARAMETERS = {
    "connect_timeout": str(CONNECT_TIMEOUT_S),
    "application_name": "tracelib",
    # The encoding of a role or a database may lack characters of messages.
    "client_encoding": "UTF8",
    # A server that has gone without a word, or a network that swallows packets, is noticed.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
RECYCLE_S = 300
# All statements of a transaction see the same rows.
SNAPSHOT: IsolationLevel = "REPEATABLE READ"


@dataclass(frozen=True)
class Postgres:
    """LiteLLM's database, which runs every query.

    `schema` is what it had at the first connection.
    """

    engine: Engine
    schema: Schema
    statement_timeout_s: float

    def seen_by(self, access: Access) -> "Postgres":
        """The same database for a person who may not see all of it."""
        return replace(self, schema=self.schema.seen_by(access))

    @property
    def scope(self) -> Scope:
        """Whose requests does it show?"""
        return self.schema.scope

    def requests(self, filters: Filters) -> Subquery:
        """Which requests match the filters? The relation for all queries."""
        return relation.requests(self.schema, filters)

    def sums_by_day(self, window: TimeWindow, columns: Sequence[str]) -> Subquery:
        """What do the requests of a window add up to, by UTC day and these of their columns?"""
        return sums.by_day(self.requests(Filters(window)), columns).subquery("sums")

    def by_id(self, column: str, ids: Sequence[str]) -> Subquery:
        """Which requests have one of these IDs: request_id, session_id or call_id?"""
        return relation.by_id(self.schema, column, ids)

    def by_rows(self, rows: Sequence[RowId]) -> Subquery:
        """Which requests are these rows, of any owner?"""
        return relation.by_rows(self.schema, rows)

    def selected(self, selection: Selection) -> Subquery:
        """Which requests are read as one conversation?"""
        return relation.selected(self.schema, selection)

    def of_sessions(self, keys: Sequence[tuple[str, str]]) -> Subquery | None:
        """Which requests have these sessions, pairs of session key and session ID, at any time?

        None if it would take a scan.
        """
        if self.schema.has("session_id") and not self.schema.is_indexed("session_id"):
            return None
        found = self.by_id("session_id", sorted({session_id for _, session_id in keys}))
        session_keys = [session_key for session_key, _ in keys]
        is_one = found.c.session_key.in_(session_keys)
        return select(*found.c).where(is_one).subquery("of_sessions")

    def finds_calls(self) -> bool:
        """Can requests be found by their call ID without a scan? There may be none to find."""
        return self.schema.is_indexed("litellm_call_id") or not self.schema.has("litellm_call_id")

    def first_start(self, window: TimeWindow) -> Select[Any]:
        """When did the first request of this window start? One row: first, None if none did."""
        return extent.first_start(self.schema, window)

    def name_of(
        self, dimension: str, identity: ColumnElement[str], sample: ColumnElement[str]
    ) -> ColumnElement[str]:
        """What is the name of this ID? `sample` is the ID of one of its requests."""
        return names.name_of(self.schema, dimension, identity, sample)

    def ids_called(self, dimension: str, text: str) -> list[Select[Any]]:
        """Which IDs of a dimension have this text in a name?"""
        return names.ids_called(self.schema, dimension, text)

    def copy(self, statement: Select[Any], into: BinaryIO) -> int:
        """Write the rows of this statement as CSV, without a header, and count them.

        Raises a TraceError.
        """
        with reading(self.engine, self.statement_timeout_s) as connection:
            cursor = connection.connection.cursor()
            try:
                # Its deadline is that of the statement before: a copy reads as it writes.
                cursor.copy_expert(
                    f"COPY ({with_values(statement, self.engine)}) TO STDOUT CSV", into
                )
            except psycopg2.Error as error:
                raise DBAPIError("COPY", {}, error) from error
            return int(cursor.rowcount)

    def estimated_rows(self, statement: Select[Any]) -> int:
        """How many rows does the planner expect of this statement? Raises a TraceError."""
        with reading(self.engine, self.statement_timeout_s) as connection:
            cursor = connection.connection.cursor()
            cursor.execute(f"EXPLAIN (FORMAT JSON) {with_values(statement, self.engine)}")
            ((plans,),) = cursor.fetchall()
            return int(plans[0]["Plan"]["Plan Rows"])

    @contextmanager
    def snapshot(self) -> Iterator["Postgres"]:
        """The database as it is now: all that is read within the block is of the same moment.

        One connection and one transaction, whose statements each have the usual time limit. Raises
        a TraceError.
        """
        with reading(self.engine, self.statement_timeout_s, SNAPSHOT) as connection:
            yield Moment(self.engine, self.schema, self.statement_timeout_s, connection)

    def rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """The rows that the database returns. Raises a TraceError."""
        with reading(self.engine, self.statement_timeout_s) as connection:
            return connection.execute(statement).all()

    def row(self, statement: Select[Any]) -> Row[Any]:
        """The only row that the database returns. Raises a TraceError."""
        (row,) = self.rows(statement)
        return row

    def frame(self, statement: Select[Any]) -> pd.DataFrame:
        """The rows as a frame, whose columns keep their types without rows. Raises a TraceError."""
        return frame_of(statement, self.rows(statement))


@dataclass(frozen=True)
class Moment(Postgres):
    """LiteLLM's database at one moment. Implements `Source` over one open transaction."""

    connection: Connection

    def rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """The rows that the database returned at that moment."""
        return self.connection.execute(statement).all()


def connect(settings: Settings, address: DatabaseAddress) -> Postgres:
    """Connect to the database at this address and read its schema. Raises a TraceError."""
    engine = pool(address, settings.pool_size)
    try:
        return source_over(engine, settings, address)
    except BaseException:
        engine.dispose()
        raise


def source_over(engine: Engine, settings: Settings, address: DatabaseAddress) -> Postgres:
    """Read the database's schema over this pool. Raises a TraceError."""
    with reading(engine, settings.statement_timeout_s) as connection:
        schema = _schema(connection, settings.table, address.schema)
    events.log("debug", "schema_read", database=address.in_words(), columns=len(schema.columns))
    return Postgres(engine, schema, settings.statement_timeout_s)


def pool(address: DatabaseAddress, size: int) -> Engine:
    """A pool of at most `size` connections to this database; none is open yet."""
    parameters = PARAMETERS | dict(address.parameters)
    other_hosts = parameters.get("host", "").count(",")
    engine = create_engine(
        URL.create("postgresql+psycopg2"),
        connect_args=parameters,
        execution_options={"postgresql_readonly": True},
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_recycle=RECYCLE_S,
        hide_parameters=True,
        json_deserializer=json_value,
    )
    return logged(watched(engine, other_hosts * CONNECT_TIMEOUT_S), address.in_words())


def json_value(document: str) -> Any:
    """The value of a JSON column. An integer that Python refuses to convert is its digits, a text.

    PostgreSQL writes 1e4400 in a client's JSON with all its digits; Python converts 4,300 of them.
    """
    try:
        return json.loads(document)
    except ValueError:
        return json.loads(document, parse_int=whole_number)


def whole_number(digits: str) -> int | str:
    """
    >>> whole_number("-12"), len(whole_number("9" * 5_000))
    (-12, 5000)
    """
    try:
        return int(digits)
    except ValueError:
        return digits


def _schema(connection: Connection, table: str, schema_name: str | None) -> Schema:
    attributes = connection.execute(catalog.attributes(table, schema_name))
    found = [*map(catalog.Attribute._make, attributes)]
    indexes = connection.execute(catalog.indexes(table, schema_name))
    indexed = [*map(catalog.IndexedColumn._make, indexes)]
    return catalog.schema_of(table, schema_name, found, indexed)


@contextmanager
def reading(
    engine: Engine, timeout_s: float, isolation: IsolationLevel | None = None
) -> Iterator[Connection]:
    """A connection for one read-only transaction with this time limit. Raises a TraceError."""
    pooled = engine.execution_options(isolation_level=isolation) if isolation else engine
    with within(timeout_s + GRACE_S, engine, 2 * GRACE_S) as deadline:
        try:
            with _begun(pooled, timeout_s, deadline) as connection:
                yield connection
        except SQLAlchemyError as error:
            if deadline.is_cancelled:
                raise errors.Cancelled() from error
            if deadline.is_over:
                raise errors.DatabaseHangs() from error
            raise explained(error) from error


def _begun(engine: Engine, timeout_s: float, deadline: Deadline) -> Connection:
    """A connection with a transaction and its limits.

    The server may have closed it since its last use: then the pool is emptied, and another one
    opened. To ask each time whether it is open would cost a round trip.
    """
    for is_last in (False, True):
        connection = engine.connect()
        try:
            connection.execute(guards(timeout_s, engine.dialect))
        except BaseException as error:
            connection.close()
            was_closed = isinstance(error, DBAPIError) and error.connection_invalidated
            if is_last or deadline.is_over or not was_closed:
                raise
        else:
            break
    deadline.responded()
    return connection

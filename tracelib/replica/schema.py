"""The tables of a replica in PostgreSQL: their names, definitions, days, and sizes.

Each shape of the replica has its own tables, so that installations of two versions can share a
schema while they are upgraded. With Citus, requests are distributed by the number of their session,
so that sessions are counted where their rows are, and names are on every node.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Index, MetaData, Table, func, select, text
from sqlalchemy.dialects.postgresql.base import PGIdentifierPreparer
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.schema import CreateIndex, CreateSchema, CreateTable
from sqlalchemy.types import BigInteger, Boolean, Double, LargeBinary, Text, TypeEngine

from tracelib.replica import manifest as manifests
from tracelib.spendlogs.replicated import COLUMNS, NAMES

DEFAULT_NAME = "tracelib_replica"
INDEXED = ("start_order", "session_number")
REPLICAS: Mapping[str, TypeEngine[Any]] = {
    "shape": Text(),
    "version": BigInteger(),
    "changed": BigInteger(),
    "as_of": Double(),
    "is_paused": Boolean(),
    "manifest": LargeBinary(),
}
CITUS = text("SELECT count(*) > 0 FROM pg_extension WHERE extname = 'citus'")
SCHEMA_IS_THERE = text("SELECT count(*) > 0 FROM pg_namespace WHERE nspname = :name")
IS_THERE = text("SELECT to_regclass(:path) IS NOT NULL")
PARTITIONS = (
    "SELECT relname, {size} AS bytes FROM pg_class "
    "JOIN pg_inherits ON inhrelid = oid WHERE inhparent = to_regclass(:path)"
)
# With Citus they are on other nodes.
SIZE, SIZE_ON_ALL_NODES = "pg_total_relation_size(oid)", "citus_total_relation_size(oid)"
# A partition waits this long for the queries that run, and queries wait for it meanwhile.
DROP_WAITS_MS = 200


@dataclass(frozen=True)
class Tables:
    """The tables of the replica of one shape, in this schema."""

    schema: str = DEFAULT_NAME
    shape: str = f"{manifests.FORMAT}_{manifests.shape()[:8]}"

    @property
    def requests(self) -> Table:
        """The requests, partitioned by day: the columns of `COLUMNS`."""
        return self._table(f"requests_{self.shape}", COLUMNS, "RANGE (start_order)")

    @property
    def names(self) -> Table:
        """The names of IDs: the columns of `NAMES`."""
        return self._table(f"names_{self.shape}", NAMES)

    @property
    def replicas(self) -> Table:
        """A row for each shape: the columns of `REPLICAS`.

        `version` is increased with each change, `changed` is the version that changed `manifest`,
        whose own `as_of` the column `as_of` replaces.
        """
        return self._table("replicas", REPLICAS)

    def _table(
        self, name: str, columns: Mapping[str, TypeEngine[Any]], by: str | None = None
    ) -> Table:
        known = (Column(one, kind, primary_key=one == "shape") for one, kind in columns.items())
        return Table(name, MetaData(), *known, schema=self.schema, postgresql_partition_by=by)

    def create(self, connection: Connection) -> bool:
        """Create what is not there. Were there no requests before?"""
        # Only then, because it takes a right on the database.
        if not connection.scalar(SCHEMA_IS_THERE, {"name": self.schema}):
            connection.execute(CreateSchema(self.schema))
        connection.execute(CreateTable(self.replicas, if_not_exists=True))
        is_new = not _is_there(connection, self.requests)
        if is_new:
            self._create_requests(connection)
        if not _is_there(connection, self.names):
            connection.execute(CreateTable(self.names))
            if connection.scalar(CITUS):
                connection.execute(select(func.create_reference_table(path(self.names))))
        return is_new

    def _create_requests(self, connection: Connection) -> None:
        requests = self.requests
        connection.execute(CreateTable(requests))
        for column in INDEXED:
            index = Index(f"{requests.name}_{column}", requests.c[column])
            connection.execute(CreateIndex(index))
        if connection.scalar(CITUS):
            distributed = func.create_distributed_table(path(requests), "session_number")
            connection.execute(select(distributed))

    def add_days(self, connection: Connection, days: Iterable[date]) -> None:
        """Create the partitions of these days.

        Each is made apart and then attached: queries go on meanwhile.
        """
        parent = path(self.requests)
        for day in days:
            first, last = day.isoformat(), (day + timedelta(days=1)).isoformat()
            name = path(self._day(day))
            bounds = f"FOR VALUES FROM ('{first}') TO ('{last}')"
            connection.execute(text(f"CREATE TABLE {name} (LIKE {parent})"))
            connection.execute(text(f"ALTER TABLE {parent} ATTACH PARTITION {name} {bounds}"))

    def drop_day(self, connection: Connection, day: date) -> None:
        """Drop the partition of this day. Raises a DBAPIError while queries run."""
        wait = func.set_config("lock_timeout", str(DROP_WAITS_MS), True)
        connection.execute(select(wait))
        connection.execute(text(f"DROP TABLE IF EXISTS {path(self._day(day))}"))

    def days(self, connection: Connection) -> set[date]:
        """Which days have a partition?"""
        return {*self._partitions(connection, "0")}

    def bytes(self, connection: Connection) -> int:
        """How large are the requests with their indexes, on all nodes?"""
        size = SIZE_ON_ALL_NODES if connection.scalar(CITUS) else SIZE
        return sum(self._partitions(connection, size).values())

    def _partitions(self, connection: Connection, size: str) -> dict[date, int]:
        statement = text(PARTITIONS.format(size=size))
        found = connection.execute(statement, {"path": path(self.requests)})
        return {date.fromisoformat(one.relname[-8:]): int(one.bytes) for one in found}

    def _day(self, day: date) -> Table:
        return self._table(f"requests_{self.shape}_{day:%Y%m%d}", {})

    def of_shape(self, shape: str) -> "Tables":
        """The tables of another shape, in the same schema."""
        return replace(self, shape=shape)

    def drop(self, connection: Connection) -> None:
        """Drop the requests and names of this shape, and its row of `replicas`."""
        for table in (self.requests, self.names):
            connection.execute(text(f"DROP TABLE IF EXISTS {path(table)}"))
        replicas = self.replicas
        connection.execute(replicas.delete().where(replicas.c.shape == self.shape))


def _is_there(connection: Connection, table: Table) -> bool:
    return bool(connection.scalar(IS_THERE, {"path": path(table)}))


def path(table: Table) -> str:
    """The quoted name of a table, with its schema."""
    return str(PGIdentifierPreparer(DefaultDialect()).format_table(table))

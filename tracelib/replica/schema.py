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
from sqlalchemy.types import BigInteger, Boolean, LargeBinary, Text, TypeEngine

from tracelib.replica import manifest as manifests
from tracelib.spendlogs.replicated import COLUMNS, NAMES

DEFAULT_NAME = "tracelib_replica"
INDEXED = ("start_order", "session_number")
CITUS = text("SELECT count(*) > 0 FROM pg_extension WHERE extname = 'citus'")
SCHEMA_IS_THERE = text("SELECT count(*) > 0 FROM pg_namespace WHERE nspname = :name")
IS_THERE = text("SELECT to_regclass(:path) IS NOT NULL")
PARTITIONS = (
    "SELECT relname, {size}(oid) AS bytes FROM pg_class "
    "JOIN pg_inherits ON inhrelid = oid WHERE inhparent = to_regclass(:path)"
)
# With Citus they are on other nodes.
SIZE, SIZE_ON_ALL_NODES = "pg_total_relation_size", "citus_total_relation_size"


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
        """A row for each shape: its manifest, the manifest's number, and whether it is paused."""
        columns: dict[str, TypeEngine[Any]] = {
            "shape": Text(),
            "version": BigInteger(),
            "is_paused": Boolean(),
            "manifest": LargeBinary(),
        }
        return self._table("replicas", columns)

    def _table(
        self, name: str, columns: Mapping[str, TypeEngine[Any]], by: str | None = None
    ) -> Table:
        known = (Column(one, kind, primary_key=one == "shape") for one, kind in columns.items())
        return Table(name, MetaData(), *known, schema=self.schema, postgresql_partition_by=by)

    def create(self, connection: Connection) -> None:
        """Create what is not there."""
        if not connection.scalar(IS_THERE, {"path": path(self.replicas)}):
            # Only then, because it takes a right on the database.
            if not connection.scalar(SCHEMA_IS_THERE, {"name": self.schema}):
                connection.execute(CreateSchema(self.schema))
            connection.execute(CreateTable(self.replicas, if_not_exists=True))
        if not connection.scalar(IS_THERE, {"path": path(self.requests)}):
            self._create_requests(connection)

    def _create_requests(self, connection: Connection) -> None:
        requests, names = self.requests, self.names
        connection.execute(CreateTable(requests))
        connection.execute(CreateTable(names))
        for column in INDEXED:
            index = Index(f"{requests.name}_{column}", requests.c[column])
            connection.execute(CreateIndex(index))
        if connection.scalar(CITUS):
            distributed = func.create_distributed_table(path(requests), "session_number")
            connection.execute(select(distributed))
            connection.execute(select(func.create_reference_table(path(names))))

    def add_days(self, connection: Connection, days: Iterable[date]) -> None:
        """Create the partitions of these days, unless they are there."""
        for day in days:
            first, last = day.isoformat(), (day + timedelta(days=1)).isoformat()
            connection.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS {path(self._day(day))} PARTITION OF "
                    f"{path(self.requests)} FOR VALUES FROM ('{first}') TO ('{last}')"
                )
            )

    def drop_day(self, connection: Connection, day: date) -> None:
        """Drop the partition of this day."""
        connection.execute(text(f"DROP TABLE IF EXISTS {path(self._day(day))}"))

    def days(self, connection: Connection) -> dict[date, int]:
        """Which days have a partition, and of how many bytes with its indexes?"""
        size = SIZE_ON_ALL_NODES if connection.scalar(CITUS) else SIZE
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


def path(table: Table) -> str:
    """The quoted name of a table, with its schema."""
    return str(PGIdentifierPreparer(DefaultDialect()).format_table(table))

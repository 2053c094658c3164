"""The manifest of a replica in tables, as its writer holds it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import SQLAlchemyError

from tracelib import errors
from tracelib.replica import manifest as manifests
from tracelib.replica import table_rows
from tracelib.replica.layout import EPOCH, HOUR
from tracelib.replica.manifest import Manifest
from tracelib.replica.session import Session
from tracelib.replica.storage import Opened, log_published

TIDY_S = 600.0
OUTDATED_S = 86_400.0


@dataclass
class OpenedTables(Opened):
    """The manifest of tables whose only writer this is."""

    _: KW_ONLY
    session: Session
    version: int
    _tidy_at: float = 0.0

    def publish(self, manifest: Manifest) -> None:
        """Make this the manifest, with the rows that were built for it."""
        new: dict[str, Any] = {"version": self.version + 1, "as_of": manifest.as_of}
        if replace(manifest, as_of=self.manifest.as_of) != self.manifest:
            new |= {"changed": self.version + 1, "manifest": manifests.written(manifest)}
        with self.session.using() as connection:
            self._update(connection, new)
            connection.commit()
        self.session.forget()
        self.manifest, self.version = manifest, self.version + 1
        log_published(manifest)

    def _update(self, connection: Connection, values: Mapping[str, Any]) -> None:
        """Change the row of this replica, unless another process has. Raises ReplicaDamaged."""
        replicas = self.session.tables.replicas
        mine = (replicas.c.shape == self.session.tables.shape, replicas.c.version == self.version)
        changed = connection.execute(update(replicas).where(*mine).values(**values))
        if changed.rowcount != 1:
            self.session.forget()
            raise errors.ReplicaDamaged("Another process has written the manifest.")

    def drop_oldest(self) -> None:
        """Publish all spans but the oldest, whose rows go."""
        before = (None, self.manifest.spans[1].start)
        with self.session.using() as connection:
            table_rows.remove(connection, self.session.tables.requests, before, [])
        super().drop_oldest()

    def tidy(self, now: float) -> None:
        """Drop the partitions of days without rows and outdated shapes; measure the rows."""
        if now < self._tidy_at:
            return
        self._tidy_at = now + TIDY_S
        tables = self.session.tables
        with self.session.using() as connection:
            # Locks the row, so that no other process becomes the writer meanwhile.
            self._update(connection, {"version": self.version})
            if self.manifest.rows:
                self.session.bytes_a_row = tables.bytes(connection) / self.manifest.rows
            hours = {hour for span in self.manifest.spans for hour in span.hours}
            unused = tables.days(connection) - days_of(hours)
            outdated = self._outdated(connection, now)
            with suppress(SQLAlchemyError):
                self._drop(connection, unused, outdated)
        self.session.forget()

    def _drop(self, connection: Connection, days: set[date], shapes: Sequence[str]) -> None:
        """Drop these; another time if queries run on them."""
        for day in days:
            self.session.tables.drop_day(connection, day)
        for shape in shapes:
            self.session.tables.of_shape(shape).drop(connection)
        connection.commit()

    def _outdated(self, connection: Connection, now: float) -> list[str]:
        """Which other shapes of this log has no one written for a day, once this one has all?

        Not one that was paused, nor one that has just begun.
        """
        if self.manifest.complete_from is not None:
            return []
        replicas = self.session.tables.replicas
        others = (
            replicas.c.shape != self.session.tables.shape,
            ~replicas.c.is_paused,
            replicas.c.as_of.between(1, now - OUTDATED_S),
        )
        known = connection.execute(select(replicas.c.shape, replicas.c.manifest).where(*others))
        mine = self.manifest.identity
        return [shape for shape, written in known if manifests.identity(bytes(written)) == mine]

    def fail(self, sentence: str, error: Exception) -> None:  # noqa: ARG002 - part of Opened
        """Say in the manifest what is wrong, without the rows that were not yet published."""
        with suppress(errors.TraceError):
            self.session.forget()
            self.publish(replace(self.manifest, sentence=sentence))


def days_of(hours: Iterable[int]) -> set[date]:
    """On which days are these hours?"""
    return {(EPOCH + hour * HOUR).date() for hour in hours}

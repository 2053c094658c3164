"""A replica as a source: it runs the same queries on its files or tables."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import pandas as pd
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    Subquery,
    func,
    select,
)
from sqlalchemy.engine.result import IteratorResult, Result, SimpleResultMetaData
from sqlalchemy.types import DateTime, Double

from tracelib.filters import Filters
from tracelib.permissions.access import Access, Scope
from tracelib.replica.dialect import compiled, converted
from tracelib.replica.files import EMPTY, Files, Snapshot
from tracelib.replica.manifest import Manifest
from tracelib.replica.settings import ReplicaSettings
from tracelib.source.frames import frame_of
from tracelib.source.protocol import NotHeld
from tracelib.spendlogs import replicated, sums
from tracelib.spendlogs.types import Aware
from tracelib.window import HOUR_S, TimeWindow


@dataclass(frozen=True)
class Replica(ABC):
    """The requests of a replica, as far as a scope sees them. Implements `Source`.

    What it does not hold, it refuses with NotHeld: PostgreSQL is queried then. Its requests have
    facts of bodies if it `reads_bodies`.
    """

    milliseconds: ClassVar[Double[float]] = Double()

    manifest: Manifest
    scope: Scope
    timeout_s: float
    reads_bodies: bool

    @property
    def as_of(self) -> datetime:
        """When was it last compared with the log?"""
        return datetime.fromtimestamp(self.manifest.as_of, UTC)

    def requests(self, filters: Filters) -> Subquery:
        """Which requests match the filters? The relation for all queries."""
        window = filters.window
        tables = self._tables(*self._held(window))
        return self._relation(tables, window, filters)

    def sums_by_day(self, window: TimeWindow, columns: Sequence[str]) -> Subquery:
        """What do the requests of a window add up to, by UTC day and these of their columns?"""
        return sums.by_day(self.requests(Filters(window)), columns).subquery("sums")

    def by_id(self, column: str, ids: Sequence[str]) -> Subquery:
        """PostgreSQL finds requests by ID, along its indexes."""
        raise NotHeld(f"{column} of {len(ids)} requests")

    def finds_calls(self) -> bool:
        """PostgreSQL finds calls by ID."""
        raise NotHeld("call IDs")

    def of_sessions(self, keys: Sequence[tuple[str, str]]) -> Subquery | None:
        """Which requests have these sessions, at any time? None while history is being filled."""
        return self.numbered([replicated.session_number(session_key) for session_key, _ in keys])

    def numbered(self, numbers: Sequence[int]) -> Subquery | None:
        """Those with these numbers, at any time; None while history is being filled."""
        return None if self.manifest.complete_from is not None else self._with_numbers(numbers)

    @abstractmethod
    def _with_numbers(self, numbers: Sequence[int]) -> Subquery:
        """Which of all requests that are held have the sessions with these numbers?"""

    def first_start(self, window: TimeWindow) -> Select[Any]:
        """When did the first request of this window start? One row: first, None if none did."""
        found = self._relation(self._tables(*self._held(window)), window)
        first = func.min(found.c.start_order, type_=DateTime())
        return select(Aware(first).label("first"))

    def name_of(
        self,
        dimension: str,
        identity: ColumnElement[str],
        sample: ColumnElement[str],  # noqa: ARG002 - part of Source
    ) -> ColumnElement[str]:
        """What is the name of this ID? All names are known, so it needs no sample."""
        return replicated.name_of(self._names(), dimension, identity)

    def ids_called(self, dimension: str, text: str) -> list[Select[Any]]:
        """Which IDs of a dimension have this text in a name?"""
        return replicated.ids_called(self._names(), dimension, text)

    @abstractmethod
    def rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """The rows of the result. Raises a TraceError."""

    def row(self, statement: Select[Any]) -> Row[Any]:
        """The only row of the result. Raises a TraceError."""
        (row,) = self.rows(statement)
        return row

    def frame(self, statement: Select[Any]) -> pd.DataFrame:
        """The rows as a frame, whose columns keep their types without rows. Raises a TraceError."""
        return frame_of(statement, self.rows(statement))

    def _relation(
        self,
        tables: Sequence[FromClause],
        window: TimeWindow | None = None,
        filters: Filters | None = None,
    ) -> Subquery:
        return replicated.requests(
            tables, self.scope, window, filters, self.milliseconds, self.reads_bodies
        )

    def _held(self, window: TimeWindow) -> tuple[int, int]:
        """The hours of a window whose requests are all held, from the first to before the last."""
        first = int(window.start.timestamp()) // HOUR_S
        last = -(-int(window.end.timestamp()) // HOUR_S)
        begins = self.manifest.complete_from
        if begins is not None and first < begins:
            raise NotHeld(f"requests before hour {begins}")
        return first, last

    @abstractmethod
    def _tables(self, first: int, last: int) -> list[FromClause]:
        """The tables with all requests of the hours from `first` to before `last`."""

    @abstractmethod
    def _names(self) -> FromClause:
        """The table of names."""


@dataclass(frozen=True)
class FileReplica(Replica):
    """The requests in the files of one moment."""

    files: Files
    snapshot: Snapshot

    def sums_by_day(self, window: TimeWindow, columns: Sequence[str]) -> Subquery:
        """What do the requests of a window add up to, by UTC day and these of their columns?

        Files have these sums next to their rows. Those by tag have no owners: they are of everyone.
        """
        name = sums.table_with(columns, window)
        if name is None or (not self.scope.is_all and "user" not in sums.TABLES[name]):
            return super().sums_by_day(window, columns)
        view = self.files.view(self.snapshot, *self._held(window), name)
        return sums.seen(sums.sums_table(view, name), self.scope, window)

    def _with_numbers(self, numbers: Sequence[int]) -> Subquery:
        """Only few files have them."""
        names = self.files.with_sessions(self.snapshot, numbers, self.timeout_s)
        tables = [replicated.stored_table("requests", name) for name in names]
        tables = tables or [replicated.stored_table(EMPTY)]
        every = self._relation(tables)
        is_one = every.c.session_group.in_(numbers)
        return select(*every.c).where(is_one).subquery("of_sessions")

    def rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """The rows of the result. Raises a TraceError."""
        text, values = compiled(statement)
        found = converted(statement, self.files.rows(text, values, self.timeout_s))
        names = [column.name for column in statement.selected_columns]
        result: Result[Any] = IteratorResult(SimpleResultMetaData(names), iter(found))
        return result.all()

    def _tables(self, first: int, last: int) -> list[FromClause]:
        view = self.files.view(self.snapshot, first, last)
        return [replicated.stored_table(view)]

    def _names(self) -> FromClause:
        return replicated.names_table("names", self.snapshot.names)


class FileReader:
    """The files of a replica, opened for reading."""

    def __init__(self, settings: ReplicaSettings, threads: int) -> None:
        self.files = Files(settings, threads)

    @property
    def sentence(self) -> str:
        """Why it cannot be read; empty if it can."""
        return self.files.sentence

    def manifest(self) -> Manifest | None:
        """The newest manifest; None if there is none that can be read."""
        found = self.files.current()
        return found.manifest if found else None

    def replica(self, access: Access, timeout_s: float) -> FileReplica | None:
        """The replica as it is now, for this access; None if there is none that can be read."""
        return replica_of(self.files, access, timeout_s)


def replica_of(files: Files, access: Access, timeout_s: float) -> FileReplica | None:
    """The replica as it is now, for this access; None if there is none that can be read."""
    snapshot = files.current()
    if snapshot is None:
        return None
    reads = snapshot.manifest.reads_bodies and access.reads_messages
    return FileReplica(snapshot.manifest, access.scope, timeout_s, reads, files, snapshot)

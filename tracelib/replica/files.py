"""The published files of a replica, opened for reading by this process."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import BoundedSemaphore, Lock, Timer
from typing import Any

import duckdb
from sqlalchemy.schema import CreateTable

from tracelib import errors, events
from tracelib.replica import manifest as manifests
from tracelib.replica.dialect import DIALECT, compiled
from tracelib.replica.manifest import Manifest, Span
from tracelib.replica.settings import ReplicaSettings
from tracelib.source.protocol import NotHeld
from tracelib.spendlogs import sums
from tracelib.spendlogs.replicated import names_table, stored_table

EMPTY = "nothing"
REQUESTS = "requests"
# Of a reader's own: the writer removes its own when it starts.
SPILLED = "spilled-by-readers"
# Each query uses all threads: more at once only take the processor from the pages that are drawn,
# and fewer would let one long query hold up all others.
AT_ONCE = 2
# Queries on the files of a manifest may still run when the next one is there, and one more.
GENERATIONS = 3


@dataclass(frozen=True)
class Snapshot:
    """A manifest, and under which names its files are attached.

    `spans` are the files by name, `names` is the database with the table of names, None for the
    empty one.
    """

    manifest: Manifest
    spans: tuple[tuple[str, Span], ...]
    names: str | None


class Files:
    """One DuckDB in memory, to which the files of the newest manifest are attached."""

    def __init__(self, settings: ReplicaSettings, threads: int) -> None:
        self.folder = settings.folder
        self.sentence = ""
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{settings.memory_mb}MB",
            "threads": str(threads),
            "temp_directory": str(self.folder / SPILLED),
        }
        self._database = duckdb.connect(":memory:", config=config)
        self._database.execute("SET GLOBAL TimeZone = 'UTC'")
        # Every query that needs an order says so; keeping that of the files costs memory.
        self._database.execute("SET GLOBAL preserve_insertion_order = false")
        for table in (stored_table(EMPTY), names_table("names")):
            self._database.execute(str(CreateTable(table).compile(dialect=DIALECT)))
        self._lock = Lock()
        self._turns = BoundedSemaphore(AT_ONCE)
        self._seen: tuple[int, int] | None = None
        self._is_readable = False
        self._snapshots: deque[Snapshot] = deque(maxlen=GENERATIONS)
        self._attached: set[str] = set()
        self._views: dict[tuple[str, tuple[str, ...]], str] = {}
        self._numbers = count()

    def current(self) -> Snapshot | None:
        """The newest manifest with its files attached; None if there is none that can be read."""
        with self._lock:
            try:
                stat = (self.folder / manifests.NAME).stat()
                seen = (stat.st_mtime_ns, stat.st_ino)
                if seen != self._seen:
                    self._seen, self._is_readable = seen, False
                    self._attach_newest()
                    self._is_readable, self.sentence = True, ""
            except FileNotFoundError:
                return None
            except (OSError, duckdb.Error, errors.ReplicaUnreadable) as error:
                own = isinstance(error, errors.TraceError)
                self.sentence = str(error if own else errors.ReplicaDamaged())
                events.log("warning", "replica_unreadable", fault=type(error).__name__)
                return None
            return self._snapshots[-1] if self._snapshots and self._is_readable else None

    def close(self) -> None:
        """Close the database; its files can be removed then."""
        self._database.close()

    def view(
        self, snapshot: Snapshot, first: int | None, last: int | None, table: str = REQUESTS
    ) -> str:
        """The name of a view of all spans with hours from `first` to before `last`.

        Of their requests, or of a table of `sums.TABLES`; of a file without it, requests are added
        up.
        """
        found = [(name, span) for name, span in snapshot.spans if _overlaps(span, first, last)]
        known = table, tuple(name for name, _ in found)
        with self._lock:
            if known not in self._views:
                if not self._attached.issuperset(known[1]):
                    raise NotHeld("the files of an earlier manifest")
                view = f"{table}_{next(self._numbers)}"
                parts = [_part(table, name, span) for name, span in found] or [_part(table)]
                self._database.execute(f'CREATE VIEW "{view}" AS {" UNION ALL ".join(parts)}')
                self._views[known] = view
            return self._views[known]

    def with_sessions(
        self, snapshot: Snapshot, numbers: Sequence[int], timeout_s: float
    ) -> list[str]:
        """The names of the spans that have any of these sessions."""
        if not numbers or not snapshot.spans:
            return []
        wanted = ", ".join(str(int(number)) for number in numbers)
        arms = [
            f'(SELECT {place} FROM "{name}".sessions WHERE session_number IN ({wanted}) LIMIT 1)'  # noqa: S608
            for place, (name, _) in enumerate(snapshot.spans)
        ]
        found = self.rows(" UNION ALL ".join(arms), [], timeout_s)
        return [snapshot.spans[place][0] for (place,) in found]

    def rows(self, text: str, values: Sequence[Any], timeout_s: float) -> list[tuple[Any, ...]]:
        """The rows of this statement, once it is its turn.

        Raises QuestionTooSlow, or NotHeld if it fails.
        """
        with self._turns, self._limited(timeout_s) as cursor:
            return cursor.execute(text, list(values)).fetchall()

    @contextmanager
    def _limited(self, timeout_s: float) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._database.cursor()
        timer = Timer(timeout_s, cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield cursor
        except duckdb.InterruptException:
            raise errors.QuestionTooSlow() from None
        except duckdb.Error as error:
            events.log("warning", "replica_query_failed", fault=type(error).__name__)
            raise NotHeld(str(error)) from error
        finally:
            timer.cancel()
            cursor.close()

    def _attach_newest(self) -> None:
        newest = manifests.read(self.folder)
        if newest is None:
            return
        spans = tuple((self._attach(span.file), span) for span in newest.spans)
        names = self._attach(newest.names_file) if newest.names_file else None
        self._snapshots.append(Snapshot(newest, spans, names))
        self._detach_unused()

    def _attach(self, file: str) -> str:
        name = Path(file).stem
        if name not in self._attached:
            path = str(self.folder / file).replace("'", "''")
            self._database.execute(f"ATTACH '{path}' AS \"{name}\" (READ_ONLY)")
            self._attached.add(name)
        return name

    def _detach_unused(self) -> None:
        used = {name for one in self._snapshots for name, _ in one.spans}
        used |= {one.names for one in self._snapshots if one.names}
        for one in [one for one in self._views if not used.issuperset(one[1])]:
            self._database.execute(f'DROP VIEW "{self._views.pop(one)}"')
        for name in self._attached - used:
            self._database.execute(f'DETACH "{name}"')
            self._attached.discard(name)


def _overlaps(span: Span, first: int | None, last: int | None) -> bool:
    begins_in_time = last is None or span.start is None or span.start < last
    return begins_in_time and (first is None or span.end is None or span.end > first)


def _part(table: str, name: str | None = None, span: Span | None = None) -> str:
    """The rows of a table in a file; without a file, as in one without rows."""
    if table == REQUESTS or (span and table in (span.sums or ())):
        return f'FROM "{name}".{table}' if name else f"FROM {EMPTY}"
    requests = stored_table(REQUESTS, name) if name else stored_table(EMPTY)
    return f"({compiled(sums.by_day(requests, sums.TABLES[table]))[0]})"

"""The last good figures on disk: a process that starts while the database is down has some.

Figures only: no message, no error message of a request, no result of a search in messages. Each is
of one access, which is part of its key, and only who has that access now gets it.
"""

import pickle
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import pandas as pd
from platformdirs import user_cache_path

import tracelib
from tracelib import changes, events, facets, incidents, models, overview, sessions, status
from tracelib.incidents import Incidents
from tracelib.private_folder import is_own, make_own
from tracelib.querying.installation import Installation
from tracelib.querying.once import MadeOnce
from tracelib.querying.query import Query
from tracelib.querying.store import Result
from tracelib.querying.stored_values import value_of
from tracelib.sessions import SessionSearch

NAME = "results.sqlite"
MOST_BYTES = 64_000_000
LARGEST = 2_000_000
# Under a range such as the last day, older figures would mislead.
VALID_FOR_S = 3 * 86_400
# A result is written at most as often: every tick has new ones.
WRITTEN_EVERY_S = 60.0
GATHERED_FOR_S = 1.0
LOCKED_S = 1.0
IS_THERE = "SELECT 1 FROM sqlite_master WHERE name = 'results'"
NO_FILE = (OSError, sqlite3.Error)


def _whole(value: Any) -> Any:
    return value


def _without_messages(failures: pd.DataFrame) -> pd.DataFrame:
    """A provider's error may quote what was sent to it."""
    return failures.assign(error_message=None)


def _without_texts(found: Incidents) -> Incidents:
    """A provider's error may quote what was sent to it, though numbers and IDs are taken out."""
    plain = (
        replace(one, signatures=tuple(replace(error, text=None) for error in one.signatures))
        for one in found.incidents
    )
    return replace(found, incidents=tuple(plain))


# The queries whose results are in the file, and what is stored of each.
ON_DISK: Mapping[Callable[..., Any], Callable[[Any], Any]] = {
    **dict.fromkeys(
        (
            *changes.MARKERS,
            facets.facets,
            incidents.health_checks,
            models.deployments,
            models.over_time_by_model,
            models.usage_by_model,
            overview.busy_hours,
            overview.cache_savings,
            overview.cost_by_owner,
            overview.cost_by_tag,
            overview.log_start,
            overview.new_sessions,
            overview.over_time,
            overview.prompt_caching,
            overview.sessions,
            overview.totals,
            sessions.found_sessions,
            sessions.session_counts,
            sessions.sessions_over_time,
            sessions.suggestions,
            status.failure_groups,
            status.failures_over_time,
            status.freshness,
            status.losses,
            status.missing,
            status.server,
            status.size,
        ),
        _whole,
    ),
    incidents.incidents: _without_texts,
    status.newest_failures: _without_messages,
}


def is_on_disk(query: Query) -> bool:
    """Is the result of this query written to the file?"""
    return query.function in ON_DISK and not any(
        isinstance(one, SessionSearch) and one.reads_messages for one in query.arguments
    )


class ResultsFile:
    """The results in one file, which processes share. Written by a thread, a moment later.

    What cannot be read or written is as if it were not there: the log says why, once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pending: dict[str, tuple[Query, Result[Any]]] = {}
        self._written: dict[str, float] = {}
        self._lock = Lock()
        self._is_wanted = Event()
        self._has_failed = False
        self._thread: Thread | None = None

    def add(self, key: str, query: Query, result: Result[Any]) -> None:
        """Keep this result, unless that of this key was written a moment ago."""
        if not is_on_disk(query) or self._is_fresh(key):
            return
        with self._lock:
            self._pending[key] = (query, result)
            if self._thread is None:
                self._thread = Thread(target=self._write, name="results file", daemon=True)
                self._thread.start()
        self._is_wanted.set()

    def get(self, key: str) -> Result[Any] | None:
        """The result of this key, if this version of the app has written one."""
        statement = "SELECT value, computed_at, as_of FROM results WHERE key = ? AND version = ?"
        try:
            if not is_own(self.folder / NAME):
                raise PermissionError("it belongs to another user")
            with self._opened() as file:
                # Another process may just be creating it.
                is_there = file.execute(IS_THERE).fetchone()
                found = file.execute(statement, (key, version())).fetchone() if is_there else None
            return None if found is None else _result(*found)
        except FileNotFoundError:
            return None
        except (*NO_FILE, pickle.UnpicklingError) as error:
            self._complain(error)
            return None

    def _is_fresh(self, key: str) -> bool:
        return time.monotonic() - self._written.get(key, -WRITTEN_EVERY_S) < WRITTEN_EVERY_S

    def _write(self) -> None:
        while self._is_wanted.wait():
            time.sleep(GATHERED_FOR_S)
            self._is_wanted.clear()
            with self._lock:
                pending, self._pending = self._pending, {}
                now = time.monotonic()
                recent = (pair for pair in self._written.items() if self._is_fresh(pair[0]))
                self._written = {**dict(recent), **dict.fromkeys(pending, now)}
            try:
                self._write_all([(key, *_row(*both)) for key, both in pending.items()])
            except NO_FILE as error:
                self._complain(error)

    def _write_all(self, rows: Sequence[tuple[Any, ...]]) -> None:
        make_own(self.folder)
        try:
            self._insert(rows)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            # It is broken, or no such file: nothing in it is worth more than a new one.
            (self.folder / NAME).unlink()
            self._insert(rows)

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._opened() as file, file:
            file.execute(
                "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, version TEXT, "
                "computed_at REAL, as_of REAL, size INTEGER, value BLOB) WITHOUT ROWID"
            )
            file.executemany(
                "INSERT OR REPLACE INTO results (key, version, computed_at, as_of, size, value) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [row for row in rows if row[-2] <= LARGEST],
            )
            file.execute("DELETE FROM results WHERE computed_at < ?", (time.time() - VALID_FOR_S,))
            file.execute(
                "DELETE FROM results WHERE key IN (SELECT key FROM (SELECT key, sum(size) OVER "
                "(ORDER BY computed_at DESC, key) AS with_newer FROM results) "
                "WHERE with_newer > ?)",
                (MOST_BYTES,),
            )

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.folder / NAME, timeout=LOCKED_S)) as file:
            yield file

    def _complain(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            fault, folder = type(error).__name__, str(self.folder)
            events.log("warning", "figures_not_kept", folder=folder, fault=fault)


@cache
def version() -> str:
    """The version of the app and of what its values are made of: others may differ in them."""
    digest = blake2b(f"{sys.version} {pd.__version__}".encode(), digest_size=12)
    for path in sorted(Path(tracelib.__path__[0]).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def file_of(installed: Installation) -> ResultsFile | None:
    """Where are the figures of this installation written? None if they are not.

    Those of the sample are not: its database starts with the app.
    """
    if not installed.settings.keep_results or installed.is_sample:
        return None
    return _file_in(installed.settings.replica_folder)


@MadeOnce
def _file_in(folder: str | None) -> ResultsFile:
    return ResultsFile((Path(folder) if folder else user_cache_path("tracelib")) / "results")


def _row(query: Query, result: Result[Any]) -> tuple[Any, ...]:
    value = pickle.dumps(ON_DISK[query.function](result.value))
    as_of = result.as_of.timestamp() if result.as_of else None
    return version(), result.computed_at.timestamp(), as_of, len(value), value


def _result(value: bytes, computed_at: float, as_of: float | None) -> Result[Any]:
    at = datetime.fromtimestamp(computed_at, UTC)
    of = None if as_of is None else datetime.fromtimestamp(as_of, UTC)
    return Result(value_of(value), None, at, 0.0, as_of=of)

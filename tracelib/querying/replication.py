"""The replica of this installation: whether it has one, who keeps it, and how far it is."""

import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from platformdirs import user_cache_path
from sqlalchemy import Engine, literal, select

from tracelib import errors, events, metrics
from tracelib.activity import ACTIVITY
from tracelib.filters import Filters
from tracelib.querying.installation import REREAD_SCHEMA_AFTER_S, Installation, shared
from tracelib.querying.once import MadeOnce
from tracelib.replica.folder import Folder
from tracelib.replica.host import Host
from tracelib.replica.manifest import MOST_KNOWN, Manifest
from tracelib.replica.reader import FileReader, Replica
from tracelib.replica.settings import ReplicaSettings
from tracelib.replica.table_reader import TableReader
from tracelib.replica.tables import TableStorage
from tracelib.replica.writer import Writer
from tracelib.source import Postgres, pool, source_over
from tracelib.window import recent

# From so many requests in 30 days on, the replica is worth its disk: a page takes a second or more.
WORTH_FROM_ROWS = 100_000
CONSIDERED = timedelta(days=30)
CONSIDER_AGAIN_S = 600
RETRY_S = 30
# Its own connections, so that pages do not wait for those that fill it.
CONNECTIONS = 2
IDENTITY = "identity"
READING_THREADS = max(1, min(os.cpu_count() or 1, 8))


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """How the replica of this installation is.

    `is_wanted` is None until the size of the log is known. `manifest` is None if there is no file
    yet, `sentence` says what is wrong, and is empty if nothing is. `database` is its database in
    words; empty for files on this machine.
    """

    mode: str
    is_wanted: bool | None
    settings: ReplicaSettings
    manifest: Manifest | None
    sentence: str
    database: str


def replica(installed: Installation) -> Replica | None:
    """The replica as it is now, for this access; None if there is none to read."""
    if installed.settings.replica == "off":
        return None
    keeper = _keeper(shared(installed))
    keeper.ensure_running()
    # Until the size of the log is known, because it does not respond, what is there serves.
    if keeper.is_wanted is False:
        return None
    return keeper.reader.replica(installed.access, installed.settings.statement_timeout_s)


def state(installed: Installation) -> ReplicaState:
    """How is the replica of this installation?"""
    mode = installed.settings.replica
    settings = replica_settings(installed)
    if mode == "off":
        return ReplicaState(mode, False, settings, None, "", _database(installed))
    keeper = _keeper(shared(installed))
    keeper.ensure_running()
    manifest = keeper.reader.manifest() if keeper.is_wanted else None
    sentence = keeper.sentence or keeper.reader.sentence or (manifest.sentence if manifest else "")
    return ReplicaState(mode, keeper.is_wanted, settings, manifest, sentence, _database(installed))


@MadeOnce
def _models_here(_: Installation) -> dict[str, None]:
    """The models that have a place in this process, in their order."""
    return {}


def with_known_models(installed: Installation, models: Iterable[str]) -> tuple[str, ...]:
    """These models and all that have a place, which they keep, and with it their colour.

    The places are the replica's, which outlive this process; without one, those in which this
    process has seen the models first.
    """
    ranked = dict.fromkeys(models)
    found = replica(installed)
    if found is not None and found.manifest.models:
        return tuple(dict.fromkeys(found.manifest.models) | ranked)
    known = _models_here(shared(installed))
    if len(known) < MOST_KNOWN:
        known.update(ranked)
    return tuple(known | ranked)


def set_paused(installed: Installation, is_paused: bool) -> None:
    """Pause the replica, or continue. Raises a TraceError."""
    _storage(installed).set_paused(is_paused)


def replica_settings(installed: Installation) -> ReplicaSettings:
    """Where the replica of this installation is, and how much it may use.

    Each database has a folder of its own within the configured one.
    """
    settings = installed.settings
    table = f"{installed.address!r} {installed.address.parameters} {settings.table}"
    name = f"replica-{sha256(table.encode()).hexdigest()[:12]}"
    parent = settings.replica_folder
    return ReplicaSettings(
        folder=(Path(parent) if parent else user_cache_path("tracelib")) / name,
        duty=settings.replica_duty,
        memory_mb=settings.replica_memory_mb,
        disk_mb=settings.replica_disk_mb,
        keeps_history=settings.replica_keeps_history,
        # Requests in tables are not compared with each other.
        reads_bodies=settings.replica_reads_bodies and settings.replica_database is None,
    )


def _storage(installed: Installation) -> Folder | TableStorage:
    settings = replica_settings(installed)
    address = installed.settings.replica_database
    if address is None:
        return Folder(settings)
    return TableStorage(settings, address, installed.settings.table)


def _database(installed: Installation) -> str:
    address = installed.settings.replica_database
    return address.in_words() if address else ""


@MadeOnce
def _keeper(installed: Installation) -> "Keeper":
    keeper = Keeper(installed)
    metrics.watch_replica(keeper.age_s)
    return keeper


class Keeper:
    """The thread of this process that keeps the replica in step, if no other process does."""

    def __init__(self, installed: Installation) -> None:
        self.installed = installed
        self.settings = replica_settings(installed)
        self.is_wanted: bool | None = installed.settings.replica == "on" or None
        self._sentence = ""
        self._writer: Writer | None = None
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._reader: FileReader | TableReader | None = None
        self._identity: str | None = None

    @property
    def sentence(self) -> str:
        """What is wrong; empty if nothing is."""
        return self._sentence or (self._writer.sentence if self._writer else "")

    @property
    def reader(self) -> FileReader | TableReader:
        """The files or tables, opened for reading."""
        with self._lock:
            if self._reader is None:
                address = self.installed.settings.replica_database
                self._reader = (
                    TableReader(address, self.installed.settings.pool_size, self.identity)
                    if address
                    else FileReader(self.settings, READING_THREADS)
                )
            return self._reader

    def identity(self) -> str | None:
        """Which log is it? As it was when it last responded; None if it never did."""
        if self._identity is None:
            with suppress(OSError):
                self._identity = (self.settings.folder / IDENTITY).read_text("utf-8") or None
        return self._identity

    def _identify(self, source: Postgres) -> None:
        """Remember which log it is, also for a process that starts while it does not respond."""
        self._identity = Host(source, self.settings.folder).identity()
        with suppress(OSError):
            self.settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.settings.folder / IDENTITY).write_text(self._identity, "utf-8")

    def age_s(self) -> float:
        """How many seconds ago was the replica compared with the log? NaN if there is none."""
        found = self.reader.manifest()
        return time.time() - found.as_of if found else float("nan")

    def ensure_running(self) -> None:
        """Start the thread, unless it runs."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="replica", daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended; it does once `stop` is set."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self.stop.is_set():
            try:
                self._sentence = ""
                self._keep()
            except errors.TraceError as error:
                self._sentence = str(error)
                if ACTIVITY.record_error(error, "replica"):
                    events.log("warning", "replica_waits", sentence=error.sentence)
            except Exception as fault:
                self._sentence = errors.OwnFault.sentence
                events.exception("replica_fault", fault)
            self.stop.wait(RETRY_S)

    def _keep(self) -> None:
        installed = self.installed
        engine = pool(installed.address, CONNECTIONS)
        try:
            log_of = Reconnected(engine, installed)
            if installed.settings.replica_database:
                self._identify(log_of())
            while not self._is_worth_it(log_of()):
                if self.stop.wait(CONSIDER_AGAIN_S):
                    return
            writer = Writer(log_of, _storage(installed))
            self._writer = writer
            writer.run(self.stop)
        finally:
            engine.dispose()

    def _is_worth_it(self, source: Postgres) -> bool:
        if self.installed.settings.replica != "on":
            requests = source.requests(Filters(recent(CONSIDERED, datetime.now(UTC))))
            rows = source.estimated_rows(select(literal(1)).select_from(requests))
            self.is_wanted = rows >= WORTH_FROM_ROWS
        return bool(self.is_wanted)


class Reconnected:
    """The log, whose schema is read again every ten minutes, so that an upgrade is followed."""

    def __init__(self, engine: Engine, installed: Installation) -> None:
        self._engine, self._installed = engine, installed
        self._source: Postgres | None = None
        self._read_at = 0.0

    def __call__(self) -> Postgres:
        if self._source is None or time.monotonic() - self._read_at > REREAD_SCHEMA_AFTER_S:
            settings, address = self._installed.settings, self._installed.address
            self._source = source_over(self._engine, settings, address)
            self._read_at = time.monotonic()
        return self._source

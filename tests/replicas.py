"""Replicas of the logs of tests, written and read as the app does."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.server import Server
from tracelib.database_url import read_address
from tracelib.permissions.access import FULL, Access
from tracelib.replica.files import Files
from tracelib.replica.folder import Folder
from tracelib.replica.host import Host
from tracelib.replica.manifest import Manifest
from tracelib.replica.reader import FileReplica, Replica, replica_of
from tracelib.replica.settings import ReplicaSettings
from tracelib.replica.table_reader import TableReader
from tracelib.replica.tables import TableStorage
from tracelib.replica.writer import Writer
from tracelib.source import Postgres

MOST_STEPS = 500
TIMEOUT_S = 60.0
LOG_TABLE = "LiteLLM_SpendLogs"
_numbers = count(1)


def written(source: Postgres, folder: Path) -> ReplicaSettings:
    """A replica in files of this whole log, as it is now."""
    return written_as(source, ReplicaSettings(folder, duty=1.0, reads_bodies=True))


def written_as(source: Postgres, settings: ReplicaSettings) -> ReplicaSettings:
    """The same with these settings."""
    with opened(settings) as files:
        _write(source, Folder(settings), lambda: _served(files, settings))
    return settings


def _served(files: Files, settings: ReplicaSettings) -> Manifest | None:
    """The manifest that is read, unless it is one of other settings that is being replaced."""
    now = files.current()
    is_own = now is not None and now.manifest.reads_bodies == settings.reads_bodies
    return now.manifest if now and is_own else None


def _write(source: Postgres, storage: Any, manifest: Any) -> None:
    writer = Writer(lambda: source, storage)
    try:
        for _ in range(MOST_STEPS):
            writer.step()
            assert not writer.sentence, writer.sentence
            found: Manifest | None = manifest()
            if found and found.complete_from is None and found.names_file:
                return
    finally:
        writer.close()
    raise AssertionError("The replica was never complete.")


@contextmanager
def opened(settings: ReplicaSettings) -> Iterator[Files]:
    """Its files, opened for reading."""
    files = Files(settings, 2)
    try:
        yield files
    finally:
        files.close()


def seen(files: Files, access: Access = FULL) -> FileReplica:
    """The replica as it is now, for this access."""
    replica = replica_of(files, access, TIMEOUT_S)
    assert replica is not None, files.sentence
    return replica


@contextmanager
def empty_database(server: Server) -> Iterator[str]:
    """The URL of a new database without tables, which goes afterwards."""
    name = f"replica_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
    try:
        yield server.url(name)
    finally:
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def storage_at(url: str, folder: Path, **settings: Any) -> TableStorage:
    """The tables of a replica in this database; rows are in this folder on their way."""
    return TableStorage(ReplicaSettings(folder, **settings), read_address(url), LOG_TABLE)


def reader_of(url: str, source: Postgres, connections: int = 1) -> TableReader:
    """A reader of the tables in this database, whose log is this one."""
    identity = Host(source, Path()).identity()
    return TableReader(read_address(url), connections, lambda: identity)


def manifest_at(url: str, source: Postgres) -> Manifest | None:
    """The manifest in this database, as a new process reads it."""
    return reader_of(url, source).manifest()


def written_at(source: Postgres, url: str, folder: Path) -> Replica:
    """A replica in tables of this whole log, as it is now."""
    _write(source, storage_at(url, folder, duty=1.0), lambda: manifest_at(url, source))
    replica = reader_of(url, source, 4).replica(FULL, TIMEOUT_S)
    assert replica is not None
    return replica


@contextmanager
def in_files(source: Postgres, server: Server, folder: Path) -> Iterator[Replica]:
    """A replica in files."""
    with opened(written(source, folder)) as files:
        yield seen(files)


@contextmanager
def in_tables(source: Postgres, server: Server, folder: Path) -> Iterator[Replica]:
    """A replica in tables of a database on this server."""
    with empty_database(server) as url:
        yield written_at(source, url, folder)


PLACES = {"files": in_files, "tables": in_tables}
"""A replica of a whole log, by where it is kept."""

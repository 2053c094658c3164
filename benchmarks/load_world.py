"""What a measurement of load runs on: a database of its own, the app over it, and a watch on both.

The app is `streamlit run asgi.py` in a process of its own. Its clock of refreshes runs faster: with
a speed of 5, a page that refreshes every 30 seconds does so every six, and all else that follows a
tick too. What has a time of its own, such as how long a chart is kept, does not.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import psutil
import psycopg2

from tests.browsing import wait_for

ROOT = Path(__file__).parent.parent
REFRESH_S = 30
SAMPLED_EVERY_S = 1.0
# A statement's own transaction is idle for a moment between its settings and itself.
IDLE_S = 1.0
LOGGING = "log_statement = 'all'", "log_line_prefix = 'tracelib-log %a|'"
ENTRY = re.compile(rb"^tracelib-log (tracelib[^|]*)\|LOG:  (?:statement|execute [^:]*): (.*)$")
# What the driver says around a query, once for each connection or transaction.
AROUND = (b"SELECT set_config(", b"SET ", b"BEGIN", b"COMMIT", b"ROLLBACK", b"SELECT 1", b";")
ACTIVITY = f"""
    SELECT count(*), count(*) FILTER (WHERE state = 'active'),
           count(*) FILTER (WHERE state LIKE 'idle in transaction%'
                            AND now() - state_change > interval '{IDLE_S:g} s')
    FROM pg_stat_activity WHERE application_name LIKE 'tracelib%'
"""  # noqa: S608 - a number of its own
QUICK = """
from datetime import UTC, datetime
from tracelib import settings, window
from tracelib.querying import memory

SPEED = {speed}

def ticked(now, tick_s):
    step = tick_s if isinstance(tick_s, float) else tick_s / SPEED
    seconds = now.timestamp()
    return datetime.fromtimestamp(seconds - seconds % step, UTC)

window.ticked = ticked
settings.TICKS.update({{name: every / SPEED for name, every in settings.TICKS.items() if every}})
memory.UNUSED_S, memory.SWEPT_EVERY_S = {unused_s}, {unused_s} / 10
"""


@dataclass(frozen=True)
class Sample:
    """The server at a moment: its memory, threads, descriptors, and its connections."""

    at: float
    rss_mb: float
    threads: int
    descriptors: int
    connections: int
    active: int
    idle_in_transaction: int


@dataclass
class App:
    """The running app; `samples` grows each second."""

    port: int
    process: psutil.Process
    database: str
    samples: list[Sample] = field(default_factory=list)

    def rss_mb(self) -> float:
        """The memory that it uses now."""
        return round(self.process.memory_info().rss / 1e6, 1)

    def processor_s(self) -> float:
        """The processor time that it has used."""
        spent = self.process.cpu_times()
        return spent.user + spent.system


@contextmanager
def app_over(
    url: str, speed: float = 1, unused_s: float = 600, **environment: str
) -> Iterator[App]:
    """The app over this database, watched; `speed` is that of its refreshes.

    Results that were not used for `unused_s` are dropped.
    """
    with tempfile.TemporaryDirectory(prefix="tracelib-load-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        (Path(folder) / "sitecustomize.py").write_text(QUICK.format(speed=speed, unused_s=unused_s))
        own = {
            "DATABASE_URL": url,
            "PYTHONPATH": os.pathsep.join([folder, str(ROOT)]),
            "TRACELIB_REPLICA": "off",
            "TRACELIB_REPLICA_FOLDER": folder,
        }
        options = ["--server.port", str(port), "--server.address", "127.0.0.1"]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "asgi.py", *options],
                cwd=ROOT,
                env=os.environ | own | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health", 120)
            app = App(port, psutil.Process(process.pid), url)
            with _watched(app):
                yield app
        finally:
            process.terminate()
            process.wait(30)
            print((Path(folder) / "log").read_text()[-3_000:], file=sys.stderr)


@contextmanager
def _watched(app: App) -> Iterator[None]:
    ends = Event()
    thread = Thread(target=_watch, args=(app, ends), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join(10)


def _watch(app: App, ends: Event) -> None:
    with closing(connected(app.database)) as connection, connection.cursor() as cursor:
        while not ends.wait(SAMPLED_EVERY_S):
            cursor.execute(ACTIVITY)
            activity = cursor.fetchone()
            try:
                app.samples.append(
                    Sample(
                        time.monotonic(),
                        app.rss_mb(),
                        app.process.num_threads(),
                        app.process.num_fds(),
                        *activity,
                    )
                )
            except psutil.NoSuchProcess:
                return


def connected(url: str) -> "psycopg2.extensions.connection":
    """A connection of the measurement's own, which is none of the app's."""
    connection = psycopg2.connect(url.replace("+psycopg2", ""), application_name="watch")
    connection.autocommit = True
    return connection


class StatementLog:
    """PostgreSQL's log of every statement: how many queries were there?"""

    def __init__(self, url: str, path: Path) -> None:
        self.path = path
        with closing(connected(url)) as connection, connection.cursor() as cursor:
            for setting in LOGGING:
                cursor.execute(f"ALTER SYSTEM SET {setting}")
            cursor.execute("SELECT pg_reload_conf()")
        self._read_to = path.stat().st_size

    def count(self) -> int:
        """How many queries of the app were there since the last count?"""
        found = 0
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            for line in file:
                entry = ENTRY.match(line)
                found += bool(entry and not entry[2].startswith(AROUND))
            self._read_to = file.tell()
        return found

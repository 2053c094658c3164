"""Where the app of a fault runs: over one line, with two hosts, behind a pooler, and so on.

Each site is a context that gives the app, not yet started. What it is reached by is in the world.
"""

import hashlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from tests.browsing import ROOT, started, wait_for
from tests.database import Database
from tests.live.clock import LIBRARY
from tests.pooler import PgBouncer, pooling
from tests.rows import spend_log
from tests.server import Server, free_port, running, utils
from tests.slow_line import SlowLine, slow_line

ROLE, SECRET = "dashboard", "secret of a program"
ENDING = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'"  # noqa: S608 - a name of its own
HOURS = 160
NAME, NAME_SERVER = "database.test", "127.0.0.153"
SMALL_DISK = "12m"


@dataclass
class World:
    """The server, the database of LiteLLM on it, and the line of the app to it.

    `folder` is for files. The rest is there if the site of the fault has it.
    """

    server: Server
    database: Database
    line: SlowLine
    folder: Path
    second: SlowLine | None = None
    pooler: PgBouncer | None = None
    names: "NameServer | None" = None
    other: Database | None = None
    writer: "App | None" = None
    stop: Event = field(default_factory=Event)

    def execute(self, *statements: str) -> list[tuple]:
        """Run statements as the owner of the database."""
        return self.database.execute(*statements)

    def end_connections(self) -> None:
        """End those of the app."""
        self.execute(ENDING)

    def processes(self) -> Iterator[int]:
        """The server's processes, the first one of all first."""
        first = utils.PostmasterInfo.read_from_pgdata(self.server.data).process
        yield first.pid
        yield from (one.pid for one in first.children())

    def meanwhile(self, act: Callable[[], None], every_s: float) -> None:
        """Act again and again, or once after so long if it sets `stop`, until the fault ends."""
        self.stop.clear()

        def repeat() -> None:
            while not self.stop.wait(every_s):
                act()

        Thread(target=repeat, daemon=True).start()

    @property
    def replica(self) -> Path:
        """The folder of replica and results."""
        return self.folder / "replica"

    @property
    def secrets(self) -> Path:
        """The file of secrets of the app."""
        return self.folder / ".streamlit" / "secrets.toml"


@dataclass
class App:
    """A process of the app: its variables, the command before it, and the folder it runs in."""

    environment: dict[str, str]
    before: tuple[str, ...] = ()
    folder: Path = ROOT
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it serves pages."""
        self.process = started("asgi.py", self.port, self.environment, self.before, self.folder)
        wait_for(f"{self.address}/_stcore/health")

    def end(self, number: signal.Signals) -> None:
        """End it by this signal."""
        self.process.send_signal(number)
        self.process.wait(60)


@contextmanager
def made_world() -> Iterator[World]:
    """A database with a request each hour, and a role of the app; no app."""
    with ExitStack() as made:
        folder = Path(made.enter_context(TemporaryDirectory(prefix="faults-")))
        database = _filled(Database(made.enter_context(running())), HOURS)
        line = made.enter_context(slow_line(database))
        yield World(database.server, database, line, folder)


def _filled(database: Database, hours: int) -> Database:
    now = datetime.now(UTC)
    database.insert(
        spend_log(startTime=now - timedelta(hours=hour, minutes=30)) for hour in range(hours)
    )
    roles = database.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'")  # noqa: S608 - a name of its own
    database.execute(
        *([] if roles else [f"CREATE ROLE {ROLE} LOGIN"]),
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {ROLE}",
    )
    return database


def as_role(url: str) -> str:
    """The URL as the app signs in."""
    return url.replace("postgres@", f"{ROLE}@")


def _app(world: World, url: str, **environment: str) -> App:
    token = {"name": "program", "sha256": hashlib.sha256(SECRET.encode()).hexdigest()}
    return App(
        {
            "DATABASE_URL": url,
            "TRACELIB_API_TOKENS": json.dumps([token | {"scope": {"all": True}, "role": "viewer"}]),
            "TRACELIB_REFRESH": "10s",
            "TRACELIB_REPLICA": "off",
            "TRACELIB_REPLICA_FOLDER": str(world.replica),
        }
        | environment
    )


@contextmanager
def plain(world: World) -> Iterator[App]:
    """Over the line."""
    yield _app(world, as_role(world.line.url))


@contextmanager
def two_hosts(world: World) -> Iterator[App]:
    """Two servers with the same rows; the one that accepts writes is chosen, first the first."""
    with running() as server:
        second = Database(server, name=world.database.name)
        _filled(second, HOURS)
        server.execute(f"ALTER DATABASE {second.name} SET default_transaction_read_only = on")
        with slow_line(second) as line:
            world.second = line
            hosts = f"127.0.0.1:{world.line.port},127.0.0.1:{line.port}"
            url = f"postgresql://{ROLE}@{hosts}/{second.name}"
            yield _app(world, f"{url}?sslmode=disable&target_session_attrs=read-write")


@contextmanager
def named(world: World) -> Iterator[App]:
    """A host with a name, and a name server of its own in a mount namespace. Needs root."""
    resolv = world.folder / "resolv.conf"
    resolv.write_text(f"nameserver {NAME_SERVER}\n")
    mounted = f'mount --bind {resolv} /etc/resolv.conf && exec "$@"'
    with NameServer() as world.names:
        app = _app(world, as_role(world.line.url).replace("127.0.0.1", NAME))
        app.before = ("unshare", "--mount", "sh", "-c", mounted, "sh")
        yield app


class NameServer:
    """A name server that resolves every name to 127.0.0.1, unless it hangs."""

    def __init__(self) -> None:
        self.hangs = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self) -> "NameServer":
        self._socket.bind((NAME_SERVER, 53))
        Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, sender = self._socket.recvfrom(512)
            except OSError:  # closed at the end
                return
            if not self.hangs:
                self._socket.sendto(_resolved(query), sender)


def _resolved(query: bytes) -> bytes:
    """The response to a query of one name: its address for an A record, else none."""
    end = query.index(b"\0", 12) + 5
    (kind,) = struct.unpack_from("!H", query, end - 4)
    found = struct.pack("!HHHIH4B", 0xC00C, 1, 1, 0, 4, 127, 0, 0, 1) if kind == 1 else b""
    return query[:2] + struct.pack("!HHHHH", 0x8180, 1, bool(found), 0, 0) + query[12:end] + found


@contextmanager
def pooled(world: World) -> Iterator[App]:
    """Behind PgBouncer in transaction mode."""
    with pooling(world.server) as world.pooler:
        # Its log file names the users that may sign in.
        (world.pooler.folder / "users").write_text(f'"postgres" ""\n"{ROLE}" ""\n')
        world.pooler.console("RELOAD")
        with slow_line(world.database, world.pooler.socket) as world.second:
            yield _app(world, as_role(world.second.url))


@contextmanager
def with_secrets(world: World) -> Iterator[App]:
    """The URL is in a file of secrets, and there is another database on the same server."""
    world.other = _filled(Database(world.server), 7)
    shutil.copytree(ROOT / ".streamlit", world.secrets.parent, dirs_exist_ok=True)
    write_secrets(world, as_role(world.line.url))
    app = _app(world, "")
    del app.environment["DATABASE_URL"]
    app.folder = world.folder
    yield app


def write_secrets(world: World, url: str) -> None:
    """Make this URL the one that the app reads."""
    world.secrets.write_text(f"DATABASE_URL = {json.dumps(url)}\n")


@contextmanager
def with_clock(world: World) -> Iterator[App]:
    """A clock of its own, by libfaketime; that it measures time by goes on as ever."""
    set_clock(world, 0)
    # Under the library this one function of Python fails; all other waiting is as ever.
    (world.folder / "sitecustomize.py").write_text(
        "import threading, time\ntime.sleep = lambda s: threading.Event().wait(s) and None\n"
    )
    clock = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(world.folder / "clock"),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": f"{world.folder}{os.pathsep}{ROOT}",
    }
    yield _app(world, as_role(world.line.url), **clock)


def set_clock(world: World, ahead_s: int) -> None:
    """Set the clock of the app; it sees it within a second."""
    whole = world.folder / "clock.new"
    whole.write_text(f"{ahead_s:+d}")
    whole.rename(world.folder / "clock")


@contextmanager
def replicated(world: World) -> Iterator[App]:
    """With a replica on a small disk, which an older process of the app writes. Needs root."""
    world.replica.mkdir(exist_ok=True)
    mount = ("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(world.replica))
    subprocess.run(mount, check=True)
    try:
        app = _app(world, as_role(world.line.url), TRACELIB_REPLICA="on")
        with writing(world):
            yield app
    finally:
        subprocess.run(("umount", "--lazy", str(world.replica)), check=True)


@contextmanager
def writing(world: World) -> Iterator[None]:
    """While another process of the app keeps the replica."""
    world.writer = _app(world, world.database.url, TRACELIB_REPLICA="on")
    world.writer.start()
    try:
        wait_for(f"{world.writer.address}/health")
        yield
    finally:
        if world.writer.process.poll() is None:
            world.writer.end(signal.SIGTERM)


Site = Callable[[World], AbstractContextManager[App]]

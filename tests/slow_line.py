"""A line to a PostgreSQL that may be slow, or dead: and what is asked over it is noted."""

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.database import Database

# What surrounds a question, once for a connection or a transaction.
AROUND = re.compile(
    r"BEGIN|COMMIT|ROLLBACK|SET |SHOW |SELECT set_config|select pg_catalog\.version|;|$"
)
A_CHUNK = 65_536


@dataclass
class SlowLine:
    """Where the line begins, how late it is in seconds, and what was asked over it, in order.

    Connections are always accepted, as by a server that hangs; what is sent over a dead line waits.
    """

    database: Database
    port: int
    lag_s: float = 0.0
    is_alive: threading.Event = field(default_factory=threading.Event)
    statements: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The database as reached over the line."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{self.database.name}?sslmode=disable"

    def cut(self) -> None:
        """Deliver nothing from now on."""
        self.is_alive.clear()

    def mend(self) -> None:
        """Deliver again, also what has waited."""
        self.is_alive.set()

    def questions(self) -> list[str]:
        """The statements that ask the spend log for something."""
        return [
            one for one in self.statements if "LiteLLM_SpendLogs" in one and "pg_catalog" not in one
        ]


@contextmanager
def slow_line(database: Database) -> Iterator[SlowLine]:
    """A line to this database, for as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = SlowLine(database, listener.getsockname()[1])
        line.mend()
        threading.Thread(target=_let_in, args=(listener, line), daemon=True).start()
        yield line
        line.mend()


def _let_in(listener: socket.socket, line: SlowLine) -> None:
    path = f"{line.database.server.host}/.s.PGSQL.{line.database.server.port}"
    with suppress(OSError):  # the listener is closed at the end
        while True:
            client, _ = listener.accept()
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(path)
            except OSError:  # it is stopped
                client.close()
                continue
            for source, target, on_chunk in (
                (client, server, _noted(line)),
                (server, client, lambda _: time.sleep(line.lag_s)),
            ):
                threading.Thread(
                    target=_carry, args=(source, target, on_chunk, line.is_alive), daemon=True
                ).start()


def _carry(
    source: socket.socket,
    target: socket.socket,
    on_chunk: Callable[[bytes], None],
    is_alive: threading.Event,
) -> None:
    with suppress(OSError):
        while chunk := source.recv(A_CHUNK):
            on_chunk(chunk)
            is_alive.wait()
            target.sendall(chunk)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _noted(line: SlowLine) -> Callable[[bytes], None]:
    """Notes each simple query of what a client sends; the start-up packet has no type."""
    buffer, is_started = bytearray(), False

    def note(chunk: bytes) -> None:
        nonlocal is_started
        buffer.extend(chunk)
        while len(buffer) >= 5:
            kind = b"" if not is_started else bytes(buffer[:1])
            length = struct.unpack_from("!I", buffer, len(kind))[0] + len(kind)
            if len(buffer) < length:
                return
            if kind == b"Q":
                line.statements.append(buffer[5 : length - 1].decode())
            is_started = True
            del buffer[:length]

    return note

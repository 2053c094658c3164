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

    Connections are accepted, as by a server that hangs, unless they are refused; what is sent over
    a dead line waits. With `most_bytes` no more of each response arrives; then the line is dead, or
    reset if it `resets`.
    """

    database: Database
    port: int
    ends_at: str
    lag_s: float = 0.0
    most_bytes: int | None = None
    resets: bool = False
    is_alive: threading.Event = field(default_factory=threading.Event)
    statements: list[str] = field(default_factory=list)
    listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """The database as reached over the line."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{self.database.name}?sslmode=disable"

    def accept(self) -> None:
        """Let connections in from now on."""
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=_let_in, args=(self.listener, self), daemon=True).start()

    def refuse(self) -> None:
        """Let no connection in from now on."""
        self.listener.shutdown(socket.SHUT_RDWR)  # a thread waits for the next one
        self.listener.close()

    def cut(self) -> None:
        """Deliver nothing from now on."""
        self.is_alive.clear()

    def mend(self) -> None:
        """Deliver again, also what has waited."""
        self.is_alive.set()

    def carried(self, response: int) -> int:
        """How many bytes of a response of this length arrive?"""
        return response if self.most_bytes is None else min(response, self.most_bytes)

    def questions(self) -> list[str]:
        """The statements that ask the spend log for something."""
        return [
            one for one in self.statements if "LiteLLM_SpendLogs" in one and "pg_catalog" not in one
        ]


@contextmanager
def slow_line(database: Database, through: str | None = None) -> Iterator[SlowLine]:
    """A line to this database, for as long as the block lasts.

    It ends at the socket of its server, or of another program that it is reached `through`.
    """
    server = database.server
    ends_at = through or f"{server.host}/.s.PGSQL.{server.port}"
    line = SlowLine(database, 0, ends_at)
    line.mend()
    line.accept()
    try:
        yield line
    finally:
        line.listener.close()
        line.mend()


def _let_in(listener: socket.socket, line: SlowLine) -> None:
    with suppress(OSError):  # the listener is closed
        while True:
            client, _ = listener.accept()
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(line.ends_at)
            except OSError:  # it is stopped
                client.close()
                continue
            response = Response(line)
            for source, target, arrives in (
                (client, server, _noted(line, response)),
                (server, client, response.arrives),
            ):
                threading.Thread(
                    target=_carry, args=(source, target, arrives, line), daemon=True
                ).start()


@dataclass
class Response:
    """What has arrived of the response to the last statement of a connection."""

    line: SlowLine
    length: int = 0

    def arrives(self, chunk: bytes) -> bytes:
        """How much of this chunk arrives, late? All of it, unless the response is too long."""
        time.sleep(self.line.lag_s)
        before = self.line.carried(self.length)
        self.length += len(chunk)
        return chunk[: self.line.carried(self.length) - before]


def _carry(
    source: socket.socket,
    target: socket.socket,
    arrives: Callable[[bytes], bytes],
    line: SlowLine,
) -> None:
    with suppress(OSError):
        while chunk := source.recv(A_CHUNK):
            arriving = arrives(chunk)
            line.is_alive.wait()
            target.sendall(arriving)
            if len(arriving) < len(chunk) and line.resets:
                target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                target.shutdown(socket.SHUT_RD)  # the other thread reads from it
                target.close()
                break
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _noted(line: SlowLine, response: Response) -> Callable[[bytes], bytes]:
    """Notes each simple query of what a client sends; the start-up packet has no type."""
    buffer, is_started = bytearray(), False

    def note(chunk: bytes) -> bytes:
        nonlocal is_started
        buffer.extend(chunk)
        response.length = 0
        while len(buffer) >= 5:
            kind = b"" if not is_started else bytes(buffer[:1])
            length = struct.unpack_from("!I", buffer, len(kind))[0] + len(kind)
            if len(buffer) < length:
                return chunk
            if kind == b"Q":
                line.statements.append(buffer[5 : length - 1].decode())
            is_started = True
            del buffer[:length]
        return chunk

    return note

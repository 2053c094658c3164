"""A deadline at the client: a server that hangs, or a network that loses packets, sends no error.

When it has passed the connection is cut, and who waits for an answer gets an error at once.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Timer, local
from time import monotonic
from typing import Any

import psycopg2
from sqlalchemy import Engine, event


class Deadline:
    """A limit for each statement of a transaction, and for the connection before it."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._seconds = seconds
        self._until = monotonic() + seconds
        self._connection: Any = None
        self._lock = Lock()
        self._timer: Timer | None = None
        self._wait(seconds)

    def attach(self, connection: Any) -> None:
        """The driver's connection to be cut, if it takes longer."""
        with self._lock:
            self._connection = connection

    def begin_again(self) -> None:
        """Another statement begins now."""
        self._until = monotonic() + self._seconds

    def end(self) -> None:
        """Nothing is waited for any more."""
        with self._lock:
            self._connection = None
            if self._timer:
                self._timer.cancel()
            self._timer = None

    def _wait(self, seconds: float) -> None:
        self._timer = Timer(seconds, self._check)
        self._timer.daemon = True
        self._timer.start()

    def _check(self) -> None:
        with self._lock:
            left = self._until - monotonic()
            if self._timer is None:
                return
            if left > 0:
                self._wait(left)
                return
            self.is_over = True
            if self._connection is not None:
                _cut(self._connection)


def _cut(connection: Any) -> None:
    """End the connection for both sides; its thread, which is reading from it, gets an error."""
    with suppress(OSError, psycopg2.Error), _own(connection) as own:
        own.shutdown(socket.SHUT_RDWR)


def _own(connection: Any) -> socket.socket:
    """A descriptor of our own: the driver's may be closed by the thread that reads."""
    return socket.socket(fileno=os.dup(connection.fileno()))


CURRENT = local()


@contextmanager
def within(seconds: float) -> Iterator[Deadline]:
    """A deadline for what this thread does with the connections of `watched` pools."""
    deadline = Deadline(seconds)
    CURRENT.deadline = deadline
    try:
        yield deadline
    finally:
        CURRENT.deadline = None
        deadline.end()


def watched(engine: Engine) -> Engine:
    """The same pool, whose connections and statements `within` limits."""
    event.listen(engine, "connect", _attach)
    event.listen(engine, "checkout", lambda connection, *_: _attach(connection))
    event.listen(engine, "before_cursor_execute", lambda *_: _on_current(Deadline.begin_again))
    return engine


def _attach(connection: Any, *_: Any) -> None:
    _on_current(lambda deadline: deadline.attach(connection))


def _on_current(act: Callable[[Deadline], None]) -> None:
    deadline: Deadline | None = getattr(CURRENT, "deadline", None)
    if deadline is not None:
        act(deadline)

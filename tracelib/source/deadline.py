"""A deadline at the client: a server that hangs, or a network that loses packets, sends no error.

When it has passed the connection is cut, and who waits for an answer gets an error at once. Until
then the statement can be cancelled, at the server.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Timer, get_ident
from time import monotonic
from typing import Any

import psycopg2
from sqlalchemy import Engine, event


class Deadline:
    """A limit for each statement of a transaction, and for the connection before it."""

    def __init__(self, seconds: float) -> None:
        self.is_over = self.is_cancelled = False
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

    def detach(self) -> None:
        """The connection is another one's from now on."""
        with self._lock:
            self._connection = None

    def cancel(self) -> None:
        """End the statement that runs now, at the server; the connection stays."""
        with self._lock:
            self.is_cancelled = True
            if self._connection is not None:
                with suppress(psycopg2.Error):
                    self._connection.cancel()

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


# By the thread that waits.
_current: dict[int, Deadline] = {}


def of_thread(thread: int) -> Deadline | None:
    """The deadline of what this thread waits for; None if it waits for no database."""
    return _current.get(thread)


@contextmanager
def within(seconds: float) -> Iterator[Deadline]:
    """A deadline for what this thread does with the connections of `watched` pools."""
    deadline = Deadline(seconds)
    thread = get_ident()
    outer, _current[thread] = _current.get(thread), deadline
    try:
        yield deadline
    finally:
        if outer is None:
            del _current[thread]
        else:
            _current[thread] = outer
        deadline.end()


def watched(engine: Engine) -> Engine:
    """The same pool, whose connections and statements `within` limits."""
    event.listen(engine, "connect", _attach)
    event.listen(engine, "checkout", lambda connection, *_: _attach(connection))
    event.listen(engine, "checkin", lambda *_: _on_current(Deadline.detach))
    event.listen(engine, "before_cursor_execute", lambda *_: _on_current(Deadline.begin_again))
    return engine


def _attach(connection: Any, *_: Any) -> None:
    _on_current(lambda deadline: deadline.attach(connection))


def _on_current(act: Callable[[Deadline], None]) -> None:
    deadline = _current.get(get_ident())
    if deadline is not None:
        act(deadline)

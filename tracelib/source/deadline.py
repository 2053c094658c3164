"""A deadline at the client: a server that hangs, or a network that loses packets, sends no error.

When it has passed the connection is cut, and who waits for an answer gets an error at once. Until
then it can be cut by another thread, when no one waits any more.
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

from tracelib import errors


class Deadline:
    """A limit for each statement of a transaction, and for the connection before it.

    Until the server has responded, `first_s` is the limit: the first statement takes no time.
    """

    def __init__(self, seconds: float, engine: Engine, first_s: float) -> None:
        self.engine = engine
        self.is_over = self.is_cancelled = False
        # Since when the server has not responded at all.
        self.silent_since: float | None = None
        self._seconds, self._first_s = seconds, first_s
        self._until = monotonic() + seconds
        self._connection: Any = None
        self._lock = Lock()
        self._timer: Timer | None = None
        self._wait(min(seconds, first_s))

    def connect(self, allowed_s: float) -> None:
        """A connection is being opened, which may take this long before the server is silent.

        Finding its address may take longer than the driver's own limit, which begins only then.
        """
        self.silent_since = monotonic() + allowed_s

    def attach(self, connection: Any) -> None:
        """The driver's connection to be cut, if it takes longer."""
        with self._lock:
            self._connection = connection
        self.silent_since = monotonic()

    def responded(self) -> None:
        """The server has responded; what runs from now on may take its time."""
        self.silent_since = None

    def detach(self) -> None:
        """The connection is another one's from now on."""
        with self._lock:
            self._connection = None

    def cancel(self) -> None:
        """End the statement that runs now: the server stops it when its client is gone.

        The driver's own way stops all threads until the server responds, which it may never do.
        """
        with self._lock:
            self.is_cancelled = True
            if self._connection is not None:
                _cut(self._connection)

    def begin_again(self) -> None:
        """Another statement begins now, as the server has responded to the one before."""
        now = monotonic()
        if self.silent_since is None:
            self._until = now + self._seconds
        else:
            self._until, self.silent_since = now + self._first_s, now

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


class Cancellation:
    """Ends what a thread asks of databases, at any moment and from any other thread."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self.deadline: Deadline | None = None

    def cancel(self) -> None:
        """End the statement that runs now; the next one is not run."""
        self.is_cancelled = True
        if deadline := self.deadline:
            deadline.cancel()


# By the thread that waits.
_current: dict[int, Deadline] = {}
_cancellations: dict[int, Cancellation] = {}


@contextmanager
def cancellable() -> Iterator[Cancellation]:
    """Let another thread end what this one asks of databases."""
    thread = get_ident()
    cancellation = _cancellations[thread] = Cancellation()
    try:
        yield cancellation
    finally:
        del _cancellations[thread]


def silent_s(engine: Engine) -> float:
    """For how many seconds has this server not responded to a statement that takes no time?"""
    of_engine = (one.silent_since for one in [*_current.values()] if one.engine is engine)
    return max([0.0, *(monotonic() - since for since in of_engine if since is not None)])


@contextmanager
def within(seconds: float, engine: Engine, first_s: float) -> Iterator[Deadline]:
    """A deadline for what this thread does with the connections of this `watched` pool.

    The first response on a connection has a limit of its own.
    Raises Cancelled if nothing more is wanted of the thread.
    """
    thread = get_ident()
    deadline, cancellation = Deadline(seconds, engine, first_s), _cancellations.get(thread)
    outer, _current[thread] = _current.get(thread), deadline
    try:
        if cancellation:
            cancellation.deadline = deadline
            if cancellation.is_cancelled:
                raise errors.Cancelled()
        yield deadline
    finally:
        if cancellation:
            cancellation.deadline = outer
        if outer is None:
            del _current[thread]
        else:
            _current[thread] = outer
        deadline.end()


def watched(engine: Engine, connects_in_s: float = 0.0) -> Engine:
    """The same pool, whose connections and statements `within` limits.

    Opening a connection is no silence of the server for the first `connects_in_s`.
    """

    def on_current(act: Callable[[Deadline], None]) -> None:
        deadline = _current.get(get_ident())
        if deadline and deadline.engine is engine:
            act(deadline)

    def attach(connection: Any, *_: Any) -> None:
        on_current(lambda deadline: deadline.attach(connection))

    def connect(*_: Any) -> None:
        on_current(lambda deadline: deadline.connect(connects_in_s))

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", attach)
    event.listen(engine, "checkout", attach)
    event.listen(engine, "checkin", lambda *_: on_current(Deadline.detach))
    # Also of the statements of SQLAlchemy's own with which it begins.
    event.listen(engine, "do_execute", lambda *_: on_current(Deadline.begin_again))
    return engine

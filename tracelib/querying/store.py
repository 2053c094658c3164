"""The state of this process: results, the queries under way, and which database is down.

It is the process's own, and in no cache of Streamlit's, which a browser can clear.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any, Generic, TypeVar
from uuid import uuid4

from tracelib import errors
from tracelib.database_url import DatabaseAddress

T = TypeVar("T")
# The limit for the serialised size of all results on each shelf.
FIGURES_BYTES = 128_000_000
# A conversation may be megabytes large: few are stored, and none for when the database is down.
HEAVY_BYTES = 32_000_000
# Viewers choose between four refresh intervals, and so have at most four ticks at a time.
MOST_TICKS = 4
# After a failed connection, no query waits for the next one for this long, and the error is valid
# for as long.
BREATHER_S = 10.0


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The result of a query: a value, or why there is none; its time, and how long it took.

    It is shared by all viewers: to be read, not to be changed. Results with one key show the same.
    """

    value: T | None
    error: errors.TraceError | None
    asked_at: datetime
    seconds: float
    is_stale: bool = False
    key: str = field(default_factory=lambda: uuid4().hex)


def rewritten(answer: Answer[T], change: Callable[[T], T]) -> Answer[T]:
    """The same result with its value changed, under another key for what is drawn from it."""
    if answer.value is None:
        return answer
    return replace(answer, value=change(answer.value), key=uuid4().hex)


@dataclass(eq=False, slots=True)
class Flight:
    """A query under way: its view and tick, and how many wait for it.

    `age` is the store's when the query ran, or will run; `answer` is done once it has.
    """

    view: str
    now: datetime
    age: int
    answer: "Future[Answer[Any]]" = field(default_factory=Future)
    waiting: int = 0
    is_begun: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Kept:
    """A result with its tick, its size, and the store's age when the query ran.

    It is used until `until`, on the monotonic clock: a good one while its tick lasts.
    """

    answer: Answer[Any]
    tick: datetime
    size: int
    age: int
    until: float = math.inf

    @property
    def order(self) -> tuple[datetime, int]:
        """The order by which the newer of two is chosen."""
        return self.tick, self.age


@dataclass(eq=False, slots=True)
class OfView:
    """The results of one view: those of its latest ticks, and the last good one."""

    ticks: OrderedDict[datetime, Kept] = field(default_factory=OrderedDict)
    good: Kept | None = None

    @property
    def size(self) -> int:
        return sum(kept.size for kept in {*self.ticks.values(), self.good} if kept)

    def keep(self, kept: Kept) -> None:
        """Store it, but never in place of a newer one; those of an earlier age are dropped."""
        if kept.answer.error is None and (not self.good or self.good.order <= kept.order):
            self.good = kept
        if any(one.age > kept.age for one in self.ticks.values()):
            return
        self.ticks = OrderedDict(
            (tick, one) for tick, one in self.ticks.items() if one.age == kept.age
        )
        self.ticks[kept.tick] = kept
        self.ticks.move_to_end(kept.tick)
        if len(self.ticks) > MOST_TICKS:
            self.ticks.popitem(last=False)


class Shelf:
    """The results of many views. Above the size limit, the least recently used view is dropped."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.size = 0
        self.views: OrderedDict[str, OfView] = OrderedDict()

    def known(self, view: str, ticks: Sequence[datetime], age: int) -> Answer[Any] | None:
        """The result of the first of these ticks that has one of this age."""
        for tick in ticks if view in self.views else ():
            kept = self.views[view].ticks.get(tick)
            if kept and kept.age == age and time.monotonic() < kept.until:
                self.views.move_to_end(view)
                return kept.answer
        return None

    def last_good(self, view: str) -> Answer[Any] | None:
        """The good result of the latest tick."""
        if view not in self.views:
            return None
        self.views.move_to_end(view)
        good = self.views[view].good
        return good.answer if good else None

    def keep(self, view: str, kept: Kept) -> None:
        """Store a result of this view, and make room for it."""
        of_view = self.views.setdefault(view, OfView())
        self.size -= of_view.size
        of_view.keep(kept)
        self.size += of_view.size
        self.views.move_to_end(view)
        while self.size > self.most_bytes and len(self.views) > 1:
            self.size -= self.views.popitem(last=False)[1].size


class Store:
    """The only place for results: each view is queried once at a time, and its result shared.

    `age` counts the refreshes; an earlier result is only used while the database is down.
    """

    def __init__(self) -> None:
        self.figures = Shelf(FIGURES_BYTES)
        self.heavy = Shelf(HEAVY_BYTES)
        self.flights: dict[str, Flight] = {}
        self.age = 0
        self._away: dict[DatabaseAddress, tuple[errors.TraceError, float]] = {}
        self._lock = Lock()

    def since(self, views: Sequence[str], now: datetime) -> datetime:
        """The earliest tick for which one of these views is under way, or now.

        Queries that are run together have one tick: the results that arrived at that tick are used
        until the last one has arrived.
        """
        with self._lock:
            flights = (self.flights.get(view) for view in views)
            return min([now, *(one.now for one in flights if one and self._may_join(one))])

    def find(self, view: str, now: datetime, since: datetime) -> tuple[Answer[Any] | Flight, bool]:
        """The result of one of these ticks, or the flight to wait for; whether it is a new one.

        A caller that gets a flight must leave it again, and run the query if it is new.
        """
        with self._lock:
            for shelf in (self.figures, self.heavy):
                if answer := shelf.known(view, (now, since), self.age):
                    return answer, False
            flight = self.flights.get(view)
            is_new = flight is None or not self._may_join(flight)
            if flight is None or is_new:
                flight = self.flights[view] = Flight(view, now, self.age)
            flight.waiting += 1
            return flight, is_new

    def leave(self, flight: Flight) -> None:
        """Stop waiting for this result."""
        with self._lock:
            flight.waiting -= 1

    def begin(self, flight: Flight) -> bool:
        """Does this query, whose turn has come, still have to run? Not if no one waits for it."""
        with self._lock:
            if not flight.waiting:
                self._forget(flight)
                return False
            flight.is_begun, flight.age = True, self.age
            return True

    def land(self, flight: Flight, answer: Answer[Any], size: int, is_heavy: bool) -> None:
        """Store the result of a flight, and give it to all who wait."""
        with self._lock:
            shelf = self.heavy if is_heavy else self.figures
            until = time.monotonic() + BREATHER_S if answer.error else math.inf
            shelf.keep(flight.view, Kept(answer, flight.now, size, flight.age, until))
            self._forget(flight)
        flight.answer.set_result(answer)

    def last_good(self, view: str) -> Answer[Any] | None:
        """The result to use while there is no better one."""
        with self._lock:
            return self.figures.last_good(view)

    def expire(self) -> None:
        """Let every query run again; the last good results stay."""
        with self._lock:
            self.age += 1
            self._away.clear()

    def away(self, address: DatabaseAddress) -> errors.TraceError | None:
        """Why is this database not queried at the moment?"""
        error, until = self._away.get(address, (None, 0.0))
        return error if time.monotonic() < until else None

    def note_away(self, address: DatabaseAddress, error: errors.TraceError) -> None:
        """Do not query this database for some seconds: it did not respond."""
        self._away[address] = (error, time.monotonic() + BREATHER_S)

    def _may_join(self, flight: Flight) -> bool:
        """May a query join this flight?

        One that still waits for its turn will run after the refresh.
        """
        return not flight.is_begun or flight.age == self.age

    def _forget(self, flight: Flight) -> None:
        if self.flights.get(flight.view) is flight:
            del self.flights[flight.view]

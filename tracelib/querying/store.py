"""What this process remembers: answers, the questions under way, and which database is away.

It is the process's own, and in no cache of Streamlit's, which a browser can ask to be emptied.
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
# What the answers on each shelf may weigh together, as they would be written to a file.
FIGURES_BYTES = 128_000_000
# A conversation may weigh megabytes: few are kept, and none for when the database is away.
HEAVY_BYTES = 32_000_000
# Viewers choose between four refresh intervals, and so have at most four ticks at a time.
MOST_TICKS = 4
# After a failed connection nobody waits for the next one for so long, and so long an error holds.
BREATHER_S = 10.0


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a question gave: a value, or why there is none; from when, and how long it took.

    All who ask share it: it is to be read, not to be changed. Those of one key show the same.
    """

    value: T | None
    error: errors.TraceError | None
    asked_at: datetime
    seconds: float
    is_stale: bool = False
    key: str = field(default_factory=lambda: uuid4().hex)


def rewritten(answer: Answer[T], change: Callable[[T], T]) -> Answer[T]:
    """The same answer with its value changed; another one for whatever is drawn of it."""
    if answer.value is None:
        return answer
    return replace(answer, value=change(answer.value), key=uuid4().hex)


@dataclass(eq=False, slots=True)
class Flight:
    """A question under way: the view and the tick it is asked for, and how many wait for it.

    `age` is the store's when the database was asked, or will be; `answer` is done once it is.
    """

    view: str
    now: datetime
    age: int
    answer: "Future[Answer[Any]]" = field(default_factory=Future)
    waiting: int = 0
    is_begun: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Kept:
    """An answer with its tick, its weight, and the store's age when the database was asked.

    It is told until `until`, on the monotonic clock: a good one while its tick lasts.
    """

    answer: Answer[Any]
    tick: datetime
    size: int
    age: int
    until: float = math.inf

    @property
    def order(self) -> tuple[datetime, int]:
        """By which of two is the newer one told?"""
        return self.tick, self.age


@dataclass(eq=False, slots=True)
class OfView:
    """The answers of one view: those of its latest ticks, and the last good one."""

    ticks: OrderedDict[datetime, Kept] = field(default_factory=OrderedDict)
    good: Kept | None = None

    @property
    def size(self) -> int:
        return sum(kept.size for kept in {*self.ticks.values(), self.good} if kept)

    def keep(self, kept: Kept) -> None:
        """Keep it, but never in place of a newer one; those of an age before it are dropped."""
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
    """The answers of many views. What weighs too much goes, the view least lately told first."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.size = 0
        self.views: OrderedDict[str, OfView] = OrderedDict()

    def known(self, view: str, ticks: Sequence[datetime], age: int) -> Answer[Any] | None:
        """The answer of the first of these ticks that has one of this age."""
        for tick in ticks if view in self.views else ():
            kept = self.views[view].ticks.get(tick)
            if kept and kept.age == age and time.monotonic() < kept.until:
                self.views.move_to_end(view)
                return kept.answer
        return None

    def last_good(self, view: str) -> Answer[Any] | None:
        """The good answer of the latest tick."""
        if view not in self.views:
            return None
        self.views.move_to_end(view)
        good = self.views[view].good
        return good.answer if good else None

    def keep(self, view: str, kept: Kept) -> None:
        """Keep an answer of this view, and make room for it."""
        of_view = self.views.setdefault(view, OfView())
        self.size -= of_view.size
        of_view.keep(kept)
        self.size += of_view.size
        self.views.move_to_end(view)
        while self.size > self.most_bytes and len(self.views) > 1:
            self.size -= self.views.popitem(last=False)[1].size


class Store:
    """The one place for answers: each view is asked once at a time, and its answer shared.

    `age` counts how often everything was to be asked again; an answer from before is only good
    for when the database is away.
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

        What is asked together is of one tick: the answers that came in at that tick stand until
        the last one has come.
        """
        with self._lock:
            flights = (self.flights.get(view) for view in views)
            return min([now, *(one.now for one in flights if one and self._may_join(one))])

    def find(self, view: str, now: datetime, since: datetime) -> tuple[Answer[Any] | Flight, bool]:
        """The answer of one of these ticks, or the flight to wait for; whether it is a new one.

        Whoever is given a flight leaves it again. A new one is the finder's to be carried out.
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
        """Wait no longer for this answer."""
        with self._lock:
            flight.waiting -= 1

    def begin(self, flight: Flight) -> bool:
        """Is this question, whose turn has come, still to be asked? Not if nobody waits for it."""
        with self._lock:
            if not flight.waiting:
                self._forget(flight)
                return False
            flight.is_begun, flight.age = True, self.age
            return True

    def land(self, flight: Flight, answer: Answer[Any], size: int, is_heavy: bool) -> None:
        """Keep the answer of a flight, and give it to all who wait."""
        with self._lock:
            shelf = self.heavy if is_heavy else self.figures
            until = time.monotonic() + BREATHER_S if answer.error else math.inf
            shelf.keep(flight.view, Kept(answer, flight.now, size, flight.age, until))
            self._forget(flight)
        flight.answer.set_result(answer)

    def last_good(self, view: str) -> Answer[Any] | None:
        """The answer that stands in while no better one is to be had."""
        with self._lock:
            return self.figures.last_good(view)

    def expire(self) -> None:
        """Let every question be asked again; the last good answers stay."""
        with self._lock:
            self.age += 1
            self._away.clear()

    def away(self, address: DatabaseAddress) -> errors.TraceError | None:
        """Why is this database not asked at the moment?"""
        error, until = self._away.get(address, (None, 0.0))
        return error if time.monotonic() < until else None

    def note_away(self, address: DatabaseAddress, error: errors.TraceError) -> None:
        """Let nobody wait for this database for some seconds: it did not answer."""
        self._away[address] = (error, time.monotonic() + BREATHER_S)

    def _may_join(self, flight: Flight) -> bool:
        """One that waits for its turn will be asked after the last Refresh now."""
        return not flight.is_begun or flight.age == self.age

    def _forget(self, flight: Flight) -> None:
        if self.flights.get(flight.view) is flight:
            del self.flights[flight.view]

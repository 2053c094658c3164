"""The state of this process: results, and the queries under way.

It is the process's own, and in no cache of Streamlit's, which a browser can clear.
"""

import math
import pickle
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock, Timer
from typing import Any, Generic, TypeVar
from uuid import uuid4

from tracelib import errors

T = TypeVar("T")
# The limit for the serialised size of all results in each segment.
FIGURES_BYTES = 128_000_000
# A conversation may be megabytes large: few are stored, and none for when the database is down.
HEAVY_BYTES = 32_000_000
# Viewers choose between four refresh intervals, and so have at most four ticks at a time.
MOST_TICKS = 4
# An error is valid for as long.
RETRY_AFTER_S = 10.0
# A page that is drawn again may want the same result.
CANCEL_AFTER_S = 0.5


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """The result of a query: a value, or why there is none; its time, and how long it took.

    `as_of` is the moment of the replica that it is from; None if PostgreSQL answered. It is shared
    by all viewers: to be read, not to be changed. Those of one version are equal.
    """

    value: T | None
    error: errors.TraceError | None
    computed_at: datetime
    seconds: float
    is_stale: bool = False
    as_of: datetime | None = None
    version: str = field(default_factory=lambda: uuid4().hex)

    @property
    def is_late(self) -> bool:
        """Is the query still running? A last good value may stand in for it meanwhile."""
        return isinstance(self.error, errors.StillRunning)

    @property
    def is_outdated(self) -> bool:
        """Does an older value stand in for a result that failed?"""
        return self.is_stale and not self.is_late


def rewritten(result: Result[T], change: Callable[[T], T]) -> Result[T]:
    """The same result with its value changed, as another version for what is drawn from it."""
    if result.value is None:
        return result
    return replace(result, value=change(result.value), version=uuid4().hex)


@dataclass(eq=False, slots=True)
class QueryRun:
    """A query under way: its key and tick, and how many wait for it.

    `generation` is the store's when the query ran, or will run; `future` is done once it has.
    `cancel` ends it, once it has started.
    """

    key: str
    tick: datetime
    generation: int
    future: "Future[Result[Any]]" = field(default_factory=Future)
    waiting: int = 0
    cancel: Callable[[], None] | None = None
    has_ended: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class StoredResult:
    """A result with its tick, its size, and the store's generation when the query ran.

    It is used until `until`, on the monotonic clock: a good one while its tick lasts.
    """

    result: Result[Any]
    tick: datetime
    size: int
    generation: int
    until: float = math.inf

    @property
    def order(self) -> tuple[datetime, int]:
        """The order by which the newer of two is chosen."""
        return self.tick, self.generation


@dataclass(eq=False, slots=True)
class ResultHistory:
    """The results of one key: those of its latest ticks, and the last good one."""

    ticks: OrderedDict[datetime, StoredResult] = field(default_factory=OrderedDict)
    last_good: StoredResult | None = None
    used_at: float = field(default_factory=time.monotonic)

    @property
    def size(self) -> int:
        return sum(stored.size for stored in {*self.ticks.values(), self.last_good} if stored)

    def add(self, stored: StoredResult) -> None:
        """Store it, never in place of a newer one; those of an earlier generation are dropped."""
        if stored.result.error is None and (
            not self.last_good or self.last_good.order <= stored.order
        ):
            self.last_good = stored
        if any(one.generation > stored.generation for one in self.ticks.values()):
            return
        self.ticks = OrderedDict(
            (tick, one) for tick, one in self.ticks.items() if one.generation == stored.generation
        )
        self.ticks[stored.tick] = stored
        self.ticks.move_to_end(stored.tick)
        if len(self.ticks) > MOST_TICKS:
            self.ticks.popitem(last=False)


class Segment:
    """The results of many keys. Above the size limit, the least recently used key is dropped."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.size = 0
        self.histories: OrderedDict[str, ResultHistory] = OrderedDict()

    def current(self, key: str, ticks: Sequence[datetime], generation: int) -> Result[Any] | None:
        """The result of the first of these ticks that has one of this generation."""
        for tick in ticks if key in self.histories else ():
            stored = self.histories[key].ticks.get(tick)
            if stored and stored.generation == generation and time.monotonic() < stored.until:
                self._use(key)
                return stored.result
        return None

    def last_good(self, key: str) -> Result[Any] | None:
        """The good result of the latest tick."""
        if key not in self.histories:
            return None
        last_good = self._use(key).last_good
        return last_good.result if last_good else None

    def add(self, key: str, stored: StoredResult) -> None:
        """Store a result of this key, and make room for it."""
        history = self.histories.setdefault(key, ResultHistory())
        self.size -= history.size
        history.add(stored)
        self.size += history.size
        self._use(key)
        while self.size > self.most_bytes and len(self.histories) > 1:
            self._drop_oldest()

    def drop_unused(self, since: float) -> int:
        """Drop the results that were not used since then, and return how many they were."""
        before = len(self.histories)
        while self.histories and next(iter(self.histories.values())).used_at < since:
            self._drop_oldest()
        return before - len(self.histories)

    def _use(self, key: str) -> ResultHistory:
        self.histories.move_to_end(key)
        history = self.histories[key]
        history.used_at = time.monotonic()
        return history

    def _drop_oldest(self) -> None:
        self.size -= self.histories.popitem(last=False)[1].size


class Store:
    """The only place for results: each key is queried once at a time, and its result shared.

    `generation` counts the refreshes; an earlier result is only used while the database is down.
    """

    def __init__(self) -> None:
        self.figures = Segment(FIGURES_BYTES)
        self.heavy = Segment(HEAVY_BYTES)
        self.runs: dict[str, QueryRun] = {}
        self.generation = 0
        self._lock = Lock()

    def since(self, keys: Sequence[str], now: datetime) -> datetime:
        """The earliest tick for which one of these keys is under way, or now.

        Queries that are run together have one tick: the results that arrived at that tick are used
        until the last one has arrived.
        """
        with self._lock:
            runs = (self.runs.get(key) for key in keys)
            return min([now, *(one.tick for one in runs if one and self._may_join(one))])

    def result_or_run(
        self, key: str, now: datetime, since: datetime
    ) -> tuple[Result[Any] | QueryRun, bool]:
        """The result of one of these ticks, or the run to wait for; whether it is a new one.

        A caller that gets a run must stop waiting in the end, and run the query if it is new.
        """
        with self._lock:
            for segment in (self.figures, self.heavy):
                if result := segment.current(key, (now, since), self.generation):
                    return result, False
            run = self.runs.get(key)
            is_new = run is None or not self._may_join(run)
            if run is None or is_new:
                run = self.runs[key] = QueryRun(key, now, self.generation)
            run.waiting += 1
            return run, is_new

    def stop_waiting(self, run: QueryRun) -> None:
        """Stop waiting for this result. If no one waits, the query is cancelled a moment later."""
        with self._lock:
            run.waiting -= 1
            if run.waiting or run.has_ended or run.cancel is None:
                return
        timer = Timer(CANCEL_AFTER_S, self._cancel_unless_wanted, (run,))
        timer.daemon = True
        timer.start()

    def _cancel_unless_wanted(self, run: QueryRun) -> None:
        with self._lock:
            if run.waiting or run.has_ended or run.cancel is None:
                return
            self._remove(run)
        run.cancel()

    def start(self, run: QueryRun, cancel: Callable[[], None]) -> bool:
        """Does this query, whose turn has come, still have to run? Not if no one waits for it.

        `cancel` ends it.
        """
        with self._lock:
            if not run.waiting:
                self._remove(run)
                return False
            run.cancel, run.generation = cancel, self.generation
            return True

    def finish(self, run: QueryRun, result: Result[Any], size: int, is_heavy: bool) -> None:
        """Store the result of a run, and give it to all who wait."""
        with self._lock:
            segment = self.heavy if is_heavy else self.figures
            until = time.monotonic() + RETRY_AFTER_S if result.error else math.inf
            if not isinstance(result.error, errors.Cancelled):
                segment.add(run.key, StoredResult(result, run.tick, size, run.generation, until))
            run.has_ended = True
            self._remove(run)
        run.future.set_result(result)

    def drop_unused(self, seconds: float) -> int:
        """Drop what no one has looked at for this many seconds, and return how many results."""
        with self._lock:
            since = time.monotonic() - seconds
            return sum(one.drop_unused(since) for one in (self.figures, self.heavy))

    def last_good(self, key: str) -> Result[Any] | None:
        """The result to use while there is no better one."""
        with self._lock:
            return self.figures.last_good(key)

    def remember(self, key: str, result: Result[Any]) -> Result[Any]:
        """Take a good result of an earlier process, to be used while there is no better one."""
        with self._lock:
            size = len(pickle.dumps(result.value))
            stored = StoredResult(result, result.computed_at, size, -1, -math.inf)
            self.figures.add(key, stored)
        return result

    def expire(self) -> None:
        """Let every query run again; the last good results stay."""
        with self._lock:
            self.generation += 1

    def _may_join(self, run: QueryRun) -> bool:
        """May a query join this run?

        One that still waits for its turn will run after the refresh.
        """
        return run.cancel is None or run.generation == self.generation

    def _remove(self, run: QueryRun) -> None:
        if self.runs.get(run.key) is run:
            del self.runs[run.key]

"""What needs attention: read by threads of this process, so that no page waits for it."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock, Semaphore, Thread
from typing import Any

from tracelib import errors, events, findings, ledgers
from tracelib.filters import Filters
from tracelib.findings import Report
from tracelib.querying import permissions
from tracelib.querying.installation import Installation
from tracelib.querying.query import Query
from tracelib.querying.runner import run_together
from tracelib.querying.workers import Who
from tracelib.window import TimeWindow, ticked

EVERY_S = 300
HOURLY_S = 3_600
# What is read of whole hours or days that are over, or changes as rarely.
HOURLY: frozenset[Callable[..., Any]] = frozenset({findings.hourly, ledgers.logged})
# Reports of as many viewers' choices are remembered, and read at a time.
MOST, AT_ONCE = 100, 2
PATIENCE_S = 120.0
WHO = Who("findings", is_program=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A report, or why there is none."""

    report: Report | None
    error: errors.TraceError | None


@dataclass(slots=True)
class Entry:
    """The last good report of a choice, and the one that is being read, of a tick."""

    tick: datetime
    future: "Future[Outcome]"
    last: Report | None = None


class Attention:
    """The reports of this process: each read once per tick, whoever looks at it."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[object, ...], Entry] = OrderedDict()
        self._lock = Lock()
        self._turn = Semaphore(AT_ONCE)

    def report(
        self, installed: Installation, filters: Filters, now: datetime
    ) -> tuple[Report | None, "Future[Outcome]"]:
        """The last report for this access and these filters, and the one of this tick.

        The first is None if there was none yet; the second may be under way. Their range does not
        matter.
        """
        tick = ticked(now, EVERY_S)
        database = (installed.address, installed.settings.table)
        key = (*database, installed.access, tuple(filters.chosen().items()))
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.tick < tick:
                entry = Entry(tick, Future(), _last(entry))
                self._entries[key] = entry
                self._entries.move_to_end(key)
                if len(self._entries) > MOST:
                    self._entries.popitem(last=False)
                reading = (entry.future, installed, filters, tick)
                Thread(target=self._read, args=reading, name="findings", daemon=True).start()
            return _last(entry), entry.future

    def _read(
        self, future: "Future[Outcome]", installed: Installation, filters: Filters, now: datetime
    ) -> None:
        with self._turn:
            future.set_result(read(installed, filters, now))


ATTENTION = Attention()


def _last(entry: Entry | None) -> Report | None:
    if entry is None:
        return None
    if entry.future.done() and (report := entry.future.result().report):
        return report
    return entry.last


def read(installed: Installation, filters: Filters, now: datetime) -> Outcome:
    """Read what needs attention as of now."""

    def run(queries: Sequence[tuple[Any, ...]], are_optional: bool = False) -> list[Any]:
        return _values(installed, now, queries, are_optional)

    week = filters.within(TimeWindow(now - timedelta(days=7), now))
    try:
        return Outcome(findings.report(run, week, now), None)
    except errors.TraceError as error:
        return Outcome(None, permissions.for_access(error, installed.access))
    except Exception as fault:
        events.exception("findings_fault", fault)
        return Outcome(None, errors.OwnFault())


def _values(
    installed: Installation, now: datetime, queries: Sequence[tuple[Any, ...]], are_optional: bool
) -> list[Any]:
    submitted = [
        Query(function, tuple(arguments), ticked(now, _tick_s(function)))
        for function, *arguments in queries
    ]
    results = run_together(installed, now, submitted, PATIENCE_S, who=WHO)
    for result in results:
        is_slow = isinstance(result.error, errors.QuestionTooSlow)
        if result.error and not (are_optional and is_slow):
            raise result.error
    return [None if result.error else result.value for result in results]


def _tick_s(function: Callable[..., Any]) -> int:
    return HOURLY_S if function in HOURLY else EVERY_S

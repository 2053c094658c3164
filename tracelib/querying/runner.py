"""The only way from a page to its queries: shared, each run once at a time, without tracebacks.

All viewers of the same tick share one result, good or bad. A viewer who requests a query under way,
at that tick or a later one, waits for its result: no query runs twice at once. While the database
is down, the last good result of the same view is used, marked with its age.
"""

import pickle
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from tracelib import conversation, errors, events
from tracelib.conversation.reading import Reading, TurnPage
from tracelib.conversation.turn_diff import diff_between
from tracelib.database_url import DatabaseAddress
from tracelib.querying import memory, observing, permissions
from tracelib.querying.breaker import BREAKING, UNDECIDED, Breaker
from tracelib.querying.dispatch import Outcome, from_fresh_replica, from_log, from_replica
from tracelib.querying.installation import Installation, silent_s
from tracelib.querying.once import MadeOnce
from tracelib.querying.query import Query, result_key
from tracelib.querying.results_file import file_of, is_on_disk
from tracelib.querying.store import QueryRun, Result, Store
from tracelib.querying.workers import Who, Workers
from tracelib.selection import Selection
from tracelib.source.deadline import cancellable

STORE, BREAKER = Store(), Breaker()
HEAVY: frozenset[Callable[..., Any]] = frozenset({conversation.turns, diff_between})
# The longest wait for a result; the query itself continues.
PATIENCE_S = 60.0
# A page does not wait longer than this where there is an older result to show.
KNOWN_S = 0.5
# A second in which the server has not responded at all counts as that many.
SILENCE_COUNTS = 2.0
# Conversations that are being read, of at most 60 MB, most of them of kilobytes.
MOST_READINGS = 12
# How often the status of a waiting viewer is updated.
STEP_S = 0.25


@dataclass(frozen=True, slots=True)
class Submitted:
    """A query with its key, and its result or the run to wait for."""

    query: Query
    key: str
    found: Result[Any] | QueryRun
    installed: Installation

    @property
    def is_pending(self) -> bool:
        return isinstance(self.found, QueryRun) and not self.found.future.done()

    def result(self) -> Result[Any]:
        """The result; the last good one if it is still pending, or failed."""
        own = self._own_result()
        if own.error is None or own.value is not None or own.error.hides_figures:
            return own
        last_good = self.last_good()
        if last_good is None:
            return own
        observing.served_stale(self.query.name, own.error)
        return replace(last_good, error=own.error, is_stale=True)

    def last_good(self) -> Result[Any] | None:
        """The last good result, of this process or of one before."""
        if last_good := STORE.last_good(self.key):
            return last_good
        file = file_of(self.installed)
        found = file.get(self.key) if file and is_on_disk(self.query) else None
        return STORE.remember(self.key, found) if found else None

    def _own_result(self) -> Result[Any]:
        if isinstance(self.found, Result):
            return self.found
        if self.found.future.done():
            return self.found.future.result()
        return Result(None, errors.StillRunning(), datetime.now(UTC), 0.0)


def run_together(
    installed: Installation,
    now: datetime,
    queries: Sequence[Query],
    patience_s: float = PATIENCE_S,
    while_waiting: Callable[[list[Query]], None] | None = None,
    known_s: float = PATIENCE_S,
    held: list[QueryRun] | None = None,
    who: Who = Who(),  # noqa: B008 - a value
) -> list[Result[Any]]:
    """Run all of these queries in parallel and return their results, in order.

    `while_waiting` is called several times a second with the pending ones; an exception in it ends
    the waiting. After `known_s` the last good results are used if all pending ones have one, else
    after `patience_s` an error that says so. What still runs then is cancelled, unless another one
    waits for it, or it is added to `held`, to be released.
    """
    keys = [result_key(query, now, installed) for query in queries]
    together = [key for key, one in zip(keys, queries, strict=True) if one.tick is None]
    since = STORE.since(together, now)
    submitted: list[Submitted] = []
    try:
        for query, key in zip(queries, keys, strict=True):
            ticks = (query.tick, query.tick) if query.tick else (now, since)
            submitted.append(_submit(installed, query, key, *ticks, who))
        _wait(submitted, patience_s, known_s, while_waiting)
        return [one.result() for one in submitted]
    finally:
        for one in submitted:
            if isinstance(one.found, QueryRun) and held is not None and one.is_pending:
                held.append(one.found)
            elif isinstance(one.found, QueryRun):
                STORE.stop_waiting(one.found)


def release(held: list[QueryRun]) -> None:
    """Stop waiting for these."""
    while held:
        STORE.stop_waiting(held.pop())


def run_alone(installed: Installation, query: Query, who: Who = Who()) -> Any:  # noqa: B008
    """Run a query that only one viewer needs, and do not store its result.

    For a step of a search, or a file.

    Permissions and metrics apply as for any other query. The pause after a failed connection does
    not: the viewer has just clicked. Raises a TraceError.
    """
    if refused := permissions.refusal(query.function, query.arguments, installed.access):
        raise refused
    observing.requested(query.name, is_new=True, is_stored=False)
    future: Future[Result[Any]] = Future()
    workers = _workers(installed.address, installed.settings.pool_size)
    workers.submit(who, _run_for_one, future, query, installed)
    result = future.result()
    if result.error:
        raise result.error
    return result.value


@lru_cache(MOST_READINGS)
def reading_of(installed: Installation, selection: Selection) -> Reading:  # noqa: ARG001
    """The reading state of this conversation, which all viewers of an installation share."""
    return Reading(selection)


def expire_results() -> None:
    """Let every query run again; the last good results stay."""
    STORE.expire()
    BREAKER.reset()


def _submit(
    installed: Installation, query: Query, key: str, now: datetime, since: datetime, who: Who
) -> Submitted:
    if refused := permissions.refusal(query.function, query.arguments, installed.access):
        return Submitted(query, key, _failed(refused, installed), installed)
    found, is_new = STORE.result_or_run(key, now, since)
    observing.requested(query.name, is_new, isinstance(found, Result))
    if is_new and isinstance(found, QueryRun):
        workers = _workers(installed.address, installed.settings.pool_size)
        workers.submit(who, _run, found, query, installed)
    return Submitted(query, key, found, installed)


def _wait(
    submitted: Sequence[Submitted],
    patience_s: float,
    known_s: float,
    while_waiting: Callable[[list[Query]], None] | None,
) -> None:
    started = time.monotonic()
    while pending := [one for one in submitted if one.is_pending]:
        waited_s = time.monotonic() - started
        silence_s = SILENCE_COUNTS * silent_s(pending[0].installed)
        is_long = max(waited_s, silence_s) > known_s
        can_be_replaced = is_long and all(one.last_good() for one in pending)
        if waited_s > patience_s or can_be_replaced:
            return
        runs = [one.found.future for one in pending if isinstance(one.found, QueryRun)]
        if wait(runs, STEP_S).not_done and while_waiting:
            while_waiting([one.query for one in pending])


# As many at once as there are connections: the others wait for their turn, not for a connection.
@MadeOnce
def _workers(address: DatabaseAddress, pool_size: int) -> Workers:  # noqa: ARG001
    _sweep_memory()
    return Workers(pool_size)


@cache
def _sweep_memory() -> None:
    memory.sweep(lambda seconds: STORE.drop_unused(seconds))


def _run(run: QueryRun, query: Query, installed: Installation) -> None:
    """Run the query, for all who wait. They get a result in any case."""
    with cancellable() as cancellation:
        if STORE.start(run, cancellation.cancel):
            _run_started(run, query, installed)


def _run_for_one(future: Future[Result[Any]], query: Query, installed: Installation) -> None:
    try:
        future.set_result(_timed(query, installed, in_any_case=True))
    except BaseException as error:  # for who waits
        future.set_exception(error)
        raise


def _run_started(run: QueryRun, query: Query, installed: Installation) -> None:
    try:
        result = _timed(query, installed)
        size = _size(result.value)
    except Exception as fault:
        events.exception("query_fault", fault, query=query.name)
        result, size = _failed(errors.OwnFault(), installed), 0
    STORE.finish(run, result, size, is_heavy=query.function in HEAVY)
    if result.error is None and (file := file_of(installed)):
        file.add(run.key, query, result)


def _size(value: object) -> int:
    """About how many bytes does this take?"""
    return value.size_bytes if isinstance(value, TurnPage) else len(pickle.dumps(value))


def _failed(error: errors.TraceError, installed: Installation) -> Result[Any]:
    shown = permissions.for_access(error, installed.access)
    return Result(None, shown, datetime.now(UTC), 0.0)


def _timed(query: Query, installed: Installation, in_any_case: bool = False) -> Result[Any]:
    started = time.perf_counter()
    outcome, error = _attempted(query, installed, in_any_case)
    seconds = time.perf_counter() - started
    value, is_of_replica = (outcome.value, bool(outcome.as_of)) if outcome else (None, False)
    observing.ran(query.name, seconds, value, error, is_of_replica)
    shown = error and permissions.for_access(error, installed.access)
    if outcome is None:
        return Result(None, shown, datetime.now(UTC), seconds)
    at = outcome.as_of if error and outcome.as_of else datetime.now(UTC)
    return Result(outcome.value, shown, at, seconds, error is not None, as_of=outcome.as_of)


def _attempted(
    query: Query, installed: Installation, in_any_case: bool
) -> tuple[Outcome | None, errors.TraceError | None]:
    """The outcome and the error; both, from an old replica, while the database does not respond.

    One that has just failed is not queried, unless `in_any_case`.
    """
    call = (installed, query.function, query.arguments)
    try:
        if outcome := from_fresh_replica(*call):
            return outcome, None
        if not in_any_case and (unavailable := BREAKER.error(installed.address)):
            return from_replica(*call), unavailable
        return _from_log(*call), None
    except BREAKING as error:
        return from_replica(*call), error
    except errors.TraceError as explained:
        return None, explained
    except Exception as fault:
        events.exception("query_fault", fault, query=query.name)
        return None, errors.OwnFault()


def _from_log(
    installed: Installation, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> Outcome:
    """Run the query on the log, and note whether that responds. Raises a TraceError."""
    try:
        outcome = from_log(installed, function, arguments)
    except BREAKING as error:
        BREAKER.fail(installed.address, error)
        raise
    except UNDECIDED:
        BREAKER.leave_undecided(installed.address)
        raise
    except Exception:
        BREAKER.recover(installed.address)
        raise
    BREAKER.recover(installed.address)
    return outcome

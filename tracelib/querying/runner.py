"""The only way from a page to its queries: shared, each run once at a time, without tracebacks.

All viewers of the same tick share one result, good or bad. A viewer who requests a query under way,
at that tick or a later one, waits for its result: no query runs twice at once. While the database
is down, the last good result of the same view is used, marked with its age.
"""

import logging
import pickle
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from tracelib import conversation, errors, metrics
from tracelib.conversation.reading import Reading
from tracelib.conversation.turn_diff import diff_between
from tracelib.database_url import DatabaseAddress
from tracelib.filters import Filters
from tracelib.querying import permissions
from tracelib.querying.installation import Installation, shared, source
from tracelib.querying.store import Answer, Flight, Store
from tracelib.selection import Selection

log = logging.getLogger(__name__)
STORE = Store()
HEAVY: frozenset[Callable[..., Any]] = frozenset({conversation.turns, diff_between})
# The longest wait for a result; the query itself continues.
PATIENCE_S = 60.0
# Conversations that are being read, of at most 60 MB, most of them of kilobytes.
READINGS_KEPT = 12
# How often the status of a waiting viewer is updated.
STEP_S = 0.25


@dataclass(frozen=True, slots=True)
class Question:
    """A query with its arguments, so that a page can submit several at once.

    `tick` is given if it differs from that of the queries with it.
    """

    ask: Callable[..., Any]
    arguments: tuple[Any, ...]
    tick: datetime | None = None

    @property
    def name(self) -> str:
        return f"{self.ask.__module__}.{self.ask.__qualname__}"

    @property
    def words(self) -> str:
        """What it queries, in a few words.

        >>> Question(conversation.turn_order, ()).words
        'turn order'
        """
        return self.ask.__name__.replace("_", " ").strip()


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with its view, and its result or the flight to wait for."""

    question: Question
    view: str
    found: Answer[Any] | Flight

    @property
    def is_open(self) -> bool:
        return isinstance(self.found, Flight) and not self.found.answer.done()

    def answer(self) -> Answer[Any]:
        """The result; the last good one if it is still pending, or failed with a passing error."""
        given = self._given()
        if given.error is None or not given.error.is_passing:
            return given
        good = STORE.last_good(self.view)
        return replace(good, error=given.error, is_stale=True) if good else given

    def _given(self) -> Answer[Any]:
        if isinstance(self.found, Answer):
            return self.found
        if self.found.answer.done():
            return self.found.answer.result()
        return Answer(None, errors.NotAnsweredYet(), datetime.now(UTC), 0.0)


def answers(
    installed: Installation,
    now: datetime,
    questions: Sequence[Question],
    patience_s: float = PATIENCE_S,
    while_waiting: Callable[[list[Question]], None] | None = None,
) -> list[Answer[Any]]:
    """Run all of these queries in parallel and return their results, in order.

    `while_waiting` is called several times a second with the pending ones; an exception in it ends
    the waiting. After a minute the last good results are used if all pending ones have one, else
    after `patience_s` an error that says so.
    """
    views = [_view(question, question.tick or now, installed) for question in questions]
    together = [view for view, one in zip(views, questions, strict=True) if one.tick is None]
    since = STORE.since(together, now)
    asked: list[Asked] = []
    try:
        for question, view in zip(questions, views, strict=True):
            ticks = (question.tick, question.tick) if question.tick else (now, since)
            asked.append(_asked(installed, question, view, *ticks))
        _wait(asked, patience_s, while_waiting)
        return [one.answer() for one in asked]
    finally:
        for one in asked:
            if isinstance(one.found, Flight):
                STORE.leave(one.found)


def ask_alone(installed: Installation, question: Question) -> Any:
    """Run a query that only one viewer needs, and do not store its result.

    For a step of a search, or a file.

    Permissions and metrics apply as for any other query. The pause after a failed connection does
    not: the viewer has just clicked. Raises a TraceError.
    """
    if refused := permissions.refusal(question.ask, installed.access):
        raise refused
    metrics.count_query(question.name, True)
    answer = _worked_out(question, installed)
    if answer.error:
        raise answer.error
    return answer.value


@lru_cache(READINGS_KEPT)
def reading_of(installed: Installation, selection: Selection) -> Reading:  # noqa: ARG001
    """The reading state of this conversation, which all viewers of an installation share."""
    return Reading(selection)


def forget_answers() -> None:
    """Let every query run again; the last good results stay."""
    STORE.expire()


def _asked(
    installed: Installation, question: Question, view: str, now: datetime, since: datetime
) -> Asked:
    if refused := permissions.refusal(question.ask, installed.access):
        return Asked(question, view, _failed(refused, installed))
    found, is_new = STORE.find(view, now, since)
    metrics.count_query(question.name, is_new)
    if is_new and isinstance(found, Flight):
        workers = _workers(installed.address, installed.settings.pool_size)
        workers.submit(_carry_out, found, question, installed)
    return Asked(question, view, found)


def _wait(
    asked: Sequence[Asked],
    patience_s: float,
    while_waiting: Callable[[list[Question]], None] | None,
) -> None:
    started = time.monotonic()
    while open_ones := [one for one in asked if one.is_open]:
        waited_s = time.monotonic() - started
        can_stand_in = waited_s > PATIENCE_S and all(STORE.last_good(o.view) for o in open_ones)
        if waited_s > patience_s or can_stand_in:
            return
        flights = [one.found.answer for one in open_ones if isinstance(one.found, Flight)]
        if wait(flights, STEP_S).not_done and while_waiting:
            while_waiting([one.question for one in open_ones])


# As many at once as there are connections: the others wait for their turn, not for a connection.
@lru_cache(maxsize=4)
def _workers(address: DatabaseAddress, pool_size: int) -> ThreadPoolExecutor:  # noqa: ARG001
    return ThreadPoolExecutor(pool_size, thread_name_prefix="question")


def _carry_out(flight: Flight, question: Question, installed: Installation) -> None:
    """Run the query, for all who wait. They get a result in any case."""
    if not STORE.begin(flight):
        return
    try:
        away = STORE.away(installed.address)
        answer = _failed(away, installed) if away else _worked_out(question, installed)
        size = len(pickle.dumps(answer.value))
    except Exception:
        log.exception("Query failed: %s", question.name)
        answer, size = _failed(errors.OwnFault(), installed), 0
    STORE.land(flight, answer, size, is_heavy=question.ask in HEAVY)


def _failed(error: errors.TraceError, installed: Installation) -> Answer[Any]:
    shown = permissions.told(error, installed.access)
    return Answer(None, shown, datetime.now(UTC), 0.0)


def _worked_out(question: Question, installed: Installation) -> Answer[Any]:
    started = time.perf_counter()
    value, error = _tried(question, installed)
    seconds = time.perf_counter() - started
    metrics.observe_query(question.name, seconds, error)
    shown = error and permissions.told(error, installed.access)
    return Answer(value, shown, datetime.now(UTC), seconds)


def _tried(question: Question, installed: Installation) -> tuple[Any, errors.TraceError | None]:
    try:
        return question.ask(source(installed), *question.arguments), None
    except errors.DatabaseUnreachable as unreachable:
        STORE.note_away(installed.address, unreachable)
        return None, unreachable
    except errors.TraceError as explained:
        return None, explained
    except Exception:
        log.exception("Query failed: %s", question.name)
        return None, errors.OwnFault()


def _view(question: Question, now: datetime, installed: Installation) -> str:
    """The key of this query on this database with this access.

    It stays the same at the next tick, when only the clock has moved on. As short as a name:
    arguments may be long.
    """
    relative = [_relative(argument, now) for argument in question.arguments]
    words = f"{question.name} {relative} {hash(shared(installed))} {installed.access!r}"
    return blake2b(words.encode("utf-8", "surrogatepass"), digest_size=24).hexdigest()


def _relative(argument: object, now: datetime) -> str:
    """A moment as its distance from now; filters as their view, without the clock."""
    if isinstance(argument, datetime):
        return repr(now - argument)
    if isinstance(argument, Filters):
        return repr(argument.view())
    return repr(argument)

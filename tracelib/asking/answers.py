"""The one seam between a page and its questions: cached, shared, and never a traceback.

All viewers of the same tick share one answer, good or bad. While the database is away, the
last good answer of the same view stands in, marked with its age.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from tracelib import conversation, errors, metrics
from tracelib.asking import allowed, memory
from tracelib.asking.installation import Installation, shared, source
from tracelib.asking.memory import Answer, Memory
from tracelib.conversation.turn_diff import diff_between
from tracelib.filters import Filters

log = logging.getLogger(__name__)
MEMORY = Memory()
KEPT = 400
KEPT_FOR_S = 600
# A conversation may weigh megabytes: none is held for when the database is away.
HEAVY: frozenset[Callable[..., Any]] = frozenset({conversation.turns, diff_between})
KEPT_SIZE = "256MB"


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its arguments, so that a page can hand in several at once."""

    ask: Callable[..., Any]
    arguments: tuple[Any, ...]

    @property
    def name(self) -> str:
        return f"{self.ask.__module__}.{self.ask.__qualname__}"


def answers(installed: Installation, now: datetime, questions: list[Question]) -> list[Answer[Any]]:
    """What does the database say to all of these, asked side by side? In their order."""
    with ThreadPoolExecutor(installed.settings.pool_size) as pool:
        given = [
            _known(installed, now, question) or pool.submit(_answer, installed, now, question)
            for question in questions
        ]
        return [one.result() if isinstance(one, Future) else one for one in given]


def are_known(installed: Installation, now: datetime, questions: list[Question]) -> bool:
    """Has somebody been told all of these at this tick, so that nobody waits for them?"""
    views = (_view(question, now, installed) for question in questions)
    return all(memory.known(MEMORY, view, now) for view in views)


def forget_answers() -> None:
    """Let every question be asked anew; the last good answers stay."""
    memory.start_anew(MEMORY)


def _known(installed: Installation, now: datetime, question: Question) -> Answer[Any] | None:
    """What was somebody told at this tick? It need not be waited for."""
    told = memory.known(MEMORY, _view(question, now, installed), now)
    if told:
        with metrics.asking(question.name):
            return told
    return None


def _answer(installed: Installation, now: datetime, question: Question) -> Answer[Any]:
    age, view = MEMORY.age, _view(question, now, installed)
    with metrics.asking(question.name) as asking:
        fresh: Answer[Any] = _asked(view, now, age, question, installed, asking)
    if fresh.error is None and question.ask not in HEAVY:
        memory.keep(MEMORY, view, now, fresh, age)
    if fresh.error and fresh.error.is_passing:
        return memory.stale(MEMORY, view, fresh.error) or fresh
    return fresh


@st.cache_data(ttl=KEPT_FOR_S, max_entries=KEPT, max_size=KEPT_SIZE, show_spinner=False)
def _asked(
    view: str,  # noqa: ARG001 - the first three arguments are the cache's key
    now: datetime,  # noqa: ARG001
    age: int,  # noqa: ARG001
    _question: Question,
    _installed: Installation,
    _asking: metrics.Asking,
) -> Answer[Any]:
    """Worked out by one of those who ask it at once, for whom the others wait."""
    started = time.perf_counter()
    value, error = _tried(_question, _installed)
    seconds = time.perf_counter() - started
    _asking.worked_out(seconds, error)
    told = error and allowed.told(error, _installed.access)
    return Answer(value, told, datetime.now(UTC), seconds)


def _tried(question: Question, installed: Installation) -> tuple[Any, errors.TraceError | None]:
    if refused := allowed.refusal(question.ask, installed.access):
        return None, refused
    if error := memory.away(MEMORY, installed.address):
        return None, error
    try:
        return question.ask(source(installed), *question.arguments), None
    except errors.DatabaseUnreachable as unreachable:
        memory.note_away(MEMORY, installed.address, unreachable)
        return None, unreachable
    except errors.TraceError as explained:
        return None, explained
    except Exception:
        log.exception("A question could not be answered: %s", question.name)
        return None, errors.OwnFault()


def _view(question: Question, now: datetime, installed: Installation) -> str:
    """What names this question, as asked of this database by whoever sees so much of it?

    A tick later, when only the clock has moved on, it is the same. As short as a name: arguments
    may be long.
    """
    relative = [_relative(argument, now) for argument in question.arguments]
    words = f"{question.name} {relative} {hash(shared(installed))} {installed.access!r}"
    return blake2b(words.encode("utf-8", "surrogatepass"), digest_size=24).hexdigest()


def _relative(argument: object, now: datetime) -> str:
    """A moment as its distance from now; a window as that and its length."""
    if isinstance(argument, datetime):
        return repr(now - argument)
    if isinstance(argument, Filters):
        return f"{_moving(argument, now)} {argument.zone} {argument.chosen()}"
    return repr(argument)


def _moving(filters: Filters, now: datetime) -> str:
    """The range up to now, and the one before it, move with the clock; chosen days do not.

    Days up to today begin where they began, and end now; what lies before them ends there.
    """
    window = filters.window
    if window.end == now:
        begins = window.start
    elif window.end + window.length == now:
        begins = window.end
    else:
        return repr(window)
    side = "since" if window.end == now else "before"
    return f"{side} {begins if _begins_a_day(begins, filters.zone) else window.length!r}"


def _begins_a_day(moment: datetime, zone: str) -> bool:
    local = moment.astimezone(ZoneInfo(zone))
    return local.time() == local.time().min

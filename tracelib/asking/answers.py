"""The one seam between a page and its questions: cached, shared, and never a traceback.

All viewers of the same tick share one answer, good or bad. While the database is away, the
last good answer of the same view stands in, marked with its age.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Generic, TypeVar
from uuid import uuid4

import streamlit as st

from tracelib import conversation, errors, metrics
from tracelib.asking import allowed
from tracelib.asking.installation import Installation, source
from tracelib.conversation.turn_diff import diff_between
from tracelib.filters import Filters
from tracelib.window import TimeWindow

T = TypeVar("T")
KEPT = 400
KEPT_FOR_S = 600
KEPT_GOOD = 200
# A conversation may weigh megabytes: none is held for when the database is away.
HEAVY: frozenset[Callable[..., Any]] = frozenset({conversation.turns, diff_between})
KEPT_SIZE = "256MB"
# After a failed connection nobody waits for the next one for so long.
BREATHER_S = 10.0


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a question gave: a value, or why there is none; from when, and how long it took.

    All who ask share it: it is to be read, not to be changed. No two have the same key.
    """

    value: T | None
    error: errors.TraceError | None
    asked_at: datetime
    seconds: float
    is_stale: bool = False
    key: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its arguments, so that a page can hand in several at once."""

    ask: Callable[..., Any]
    arguments: tuple[Any, ...]

    @property
    def name(self) -> str:
        return f"{self.ask.__module__}.{self.ask.__qualname__}"


@dataclass
class Memory:
    """What this process still knows: last good answers, and when the database went away.

    `ticks` says at which tick each of the answers was good.
    """

    good: OrderedDict[str, Answer[Any]] = field(default_factory=OrderedDict)
    ticks: dict[str, datetime] = field(default_factory=dict)
    away_until: float = 0.0
    away: errors.TraceError | None = None
    lock: Lock = field(default_factory=Lock)


def answers(installed: Installation, now: datetime, questions: list[Question]) -> list[Answer[Any]]:
    """What does the database say to all of these, asked side by side? In their order."""
    memory = _memory()
    with ThreadPoolExecutor(installed.settings.pool_size) as pool:
        given = [
            _known(memory, installed, now, question)
            or pool.submit(_answer, installed, now, question)
            for question in questions
        ]
        return [one.result() if isinstance(one, Future) else one for one in given]


def are_known(installed: Installation, now: datetime, questions: list[Question]) -> bool:
    """Has somebody been told all of these at this tick, so that nobody waits for them?"""
    ticks = _memory().ticks
    return all(ticks.get(_view(question, now, installed)) == now for question in questions)


def forget_answers() -> None:
    """Let every question be asked anew; the last good answers stay."""
    _asked.clear()
    _memory().ticks.clear()
    _memory().away_until = 0.0


def _known(
    memory: Memory, installed: Installation, now: datetime, question: Question
) -> Answer[Any] | None:
    """What was somebody told at this tick? It is shared, and need not be waited for."""
    view = _view(question, now, installed)
    with memory.lock:
        known = memory.good.get(view) if memory.ticks.get(view) == now else None
    if known:
        with metrics.asking(question.name):
            return known
    return None


def _answer(installed: Installation, now: datetime, question: Question) -> Answer[Any]:
    with metrics.asking(question.name) as asking:
        # By name: what a positional argument is called, Streamlit works out anew each time.
        fresh: Answer[Any] = _asked(
            name=question.name,
            arguments=repr(question.arguments),
            now=now,
            seen=(hash(installed), repr(installed.access)),
            _question=question,
            _installed=installed,
            _asking=asking,
        )
    memory, view = _memory(), _view(question, now, installed)
    with memory.lock:
        if fresh.error is None:
            if question.ask in HEAVY:
                return fresh
            memory.good[view], memory.ticks[view] = fresh, now
            memory.good.move_to_end(view)
            while len(memory.good) > KEPT_GOOD:
                oldest, _ = memory.good.popitem(last=False)
                memory.ticks.pop(oldest, None)
            return fresh
        if fresh.error.is_passing and view in memory.good:
            return replace(memory.good[view], error=fresh.error, is_stale=True)
    return fresh


@st.cache_data(ttl=KEPT_FOR_S, max_entries=KEPT, max_size=KEPT_SIZE, show_spinner=False)
def _asked(
    name: str,  # noqa: ARG001 - the first four arguments are the cache's key
    arguments: str,  # noqa: ARG001
    now: datetime,  # noqa: ARG001
    seen: tuple[int, str],  # noqa: ARG001 - which database, and what of it
    _question: Question,
    _installed: Installation,
    _asking: metrics.Asking,
) -> Answer[Any]:
    started = time.perf_counter()
    value, error = _tried(_question, _installed)
    seconds = time.perf_counter() - started
    _asking.worked_out(seconds, error)
    told = error and allowed.told(error, _installed.access)
    return Answer(value, told, datetime.now(UTC), seconds)


def _tried(question: Question, installed: Installation) -> tuple[Any, errors.TraceError | None]:
    if refused := allowed.refusal(question.ask, installed.access):
        return None, refused
    memory = _memory()
    if memory.away and time.monotonic() < memory.away_until:
        return None, memory.away
    try:
        return question.ask(source(installed), *question.arguments), None
    except errors.DatabaseUnreachable as error:
        memory.away, memory.away_until = error, time.monotonic() + BREATHER_S
        return None, error
    except errors.TraceError as error:
        return None, error


@st.cache_resource(show_spinner=False)
def _memory() -> Memory:
    return Memory()


def _view(question: Question, now: datetime, installed: Installation) -> str:
    """The same question of the same view a tick later: only the clock has moved on."""
    relative = [_relative(argument, now) for argument in question.arguments]
    return f"{question.name} {relative} {hash(installed)} {installed.access!r}"


def _relative(argument: object, now: datetime) -> str:
    """A moment as its distance from now; a window as that and its length."""
    if isinstance(argument, datetime):
        return repr(now - argument)
    if isinstance(argument, Filters):
        return f"{_moving(argument.window, now)} {argument.zone} {argument.chosen()}"
    return repr(argument)


def _moving(window: TimeWindow, now: datetime) -> str:
    """The range up to now, and the one before it, move with the clock; chosen days do not."""
    if window.end == now:
        return f"up to now {window.length!r}"
    return f"before {window.length!r}" if window.end + window.length == now else repr(window)

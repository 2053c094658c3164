"""What this process remembers: the last good answer of each view, and which database is away.

It is the process's own, and in no cache of Streamlit's, which a browser can ask to be emptied.
"""

import pickle
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any, Generic, TypeVar
from uuid import uuid4

from tracelib import errors
from tracelib.database_url import DatabaseAddress

T = TypeVar("T")
# What good answers may weigh together, as they would be written to a file.
KEPT_BYTES = 128_000_000
# After a failed connection nobody waits for the next one for so long.
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


@dataclass(frozen=True, slots=True)
class Kept:
    """A good answer: of which tick, how heavy, and whether it may be told again at that tick."""

    answer: Answer[Any]
    now: datetime
    size: int
    is_current: bool = True


@dataclass
class Memory:
    """Good answers by their view, the one least lately given first; which databases are away.

    `age` counts how often all were told to be asked anew.
    """

    kept: OrderedDict[str, Kept] = field(default_factory=OrderedDict)
    size: int = 0
    age: int = 0
    away: dict[DatabaseAddress, tuple[errors.TraceError, float]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


def rewritten(answer: Answer[T], change: Callable[[T], T]) -> Answer[T]:
    """The same answer with its value changed; another one for whatever is drawn of it."""
    if answer.value is None:
        return answer
    return replace(answer, value=change(answer.value), key=uuid4().hex)


def known(memory: Memory, view: str, now: datetime) -> Answer[Any] | None:
    """What was somebody told at this tick?"""
    with memory.lock:
        one = memory.kept.get(view)
    return one.answer if one and one.is_current and one.now == now else None


def keep(memory: Memory, view: str, now: datetime, answer: Answer[Any], age: int) -> None:
    """Remember a good answer; `age` is the memory's of when it was asked for.

    One of an earlier tick never takes the place of a later one; one that was asked for before all
    were told to be asked anew is good for when the database is away, and no more.
    """
    size = len(view) + len(pickle.dumps(answer.value))
    with memory.lock:
        before = memory.kept.get(view)
        if before and before.now > now:
            return
        memory.size += size - (before.size if before else 0)
        memory.kept[view] = Kept(answer, now, size, is_current=age == memory.age)
        memory.kept.move_to_end(view)
        while memory.size > KEPT_BYTES and len(memory.kept) > 1:
            memory.size -= memory.kept.popitem(last=False)[1].size


def stale(memory: Memory, view: str, error: errors.TraceError) -> Answer[Any] | None:
    """What was the last good answer, to stand in while nothing better is to be had?"""
    with memory.lock:
        one = memory.kept.get(view)
    return replace(one.answer, error=error, is_stale=True) if one else None


def start_anew(memory: Memory) -> None:
    """Let every question be asked anew; the last good answers stay."""
    with memory.lock:
        memory.age += 1
        memory.away.clear()
        for view, one in memory.kept.items():
            memory.kept[view] = replace(one, is_current=False)


def away(memory: Memory, address: DatabaseAddress) -> errors.TraceError | None:
    """Why is this database not asked at the moment?"""
    error, until = memory.away.get(address, (None, 0.0))
    return error if time.monotonic() < until else None


def note_away(memory: Memory, address: DatabaseAddress, error: errors.TraceError) -> None:
    """This database did not answer: let nobody wait for it for some seconds."""
    memory.away[address] = (error, time.monotonic() + BREATHER_S)

"""The threads that run queries, and whose query comes next."""

import os
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from threading import Condition, Thread, get_native_id
from time import monotonic
from typing import Any

from tracelib import events

# After so long, what someone has used counts half.
HALF_LIFE_S = 60.0
# Who has used more than this lately leaves a thread to the others.
MUCH_S = 10.0
FORGOTTEN_S = 0.01
# How much a thread that runs queries gives way to those that draw pages, as `nice` counts.
NICENESS = 10


@dataclass(frozen=True, slots=True)
class Who:
    """For whom a query runs: a person or a tab of a browser, or a program, by its token's name."""

    name: str = ""
    is_program: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be run, and its place in the order of all."""

    number: int
    run: Callable[..., None]
    arguments: tuple[Any, ...]


@dataclass(eq=False, slots=True)
class Share:
    """What one person or program has waiting and running, and has used."""

    who: Who
    waiting: deque[Task] = field(default_factory=deque)
    running: list[float] = field(default_factory=list)
    _used_s: float = 0.0
    _at: float = field(default_factory=monotonic)

    @property
    def used_s(self) -> float:
        """How many seconds of threads were used lately, with those of what runs?"""
        now = monotonic()
        return self._faded(now) + sum(now - began for began in self.running)

    def end(self, began: float) -> None:
        """Count what has run since then."""
        now = monotonic()
        self.running.remove(began)
        self._used_s, self._at = self._faded(now) + now - began, now

    def _faded(self, now: float) -> float:
        left: float = 0.5 ** ((now - self._at) / HALF_LIFE_S)
        return self._used_s * left


class Workers:
    """So many threads for pages. Next comes who has used the least of them lately.

    Programs leave one thread to pages: of one alone, they have another one of their own. The
    threads end with the process, whatever they wait for; an executor of Python's would let it end
    only once the last statement has.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._of_programs = max(size - 1, 1)
        self._shares: dict[Who, Share] = {}
        self._changed = Condition()
        self._numbers = count()
        for number in range(threads(size)):
            Thread(target=self._work, name=f"query {number}", daemon=True).start()

    def submit(self, who: Who, run: Callable[..., None], *arguments: Any) -> None:
        """Run this when it is the turn of these."""
        with self._changed:
            share = self._shares.setdefault(who, Share(who))
            share.waiting.append(Task(next(self._numbers), run, arguments))
            self._changed.notify()

    def _work(self) -> None:
        _give_way()
        while True:
            share, began, task = self._next()
            try:
                task.run(*task.arguments)
            except Exception as fault:
                events.exception("query_fault", fault)
            finally:
                self._end(share, began)

    def _next(self) -> tuple[Share, float, Task]:
        with self._changed:
            while not (ready := [one for one in self._shares.values() if self._may_run(one)]):
                self._changed.wait()
            share = min(ready, key=lambda one: (round(one.used_s), one.waiting[0].number))
            began = monotonic()
            share.running.append(began)
            return share, began, share.waiting.popleft()

    def _may_run(self, share: Share) -> bool:
        if not share.waiting:
            return False
        if share.used_s > MUCH_S and len(share.running) >= max(self._size - 1, 1):
            return False
        alike = (one for one in self._shares.values() if one.who.is_program == share.who.is_program)
        most = self._of_programs if share.who.is_program else self._size
        return sum(len(one.running) for one in alike) < most

    def _end(self, share: Share, began: float) -> None:
        with self._changed:
            share.end(began)
            self._shares = {
                who: one
                for who, one in self._shares.items()
                if one.waiting or one.running or one.used_s > FORGOTTEN_S
            }
            self._changed.notify_all()


def _give_way() -> None:
    """Let the threads that draw pages go first. Linux has priorities of threads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, get_native_id(), NICENESS)


def threads(size: int) -> int:
    """How many queries run at once, of pages and programs, over a pool of this size?"""
    return max(size, 2)

"""Whose query comes next: fair among people, and pages before programs."""

import os
import sys
import time
from threading import Event, Lock, get_native_id
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelib.querying import workers as module
from tracelib.querying.workers import Who, Workers

ADA, BO = Who("ada"), Who("bo")
PROGRAM = Who("report", is_program=True)


class Tasks:
    """Tasks that run until they are let go, and the order in which they began."""

    def __init__(self, size: int) -> None:
        self.workers = Workers(size)
        self.begun: list[str] = []
        self.running: dict[str, Event] = {}
        self._lock = Lock()

    def submit(self, who: Who, *names: str) -> None:
        for name in names:
            self.workers.submit(who, self._run, name)

    def _run(self, name: str) -> None:
        with self._lock:
            self.begun.append(name)
            may_end = self.running[name] = Event()
        may_end.wait(20)
        with self._lock:
            del self.running[name]

    def let_go(self, *names: str) -> None:
        for name in names:
            self.await_begun(name)
            self.running[name].set()

    def await_begun(self, *names: str) -> None:
        until = time.monotonic() + 5
        while not {*names} <= {*self.begun}:
            assert time.monotonic() < until, (names, self.begun)
            time.sleep(0.001)

    def settled(self) -> list[str]:
        """What has begun, once nothing more begins."""
        time.sleep(0.05)
        return [*self.begun]


def used(tasks: Tasks, who: Who, seconds: float) -> None:
    """As if they had used so much."""
    tasks.workers._shares.setdefault(who, module.Share(who))._used_s = seconds


def test_who_has_used_less_comes_first():
    tasks = Tasks(1)
    used(tasks, ADA, 5)
    tasks.submit(ADA, "a1", "a2", "a3")
    tasks.await_begun("a1")
    tasks.submit(BO, "b1", "b2")
    tasks.let_go("a1", "b1", "b2", "a2", "a3")
    assert tasks.begun == ["a1", "b1", "b2", "a2", "a3"]


def test_those_who_have_used_as_much_come_in_order():
    tasks = Tasks(1)
    tasks.submit(ADA, "first")
    tasks.await_begun("first")
    tasks.submit(ADA, "a1")
    tasks.submit(BO, "b1")
    tasks.submit(ADA, "a2")
    tasks.let_go("first", "a1", "b1", "a2")
    assert tasks.begun == ["first", "a1", "b1", "a2"]


def later(seconds: float):
    return patch.object(module, "monotonic", lambda: time.monotonic() + seconds)


def test_what_runs_counts_as_used_and_half_of_it_a_minute_later():
    tasks = Tasks(1)
    tasks.submit(ADA, "long")
    tasks.await_begun("long")
    share = tasks.workers._shares[ADA]
    with later(20):
        assert 20 <= share.used_s < 22
        tasks.let_go("long")
        while share.running:
            time.sleep(0.001)
        assert 19 < share.used_s < 22
    with later(20 + module.HALF_LIFE_S):
        assert 9 < share.used_s < 11


def test_who_uses_much_leaves_a_thread_to_others():
    tasks = Tasks(3)
    used(tasks, ADA, module.MUCH_S + 5)
    tasks.submit(ADA, "a1", "a2", "a3")
    assert tasks.settled() == ["a1", "a2"]
    tasks.submit(BO, "b1")
    tasks.await_begun("b1")
    tasks.let_go("a1", "a3", "a2", "b1")


def test_who_uses_little_has_all_threads():
    tasks = Tasks(3)
    tasks.submit(ADA, "a1", "a2", "a3")
    tasks.await_begun("a1", "a2", "a3")
    tasks.let_go("a1", "a2", "a3")


@pytest.mark.parametrize(("size", "of_programs"), [(1, 1), (2, 1), (4, 3)])
def test_programs_leave_a_thread_to_pages(size, of_programs):
    tasks = Tasks(size)
    programs = [f"p{number}" for number in range(4)]
    for name in programs:
        tasks.submit(Who(name, is_program=True), name)
    assert tasks.settled() == programs[:of_programs]
    tasks.submit(ADA, "page")
    tasks.await_begun("page")
    tasks.let_go("page", *programs)


def test_a_single_connection_serves_one_page_query_at_a_time():
    tasks = Tasks(1)
    tasks.submit(ADA, "a1")
    tasks.submit(BO, "b1")
    assert tasks.settled() == ["a1"]
    tasks.let_go("a1", "b1")


def test_a_task_that_fails_leaves_the_thread_to_the_next():
    tasks = Tasks(1)
    tasks.workers.submit(ADA, lambda: 1 / 0)
    tasks.submit(ADA, "next")
    tasks.let_go("next")


def test_who_has_used_nothing_lately_is_forgotten(monkeypatch):
    monkeypatch.setattr(module, "FORGOTTEN_S", 2.0)
    tasks = Tasks(1)
    for number in range(100):
        tasks.workers.submit(Who(str(number)), lambda: None)
    used(tasks, ADA, 5)
    tasks.submit(BO, "b1")
    tasks.let_go("b1")
    tasks.submit(PROGRAM, "p1")
    tasks.let_go("p1")
    tasks.settled()
    assert {who.name for who in tasks.workers._shares} <= {"ada", "bo", "report"}


WHOS = st.builds(Who, st.sampled_from("abc"), st.booleans())


@settings(max_examples=50)
@given(st.integers(1, 4), st.lists(WHOS, max_size=40))
def test_every_task_runs_once(size, whos):
    workers, done, lock = Workers(size), [], Lock()
    all_done = Event()

    def run(number: int) -> None:
        with lock:
            done.append(number)
            if len(done) == len(whos):
                all_done.set()

    for number, who in enumerate(whos):
        workers.submit(who, run, number)
    assert not whos or all_done.wait(5)
    assert sorted(done) == [*range(len(whos))]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_queries_give_way_to_pages():
    found: list[int] = []
    done = Event()

    def look() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, get_native_id()))
        done.set()

    own = os.getpriority(os.PRIO_PROCESS, get_native_id())
    Workers(1).submit(ADA, look)
    assert done.wait(5)
    assert (found, os.getpriority(os.PRIO_PROCESS, get_native_id())) == ([module.NICENESS], own)

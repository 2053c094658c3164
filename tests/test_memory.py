"""Memory that no one needs any more is given back to the system."""

import subprocess
import sys
import time
from datetime import UTC, datetime
from threading import Event

import pytest

from tracelib.querying import memory, store
from tracelib.querying.store import Result, Store

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def filled(*keys: str, is_heavy: bool = False) -> Store:
    made = Store()
    for key in keys:
        run, _ = made.result_or_run(key, NOON, NOON)
        made.start(run, lambda: None)
        made.finish(run, Result(key, None, NOON, 0.0), 100, is_heavy)
        made.stop_waiting(run)
    return made


def sizes(made: Store) -> tuple[int, int]:
    return made.figures.size, made.heavy.size


@pytest.mark.parametrize("is_heavy", [False, True])
def test_results_that_no_one_looks_at_are_dropped(is_heavy, monkeypatch):
    made = filled("a", "b", "c", is_heavy=is_heavy)
    now = time.monotonic()
    monkeypatch.setattr(store.time, "monotonic", lambda: now + 500)
    assert made.result_or_run("b", NOON, NOON)[0].value == "b"
    monkeypatch.setattr(store.time, "monotonic", lambda: now + 601)
    assert (made.drop_unused(600), sum(sizes(made))) == (2, 100)
    assert made.result_or_run("b", NOON, NOON)[0].value == "b"
    assert made.drop_unused(600) == 0


def test_the_last_good_result_that_stands_in_during_an_outage_counts_as_looked_at(monkeypatch):
    made = filled("a", "b")
    now = time.monotonic()
    monkeypatch.setattr(store.time, "monotonic", lambda: now + 500)
    assert made.last_good("a").value == "a"
    monkeypatch.setattr(store.time, "monotonic", lambda: now + 700)
    assert (made.drop_unused(600), sizes(made)) == (1, (100, 0))
    assert made.last_good("a").value == "a"


def test_an_empty_store_has_nothing_to_drop():
    assert Store().drop_unused(0) == 0


def test_unused_results_are_dropped_again_and_again_and_memory_is_given_back(monkeypatch):
    swept, given_back, enough = [], [], Event()
    monkeypatch.setattr(memory, "SWEPT_EVERY_S", 0.01)
    monkeypatch.setattr(memory, "give_back", lambda: given_back.append(len(swept)))

    def drop(seconds: float) -> int:
        if len(swept) == 4:
            enough.set()
            Event().wait()
        swept.append(seconds)
        return len(swept) % 2

    memory.sweep(drop)
    assert enough.wait(5)
    assert (swept, given_back) == ([memory.UNUSED_S] * 4, [1, 3])


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be asked to")
def test_free_memory_goes_back_to_the_system():
    code = """
import psutil
from tracelib.querying.memory import give_back
def rss(): return psutil.Process().memory_info().rss / 1e6
before = rss()
made = [bytes(2_000) for _ in range(100_000)]
top = bytes(2_000)
del made
kept = rss() - before
give_back()
print(kept, rss() - before)
"""
    kept, left = map(float, subprocess.check_output([sys.executable, "-c", code]).split())
    assert kept > 100 > 30 > left

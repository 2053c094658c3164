"""What a process has once is made once, however many threads come first."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tracelib.querying.once import MadeOnce


def test_threads_that_come_first_at_the_same_time_get_the_same():
    made, together = [], Barrier(4)

    def make(name: str) -> object:
        made.append(name)
        time.sleep(0.05)
        return object()

    pool = MadeOnce(make)

    def get(name: str) -> object:
        together.wait()
        return pool(name)

    with ThreadPoolExecutor(4) as threads:
        got = [*threads.map(get, ["a", "b", "a", "b"])]
    assert sorted(made) == ["a", "b"]
    assert (got[0], got[1]) == (got[2], got[3])
    assert got[0] is not got[1]


def test_only_the_latest_are_held():
    pool = MadeOnce(lambda name: [name], most=2)
    first = pool("a")
    assert pool("a") is first
    pool("b"), pool("c")
    assert pool("a") is not first
    pool.cache_clear()
    assert pool("c") == ["c"]

"""How long does What changed take, on a replica of 60 days?

`python -m benchmarks.changes [--rows N]` writes rows straight into a replica and prints for each
query of the part on Overview, of 7 and of 30 days against as many before, the least of three tries
in seconds, and the load of the machine; `part` is what the page asks at once, in parallel.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.replica_rows import Size
from benchmarks.replica_straight import straight
from tracelib import changes
from tracelib.changes import MEASURES
from tracelib.filters import Filters
from tracelib.permissions.access import FULL
from tracelib.querying.replication import READING_THREADS
from tracelib.replica.files import Files
from tracelib.replica.reader import Replica, replica_of
from tracelib.replica.settings import ReplicaSettings
from tracelib.window import TimeWindow

DAYS, TRIES, LONGEST_S, BAR_S = 60, 3, 120, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracelib-benchmark-") as folder:
        settings = ReplicaSettings(Path(folder) / "replica")
        end = datetime.fromtimestamp(straight(settings, Size(asked.rows, DAYS)), UTC)
        files = Files(settings, READING_THREADS)
        try:
            replica = replica_of(files, FULL, LONGEST_S)
            assert replica is not None, files.sentence
            for days in (7, 30):
                _measure(replica, days, Filters(TimeWindow(end - timedelta(days=days), end)))
        finally:
            files.close()
    print(f"bar: a part of 30 days within {BAR_S} s")


def _measure(replica: Replica, days: int, filters: Filters) -> None:
    _time(f"{days} days, comparison", lambda: changes.comparison(replica, filters))
    for measure in MEASURES:
        _time(
            f"{days} days, sessions by {measure}",
            lambda m=measure: changes.changed_sessions(replica, filters, m),
        )
    _time(f"{days} days, first seen (late)", lambda: changes.first_seen(replica, filters))

    def part() -> None:
        with ThreadPoolExecutor(2) as pool:
            compared = pool.submit(changes.comparison, replica, filters)
            sessions = pool.submit(changes.changed_sessions, replica, filters, "cost_usd")
            changes.splits(MEASURES["cost_usd"], compared.result(), sessions.result())

    _time(f"{days} days, part", part)


def _time(name: str, run: Callable[[], object]) -> None:
    tries = []
    for _ in range(TRIES):
        started = time.perf_counter()
        run()
        tries.append(time.perf_counter() - started)
    load = os.getloadavg()[0]
    print(f"{name:40}{min(tries):8.3f} s   load {load:.1f}", flush=True)


if __name__ == "__main__":
    main()

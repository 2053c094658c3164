"""How long do the checks of data quality take, on a replica and on PostgreSQL?

`python -m benchmarks.data_quality [--replica-rows N] [--rows N] [--wide N]` writes rows straight
into a replica, and a log of its own into an embedded PostgreSQL, and prints for each query of the
part on Status the least of three tries, in seconds, and the load of the machine.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.replica_rows import Size, filled
from benchmarks.replica_straight import straight
from tracelib import quality, status
from tracelib.database_url import read_address
from tracelib.filters import Filters
from tracelib.permissions.access import FULL
from tracelib.querying.replication import READING_THREADS
from tracelib.replica.files import Files
from tracelib.replica.reader import replica_of
from tracelib.replica.settings import ReplicaSettings
from tracelib.settings import Settings
from tracelib.source import Postgres, connect
from tracelib.window import TimeWindow

DAYS, TRIES, LONGEST_S = 30, 3, 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replica-rows", type=int, default=10_000_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--wide", type=int, default=50_000, help="so many rows of 11 kB")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracelib-benchmark-") as folder:
        if asked.replica_rows:
            _on_replica(Path(folder) / "replica", Size(asked.replica_rows, DAYS))
        if asked.rows:
            _on_log(Path(folder) / "log", Size(asked.rows, DAYS, asked.wide))


def _on_replica(folder: Path, size: Size) -> None:
    settings = ReplicaSettings(folder)
    end = straight(settings, size)
    files = Files(settings, READING_THREADS)
    try:
        replica = replica_of(files, FULL, LONGEST_S)
        assert replica is not None, files.sentence
        for days in (7, DAYS):
            filters = _window(end, days)
            _time(f"replica, {days} days, counts", lambda f=filters: quality.counts(replica, f))
    finally:
        files.close()


def _on_log(folder: Path, size: Size) -> None:
    folder.mkdir()
    log = filled(folder, size)
    source = connect(Settings(statement_timeout_s=LONGEST_S), read_address(log.url))
    end = datetime.fromtimestamp(log.end, UTC)
    for days in (7, DAYS):
        for name, ask in _queries(source, _window(log.end, days), end).items():
            _time(f"PostgreSQL, {days} days, {name}", ask)
    source.engine.dispose()


def _queries(source: Postgres, filters: Filters, now: datetime) -> dict[str, Callable[[], object]]:
    return {
        "counts": lambda: quality.counts(source, filters),
        "by index": lambda: quality.odd(source, filters, now),
        "newest": lambda: quality.sampled(source, filters),
        "retention": lambda: status.retention(source, now),
    }


def _window(end: float, days: int) -> Filters:
    last = datetime.fromtimestamp(end, UTC)
    return Filters(TimeWindow(last - timedelta(days=days), last))


def _time(name: str, run: Callable[[], object]) -> None:
    tries = []
    for _ in range(TRIES):
        started = time.perf_counter()
        run()
        tries.append(time.perf_counter() - started)
    load = os.getloadavg()[0]
    print(f"{name:36}{min(tries):8.3f} s   load {load:.1f}", flush=True)


if __name__ == "__main__":
    main()

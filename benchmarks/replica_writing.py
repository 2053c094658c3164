"""The writer of the replica at work, measured in a process of its own; see `benchmarks.replica`.

`python -m benchmarks.replica_writing SETTINGS`, which `benchmarks.replica` starts, prints what was
measured as JSON. The writer runs as in the app, but reads history at full speed (a duty of 1), and
its clock starts at the end of the log, however long that took to make.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Row, Select

from benchmarks.replica_rows import DAY_S, add
from tracelib.database_url import read_address
from tracelib.querying.replication import CONNECTIONS
from tracelib.replica import manifest as manifests
from tracelib.replica.folder import Folder
from tracelib.replica.layout import hour_at
from tracelib.replica.manifest import Manifest
from tracelib.replica.settings import ReplicaSettings
from tracelib.replica.writer import Writer
from tracelib.settings import Settings
from tracelib.source import Postgres, connect
from tracelib.window import HOUR_S

NEW_ROWS, TICKS = 1_000, 5


@dataclass(frozen=True)
class Timed(Postgres):
    """LiteLLM's database; `spent` are the seconds of each statement, until its rows are there."""

    spent: list[float] = field(default_factory=list)

    def rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        with self._timing():
            return super().rows(statement)

    def row(self, statement: Select[Any]) -> Row[Any]:
        with self._timing():
            return super().row(statement)

    def copy(self, statement: Select[Any], into: Any) -> int:
        with self._timing():
            return super().copy(statement, into)

    @contextmanager
    def _timing(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spent.append(time.perf_counter() - started)


@dataclass(frozen=True)
class Held:
    """How much was held so many seconds after the start: all from this hour on, None for all."""

    seconds: float
    rows: int
    complete_from: int | None

    def reaches(self, moment: float) -> bool:
        """Is everything since that moment held?"""
        return self.complete_from is None or self.complete_from <= hour_at(moment)

    def is_within(self, moment: float) -> bool:
        """Is nothing held of the hours that start before that moment?"""
        return self.complete_from is not None and self.complete_from * HOUR_S >= moment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", type=json.loads)
    given = parser.parse_args().settings
    settings = ReplicaSettings(
        Path(given["folder"]), duty=1.0, **({"memory_mb": m} if (m := given["memory_mb"]) else {})
    )
    print(json.dumps(written(given["url"], settings, given["end"], given["wide_from"])))


def written(url: str, settings: ReplicaSettings, end: float, wide_from: float) -> dict[str, Any]:
    """Fill a replica and let some ticks come: what did it take?"""
    began = time.time()
    clock = lambda: end + time.time() - began  # noqa: E731
    plain = connect(Settings(pool_size=CONNECTIONS), read_address(url))
    source = Timed(plain.engine, plain.schema, plain.statement_timeout_s)
    writer = Writer(lambda: source, Folder(settings), clock)
    try:
        filling = _filled(writer, settings.folder)
        figures = _of_filling(filling, end, wide_from)
        figures |= {"fill_host_s": round(sum(source.spent), 2)}
        made = _manifest(settings.folder)
        figures |= {"bytes_per_row": round(made.bytes / made.rows, 1), "held_rows": made.rows}
        figures |= _of_ticks([_tick(writer, source, url, clock, settings) for _ in range(TICKS)])
    finally:
        writer.close()
        source.engine.dispose()
    return figures | {"rss_mb": round(peak_mb()), "duty": settings.duty}


def _filled(writer: Writer, folder: Path) -> list[Held]:
    """What was held after each step, until all is."""
    started, held = time.perf_counter(), []
    while True:
        wait_s = _step(writer)
        seconds = time.perf_counter() - started
        if (made := manifests.read(folder)) is not None:
            held.append(Held(seconds, made.rows, made.complete_from))
            if made.complete_from is None and made.names_file:
                return held
        time.sleep(wait_s)


def _of_filling(held: Sequence[Held], end: float, wide_from: float) -> dict[str, Any]:
    day = next(one for one in held if one.reaches(end - DAY_S))
    wide = [one for one in held if one.is_within(wide_from)] or held
    return {
        "newest_day_s": round(day.seconds, 2),
        "newest_day_rows": day.rows,
        "fill_rows_per_s": round(wide[-1].rows / wide[-1].seconds),
        "fill_rows": wide[-1].rows,
        "fill_rows_per_s_overall": round(held[-1].rows / held[-1].seconds),
        "fill_s": round(held[-1].seconds, 1),
        "first_figures_s": round(held[0].seconds, 2),
    }


def _tick(
    writer: Writer, source: Timed, url: str, clock: Callable[[], float], settings: ReplicaSettings
) -> tuple[float, float]:
    """The time at the host, and all the time, of a tick after new rows."""
    before = _manifest(settings.folder)
    add(url, NEW_ROWS, clock())
    while True:
        source.spent.clear()
        started = time.perf_counter()
        wait_s = _step(writer)
        took_s = time.perf_counter() - started
        after = _manifest(settings.folder)
        if after.as_of != before.as_of:
            assert after.rows == before.rows + NEW_ROWS, (before.rows, after.rows)
            return sum(source.spent), took_s
        time.sleep(wait_s)


def _of_ticks(ticks: Sequence[tuple[float, float]]) -> dict[str, Any]:
    host_s, whole_s = zip(*ticks, strict=True)
    return {
        "tick_s": round(median(host_s), 3),
        "tick_whole_s": round(median(whole_s), 3),
        "ticks_s": [round(one, 3) for one in host_s],
    }


def _step(writer: Writer) -> float:
    wait_s = writer.step()
    if writer.sentence:
        raise SystemExit(writer.sentence)
    return wait_s


def _manifest(folder: Path) -> Manifest:
    made = manifests.read(folder)
    assert made is not None
    return made


def peak_mb() -> float:
    """The most memory this process has held so far. Linux says it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()

"""How quick are pages on the replica, and how fast does it follow the log?

`python -m benchmarks.replica --rows N --json FILE [--days 30] [--wide N] [--folder FOLDER]` fills a
database of its own (an embedded PostgreSQL with LiteLLM's table, its indexes, and 1 GB of shared
buffers), of whose rows the newest, 200,000 unless said, have LiteLLM's own 11 kB of metadata. Then
the writer of the replica works on it in a process of its own, reading history at full speed:

    newest_day_s       from its start until the newest 24 hours are held
    fill_rows_per_s    of the rows with wide metadata; `fill_rows_per_s_overall` of all
    tick_s             of statements at the host, in a tick after 1,000 new rows: the median
    bytes_per_row      of all files but that of names
    rss_mb             the most memory that the process held

After that each question of each page is asked of the replica (the least of three tries) and of
PostgreSQL (one try, stopped after two minutes), and LiteLLM's own statements for the same figures
are run. A whole page is its questions at once, on as many threads as the app has. With --folder the
database stays there and is used again by the next run; it takes about 1 kB of disk per row.

With --straight the rows are written into the replica itself, and only the replica is asked.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.replica_questions import (
    ENDPOINTS,
    Answered,
    Question,
    apart,
    as_litellm,
    of_pages,
)
from benchmarks.replica_rows import DAY_S, Log, Size, filled
from benchmarks.replica_straight import straight
from benchmarks.replica_table import BARS, PAGE, STRAIGHT_BARS, show, text
from benchmarks.replica_writing import peak_mb
from tracelib import errors
from tracelib.database_url import read_address
from tracelib.permissions.access import FULL
from tracelib.querying.replication import READING_THREADS
from tracelib.replica import manifest as manifests
from tracelib.replica.files import Files
from tracelib.replica.reader import Replica, replica_of
from tracelib.replica.settings import ReplicaSettings
from tracelib.settings import Settings
from tracelib.source import NotHeld, Postgres, Source, connect
from tracelib.window import HOUR_S

ROOT = Path(__file__).parent.parent
TRIES, LONGEST_S = 3, 120


def main() -> None:
    asked = _parser().parse_args()
    size = Size(asked.rows, asked.days, 0 if asked.straight else min(asked.wide, asked.rows))
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="tracelib-benchmark-") as temporary:
        folder = (asked.folder or Path(temporary)).resolve()
        memory = {"memory_mb": asked.memory_mb} if asked.memory_mb else {}
        settings = ReplicaSettings(folder / "replica", **memory)
        measured = (
            _straight(settings, size) if asked.straight else _with_log(settings, size, folder)
        )
    figures, answered = measured
    figures = {"rows": size.rows, "days": size.days, "wide_rows": size.wide, **figures}
    loads = {"load_before": round(before, 1), "load_after": round(os.getloadavg()[0], 1)}
    figures |= {"cores": os.cpu_count(), **loads}
    show(figures, answered, STRAIGHT_BARS if asked.straight else BARS)
    if asked.json:
        written = figures | {"questions": [one.as_json() for one in answered]}
        asked.json.write_text(json.dumps(written, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--wide", type=int, default=200_000, help="so many rows of 11 kB")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--folder", type=Path, help="keep the database and the replica here")
    parser.add_argument("--memory-mb", type=int, help="of the replica; unless said, the app's")
    parser.add_argument("--straight", action="store_true", help="without PostgreSQL")
    return parser


def _straight(settings: ReplicaSettings, size: Size) -> tuple[dict[str, Any], list[Answered]]:
    """Only the replica, of rows that come from no log."""
    started = time.perf_counter()
    end = straight(settings, size)
    made = manifests.read(settings.folder)
    assert made is not None
    _say(f"{made.rows:,} rows were written in {time.perf_counter() - started:.0f} s")
    answered = _on_replica(settings, end, [*_ranges(size.days, STRAIGHT_BARS)])
    figures = dict.fromkeys(("fill_rows_per_s", "newest_day_s", "tick_s", "rss_mb"))
    figures |= {"bytes_per_row": round(made.bytes / made.rows, 1), "rss_reading_mb": _rss()}
    return figures, answered


def _with_log(
    settings: ReplicaSettings, size: Size, folder: Path
) -> tuple[dict[str, Any], list[Answered]]:
    """A log, its replica, and both asked."""
    started = time.perf_counter()
    log = filled(folder, size)
    _say(f"the log was filled in {time.perf_counter() - started:.0f} s")
    figures = _writing(settings, size, log)
    _say(f"the replica: {figures}")
    ranges = [*_ranges(size.days, BARS)]
    answered = _on_replica(settings, log.end, ranges)
    figures["rss_reading_mb"] = _rss()
    source = connect(Settings(statement_timeout_s=LONGEST_S), read_address(log.url))
    own, figures["litellm"] = _litellm_times(log, ranges)
    answered = [_directly(one, source, own) for one in answered]
    source.engine.dispose()
    return figures, answered


def _ranges(days: int, bars: dict[int, Any]) -> Iterator[int]:
    yield from sorted({one for one in bars if one <= days} | {days})


def _writing(settings: ReplicaSettings, size: Size, log: Log) -> dict[str, Any]:
    """Fill the replica in a process of its own."""
    shutil.rmtree(settings.folder, ignore_errors=True)
    first = log.end - size.days * DAY_S * size.wide / size.rows
    given = {
        "url": log.url,
        "end": log.end,
        "folder": str(settings.folder),
        "wide_from": -(-first // HOUR_S) * HOUR_S,
        "memory_mb": settings.memory_mb,
    }
    command = [sys.executable, "-m", "benchmarks.replica_writing", json.dumps(given)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _on_replica(settings: ReplicaSettings, end: float, ranges: Sequence[int]) -> list[Answered]:
    """All questions, asked of the replica."""
    files = Files(settings, READING_THREADS)
    try:
        replica = replica_of(files, FULL, LONGEST_S)
        assert replica is not None, files.sentence
        return [one for days in ranges for one in _asked(replica, _moment(end), days)]
    finally:
        files.close()


def _asked(replica: Replica, end: datetime, days: int) -> Iterator[Answered]:
    pages = of_pages(end, days)
    for one in [*(one for page in pages.values() for one in page), *apart(end, days)]:
        yield Answered(one, _least(lambda one=one: one.ask(replica)))
    for page, questions in pages.items():
        together = Question(page, PAGE, days, _together, (questions,))
        yield Answered(together, _least(lambda one=together: one.ask(replica)))
    _say(f"the replica was asked about {days} days")


def _together(source: Source, questions: Sequence[Question]) -> None:
    """Ask all of them as a page does, those that wait for others last."""
    with ThreadPoolExecutor(Settings().pool_size) as pool:
        for waits in (False, True):
            part = [one for one in questions if one.waits == waits]
            list(pool.map(lambda one: one.ask(source), part))


def _directly(answered: Answered, source: Postgres, litellm: dict[Any, float | None]) -> Answered:
    question = answered.question
    own = litellm.get((question.litellm, question.days))
    if question.on_replica_only:
        return answered
    direct_s = _seconds(lambda: question.ask(source))
    _say(f"{question.page}, {question.name}, {question.days} days: {text(direct_s)} directly")
    return replace(answered, direct_s=direct_s, litellm_s=own)


def _litellm_times(
    log: Log, ranges: Sequence[int]
) -> tuple[dict[Any, float | None], list[dict[str, Any]]]:
    """How long do LiteLLM's statements take? By endpoint and days, and as a list for the file."""
    options = {"options": f"-c statement_timeout={LONGEST_S * 1000}"}
    engine = sa.create_engine(log.url, isolation_level="AUTOCOMMIT", connect_args=options)
    found: dict[Any, float | None] = {}
    with engine.connect() as connection:
        for endpoint in ENDPOINTS:
            for days in ranges:
                run = (connection, endpoint, _moment(log.end), days)
                found[endpoint, days] = _seconds(lambda run=run: as_litellm(*run))
    engine.dispose()
    _say("LiteLLM's statements were run")
    listed = [
        {"endpoint": endpoint, "days": days, "seconds": seconds}
        for (endpoint, days), seconds in found.items()
    ]
    return found, listed


def _least(run: Callable[[], object]) -> float | None:
    tries = [_seconds(run) for _ in range(TRIES)]
    return min((one for one in tries if one is not None), default=None)


def _seconds(run: Callable[[], object]) -> float | None:
    """How long does this take? None if it was stopped, or cannot be answered here."""
    started = time.perf_counter()
    try:
        run()
    except (errors.TraceError, NotHeld, sa.exc.OperationalError) as error:
        _say(f"no answer: {error}")
        return None
    return round(time.perf_counter() - started, 4)


def _moment(end: float) -> datetime:
    return datetime.fromtimestamp(end, UTC)


def _rss() -> int:
    return round(peak_mb())


def _say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

"""A replica that a test keeps by hand: its clock, its rows, and processes that write it."""

import multiprocessing
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from threading import Event

import duckdb

from tests import litellm, rows
from tests.replicas import storage_at
from tracelib.database_url import read_address
from tracelib.replica import layout, manifest
from tracelib.replica.folder import Folder
from tracelib.replica.manifest import Manifest
from tracelib.replica.settings import ReplicaSettings
from tracelib.replica.writer import Writer
from tracelib.settings import Settings
from tracelib.source import Postgres, connect
from tracelib.spendlogs import copying, replicated
from tracelib.spendlogs.replicated import COLUMNS, COPIED, NAMES

NOW = rows.NOON.timestamp() + 1_800
"""Half past twelve on the day of the made up rows."""

HOUR = timedelta(hours=1)
LOG = litellm.SPEND_LOGS
OLD = f"\"startTime\" < '{rows.NOON - 60 * HOUR:%Y-%m-%d %H:%M}'"
CHANGES = {
    "updated": f"UPDATE {LOG} SET spend = 3 WHERE {OLD}",
    "updated in metadata": f"""
        UPDATE {LOG} SET metadata = metadata || '{{"user_api_key_alias": "z"}}' WHERE {OLD}""",
    "deleted": f"DELETE FROM {LOG} WHERE {OLD}",
    "moved": f'UPDATE {LOG} SET "startTime" = "startTime" + interval \'9 hours\' WHERE {OLD}',
    "replaced": f"UPDATE {LOG} SET request_id = request_id || 'x', session_id = NULL WHERE {OLD}",
    "all deleted": f"DELETE FROM {LOG}",
}
"""What may happen to rows of three days ago."""


def spread(count: int, hours: float, **changes: object) -> list[dict]:
    """Rows of the last so many hours before noon, evenly."""
    return [
        rows.spend_log(startTime=rows.NOON - HOUR * hours * number / count, **changes)
        for number in range(count)
    ]


def happen(logs, chance: random.Random, now: float) -> None:
    """What happens to a log in an hour: new rows, late ones, updates and deletes."""
    moment = datetime.fromtimestamp(now, rows.NOON.tzinfo)
    ages = [chance.expovariate(1 / 300) for _ in range(20)] + [chance.uniform(0, 3e5)]
    logs.insert(rows.spend_log(startTime=moment - timedelta(seconds=age)) for age in ages)
    some = f"abs(hashtext(request_id)) % 50 = {chance.randrange(50)}"
    logs.execute(
        f"UPDATE {LOG} SET spend = spend + 1, metadata = metadata || '{{\"a\": 1}}' WHERE {some}",
        f"DELETE FROM {LOG} WHERE abs(hashtext(request_id)) % 97 = {chance.randrange(97)}",
    )


@dataclass
class Clock:
    """The time that a writer reads."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


def writer_of(
    source: Postgres, folder: Path, clock: Callable[[], float] | None = None, **settings: object
) -> Writer:
    """A writer of this folder, half past twelve unless the test has a clock."""
    return Writer(lambda: source, Folder(ReplicaSettings(folder, **settings)), clock or Clock())


def in_step(writer: Writer, clock: Clock, most: int = 500) -> Manifest:
    """Let the writer work until it has nothing to do; what it holds then."""
    for _ in range(most):
        wait_s = writer.step()
        assert writer.sentence == ""
        clock.now += wait_s
        if wait_s > 5:
            return writer._opened.manifest
    raise AssertionError("The writer finds no end.")


def after_a_day(writer: Writer, clock: Clock) -> Manifest:
    """What the writer holds after a day, in which it has compared everything once."""
    clock.now += 90_000
    return in_step(writer, clock)


def held(folder: Path, of: Manifest | None = None) -> list[str]:
    """All rows of the replica as text, in order, once they are what the manifest says."""
    found = of or manifest.read(folder)
    assert found is not None
    return sorted(row for span in found.spans for row in _rows(folder, span))


def _rows(folder: Path, span: manifest.Span) -> list[str]:
    assert (folder / span.file).stat().st_size == span.bytes
    with duckdb.connect(str(folder / span.file), read_only=True) as database:
        listed = ", ".join(f'"{name}"' for name in COLUMNS)
        known = database.execute(f"SELECT {listed} FROM requests").fetchall()
    starts = [row[list(COLUMNS).index("start_order")] for row in known]
    hours = [(start - layout.EPOCH) // layout.HOUR for start in starts]
    numbers = [row[list(COLUMNS).index("session_number")] for row in known]
    order = [*zip(hours, numbers, strict=True)]
    assert order == sorted(order)
    assert {hour: hours.count(hour) for hour in hours} == {
        hour: one.rows for hour, one in span.hours.items()
    }
    assert len(known) == span.rows and all(layout.holds(span, hour) for hour in hours)
    return [_text(dict(zip(COLUMNS, row, strict=True))) for row in known]


def _text(row: dict) -> str:
    number = replicated.session_number(f"{row['session_id']}:{row['key'] or ''}")
    assert row["session_number"] == number
    return repr([row[name] for name in COPIED])


def in_log(source: Postgres, reads_bodies: bool = False) -> list[str]:
    """The same of all rows of the log."""
    found = source.rows(copying.to_copy(source.schema, None, None, reads_bodies))
    return sorted(repr([getattr(row, name) for name in COPIED]) for row in found)


def named(folder: Path) -> dict[tuple[str, str], tuple[str, str | None]]:
    """The names of the replica: name and searched text by dimension and ID."""
    found = manifest.read(folder)
    assert found is not None and found.names_file is not None
    with duckdb.connect(str(folder / found.names_file), read_only=True) as database:
        known = database.execute(f"SELECT {', '.join(NAMES)} FROM names").fetchall()
    return {(dimension, one): (name, searched) for dimension, one, name, searched in known}


def hour_of(moment: datetime) -> int:
    """The hour of an aware time, counted from 1970."""
    return layout.hour_at(moment.astimezone(UTC).timestamp())


def write(url: str, folder: str, now: "Synchronized[float]", to: str | None) -> None:
    """Write a replica until this process is killed; the clock is the parent's."""
    source = connect(Settings(), read_address(url))
    settings = ReplicaSettings(Path(folder), duty=1)
    storage = storage_at(to, Path(folder), duty=1) if to else Folder(settings)

    class Hasty(Event):
        def wait(self, timeout: float | None = None) -> bool:
            return super().wait(min(timeout or 0, 0.01))

    Writer(lambda: source, storage, lambda: now.value).run(Hasty())


@contextmanager
def writing(
    url: str, folder: Path, now: "Synchronized[float]", processes: int, to: str | None = None
) -> Iterator[Sequence[BaseProcess]]:
    """Processes that write the same replica, which are killed (SIGKILL) after the block.

    In this folder, or in the database `to`.
    """
    args = (url, str(folder), now, to)
    started = [CONTEXT.Process(target=write, args=args) for _ in range(processes)]
    try:
        for one in started:
            one.start()
        yield started
    finally:
        for one in started:
            one.kill()
            one.join()


def _context() -> ForkServerContext:
    """Processes are forked from one that has imported everything and done nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.replicating"])
    return context


CONTEXT = _context()

"""How long do the list of sessions and a session's page take on a million requests?

`python -m benchmarks.sessions [--json FILE] [--data FOLDER]` fills a database of its own (an
embedded PostgreSQL with 1 GB of shared buffers: 1,000,000 rows of the sample traffic, 100,000
of them in the time range), which takes some minutes; with --data it stays in that folder and
is used again. It measures

    a session of 20 requests      the time of all statements that opening its page asks, as
                                  the page asks them: at most 50 ms
    a session of 5,000 requests   the run of the page that shows its first screen: at most
                                  1 s; and the most memory that the process ever held: below
                                  300 MB
    the list                      all questions of the page side by side, in every order, at
                                  the first, the tenth and the hundredth page: at most 300 ms
    --messages 20000              a request with so many messages: the whole page over a websocket
                                  of a running server that has not read it before, at most 2 s
    --readers 10                  so many readers who open the session of 5,000 requests at once
                                  on a running server: the last of them at most 1.5 s

The pages run as in a browser, without one: `AppTest` runs the same script. The least of some
tries is quoted and judged, with the first beside it, when nothing was in PostgreSQL's memory.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from benchmarks.filling import LONG_SESSION, SHORT_SESSION, TABLE, add_long_request, grown
from benchmarks.session_list import TRIES, list_times, milliseconds
from benchmarks.viewers import served, viewed
from tracelib.database_url import read_address
from tracelib.settings import Settings
from tracelib.source import Postgres, connect

HOME = Path(__file__).parent.parent / "Home.py"


@dataclass(frozen=True)
class Figure:
    """What was measured: the least of the tries, the first of them, and what is allowed."""

    name: str
    unit: str
    least: float
    first: float
    bar: float
    beside: str = ""

    @property
    def is_met(self) -> bool:
        """Is it within the bar?"""
        return self.least <= self.bar


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--data", type=Path, help="keep the database in this folder")
    parser.add_argument("--messages", type=int, help="also a request with so many messages")
    parser.add_argument("--readers", type=int, help="also so many readers of the long session")
    parser.add_argument("--open", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.open:
        print(json.dumps(opened(asked.open)))
        return
    with tempfile.TemporaryDirectory(prefix="tracelib-benchmark-") as folder:
        os.environ["DATABASE_URL"] = url = grown(asked.data or Path(folder))
        source = connect(Settings(statement_timeout_s=120), read_address(url))
        figures = [*_session_figures(), *_list_figures(source)]
        if asked.messages:
            figures.append(_long_request_figure(url, asked.messages))
        if asked.readers:
            figures.append(_readers_figure(url, asked.readers))
        source.engine.dispose()
    _print(figures)
    if asked.json:
        written = [asdict(figure) | {"is_met": figure.is_met} for figure in figures]
        asked.json.write_text(json.dumps(written, indent=2) + "\n")


def _session_figures() -> Iterator[Figure]:
    short, long = (
        _in_a_process_of_its_own(session) for session, _ in (SHORT_SESSION, LONG_SESSION)
    )
    name = f"session of {SHORT_SESSION[1]} requests"
    beside = f"{short['statements']} statements"
    yield Figure(f"{name}, database", "ms", *_least_and_first(short["database_ms"]), 50, beside)
    name = f"session of {LONG_SESSION[1]:,} requests"
    beside = (
        f"database {min(long['database_ms']):.0f} ms in {long['statements']} statements, "
        f"{min(long['processor_ms']):.0f} ms of this process's own work"
    )
    yield Figure(f"{name}, first screen", "ms", *_least_and_first(long["run_ms"]), 1000, beside)
    beside = f"{long['before_mb']:.0f} MB before it was opened"
    yield Figure(f"{name}, memory", "MB", long["most_mb"], long["most_mb"], 300, beside)


def _long_request_figure(url: str, messages: int) -> Figure:
    """The page of a request with so many messages, as one who opens it waits for it, cold."""
    session = add_long_request(url, messages)
    return _read_at_once(url, session, f"request of {messages:,} messages, page", 1, 2_000)


def _readers_figure(url: str, readers: int) -> Figure:
    name = f"{readers} readers of {LONG_SESSION[1]:,} requests, last"
    return _read_at_once(url, LONG_SESSION[0], name, readers, 1_500)


def _read_at_once(url: str, session: str, name: str, readers: int, bar: float) -> Figure:
    """How long does the last of these readers wait for the whole page, on a running server?"""
    api_key, _ = _whose(session)
    query = f"session={session}&of={quote(api_key)}&refresh=off&zone=UTC"

    async def slowest(port: int, asked: str, count: int) -> tuple[float, int]:
        return max(await asyncio.gather(*(viewed(port, "Sessions", asked) for _ in range(count))))

    with served("Home.py", url) as server:
        asyncio.run(slowest(server.port, "session=none&refresh=off", 1))
        times = [asyncio.run(slowest(server.port, query, readers)) for _ in range(TRIES)]
    waits = [seconds * 1_000 for seconds, _ in times]
    return Figure(name, "ms", waits[0], waits[0], bar, f"{times[0][1] / 1_000:,.0f} kB")


def _list_figures(source: Postgres) -> Iterator[Figure]:
    for name, least, first, beside in list_times(source):
        yield Figure(name, "ms", least, first, 300, beside)


def _in_a_process_of_its_own(session: str) -> dict[str, Any]:
    """Memory is measured over the life of a process, so each session gets one."""
    command = [sys.executable, "-m", "benchmarks.sessions", "--open", session]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, cwd=HOME.parent
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def opened(session: str) -> dict[str, Any]:
    """What does it take to open that session's page from the list, some times over?"""
    from streamlit.testing.v1 import AppTest

    from tracelib.querying.runner import expire_results

    api_key, day = _whose(session)
    app = AppTest.from_file(HOME, default_timeout=120)
    app.query_params.update({"range": "custom", "from": day, "to": day, "refresh": "off"})
    app.run()
    database_ms, processor_ms, run_ms = [], [], []
    before_mb, statements = 0.0, 0
    for _ in range(TRIES):
        expire_results()
        app.query_params.pop("session", None)
        app.switch_page("pages/Sessions.py").run()
        before_mb = before_mb or _most_mb()
        app.query_params.update({"session": session, "of": api_key})
        with _statements_timed() as timed:
            worked = time.process_time()
            run_ms.append(milliseconds(app.run))
            processor_ms.append((time.process_time() - worked) * 1000)
        assert not app.exception, app.exception
        database_ms.append(sum(timed))
        statements = len(timed)
    return {
        "database_ms": database_ms,
        "processor_ms": processor_ms,
        "run_ms": run_ms,
        "statements": statements,
        "before_mb": before_mb,
        "most_mb": _most_mb(),
    }


def _whose(session: str) -> tuple[str, str]:
    """The key of that session, and the day of its last request."""
    logs = sa.table(TABLE, *map(sa.column, ("api_key", "session_id", "startTime")))
    found = sa.select(sa.func.min(logs.c.api_key), sa.func.max(logs.c.startTime))
    with sa.create_engine(os.environ["DATABASE_URL"]).connect() as connection:
        api_key, last = connection.execute(found.where(logs.c.session_id == session)).one()
    return api_key, f"{last:%Y-%m-%d}"


@contextmanager
def _statements_timed() -> Iterator[list[float]]:
    """How many milliseconds does each statement take, of any engine, until its rows are there?"""
    timed: list[float] = []

    def before(
        _connection: Any, _cursor: Any, _statement: Any, _values: Any, context: Any, _: Any
    ) -> None:
        context.began = time.perf_counter()

    def after(
        _connection: Any, _cursor: Any, _statement: Any, _values: Any, context: Any, _: Any
    ) -> None:
        timed.append((time.perf_counter() - context.began) * 1000)

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    sa.event.listen(sa.Engine, "after_cursor_execute", after)
    try:
        yield timed
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)
        sa.event.remove(sa.Engine, "after_cursor_execute", after)


def _most_mb() -> float:
    """The most memory this process has held so far. Linux says it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _least_and_first(tries: list[float]) -> tuple[float, float]:
    return min(tries), tries[0]


def _print(figures: list[Figure]) -> None:
    print(f"{'':40}{'least':>10}{'first':>10}{'bar':>10}")
    for one in figures:
        measures = "".join(
            f"{value:>7,.0f} {one.unit}" for value in (one.least, one.first, one.bar)
        )
        print(f"{one.name:40}{measures}  {'met   ' if one.is_met else 'MISSED'}  {one.beside}")


if __name__ == "__main__":
    main()

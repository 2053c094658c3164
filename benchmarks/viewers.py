"""How long do fifty viewers wait who load Overview at once?

`python -m benchmarks.viewers [--viewers N] [--tries N] [--json FILE]` fills a database of its own
(an embedded PostgreSQL with 100,000 requests in the time range), and serves the app on it twice:
as `streamlit run Home.py` does, and as `streamlit run asgi.py` does. Each time so many viewers
connect at once, speaking Streamlit's own protocol, and ask for Overview of the last seven days:

    cold    just after the start, when nobody has asked anything yet
    warm    again, at the same tick, every question answered before: at most 1 s each

A viewer's wait is from opening the websocket to the last part of the page. Left out is what a
browser does: fetching Streamlit's own files, and drawing. The viewers run beside the server and
take their share of its cores. The best of some tries is quoted, by its slowest viewer; the
processor time of the server beside it tells what a machine with nothing else to do would need,
and the yardstick, ten million additions in Python just before, how fast the machine was then: on
a processor of 2023 they take about 0.4 s.

The statements are those that PostgreSQL logged meanwhile, without the settings that precede each.
"""

import argparse
import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psutil
import psycopg2
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

from benchmarks.filling import filled
from tests.browsing import wait_for

ROOT = Path(__file__).parent.parent
SCRIPTS = ("Home.py", "asgi.py")
VIEWERS, TRIES, BAR_S = 50, 5, 1.0
# A tick of five minutes, so that a try lies within one.
TICK_S, ROOM_S = 300, 60
QUERY = "range=7d&refresh=5m&zone=UTC"
# The message that a run has ended is a small one; the others need not be read.
SMALL = 200
LOGGING = "log_statement = 'all'", "log_line_prefix = 'tracelib-log %a|'"
# What the driver says around a question, once per connection or transaction.
AROUND = ("SELECT set_config(", "SET ", "BEGIN", "COMMIT", "ROLLBACK", "SELECT 1", ";")


@dataclass(frozen=True)
class Figure:
    """What one crowd of viewers waited, and what the database was asked meanwhile."""

    script: str
    cache: str
    viewers: int
    median_s: float
    slowest_s: float
    processor_s: float
    yardstick_s: float
    kilobytes: float
    statements: int
    asked_again: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--tries", type=int, default=TRIES)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracelib-benchmark-") as folder:
        url = filled(Path(folder))
        log = _logged(url, Path(folder))
        figures = [
            figure
            for script in SCRIPTS
            for figure in measured(script, url, log, asked.viewers, asked.tries)
        ]
    _print(figures)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in figures], indent=2) + "\n")


def measured(script: str, url: str, log: Path, viewers: int, tries: int) -> list[Figure]:
    """How long do so many viewers wait at once, cold and warm?"""
    with served(script, url) as server:
        _wait_for_room()
        cold = _crowd(script, "cold", server, log, viewers)
        warm = [_crowd(script, "warm", server, log, viewers) for _ in range(tries)]
    return [cold, min(warm, key=lambda figure: figure.slowest_s)]


@dataclass(frozen=True)
class Server:
    """The running app: where it listens, and its process."""

    port: int
    process: psutil.Process


@contextmanager
def served(script: str, url: str) -> Iterator[Server]:
    """The app on a port of its own, as that command starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--server.port", str(port), "--server.address", "127.0.0.1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", script, *options],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", 120)
        yield Server(port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_room() -> None:
    left = TICK_S - time.time() % TICK_S
    if left < ROOM_S:
        time.sleep(left + 1)


def _crowd(script: str, cache: str, server: Server, log: Path, viewers: int) -> Figure:
    yardstick_s = _yardstick_s()
    read_before, busy_before = log.stat().st_size, _processor_s(server)
    waits = asyncio.run(_at_once(server.port, viewers))
    busy_s = _processor_s(server) - busy_before
    asked = Counter(_statements(log, read_before))
    return Figure(
        script,
        cache,
        viewers,
        round(median(wait for wait, _ in waits), 3),
        round(max(wait for wait, _ in waits), 3),
        round(busy_s, 2),
        round(yardstick_s, 2),
        round(waits[0][1] / 1_000, 1),
        asked.total(),
        asked.total() - len(asked),
    )


def _yardstick_s() -> float:
    started, total = time.perf_counter(), 0
    for number in range(10_000_000):
        total += number
    return time.perf_counter() - started


def _processor_s(server: Server) -> float:
    spent = server.process.cpu_times()
    return spent.user + spent.system


async def _at_once(port: int, viewers: int) -> list[tuple[float, int]]:
    return await asyncio.gather(*(viewed(port) for _ in range(viewers)))


async def viewed(port: int, page: str = "Overview", query: str = QUERY) -> tuple[float, int]:
    """How many seconds until this page is there whole, and how many bytes is it?"""
    ask = BackMsg()
    ask.rerun_script.page_name = page
    ask.rerun_script.query_string = query
    ask.rerun_script.context_info.timezone = "UTC"
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    started, size = time.perf_counter(), 0
    async with connect(
        address, subprotocols=["streamlit"], max_size=None, ping_interval=None, open_timeout=None
    ) as websocket:
        await websocket.send(ask.SerializeToString())
        async for message in websocket:
            size += len(message)
            if len(message) < SMALL and _ends_run(message):
                return time.perf_counter() - started, size
    raise ConnectionError("The app hung up.")


def _ends_run(message: str | bytes) -> bool:
    return ForwardMsg.FromString(message).WhichOneof("type") == "script_finished"


def _logged(url: str, folder: Path) -> Path:
    """Let PostgreSQL write down every statement; where?"""
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    connection.autocommit = True
    with connection.cursor() as cursor:
        for setting in LOGGING:
            cursor.execute(f"ALTER SYSTEM SET {setting}")
        cursor.execute("SELECT pg_reload_conf()")
    connection.close()
    return folder / "data" / "log"


def _statements(log: Path, read_before: int) -> Iterator[str]:
    """Which questions were asked since? A statement of several lines is one."""
    with log.open("rb") as file:
        file.seek(read_before)
        written = file.read().decode(errors="replace")
    for entry in written.split("tracelib-log ")[1:]:
        asker, _, said = entry.partition("|")
        statement = re.sub(r"^.*?statement: ", "", said, count=1, flags=re.DOTALL).strip()
        if asker == "tracelib" and not statement.startswith(AROUND):
            yield statement


def _print(figures: list[Figure]) -> None:
    print(
        f"{'start':8} {'cache':5} {'viewers':>7} {'median s':>9} {'slowest s':>9} "
        f"{'processor s':>11} {'yardstick s':>11} {'kB each':>8} {'statements':>10} "
        f"{'asked again':>11}"
    )
    for one in figures:
        print(
            f"{one.script:8} {one.cache:5} {one.viewers:7} {one.median_s:9.2f} "
            f"{one.slowest_s:9.2f} {one.processor_s:11.2f} {one.yardstick_s:11.2f} "
            f"{one.kilobytes:8.1f} "
            f"{one.statements:10} {one.asked_again:11}"
        )
    print(f"At most {BAR_S:g} s for each viewer of the warm cache.")


if __name__ == "__main__":
    main()

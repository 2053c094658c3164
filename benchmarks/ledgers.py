"""How quickly are the ledgers of a large log compared?

`python -m benchmarks.ledgers --rows N [--days 30] [--json FILE] [--log]` writes a replica of that
many requests (as `benchmarks.replica --straight` does) and fills a database of its own with the
daily tables, running totals and a day of deliveries that go with it. Then, the least of three:

    replica_ms     the log of all finished days from the replica
    postgres_s     everything from PostgreSQL but the log: daily tables, deliveries, totals
    comparing_s    putting both together, in Python
    host_day_s     with --log: the log of one day from PostgreSQL, of which it reads one at a time

The requests are of 2,000 users, 500 keys, 40 teams and 30 tags. The daily tables have a row for
each day and user, without models: they are as large as those of 200 users with ten models.
"""

import argparse
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2

from benchmarks.replica import filled
from benchmarks.replica_rows import Size
from benchmarks.replica_straight import straight
from tests.database import Database
from tests.live import install
from tests.server import running
from tests.sources import source_of
from tracelib import ledgers
from tracelib.database_url import read_address
from tracelib.ledgers.cells import BookedRow, Cell, LogRow, by_team, by_user
from tracelib.ledgers.logged import Logged
from tracelib.permissions.access import FULL
from tracelib.querying.replication import READING_THREADS
from tracelib.replica.files import Files
from tracelib.replica.reader import Replica, replica_of
from tracelib.replica.settings import ReplicaSettings
from tracelib.settings import Settings
from tracelib.source import Postgres, connect

TRIES, LONGEST_S = 3, 600
BARS = {"replica_ms": 500, "postgres_s": 2.0}
DAILY = {"User": "user_id", "Team": "team_id", "Tag": "tag"}
COLUMNS = (
    "date, api_key, model, custom_llm_provider, mcp_namespaced_tool_name, endpoint, api_requests,"
    " failed_requests, successful_requests, spend, prompt_tokens, completion_tokens, updated_at"
)
DELIVERED = """
INSERT INTO "LiteLLM_SpendLogDelivery"
    (delivery_id, request_id, state, is_batch, accounting_payload)
SELECT 'd' || i, 'chatcmpl-' || md5(i::text), 'applied', false,
    jsonb_build_object('user', 'user-' || i % 2000, 'spend', 0.001, 'filling', repeat('x', 900))
FROM generate_series(1, {rows}) i
"""


def main() -> None:
    asked = _parser().parse_args()
    size = Size(asked.rows, asked.days, 0)
    figures: dict[str, Any] = {"rows": size.rows, "days": size.days, "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory(prefix="tracelib-ledgers-") as temporary:
        folder = Path(temporary)
        settings = ReplicaSettings(folder / "replica")
        end = datetime.fromtimestamp(straight(settings, size), UTC).date()
        files = Files(settings, READING_THREADS)
        replica = replica_of(files, FULL, LONGEST_S)
        assert replica is not None
        figures |= _measured(
            replica, end - timedelta(days=size.days), end - timedelta(days=1), size
        )
        files.close()
        if asked.log:
            figures |= _host_day(folder / "log", size)
    for name, value in figures.items():
        bar = f" (bar {BARS[name]})" if name in BARS else ""
        print(f"{name}: {value}{bar}")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--log", action="store_true", help="also read a day of a log")
    return parser


def _measured(replica: Replica, first: date, last: date, size: Size) -> dict[str, Any]:
    cells = ledgers.log_cells(replica, first, last)
    every = cells.plus(Logged(tags=ledgers.logged(replica, first, last).tags))
    with running() as server:
        made = Database(server, name="ledgers_benchmark")
        made.execute((Path(install.__file__).parent / "missing_tables.sql").read_text())
        _book(made, every)
        made.execute(DELIVERED.format(rows=size.rows // size.days), "ANALYZE")
        source = source_of(made, statement_timeout_s=LONGEST_S)
        figures = _compared(source, replica, first, last)
        source.engine.dispose()
        made.drop()
    return figures | {"cells": len(every.rows), "tag_cells": len(every.tags)}


def _compared(source: Postgres, replica: Replica, first: date, last: date) -> dict[str, Any]:
    now = datetime.now(UTC)
    spent: dict[str, list[float]] = {"replica": [], "postgres": [], "whole": []}

    def run(queries: Sequence[tuple[Any, ...]], _are_optional: bool = False) -> list[Any]:
        return [_timed(spent, source, replica, *query) for query in queries]

    best = dict.fromkeys(spent, float("inf"))
    for _ in range(TRIES):
        for times in spent.values():
            times.clear()
        began = time.perf_counter()
        found = ledgers.ledgers(run, first, last, now + timedelta(days=1))
        spent["whole"].append(time.perf_counter() - began)
        best = {name: min(best[name], sum(times)) for name, times in spent.items()}
    differing = [line.id for line in found.days if line.classes]
    assert not differing, differing
    return {
        "replica_ms": round(best["replica"] * 1_000),
        "postgres_s": round(best["postgres"], 2),
        "comparing_s": round(best["whole"] - best["replica"] - best["postgres"], 2),
    }


def _timed(
    spent: dict[str, list[float]],
    source: Postgres,
    replica: Replica,
    function: Callable[..., Any],
    *arguments: Any,
) -> Any:
    is_log = function in (ledgers.logged, ledgers.log_cells)
    began = time.perf_counter()
    value = function(replica if is_log else source, *arguments)
    spent["replica" if is_log else "postgres"].append(time.perf_counter() - began)
    return value


def _book(made: Database, log: Logged) -> None:
    """Fill the daily tables and the names with what the log adds up to."""
    rows: dict[str, Iterable[BookedRow]] = {
        "User": (BookedRow(by_user(row), row.sums) for row in log.rows),
        "Team": (BookedRow(by_team(row), row.sums) for row in log.rows),
        "Tag": log.tags,
    }
    connection = psycopg2.connect(made.url)
    with connection, connection.cursor() as cursor:
        for name, column in DAILY.items():
            into = f'COPY "LiteLLM_Daily{name}Spend" (id, {column}, {COLUMNS}) FROM STDIN'
            cursor.copy_expert(into, io.StringIO("".join(_lines(rows[name]))))
        for table, column, ids in _owners(log.rows):
            cursor.execute(f'INSERT INTO "{table}" ({column}) SELECT unnest(%s::text[])', ([*ids],))
    connection.close()


def _owners(rows: Sequence[LogRow]) -> Iterable[tuple[str, str, set[str]]]:
    yield "LiteLLM_VerificationToken", "token", {row.key for row in rows}
    yield "LiteLLM_UserTable", "user_id", {row.user for row in rows}


def _lines(rows: Iterable[BookedRow]) -> Iterable[str]:
    for number, (cell, sums) in enumerate(_summed(rows).items()):
        requests, failures, usd, prompt, completion = sums
        values = (
            *(number, cell.owner, cell.day, cell.key, cell.model, cell.provider, cell.tool, ""),
            *(requests, failures, requests - failures, usd, prompt, completion, cell.day),
        )
        yield "\t".join(map(str, values)) + "\n"


def _summed(rows: Iterable[BookedRow]) -> dict[Cell, tuple[Any, ...]]:
    found: dict[Cell, tuple[Any, ...]] = {}
    for cell, sums in rows:
        known = found.get(cell, (0, 0, 0, 0, 0))
        found[cell] = tuple(a + b for a, b in zip(known, sums[:5], strict=True))
    return found


def _host_day(folder: Path, size: Size) -> dict[str, Any]:
    """The log of one day from PostgreSQL: of a log of that day alone."""
    a_day = Size(size.rows // size.days, 1, 0)
    log = filled(folder, a_day)
    source = connect(Settings(statement_timeout_s=LONGEST_S), read_address(log.url))
    last = datetime.fromtimestamp(log.end - 1, UTC).date()
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        ledgers.logged(source, last, last)
        times.append(time.perf_counter() - began)
    source.engine.dispose()
    return {"host_day_rows": a_day.rows, "host_day_s": round(min(times), 2)}


if __name__ == "__main__":
    main()

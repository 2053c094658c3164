"""What does an hour of many viewers cost, and what does the app keep of it?

    python -m benchmarks.load [--viewers N] [--ticks K] [--page PAGE …] [--json FILE]
    python -m benchmarks.load --soak [--ticks K] [--json FILE]
    python -m benchmarks.load --ranges N [--json FILE]

Each serves the app on a database of its own (an embedded PostgreSQL; `--rows`, or `--database URL`
for another one) and drives real sessions over websockets: tabs of Streamlit's own protocol that
refresh as a browser's timer does. Nothing is drawn.

The first opens N tabs on all pages in turn, and warms up for two ticks. Then each refreshes at a
moment of its own in every tick, K times, every 30 seconds. A shorter `--tick-s` compresses an hour:
six seconds make its 120 ticks twelve minutes, with five times the load. The replica is as it is by
default; `--replica off` leaves all to PostgreSQL. Written are:

    errors               exceptions, errors on a page, ended sockets, runs that did not end
    p50_s, p95_s         from the timer of a tab until its page stands whole, with the figures of
                         the tick before, and their age, where those of this one are late
    newest_p95_s         until all its figures are the newest
    p95_s_by_tick        as p95_s, of each tick
    statements_per_tick  queries that PostgreSQL logged after all tabs were open
    rss_mb_start, _end   the memory of the server, when all tabs were open, and after the last tick
    idle_in_transaction  the most connections that were so for a second

`--soak` refreshes one tab as quickly as it can, each time at another tick, and gives the memory of
the second half as a line: megabytes for each 1,000 ticks. `--ranges` opens N different ranges in
four tabs; memory is read before, after, and in each of the minutes after it (`--minutes`).
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import linear_regression, quantiles
from typing import Any

from benchmarks.filling import filled
from benchmarks.load_world import REFRESH_S, App, StatementLog, app_over
from benchmarks.tabs import Run, Tab

PAGES = ("", "Overview", "Models", "Sessions", "Status")
QUERY = "range=7d&refresh=30s&zone=UTC"
SOAK_QUERY = "range=24h&refresh=30s&zone=UTC"
OVERVIEW = PAGES[1]
TICK_S, SOAK_TICK_S = 30.0, 0.1
ROWS, SOAK_ROWS = 100_000, 1
TABS_OF_RANGES = 4
TICKS, SOAK_TICKS = 10, 10_000
NOTED_EVERY = 100
# Meanwhile the replica is filled.
WARM_TICKS = 2


def main() -> None:
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="tracelib-load-database-") as folder:
        url = asked.database or filled(Path(folder), asked.rows)
        log = None if asked.database else StatementLog(url, Path(folder) / "data" / "log")
        speed = REFRESH_S / asked.tick_s
        with app_over(url, speed, asked.unused_s, TRACELIB_REPLICA=asked.replica) as app:
            seen = asyncio.run(_measured(app, log, asked))
    print(json.dumps(seen, indent=2))
    if asked.json:
        asked.json.write_text(json.dumps(seen, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--ticks", type=int)
    parser.add_argument("--tick-s", type=float)
    parser.add_argument("--page", action="append", choices=PAGES, help="all, unless given")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--database", help="its SQLAlchemy URL; statements are not counted then")
    parser.add_argument("--replica", choices=("auto", "on", "off"), help="auto, for viewers")
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--ranges", type=int, default=0)
    parser.add_argument("--most-minutes", type=float, default=600, help="of a soak")
    parser.add_argument("--minutes", type=int, default=12)
    parser.add_argument("--unused-s", type=float, default=600, help="until results are dropped")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    is_one = asked.soak or asked.ranges
    asked.ticks = asked.ticks or (SOAK_TICKS if asked.soak else TICKS)
    asked.tick_s = asked.tick_s or (SOAK_TICK_S if asked.soak else TICK_S)
    asked.replica = asked.replica or ("off" if is_one else "auto")
    asked.rows = asked.rows or (SOAK_ROWS if is_one else ROWS)
    return asked


async def _measured(
    app: App, log: StatementLog | None, asked: argparse.Namespace
) -> dict[str, Any]:
    if asked.soak:
        return await _soaked(app, log, asked.ticks, asked.tick_s, asked.most_minutes * 60)
    if asked.ranges:
        return await _ranged(app, asked.ranges, asked.minutes)
    pages = asked.page or PAGES
    tabs = [Tab(app.port, pages[n % len(pages)], QUERY) for n in range(asked.viewers)]
    return await _viewed(app, log, tabs, asked.ticks, asked.tick_s)


async def _viewed(
    app: App, log: StatementLog | None, tabs: Sequence[Tab], ticks: int, tick_s: float
) -> dict[str, Any]:
    """So many tabs, each at a moment of its own in every tick."""
    ready_mb = app.rss_mb()
    phases = [tick_s * number / len(tabs) for number in range(len(tabs))]
    opened = await asyncio.gather(*map(_opened, tabs, phases))
    warmed = (_refreshed(*one, WARM_TICKS, tick_s) for one in zip(tabs, phases, strict=True))
    await asyncio.gather(*warmed)
    if log:
        log.count()
    began, start_mb, busy_s = time.monotonic(), app.rss_mb(), app.processor_s()
    app.samples.clear()
    refreshed = await asyncio.gather(
        *(_refreshed(tab, phase, ticks, tick_s) for tab, phase in zip(tabs, phases, strict=True))
    )
    runs = [run for of_tab in refreshed for run in of_tab if not run.is_skipped]
    seen = {
        **_summary(len(tabs), ticks, opened, runs),
        "p95_s_by_tick": [
            _quantile([run.whole_s for run in of_tick], 95)
            for of_tick in zip(*refreshed, strict=True)
        ],
        "statements_per_tick": log and round(log.count() / ticks, 1),
        "rss_mb_start": start_mb,
        "rss_mb_end": app.rss_mb(),
        **_of_samples(app),
        "rss_mb_ready": ready_mb,
        "opened_p95_s": _quantile([run.seconds for run in opened], 95),
        "processor_s_per_run": round((app.processor_s() - busy_s) / len(runs), 4),
        "kilobytes_per_run": round(sum(run.size for run in runs) / len(runs) / 1_000, 1),
        "seconds": round(time.monotonic() - began),
    }
    await asyncio.gather(*(tab.close() for tab in tabs))
    return seen


async def _opened(tab: Tab, phase: float) -> Run:
    await asyncio.sleep(phase)
    await tab.connect()
    return await tab.open()


async def _refreshed(tab: Tab, phase: float, ticks: int, tick_s: float) -> list[Run]:
    """Refresh as the timer of a browser does, which waits for the end of a run."""
    await asyncio.sleep(phase)
    runs = []
    for _ in range(ticks):
        began = time.monotonic()
        runs.append(await tab.refresh())
        await asyncio.sleep(max(tick_s - (time.monotonic() - began), tick_s / 2))
    return runs


async def _soaked(
    app: App, log: StatementLog | None, ticks: int, tick_s: float, most_s: float
) -> dict[str, Any]:
    """One tab, as many ticks as quickly as it can."""
    points, runs = [], []
    async with Tab(app.port, OVERVIEW, SOAK_QUERY) as tab:
        opened = [await tab.open()]
        start_mb, busy_s = app.rss_mb(), app.processor_s()
        until = time.monotonic() + most_s
        for tick in range(1, ticks + 1):
            if time.monotonic() > until:
                break
            await asyncio.sleep(tick_s)
            runs.append(await tab.refresh())
            if tick % max(1, min(NOTED_EVERY, ticks // 20)) == 0:
                points.append((tick, app.rss_mb(), *_counts(app)))
                print(
                    points[-1], f"p95 {_quantile([r.seconds for r in runs[-250:]], 95)}", flush=True
                )
    half = points[len(points) // 2 :]
    return {
        **_summary(1, len(runs), opened, runs),
        "statements_per_tick": log and round(log.count() / len(runs), 1),
        "rss_mb_start": start_mb,
        "rss_mb_end": app.rss_mb(),
        **_of_samples(app),
        "processor_s_per_run": round((app.processor_s() - busy_s) / len(runs), 4),
        "mb_per_1000_ticks": _slope(half, 1),
        "threads_per_1000_ticks": _slope(half, 2),
        "descriptors_per_1000_ticks": _slope(half, 3),
        "connections_per_1000_ticks": _slope(half, 4),
        "points": points,
    }


async def _ranged(app: App, ranges: int, minutes: int) -> dict[str, Any]:
    """So many different ranges, on Overview, Models and Sessions, in a few tabs."""
    tabs = [Tab(app.port, PAGES[1 + n % 3], QUERY) for n in range(TABS_OF_RANGES)]
    opened = [await _opened(tab, 0) for tab in tabs]
    for tab in tabs:  # what a page loads when it is first seen
        opened += [await tab.go(QUERY), await tab.refresh()]
    await asyncio.sleep(5)
    before_mb = app.rss_mb()
    queries = _distinct_ranges(ranges)
    shares = [queries[n :: len(tabs)] for n in range(len(tabs))]
    runs = [run for one in await asyncio.gather(*map(_gone, tabs, shares)) for run in one]
    after_mb = app.rss_mb()
    print(before_mb, after_mb, flush=True)
    for tab in tabs:
        await tab.go("range=7d&refresh=off&zone=UTC")
    after = []
    for _ in range(minutes):
        await asyncio.sleep(60)
        await tabs[0].go("range=7d&refresh=off&zone=UTC")
        after.append(app.rss_mb())
        print(after[-1], flush=True)
    seen = {
        **_summary(len(tabs), ranges, opened, runs),
        "rss_mb_start": before_mb,
        "rss_mb_end": after[-1] if after else after_mb,
        **_of_samples(app),
        "rss_mb_after_ranges": after_mb,
        "rss_mb_by_minute": after,
    }
    await asyncio.gather(*(tab.close() for tab in tabs))
    return seen


async def _gone(tab: Tab, queries: Sequence[str]) -> list[Run]:
    return [await tab.go(query) for query in queries]


def _distinct_ranges(count: int) -> list[str]:
    """So many custom ranges of one hour to six days within the last week."""
    random.seed(7)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    found: dict[str, None] = {}
    while len(found) < count:
        start = now - timedelta(minutes=random.randrange(60 * 24, 7 * 24 * 60))
        end = min(now, start + timedelta(minutes=random.randrange(60, 6 * 24 * 60)))
        of = f"from={start:%Y-%m-%dT%H:%M}&to={end:%Y-%m-%dT%H:%M}"
        found[f"range=custom&{of}&refresh=off&zone=UTC"] = None
    return list(found)


def _summary(
    viewers: int, ticks: int, opened: Sequence[Run], runs: Sequence[Run]
) -> dict[str, Any]:
    wrong = Counter(error for run in (*opened, *runs) for error in run.errors)
    shown = Counter(warning for run in (*opened, *runs) for warning in run.warnings)
    whole = [run.whole_s for run in runs]
    return {
        "viewers": viewers,
        "ticks": ticks,
        "errors": wrong.total(),
        "p50_s": _quantile(whole, 50),
        "p95_s": _quantile(whole, 95),
        "newest_p95_s": _quantile([run.seconds for run in runs], 95),
        "slowest_s": round(max(whole), 3),
        "error_words": dict(wrong.most_common(5)),
        "warning_words": dict(shown.most_common(5)),
    }


def _of_samples(app: App) -> dict[str, Any]:
    samples = app.samples
    return {
        "idle_in_transaction": max((one.idle_in_transaction for one in samples), default=0),
        "most_rss_mb": max((one.rss_mb for one in samples), default=0),
        "most_threads": max((one.threads for one in samples), default=0),
        "most_descriptors": max((one.descriptors for one in samples), default=0),
        "most_connections": max((one.connections for one in samples), default=0),
    }


def _counts(app: App) -> tuple[int, int, int]:
    last = app.samples[-1]
    return last.threads, last.descriptors, last.connections


def _slope(points: Sequence[tuple[float, ...]], field: int) -> float:
    """How much does it grow by in 1,000 ticks? By least squares."""
    line = linear_regression([one[0] for one in points], [one[field] for one in points])
    return round(line.slope * 1_000, 3)


def _quantile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return round(max(values, default=0.0), 3)
    return round(quantiles(values, n=100, method="inclusive")[percent - 1], 3)


if __name__ == "__main__":
    main()

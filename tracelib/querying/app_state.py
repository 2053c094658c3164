"""The state of this process: its connections, queries, stored results, memory and errors."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil  # type: ignore[import-untyped]
from streamlit import runtime
from streamlit.runtime.stats import GaugeStat

from tracelib import metrics
from tracelib.activity import ACTIVITY, QueryRan, Recurring
from tracelib.querying import runner
from tracelib.querying.breaker import Outage
from tracelib.querying.installation import Connections, Installation, connections
from tracelib.querying.store import Store
from tracelib.settings import TICKS
from tracelib.window import ticked

VIEWERS = "active_sessions"
# Without a refresh of its own, a tick is as long as this.
DEFAULT_TICK = "30s"


@dataclass(frozen=True, slots=True)
class Usage:
    """How full the store is, and how many queries run, and wait for their turn."""

    bytes: int
    most_bytes: int
    results: int
    running: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Tick:
    """The queries that ran since this moment; `slowest` is one of them."""

    at: datetime
    queries: int
    slowest: QueryRan


@dataclass(frozen=True, slots=True)
class AppState:
    """How is this process?

    `outage` is None if the database is not paused, `tick` before the first query, and
    `last_good_at` before PostgreSQL has returned a result. `viewers` is None outside a server.
    """

    connections: Connections
    last_good_at: datetime | None
    outage: Outage | None
    tick: Tick | None
    store: Usage
    memory_bytes: int
    threads: int
    viewers: int | None
    started_at: datetime
    errors: list[Recurring]


def app_state(installed: Installation) -> AppState:
    """How is this process? Queries no database."""
    process = psutil.Process()
    return AppState(
        connections=connections(installed),
        last_good_at=ACTIVITY.last_good_at,
        outage=runner.BREAKER.outage(installed.address),
        tick=last_tick(TICKS[installed.settings.refresh] or TICKS[DEFAULT_TICK]),
        store=usage(runner.STORE),
        memory_bytes=process.memory_info().rss,
        threads=threading.active_count(),
        viewers=_viewers(),
        started_at=datetime.fromtimestamp(process.create_time(), UTC),
        errors=ACTIVITY.errors(),
    )


def usage(store: Store) -> Usage:
    """How full is the store, and how many queries are under way?"""
    segments, runs = (store.figures, store.heavy), [*store.runs.values()]
    return Usage(
        sum(one.size for one in segments),
        sum(one.most_bytes for one in segments),
        sum(len(one.histories) for one in segments),
        sum(run.cancel is not None for run in runs),
        sum(run.cancel is None for run in runs),
    )


def last_tick(every_s: int) -> Tick | None:
    """What ran since the latest tick in which anything did? None before the first query."""
    queries = ACTIVITY.queries()
    if not queries:
        return None
    at = ticked(queries[-1].at, every_s)
    since = [one for one in queries if one.at >= at]
    return Tick(at, len(since), max(since, key=lambda one: one.seconds))


def metrics_text(installed: Installation) -> bytes:
    """The metrics, with the state of this process as it is now."""
    state = app_state(installed)
    metrics.set_state(
        {
            "breaker_open": float(state.outage is not None),
            "store_bytes": state.store.bytes,
            "store_limit_bytes": state.store.most_bytes,
            "store_results": state.store.results,
            "queries_running": state.store.running,
            "queries_waiting": state.store.waiting,
            "pool_connections": state.connections.open,
            "pool_connections_in_use": state.connections.in_use,
            "pool_connections_limit": state.connections.most,
            "viewers": float("nan") if state.viewers is None else state.viewers,
            "threads": state.threads,
        }
    )
    return metrics.as_text()


def _viewers() -> int | None:
    """How many browser tabs are connected? None outside a server."""
    if not runtime.exists():
        return None
    found = runtime.get_instance().stats_mgr.get_stats([VIEWERS])
    active = (stat for stat in found.get(VIEWERS, ()) if isinstance(stat, GaugeStat))
    return next((stat.value for stat in active), None)

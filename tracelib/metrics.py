"""The metrics of this process, for monitoring: without names of people and without results."""

from collections.abc import Callable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from tracelib.activity import ACTIVITY
from tracelib.errors import TraceError

CONTENT_TYPE = CONTENT_TYPE_LATEST
# When each was first counted is of no interest, and doubles the lines.
disable_created_metrics()  # type: ignore[no-untyped-call]
# A registry of its own, so that two apps in a process do not collide.
REGISTRY = CollectorRegistry()
# Memory, processor time and open files, under the names that every client of Prometheus gives them.
ProcessCollector(registry=REGISTRY)
QUERIES = Counter(
    "tracelib_questions",
    "Queries requested by pages and programs",
    ["question"],
    registry=REGISTRY,
)
CACHE_HITS = Counter(
    "tracelib_cache_hits",
    "Queries served from stored results, without the database",
    ["question"],
    registry=REGISTRY,
)
SECONDS = Histogram(
    "tracelib_question_seconds",
    "Duration of queries that ran in the database or on the replica",
    ["question"],
    registry=REGISTRY,
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
DATABASE_ERRORS = Counter(
    "tracelib_database_errors", "Queries that failed", ["error"], registry=REGISTRY
)
LAST_GOOD_AGE = Gauge(
    "tracelib_last_good_answer_age_seconds",
    "Time since the last result from the database; NaN before the first",
    registry=REGISTRY,
)
FROM_REPLICA = Counter(
    "tracelib_replica_results", "Queries that ran on the replica", ["question"], registry=REGISTRY
)
REPLICA_AGE = Gauge(
    "tracelib_replica_age_seconds",
    "Time since the replica was last compared with the log; NaN without a replica",
    registry=REGISTRY,
)

STALE_RESULTS = Counter(
    "tracelib_stale_results",
    "Results shown in place of newer ones, which failed or are late",
    ["question"],
    registry=REGISTRY,
)
OPENINGS = Counter(
    "tracelib_breaker_openings",
    "How often queries to a database that could not be reached were paused",
    registry=REGISTRY,
)
# Of the state of the process: set when the metrics are read.
GAUGES = {
    name: Gauge(f"tracelib_{name}", description, registry=REGISTRY)
    for name, description in (
        ("breaker_open", "1 while queries to the database are paused, else 0"),
        ("store_bytes", "Serialised size of the stored results"),
        ("store_limit_bytes", "The size above which stored results are dropped"),
        ("store_results", "Queries with stored results"),
        ("queries_running", "Queries under way"),
        ("queries_waiting", "Queries that wait for their turn"),
        ("pool_connections", "Open connections to the database"),
        ("pool_connections_in_use", "Connections in use"),
        ("pool_connections_limit", "The maximum number of connections"),
        ("viewers", "Browser tabs that are connected; NaN where that is unknown"),
        ("threads", "Threads of the process"),
    )
}


def set_state(state: Mapping[str, float]) -> None:
    """Set the `GAUGES` of these names."""
    for name, value in state.items():
        GAUGES[name].set(value)


def count_query(query: str, is_new: bool) -> None:
    """Count a query; one that is not new is served from the store."""
    QUERIES.labels(query).inc()
    if not is_new:
        CACHE_HITS.labels(query).inc()


def observe_query(
    query: str, seconds: float, error: TraceError | None, is_of_replica: bool
) -> None:
    """Record how long a query took, whether it failed, and whether it ran on the replica."""
    SECONDS.labels(query).observe(seconds)
    if error:
        DATABASE_ERRORS.labels(type(error).__name__).inc()
    if is_of_replica:
        FROM_REPLICA.labels(query).inc()


def watch_replica(age_s: Callable[[], float]) -> None:
    """Report this age of the replica, whenever the metrics are read."""
    REPLICA_AGE.set_function(age_s)


def as_text() -> bytes:
    """The metrics as OpenMetrics text."""
    text: bytes = generate_latest(REGISTRY)  # type: ignore[no-untyped-call]
    return text


LAST_GOOD_AGE.set_function(ACTIVITY.last_good_age_s)
REPLICA_AGE.set(float("nan"))

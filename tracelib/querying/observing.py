"""What is recorded of each query: in the metrics, in the latest activity, and in the app's log."""

from typing import Any

from tracelib import errors, events, metrics
from tracelib.activity import ACTIVITY

# A query that takes longer is in the log at its usual level.
SLOW_S = 5.0


def requested(query: str, is_new: bool, is_stored: bool) -> None:
    """Record that a query was requested, and whether it has to run."""
    metrics.count_query(query, is_new)
    if not is_new:
        events.log("debug", "query", query=query, outcome="stored" if is_stored else "joined")


def ran(
    query: str, seconds: float, value: Any, error: errors.TraceError | None, is_of_replica: bool
) -> None:
    """Record that a query has run, or was not run because its database is paused.

    An error is a warning when it is the first of this query within an hour.
    """
    metrics.observe_query(query, seconds, error, is_of_replica)
    if error is None:
        ACTIVITY.record_query(query, seconds, is_of_replica)
    is_news = bool(error and ACTIVITY.record_error(error, query))
    level: events.Level = "warning" if is_news else "info" if seconds > SLOW_S else "debug"
    events.log(
        level,
        "query",
        query=query,
        outcome=type(error).__name__ if error else "ok",
        seconds=seconds,
        rows=rows_of(value),
        source="replica" if is_of_replica else "postgresql",
        sentence=error.sentence if error else None,
    )


def served_stale(query: str, error: errors.TraceError | None) -> None:
    """Record that an older result was shown in place of one with this error."""
    metrics.STALE_RESULTS.labels(query).inc()
    reason = type(error).__name__ if error else None
    events.log("debug", "query", query=query, outcome="stale", reason=reason)


def rows_of(value: Any) -> int | None:
    """How many rows has the value of a query? None if it is none of several."""
    return len(value) if hasattr(value, "__len__") and not isinstance(value, str | bytes) else None

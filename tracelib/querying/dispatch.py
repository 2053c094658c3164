"""Who runs a query: the replica if it can, else LiteLLM's PostgreSQL."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from inspect import signature
from typing import Any

from tracelib import errors, events
from tracelib.querying import replication
from tracelib.querying.installation import Installation, reread_schema_of, source
from tracelib.source import NotHeld, Source

# An older replica does not follow the log: PostgreSQL is queried, unless it does not respond.
FRESH = timedelta(minutes=2)
# What a query fails with if the table or the rights are not those that the schema says.
CHANGED = (errors.PermissionMissing, errors.ColumnMissing, errors.TableMissing)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The value of a query; `as_of` is the moment of the replica it is from, None if of the log."""

    value: Any
    as_of: datetime | None = None


@cache
def is_portable(function: Callable[..., Any]) -> bool:
    """Can a replica run this query? The type of its source says so."""
    first = next(iter(signature(function).parameters.values()), None)
    return first is not None and first.annotation is Source


def from_replica(
    installed: Installation, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> Outcome | None:
    """Run the query on the replica, however old it is; None if it cannot run it."""
    return _from_replica(installed, function, arguments, None)


def from_fresh_replica(
    installed: Installation, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> Outcome | None:
    """Run the query on the replica, if that follows the log; None if it cannot run it."""
    return _from_replica(installed, function, arguments, FRESH)


def from_log(
    installed: Installation, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> Outcome:
    """Run the query on the log, and again if it may succeed at once. Raises a TraceError."""
    began = time.monotonic()
    try:
        return Outcome(function(source(installed), *arguments))
    except errors.QuestionInterrupted:
        return Outcome(function(source(installed), *arguments))
    except CHANGED as error:
        # LiteLLM was upgraded, or the role has other rights: the schema may be another one now.
        if not reread_schema_of(installed, began):
            raise error from None
        return Outcome(function(source(installed), *arguments))


def _from_replica(
    installed: Installation,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    most: timedelta | None,
) -> Outcome | None:
    replica = replication.replica(installed) if is_portable(function) else None
    if replica is None or (most and datetime.now(UTC) - replica.as_of > most):
        return None
    try:
        return Outcome(function(replica, *arguments), replica.as_of)
    except NotHeld:
        events.log("debug", "replica_lacks_rows", query=function.__qualname__)
        return None

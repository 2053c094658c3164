"""How fresh is the log, and how far back does it reach?"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, extract, func, select
from sqlalchemy.types import DateTime, Double

from tracelib.source import Source
from tracelib.spendlogs import extent, measures

NEWEST = 100
# Clocks of two machines differ, and a proxy's may be a little ahead of the database's.
TOLERANCE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Freshness:
    """The ends of the log, aware UTC; None where it is empty.

    `ingest_lag_s` is how long the newest requests took from their end to their row, the
    median of a hundred; None where LiteLLM does not note it. `ahead_of_clock` says that the
    newest request starts later than it is now.
    """

    newest_started_at: datetime | None
    oldest_started_at: datetime | None
    newest_created_at: datetime | None
    ingest_lag_s: float | None
    ahead_of_clock: bool


def freshness(source: Source, now: datetime) -> Freshness:
    """When was the newest request, when the oldest, and how late do rows come?

    Read by the index on the start, whatever the time range. `now` is the page's, which may
    be a tick old; the server's clock counts where it is ahead of that.
    """
    ends = source.row(extent.first_and_last(source.schema))
    newest = source.row(_newest(source))
    clock = max(now, ends.server_time)
    is_ahead = ends.newest is not None and ends.newest > clock + TOLERANCE
    return Freshness(ends.newest, ends.oldest, newest.created_at, newest.lag_s, is_ahead)


def _newest(source: Source) -> Select[Any]:
    requests = extent.newest_requests(source.schema, NEWEST)
    created_at = requests.c.created_at
    lag_s: ColumnElement[Any] = extract("epoch", created_at - requests.c.ended_at)
    median: ColumnElement[Any] = measures.percentile(lag_s.cast(Double), 0.5)
    newest = func.max(created_at, type_=DateTime(timezone=True))
    return select(newest.label("created_at"), median.label("lag_s"))

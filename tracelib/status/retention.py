"""How far back does the log reach, how fast does it grow, and when does a request disappear?"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tracelib.source import Postgres
from tracelib.spendlogs import extent
from tracelib.status.database import size

# Growth is that of this time, or of this many of its newest rows.
PACE = timedelta(days=7)
MOST_ROWS = 200_000
# Less than this is too short to tell how much a day has.
LEAST = timedelta(hours=6)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """The horizon of the log, and its growth; None is unknown.

    `rows` is the planner's estimate, `bytes` the size with indexes and out-of-line values, and
    `rows_a_day` that of the last week. `deleted_rows` were deleted since `counted_since`, or since
    PostgreSQL began to count; `first_booked` is the first day that LiteLLM's totals know.
    """

    oldest_at: datetime | None
    newest_at: datetime | None
    at: datetime
    rows: int | None
    bytes: int
    rows_a_day: float | None
    deleted_rows: int
    counted_since: datetime | None
    first_booked: date | None

    @property
    def bytes_a_day(self) -> float | None:
        """How many bytes does a day add?"""
        if not self.rows or self.rows_a_day is None:
            return None
        return self.bytes / self.rows * self.rows_a_day

    @property
    def is_deleting(self) -> bool:
        """Is it evident that old rows are deleted?

        At least as many as a day has were deleted, and totals by day, if known, have earlier days.
        """
        if self.oldest_at is None or self.rows_a_day is None:
            return False
        is_earlier = self.first_booked is None or self.first_booked < self.oldest_at.date() - DAY
        return is_earlier and self.deleted_rows >= max(self.rows_a_day, 1)

    @property
    def kept_days(self) -> int | None:
        """After about how many days is a request deleted? None if no deletion is evident."""
        if not self.is_deleting or self.oldest_at is None:
            return None
        days = round((self.at - self.oldest_at) / DAY)
        return days if days >= 1 else None

    def bytes_in(self, days: int) -> float | None:
        """How large is the log in so many days? None if it is unknown, or rows are deleted."""
        if self.kept_days is not None or self.bytes_a_day is None:
            return None
        return self.bytes + days * self.bytes_a_day

    @property
    def gone_at(self) -> datetime | None:
        """When does the request that starts now disappear? None if no deletion is evident."""
        return None if self.kept_days is None else self.at + self.kept_days * DAY


def retention(source: Postgres, now: datetime) -> Retention:
    """How far back does the whole log reach, how fast does it grow, and is it deleted from?

    Of all requests, so for those who may see all. `now` is the page's, which may be a tick old.
    """
    ends = source.row(extent.first_and_last(source.schema))
    at = max(now, ends.server_time)
    files = size(source)
    deletions = source.row(extent.deletions(source.schema))
    return Retention(
        oldest_at=ends.oldest,
        newest_at=ends.newest,
        at=at,
        rows=files.estimated_rows,
        bytes=files.bytes,
        rows_a_day=_rows_a_day(source, ends, at),
        deleted_rows=deletions.deleted,
        counted_since=deletions.since,
        first_booked=_first_booked(source),
    )


def _rows_a_day(source: Postgres, ends: Any, at: datetime) -> float | None:
    if ends.oldest is None or ends.oldest > at:
        return None
    since = max(at - PACE, ends.oldest)
    found = source.row(extent.pace(source.schema, _stored(since), _stored(at), MOST_ROWS))
    if not found.rows:
        return 0.0
    length = at - (found.first if found.rows == MOST_ROWS else since)
    return float(found.rows / (length / DAY)) if length >= LEAST else None


def _stored(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _first_booked(source: Postgres) -> date | None:
    statement = extent.first_booked_day(source.schema)
    return None if statement is None else extent.day_of(source.row(statement).day)

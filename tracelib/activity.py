"""What this process has done lately: the queries that ran, and the errors of the last hour."""

import math
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock

from tracelib.errors import Cancelled, NoSuchSession, NotForThisRole, TraceError

MOST_QUERIES, MOST_ERRORS = 5_000, 10_000
AN_HOUR = timedelta(hours=1)
# A person caused these, and nothing is wrong.
EXPECTED = (Cancelled, NoSuchSession, NotForThisRole)


@dataclass(frozen=True, slots=True)
class QueryRan:
    """A query that ran: when it ended, its name, and how long it took."""

    at: datetime
    name: str
    seconds: float
    is_of_replica: bool


@dataclass(frozen=True, slots=True)
class Recurring:
    """An error of the last hour: its sentence, how often it came, and the last time."""

    sentence: str
    count: int
    last_at: datetime


@dataclass
class Activity:
    """The latest queries and errors; `last_good_at` is when PostgreSQL last returned a result."""

    last_good_at: datetime | None = None
    _queries: deque[QueryRan] = field(default_factory=lambda: deque(maxlen=MOST_QUERIES))
    _errors: deque[tuple[datetime, str, str]] = field(
        default_factory=lambda: deque(maxlen=MOST_ERRORS)
    )
    _good: float = math.nan
    _lock: Lock = field(default_factory=Lock)

    def record_query(self, name: str, seconds: float, is_of_replica: bool) -> None:
        """A query has returned a result."""
        now = datetime.now(UTC)
        with self._lock:
            self._queries.append(QueryRan(now, name, seconds, is_of_replica))
            if not is_of_replica:
                self.last_good_at, self._good = now, time.monotonic()

    def record_error(self, error: TraceError, of: str) -> bool:
        """Something has failed. Is it the first time within an hour that it failed so?"""
        if isinstance(error, EXPECTED):
            return False
        now = datetime.now(UTC)
        with self._lock:
            earlier = self._of_last_hour(now)
            self._errors.append((now, error.sentence, of))
        return not any(one[1:] == (error.sentence, of) for one in earlier)

    def last_good_age_s(self) -> float:
        """How many seconds ago did PostgreSQL last return a result? NaN before the first."""
        return time.monotonic() - self._good

    def queries(self) -> list[QueryRan]:
        """The latest queries, in the order in which they ended."""
        with self._lock:
            return list(self._queries)

    def errors(self) -> list[Recurring]:
        """Which errors came within the last hour? The latest first."""
        with self._lock:
            found = self._of_last_hour(datetime.now(UTC))
        times: dict[str, list[datetime]] = {}
        for at, sentence, _ in found:
            times.setdefault(sentence, []).append(at)
        each = [Recurring(sentence, len(ats), max(ats)) for sentence, ats in times.items()]
        return sorted(each, key=lambda one: one.last_at, reverse=True)

    def _of_last_hour(self, now: datetime) -> list[tuple[datetime, str, str]]:
        while self._errors and now - self._errors[0][0] > AN_HOUR:
            self._errors.popleft()
        return list(self._errors)


ACTIVITY = Activity()

"""Search in JSON documents: the newest requests first, a little at a time, until stopped.

Searching a document takes some 50 µs, so a window of a million requests takes a minute. No one
waits that long for one statement: `scan` runs short ones for about as long as it may, and reports
how far it has come. No row is read twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import Row, and_, func, select

from tracelib import errors
from tracelib.filters import Filters
from tracelib.selection import RowId
from tracelib.sessions.document_search import next_requests, position_of, requests_by_index, walked
from tracelib.sessions.figures import figures
from tracelib.sessions.matching import of_sessions, requests_in
from tracelib.sessions.search import SessionSearch
from tracelib.source import Postgres

MOST_FOUND = 200
MOST_COUNTED = 1_000_000
# Short statements: a search can stop between two of them, and the load is short.
SECONDS_A_CHUNK = 0.3
FIRST_CHUNK = 200
LARGEST_CHUNK = 5_000
SHOWN_AS = {
    "cost": "cost_usd",
    "length": "requests",
    "errors": "failures",
    "duration": "duration_ms",
    "tokens": "total_tokens",
}


class Match(NamedTuple):
    """A session that matches, the request that completed the match, and when it started."""

    session_key: str
    session_id: str
    request_id: str
    at: datetime

    @property
    def row(self) -> RowId:
        """Which row of the log the request is."""
        return RowId(self.request_id, self.at)


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """The progress of a search, and all that is needed to continue it.

    `requests_in_window` is None for more than 1,000,000; `is_read` says that all of them are read,
    `uses_index` that an index of the database led to the few that were needed.

    To continue: `found` are the sessions found, from newer requests to older ones; those beyond the
    `most` that are shown wait until more are requested. `last` is the position of the oldest
    request read, `read_back_to` its start, `chunk` how many are read next, `met` which of the
    conditions each session has met, one bit each.
    """

    found: tuple[Match, ...] = ()
    most: int = MOST_FOUND
    requests_read: int = 0
    requests_in_window: int | None = None
    read_back_to: datetime | None = None
    seconds: float = 0.0
    is_read: bool = False
    uses_index: bool = False
    last: tuple[datetime, str] | None = None
    chunk: int = FIRST_CHUNK
    met: Mapping[str, int] = field(default_factory=dict, repr=False)

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """The sessions to show: pairs of session key and session ID, in the order found."""
        return tuple((one.session_key, one.session_id) for one in self.found[: self.most])

    @property
    def is_capped(self) -> bool:
        """Did it stop because it has found more than it may show?"""
        return len(self.found) > self.most

    @property
    def is_finished(self) -> bool:
        """Is everything read, and everything found shown?"""
        return self.is_read and not self.is_capped

    @property
    def reached(self) -> datetime | None:
        """After which moment are all matches among `keys`? None if nothing was read."""
        return self.found[self.most - 1].at if self.is_capped else self.read_back_to

    def with_more(self) -> "Scan":
        """The same search, which may show 200 more sessions."""
        return replace(self, most=self.most + MOST_FOUND)


def scan(
    source: Postgres,
    filters: Filters,
    search: SessionSearch,
    so_far: Scan | None = None,
    for_seconds: float = 1.0,
) -> Scan:
    """Which sessions match, after reading for about this many more seconds?

    For a search that `needs_scan`. A session matches once each condition on documents is met by a
    request of it within the filters, and the rest of the search by the session. `so_far` is an
    earlier result of the same search, whose window may have ended earlier; one that is finished or
    capped is returned as it is, unless it may find more. Otherwise at least one statement is run.
    Raises a TraceError.
    """
    began = monotonic()
    reached = so_far or _begun(source, filters, search)
    while not (reached.is_finished or reached.is_capped):
        reached = _read_on(source, filters, search, reached)
        if monotonic() - began >= for_seconds:
            break
    before = so_far.seconds if so_far else 0.0
    return replace(reached, seconds=before + monotonic() - began)


def scanned_sessions(
    source: Postgres, filters: Filters, search: SessionSearch, scan: Scan
) -> pd.DataFrame:
    """What are the figures of the sessions that were found so far?

    The columns of `SessionPage.rows`, in the order of `search.sort` among those found; the most
    recent first are those found first.
    """
    frame = figures(source, filters, scan.keys)
    if search.sort not in SHOWN_AS:
        return frame
    column = SHOWN_AS[search.sort]
    return frame.sort_values(column, ascending=False, kind="stable", ignore_index=True)


def _begun(source: Postgres, filters: Filters, search: SessionSearch) -> Scan:
    """A new scan. If an index leads to the requests, it is finished at once."""
    begun = Scan(requests_in_window=_requests_in_window(source, filters))
    read = requests_by_index(source, filters, search)
    if read is None:
        return begun
    walk = walked(source, search, read, {})
    if not walk.is_whole:
        return begun
    return replace(
        begun,
        found=tuple(
            _matching_sessions(source, filters, search, [_found(row) for row in walk.complete])
        ),
        requests_read=len(read),
        read_back_to=filters.window.start,
        is_read=True,
        uses_index=True,
    )


def _found(row: Row[Any]) -> Match:
    return Match(row.session_key, row.session_id, row.request_id, row.started_at)


def _requests_in_window(source: Postgres, filters: Filters) -> int | None:
    some = select(source.requests(filters).c.request_id).limit(MOST_COUNTED + 1).subquery()
    count = int(source.row(select(func.count()).select_from(some))[0])
    return count if count <= MOST_COUNTED else None


def _read_on(source: Postgres, filters: Filters, search: SessionSearch, so_far: Scan) -> Scan:
    began = monotonic()
    try:
        read = source.rows(next_requests(source, filters, search, so_far.last, so_far.chunk))
        walk = walked(source, search, read, so_far.met)
        new = _matching_sessions(source, filters, search, [_found(row) for row in walk.complete])
    except errors.QuestionTooSlow:
        if so_far.chunk == 1:
            raise
        return replace(so_far, chunk=max(1, so_far.chunk // 4))
    last = walk.last
    count = last.position if last else 0
    is_read = walk.is_whole and count < so_far.chunk
    return replace(
        so_far,
        found=(*so_far.found, *new),
        met=walk.met,
        requests_read=so_far.requests_read + count,
        read_back_to=filters.window.start if is_read or not last else last.started_at,
        last=position_of(last) if last else so_far.last,
        is_read=is_read,
        chunk=_next_chunk(so_far.chunk, monotonic() - began),
    )


def _matching_sessions(
    source: Postgres, filters: Filters, search: SessionSearch, complete: Sequence[Match]
) -> Sequence[Match]:
    """Which of these sessions meet the rest of the search, too?"""
    requests = requests_in(source, filters, search, sorted({one.session_id for one in complete}))
    conditions = of_sessions(requests, search)
    if not complete or not conditions:
        return complete
    statement = (
        select(requests.c.session_key)
        .where(requests.c.session_key.in_([one.session_key for one in complete]))
        .group_by(requests.c.session_key)
        .having(and_(*conditions))
    )
    matching = {row.session_key for row in source.rows(statement)}
    return [one for one in complete if one.session_key in matching]


def _next_chunk(chunk: int, took_s: float) -> int:
    """
    >>> _next_chunk(200, 0.01), _next_chunk(200, 1.0), _next_chunk(5_000, 0.2)
    (800, 60, 5000)
    """
    fitting = chunk * min(4.0, SECONDS_A_CHUNK / max(took_s, 0.001))
    return min(LARGEST_CHUNK, max(1, int(fitting)))

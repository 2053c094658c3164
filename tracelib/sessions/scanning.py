"""Search in JSON documents: the newest requests first, a little at a time, until told to stop.

To search a document takes some 50 µs, so a window of a million requests takes a minute. Nobody
waits for that in front of one statement: `scan` reads on in short ones for about as long as it
may, and says how far it has come. No row is read twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import Any

import pandas as pd
from sqlalchemy import Row, and_, func, select

from tracelib import errors
from tracelib.filters import Filters
from tracelib.sessions.chunks import next_requests, requests_by_index
from tracelib.sessions.figures import figures
from tracelib.sessions.matching import requests_in
from tracelib.sessions.narrowing import of_sessions
from tracelib.sessions.search import SessionSearch
from tracelib.source import Source

MOST_FOUND = 200
MOST_COUNTED = 1_000_000
# Short statements: they can be given up between two of them, and load nobody for long.
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


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """How far the search has come, and all that it takes to go on.

    `keys` are the sessions found, pairs of session key and session id, as they were found:
    from newer requests to older ones. Everything from `reached` on is read; None where
    nothing is yet. `requests_in_window` is None where they are more than 1,000,000.
    `is_finished` says that all is read, `is_capped` that it stopped at 200 sessions,
    `uses_index` that an index of the database led to the few requests read.

    To go on: `last` is the place of the oldest request read, `chunk` how many come next, `met`
    which of the conditions each session has met, a bit for each.
    """

    keys: tuple[tuple[str, str], ...] = ()
    requests_read: int = 0
    requests_in_window: int | None = None
    reached: datetime | None = None
    seconds: float = 0.0
    is_finished: bool = False
    is_capped: bool = False
    uses_index: bool = False
    last: tuple[datetime, str] | None = None
    chunk: int = FIRST_CHUNK
    met: Mapping[str, int] = field(default_factory=dict, repr=False)


def scan(
    source: Source,
    filters: Filters,
    search: SessionSearch,
    so_far: Scan | None = None,
    for_seconds: float = 1.0,
) -> Scan:
    """Which sessions are found, after reading for about so many seconds more?

    For a search that `needs_scan`. A session is found once each condition on documents is met
    by a request of it that the filters choose, and the rest of the search by the session.
    `so_far` is an earlier answer to the same question, whose window may have ended earlier;
    one that is finished or capped comes back as it is. At least one statement is asked.
    Raises a TraceError.
    """
    began = monotonic()
    found = so_far or _begun(source, filters, search)
    while not (found.is_finished or found.is_capped):
        found = _read_on(source, filters, search, found)
        if monotonic() - began >= for_seconds:
            break
    before = so_far.seconds if so_far else 0.0
    return replace(found, seconds=before + monotonic() - began)


def scanned_sessions(
    source: Source, filters: Filters, search: SessionSearch, scan: Scan
) -> pd.DataFrame:
    """What do the sessions hold that were found so far?

    The columns of `SessionPage.rows`, in the order of `search.sort` among those found; the
    most recent first are those found first.
    """
    frame = figures(source, filters, scan.keys)
    if search.sort not in SHOWN_AS:
        return frame
    column = SHOWN_AS[search.sort]
    return frame.sort_values(column, ascending=False, kind="stable", ignore_index=True)


def _begun(source: Source, filters: Filters, search: SessionSearch) -> Scan:
    """Where an index leads to the requests, the scan is over before it begins."""
    begun = Scan(requests_in_window=_requests_in_window(source, filters))
    read = requests_by_index(source, filters, search)
    if read is None:
        return begun
    complete = list(dict.fromkeys((row.session_key, row.session_id) for row in read))
    keys = tuple(_sought(source, filters, search, complete)[:MOST_FOUND])
    is_capped = len(keys) == MOST_FOUND
    return replace(
        begun,
        keys=keys,
        requests_read=len(read),
        reached=filters.window.start,
        is_finished=not is_capped,
        is_capped=is_capped,
        uses_index=True,
    )


def _requests_in_window(source: Source, filters: Filters) -> int | None:
    some = select(source.requests(filters).c.request_id).limit(MOST_COUNTED + 1).subquery()
    count = int(source.row(select(func.count()).select_from(some))[0])
    return count if count <= MOST_COUNTED else None


def _read_on(source: Source, filters: Filters, search: SessionSearch, found: Scan) -> Scan:
    began = monotonic()
    try:
        read = source.rows(next_requests(source, filters, search, found.last, found.chunk))
        complete, met = _completed(read, found.met, search)
        new = _sought(source, filters, search, complete)
    except errors.QuestionTooSlow:
        if found.chunk == 1:
            raise
        return replace(found, chunk=max(1, found.chunk // 4))
    count = read[-1].requests if read else 0
    is_finished = count < found.chunk
    last = (read[-1].start_order, read[-1].request_id) if read else found.last
    keys = (*found.keys, *new)[:MOST_FOUND]
    return replace(
        found,
        keys=keys,
        met=met,
        requests_read=found.requests_read + count,
        reached=filters.window.start if is_finished else read[-1].started_at,
        last=last,
        is_finished=is_finished,
        is_capped=len(keys) == MOST_FOUND,
        chunk=_next_chunk(found.chunk, monotonic() - began),
    )


def _completed(
    read: Sequence[Row[Any]], met_before: Mapping[str, int], search: SessionSearch
) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Which sessions have met every condition now, and what has each met so far?"""
    every = (1 << len(search.in_documents)) - 1
    met, complete = dict(met_before), []
    for row in read:
        before = met.get(row.session_key, 0)
        if row.met | before != before:
            met[row.session_key] = row.met | before
            if met[row.session_key] == every:
                complete.append((row.session_key, row.session_id))
    return complete, met


def _sought(
    source: Source, filters: Filters, search: SessionSearch, keys: Sequence[tuple[str, str]]
) -> Sequence[tuple[str, str]]:
    """Which of these sessions does the rest of the search want, too?"""
    requests = requests_in(source, filters, search, sorted({session_id for _, session_id in keys}))
    asked = of_sessions(requests, search)
    if not keys or not asked:
        return keys
    statement = (
        select(requests.c.session_key)
        .where(requests.c.session_key.in_([session_key for session_key, _ in keys]))
        .group_by(requests.c.session_key)
        .having(and_(*asked))
    )
    sought = {row.session_key for row in source.rows(statement)}
    return [key for key in keys if key[0] in sought]


def _next_chunk(chunk: int, took_s: float) -> int:
    """
    >>> _next_chunk(200, 0.01), _next_chunk(200, 1.0), _next_chunk(5_000, 0.2)
    (800, 60, 5000)
    """
    fitting = chunk * min(4.0, SECONDS_A_CHUNK / max(took_s, 0.001))
    return min(LARGEST_CHUNK, max(1, int(fitting)))

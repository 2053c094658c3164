"""The list of sessions, a page at a time, and how many there were over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Row, Select, Subquery, and_, func, literal, or_, select
from sqlalchemy.types import DateTime

from tracelib.filters import Filters
from tracelib.sessions.cursor import Cursor, Listed, read_cursor
from tracelib.sessions.figures import figures, figures_by_number, in_order
from tracelib.sessions.lookup import newest_sessions
from tracelib.sessions.matching import SORTED_BY, of_sessions, searched_requests
from tracelib.sessions.search import SessionSearch
from tracelib.source import Numbered, Postgres, Source
from tracelib.spendlogs.buckets import in_buckets
from tracelib.spendlogs.conditions import shown_key
from tracelib.spendlogs.figures import chosen
from tracelib.spendlogs.measures import alphabetical
from tracelib.spendlogs.replicated import session_number
from tracelib.spendlogs.types import believable
from tracelib.window import Bucket, TimeWindow, bucket_starts

MOST_COUNTED = 10_000
# Read beyond a page of the list, in case the sessions at its end differ only by their keys.
SPARE = 50
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True, eq=False)
class SessionPage:
    """Some sessions, the cursor of the next page, and what was wrong with the requested cursor."""

    rows: pd.DataFrame
    next: str | None
    complaint: str | None


def found_sessions(
    source: Source,
    filters: Filters,
    search: SessionSearch,
    after: str | None = None,
    limit: int = 50,
) -> SessionPage:
    """Which sessions match, from the end of the page before?

    `after` is the `next` of the page before; one that is forged or belongs to another order gives
    the first page and a complaint. A row per session, the greatest of `search.sort` first, ties by
    the latest start, then by session_key, at most `limit`:

        session_key, session_id, api_key           identifies a session
        key_name, user, user_name, team, team_name, agent, end_user
        models                   text, the first five names in order and how many more
        started_at, last_started_at, ended_at   aware UTC, first and last start, last end
        requests, failures, cache_hits, total_tokens, cost_usd      int, US dollars
        duration_ms              ended_at - started_at; None if negative
        goes_on                  whether it has requests before or after the window; None
                                 if no index on session_id can decide

    The figures are those of its requests in the window that pass the filters, so that they add up
    to Overview's; those of a session found by its ID are of the whole session. Conditions on
    documents are left out: a search that `needs_scan` is one for `scan`. No session gives the same
    columns without rows.
    """
    cursor, complaint = read_cursor(after, search.sort)
    if isinstance(source, Numbered):
        found, rows = _by_number(source, filters, search, cursor, limit + 1)
    else:
        found, rows = _by_key(source, filters, search, cursor, limit + 1)
    more = _cursor(found[limit - 1], search.sort) if len(found) > limit else None
    return SessionPage(rows.head(limit), more, complaint)


def session_counts(source: Source, filters: Filters, search: SessionSearch) -> int | None:
    """How many sessions match? None for more than 10,000."""
    requests = searched_requests(source, filters, search)
    grouped = _matching(requests, search, requests.c.session_group)
    found = grouped.limit(MOST_COUNTED + 1).subquery()
    count = int(source.row(select(func.count()).select_from(found))[0])
    return count if count <= MOST_COUNTED else None


def _by_key(
    source: Source, filters: Filters, search: SessionSearch, cursor: Cursor | None, limit: int
) -> tuple[Sequence[Listed], pd.DataFrame]:
    """The sessions after the cursor, at most `limit`, and the figures of all but the last."""
    found = _listed_rows(source, filters, search, cursor, limit)
    keys = [(row.session_key, row.session_id) for row in found[: limit - 1]]
    return found, figures(source, None if search.id else filters, keys)


def _listed_rows(
    source: Source, filters: Filters, search: SessionSearch, cursor: Cursor | None, limit: int
) -> Sequence[Listed]:
    """The sessions by the cheapest plan."""
    if search == SessionSearch() and isinstance(source, Postgres):
        newest = newest_sessions(source, filters, cursor, limit)
        if newest is not None:
            return newest
    requests = searched_requests(source, filters, search)
    rows = source.rows(_found_keys(requests, search, cursor, limit))
    return [Listed._make(row) for row in rows]


def _found_keys(
    requests: Subquery, search: SessionSearch, cursor: Cursor | None, limit: int
) -> Select[Any]:
    by = (requests.c.session_id, requests.c.key_group)
    grouped = _matching(requests, search, *by).subquery("grouped")
    session_key = grouped.c.session_id.concat(":").concat(shown_key(grouped.c.key_group))
    found = select(*grouped.c, session_key.label("session_key")).subquery("found")
    order = (found.c.sort_value, found.c.last_start, alphabetical(found.c.session_key))
    statement = select(
        found.c.session_key, found.c.session_id, found.c.sort_value, found.c.last_start
    )
    if cursor:
        statement = statement.where(cursor.is_before(*order))
    return statement.order_by(order[0].desc(), order[1].desc(), order[2]).limit(limit)


def _by_number(
    source: Numbered, filters: Filters, search: SessionSearch, cursor: Cursor | None, limit: int
) -> tuple[Sequence[Listed], pd.DataFrame]:
    """The same from a replica, where keys and figures are read only for what may be on the page."""
    found = _latest(source, filters, search, cursor, limit)
    by_number = {row.session_group: row for row in found}
    rows = figures_by_number(source, filters, [*by_number])
    known = zip(rows["session_key"], rows["session_id"], strict=True)
    listed = [
        Listed(session_key, session_id, row.sort_value, row.last_start)
        for session_key, session_id in known
        for row in [by_number[session_number(session_key)]]
        if not (cursor and row.is_same and session_key <= cursor.session_key)
    ]
    # A stable sort, the last key first: Python compares text by code point, as the database does.
    listed.sort(key=lambda one: one.session_key)
    listed.sort(key=lambda one: (one.sort_value, one.last_start), reverse=True)
    del listed[limit:]
    return listed, in_order(rows, [one.session_key for one in listed])


def _latest(
    source: Numbered, filters: Filters, search: SessionSearch, cursor: Cursor | None, limit: int
) -> list[Row[Any]]:
    """The most recent sessions are those of the last hour, or day, if these have enough."""
    start, end = filters.window.start, filters.window.end
    # A cursor may be of any time.
    last = min(cursor.last_start.replace(tzinfo=UTC), end) if cursor else end
    for span in (HOUR, DAY) if search == SessionSearch() else ():
        if last - start <= span:
            break
        latest = filters.within(TimeWindow(last - span, end))
        found = _numbered(source, latest, search, cursor, limit)
        if sum(not row.is_same for row in found) >= limit:
            return found
    return _numbered(source, filters, search, cursor, limit)


def _numbered(
    source: Numbered, filters: Filters, search: SessionSearch, cursor: Cursor | None, limit: int
) -> list[Row[Any]]:
    """The numbers of the sessions that may be among the first `limit` after the cursor.

    Their keys decide among those at the cursor's place, and among those at the last one's.
    """
    requests = searched_requests(source, filters, search)
    grouped = _matching(requests, search, requests.c.session_group).subquery("grouped")
    place = (grouped.c.sort_value, grouped.c.last_start)
    is_same = cursor.is_at(*place) if cursor else literal(False)
    statement = select(*grouped.c, is_same.label("is_same"))
    if cursor:
        statement = statement.where(or_(is_same, cursor.is_above(*place)))
    ordered = statement.order_by(*(one.desc() for one in place))
    read = limit + SPARE
    while True:
        found = source.rows(ordered.limit(read))
        places = [(row.sort_value, row.last_start) for row in found]
        later = [at for row, at in zip(found, places, strict=True) if not row.is_same]
        last = later[limit - 1] if len(later) >= limit else None
        if len(found) < read or (last and places[-1] != last):
            break
        read *= 10
    return [row for row, at in zip(found, places, strict=True) if last is None or at >= last]


def _matching(requests: Subquery, search: SessionSearch, *by: ColumnElement[Any]) -> Select[Any]:
    """Only what narrows and sorts: the figures are read for the sessions of one page only."""
    return (
        select(
            *by,
            SORTED_BY[search.sort](requests).label("sort_value"),
            believable(func.max(requests.c.start_order)).label("last_start"),
        )
        .group_by(*by)
        .having(and_(True, *of_sessions(requests, search)))
    )


def _cursor(last: Listed, sort: str) -> str:
    value = last.sort_value
    text = value.isoformat() if sort == "recent" else str(value)
    return Cursor(sort, text, last.last_start, last.session_key).written()


def sessions_over_time(
    source: Source, filters: Filters, search: SessionSearch, bucket: Bucket
) -> pd.DataFrame:
    """How many sessions match, and when were they last active?

    A row per bucket of `window.bucket_starts`, in order, none missing, 0 for none:

        bucket           its start, aware UTC
        sessions         int, those whose newest request in the window is in the bucket
        with_failures    int, those of them with a failed request in the window

    The sum over the buckets is `session_counts` without its limit, except for a search by ID: that
    finds sessions outside the window, too, which have no bucket.
    """
    starts = bucket_starts(filters.window, bucket, filters.zone)
    found = _by_session(searched_requests(source, filters, search), search)
    counted = source.frame(_counted(in_buckets(found, filters, bucket)))
    frame = counted.set_index("bucket_number").reindex(range(len(starts)), fill_value=0)
    frame = frame.reset_index(drop=True)
    frame.insert(0, "bucket", pd.Series(starts, dtype="datetime64[us, UTC]"))
    return frame


def _by_session(requests: Subquery, search: SessionSearch) -> Subquery:
    """A row per session; the bucket is computed for its newest request only."""
    return (
        select(
            func.max(requests.c.start_order, type_=DateTime()).label("start_order"),
            *chosen(requests, "failures"),
        )
        .group_by(requests.c.session_group)
        .having(and_(True, *of_sessions(requests, search)))
        .subquery("found")
    )


def _counted(sessions: Subquery) -> Select[Any]:
    number = sessions.c.bucket_number
    return select(
        number,
        func.count().label("sessions"),
        func.count().filter(sessions.c.failures > 0).label("with_failures"),
    ).group_by(number)

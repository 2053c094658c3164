"""The list of sessions, a page at a time, and how many there were over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Row, Select, Subquery, and_, func, select
from sqlalchemy.types import DateTime

from tracelib.filters import Filters
from tracelib.sessions.cursor import Cursor, read_cursor
from tracelib.sessions.figures import figures
from tracelib.sessions.lookup import newest_sessions
from tracelib.sessions.matching import SORTED_BY, of_sessions, searched_requests
from tracelib.sessions.search import SessionSearch
from tracelib.source import Source
from tracelib.spendlogs.buckets import in_buckets
from tracelib.spendlogs.conditions import shown_key
from tracelib.spendlogs.figures import chosen
from tracelib.window import Bucket, bucket_starts

MOST_COUNTED = 10_000


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
    session_key, at most `limit`:

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
    found = _listed_rows(source, filters, search, cursor, limit + 1)
    rows = figures(source, None if search.id else filters, _keys(found[:limit]))
    more = _cursor(found[limit - 1], search.sort) if len(found) > limit else None
    return SessionPage(rows, more, complaint)


def session_counts(source: Source, filters: Filters, search: SessionSearch) -> int | None:
    """How many sessions match? None for more than 10,000."""
    requests = searched_requests(source, filters, search)
    found = _matching(requests, search).limit(MOST_COUNTED + 1).subquery()
    count = int(source.row(select(func.count()).select_from(found))[0])
    return count if count <= MOST_COUNTED else None


def _listed_rows(
    source: Source, filters: Filters, search: SessionSearch, cursor: Cursor | None, limit: int
) -> Sequence[Row[Any]]:
    """Session key, session ID and sort value of a page's sessions, by the cheapest plan."""
    if search == SessionSearch():
        newest = newest_sessions(source, filters, cursor, limit)
        if newest is not None:
            return newest
    requests = searched_requests(source, filters, search)
    return source.rows(_found_keys(requests, search, cursor, limit))


def _found_keys(
    requests: Subquery, search: SessionSearch, cursor: Cursor | None, limit: int
) -> Select[Any]:
    grouped = _matching(requests, search).subquery("grouped")
    session_key = grouped.c.session_id.concat(":").concat(shown_key(grouped.c.key_group))
    found = select(*grouped.c, session_key.label("session_key")).subquery("found")
    statement = select(found.c.session_key, found.c.session_id, found.c.sort_value)
    if cursor:
        statement = statement.where(cursor.is_before(found.c.sort_value, found.c.session_key))
    return statement.order_by(found.c.sort_value.desc(), found.c.session_key).limit(limit)


def _matching(requests: Subquery, search: SessionSearch) -> Select[Any]:
    """Only what narrows and sorts: the figures are read for the sessions of one page only."""
    return (
        select(
            requests.c.session_id,
            requests.c.key_group,
            SORTED_BY[search.sort](requests).label("sort_value"),
        )
        .group_by(requests.c.session_id, requests.c.key_group)
        .having(and_(True, *of_sessions(requests, search)))
    )


def _keys(found: Sequence[Row[Any]]) -> list[tuple[str, str]]:
    return [(row.session_key, row.session_id) for row in found]


def _cursor(last: Row[Any], sort: str) -> str:
    value = last.sort_value
    text = value.isoformat() if sort == "recent" else str(value)
    return Cursor(sort, text, last.session_key).written()


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

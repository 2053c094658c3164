"""The newest sessions, read along the index on the start rather than out of the whole window.

A session stands in the list where its newest request does. So the newest requests tell the
newest sessions, however long the window is: a page takes milliseconds where grouping two
million requests takes seconds.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.types import DateTime

from tracelib.filters import Filters
from tracelib.sessions.cursor import Cursor
from tracelib.source import Source
from tracelib.spendlogs import conditions

REQUESTS_A_SESSION = 20


def newest_sessions(
    source: Source, filters: Filters, cursor: Cursor | None, limit: int
) -> Sequence[Row[Any]] | None:
    """Which sessions had a request last, from the cursor on? None where a few do not tell.

    Rows of session_key, session_id and sort_value, the newest first, ties by key. It takes
    the whole window after all where long sessions fill the newest requests.
    """
    if cursor and source.schema.has("session_id") and not source.schema.is_indexed("session_id"):
        return None
    most = limit * REQUESTS_A_SESSION
    read = source.rows(_among_newest(source, filters, cursor, most))
    is_all = sum(row.requests for row in read) < most
    # The oldest moment may have been cut in two; what lies after it is complete.
    reach = min((row.oldest for row in read), default=None)
    told = [row for row in read if is_all or row.sort_value > reach]
    seen = _seen_before(source, filters, cursor, told) if cursor else set()
    found = [row for row in told if row.session_key not in seen]
    return found[:limit] if is_all or len(found) >= limit else None


def _among_newest(
    source: Source, filters: Filters, cursor: Cursor | None, most: int
) -> Select[Any]:
    requests = source.requests(filters)
    newest = select(requests.c.session_key, requests.c.session_id, requests.c.started_at)
    if cursor:
        last = func.timezone("UTC", cursor.bound(), type_=DateTime())
        newest = newest.where(requests.c.start_order <= last)
    some = newest.order_by(requests.c.start_order.desc()).limit(most).subquery("newest")
    last_start = func.max(some.c.started_at)
    statement = select(
        some.c.session_key,
        func.min(some.c.session_id).label("session_id"),
        last_start.label("sort_value"),
        func.min(some.c.started_at).label("oldest"),
        func.count().label("requests"),
    ).group_by(some.c.session_key)
    return statement.order_by(last_start.desc(), some.c.session_key)


def _seen_before(
    source: Source, filters: Filters, cursor: Cursor, told: Sequence[Row[Any]]
) -> set[str]:
    """Which of these stood on an earlier page, for a newer request or an earlier key?"""
    requests = source.by_id("session_id", sorted({row.session_id for row in told}))
    last_start = func.max(requests.c.started_at)
    listed = (
        select(requests.c.session_key)
        .where(*conditions.passes(requests, filters))
        .group_by(requests.c.session_key)
        .having(~cursor.is_before(last_start, requests.c.session_key))
    )
    return {row.session_key for row in source.rows(listed)}

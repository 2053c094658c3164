"""The strip above the list: when the sessions found were last active."""

from typing import Any

import pandas as pd
from sqlalchemy import Select, Subquery, and_, func, select
from sqlalchemy.types import DateTime

from tracelib.filters import Filters
from tracelib.sessions.matching import searched_requests
from tracelib.sessions.narrowing import of_sessions
from tracelib.sessions.search import SessionSearch
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.buckets import in_buckets
from tracelib.window import Bucket, bucket_starts


def sessions_over_time(
    source: Source, filters: Filters, search: SessionSearch, bucket: Bucket
) -> pd.DataFrame:
    """How many sessions are found, and when were they last active?

    A row a bucket of `window.bucket_starts`, in order, none missing, 0 where none:

        bucket           its start, aware UTC
        sessions         int, those whose newest request in the window lies in the bucket
        with_failures    int, those of them with a failed request in the window

    The sum over the buckets is `session_counts` without its limit, but for a search by id:
    that finds sessions outside the window, too, which have no bucket.
    """
    starts = bucket_starts(filters.window, bucket, filters.zone)
    found = _by_session(searched_requests(source, filters, search), search)
    counted = source.frame(_counted(in_buckets(found, filters, bucket)))
    frame = counted.set_index("bucket_number").reindex(range(len(starts)), fill_value=0)
    frame = frame.reset_index(drop=True)
    frame.insert(0, "bucket", pd.Series(starts, dtype="datetime64[us, UTC]"))
    return frame


def _by_session(requests: Subquery, search: SessionSearch) -> Subquery:
    """A row a session; the bucket is worked out for its newest request alone."""
    return (
        select(
            func.max(requests.c.start_order, type_=DateTime()).label("start_order"),
            measures.failures(requests).label("failures"),
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

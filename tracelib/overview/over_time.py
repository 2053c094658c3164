"""The traffic over the window, and over the hours of the week."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Select, Subquery, func, select
from sqlalchemy.types import DateTime

from tracelib.filters import Filters
from tracelib.overview.totals import SessionCounts
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.buckets import WEEK_H, in_buckets, in_hours_of_week
from tracelib.spendlogs.figures import FIGURES, METRICS, chosen, grouped
from tracelib.window import Bucket, bucket_starts

SERIES = tuple(METRICS.values())
# 0 in a bucket without requests; other figures are unknown there.
SUMS = tuple(name for name in SERIES if FIGURES[name].is_sum)
BEGUN = ("new_sessions", "continued_sessions")
# The hours are counted from a Thursday.
MONDAY_TO_THURSDAY_H = 72


def over_time(source: Source, filters: Filters, bucket: Bucket) -> pd.DataFrame:
    """How did requests, cost, tokens and times develop over the window?

    A row per bucket of `window.bucket_starts`, in order, none missing:

        bucket         its start, aware UTC
        each figure of `METRICS`, under its name in `FIGURES`

    In a bucket without requests its sums are 0 and the rest NaN. Every sum over the buckets is that
    of `totals`.
    """
    requests = in_buckets(source.requests(filters), filters, bucket)
    return _every_bucket(source.frame(_traffic(requests)), filters, bucket, SUMS)


def new_sessions(source: Source, filters: Filters, bucket: Bucket) -> pd.DataFrame:
    """When did the sessions of the window begin?

    A row per bucket of `window.bucket_starts`, in order, none missing:

        bucket                its start, aware UTC
        new_sessions          int, sessions whose first request in the window is in the bucket
        continued_sessions    int, those of them with more than one request in the window

    The sums over the buckets are `sessions`.
    """
    begun = in_buckets(_first_starts(source.requests(filters)), filters, bucket)
    return _every_bucket(source.frame(_begun(begun)), filters, bucket, BEGUN)


def sessions_in(new_sessions: pd.DataFrame) -> SessionCounts:
    """How many sessions had a request in the window? As `sessions`, without another query."""
    counts = (int(new_sessions[name].sum()) for name in BEGUN)
    return SessionCounts(*counts)


def busy_hours(source: Source, filters: Filters) -> pd.DataFrame:
    """In which hours of the week are requests sent?

    All 168 hours of the viewer's week in order, 0 for none:

        weekday     int, 0 is Monday
        hour        int, 0 to 23, on the clock of `filters.zone`
        requests    int, including failures
        cost_usd    US dollars
    """
    found = source.frame(_by_hour_of_week(in_hours_of_week(source.requests(filters), filters)))
    slots = (found.pop("hour_of_week").astype(int) + MONDAY_TO_THURSDAY_H) % WEEK_H
    frame = found.set_index(slots).reindex(range(WEEK_H))
    frame = frame.fillna({"requests": 0, "cost_usd": 0}).reset_index(drop=True)
    frame.insert(0, "weekday", frame.index // 24)
    frame.insert(1, "hour", frame.index % 24)
    return frame


def _every_bucket(
    found: pd.DataFrame, filters: Filters, bucket: Bucket, sums: Sequence[str]
) -> pd.DataFrame:
    """A row per bucket, of rows with the number of theirs; where there is none, sums are 0."""
    starts = bucket_starts(filters.window, bucket, filters.zone)
    frame = found.set_index("bucket_number").reindex(range(len(starts)))
    frame = frame.fillna(dict.fromkeys(sums, 0)).reset_index(drop=True)
    frame.insert(0, "bucket", pd.Series(starts, dtype="datetime64[us, UTC]"))
    return frame


def _traffic(requests: Subquery) -> Select[Any]:
    return grouped(requests, [requests.c.bucket_number], *SERIES)


def _first_starts(requests: Subquery) -> Subquery:
    """When did the first request of each session start, and how many has it?

    The bucket is computed for that start only.
    """
    first = func.min(requests.c.start_order, type_=DateTime())
    each = select(first.label("start_order"), *chosen(requests, "requests"))
    return each.group_by(requests.c.session_group).subquery("sessions")


def _begun(sessions: Subquery) -> Select[Any]:
    number = sessions.c.bucket_number
    continued = func.count().filter(sessions.c.requests > 1)
    counts = measures.named(new_sessions=func.count(), continued_sessions=continued)
    return select(number, *counts).group_by(number)


def _by_hour_of_week(requests: Subquery) -> Select[Any]:
    hour = requests.c.hour_of_week
    return select(hour, *chosen(requests, "requests", "cost_usd")).group_by(hour).order_by(hour)

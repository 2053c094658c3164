"""The traffic over the window, and over the hours of the week."""

from typing import Any

import pandas as pd
from sqlalchemy import Select, Subquery, func, select
from sqlalchemy.types import DateTime, Integer

from tracelib.filters import Filters
from tracelib.overview.totals import SessionCounts
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.buckets import WEEK_H, in_buckets, in_hours_of_week
from tracelib.spendlogs.figures import FIGURES, METRICS, chosen, grouped
from tracelib.window import Bucket, bucket_starts

SERIES = tuple(METRICS.values())
# 0 in a bucket without requests; the others are unknown there.
BEGUN = ("new_sessions", "continued_sessions")
SUMS = (*(name for name in SERIES if FIGURES[name].is_sum), *BEGUN)
# The hours are counted from a Thursday.
MONDAY_TO_THURSDAY_H = 72


def over_time(source: Source, filters: Filters, bucket: Bucket) -> pd.DataFrame:
    """How did requests, cost, tokens, times and sessions develop over the window?

    A row per bucket of `window.bucket_starts`, in order, none missing:

        bucket         its start, aware UTC
        each figure of `METRICS`, under its name in `FIGURES`
        new_sessions          int, sessions whose first request in the window is in the bucket
        continued_sessions    int, those of them with more than one request in the window

    In a bucket without requests its sums are 0 and the rest NaN. Every sum over the buckets is that
    of `totals`; those of sessions are `sessions`.
    """
    starts = bucket_starts(filters.window, bucket, filters.zone)
    found = source.frame(_over_time(source.requests(filters), filters, bucket))
    frame = found.set_index("bucket_number").reindex(range(len(starts)))
    frame = frame.fillna(dict.fromkeys(SUMS, 0)).reset_index(drop=True)
    frame.insert(0, "bucket", pd.Series(starts, dtype="datetime64[us, UTC]"))
    return frame


def sessions_in(over_time: pd.DataFrame) -> SessionCounts:
    """How many sessions had a request in the window? As `sessions`, without another query."""
    counts = (int(over_time[name].sum()) for name in BEGUN)
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


def _over_time(requests: Subquery, filters: Filters, bucket: Bucket) -> Select[Any]:
    traffic = _traffic(in_buckets(requests, filters, bucket)).subquery("traffic")
    begun = _begun(in_buckets(_first_starts(requests), filters, bucket)).subquery("begun")
    joined = traffic.outerjoin(begun, begun.c.bucket_number == traffic.c.bucket_number)
    counts = (func.coalesce(begun.c[name], 0, type_=Integer()).label(name) for name in BEGUN)
    return select(*traffic.c, *counts).select_from(joined).order_by(traffic.c.bucket_number)


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

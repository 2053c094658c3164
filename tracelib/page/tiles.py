"""The row of figures that Overview opens with."""

from datetime import datetime
from statistics import fmean

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.asking.memory import Answer
from tracelib.filters import Filters
from tracelib.overview import SessionCounts, Totals
from tracelib.page.cards import tile, unanswered

MOST_POINTS = 60


def why_no_change(earlier: Filters, log_start: Answer[datetime | None]) -> str | None:
    """Why is nothing compared with this earlier window? None where the log covers all of it."""
    if log_start.value is None:
        return "No change is shown: the start of the log is unknown."
    if log_start.value <= earlier.window.start:
        return None
    began, start = (
        formatting.clock(moment, earlier.zone) for moment in (log_start.value, earlier.window.start)
    )
    return f"No change is shown: the log begins on {began}, the period to compare with on {start}."


def headline(
    totals: Answer[Totals],
    before: Answer[Totals],
    sessions: Answer[SessionCounts],
    sessions_before: Answer[SessionCounts],
    over_time: Answer[pd.DataFrame],
    no_change: str | None = None,
) -> None:
    """Draw requests, sessions, cost, response time and errors, each against the window before.

    With `no_change`, which says why, they are compared with nothing.
    """
    if totals.value is None or sessions.value is None:
        unanswered(totals if totals.value is None else sessions)
        return
    was = None if no_change else before.value
    sessions_were = None if no_change else sessions_before.value
    with st.container(key="tiles"), st.grid(columns=5, min_column_width=145, gap="small"):
        _requests(totals.value, was, over_time)
        _sessions(sessions.value, sessions_were, over_time)
        _cost(totals.value, was, over_time)
        _response_time(totals.value, was, over_time)
        _error_rate(totals.value, was, over_time)
    if no_change:
        st.caption(no_change)


def _requests(now: Totals, was: Totals | None, over_time: Answer[pd.DataFrame]) -> None:
    tile(
        "Requests",
        formatting.count(now.requests),
        (now.requests, was.requests if was else None),
        formatting.exact,
        f"cache hit rate {formatting.share(now.cache_hit_rate)}",
        "Rows of LiteLLM’s log that started in this time range; failures count. Cache hit rate: "
        "those served from LiteLLM’s cache ÷ all requests.",
        _trend(over_time, "requests"),
    )


def _sessions(
    now: SessionCounts, was: SessionCounts | None, over_time: Answer[pd.DataFrame]
) -> None:
    tile(
        "Unique sessions",
        formatting.count(now.unique),
        (now.unique, was.unique if was else None),
        formatting.exact,
        f"{formatting.exact(now.with_many_requests)} continued",
        "Distinct session IDs per key; if no ID is sent, each request is its own session. "
        "Continued: sessions with more than one request.",
        _trend(over_time, "new_sessions"),
    )


def _cost(now: Totals, was: Totals | None, over_time: Answer[pd.DataFrame]) -> None:
    tile(
        "Cost",
        formatting.money(now.cost_usd),
        (now.cost_usd, was.cost_usd if was else None),
        lambda value: formatting.UNKNOWN if value is None else f"${value:,.6f}",
        f"{formatting.count(now.total_tokens)} tokens",
        "Sum of the spend that LiteLLM recorded, US dollars. Tokens exclude those "
        "served from cache.",
        _trend(over_time, "cost_usd"),
    )


def _response_time(now: Totals, was: Totals | None, over_time: Answer[pd.DataFrame]) -> None:
    tile(
        "Average response time",
        formatting.duration(now.response_ms_avg),
        (now.response_ms_avg, was.response_ms_avg if was else None),
        formatting.duration,
        f"p95 {formatting.duration(now.response_ms_p95)}",
        "Over successes that were not cache hits. p95: 95 of 100 were faster.",
        _trend(over_time, "response_ms_avg"),
        more_is_worse=True,
    )


def _error_rate(now: Totals, was: Totals | None, over_time: Answer[pd.DataFrame]) -> None:
    tile(
        "Error rate",
        formatting.share(now.error_rate),
        (now.error_rate, was.error_rate if was else None),
        formatting.share,
        f"{formatting.exact(now.failures)} failed",
        "Failed requests ÷ all requests.",
        _trend(over_time, "error_rate"),
        more_is_worse=True,
    )


def _trend(over_time: Answer[pd.DataFrame], column: str) -> list[float] | None:
    """A sparkline of at most 60 points; unknown buckets are left out, not drawn as zero."""
    if over_time.value is None:
        return None
    known = [float(value) for value in over_time.value[column].astype("float64").dropna()]
    step = max(1, -(-len(known) // MOST_POINTS))
    points = [fmean(known[start : start + step]) for start in range(0, len(known), step)]
    return points if len(points) > 1 else None

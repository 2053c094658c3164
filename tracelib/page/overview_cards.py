"""The cards of Overview: the headline figures, the charts over time, the caches."""

from collections.abc import Callable, Mapping
from datetime import datetime

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.charts import traffic
from tracelib.charts.base import FEWEST, TimeAxis
from tracelib.filters import Filters
from tracelib.overview import CacheSavings, PromptCaching, SessionCounts, Totals, sessions_in
from tracelib.page.base import captions
from tracelib.page.base.cards import (
    card,
    chart,
    escaped_figure,
    figure_chart,
    show_missing_result,
    tile,
)
from tracelib.querying.store import Result
from tracelib.spendlogs.figures import FIGURES

MOST_POINTS = 60


def why_no_change(earlier: Filters, log_start: Result[datetime | None]) -> str | None:
    """Why is there no comparison with this earlier window? None if the log covers all of it."""
    if log_start.value is None:
        return "No change is shown: the start of the log is unknown."
    if log_start.value <= earlier.window.start:
        return None
    began, start = (
        formatting.clock(moment, earlier.zone) for moment in (log_start.value, earlier.window.start)
    )
    return f"No change is shown: the log begins on {began}, the period to compare with on {start}."


def headline(
    totals: Result[Totals],
    before: Result[Totals],
    sessions_before: Result[SessionCounts],
    over_time: Result[pd.DataFrame],
    begun: Result[pd.DataFrame],
    no_change: str | None = None,
) -> None:
    """Draw requests, sessions, cost, response time and errors, each against the window before.

    With `no_change`, the reason, there is no comparison.
    """
    if totals.value is None:
        show_missing_result(totals)
        return
    was = None if no_change else before.value
    sessions_were = None if no_change else sessions_before.value
    with st.container(key="tiles"), st.grid(columns=5, min_column_width=145, gap="small"):
        for name in TILES:
            if name == "cost_usd":
                _sessions(begun, sessions_were)
            _tile(name, totals.value, was, over_time)
    if no_change:
        st.caption(no_change)


# The figures of the tiles in their order, and a second figure of each.
TILES: Mapping[str, Callable[[Totals], str]] = {
    "requests": lambda now: f"cache hit rate {formatting.share(now.cache_hit_rate)}",
    "cost_usd": lambda now: f"{formatting.count(now.total_tokens)} tokens",
    "response_ms_avg": lambda now: f"p95 {formatting.duration(now.response_ms_p95)}",
    "error_rate": lambda now: f"{formatting.exact(now.failures)} failed",
}
# More of these is plainly worse.
WORSE = frozenset({"response_ms_avg", "error_rate"})


def _tile(name: str, now: Totals, was: Totals | None, over_time: Result[pd.DataFrame]) -> None:
    figure = FIGURES[name]
    value = getattr(now, name)
    tile(
        figure.title,
        figure.kind.headline(value),
        (value, getattr(was, name) if was else None),
        figure.kind.exact,
        TILES[name](now),
        figure.definition,
        _trend(over_time, name),
        more_is_worse=name in WORSE,
    )


def _sessions(begun: Result[pd.DataFrame], was: SessionCounts | None) -> None:
    if begun.value is None:
        show_missing_result(begun)
        return
    now = sessions_in(begun.value)
    tile(
        "Unique sessions",
        formatting.count(now.unique),
        (now.unique, was.unique if was else None),
        formatting.exact,
        f"{formatting.exact(now.with_many_requests)} continued",
        "Distinct session IDs per key; if no ID is sent, each request is its own session. "
        "Continued: sessions with more than one request.",
        _trend(begun, "new_sessions"),
    )


def _trend(over_time: Result[pd.DataFrame], column: str) -> list[float] | None:
    """A sparkline of at most 60 points, of buckets with requests.

    A bucket counts by its requests in a rate or a time, and a point of few of them, which says
    little and would tower above all others, is left out.
    """
    if over_time.value is None:
        return None
    value = over_time.value[column].astype("float64")
    is_sum = column == "new_sessions" or FIGURES[column].is_sum
    ones = pd.Series(1.0, value.index)
    weight = ones if is_sum else over_time.value["requests"].astype("float64")
    step = max(1, -(-len(value) // MOST_POINTS))
    weighed = pd.DataFrame({"sum": value * weight, "weight": weight}).dropna()
    points = weighed.groupby(weighed.index // step).sum()
    telling = points[points["weight"] >= (1 if is_sum else FEWEST)]
    shown = [float(point) for point in telling["sum"] / telling["weight"]]
    return shown if len(shown) > 1 else None


ESTIMATE = (
    "An estimate: tokens served from the cache, at the average cost per token of the same model in "
    "this time range."
)
PROVIDER = (
    "The provider’s own cache of prompt prefixes. Cached tokens are billed at a lower price and "
    "are included in the prompt tokens. It is unrelated to LiteLLM’s cache."
)


def cache_cards(
    saved: Result[CacheSavings],
    prompts: Result[PromptCaching],
    series: Result[pd.DataFrame],
    axis: TimeAxis,
) -> None:
    """Draw how many requests the caches served, and what was saved."""
    left, right = st.columns(2)
    with left:
        figure_chart("cache_hit_rate", series, traffic.cache_hit_rate, axis)
    with right:
        _saved(saved)
        _provider(prompts)


def _saved(saved: Result[CacheSavings]) -> None:
    with card("Served from LiteLLM’s cache", ESTIMATE):
        if saved.value is None:
            show_missing_result(saved)
            return
        with st.container(horizontal=True):
            st.metric("Hits", formatting.count(saved.value.hits))
            st.metric("Tokens served", formatting.count(saved.value.replayed_tokens))
            money = formatting.money(saved.value.saved_usd_estimate)
            st.metric("Cost saved, estimated", escaped_figure(money))


def _provider(prompts: Result[PromptCaching]) -> None:
    with card("Provider prompt caching", PROVIDER):
        if prompts.value is None:
            show_missing_result(prompts)
            return
        facts = prompts.value
        with st.container(horizontal=True):
            st.metric("Cached prompt tokens", formatting.count(facts.cached_prompt_tokens))
            st.metric("Share of prompt tokens", escaped_figure(formatting.share(facts.share)))
            st.metric("Cache write tokens", formatting.count(facts.cache_write_tokens))
        if facts.requests_read < facts.requests:
            st.caption(
                f"From the newest {formatting.exact(facts.requests_read)} of "
                f"{formatting.exact(facts.requests)} requests."
            )


def over_time_charts(series: Result[pd.DataFrame], axis: TimeAxis) -> None:
    """Requests across the page; cost, response time, tokens and errors two by two below."""
    figure_chart("requests", series, traffic.requests, axis)
    left, right = st.columns(2)
    with left:
        figure_chart("cost_usd", series, traffic.cost, axis)
        chart("Response time", series, traffic.response_time, axis, caption=captions.RESPONSE_TIME)
    with right:
        chart("Tokens", series, traffic.tokens, axis, caption=captions.TOKENS)
        figure_chart("error_rate", series, traffic.error_rate, axis)

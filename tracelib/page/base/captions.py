"""Texts that several pages share: the source of the figures, and why there are none."""

from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib import window as windows
from tracelib.overview import Totals
from tracelib.page.base import address, change_marks, chart_range
from tracelib.page.base.cards import show_empty_state, show_missing_result
from tracelib.page.base.frame import end_page
from tracelib.page.base.view import View, refresh_now
from tracelib.querying.store import Result
from tracelib.spendlogs import figures

TOKENS = "Excludes tokens served from LiteLLM’s cache, which are shown separately."
FIRST_TOKEN = "Known for streamed responses only; the table shows their share."
RESPONSE_TIME = figures.RESPONSE_TIME
TAGS = "A request counts once for each of its tags, so these do not add up to the total."
NO_TAGS = "No request in this time range has a tag."
NOTHING_HERE = (
    "No requests in this time range with these filters. Choose a longer range or remove "
    "filters; Status shows how far back the log reaches."
)


def stop_without_database(result: Result[Any]) -> None:
    """If the database cannot be queried, show why and how to continue, and stop the page."""
    if result.value is None:
        show_missing_result(result)
        st.button("Try again", on_click=refresh_now, key="try again")
        end_page()


def stop_without_requests(totals: Result[Totals]) -> None:
    """If the range has no requests, show that instead of empty charts."""
    stop_without_database(totals)
    if totals.value is not None and totals.value.requests == 0:
        show_empty_state(NOTHING_HERE)
        end_page()


def rows_or_stop(result: Result[pd.DataFrame]) -> pd.DataFrame:
    """The rows of a result; if there are none, show that and stop the page."""
    stop_without_database(result)
    if result.value is None or result.value.empty:
        show_empty_state(NOTHING_HERE)
        end_page()
    return result.value


def choose_bucket(view: View) -> None:
    """Draw the bucket of the charts over time, of those that suit the range, and their marks."""
    key = "filter bucket"
    st.session_state[key] = view.bucket.name
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.segmented_control(
            "One point is",
            list(view.usable_buckets),
            format_func=lambda name: windows.BUCKETS[name].words,
            key=key,
            required=True,
            on_change=address.from_widget,
            args=(key, "bucket"),
            label_visibility="collapsed",
            width="content",
        )
        st.caption(chart_range.HINT, width="content")
        change_marks.switch(view)


def source_caption(
    view: View, *results: Result[Any], requests: int | None = None, newest: datetime | None = None
) -> None:
    """Draw the source of the figures: how many rows, how long it took, who answered, how fresh."""
    totals = next((one.value for one in results if isinstance(one.value, Totals)), None)
    if totals is not None:
        requests, newest = totals.requests, totals.newest_at
    parts = [] if requests is None else [f"{formatting.exact(requests)} requests"]
    parts.append(f"{sum(result.seconds for result in results):.2f} s of query time")
    if newest is not None:
        parts.append(f"newest {formatting.age(newest, view.now)}")
    replicas = [result.as_of for result in results if result.as_of]
    if replicas:
        parts.append(f"replica compared with the log {formatting.age(min(replicas), view.now)}")
    stale = [one.computed_at for one in results if one.is_outdated]
    if stale:
        parts.append(f"as of {formatting.clock(min(stale), view.filters.zone)}")
    st.caption(", ".join(parts))

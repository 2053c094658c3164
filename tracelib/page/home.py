"""The cards of Home."""

from typing import Literal

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.overview import Totals, sessions_in
from tracelib.page.base import address
from tracelib.page.base.cards import card, escaped_figure, show_missing_result
from tracelib.page.base.view import View
from tracelib.page.text.markdown_escape import label
from tracelib.querying.store import Result
from tracelib.spendlogs.figures import FIGURES
from tracelib.status import Freshness, ServerFacts

FIRST_STEPS = """
The database is connected, but its log has no requests yet. Rows appear 2 to 30 seconds after a
request has ended. If your proxy is busy and no rows appear:

1. Check on Status that this is the database the proxy writes to (`DATABASE_URL` of both).
2. Check that the proxy’s `general_settings` do not set `disable_spend_logs: true`.
3. To read messages, set `store_prompts_in_spend_logs: true` there.
"""

NONE_OF_YOURS = """
There are no requests that you have access to yet. If you expected some, ask the administrator of
this dashboard which teams, users and keys you have access to.
"""


def database(view: View, server: Result[ServerFacts], fresh: Result[Freshness]) -> None:
    """Draw which database this is, and how fresh it is."""
    words = ["The requests that you may see"]
    if view.installed.access.sees_installation:
        words = [f"Database: **{label(view.installed.in_words())}**"]
    if server.value is not None:
        words.append(f"PostgreSQL {label(server.value.version)}")
    if fresh.value is not None and fresh.value.newest_started_at is not None:
        words.append(f"newest request {formatting.age(fresh.value.newest_started_at, view.now)}")
    st.markdown(", ".join(words))


def first_steps(view: View) -> None:
    """Draw what to do if there are no requests."""
    with card("No requests yet"):
        st.markdown(FIRST_STEPS if view.installed.access.scope.is_all else NONE_OF_YOURS)


def overview_card(view: View, totals: Result[Totals], series: Result[pd.DataFrame]) -> None:
    """Overview's headline: the total cost."""
    with card("Overview"):
        if totals.value is None:
            show_missing_result(totals)
        else:
            trend = None if series.value is None else list(series.value["cost_usd"].astype(float))
            _headline(
                FIGURES["cost_usd"].title,
                formatting.money(totals.value.cost_usd),
                f"{formatting.count(totals.value.requests)} requests, "
                f"{formatting.count(totals.value.total_tokens)} tokens",
                trend,
            )
        _way_in(view, "pages/Overview.py", "Open Overview")


def models_card(view: View, usage: Result[pd.DataFrame]) -> None:
    """Models' headline: how many, and the one with the highest cost."""
    with card("Models"):
        if usage.value is None:
            show_missing_result(usage)
        elif usage.value.empty:
            _headline("Models in use", "0", "None in this time range", None)
        else:
            costliest = usage.value.iloc[0]
            _headline(
                "Models in use",
                formatting.count(len(usage.value)),
                f"{costliest['model']} costs most: {formatting.money(costliest['cost_usd'])}",
                [float(cost) for cost in usage.value["cost_usd"].head(12)],
                "bar",
            )
        _way_in(view, "pages/Models.py", "Open Models")


def sessions_card(view: View, begun: Result[pd.DataFrame]) -> None:
    """Sessions' headline: how many there were."""
    with card("Sessions"):
        if begun.value is None:
            show_missing_result(begun)
        else:
            sessions = sessions_in(begun.value)
            _headline(
                "Unique sessions",
                formatting.count(sessions.unique),
                f"{formatting.count(sessions.with_many_requests)} with more than one request",
                list(begun.value["new_sessions"].astype(int)),
            )
        _way_in(view, "pages/Sessions.py", "Open Sessions")


def status_card(
    view: View,
    totals: Result[Totals],
    series: Result[pd.DataFrame],
    fresh: Result[Freshness],
) -> None:
    """Status' headline: what fails, and how fresh the log is."""
    with card("Status"):
        if totals.value is None:
            show_missing_result(totals)
        else:
            trend = None if series.value is None else list(series.value["failures"].astype(int))
            newest = fresh.value.newest_started_at if fresh.value else None
            ago = formatting.age(newest, view.now) if newest else formatting.UNKNOWN
            _headline(
                FIGURES["error_rate"].title,
                formatting.share(totals.value.error_rate),
                f"{formatting.exact(totals.value.failures)} failures, newest request {ago}",
                trend,
            )
        _way_in(view, "pages/Status.py", "Open Status")


def _headline(
    title: str,
    value: str,
    secondary: str,
    trend: list[float] | list[int] | None,
    kind: Literal["line", "bar"] = "line",
) -> None:
    st.metric(title, escaped_figure(value), chart_data=trend, chart_type=kind)
    st.caption(label(secondary, 90))


def _way_in(view: View, path: str, words: str) -> None:
    query = address.parameters_of(view.choice)
    st.page_link(path, label=words, icon=":material/arrow_forward:", query_params=query)

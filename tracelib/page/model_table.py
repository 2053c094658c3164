"""The tables of the Models page: every figure of every model, and the deployments behind them."""

from typing import Any

import pandas as pd
import streamlit as st

from tracelib.asking.memory import Answer
from tracelib.formatting import UNKNOWN
from tracelib.page.cards import card, money_format, nothing, unanswered

SHARES = {
    "share": "Share of requests",
    "error_rate": "Error rate",
    "cache_hit_rate": "Cache hit rate",
    "cost_share": "Share of cost",
    "ttft_coverage": "First token known",
}
SECONDS = {
    "response_ms_avg": "Average",
    "response_ms_p50": "p50",
    "response_ms_p95": "p95",
    "response_ms_p99": "p99",
    "response_ms_max": "Maximum",
    "ttft_ms_p50": "First token p50",
    "ttft_ms_p95": "First token p95",
}
COUNTS = {
    "requests": "Requests",
    "failures": "Failures",
    "cache_hits": "Cache hits",
    "prompt_tokens": "Prompt tokens",
    "completion_tokens": "Completion tokens",
    "total_tokens": "Tokens",
    "replayed_tokens": "Served from cache",
    "deployments": "Deployments",
}
ORDER = (
    "model",
    "providers",
    "requests",
    "share",
    "cost_usd",
    "cost_share",
    "response_ms_avg",
    "response_ms_p50",
    "response_ms_p95",
    "response_ms_p99",
    "response_ms_max",
    "ttft_ms_p50",
    "ttft_ms_p95",
    "ttft_coverage",
    "tokens_per_second",
    "error_rate",
    "failures",
    "cache_hit_rate",
    "cache_hits",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "replayed_tokens",
    "deployments",
)


def all_figures(usage: pd.DataFrame) -> None:
    """Every figure of every model; sorted by a click on a heading, downloaded from its menu."""
    with card("All figures", "Sort by a heading; download, search and columns are in its corner."):
        st.dataframe(
            _shown(usage),
            hide_index=True,
            placeholder=UNKNOWN,
            column_order=[name for name in ORDER if name in usage],
            column_config=_columns(usage["cost_usd"]),
            key="all figures",
        )


def deployments(answer: Answer[pd.DataFrame]) -> None:
    """Which deployments stand behind each public model name?"""
    with card("Deployments behind each model"):
        if answer.value is None:
            unanswered(answer)
        elif answer.value.empty:
            nothing("No requests in this time range.")
        else:
            columns = _columns(answer.value["cost_usd"]) | {
                "api_base": st.column_config.TextColumn("Address")
            }
            shown = _shown(answer.value)
            st.dataframe(
                shown,
                hide_index=True,
                placeholder=UNKNOWN,
                column_config=columns,
                key="deployments",
            )


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Shares as percentages and times as seconds, so that a download reads like the table."""
    shown = frame.copy()
    for name in SHARES.keys() & set(frame.columns):
        shown[name] = frame[name].astype("float64") * 100
    for name in SECONDS.keys() & set(frame.columns):
        shown[name] = frame[name].astype("float64") / 1_000
    return shown


def _columns(costs: "pd.Series[float]") -> dict[str, Any]:
    column = st.column_config
    texts = {"model": "Model", "providers": "Providers", "provider": "Provider"}
    return (
        {name: column.TextColumn(title) for name, title in texts.items()}
        | {"deployment": column.TextColumn("Deployment")}
        | {name: column.NumberColumn(title, format="localized") for name, title in COUNTS.items()}
        | {name: column.NumberColumn(title, format="%.1f %%") for name, title in SHARES.items()}
        | {name: column.NumberColumn(title, format="%.2f s") for name, title in SECONDS.items()}
        | {"tokens_per_second": column.NumberColumn("Tokens per second", format="%.1f")}
        | {"cost_usd": column.NumberColumn("Cost", format=money_format(costs))}
    )

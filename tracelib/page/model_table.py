"""The headline figures and the tables of the Models page."""

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.export import Column
from tracelib.formatting import Kind
from tracelib.models import OF_A_DEPLOYMENT
from tracelib.page.base import table
from tracelib.page.base.cards import (
    escaped_figure,
    none_if_nan,
    show_empty_state,
    show_missing_result,
)
from tracelib.page.text.markdown_escape import label
from tracelib.querying.store import Result

SHARE = Kind.SHARE
FIGURES = {
    "model": Column("Model", "model"),
    "providers": Column("Providers", "providers"),
    "requests": Column.of("requests"),
    "share": Column("Share of requests", "requests_share_percent", SHARE),
    "cost_usd": Column.of("cost_usd"),
    "cost_share": Column("Share of cost", "cost_share_percent", SHARE),
    "response_ms_avg": Column.of("response_ms_avg", heading="Average"),
    "response_ms_p50": Column.of("response_ms_p50", heading="p50"),
    "response_ms_p95": Column.of("response_ms_p95", heading="p95"),
    "response_ms_p99": Column.of("response_ms_p99", heading="p99"),
    "response_ms_max": Column.of("response_ms_max", heading="Maximum"),
    **{name: Column.of(name) for name in ("ttft_ms_p50", "ttft_ms_p95", "ttft_coverage")},
    **{name: Column.of(name) for name in ("tokens_per_second", "error_rate", "failures")},
    **{name: Column.of(name) for name in ("cache_hit_rate", "cache_hits", "prompt_tokens")},
    **{name: Column.of(name) for name in ("completion_tokens", "total_tokens")},
    **{name: Column.of(name) for name in ("replayed_tokens", "deployments")},
}
DEPLOYMENTS = {
    "model": FIGURES["model"],
    "deployment": Column("Deployment", "deployment"),
    "provider": Column("Provider", "provider"),
    **{name: FIGURES[name] for name in OF_A_DEPLOYMENT},
    "api_base": Column("Address", "address"),
}


# A model with fewer requests is not called the slowest.
FEW = 10


def headline(usage: pd.DataFrame) -> None:
    """Draw how many models are in use, and which cost, are used and take the most."""
    costliest = usage.iloc[0]
    share_of_cost = formatting.share(none_if_nan(costliest["cost_share"]))
    busiest = usage.nlargest(1, "requests").iloc[0]
    with st.grid(columns=4, min_column_width=145, gap="small"):
        count = formatting.counted(int(usage["deployments"].sum()), "deployment")
        _figure("Models in use", formatting.count(len(usage)), count)
        _figure(
            "Highest cost",
            formatting.money(none_if_nan(costliest["cost_usd"])),
            f"{costliest['model']}, {share_of_cost} of cost",
        )
        _figure(
            "Most requests",
            formatting.count(int(busiest["requests"])),
            f"{busiest['model']}, {formatting.share(none_if_nan(busiest['share']))} of requests",
        )
        _slowest(usage)


def _slowest(usage: pd.DataFrame) -> None:
    slow = usage[(usage["requests"] >= FEW) & usage["response_ms_p95"].notna()]
    title, of = "Slowest p95", f"Of models with at least {FEW} requests."
    if slow.empty:
        _figure(title, formatting.UNKNOWN, f"no model with {FEW} requests", of)
        return
    slowest = slow.nlargest(1, "response_ms_p95").iloc[0]
    _figure(title, formatting.duration(slowest["response_ms_p95"]), slowest["model"], of)


def _figure(title: str, value: str, secondary: str, definition: str | None = None) -> None:
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.metric(title, escaped_figure(value), help=definition)
        st.caption(label(secondary, 80))


def all_figures(usage: pd.DataFrame) -> None:
    """Draw every figure of every model."""
    explained = "Click a heading to sort. Response times are from request to last token."
    with table.card("All figures", usage, FIGURES, explained):
        table.draw(usage, FIGURES, "all figures")


def deployments(result: Result[pd.DataFrame]) -> None:
    """Draw the deployments behind each public model name."""
    with table.card("Deployments behind each model", result.value, DEPLOYMENTS):
        if result.value is None:
            show_missing_result(result)
        elif result.value.empty:
            show_empty_state("No requests in this time range.")
        else:
            table.draw(result.value, DEPLOYMENTS, "deployments")

"""Two sessions side by side: their figures with the difference, and both conversations."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.page.cards import card
from tracelib.sessions import SessionSummary

Written = Callable[[float | None], str]


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure that both sessions have, and how it is written."""

    name: str
    of: Callable[[SessionSummary], float | None]
    written: Written


FIGURES = (
    Compared("Cost", lambda one: one.cost_usd, formatting.money),
    Compared("Requests", lambda one: one.requests, formatting.exact),
    Compared("Failures", lambda one: one.failures, formatting.exact),
    Compared("Cache hits", lambda one: one.cache_hits, formatting.exact),
    Compared("Prompt tokens", lambda one: one.prompt_tokens, formatting.exact),
    Compared("Completion tokens", lambda one: one.completion_tokens, formatting.exact),
    Compared("Duration", lambda one: one.duration_ms, formatting.duration),
    Compared("Time in models", lambda one: one.model_ms, formatting.duration),
    Compared("Average response time", lambda one: one.response_ms_avg, formatting.duration),
    Compared("Time to first token, p50", lambda one: one.ttft_ms_p50, formatting.duration),
)


def figures(left: SessionSummary, right: SessionSummary) -> None:
    """How do the figures of two sessions differ?"""
    with card("Both sessions", "The change is that of the second against the first."):
        st.dataframe(
            compared(left, right),
            hide_index=True,
            height="content",
            placeholder=formatting.UNKNOWN,
            column_config={
                "figure": st.column_config.TextColumn("", width="medium"),
                "left": st.column_config.TextColumn("First", alignment="right"),
                "right": st.column_config.TextColumn("Second", alignment="right"),
                "change": st.column_config.TextColumn("Change", alignment="right"),
            },
        )


def compared(left: SessionSummary, right: SessionSummary) -> pd.DataFrame:
    """How do the figures of two sessions differ?

    A row a figure: figure, left, right and change, all as text; change is None where one of
    them is unknown or the first is 0. The models of both come last.
    """
    rows = [
        (
            one.name,
            one.written(one.of(left)),
            one.written(one.of(right)),
            formatting.change(one.of(right), one.of(left)),
        )
        for one in FIGURES
    ]
    rows.append(("Models", ", ".join(left.models), ", ".join(right.models), None))
    return pd.DataFrame(rows, columns=["figure", "left", "right", "change"])

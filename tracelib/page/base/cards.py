"""Cards: a heading with a figure or a chart, of constant size."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from tracelib import errors, formatting
from tracelib.charts.base import TimeAxis
from tracelib.page.base import address, chart_range, chart_table
from tracelib.page.base.derived import figure
from tracelib.page.text.markdown_escape import label
from tracelib.querying.store import Result
from tracelib.spendlogs.figures import FIGURES

# For every chart.
CONFIG = {
    "displaylogo": False,
    "modeBarButtons": [["toImage"]],
    "displayModeBar": "hover",
}
ICONS = {True: ":green[:material/check_circle:] ", False: ":red[:material/error:] ", None: ""}


def show_error(error: errors.TraceError) -> None:
    """Show what is wrong, what to do, and the server's message."""
    st.error(f"**{error.sentence}** {error.remedy}", icon=":material/error:")
    if error.detail:
        st.code(error.detail, language=None, wrap_lines=True)


@contextmanager
def card(title: str, caption: str | None = None, key: str | None = None) -> Iterator[None]:
    """A bordered box with a short heading, and a caption if a definition is needed."""
    with st.container(border=True, key=key, height="stretch"):
        st.markdown(f"**{title}**", help=caption)
        yield


def chart(
    title: str,
    result: Result[pd.DataFrame],
    draw: Callable[..., go.Figure],
    *arguments: Any,
    caption: str | None = None,
    empty: str = "No requests in this time range.",
    narrows: str | None = None,
) -> None:
    """A card with the chart of a result, or why there is none.

    If it `narrows` a dimension, a click on a bar selects it in the filters. If one of the
    arguments is a time axis, a range can be chosen on it.
    """
    with card(title, caption):
        if result.value is None:
            show_missing_result(result)
        elif result.value.empty:
            show_empty_state(empty)
        else:
            axis = next((one for one in arguments if isinstance(one, TimeAxis)), None)
            plot(title, figure(result, draw, *arguments), axis, narrows)
        if result.is_outdated and result.error:
            st.caption(f"Last updated {result.computed_at:%H:%M:%S}. {result.error.sentence}")


def figure_chart(
    name: str, result: Result[pd.DataFrame], draw: Callable[..., go.Figure], *arguments: Any
) -> None:
    """A card with the chart of one of `FIGURES`, under its title and with its definition."""
    chart(FIGURES[name].title, result, draw, *arguments, caption=FIGURES[name].definition)


def plot(
    title: str, figure: go.Figure, axis: TimeAxis | None = None, narrows: str | None = None
) -> None:
    """A chart without a card. A range can be chosen on a time `axis`; see `chart` for `narrows`."""
    key = f"chart {title}"
    if axis is not None:
        chart_range.note(key, title, axis)
    selecting: dict[str, Any] = {}
    if narrows is not None:
        selecting = {"on_select": lambda: _narrow(key, narrows), "selection_mode": "points"}
    st.plotly_chart(figure, key=key, config=CONFIG, alt=title, **selecting)
    chart_table.offer(title, figure, axis.zone if axis else None)


def _narrow(key: str, dimension: str) -> None:
    """Select the bar that was clicked."""
    points = st.session_state[key]["selection"]["points"]
    if points and isinstance(chosen := points[0].get("customdata"), str):
        address.change(**{dimension: (chosen,)})


def show_missing_result(result: Result[Any]) -> None:
    """Show why there is no result."""
    if result.error:
        show_error(result.error)


def show_empty_state(sentence: str) -> None:
    """An empty state that keeps its place and explains itself."""
    with st.container(height=120, border=False, vertical_alignment="center"):
        st.caption(sentence)


def show_facts(*facts: tuple[str, str] | tuple[str, str, bool | None]) -> None:
    """Draw names on the left and values on the right; a third value says whether it is fine."""
    for name, value, *is_well in facts:
        icon = ICONS[is_well[0] if is_well else None]
        with st.container(horizontal=True, horizontal_alignment="distribute", gap="small"):
            st.caption(name, width="content")
            st.markdown(f"{icon}{label(value, 120)}", width="content")


def tile(
    title: str,
    value: str,
    compared: tuple[float | None, float | None],
    written: Callable[[float | None], str],
    secondary: str,
    definition: str,
    trend: list[float] | None = None,
    more_is_worse: bool = False,
) -> None:
    """One figure with its change against the window before, its trend, and a second figure.

    `compared` is the figure now and before, formatted by `written` on hover; a change is coloured
    only if more is plainly worse (errors, response time), else it is grey.
    """
    now, before = compared
    shown_now, shown_before = (escaped_figure(written(one)) for one in compared)
    st.metric(
        title,
        escaped_figure(value),
        delta=formatting.change(now, before),
        delta_color="inverse" if more_is_worse else "off",
        delta_arrow=_arrow(now, before),
        delta_description=escaped_figure(secondary),
        help=f"{definition} Now {shown_now}, before {shown_before}.",
        border=True,
        height="stretch",
        chart_data=trend,
        chart_type="line",
    )


def escaped_figure(figure: str) -> str:
    """The figure with its dollar signs escaped: they would start a formula."""
    return figure.replace("$", "\\$").replace("<", "\\<")


def _arrow(now: float | None, before: float | None) -> Literal["up", "down", "off"]:
    if now is None or before is None or now == before:
        return "off"
    return "up" if now > before else "down"


def money_format(costs: "pd.Series[float]") -> str:
    """How many decimals does a column of dollars need, so that no cost becomes $0.00?

    >>> money_format(pd.Series([0.0, 1.5])), money_format(pd.Series([2e-7, 1.5]))
    ('$%.2f', '$%.8f')
    """
    spent = costs[costs > 0]
    if spent.empty or spent.min() >= 0.01:
        return "$%.2f"
    # In steps of two, so that a column rarely changes its width; LiteLLM has no smaller price.
    decimals = next((few for few in (4, 6, 8) if spent.min() >= 10**-few), 10)
    return f"$%.{decimals}f"


def none_if_nan(value: float) -> float | None:
    """A figure from a frame, in which unknown is NaN."""
    return None if pd.isna(value) else float(value)

"""Charts are drawn once for everybody who is shown the same answer.

To draw one takes longer than all else on a page, and fifty viewers would wait for one another.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from tracelib.page.answers import Answer

KEPT = 400
KEPT_FOR = "10m"
CONFIG = {
    "displaylogo": False,
    "modeBarButtons": [["toImage"]],
    "displayModeBar": "hover",
}


def figure(
    answer: Answer[pd.DataFrame], draw: Callable[..., go.Figure], arguments: tuple[Any, ...]
) -> go.Figure:
    """How does this answer look, drawn so? It is shared: to be shown, not to be changed."""
    return _figure(answer.key, _named(draw, arguments), draw, answer.value, arguments)


def still(
    title: str,
    answer: Answer[pd.DataFrame],
    draw: Callable[..., go.Figure],
    arguments: tuple[Any, ...],
) -> None:
    """Show an answer as a chart that nobody clicks on. What was sent once is sent again."""
    _still(title, answer.key, _named(draw, arguments), draw, answer, arguments)


@st.cache_resource(ttl=KEPT_FOR, max_entries=KEPT, show_spinner=False)
def _figure(
    asked: str,  # noqa: ARG001 - the first two arguments are the cache's key
    drawn: str,  # noqa: ARG001
    _draw: Callable[..., go.Figure],
    _value: pd.DataFrame | None,
    _arguments: tuple[Any, ...],
) -> go.Figure:
    return _draw(_value, *_arguments)


@st.cache_resource(ttl=KEPT_FOR, max_entries=KEPT, show_spinner=False)
def _still(
    title: str,
    asked: str,  # noqa: ARG001 - with the title, the cache's key
    drawn: str,  # noqa: ARG001
    _draw: Callable[..., go.Figure],
    _answer: Answer[pd.DataFrame],
    _arguments: tuple[Any, ...],
) -> None:
    chart = _draw(_answer.value, *_arguments)
    st.plotly_chart(chart, key=f"chart {title}", config=CONFIG, alt=title)


def _named(draw: Callable[..., go.Figure], arguments: tuple[Any, ...]) -> str:
    """What is drawn, in words: equal for equal arguments, in whatever run of a page."""
    return f"{_name(draw)}{[_name(one) for one in arguments]}"


def _name(argument: object) -> str:
    """A function goes by its name, so it must be one that a module has."""
    name = getattr(argument, "__qualname__", None)
    if name is None:
        return repr(argument)
    if "<" in name:
        raise ValueError(f"{name} has no name of its own to be known by.")
    return f"{getattr(argument, '__module__', '')}.{name}"

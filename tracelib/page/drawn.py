"""Charts are made once for everybody who is shown the same answer.

They are kept as plain values. What Streamlit draws is never kept and drawn again from its cache:
that loses the columns and containers made within.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from tracelib.asking.memory import Answer

KEPT = 400
KEPT_FOR_S = 600
# Of every chart.
CONFIG = {
    "displaylogo": False,
    "modeBarButtons": [["toImage"]],
    "displayModeBar": "hover",
}


class Finished(go.Figure):  # type: ignore[misc]
    """A chart that changes no more, so that what is sent of it need be worked out only once."""

    @cached_property
    def _sent(self) -> dict[str, Any]:
        sent: dict[str, Any] = super().to_dict()
        return sent

    def to_dict(self) -> dict[str, Any]:
        """Data and layout as plain values: to be read, not to be changed."""
        return self._sent


def figure(answer: Answer[Any], draw: Callable[..., go.Figure], *arguments: Any) -> go.Figure:
    """How does this answer look, drawn so? It is shared: to be shown, not to be changed."""
    # By name: what a positional argument is called, Streamlit works out anew each time.
    chart: go.Figure = _figure(
        words=_words(draw, answer, *arguments),
        _draw=draw,
        _answer=answer,
        _arguments=arguments,
    )
    return chart


@st.cache_resource(ttl=KEPT_FOR_S, max_entries=KEPT, show_spinner=False)
def _figure(
    words: str,  # noqa: ARG001 - the cache's key
    _draw: Callable[..., go.Figure],
    _answer: Answer[Any],
    _arguments: tuple[Any, ...],
) -> go.Figure:
    return Finished(_draw(_answer.value, *_arguments))


def _words(*given: Any) -> str:
    """What is drawn, in words: equal for equal arguments, in whatever run of a page."""
    return "\n".join(map(_name, given))


def _name(argument: object) -> str:
    """A function goes by its name, so it must be one that a module has; an answer by its key."""
    if isinstance(argument, Answer):
        return f"result {argument.key} {argument.is_stale}"
    name = getattr(argument, "__qualname__", None)
    if name is None:
        return repr(argument)
    if "<" in name:
        raise ValueError(f"{name} has no name of its own to be known by.")
    return f"{getattr(argument, '__module__', '')}.{name}"

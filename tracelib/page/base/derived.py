"""What is computed from results: once for all viewers, known by the versions of the results."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar

import orjson
import plotly.graph_objects as go
import streamlit as st
from plotly.io import to_json

from tracelib.querying.store import Result

T = TypeVar("T")
MOST_STORED = 400
EXPIRE_S = 600


class FinishedFigure(go.Figure):  # type: ignore[misc]
    """A chart that no longer changes, as the JSON of its values alone: a tenth of its memory."""

    def __init__(self, drawn: go.Figure) -> None:
        # Without the parent's: the objects of its parts are what takes the memory.
        self.__dict__["_document"] = to_json(drawn, validate=False).encode()

    def to_dict(self) -> dict[str, Any]:
        """Data and layout as plain values."""
        values: dict[str, Any] = orjson.loads(self.__dict__["_document"])
        return values


def derived(result: Result[Any], compute: Callable[..., T], *arguments: Any) -> Result[T]:
    """The result with what this function makes of its value, and of the arguments.

    Arguments that are results are passed as their values. A result without a value is returned as
    it is. The value is shared: to be read, not to be changed.
    """
    if result.value is None:
        return result
    key = _key(compute, result, *arguments)
    # By keyword: Streamlit computes the name of a positional argument each time.
    value: T = _computed(key=key, _compute=compute, _result=result, _arguments=arguments)
    return replace(result, value=value, version=sha256(key.encode()).hexdigest())


def figure(result: Result[Any], draw: Callable[..., go.Figure], *arguments: Any) -> go.Figure:
    """The chart of this result. It is shared: to be shown, not to be changed."""
    key = _key(draw, result, *arguments)
    chart: go.Figure = _figure(key=key, _draw=draw, _result=result, _arguments=arguments)
    return chart


@st.cache_resource(ttl=EXPIRE_S, max_entries=MOST_STORED, show_spinner=False)
def _computed(
    key: str,  # noqa: ARG001 - the cache's key
    _compute: Callable[..., Any],
    _result: Result[Any],
    _arguments: tuple[Any, ...],
) -> Any:
    return _compute(_result.value, *map(_value, _arguments))


@st.cache_resource(ttl=EXPIRE_S, max_entries=MOST_STORED, show_spinner=False)
def _figure(
    key: str,  # noqa: ARG001 - the cache's key
    _draw: Callable[..., go.Figure],
    _result: Result[Any],
    _arguments: tuple[Any, ...],
) -> go.Figure:
    return FinishedFigure(_draw(_result.value, *map(_value, _arguments)))


def _value(argument: object) -> object:
    return argument.value if isinstance(argument, Result) else argument


def _key(*arguments: Any) -> str:
    """The arguments as text: equal for equal arguments, in any run of a page."""
    return "\n".join(map(_name, arguments))


def _name(argument: object) -> str:
    """The name of a function, which must be one of a module; the key of a result."""
    if isinstance(argument, Result):
        return f"result {argument.version} {argument.is_stale}"
    name = getattr(argument, "__qualname__", None)
    if name is None:
        return repr(argument)
    if "<" in name:
        raise ValueError(f"{name} has no name of its own to be known by.")
    return f"{getattr(argument, '__module__', '')}.{name}"

"""Charts are drawn once for all who are given the same answer, and anew for any other."""

import pickle
from datetime import UTC, datetime

import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.io import to_json

from tracelib.page.base import cards
from tracelib.querying.store import Result

pytestmark = pytest.mark.usefixtures("fresh_caches")
AT = datetime(2026, 11, 23, tzinfo=UTC)


def result_of(*values: float) -> Result[pd.DataFrame]:
    return Result(pd.DataFrame({"value": values}), None, AT, 0.0)


def bars(frame: pd.DataFrame, name: str) -> go.Figure:
    return go.Figure(go.Bar(y=frame["value"], name=name))


def lines(frame: pd.DataFrame, name: str) -> go.Figure:
    return go.Figure(go.Scatter(y=frame["value"], name=name))


def shown(result: Result[pd.DataFrame], draw=bars, name: str = "cost") -> tuple:
    (trace,) = cards.figure(result, draw, name).data
    return trace.type, trace.name, list(trace.y)


def test_copies_of_an_answer_are_drawn_once():
    one = result_of(1, 2)
    copy = pickle.loads(pickle.dumps(one))
    assert cards.figure(one, bars, "cost") is cards.figure(copy, bars, "cost")


def test_another_answer_is_drawn_anew_though_all_but_its_values_is_alike():
    assert shown(result_of(1)) == ("bar", "cost", [1])
    assert shown(result_of(2)) == ("bar", "cost", [2])


def test_an_answer_is_drawn_anew_in_another_way_and_with_other_arguments():
    one = result_of(1)
    assert shown(one) == ("bar", "cost", [1])
    assert shown(one, lines) == ("scatter", "cost", [1])
    assert shown(one, name="tokens") == ("bar", "tokens", [1])


def test_what_is_sent_of_a_chart_is_what_was_drawn_and_worked_out_once():
    one = result_of(1, 2)
    chart = cards.figure(one, bars, "cost")
    assert to_json(chart) == to_json(bars(one.value, "cost"))
    assert chart.to_dict() is chart.to_dict()


def test_a_way_to_draw_must_have_a_name():
    with pytest.raises(ValueError, match="no name of its own"):
        cards.figure(result_of(1), lambda _: go.Figure())

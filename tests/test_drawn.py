"""Charts are drawn once for all who are given the same answer, and anew for any other."""

import pickle
from datetime import UTC, datetime

import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.io import to_json

from tracelib import errors
from tracelib.page.base import derived
from tracelib.querying.store import Result

pytestmark = pytest.mark.usefixtures("fresh_caches")
AT = datetime(2026, 11, 23, tzinfo=UTC)


def result_of(*values: float) -> Result[pd.DataFrame]:
    return Result(pd.DataFrame({"value": values}), None, AT, 0.0)


def bars(frame: pd.DataFrame, name: str) -> go.Figure:
    return go.Figure(go.Bar(y=frame["value"], name=name))


def lines(frame: pd.DataFrame, name: str) -> go.Figure:
    return go.Figure(go.Scatter(y=frame["value"], name=name))


def sent(result: Result[pd.DataFrame], draw=bars, name: str = "cost") -> str:
    return to_json(derived.figure(result, draw, name))


def test_copies_of_an_answer_are_drawn_once():
    one = result_of(1, 2)
    copy = pickle.loads(pickle.dumps(one))
    assert derived.figure(one, bars, "cost") is derived.figure(copy, bars, "cost")


def test_another_answer_is_drawn_anew_though_all_but_its_values_is_alike():
    one, other = result_of(1), result_of(2)
    assert sent(one) == to_json(bars(one.value, "cost"))
    assert sent(other) == to_json(bars(other.value, "cost"))


def test_an_answer_is_drawn_anew_in_another_way_and_with_other_arguments():
    one = result_of(1)
    assert sent(one) == to_json(bars(one.value, "cost"))
    assert sent(one, lines) == to_json(lines(one.value, "cost"))
    assert sent(one, name="tokens") == to_json(bars(one.value, "tokens"))


def test_no_viewer_changes_what_the_next_one_is_sent():
    one = result_of(1, 2)
    derived.figure(one, bars, "cost").to_dict()["data"].clear()
    assert sent(one) == to_json(bars(one.value, "cost"))


def test_a_chart_is_kept_as_its_text_alone():
    # Of 400 charts; as Plotly's own objects each takes ten times as much.
    chart = derived.figure(result_of(*range(500)), bars, "cost")
    assert len(pickle.dumps(vars(chart))) < 1.1 * len(to_json(chart))


def test_a_way_to_draw_must_have_a_name():
    with pytest.raises(ValueError, match="no name of its own"):
        derived.figure(result_of(1), lambda _: go.Figure())


def total(frame: pd.DataFrame, more: int) -> list[int]:
    return [int(frame["value"].sum()) + more]


def test_what_is_derived_is_computed_once_for_equal_results():
    one, other = result_of(1, 2), result_of(5)
    again = pickle.loads(pickle.dumps(one))
    first, second = (derived.derived(each, total, 3) for each in (one, again))
    assert (first.value, first.version) == ([6], second.version)
    assert first.value is second.value
    assert derived.derived(one, total, 4).value == [7]
    assert derived.derived(other, total, 3).value == [8]
    assert first.version != one.version


def test_a_result_without_a_value_derives_none():
    missing = Result(None, errors.StillRunning(), AT, 0.1)
    assert derived.derived(missing, total, 3) is missing

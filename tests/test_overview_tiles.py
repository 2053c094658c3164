"""The sparklines of Overview's tiles: they say what the charts below them say."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from tracelib.page.overview_cards import MOST_POINTS, _trend
from tracelib.querying.store import Result


def series(**columns: list) -> Result:
    frame = pd.DataFrame(columns)
    return Result(frame, None, datetime(2026, 11, 23, tzinfo=UTC), 0.0)


def test_a_sum_is_drawn_as_it_is():
    assert _trend(series(requests=[3, 0, 5]), "requests") == [3, 0, 5]
    assert _trend(series(requests=[3, 0, 5], new_sessions=[1, 0, 2]), "new_sessions") == [1, 0, 2]


def test_a_bucket_counts_by_its_requests_in_a_rate():
    hours = 2 * MOST_POINTS
    found = _trend(
        series(requests=[90, 10] * MOST_POINTS, error_rate=[0.0, 1.0] * MOST_POINTS), "error_rate"
    )
    assert found == pytest.approx([0.1] * (hours // 2))


def test_a_bucket_of_few_requests_is_no_spike():
    found = _trend(series(requests=[50, 1, 50], error_rate=[0.02, 1.0, 0.04]), "error_rate")
    assert found == pytest.approx([0.02, 0.04])


def test_points_of_a_rate_and_of_a_sum_are_of_the_same_hours():
    hours = 2 * MOST_POINTS
    requests = [0] * MOST_POINTS + [20] * MOST_POINTS
    times = [None] * MOST_POINTS + [1.0] * MOST_POINTS
    assert len(_trend(series(requests=requests), "requests")) == hours // 2
    assert len(_trend(series(requests=requests, response_ms_avg=times), "response_ms_avg")) == 30


def test_one_point_is_no_line():
    assert _trend(series(requests=[50, 1], error_rate=[0.5, 1.0]), "error_rate") is None
    assert _trend(Result(None, None, datetime(2026, 11, 23, tzinfo=UTC), 0.0), "requests") is None

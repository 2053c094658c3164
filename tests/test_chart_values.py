"""A chart as a table has the values of the chart, with their units and full names."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tests.test_charts import AXIS, SERIES
from tests.test_timeline import requests
from tracelib import formatting
from tracelib.charts import by_model, context, ledgers, ranking, traffic, waterfall
from tracelib.charts.base import TimeAxis
from tracelib.charts.marks import Mark
from tracelib.charts.values import MOST_ROWS, ChartValues, values
from tracelib.page.base.derived import FinishedFigure
from tracelib.timeline import NEAR_LIMIT, drawn, timeline
from tracelib.window import BUCKETS, TimeWindow, bucket_starts, days

TIME = "Time, Europe/Paris"


def table(chart, zone: str | None = None) -> ChartValues:
    return values(FinishedFigure(chart).to_dict(), zone)


def test_a_chart_over_time_has_a_row_per_bucket_and_a_column_per_series():
    assert table(traffic.requests(SERIES, AXIS), AXIS.zone) == ChartValues(
        (TIME, "Succeeded", "Failed"),
        (
            ("2026-11-23 13:00", "9", "1"),
            ("2026-11-23 14:00", "0", "0"),
            ("2026-11-23 15:00", "0", "4"),
        ),
    )


def test_changes_are_beside_the_values_of_their_bucket():
    at = AXIS.window.start + timedelta(minutes=70)
    axis = replace(AXIS, marks=(Mark(at, ("One price", "Another")),))
    found = table(traffic.cost(SERIES, axis), AXIS.zone)
    assert found.headings == (TIME, "Cost", "Changes")
    assert [row[1:] for row in found.rows] == [
        ("$0.50", "–"),
        ("$0", "One price, Another"),
        ("$0.25", "–"),
    ]


def test_values_have_their_units_and_unknown_is_a_dash():
    charts = (traffic.cost, traffic.response_time, traffic.error_rate, traffic.tokens)
    found = [table(draw(SERIES, AXIS), AXIS.zone) for draw in charts]
    assert [(one.headings[1:], one.rows[0][1:], one.rows[1][1:]) for one in found] == [
        (("Cost",), ("$0.50",), ("$0",)),
        (("p95", "p50"), ("2.0 s", "800 ms"), ("–", "–")),
        (("Error rate", "Of fewer than 10 requests"), ("10.0 %", "–"), ("–", "–")),
        (("Prompt", "Served from cache", "Completion"), ("100", "5", "10"), ("0", "0", "0")),
    ]
    assert found[2].rows[2] == ("2026-11-23 15:00", "–", "100 % of 4")


def test_days_are_dates_and_an_hour_that_comes_twice_is_told_apart():
    window = days(datetime(2026, 10, 24).date(), datetime(2026, 10, 25).date(), "Europe/Paris")
    for bucket, names in (
        ("1d", ["2026-10-24", "2026-10-25"]),
        ("1h", ["Sun 25 Oct 02:00, UTC+2", "Sun 25 Oct 02:00, UTC+1"]),
    ):
        axis = TimeAxis(window, "Europe/Paris", BUCKETS[bucket], window.end)
        starts = pd.Series(bucket_starts(window, axis.bucket, axis.zone))
        rows = pd.DataFrame(
            {"bucket": starts.astype("datetime64[us, UTC]"), "cost_usd": [0.5] * len(starts)}
        )
        found = [row[0] for row in table(traffic.cost(rows, axis), axis.zone).rows]
        assert len(found) == len(starts)
        assert [name for name in found if name in names] == names


def test_names_are_in_full_and_as_they_are():
    name = "<b>a&b</b> " + "long " * 12
    chart = ranking.ranked([name, "b"], [2.0, None], formatting.money, "red")
    assert table(chart) == ChartValues(("Name", "Value"), ((name.strip(), "$2.00"), ("b", "–")))
    usage = pd.DataFrame({"model": ["gpt", "gpt2"], "requests": [3, 1]})
    assert table(ranking.shares(usage, "requests", {})) == ChartValues(
        ("Name", "Value", "Share"), (("gpt", "3", "75.0 %"), ("gpt2", "1", "25.0 %"))
    )
    frame = pd.DataFrame(
        {"bucket": SERIES["bucket"], "error_class": [name, "b", "others"], "failures": [1, 2, 3]}
    )
    assert set(table(by_model.failures(frame, AXIS), AXIS.zone).headings) == {
        TIME,
        formatting.shortened(name.strip(), 34),
        "b",
        "others",
    }


def test_hours_of_the_week_are_a_grid():
    found = table(ranking.busy_hours(pd.DataFrame({"weekday": [1], "hour": [3], "requests": [7]})))
    assert found.headings == ("", *(f"{hour:02}" for hour in range(24)))
    assert found.rows[1] == ("Tue", *("7" if hour == 3 else "0" for hour in range(24)))


def test_ledgers_have_days():
    parts = pd.DataFrame({"date": ["2026-11-22", "2026-11-23"], "class": "a", "usd": [0.5, -1.0]})
    names = {"a": "Lost"} | {str(n): str(n) for n in range(len(ledgers.COLOURS) - 1)}
    chart = ledgers.differences(parts, names, ("2026-11-22", "2026-11-23"))
    assert table(chart) == ChartValues(
        ("Day", "Lost"), (("2026-11-22", "$0.50"), ("2026-11-23", "-$1.00"))
    )


def test_the_charts_of_a_session_have_a_row_per_request():
    rows = requests({"prompt_tokens": 10, "lasted": 1_000}, {"at": 2_000, "lasted": 1_000})
    whole = timeline(rows)
    turns, cuts = drawn(whole.turns, skips_idle=False)
    assert table(context.context(whole.turns, NEAR_LIMIT)) == ChartValues(
        ("Request", "Provider’s cache", "Resent", "New"),
        (("1", "0", "0", "10"), ("2", "0", "0", "0")),
    )
    assert table(context.cost_so_far(whole.turns)).rows[0] == ("1", "$0, this request $0")
    found = table(waterfall.waterfall(turns, cuts, {}))
    assert (found.headings, len(found.rows)) == (("Request", "Values"), 2)
    assert found.rows[0][1].startswith("Request 1 gpt-4o, After 0 ms: 1.0 s")


@given(st.integers(0, 700))
def test_a_long_chart_has_its_newest_rows_and_says_how_many_are_left_out(count):
    now = datetime(2026, 11, 23, tzinfo=UTC)
    axis = TimeAxis(TimeWindow(now, now + timedelta(minutes=701)), "UTC", BUCKETS["1m"], now)
    frame = pd.DataFrame(
        {
            "bucket": pd.date_range(now, periods=count, freq="min", unit="us"),
            "cost_usd": [float(Decimal(n)) for n in range(count)],
        }
    )
    found = table(traffic.cost(frame, axis), "UTC")
    assert len(found.rows) == min(count, MOST_ROWS)
    assert found.left_out == count - len(found.rows)
    if count:
        assert found.rows[-1][0] == f"{now + timedelta(minutes=count - 1):%Y-%m-%d %H:%M}"
    assert all(len(row) == len(found.headings) for row in found.rows)


def test_a_chart_without_values_has_no_rows():
    assert table(context.figure([])) == ChartValues((), ())

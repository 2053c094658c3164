"""What the figures show: series, order, gaps, colours, harmless labels."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_window import buckets_in_zones
from tracelib import formatting
from tracelib.charts import by_model, palette, ranking, traffic
from tracelib.charts.base import TimeAxis, line
from tracelib.charts.palette import plain
from tracelib.window import (
    BUCKETS,
    MOST_POINTS,
    TimeWindow,
    bucket_starts,
    days,
    recent,
    usable_buckets,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1)
LATER = NOON + timedelta(hours=3)
DAY_MS = 86_400_000
AXIS = TimeAxis(TimeWindow(NOON, LATER), "Europe/Paris", BUCKETS["1h"], LATER)
EARLIER = NOON + timedelta(hours=2, minutes=30)
UNFINISHED = TimeAxis(TimeWindow(NOON, EARLIER), "UTC", BUCKETS["1h"], EARLIER)
OVER = TimeAxis(TimeWindow(NOON, EARLIER), "UTC", BUCKETS["1h"], LATER)
SERIES = pd.DataFrame(
    {
        "bucket": pd.to_datetime([NOON + timedelta(hours=h) for h in range(3)], utc=True),
        "requests": pd.array([10, 0, 4], dtype="Int64"),
        "failures": pd.array([1, 0, 4], dtype="Int64"),
        "cost_usd": [0.5, 0.0, 0.25],
        "prompt_tokens": pd.array([100, 0, 40], dtype="Int64"),
        "completion_tokens": pd.array([10, 0, 4], dtype="Int64"),
        "replayed_tokens": pd.array([5, 0, 0], dtype="Int64"),
        "response_ms_p50": [800.0, None, 1_200.0],
        "response_ms_p95": [2_000.0, None, 3_000.0],
        "error_rate": [0.1, None, 1.0],
        "cache_hit_rate": [0.2, None, 0.0],
    }
)


@st.composite
def drawn_axes(draw):
    """The axis of a window around a change of the clock, in buckets that suit it."""
    window, _, zone = draw(buckets_in_zones())
    bucket = draw(st.sampled_from(usable_buckets(window, MOST_POINTS)))
    return TimeAxis(window, zone, bucket, window.end)


def ticks_of(axis):
    """Where does Plotly put the ticks of this axis?"""
    begin, end = axis.range()
    ticks = axis.ticks()
    step = timedelta(milliseconds=ticks["dtick"])
    first = ticks["tick0"] - step * ((ticks["tick0"] - begin) // step)
    return [one for one in (first + step * n for n in range(40)) if begin <= one <= end]


def by_name(chart):
    return {trace.name: trace for trace in chart.data}


def test_requests_are_stacked_with_failures_in_red_on_top():
    chart = traffic.requests(SERIES, AXIS)
    traces = by_name(chart)
    assert list(traces) == ["Succeeded", "Failed"]
    assert list(traces["Succeeded"].y) == [9, 0, 0]
    assert list(traces["Failed"].y) == [1, 0, 4]
    assert traces["Failed"].marker.color == palette.FAILURE
    assert chart.layout.barmode == "stack"


def test_bars_stand_on_the_viewers_clock():
    chart = traffic.cost(SERIES, AXIS)
    assert [str(moment) for moment in pd.to_datetime(chart.data[0].x)] == [
        "2026-11-23 13:00:00",
        "2026-11-23 14:00:00",
        "2026-11-23 15:00:00",
    ]


def test_every_chart_over_time_shares_one_axis():
    drawn = [
        draw(SERIES, AXIS)
        for draw in (traffic.requests, traffic.cost, traffic.tokens, traffic.response_time)
    ]
    assert len({tuple(chart.layout.xaxis.range) for chart in drawn}) == 1
    assert len({(chart.layout.margin.l, chart.layout.margin.r) for chart in drawn}) == 1


def test_response_times_are_seconds_and_broken_where_unknown():
    lines = by_name(traffic.response_time(SERIES, AXIS))
    assert list(lines["p50"].y)[::2] == [0.8, 1.2]
    assert pd.isna(lines["p50"].y[1])
    assert not lines["p50"].connectgaps


def test_only_the_bucket_that_still_fills_is_lighter():
    assert list(traffic.cost(SERIES, AXIS).data[0].marker.opacity) == [1.0, 1.0, 1.0]
    assert list(traffic.cost(SERIES, OVER).data[0].marker.opacity) == [1.0, 1.0, 1.0]
    assert list(traffic.cost(SERIES, UNFINISHED).data[0].marker.opacity) == [1.0, 1.0, 0.45]


NEW_YORK = "America/New_York"
STAMPS = "datetime64[us, UTC]"


def counted(axis):
    """One request in each bucket of the axis."""
    starts = pd.Series(bucket_starts(axis.window, axis.bucket, axis.zone), dtype=STAMPS)
    ones = pd.array([1] * len(starts), dtype="Int64")
    return pd.DataFrame({"bucket": starts, "requests": ones, "failures": ones, "cost_usd": 1.0})


def axis_of(window, zone, bucket):
    return TimeAxis(window, zone, BUCKETS[bucket], window.end)


def clock_of(axis):
    """What the clock of the zone shows when each bucket begins."""
    starts = bucket_starts(axis.window, axis.bucket, axis.zone)
    return [start.astimezone(ZoneInfo(axis.zone)).replace(tzinfo=None) for start in starts]


@pytest.mark.parametrize("bucket", ["1h", "6h", "1d"])
@pytest.mark.parametrize(
    "window",
    [
        recent("30d", NOON),
        days(date(2026, 10, 31), date(2026, 11, 1), NEW_YORK),
        days(date(2026, 3, 7), date(2026, 3, 8), NEW_YORK),
    ],
)
def test_bars_stand_at_local_time_before_and_after_a_change_of_the_clock(window, bucket):
    axis = axis_of(window, NEW_YORK, bucket)
    drawn = pd.to_datetime(traffic.cost(counted(axis), axis).data[0].x)
    clock = clock_of(axis)
    twice = datetime(2026, 11, 1, 1)
    assert [one for one in drawn if one.date() != twice.date() or one.hour != 1] == [
        one for one in clock if one != twice or bucket != "1h"
    ]
    assert drawn[-1] == clock[-1]


def test_a_range_up_to_the_first_of_november_has_no_bar_on_the_second():
    axis = axis_of(days(date(2026, 10, 31), date(2026, 11, 1), NEW_YORK), NEW_YORK, "1h")
    drawn = pd.to_datetime(traffic.cost(counted(axis), axis).data[0].x)
    assert (drawn[0], drawn[-1]) == (pd.Timestamp(2026, 10, 31), pd.Timestamp(2026, 11, 1, 23))
    assert len(drawn) == 49


@pytest.mark.parametrize("bucket", ["5m", "15m", "1h"])
def test_an_hour_that_comes_twice_stands_twice_in_order_and_the_hover_tells_which(bucket):
    axis = axis_of(days(date(2026, 11, 1), date(2026, 11, 1), NEW_YORK), NEW_YORK, bucket)
    chart = traffic.cost(counted(axis), axis)
    places = pd.to_datetime(chart.data[0].x)
    assert places.is_monotonic_increasing
    assert places.is_unique
    # No bar covers its neighbour.
    edges = [
        (place - pd.Timedelta(width, "ms") / 2, place + pd.Timedelta(width, "ms") / 2)
        for place, width in zip(places, chart.data[0].width, strict=True)
    ]
    assert all(one[1] < other[0] for one, other in pairwise(edges))
    named = chart.data[-1]
    assert list(named.x) == list(chart.data[0].x)
    an_hour = 3_600 // BUCKETS[bucket].seconds
    first, second = (
        named.customdata[an_hour : 2 * an_hour],
        named.customdata[2 * an_hour :][:an_hour],
    )
    assert first[0] == "Sun 1 Nov 01:00, UTC−4"
    assert [one.replace("UTC−4", "UTC−5") for one in first] == list(second)
    assert list(named.customdata[3 * an_hour :])[:1] == ["Sun 1 Nov 02:00"]
    assert chart.layout.xaxis.unifiedhovertitle.text == NEW_YORK


@pytest.mark.parametrize("bucket", ["6h", "1d"])
def test_where_no_bucket_comes_twice_nothing_more_is_drawn(bucket):
    axis = axis_of(recent("30d", NOON), NEW_YORK, bucket)
    chart = traffic.cost(counted(axis), axis)
    assert len(chart.data) == 1
    assert chart.data[0].width is None


@given(drawn_axes())
def test_every_bucket_is_named_by_the_local_time_of_its_start(axis):
    assert [name.split(",")[0] for name in axis.names()] == [
        f"{one:%a} {one.day} {one:%b}" + ("" if axis.bucket.is_day else f" {one:%H:%M}")
        for one in clock_of(axis)
    ]
    assert len(set(axis.names())) == len(axis.names())


@given(drawn_axes())
def test_every_bucket_has_its_own_place_in_order_within_the_axis(axis):
    starts = pd.Series(bucket_starts(axis.window, axis.bucket, axis.zone), dtype=STAMPS)
    places = axis.local(starts)
    assert places.is_monotonic_increasing
    assert places.is_unique
    begin, end = axis.range()
    assert begin < places.iloc[0] <= places.iloc[-1] < end


@given(drawn_axes())
def test_ticks_stand_on_whole_local_times_and_none_is_written_twice(axis):
    places = ticks_of(axis)
    assert 0 < len(places) <= 9
    step = axis.ticks()["dtick"]
    form = axis.ticks()["tickformat"]
    if step >= DAY_MS:
        assert {place.time() for place in places} == {time()}
    else:
        assert DAY_MS % step == 0
        assert {(place - EPOCH) % timedelta(milliseconds=step) for place in places} == {timedelta()}
    written = [place.strftime(form) for place in places]
    assert len(set(written)) == len(written)
    # The lines of a label tell its day and, between days, its time.
    assert "%H:%M" in form or step >= DAY_MS


def test_ticks_of_a_week_are_its_days_and_of_a_day_its_hours():
    week = axis_of(recent("7d", NOON), "Europe/Paris", "1h")
    assert [f"{one:%d %H:%M}" for one in ticks_of(week)] == [
        f"{day} 00:00" for day in range(17, 24)
    ]
    day = axis_of(days(date(2026, 11, 23), date(2026, 11, 23), "UTC"), "UTC", "15m")
    assert [one.hour for one in ticks_of(day)] == [*range(0, 24, 3)]


def test_the_year_is_written_where_it_changes():
    over = axis_of(days(date(2026, 12, 1), date(2027, 1, 10), "UTC"), "UTC", "1d")
    within = axis_of(days(date(2026, 11, 1), date(2026, 12, 10), "UTC"), "UTC", "1d")
    assert "%Y" in over.ticks()["tickformat"]
    assert "%Y" not in within.ticks()["tickformat"]


def test_models_whose_names_shorten_alike_are_not_added_up():
    twins = ["bedrock/us.anthropic.claude-sonnet-4-a", "bedrock/us.anthropic.claude-sonnet-4-b"]
    usage = pd.DataFrame(
        {
            "model": twins,
            "requests": [2, 1],
            "total_tokens": [20, 10],
            "prompt_tokens": [15, 8],
            "completion_tokens": [5, 2],
        }
    )
    assert len(set(ranking.shares(usage, "requests", {}).data[0].labels)) == 2
    assert list(by_model.tokens(usage).data[0].y) == [0, 1]


def test_ranked_bars_carry_ids_for_a_click_and_figures_for_the_eye():
    owners = pd.DataFrame(
        {
            "dimension": ["user", "user", "team"],
            "id": ["u-1", None, "t-1"],
            "name": ["Ada", None, "Red"],
            "cost_usd": [2.0, 0.5, 2.5],
        }
    )
    bar = ranking.money_by_owner(owners, "user").data[0]
    assert list(bar.customdata) == ["u-1", "(none)"]
    assert list(bar.text) == ["$2.00", "$0.50"]
    assert list(bar.hovertext) == ["Ada", "(none)"]


def test_the_doughnut_has_six_slices_and_others():
    usage = pd.DataFrame({"model": [f"m{n}" for n in range(9)], "requests": [90, *range(8, 0, -1)]})
    ring = ranking.shares(usage, "requests", {}).data[0]
    assert list(ring.labels) == ["m0", "m1", "m2", "m3", "m4", "m5", "others"]
    assert sum(ring.values) == usage["requests"].sum()


def test_the_heat_map_has_a_cell_for_every_hour_of_the_week():
    hours = pd.DataFrame({"weekday": [0, 6], "hour": [9, 23], "requests": [5, 7]})
    grid = ranking.busy_hours(hours).data[0].z
    assert (grid.shape, grid[0][9], grid[6][23], grid.sum()) == ((7, 24), 5, 7, 12)


def test_a_model_without_an_answer_has_no_bar():
    usage = pd.DataFrame({"model": ["a", "b"], "ttft_ms_p50": [None, 400.0]})
    bar = ranking.by_model(usage, "ttft_ms_p50", formatting.duration, {"b": "#123456"}).data[0]
    assert list(bar.customdata) == ["b"]
    assert list(bar.marker.color) == ["#123456"]


def test_lines_of_models_are_broken_where_a_model_was_silent():
    frame = pd.DataFrame(
        {
            "model": ["a", "a"],
            "bucket": SERIES["bucket"].iloc[[0, 2]],
            "response_ms_p95": [1_000.0, 2_000.0],
        }
    )
    (line,) = by_model.over_time(frame, AXIS, "response_ms_p95", {}).data
    assert [line.y[0], line.y[2]] == [1.0, 2.0]
    assert pd.isna(line.y[1])


def test_an_answer_between_two_gaps_is_a_dot():
    starts = pd.Series(pd.date_range("2026-11-23T12:00", periods=7, freq="h", tz="UTC"))
    known = [None, 0.2, None, 0.3, 0.4, None, 0.5]
    drawn = line(AXIS, pd.DataFrame({"bucket": starts, "rate": known}), "rate", "r", "#123456", "")
    assert drawn.mode == "lines+markers"
    assert [bool(size) for size in drawn.marker.size] == [
        *(False, True, False, False, False, False, True),
    ]
    whole = pd.DataFrame({"bucket": starts, "rate": [0.1] * 7})
    assert line(AXIS, whole, "rate", "r", "#123456", "").mode == "lines"


@pytest.mark.parametrize(("slowest", "axis"), [(1_000.0, "linear"), (60_000.0, "log")])
def test_response_times_by_model_are_logarithmic_only_where_needed(slowest, axis):
    usage = pd.DataFrame(
        {
            "model": ["a"],
            "response_ms_avg": [300.0],
            "response_ms_p50": [280.0],
            "response_ms_p95": [500.0],
            "response_ms_max": [slowest],
        }
    )
    assert by_model.response_times(usage).layout.xaxis.type == axis


def test_tags_in_a_name_are_shown_and_not_obeyed():
    assert plain("<b>bold</b>") == "&lt;b&gt;bold&lt;/b&gt;"


def test_signs_that_act_unseen_are_not_in_a_name():
    assert plain("a\u202eb\u2066\u200fc\x00\nd") == "a b c d"


def test_models_keep_their_colour_and_no_two_have_the_same():
    colours = palette.model_colours([f"m{n}" for n in range(40)])
    assert len(set(colours.values())) == 40
    assert colours == {**colours, **palette.model_colours([f"m{n}" for n in range(3)])}
    assert {palette.FAILURE, palette.OTHERS}.isdisjoint(colours.values())


def test_failures_of_other_classes_come_last_and_grey():
    counts = {"others": 9, "Timeout": 1, "RateLimitError": 5}
    start = SERIES["bucket"].iloc[:1]
    rows = [
        pd.DataFrame({"bucket": start, "error_class": name, "failures": count})
        for name, count in counts.items()
    ]
    traces = by_model.failures(pd.concat(rows), AXIS).data
    assert [trace.name for trace in traces] == ["RateLimitError", "Timeout", "others"]
    assert traces[-1].marker.color == palette.OTHERS

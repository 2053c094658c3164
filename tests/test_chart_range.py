"""What can be chosen in a chart over time, and the links to a page."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from hypothesis import given

from tests.rows import spend_log
from tests.test_charts import AXIS, NOON, drawn_axes
from tracelib.charts.base import TimeAxis
from tracelib.choice import Choice
from tracelib.page.base import chart_range, copy_link
from tracelib.ranges import Between, Calendar, Last, read_part
from tracelib.window import BUCKETS, TimeWindow, bucket_starts, days


def test_each_bar_has_its_place_its_ends_and_their_names():
    assert chart_range.stops(AXIS) == {
        "edges": [
            "2026-11-23T12:00Z",
            "2026-11-23T13:00Z",
            "2026-11-23T14:00Z",
            "2026-11-23T15:00Z",
        ],
        "names": ["Mon 23 Nov 13:00", "Mon 23 Nov 14:00", "Mon 23 Nov 15:00", "Mon 23 Nov 16:00"],
        "middles": [0.16667, 0.5, 0.83333],
        "areDays": False,
    }


def test_days_are_those_of_the_viewer_and_the_outer_ends_those_of_the_range():
    first = datetime(2026, 3, 28, 15, tzinfo=UTC)
    window = TimeWindow(first, datetime(2026, 3, 30, 12, 30, tzinfo=UTC))
    stops = chart_range.stops(TimeAxis(window, "Europe/Paris", BUCKETS["1d"], window.end))
    assert stops["edges"] == [
        "2026-03-28T15:00Z",
        "2026-03-28T23:00Z",
        "2026-03-29T22:00Z",
        "2026-03-30T12:30Z",
    ]
    assert stops["names"][:3] == ["Sat 28 Mar", "Sun 29 Mar", "Mon 30 Mar"]
    assert stops["areDays"]


def test_an_hour_that_the_clock_shows_twice_can_be_chosen_each_time():
    window = days(*[datetime(2026, 10, 25).date()] * 2, "Europe/Paris")
    stops = chart_range.stops(TimeAxis(window, "Europe/Paris", BUCKETS["1h"], window.end))
    assert stops["names"][2:4] == ["Sun 25 Oct 02:00, UTC+2", "Sun 25 Oct 02:00, UTC+1"]
    assert stops["middles"] == sorted(set(stops["middles"]))


@given(drawn_axes())
def test_the_stops_of_any_axis_divide_its_window(axis):
    stops = chart_range.stops(axis)
    edges = [datetime.fromisoformat(edge) for edge in stops["edges"]]
    assert (edges[0], edges[-1]) == (axis.window.start, axis.window.end)
    assert edges == sorted(set(edges))
    count = len(bucket_starts(axis.window, axis.bucket, axis.zone))
    assert len(stops["middles"]) == len(edges) - 1 == len(stops["names"]) - 1 == count
    assert all(0 < middle < 1 for middle in stops["middles"])
    if 2000 < edges[0].year < 2200:
        pairs = zip(stops["edges"], stops["edges"][1:], strict=False)
        assert all(read_part(*pair)[0] for pair in pairs)


@pytest.mark.parametrize("page", ["pages/Overview.py", "pages/Models.py", "pages/Status.py"])
def test_every_chart_with_the_axis_of_the_page_can_be_chosen_in(open_page, database, page):
    now = datetime.now(UTC)
    rows = [spend_log(startTime=now - timedelta(hours=n), status="failure") for n in range(3)]
    app = open_page(page, database(rows=rows).url)
    dated = [
        chart.proto.id
        for chart in app.get("plotly_chart")
        if json.loads(chart.proto.spec)["layout"]["xaxis"].get("type") == "date"
    ]
    (listening,) = (
        json.loads(one.proto.json)
        for one in app.get("bidi_component")
        if "chart range" in one.proto.id
    )
    assert len(listening["charts"]) == len(dated) > 0
    assert len(listening["axes"]) == 1


def test_the_chip_has_the_part_and_leads_back(open_page, database):
    since, until = NOON - timedelta(hours=1), NOON
    part = {"since": f"{since:%Y-%m-%dT%H:%M:%SZ}", "until": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
    rows = [
        spend_log(startTime=since, model_group="gpt-4o"),
        spend_log(startTime=datetime.now(UTC)),
    ]
    app = open_page("pages/Models.py", database(rows=rows).url, model="gpt-4o", **part)
    assert [one.label for one in app.button if one.key.startswith("chip ")] == [
        "23 November 11&#58;00 to 12&#58;00",
        "Model: gpt&#45;4o",
        "Clear all",
    ]
    app.button("chip part").click().run()
    assert not app.exception
    assert not [one for one in app.button if one.key == "chip part"]


def test_another_range_has_no_part_of_the_one_before(open_page, empty_database):
    part = {"since": "2026-11-23T11:00Z", "until": "2026-11-23T12:00Z"}
    app = open_page("pages/Models.py", empty_database.url, **part)
    app.selectbox("filter span").set_value("24h").run()
    assert app.session_state["choice"] == Choice(range=Last(24), refresh="off")


@pytest.mark.parametrize(
    "chosen", [None, "all", ["x"], ["a", "b"], [1, 2], ["2026-11-23T12:00Z"] * 2]
)
def test_what_is_no_time_changes_nothing(monkeypatch, chosen):
    state = {chart_range.KEY: {"chosen": chosen}, "choice": Choice()}
    monkeypatch.setattr(chart_range.st, "session_state", state)
    chart_range._choose()
    assert state["choice"] == Choice()


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (Last(24), ["Live link", "Fixed link"]),
        (Calendar("today"), ["Live link", "Fixed link"]),
        (Between(NOON, NOON + timedelta(hours=1)), ["Fixed link"]),
    ],
)
def test_a_range_that_moves_on_has_a_live_link_and_a_fixed_one(chosen, names):
    choice = Choice(range=chosen, model=("a&b",))
    filters = choice.filters(NOON + timedelta(hours=2), "Asia/Tokyo")
    links = copy_link.links(choice, filters)
    assert [link["name"] for link in links] == names
    assert dict(parse_qsl(links[-1]["query"])) == {
        "range": "custom",
        "from": f"{filters.window.start:%Y-%m-%dT%H:%MZ}",
        "to": f"{filters.window.end:%Y-%m-%dT%H:%MZ}",
        "zone": "Asia/Tokyo",
        "model": "a&b",
    }
    if len(links) > 1:
        assert dict(parse_qsl(links[0]["query"])) == {"model": "a&b"} | dict(chosen.query())

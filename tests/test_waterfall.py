"""What the timeline's figures show: bars by phase, marks, cuts, tokens by kind, money so far."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from tests.test_timeline import going_on, requests
from tracelib.charts import context, palette, waterfall
from tracelib.charts import strip as strips
from tracelib.querying.store import Result
from tracelib.timeline import activity, drawn, timeline

BLUE = "#4C6EF5"
STREAMED = {"lasted": 1_000, "ttft_ms": 400.0, "overhead_ms": 100.0}
FIGURES = {"prompt_tokens": 100, "completion_tokens": 20, "cost_usd": 0.5}


def pictured(*changes, skips_idle=False, opened=None):
    """The waterfall of such requests."""
    turns, cuts = drawn(timeline(requests(*changes)).turns, skips_idle=skips_idle)
    return waterfall.waterfall(turns, cuts, {"gpt-4o": BLUE}, opened)


def bars(chart):
    """Where each bar of each phase begins, how long it is, in which row, and its colour."""
    return [
        (base, length, row, colour)
        for trace in chart.data
        if trace.type == "bar" and trace.base is not None
        for base, length, row, colour in zip(
            trace.base, trace.x, trace.y, trace.marker.color, strict=True
        )
    ]


def marks(chart):
    return [
        (trace.marker.symbol, list(trace.x), list(trace.y))
        for trace in chart.data
        if trace.type == "scatter"
    ]


def legend(chart):
    return [trace.name for trace in chart.data if trace.showlegend is not False]


def test_a_request_is_a_row_of_bars_one_behind_the_other():
    chart = pictured(STREAMED, {"at": 1_500, "lasted": 500, "model": "other"})
    assert bars(chart) == [
        (0, 100, 1, BLUE),
        (100, 300, 1, BLUE),
        (400, 600, 1, BLUE),
        (1_500, 500, 2, palette.OTHERS),
    ]
    names = ["gpt-4o", "other", "LiteLLM", "To first token", "Generation", "Response"]
    assert legend(chart) == names
    assert chart.layout.yaxis.range[0] > chart.layout.yaxis.range[1]


def test_failures_are_red_and_crossed_and_hits_are_marked():
    chart = pictured(
        {"lasted": 100, "is_failure": True, "error_class": "<b>Timeout</b>"},
        {"at": 200, "lasted": 50, "is_cache_hit": True},
    )
    assert bars(chart) == [(0, 100, 1, palette.FAILURE), (200, 50, 2, BLUE)]
    assert marks(chart) == [("x", [100], [1]), ("diamond", [250], [2])]
    assert legend(chart) == ["gpt-4o", "Response", "Failed", "From cache"]
    (cross,) = (trace for trace in chart.data if trace.name == "Failed")
    assert cross.hovertext[0].endswith("<br>Failed: &lt;b&gt;Timeout&lt;/b&gt;")


def test_a_bar_too_short_to_see_has_a_tick():
    chart = pictured({"lasted": 1}, {"at": 10_000, "lasted": 10_000})
    assert marks(chart) == [("line-ns", [0], [1])]


def test_a_click_means_a_request_and_a_hover_tells_of_it():
    evil = "<a href='x'>me</a>"
    (trace,) = pictured(
        {"request_id": "r", "lasted": 1_500, "model": evil, "is_failure": True} | FIGURES
    ).data[-2:-1]
    assert list(trace.customdata) == ["r@2026-11-23T12:00:00.000Z"]
    assert list(trace.hovertext) == [
        "<b>Request 1</b> &lt;a href='x'&gt;me&lt;/a&gt;<br>After 0 ms: 1.5 s<br>"
        "100 → 20 tokens, $0.50<br>Failed: unknown reason"
    ]


def test_cut_time_is_a_band_that_says_how_long_it_was():
    far = ({"lasted": 1_000}, {"at": 3_601_000, "lasted": 1_000}, {"at": 3_602_100, "lasted": 900})
    chart = pictured(*far, skips_idle=True)
    kept = 2_900 * 0.03
    assert [(shape.x0, shape.x1) for shape in chart.layout.shapes] == [
        (1_000, pytest.approx(1_000 + kept)),
        (pytest.approx(2_000 + kept), pytest.approx(2_000 + 2 * kept)),
    ]
    assert [note.text for note in chart.layout.annotations] == ["1 h 0 min", "100 ms"]
    # The ticks are true moments, not places on the axis.
    assert list(chart.layout.xaxis.ticktext) == ["0:00:00", "1:00:01", "1:00:02"]
    whole = pictured(*far)
    assert not whole.layout.shapes
    assert list(whole.layout.xaxis.ticktext)[:3] == ["0:00:00", "0:15:00", "0:30:00"]


def test_the_opened_request_is_shaded():
    chart = pictured({"request_id": "a"}, {"request_id": "b"}, opened="b@2026-11-23T12:00:00.000Z")
    assert [(shape.y0, shape.y1) for shape in chart.layout.shapes] == [(1.5, 2.5)]


@pytest.mark.parametrize("changes", [(), ({},), ({"lasted": -5},)], ids=["none", "one", "before"])
def test_requests_without_time_have_a_figure(changes):
    assert pictured(*changes, skips_idle=True).layout.xaxis.range[1] == pytest.approx(1.02)


def test_rows_keep_their_numbers_on_a_later_page():
    turns = timeline(requests(*({"at": 10 * n, "lasted": 5} for n in range(100)))).turns
    chart = waterfall.waterfall(*drawn(turns.iloc[40:80], skips_idle=True), {})
    assert list(chart.layout.yaxis.ticktext) == [
        "41",
        "45",
        "50",
        "55",
        "60",
        "65",
        "70",
        "75",
        "80",
    ]
    assert min(base for base, *_ in bars(chart)) == 400


def stacked(*changes):
    frame = requests(*changes)
    parents = going_on(frame, {"1": None, "2": "1"})
    return context.context(timeline(frame, parents).turns, 0.8)


def test_tokens_are_stacked_by_what_was_sent_before():
    chart = stacked(FIGURES, FIGURES | {"prompt_tokens": 200, "cached_prompt_tokens": 64, "at": 10})
    assert {trace.name: list(trace.y) for trace in chart.data} == {
        "Provider’s cache": [0, 64],
        "Resent": [0, 56],
        "New": [100, 80],
    }
    assert list(chart.data[0].customdata) == [
        "1@2026-11-23T12:00:00.000Z",
        "2@2026-11-23T12:00:00.010Z",
    ]


@pytest.mark.parametrize(
    ("limit", "drawn_traces"),
    [
        (None, []),
        (1_000, []),
        (500, ["Model’s limit"]),
        (250, ["Model’s limit", "Near the limit"]),
    ],
)
def test_the_limit_is_drawn_where_a_prompt_comes_near_it(limit, drawn_traces):
    chart = stacked(FIGURES | {"prompt_tokens": 200, "max_input_tokens": limit})
    assert [trace.name for trace in chart.data[3:]] == drawn_traces


def test_many_requests_are_areas_rather_than_bars():
    many = timeline(requests(*({"at": n} | FIGURES for n in range(201)))).turns
    assert {trace.type for trace in context.context(many, 0.8).data} == {"scatter"}
    assert {trace.type for trace in context.context(many.head(200), 0.8).data} == {"bar"}


def test_of_more_requests_than_pixels_the_fullest_of_every_few_and_the_last_are_drawn():
    full = {3: 900, 2_500: 950}
    made = ({"at": n, "prompt_tokens": full.get(n, n % 2), "cost_usd": 0.25} for n in range(3_000))
    told = timeline(requests(*made))
    sent = context.context(told.turns, 0.8)
    new = next(trace for trace in sent.data if trace.name == "New")
    assert len(new.x) == 1_001
    assert [x for x, y in zip(new.x, new.y, strict=True) if y > 100] == [4, 2_501]
    assert new.customdata[-1] == f"{new.x[-1]}@2026-11-23T12:00:02.999Z"
    assert new.x[-1] == 3000
    assert sent.layout.xaxis.range == (0.4, 3_000.6)
    (line,) = context.cost_so_far(told.turns).data
    assert (len(line.x), line.y[-1]) == (1_001, told.cost_usd)


@pytest.mark.parametrize(
    ("cost_usd", "tickformat"), [(0.0, None), (0.001, None), (0.2, ".2f"), (5.0, ",.0f")]
)
def test_dollars_on_an_axis_are_written_alike(cost_usd, tickformat):
    chart = context.cost_so_far(timeline(requests({"cost_usd": cost_usd})).turns)
    assert (chart.layout.yaxis.tickprefix, chart.layout.yaxis.tickformat) == ("$", tickformat)


def test_the_cost_so_far_ends_at_the_sessions_cost():
    told = timeline(requests({"cost_usd": 0.1}, {"cost_usd": 0.2}, {"cost_usd": 0.0}))
    (line,) = context.cost_so_far(told.turns).data
    assert list(line.y) == [0.1, 0.3, 0.3] == [*line.y[:2], told.cost_usd]
    assert line.hovertext[1] == "$0.30, this request $0.20"


def test_the_strip_shows_the_whole_and_where_it_failed():
    turns = timeline(
        requests({"lasted": 60_000}, {"at": 180_000, "lasted": 60_000, "is_failure": True})
    ).turns
    bar, failed = strips.strip(activity(turns, 4), (0.0, 60_000.0)).data
    assert list(bar.y) == [1, 0, 0, 1]
    assert list(bar.customdata) == [1, 2, 2, 2]
    assert list(bar.hovertext)[1:] == [
        "After 1 min 0 s: busy 0 %",
        "After 2 min 0 s: busy 0 %",
        "After 3 min 0 s: busy 100 %, 1 failed",
    ]
    assert list(failed.x) == [210_000]


def the_cards():
    """The script of the page under test; Streamlit runs its text alone."""
    import streamlit as st

    from tracelib.page.session import session_timeline

    view, result, page, opened = st.session_state["given"]
    session_timeline.show(view, result, page, lambda _: None, opened)


def transcript(parents):
    """The page of a transcript that knows these parents, by row."""
    turns = [
        SimpleNamespace(
            request=SimpleNamespace(row=SimpleNamespace(written=lambda row=row: row)),
            parent=parent and SimpleNamespace(written=lambda parent=parent: parent),
            new_messages=["said"],
            changes=(),
        )
        for row, parent in parents.items()
    ]
    return SimpleNamespace(turns=turns, total=len(turns))


def shown(frame, parents=None, opened=None):
    app = AppTest.from_function(the_cards, default_timeout=30)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    result, page = (
        Result(value, None, at, 0.0) for value in (frame, parents and transcript(parents))
    )
    app.session_state["given"] = (SimpleNamespace(colours={}), result, page, opened)
    return app.run()


def test_the_cards_say_where_the_time_and_the_money_went():
    app = shown(
        requests(
            FIGURES | {"lasted": 1_000, "max_input_tokens": 1_000, "input_cost_usd": 0.25},
            FIGURES | {"at": 3_000, "lasted": 1_000, "prompt_tokens": 240, "input_cost_usd": 0.4},
        )
    )
    assert not app.exception
    assert [(metric.label, metric.value) for metric in app.metric] == [
        ("Model time", "2.0 s"),
        ("Idle time", "2.0 s"),
        ("Longest gap", "2.0 s"),
        ("Cost of resent context", "\\$0.20"),
        ("Peak context use", "10.0 %"),
    ]
    assert [caption.value for caption in app.caption] == [
        "one request at a time",
        "50.0 % of 4.0 s",
        "after request 1",
        "35.3 % of prompt tokens",
        "of the limit, request 1",
    ]
    assert len(app.get("plotly_chart")) == 3
    assert not app.toggle[0].value


def test_a_long_session_is_shown_by_the_page_that_holds_the_opened_request():
    frame = requests(*({"at": 1_000 * n, "lasted": 10} | FIGURES for n in range(100)))
    app = shown(frame, opened="50@2026-11-23T12:00:49.000Z")
    assert not app.exception
    assert app.caption[-1].value == (
        "Requests 41 to 80 of 100 below; the strip shows the whole session."
    )
    assert app.toggle[0].value


def test_a_session_that_is_too_long_to_be_shown_whole_says_so(monkeypatch):
    frame = requests({"lasted": 10}, {"at": 1_000, "lasted": 10})
    said = "Only the first 2 requests are shown here."
    monkeypatch.setattr("tracelib.page.session.session_timeline.MOST_REQUESTS", 2)
    assert shown(frame).caption[0].value == said
    monkeypatch.setattr("tracelib.page.session.session_timeline.MOST_REQUESTS", 3)
    assert said not in [caption.value for caption in shown(frame).caption]


def test_of_no_requests_nothing_is_shown():
    assert not shown(requests()).get("plotly_chart")

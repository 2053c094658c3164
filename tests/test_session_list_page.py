"""The list of sessions as a page: the form and the URL, words and chips, a search that reads on."""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest

from tests.database import Database
from tests.page_words import words
from tests.rows import KEY, failure, spend_log
from tests.visiting import people, signed_in, visit
from tracelib.charts import palette, strip
from tracelib.charts.base import TimeAxis
from tracelib.page.listing import scan
from tracelib.page.listing.search_form import CONDITIONS
from tracelib.redaction import KINDS
from tracelib.sessions import Scan, SessionSearch, scanning
from tracelib.window import BUCKETS, TimeWindow, bucket_starts

PAGE = "pages/Sessions.py"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
WINDOW = TimeWindow(NOON, NOON + timedelta(hours=3))
AXIS = TimeAxis(WINDOW, "Europe/Paris", BUCKETS["1h"], NOON + timedelta(hours=3))


def minutes_ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def asking(text: str, minutes: float, **changes: object) -> dict:
    """A request in which this was said."""
    said = {"messages": [{"role": "user", "content": text}]}
    return spend_log(startTime=minutes_ago(minutes), proxy_server_request=said, **changes)


def chips(app) -> list[str]:
    """The conditions above the list, as they are read."""
    return [
        button.label.replace("&#45;", "-")
        for button in app.button
        if (button.key or "").startswith("condition ")
    ]


def began_with(app) -> list[str] | None:
    """What the sessions in the table began with; None without such a column."""
    table = app.dataframe[0].value
    return list(table["words"]) if "words" in table else None


def listed(app) -> list[str]:
    """The ids of the sessions in the table, in its order; none without a table."""
    return list(app.dataframe[0].value["session_id"]) if app.dataframe else []


def said_in_url(app) -> dict[str, str]:
    """The URL's parameters, but for the one that every test gives."""
    return {
        name: values[0] if isinstance(values, list) else values
        for name, values in app.query_params.items()
        if name != "refresh"
    }


EVERY_FIELD = [
    ("text_input", "said", " refund ", {"said": "refund"}),
    ("text_input", "text", "ada", {"q": "ada"}),
    ("selectbox", "status", "with failures", {"status": "with failures"}),
    ("selectbox", "sort", "tokens", {"sort": "tokens"}),
    ("selectbox", "tool", "look_up", {"tool": "look_up"}),
    ("selectbox", "error_class", "Timeout", {"error": "Timeout"}),
    ("text_input", "metadata", "stage = live = 1", {"meta": "stage=live = 1"}),
    ("toggle", "has_tool_calls", True, {"calls": "yes"}),
    ("toggle", "used_fallback", True, {"fallback": "yes"}),
    ("toggle", "many_requests_only", True, {"many": "yes"}),
    ("selectbox", "end_user", "customer-1", {"end_user": "customer-1"}),
    ("selectbox", "tag", "nightly", {"tag": "nightly"}),
    ("selectbox", "agent", "agent-1", {"agent": "agent-1"}),
    ("selectbox", "call_type", "aresponses", {"call_type": "aresponses"}),
    ("number_input", "min_cost_usd", 0.5, {"min_cost": "0.5"}),
    ("number_input", "max_cost_usd", 2.0, {"max_cost": "2.0"}),
    ("number_input", "min_requests", 2, {"min_requests": "2"}),
    ("number_input", "min_error_share", 25.0, {"min_error_share": "0.25"}),
    ("number_input", "max_duration_s", 90.0, {"max_duration_s": "90.0"}),
    ("number_input", "min_tokens", 1_000, {"min_tokens": "1000"}),
    ("number_input", "max_models", 3, {"max_models": "3"}),
]


NAMED = {
    "session_id": "one of every name",
    "response": {"choices": [{"message": {"tool_calls": [{"function": {"name": "look_up"}}]}}]},
    "end_user": "customer-1",
    "request_tags": ["nightly"],
    "agent_id": "agent-1",
    "call_type": "aresponses",
}


def with_more(app):
    """The page with the rarer conditions unfolded, as a click does."""
    app.session_state["more"] = True
    return app.run()


def test_every_field_is_said_in_the_url_and_shown_again_from_there(open_page, database):
    url = database(
        rows=[
            spend_log(startTime=minutes_ago(20), **NAMED),
            failure(startTime=minutes_ago(20), error_class="Timeout"),
        ]
    ).url
    app = with_more(open_page(PAGE, url))
    expected: dict[str, str] = {}
    for kind, field, value, query in EVERY_FIELD:
        getattr(app, kind)(f"search {field}").set_value(value)
        expected |= query
    app.run()
    assert not app.exception
    assert said_in_url(app) == expected
    assert "More conditions (16)" in [one.label for one in app.expander]
    assert app.selectbox("search tool").value == "look_up"

    again = with_more(open_page(PAGE, url, **expected))
    shown = {
        field: getattr(again, kind)(f"search {field}").value for kind, field, *_ in EVERY_FIELD
    }
    typed = {field: value for _, field, value, _ in EVERY_FIELD}
    assert shown == typed | {"said": "refund", "metadata": "stage=live = 1"}


def test_suggestions_that_come_late_are_shown_when_they_are_there(open_page, database, monkeypatch):
    """Also where the page is not refreshed, and where they have not begun when it is drawn."""
    monkeypatch.setattr("tracelib.page.listing.search_form.PATIENCE_S", -1.0)
    made = database(rows=[asking("tea", 5, call_type="aresponses")])
    app = with_more(open_page(PAGE, made.url, refresh="off"))
    (field,) = [one for one in app.selectbox if one.label == "Call type"]
    assert field.options == ["aresponses"]


def test_every_field_of_a_search_is_a_condition_but_the_order():
    fields = [field for condition in CONDITIONS for field in condition]
    assert sorted([*fields, "sort"]) == sorted(SessionSearch.__dataclass_fields__)


def test_conditions_stand_in_words_above_the_list_and_are_removed_one_by_one(open_page, database):
    rows = [spend_log(startTime=minutes_ago(5), session_id="s", user="ada") for _ in range(3)]
    search = {"q": "ada", "min_requests": "2", "max_requests": "4", "sort": "cost"}
    app = open_page(PAGE, database(rows=rows).url, **search)
    assert "**1 session**" in words(app)
    assert "Last 7 days, highest cost first" in words(app)
    assert chips(app) == ["named “ada”", "from 2 to 4 requests"]
    app.button("condition min_requests").click().run()
    assert chips(app) == ["named “ada”"]
    assert said_in_url(app) == {"q": "ada", "sort": "cost"}


def test_a_search_for_what_was_said_finds_it_and_says_what_it_read(open_page, database):
    rows = [
        asking("Where is my refund?", 5, session_id="sought"),
        asking("REFUND me", 50, session_id="older"),
        asking("Good morning", 20, session_id="other"),
    ]
    app = open_page(PAGE, database(rows=rows).url, said="refund")
    assert not app.exception
    assert listed(app) == ["sought", "older"]
    said = words(app)
    assert "**2 sessions**" in said
    assert "Searched everything logged up to " in said
    assert "Read 3 of 3 requests in " in said
    assert not [button for button in app.button if button.key in ("stop", "continue")]


def test_a_search_is_stopped_and_goes_on_where_it_was(open_page, database, monkeypatch):
    def stopped(view, search, running):
        """A step of the search, in which Stop is clicked."""
        running.is_stopped = True
        step(view, search, running)

    step = scan._step
    said = {10: "refund", 390: "refund"}
    rows = [asking(said.get(n, "tea"), n + 1, session_id=f"s{n}") for n in range(400)]
    log = database(rows=rows)
    with monkeypatch.context() as patch:
        patch.setattr(scan, "_step", stopped)
        patch.setattr(scan, "STEP_S", 0)
        app = open_page(PAGE, log.url, said="refund")
    assert "**1 session so far**" in words(app)
    assert "Stopped. Read 200 of 400 requests, back to " in words(app)
    assert listed(app) == ["s10"]
    app.run()
    assert "Stopped. Read 200 of 400 requests, back to " in words(app)
    app.button("continue").click().run()
    assert listed(app) == ["s10", "s390"]
    assert "Read 400 of 400 requests in " in words(app)


def test_what_is_found_is_put_in_another_order_without_reading_again(open_page, database):
    rows = [
        asking("refund", 5, session_id="new", spend=0.1),
        asking("refund", 9, session_id="old", spend=9),
    ]
    app = open_page(PAGE, database(rows=rows).url, said="refund")
    assert listed(app) == ["new", "old"]
    reading = app.session_state[scan.RUNNING]
    app.selectbox("search sort").set_value("cost").run()
    assert listed(app) == ["old", "new"]
    assert app.session_state[scan.RUNNING] is reading


def test_a_search_goes_on_after_the_database_was_away(open_page, spare_server):
    log = Database(spare_server)
    log.insert([asking("refund", 5, session_id="sought")])
    app = open_page(PAGE, log.url)
    spare_server.stop()
    app.text_input("search said").set_value("refund").run()
    assert "The database is not responding." in words(app)
    assert "Search interrupted." in words(app)
    spare_server.start()
    app.button("continue").click().run()
    assert listed(app) == ["sought"]


def test_a_search_that_found_its_most_goes_on_from_there(open_page, database, monkeypatch):
    monkeypatch.setattr(scanning, "MOST_FOUND", 2)
    rows = [asking("refund", n + 1, session_id=f"s{n}") for n in range(5)]
    app = open_page(PAGE, database(rows=rows).url, said="refund")
    # The class took its own limit over when it was made.
    app.session_state[scan.RUNNING].scan = Scan(most=2, requests_in_window=5)
    app.run()
    for found in (2, 4):
        assert listed(app) == [f"s{n}" for n in range(found)]
        assert f"**The newest {found} sessions**" in words(app)
        assert f"Complete back to {on_the_clock(rows[found - 1])}. Read 5 of 5" in words(app)
        app.button("find more").click().run()
    assert listed(app) == [f"s{n}" for n in range(5)]
    assert "**5 sessions**" in words(app)
    assert "Searched everything logged up to " in words(app)
    assert "find more" not in [button.key for button in app.button]


def on_the_clock(row: dict) -> str:
    started = row["startTime"]
    return f"{started.day} {started:%b %Y %H:%M:%S}"


def test_a_search_begins_anew_when_asked_for(open_page, database):
    log = database(rows=[asking("refund", 5, session_id="first")])
    app = open_page(PAGE, log.url, said="refund")
    log.insert([asking("refund", 4, session_id="second")])
    assert listed(app.run()) == ["first"]
    app.button("search again").click().run()
    assert listed(app) == ["second", "first"]


def test_a_search_that_finds_nothing_says_where_and_offers_a_longer_range(open_page, database):
    log = database(rows=[asking("tea", 5), asking("refund", 60 * 24 * 3, session_id="older")])
    app = open_page(PAGE, log.url, said="refund", range="24h")
    assert "No sessions match this search in this time range. Requests searched: 1." in words(app)
    app.button("offer Search the last 7 days").click().run()
    assert listed(app) == ["older"]
    assert app.selectbox("filter span").value == "7d"


@pytest.mark.parametrize(
    ("query", "sentence", "offers"),
    [
        ({}, "No sessions in this time range.", ["Search the last 30 days"]),
        (
            {"range": "30d", "q": "ada", "user": "ada"},
            "No sessions match this search in this time range.",
            ["Clear the search", "Remove the filters"],
        ),
        (
            {"id": "gone"},
            "No session, request or call with this ID, in any time range.",
            ["Clear the search"],
        ),
    ],
)
def test_a_list_without_sessions_says_why_and_what_may_help(
    open_page, empty_database, query, sentence, offers
):
    app = open_page(PAGE, empty_database.url, **query)
    assert not app.exception
    assert sentence in words(app)
    offered = [button.label for button in app.button if (button.key or "").startswith("offer ")]
    assert offered == offers
    app.button(f"offer {offers[-1]}").click().run()
    assert f"offer {offers[-1]}" not in [button.key for button in app.button]


def test_a_part_of_the_range_narrows_the_list_and_not_the_strip(open_page, database):
    log = database(rows=[spend_log(startTime=minutes_ago(n), session_id=f"s{n}") for n in (5, 90)])
    since, until = (f"{minutes_ago(n):%Y-%m-%dT%H:%M:%SZ}" for n in (120, 60))
    app = open_page(PAGE, log.url, since=since, until=until)
    assert listed(app) == ["s90"]
    assert sum(drawn_bars(app)) == 2
    app.button("chip part").click().run()
    assert listed(app) == ["s5", "s90"]
    assert said_in_url(app) == {}


def drawn_bars(app) -> list[float]:
    """How high are the bars of sessions without failures? Plotly packs numbers into bytes."""
    (strip_drawn,) = app.get("plotly_chart")
    packed = json.loads(strip_drawn.proto.spec)["data"][0]["y"]
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]).tolist()


def test_a_part_that_the_range_has_passed_is_shown_all_the_same(open_page, database):
    log = database(rows=[spend_log(startTime=minutes_ago(n), session_id=f"s{n}") for n in (5, 90)])
    since, until = (f"{minutes_ago(n):%Y-%m-%dT%H:%M:%SZ}" for n in (120, 70))
    app = open_page(PAGE, log.url, range="1h", since=since, until=until)
    assert listed(app) == ["s90"]
    assert sum(drawn_bars(app)) == 1
    assert not app.warning


def test_a_name_makes_a_kept_search_of_a_link(open_page, database):
    log = database(rows=[spend_log(startTime=minutes_ago(n), user="ada") for n in range(60)])
    app = open_page(PAGE, log.url, q="ada", sort="cost")
    app.button("next page").click().run()
    app.text_input("name to save").set_value(" Ada’s ![x](y) ").run()
    (link,) = [code.value for code in app.code]
    assert link.split("?")[1] == "name=Ada%E2%80%99s+%21%5Bx%5D%28y%29&refresh=off&q=ada&sort=cost"

    kept = open_page(PAGE, log.url, q="ada", name="Ada’s ![x](y)")
    (heading,) = [one.value for one in kept.subheader]
    assert "![x](" not in heading
    assert heading.startswith("Ada’s")
    kept.button("remove the name").click().run()
    assert not kept.subheader
    assert said_in_url(kept) == {"q": "ada"}


def test_a_kept_part_of_the_range_has_its_moments(open_page, database):
    log = database(rows=[spend_log(startTime=minutes_ago(n)) for n in range(60)])
    since, until = (f"{minutes_ago(n):%Y-%m-%dT%H:%M:%SZ}" for n in (30, 20))
    app = open_page(PAGE, log.url, range="24h", zone="Asia/Tokyo", since=since, until=until)
    (link,) = [code.value for code in app.code]
    held = parse_qs(link.split("?")[1])
    chosen = {"range": ["24h"], "zone": ["Asia/Tokyo"], "since": [since], "until": [until]}
    assert held == {"refresh": ["off"]} | chosen


def test_the_first_words_are_shown_where_they_are_wanted(
    open_page, database, tmp_path, monkeypatch
):
    log = tmp_path / "audit.jsonl"
    monkeypatch.setenv("TRACELIB_AUDIT_LOG", str(log))
    rows = [
        asking("refund " + "of it all " * 20, 9, session_id="long"),
        asking("refund ada@example.com", 7, session_id="mail"),
    ]
    url = database(rows=rows).url
    app = open_page(PAGE, url)
    assert began_with(app) is None
    assert not [line for line in noted(log) if line["what"] == "listed"]
    app.toggle("switch words").set_value(True).run()
    assert said_in_url(app) == {"words": "yes"}
    assert began_with(app) == [
        "refund ada@example.com",
        ("refund " + "of it all " * 20)[:119] + "…",
    ]
    assert noted(log)[-1]["session_ids"] == ["mail", "long"]
    app.toggle("switch words").set_value(False).run()
    assert began_with(app) is None
    masked = open_page(PAGE, url, words="yes", redacted="yes")
    assert began_with(masked)[0] == "refund [e-mail]"
    assert [line["redaction"] for line in noted(log)] == [[], list(KINDS)]


def test_the_most_recent_first_is_the_order_of_the_column_that_says_when(open_page, database):
    rows = [
        spend_log(session_id="long", startTime=minutes_ago(30), endTime=minutes_ago(1)),
        spend_log(session_id="late", startTime=minutes_ago(5), endTime=minutes_ago(4)),
        asking("refund", 20, session_id="between", endTime=minutes_ago(19)),
        asking("refund", 25, session_id="before", endTime=minutes_ago(2)),
    ]
    url = database(rows=rows).url
    app = open_page(PAGE, url)
    assert listed(app) == ["late", "between", "before", "long"]
    assert app.dataframe[0].value["last_started_at"].is_monotonic_decreasing
    found = open_page(PAGE, url, said="refund")
    assert listed(found) == ["between", "before"]
    assert found.dataframe[0].value["last_started_at"].is_monotonic_decreasing


def test_a_search_in_what_was_said_shows_it_at_once_and_notes_it(
    open_page, database, tmp_path, monkeypatch
):
    log = tmp_path / "audit.jsonl"
    monkeypatch.setenv("TRACELIB_AUDIT_LOG", str(log))
    monkeypatch.setattr(scan, "STEP_S", 0.0)
    others = [spend_log(startTime=minutes_ago(2 + one / 100)) for one in range(250)]
    found = [asking(f"refund {at}@example.com", at, session_id=f"s-{at}") for at in (1, 9)]
    url = database(rows=[*others, *found]).url
    app = open_page(PAGE, url, said="refund")
    assert began_with(app) == ["refund 1@example.com", "refund 9@example.com"]
    assert "switch words" not in [toggle.key for toggle in app.toggle]
    app.run()
    # The second one was found in a later step, and each is noted once.
    ids = [line["session_ids"] for line in noted(log) if line["what"] == "listed"]
    assert ids == [["s-1"], ["s-9"]]
    masked = open_page(PAGE, url, said="refund", redacted="yes")
    assert began_with(masked)[0] == "refund [e-mail]"


def test_a_search_in_what_was_said_shows_where_it_is_said(open_page, database):
    said = [("user", "Good morning"), ("assistant", "x" * 400), ("user", "y" * 99 + " My REFUND!")]
    body = {"messages": [{"role": role, "content": text} for role, text in said]}
    rows = [
        spend_log(startTime=minutes_ago(5), proxy_server_request=body, session_id="asked"),
        asking("hello", 7, session_id="answered", response={"choices": [{"text": "a refund"}]}),
        asking("refund", 9, session_id="with a tool"),
        spend_log(startTime=minutes_ago(8), session_id="with a tool", response=NAMED["response"]),
    ]
    url = database(rows=rows).url
    app = open_page(PAGE, url, said="refund")
    assert began_with(app) == ["…" + "y" * 36 + " My REFUND!", "a refund", "refund"]
    # The request that met the last condition says something else.
    app = open_page(PAGE, url, said="refund", tool="look_up")
    assert (listed(app), began_with(app)) == (["with a tool"], ["refund"])


def noted(log) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_a_viewer_is_shown_no_first_words(database, fresh_caches, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database(rows=[asking("hello", 5)]).url)
    monkeypatch.setenv("TRACELIB_PEOPLE", people(vic=("viewer", {"all": True})))
    app = visit(PAGE, signed_in("vic@example.com"), words="yes")
    assert not app.exception
    assert began_with(app) is None
    assert "switch words" not in [toggle.key for toggle in app.toggle]


def test_without_a_note_there_are_no_first_words(open_page, database, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACELIB_AUDIT_LOG", str(tmp_path))
    app = open_page(PAGE, database(rows=[asking("hello", 5)]).url, words="yes")
    assert not app.exception
    assert began_with(app) is None
    assert len(app.error) == 1


def test_two_that_are_ticked_are_compared_the_earlier_one_first(open_page, database):
    rows = [spend_log(startTime=minutes_ago(n), session_id=f"s{n}") for n in (3, 5, 7)]
    log = database(rows=rows)
    app = open_page(PAGE, log.url)
    assert app.button("compare ticked").disabled
    app.session_state["sessions  ticked"] = [("s3", KEY), ("s7", KEY), ("gone", KEY)]
    app.run()
    log.insert([spend_log(startTime=minutes_ago(1), session_id="new")])
    app.button("refresh now").click().run()
    assert listed(app) == ["new", "s3", "s5", "s7"]
    # The ticks went down with their sessions.
    assert app.session_state["sessions  0"]["selection"]["rows"] == [1, 3]
    app.button("compare ticked").click().run()
    assert said_in_url(app) == {"session": "s7", "of": KEY, "with": "s3", "with_of": KEY}


def test_another_page_is_another_table_read_from_its_top(open_page, database):
    rows = [spend_log(startTime=minutes_ago(n + 1), session_id=f"s{n}") for n in range(60)]
    app = open_page(PAGE, database(rows=rows).url)
    first = listed(app)
    app.button("next page").click().run()
    assert first + listed(app) == [f"s{n}" for n in range(60)]
    app.button("first page").click().run()
    assert listed(app) == first


@pytest.mark.parametrize("query", [{}, {"said": "refund"}])
def test_what_is_listed_can_be_downloaded(open_page, database, query):
    app = open_page(PAGE, database(rows=[asking("refund", 5)]).url, **query)
    assert not app.exception
    assert [button.label for button in app.download_button] == ["CSV", "JSON lines"]


def test_the_strip_has_failures_in_red_and_draws_faint_what_is_not_chosen():
    starts = bucket_starts(AXIS.window, AXIS.bucket, AXIS.zone)
    spread = pd.DataFrame(
        {
            "bucket": pd.Series(starts, dtype="datetime64[us, UTC]"),
            "sessions": [5, 0, 2],
            "with_failures": [1, 0, 2],
        }
    )
    plain = strip.sessions(spread, AXIS, None)
    assert [(list(one.y), list(one.marker.opacity)) for one in plain.data] == [
        ([4, 0, 0], [1, 1, 1]),
        ([1, 0, 2], [1, 1, 1]),
    ]
    assert [one.marker.color for one in plain.data] == [palette.REQUESTS, palette.FAILURE]
    assert not plain.layout.shapes
    chosen = strip.sessions(spread, AXIS, TimeWindow(starts[1], starts[2]), starts[1])
    assert list(chosen.data[0].marker.opacity) == [strip.OUTSIDE, 1, strip.OUTSIDE]
    (veil,) = chosen.layout.shapes
    assert (veil.x0, veil.x1) == (AXIS.range()[0], pd.Timestamp("2026-11-23T14:00"))

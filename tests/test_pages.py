"""Every page runs: with rows, without, with the database down, on every version of LiteLLM."""

import html
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import streamlit as st
from streamlit.runtime.caching import cache_utils
from streamlit.testing.v1 import AppTest

from tests import litellm
from tests.database import Database, role
from tests.page_words import figures, plain, words
from tests.rows import failure, real_rows, spend_log
from tracelib.querying import runner
from tracelib.querying.runner import expire_results

ROOT = Path(__file__).parent.parent
PAGES = ["Home.py", "pages/Overview.py", "pages/Models.py", "pages/Sessions.py", "pages/Status.py"]
DAYS_OF_THE_REAL_ROWS = {"range": "custom", "from": "2026-11-23", "to": "2026-11-23", "zone": "UTC"}
# Short enough for a name: a longer one is shown as its hash.
HOSTILE = "![x](http://c.invalid)<img src=//c.invalid>:red[x]$a$"

COUNTS = ("requests", "failures")
CLOCK = r"\d\d:\d\d:\d\d"


@pytest.mark.parametrize("page", PAGES)
def test_nothing_that_a_page_draws_is_replayed_from_a_cache(
    page, open_page, real_rows_database, monkeypatch
):
    replayed = []
    monkeypatch.setattr(
        cache_utils,
        "replay_cached_messages",
        lambda result, *_: replayed.append(len(result.messages)),
    )
    open_page(page, real_rows_database.url, **DAYS_OF_THE_REAL_ROWS).run()
    assert replayed
    assert sum(replayed) == 0


def content(value: object) -> str:
    return value.to_json(date_format="iso") if isinstance(value, pd.DataFrame) else repr(value)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_changes_nothing_of_what_all_are_told(
    page, open_page, real_rows_database, monkeypatch
):
    attempted, given = runner._attempted, set()

    def recording(*query):
        answer, error = attempted(*query)
        given.add(content(answer.value))
        return answer, error

    monkeypatch.setattr(runner, "_attempted", recording)
    open_page(page, real_rows_database.url, **DAYS_OF_THE_REAL_ROWS).run()
    views = runner.STORE.figures.histories.values()
    kept = [content(one.result.value) for view in views for one in view.ticks.values()]
    assert kept
    assert set(kept) <= given


def test_overview_says_the_figures_of_the_real_rows(open_page, real_rows_database):
    app = open_page("pages/Overview.py", real_rows_database.url, **DAYS_OF_THE_REAL_ROWS)
    ((requests, failed, cost),) = real_rows_database.execute(
        "SELECT count(*), count(*) FILTER (WHERE status = 'failure'), sum(spend::numeric)"
        ' FROM "LiteLLM_SpendLogs"'
        " WHERE \"startTime\" >= '2026-11-23' AND \"startTime\" < '2026-11-24'"
    )
    said = figures(app)
    assert said["Requests"] == str(requests)
    assert said["Cost"] == f"\\${cost:.2f}"
    assert said["Error rate"] == f"{100 * failed / requests:.1f} %"


def test_models_opens_with_what_costs_is_used_and_takes_the_most(open_page, database):
    now = datetime.now(UTC) - timedelta(minutes=5)

    def rows(count: int, model: str, spend: float, seconds: int) -> list[dict]:
        kept = {"model_group": model, "spend": spend, "startTime": now}
        return [spend_log(**kept, endTime=now + timedelta(seconds=seconds)) for _ in range(count)]

    # A single slow request does not make a model the slowest.
    log = [*rows(30, "busy", 0.01, 1), *rows(10, "slow", 0.02, 9), *rows(1, "dear", 3, 60)]
    app = open_page("pages/Models.py", database(rows=log).url, range="1h")
    assert figures(app) == {
        "Models in use": "3",
        "Highest cost": "\\$3.00",
        "Most requests": "30",
        "Slowest p95": "9.0 s",
    }
    beside = [plain(caption.value) for caption in app.main.caption[1:5]]
    assert beside == [
        "3 deployments",
        "dear, 85.7 % of cost",
        "busy, 73.2 % of requests",
        "slow",
    ]


def test_models_calls_none_the_slowest_where_all_have_few_requests(open_page, database):
    log = [spend_log(startTime=datetime.now(UTC) - timedelta(minutes=5))]
    app = open_page("pages/Models.py", database(rows=log).url, range="1h")
    assert figures(app)["Slowest p95"] == "–"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_rows_explains_itself(page, open_page, empty_database):
    app = open_page(page, empty_database.url)
    assert not app.exception
    assert not app.error
    said = words(app)
    expected = {
        "Home.py": "its log has no requests yet",
        "pages/Overview.py": "No requests in this time range",
        "pages/Models.py": "No requests in this time range",
        "pages/Sessions.py": "No sessions in this time range",
        "pages/Status.py": "No failures in this time range",
    }
    assert expected[page] in said


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_a_database_says_what_to_do(page, open_page):
    app = open_page(page, "postgresql://ada:secret-word@127.0.0.1:1/litellm")
    assert not app.exception
    assert "The database is not responding." in words(app)
    assert "secret-word" not in words(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_a_url_that_is_none_says_so(page, open_page):
    app = open_page(page, "mysql://somewhere")
    assert not app.exception
    assert "A setting is not valid." in words(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_on_another_database_says_that_the_table_is_missing(page, open_page, server):
    app = open_page(page, server.url("postgres"))
    assert not app.exception
    assert "This database has no LiteLLM_SpendLogs table." in words(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_whose_role_may_not_read_says_so(page, open_page, database):
    app = open_page(page, role(database(rows=[spend_log()]), "stranger"))
    assert not app.exception
    assert "The database role lacks a permission that this page needs." in words(app)


FIGURES = {
    "Home.py": {
        "Cost": "\\$0.14",
        "Models in use": "17",
        "Unique sessions": "95",
        "Error rate": "12.3 %",
    },
    "pages/Overview.py": {
        "Requests": "130",
        "Unique sessions": "95",
        "Cost": "\\$0.14",
        "Average response time": "71 ms",
        "Error rate": "12.3 %",
        "Hits": "4",
        "Tokens served": "107",
        "Cost saved, estimated": "\\$0.00037",
        "Cached prompt tokens": "20,411",
        "Share of prompt tokens": "55.5 %",
        "Cache write tokens": "1,531",
    },
    "pages/Models.py": {
        "Models in use": "17",
        "Highest cost": "\\$0.09",
        "Most requests": "84",
        "Slowest p95": "102 ms",
    },
    "pages/Sessions.py": {},
    "pages/Status.py": {},
}
# The rows of each table, its requests and its failures; None where it has no such column.
TABLES = {
    "Home.py": [],
    "pages/Overview.py": [],
    "pages/Models.py": [(17, 130, 16), (40, 130, 16)],
    "pages/Sessions.py": [(50, 53, 11)],
    # After the table of what the version lacks.
    "pages/Status.py": [
        *((8, None, 16), (6, None, 16), (2, None, 16), (7, None, 16)),
        (16, None, None),
    ],
}


def tables(app: AppTest) -> list[tuple[int, int | None, int | None]]:
    shown = [one.value for one in app.dataframe if "without_it" not in one.value]
    summed = [[one[name].sum() if name in one else None for name in COUNTS] for one in shown]
    return [(len(one), *sums) for one, sums in zip(shown, summed, strict=True)]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("version", [one for one in litellm.VERSIONS if one != "2025-03-26"])
def test_a_page_shows_the_same_figures_on_every_version(page, version, open_page, database):
    log = database(version=version, rows=real_rows())
    app = open_page(page, log.url, **DAYS_OF_THE_REAL_ROWS)
    assert not app.error
    assert (figures(app), tables(app)) == (FIGURES[page], TABLES[page])


@pytest.mark.parametrize("page", PAGES)
def test_without_session_ids_each_request_is_a_session_and_all_else_is_the_same(
    page, open_page, database
):
    log = database(version="2025-03-26", rows=real_rows())
    app = open_page(page, log.url, **DAYS_OF_THE_REAL_ROWS)
    expected = FIGURES[page]
    if "Unique sessions" in expected:
        expected = expected | {"Unique sessions": "130"}
    assert not app.error
    assert figures(app) == expected
    assert tables(app) == ([(50, 50, 11)] if page == "pages/Sessions.py" else TABLES[page])


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_the_same_figures_of_a_partitioned_log(page, open_page, database):
    partitioned = database(rows=real_rows(), partitioned=True)
    app = open_page(page, partitioned.url, **DAYS_OF_THE_REAL_ROWS)
    assert not app.error
    assert (figures(app), tables(app)) == (FIGURES[page], TABLES[page])


@pytest.mark.parametrize("page", PAGES)
def test_nonsense_in_the_url_is_named_on_the_page(page, open_page, real_rows_database):
    nonsense = {"range": "banana", "zone": "Mars", "status": "sideways", "min_cost": "lots"}
    app = open_page(page, real_rows_database.url, **nonsense)
    assert not app.exception
    assert "banana" in words(app)


def test_a_session_opens_from_its_link(open_page, real_rows_database):
    app = open_page("pages/Sessions.py", real_rows_database.url, session="sess-agent-0140")
    assert not app.exception
    assert not app.error
    assert figures(app)["Requests"] == "25"


def test_a_session_that_is_not_there_says_so(open_page, real_rows_database):
    app = open_page("pages/Sessions.py", real_rows_database.url, session="no-such")
    assert not app.exception
    assert "No session has this ID." in words(app)


def test_a_session_id_of_two_keys_asks_which(open_page, real_rows_database):
    app = open_page("pages/Sessions.py", real_rows_database.url, session="sess-ada-0001")
    assert not app.exception
    assert "Several keys share this session ID" in words(app)


def hover_texts(app: AppTest) -> list[str]:
    """What the charts of a page show of their parts, as Plotly gets it: as HTML."""
    drawn = [json.loads(chart.proto.spec)["data"] for chart in app.get("plotly_chart")]
    texts = [trace["hovertext"] for traces in drawn for trace in traces if "hovertext" in trace]
    return [one for text in texts for one in ([text] if isinstance(text, str) else text)]


@pytest.mark.parametrize("page", PAGES)
def test_hostile_names_are_shown_and_mean_nothing(page, open_page, database):
    now = datetime.now(UTC) - timedelta(minutes=5)
    names = {"model_group": HOSTILE, "model": HOSTILE, "user": HOSTILE}
    hostile = database(rows=[failure(startTime=now, endTime=now, **names)])
    app = open_page(page, hostile.url, model=HOSTILE)
    assert not app.exception
    in_tables = [one for table in app.dataframe for one in table.value.to_numpy().ravel()]
    in_charts = hover_texts(app)
    assert HOSTILE in (*in_tables, *map(html.unescape, in_charts)) or HOSTILE in plain(words(app))
    assert app.multiselect("filter model").options == [HOSTILE]
    assert "![x](" not in words(app)
    assert all("![x](" not in button.label for button in app.button)
    assert not any("<" in text for text in in_charts)


def test_signs_that_act_unseen_are_not_in_the_choices(open_page, database):
    now = datetime.now(UTC) - timedelta(minutes=5)
    turned = database(rows=[spend_log(startTime=now, endTime=now, model_group="gpt\u202e4o")])
    app = open_page("pages/Overview.py", turned.url, model="gpt\u202e4o")
    assert app.multiselect("filter model").options == ["gpt 4o"]
    assert app.multiselect("filter model").value == ["gpt\u202e4o"]


def test_filters_survive_a_change_of_page(open_page, real_rows_database):
    app = open_page("pages/Overview.py", real_rows_database.url, range="30d", model="gpt-4o")
    app.switch_page("pages/Models.py").run()
    assert app.selectbox("filter span").value == "30d"
    assert app.multiselect("filter model").value == ["gpt-4o"]


def test_every_click_in_the_sidebar_counts(open_page, real_rows_database):
    app = open_page("pages/Overview.py", real_rows_database.url)
    kept = []
    for span in ("24h", "30d", "1h", "24h"):
        app.selectbox("filter span").set_value(span).run()
        kept.append(app.selectbox("filter span").value)
    assert kept == ["24h", "30d", "1h", "24h"]


def test_custom_days_may_reach_beyond_today(open_page, real_rows_database):
    days = {"range": "custom", "from": "2026-11-01", "to": "2027-01-01"}
    app = open_page("pages/Overview.py", real_rows_database.url, **days)
    assert not app.exception
    assert figures(app)["Requests"] == "130"


def test_another_choice_begins_the_list_at_its_beginning(open_page, database):
    now = datetime.now(UTC)
    rows = [spend_log(startTime=now - timedelta(minutes=n), user="ada") for n in range(1, 70)]
    app = open_page("pages/Sessions.py", database(rows=rows).url)
    app.button("next page").click().run()
    assert "after" in app.query_params
    app.multiselect("filter user").set_value(["ada"]).run()
    assert "after" not in app.query_params
    assert len(app.dataframe[0].value) == 50


def test_the_way_back_from_a_session_leads_to_the_same_search(open_page, real_rows_database):
    search = {"q": "alice", "sort": "cost", "session": "sess-agent-0140"}
    app = open_page("pages/Sessions.py", real_rows_database.url, **search)
    (way_back,) = [button for button in app.button if button.label == "All sessions"]
    way_back.click().run()
    assert not app.exception
    assert "session" not in app.query_params
    assert (app.query_params["q"], app.query_params["sort"]) == ("alice", "cost")


def test_status_says_no_while_the_last_good_figures_stand(open_page, spare_server):
    log = Database(spare_server)
    app = open_page("pages/Status.py", log.url)
    assert "yes&#44;" in words(app)
    spare_server.stop()
    expire_results()
    app.run()
    assert "no&#44;" in words(app)
    assert "The database is not responding. The figures are those of" in words(app)


def test_stale_figures_are_dated_on_the_clock_of_the_viewer(open_page, spare_server):
    log = Database(spare_server)
    log.insert([spend_log(startTime=datetime.now(UTC) - timedelta(minutes=5))])
    before = datetime.now(ZoneInfo("Pacific/Kiritimati"))
    app = open_page("pages/Overview.py", log.url, zone="Pacific/Kiritimati")
    spare_server.stop()
    expire_results()
    app.run()
    (notice,) = [one.value for one in app.warning]
    at = re.search(f"The figures are those of .* ({CLOCK})", notice)[1]
    now = datetime.now(ZoneInfo("Pacific/Kiritimati"))
    dated = [one.value for one in app.caption if one.value.startswith("Last updated")]
    assert len(dated) >= 6
    times = {re.fullmatch(f"Last updated ({CLOCK}). The database .*", one)[1] for one in dated}
    # Answers arrive in different seconds. The notice dates the oldest, which may have no caption.
    in_order = [f"{before:%H:%M:%S}", at, *sorted(times), f"{now:%H:%M:%S}"]
    assert now.date() > before.date() or in_order == sorted(in_order)


def test_the_figures_of_overview_stand_under_the_tile_that_they_belong_to(
    open_page, real_rows_database
):
    app = open_page("pages/Overview.py", real_rows_database.url, **DAYS_OF_THE_REAL_ROWS)
    beside = {one.label: one.proto.delta_description for one in app.metric[:5]}
    assert list(beside) == [
        *("Requests", "Unique sessions", "Cost"),
        *("Average response time", "Error rate"),
    ]
    assert re.fullmatch(r"cache hit rate \d+\.\d %", beside["Requests"])
    assert re.fullmatch(r"p95 [\d.]+ m?s", beside["Average response time"])
    assert re.fullmatch(r"\d+ failed", beside["Error rate"])


def test_secrets_that_cannot_be_read_never_show_the_sample(fresh_caches, monkeypatch, tmp_path):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text("url = = secret-word")
    monkeypatch.setattr(st.secrets, "_secrets", None, raising=False)
    monkeypatch.chdir(tmp_path)
    app = AppTest.from_file(ROOT / "Home.py", default_timeout=30).run()
    assert not app.exception
    assert "secrets.toml is not valid TOML." in words(app)
    assert "secret-word" not in words(app)

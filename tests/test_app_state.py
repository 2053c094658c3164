"""The state of the process: in the metrics, and on a card of Status."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.calling import calls, place_of, token
from tests.page_words import plain
from tests.rows import NOON, spend_log
from tests.sources import FILTERS
from tracelib import errors, overview
from tracelib.activity import Activity
from tracelib.querying import app_state, observing, runner
from tracelib.querying.installation import source
from tracelib.querying.runner import Query, run_together

NOWHERE = "postgresql://ada:s3cret@127.0.0.1:1/litellm"
TOTALS = Query(overview.totals, (FILTERS,))
CARD = ("Database", "Connections", "Last successful query", "Circuit breaker", "Replica")
CARD += ("Last refresh", "Its slowest query", "Queries now", "Stored results")
CARD += ("Memory", "Threads", "Viewers connected", "Running for")


@pytest.fixture(autouse=True)
def fresh(fresh_caches, monkeypatch) -> None:
    """Nothing has happened yet."""
    activity = Activity()
    for module in (observing, app_state):
        monkeypatch.setattr(module, "ACTIVITY", activity)


def measured(api) -> dict[str, float]:
    """The samples of the metrics; one with labels has their values after its name."""
    text = api.send("GET", "/metrics").text
    return {
        " ".join([one.name.removeprefix("tracelib_"), *one.labels.values()]): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_metrics_are_what_happened(database):
    made = database(rows=[spend_log()])
    place = place_of(made.url, [token("all")], pool_size=3)
    api = calls(made.url, [token("all")], pool_size=3)
    before = measured(api)
    assert {name: before[name] for name in ("breaker_open", "store_bytes", "store_results")} == {
        "breaker_open": 0,
        "store_bytes": 0,
        "store_results": 0,
    }
    assert (before["pool_connections"], before["pool_connections_in_use"]) == (0, 0)
    assert before["pool_connections_limit"] == 3

    for _ in range(2):
        run_together(place, NOON, [TOTALS])
    runner.STORE.result_or_run("waits", NOON, NOON)
    runs, _ = runner.STORE.result_or_run("runs", NOON, NOON)
    runner.STORE.start(runs, lambda: None)
    with source(place).engine.connect():
        after = measured(api)
    assert after["store_results"] == 1
    assert after["store_bytes"] == runner.STORE.figures.size > 0
    assert after["store_limit_bytes"] == 160_000_000
    assert (after["queries_running"], after["queries_waiting"]) == (1, 1)
    assert (after["pool_connections"], after["pool_connections_in_use"]) == (1, 1)
    for name, more in (("questions_total", 2), ("cache_hits_total", 1)):
        labelled = f"{name} {TOTALS.name}"
        assert after[labelled] - before.get(labelled, 0) == more, name
    assert after["process_resident_memory_bytes"] == pytest.approx(
        psutil.Process().memory_info().rss, rel=0.1
    )
    assert after["threads"] >= 3


def test_metrics_count_an_outage(database):
    made = database(rows=[spend_log()])
    place = place_of(made.url, [token("all")])
    api = calls(made.url, [token("all")])
    run_together(place, NOON, [TOTALS])
    before = measured(api)
    for _ in range(2):
        runner.BREAKER.fail(place.address, errors.DatabaseUnreachable())
    (result,) = run_together(place, NOON + timedelta(minutes=1), [TOTALS])
    assert result.is_stale
    after = measured(api)
    assert (before["breaker_open"], after["breaker_open"]) == (0, 1)
    for name in (
        "breaker_openings_total",
        f"stale_results_total {TOTALS.name}",
        "database_errors_total DatabaseUnreachable",
    ):
        assert after[name] - before.get(name, 0) == 1, name
    runner.BREAKER.recover(place.address)
    assert measured(api)["breaker_open"] == 0


def test_a_tick_has_the_queries_since_it_began():
    began = datetime.now(UTC)
    assert app_state.last_tick(10) is None
    for name, seconds in (("totals", 0.2), ("usage", 0.4), ("facets", 0.1)):
        app_state.ACTIVITY.record_query(name, seconds, is_of_replica=False)
    tick = app_state.last_tick(86_400)
    assert (tick.queries, tick.slowest.name, tick.slowest.seconds) == (3, "usage", 0.4)
    assert tick.at == began.replace(hour=0, minute=0, second=0, microsecond=0)
    queries = app_state.ACTIVITY._queries
    queries[0] = replace(queries[0], at=began - timedelta(days=1))
    assert app_state.last_tick(86_400).queries == 2


def facts(app) -> dict[str, str]:
    """The names on Status with what is right of them."""
    drawn = [plain(one.value) for one in app.main if one.type in ("caption", "markdown")]
    return dict(zip(drawn, drawn[1:], strict=False))


def test_status_shows_this_app(open_page, database):
    made = database(rows=[spend_log()])
    app = open_page("pages/Status.py", made.url)
    shown = facts(app)
    assert [name for name in CARD if name not in shown] == []
    assert shown["Circuit breaker"].endswith("closed")
    assert shown["Connections"].startswith("0 of 4 in use, ")
    assert shown["Viewers connected"] == "–"
    assert shown["Replica"] == "off"
    assert "queries" in shown["Last refresh"]
    assert "No errors in the last hour." in [one.value for one in app.caption]


def test_status_shows_this_app_without_a_database(open_page):
    app = open_page("pages/Status.py", NOWHERE)
    shown = facts(app)
    assert shown["Circuit breaker"].endswith("open")
    assert shown["Last successful query"] == "–"
    assert shown["Last refresh"] == "no query yet"
    paused = shown["Queries are paused"]
    assert paused.startswith("since ") and errors.DatabaseUnreachable.sentence in paused
    assert " times, last at " in shown[errors.DatabaseUnreachable.sentence]


def test_this_app_is_drawn_before_any_result(open_page, database, monkeypatch):
    """A database that hangs does not hide it."""
    drawn = []
    monkeypatch.setattr("tracelib.page.app_card.draw", lambda *_: drawn.append("card"))
    run = runner.run_together
    monkeypatch.setattr(
        "tracelib.page.base.view.run_together", lambda *of: drawn.append("queries") or run(*of)
    )
    open_page("pages/Status.py", database(rows=[spend_log()]).url)
    assert drawn[0] == "card" and drawn[1] == "queries" and drawn.count("card") == 2

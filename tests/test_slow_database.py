"""Pages over a database that is slow, or that does not respond at all: they keep their figures."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.calling import calls, token
from tests.database import Database
from tests.rows import spend_log
from tests.slow_line import SlowLine, slow_line
from tracelib import errors
from tracelib.page.base import frame
from tracelib.querying.runner import expire_results

OVERVIEW = "pages/Overview.py"
TOTALS = "/api/v1/analytics/overview"
HANGS = f"{errors.DatabaseHangs.sentence} {errors.DatabaseHangs.remedy}"


@pytest.fixture
def line(database) -> Iterator[SlowLine]:
    """A line to one request; it is not slow yet."""
    with slow_line(database(rows=[request_of_now()])) as line:
        yield line


def request_of_now() -> dict:
    return spend_log(startTime=datetime.now(UTC) - timedelta(minutes=5))


def requests(app) -> str:
    return next(one.value for one in app.metric if one.label == "Requests")


def test_a_slow_database_makes_figures_older_for_a_while_and_not_absent(
    open_page, line, monkeypatch
):
    """The page is drawn with the last good figures, and again once the new ones are there."""
    drawn = []
    finish = frame.Frame.finish
    monkeypatch.setattr(
        frame.Frame, "finish", lambda *asked: drawn.append(bool(asked[0].late)) or finish(*asked)
    )
    app = open_page(OVERVIEW, line.url)
    assert (requests(app), drawn) == ("1", [False])
    line.database.insert([request_of_now()])
    line.lag_s = 0.4
    expire_results()
    app.run()
    assert (requests(app), drawn) == ("2", [False, True, False])
    assert not app.warning


def test_a_warning_stays_until_there_are_new_figures(open_page, spare_server):
    """It does not come and go with each refresh."""
    made = Database(spare_server)
    made.insert([request_of_now()])
    app = open_page(OVERVIEW, made.url)
    spare_server.stop()
    for _ in range(2):
        expire_results()
        app.run()
        assert app.warning[0].value.startswith("The database is not responding.")
    spare_server.start()
    expire_results()
    app.run()
    assert (len(app.warning), requests(app)) == (0, "1")


def test_a_program_is_told_within_seconds_that_the_database_hangs(line, fresh_caches, monkeypatch):
    monkeypatch.setattr("tracelib.api.caller.SILENT_S", 1.0)
    monkeypatch.setattr("tracelib.api.health.PATIENCE_S", 1.0)
    api = calls(line.url, [token("all")])
    assert api.get(TOTALS, days=1)["requests"] == 1
    line.cut()
    expire_results()
    began = time.monotonic()
    answer, health = api.send("GET", TOTALS, params={"days": 1}), api.send("GET", "/health")
    assert time.monotonic() - began < 4
    assert (answer.status_code, answer.json()["detail"]) == (503, HANGS)
    assert health.json()["status"] == "down"
    line.mend()
    expire_results()
    assert api.get(TOTALS, days=1)["requests"] == 1


def test_a_program_waits_for_a_query_that_only_takes_long(line, fresh_caches, monkeypatch):
    """The server responds in time to what takes no time."""
    monkeypatch.setattr("tracelib.api.caller.SILENT_S", 3.0)
    api = calls(line.url, [token("all")])
    line.lag_s = 0.6
    began = time.monotonic()
    assert api.get(TOTALS, days=1)["requests"] == 1
    assert time.monotonic() - began > 3.0


def test_a_database_that_does_not_respond_is_said_to_while_the_figures_stay(
    open_page, line, monkeypatch
):
    monkeypatch.setattr(frame, "WARN_AFTER_S", 1.5)
    monkeypatch.setattr(frame, "PATIENCE_S", 3.0)
    app = open_page(OVERVIEW, line.url)
    line.cut()
    expire_results()
    began = time.monotonic()
    app.run()
    assert time.monotonic() - began < 10
    assert requests(app) == "1"
    (notice,) = [one.value for one in app.warning]
    assert notice.startswith("The database has not responded yet. The figures are those of ")

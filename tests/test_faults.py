"""Faults between the app and its database, on real parts: hosts, a pooler, odd settings."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.calling import calls, token
from tests.database import Database, role
from tests.rows import NOON, real_rows, spend_log
from tests.slow_line import slow_line
from tracelib import errors, overview
from tracelib.database_url import read_address
from tracelib.filters import Filters
from tracelib.querying.installation import Installation
from tracelib.querying.query import Query
from tracelib.querying.runner import expire_results, run_together
from tracelib.settings import Settings
from tracelib.source.deadline import cancellable
from tracelib.window import TimeWindow

TOTALS = "/api/v1/analytics/overview"
ALL_TIME = Filters(TimeWindow(NOON - timedelta(days=300), NOON + timedelta(days=100)))
ODD = {
    "TimeZone": "'Pacific/Chatham'",
    "DateStyle": "'SQL, DMY'",
    "IntervalStyle": "'sql_standard'",
    "client_encoding": "'LATIN1'",
    "standard_conforming_strings": "off",
    "extra_float_digits": "-15",
    "bytea_output": "'escape'",
}


def request_of_now() -> dict:
    return spend_log(startTime=datetime.now(UTC) - timedelta(minutes=5))


def test_odd_settings_of_the_role_change_no_value(database, open_source):
    made = database(rows=[*real_rows(), spend_log(messages=["привет, 世界 \\ 'x'"], spend=1 / 3)])
    url = role(made, "odd", ['SELECT ON "LiteLLM_SpendLogs"'])
    expected, found = [], []
    for values in (expected, found):
        requests = (source := open_source(url)).requests(ALL_TIME)
        order = (requests.c.started_at, requests.c.request_id)
        values += source.rows(sa.select(requests).order_by(*order))
        values += [source.row(sa.select(sa.literal("it's \\ a path")))]
        for name, value in ODD.items():
            made.execute(f"ALTER ROLE odd IN DATABASE {made.name} SET {name} = {value}")
    assert len(found) > 100
    assert found == expected


def test_a_cancelled_query_does_not_run_on_behind_the_pooler(database, pgbouncer, open_source):
    """Its connection is cut: the pooler cuts the one behind it, and the server notices."""
    made = database()
    source = open_source(pgbouncer.url(made))
    sleeps = sa.select(sa.func.pg_sleep(30))

    def run() -> None:
        with cancellable() as started.cancellation:
            source.rows(sleeps)

    with ThreadPoolExecutor(1) as started:
        running = started.submit(run)
        await_sleeping(made, 1)
        started.cancellation.cancel()
        await_sleeping(made, 0)
        assert isinstance(running.exception(1), errors.Cancelled)


def await_sleeping(made: Database, count: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        [(found,)] = made.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
            f"AND datname = '{made.name}' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
        )
        if found == count:
            return
        time.sleep(0.05)
    raise AssertionError(f"{found} in place of {count}")


def test_a_program_learns_within_seconds_that_no_connection_comes_about(
    database, fresh_caches, monkeypatch
):
    """As with a name server that hangs: the driver's own limit does not cover that."""
    monkeypatch.setattr("tracelib.api.caller.SILENT_S", 0.5)
    with slow_line(database()) as line:
        line.cut()
        api = calls(f"{line.url}&connect_timeout=30", [token("all")])
        began = time.monotonic()
        response = api.send("GET", TOTALS, params={"days": 1})
        assert time.monotonic() - began < 5
        assert response.status_code == 503
        assert response.json()["detail"].startswith(errors.DatabaseHangs.sentence)


def test_the_first_host_may_hang_if_the_second_responds(database, fresh_caches, monkeypatch):
    """It takes the time limit of the first connection, and is no silence of the server."""
    monkeypatch.setattr("tracelib.api.caller.SILENT_S", 0.5)
    made = database(rows=[request_of_now()])
    with slow_line(made) as first, slow_line(made) as second:
        hosts = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
        url = f"postgresql://postgres@{hosts}/{made.name}?sslmode=disable&connect_timeout=2"
        api = calls(url, [token("all")])
        first.cut()
        assert api.get(TOTALS, days=1)["requests"] == 1
        first.refuse()
        expire_results()
        assert api.get(TOTALS, days=1)["requests"] == 1


def test_known_figures_do_not_wait_for_a_silent_server(database, fresh_caches):
    """They are shown sooner than if it only takes long, and at once from then on."""
    with slow_line(database(rows=[request_of_now()])) as line:
        place = Installation(Settings(), read_address(line.url), is_sample=False)
        query = Query(overview.totals, (ALL_TIME,))
        run_together(place, NOON, [query])
        line.cut()
        expire_results()
        for longest_s in (3.5, 1.0):
            held, began = [], time.monotonic()
            (result,) = run_together(place, NOON, [query], 20.0, None, 4.0, held)
            assert time.monotonic() - began < longest_s
            assert result.is_late
            assert result.value is not None
        line.mend()


@pytest.mark.parametrize("resets", [True, False])
def test_a_response_that_is_cut_is_no_result(database, open_source, monkeypatch, resets):
    monkeypatch.setattr("tracelib.source.postgres.GRACE_S", 0.5)
    with slow_line(database()) as line:
        source = open_source(line.url, statement_timeout_s=0.5, pool_size=1)
        line.most_bytes, line.resets = 10_000, resets
        text = sa.select(sa.func.repeat("x", 20_000))
        with pytest.raises(errors.DatabaseUnreachable if resets else errors.DatabaseHangs):
            source.row(text)
        line.most_bytes = None
        assert source.row(text) == ("x" * 20_000,)

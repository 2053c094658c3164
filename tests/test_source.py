"""That a source only reads, is gentle, sees UTC, and leaves nothing behind, pooled or not."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
import sqlalchemy as sa

from tests import rows
from tests.slow_line import slow_line
from tracelib import errors
from tracelib.database_url import read_address
from tracelib.filters import Filters
from tracelib.settings import Settings
from tracelib.source import Postgres, connect, postgres
from tracelib.window import TimeWindow

DAY = Filters(TimeWindow(rows.NOON - timedelta(hours=12), rows.NOON + timedelta(hours=12)))

ALL_LOGS = 'SELECT ON "LiteLLM_SpendLogs"'

GUARDS = (
    "transaction_read_only",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "work_mem",
    "jit",
    "TimeZone",
    "IntervalStyle",
    "extra_float_digits",
    "client_encoding",
    "client_connection_check_interval",
)
"""What a source sets for the transaction of each question."""


@pytest.fixture(params=["direct", "pooled"])
def ways(request) -> Callable:
    """The URL of a database on each way to it: direct, and through PgBouncer."""
    if request.param == "direct":
        return lambda made: made.url
    return request.getfixturevalue("pgbouncer").url


def settings_of(source: Postgres) -> dict[str, str]:
    names = [sa.func.current_setting(name).label(name) for name in GUARDS]
    return source.row(sa.select(*names))._asdict()


def sessions(database, state: str = "%") -> int:
    """How many sessions of the dashboard does the server know in this state?"""
    [(count,)] = database.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tracelib'"
        f" AND datname = '{database.name}' AND state LIKE '{state}'"
    )
    return count


def started(source: Postgres) -> list[datetime]:
    requests = source.requests(DAY)
    order = sa.select(requests.c.started_at).order_by(requests.c.started_at)
    return [moment.astimezone(UTC) for (moment,) in source.rows(order)]


def test_an_integer_that_python_refuses_is_read_as_its_digits(open_source, database):
    made = database(rows=[rows.spend_log()])
    made.execute("""UPDATE "LiteLLM_SpendLogs" SET response = '{"a": [1e4400, -7]}'""")
    requests = (source := open_source(made.url)).requests(DAY)
    [(body,)] = source.rows(sa.select(requests.c.response_body))
    assert body == {"a": ["1" + "0" * 4_400, -7]}


def test_every_question_is_asked_under_all_guards(open_source, ways, empty_database):
    source = open_source(ways(empty_database), statement_timeout_s=2.5)
    assert settings_of(source) == {
        "transaction_read_only": "on",
        "statement_timeout": "2500ms",
        "lock_timeout": "1s",
        "idle_in_transaction_session_timeout": "30s",
        "work_mem": "64MB",
        "jit": "off",
        "TimeZone": "UTC",
        "IntervalStyle": "postgres",
        "extra_float_digits": "1",
        "client_encoding": "UTF8",
        "client_connection_check_interval": "250ms",
    }


@pytest.mark.parametrize(
    "writing",
    [
        'INSERT INTO "LiteLLM_Config" (param_name) VALUES (1)',
        'DELETE FROM "LiteLLM_SpendLogs"',
        'WITH gone AS (DELETE FROM "LiteLLM_SpendLogs" RETURNING 1) SELECT * FROM gone',
        "CREATE TABLE mine (a int)",
        "CREATE TEMP TABLE mine (a int)",
        'SELECT request_id FROM "LiteLLM_SpendLogs" FOR UPDATE',
        "SET TRANSACTION READ WRITE",
        "SELECT set_config('transaction_read_only', 'off', true)",
    ],
)
def test_a_write_is_refused_even_to_the_owner(open_source, ways, real_rows_database, writing):
    source = open_source(ways(real_rows_database))
    with pytest.raises(errors.QuestionRefused, match=r"read-only|read-write"):
        source.rows(sa.text(writing))


def test_a_question_beyond_the_time_limit_is_stopped_and_the_next_is_answered(
    open_source, ways, empty_database
):
    source = open_source(ways(empty_database), statement_timeout_s=0.2)
    before = time.monotonic()
    with pytest.raises(errors.QuestionTooSlow, match="statement timeout"):
        source.rows(sa.select(sa.func.pg_sleep(20)))
    assert time.monotonic() - before < 3
    assert source.row(sa.select(1)) == (1,)


def test_nobody_waits_long_for_a_lock_that_litellm_holds(open_source, database):
    made = database(rows=[rows.spend_log()])
    source = open_source(made.url)
    with made.engine.begin() as migration:
        migration.execute(sa.text('LOCK TABLE "LiteLLM_SpendLogs" IN ACCESS EXCLUSIVE MODE'))
        before = time.monotonic()
        with pytest.raises(errors.TraceError, match="lock timeout"):
            started(source)
        assert time.monotonic() - before < 3
    assert started(source) == [rows.NOON]


def test_no_setting_of_ours_reaches_another_client_of_the_pooler(
    open_source, pgbouncer, empty_database
):
    before = _shown(pgbouncer.url(empty_database))
    source = open_source(pgbouncer.url(empty_database), statement_timeout_s=0.2)
    source.rows(sa.select(1))
    assert _shown(pgbouncer.url(empty_database)) == before
    for bad in (sa.select(sa.func.pg_sleep(20)), sa.text("SELECT nothing")):
        with pytest.raises(errors.TraceError):
            source.rows(bad)
        assert _shown(pgbouncer.url(empty_database)) == before


def _shown(url: str) -> dict[str, str]:
    names = (*GUARDS, "default_transaction_read_only", "transaction_isolation", "search_path")
    with psycopg2.connect(url) as client, client.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))
        return dict(zip(names, cursor.fetchone(), strict=True))


def test_another_client_of_the_pooler_may_write_while_a_source_is_open(
    open_source, pgbouncer, database
):
    made = database()
    source = open_source(pgbouncer.url(made))
    for number in range(3):
        source.rows(sa.select(number))
        with psycopg2.connect(pgbouncer.url(made)) as client, client.cursor() as cursor:
            cursor.execute('INSERT INTO "LiteLLM_Config" (param_name) VALUES (%s)', [str(number)])
    assert made.execute('SELECT count(*) FROM "LiteLLM_Config"') == [(3,)]


def test_a_setting_that_another_client_left_in_the_pooler_changes_no_answer(
    open_source, pgbouncer, database
):
    made = database(rows=[rows.spend_log()])
    source = open_source(pgbouncer.url(made))
    with psycopg2.connect(pgbouncer.url(made)) as client, client.cursor() as cursor:
        cursor.execute("SET TimeZone = 'Asia/Seoul'; SET statement_timeout = '1ms'")
    assert started(source) == [rows.NOON]


@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/New_York"])
def test_times_are_utc_whatever_the_servers_zone(open_source, ways, database, zone):
    made = database(rows=_around_the_edges())
    made.execute(f"ALTER DATABASE {made.name} SET timezone = '{zone}'")
    assert started(open_source(ways(made))) == [DAY.window.start, rows.NOON]


def _around_the_edges() -> list[dict]:
    start, end = DAY.window.start, DAY.window.end
    moments = (start - timedelta(milliseconds=1), start, rows.NOON, end)
    return [rows.spend_log(startTime=moment) for moment in moments]


def test_times_are_read_right_whatever_the_servers_date_style(open_source, ways, database):
    made = database(rows=[rows.spend_log()])
    made.execute(f"ALTER DATABASE {made.name} SET datestyle = 'German, DMY'")
    assert started(open_source(ways(made))) == [rows.NOON]


def test_the_dashboard_is_known_by_its_name_on_the_server(open_source, database):
    made = database()
    source = open_source(made.url + "&application_name=another")
    [(name,)] = source.rows(sa.select(sa.func.current_setting("application_name")))
    assert (name, sessions(made)) == ("tracelib", 1)


def test_no_session_is_left_in_a_transaction(open_source, database):
    made = database()
    source = open_source(made.url, statement_timeout_s=0.2)
    for question in (sa.select(1), sa.select(sa.func.pg_sleep(20)), sa.text("SELECT nothing")):
        with suppress(errors.TraceError):
            source.rows(question)
        assert (sessions(made, "idle"), sessions(made, "idle in transaction%")) == (1, 0)


def test_a_meeting_that_fails_leaves_no_session(database):
    made = database()
    made.execute('DROP TABLE "LiteLLM_SpendLogs"')
    with pytest.raises(errors.TableMissing):
        connect(Settings(), read_address(made.url))
    assert sessions(made) == 0


def test_many_questions_at_once_share_a_bounded_pool(open_source, database):
    made = database()
    source = open_source(made.url, pool_size=2)
    sleep = sa.select(sa.func.pg_sleep(0.1))
    with ThreadPoolExecutor(8) as askers:
        answers = list(askers.map(source.rows, [sleep] * 8))
    assert (len(answers), sessions(made)) == (8, 2)


def test_who_waits_too_long_for_the_pool_is_told_so(monkeypatch, open_source, database):
    monkeypatch.setattr(postgres, "POOL_TIMEOUT_S", 0.2)
    source = open_source(database().url, pool_size=1)
    with ThreadPoolExecutor(1) as other:
        busy = other.submit(source.rows, sa.select(sa.func.pg_sleep(1)))
        time.sleep(0.2)
        with pytest.raises(errors.PoolBusy):
            source.rows(sa.select(1))
        busy.result()


def test_a_restart_of_the_server_goes_unnoticed(open_source, spare_server):
    spare_server.execute("CREATE DATABASE restarted TEMPLATE litellm_latest")
    source = open_source(spare_server.url("restarted"))
    spare_server.stop()
    spare_server.start()
    assert source.row(sa.select(1)) == (1,)


def test_a_process_that_is_killed_leaves_no_statement_behind(database):
    """The server notices soon that its client is gone."""
    made = database()
    script = (
        "import sqlalchemy as sa; from tracelib.source import connect; "
        "from tracelib.settings import Settings; from tracelib.database_url import read_address; "
        f"connect(Settings(), read_address({made.url!r})).rows(sa.select(sa.func.pg_sleep(14)))"
    )
    asleep = (
        f"SELECT pid FROM pg_stat_activity WHERE datname = '{made.name}' AND query ~ 'sleep.14'"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        until = time.monotonic() + 20
        while not (found := made.execute(f"{asleep} AND pid <> pg_backend_pid()")):
            assert time.monotonic() < until
            time.sleep(0.1)
        assert len(found) == 1
        process.kill()
    time.sleep(1)
    assert sessions(made) == 0


def test_a_connection_that_hangs_is_cut_and_another_one_works(monkeypatch, database, open_source):
    """A stopped server, or a network that loses packets: neither sends an error."""
    monkeypatch.setattr(postgres, "GRACE_S", 0.5)
    with slow_line(database()) as line:
        source = open_source(line.url, statement_timeout_s=20, pool_size=1)
        line.cut()
        began = time.monotonic()
        with pytest.raises(errors.DatabaseHangs):
            source.rows(sa.select(1))
        assert 0.4 < time.monotonic() - began < 3
        line.mend()
        assert source.row(sa.select(1)) == (1,)


def test_a_connection_that_hangs_in_a_later_statement_is_cut(monkeypatch, database, open_source):
    monkeypatch.setattr(postgres, "GRACE_S", 0.5)
    with slow_line(database()) as line:
        source = open_source(line.url, statement_timeout_s=0.5, pool_size=1)
        hangs, reading = pytest.raises(errors.DatabaseHangs), postgres.reading(source.engine, 0.5)
        with hangs, reading as connection:
            line.cut()
            connection.execute(sa.select(1))


def test_a_connection_to_another_database_meanwhile_is_not_the_one_to_be_cut(
    monkeypatch, database, open_source
):
    monkeypatch.setattr(postgres, "GRACE_S", 0.5)
    elsewhere = open_source(database().url)
    with slow_line(database()) as line:
        source = open_source(line.url, statement_timeout_s=0.5, pool_size=1)
        hangs, reading = pytest.raises(errors.DatabaseHangs), postgres.reading(source.engine, 0.5)
        with hangs, reading as connection, elsewhere.engine.connect():
            line.cut()
            connection.execute(sa.select(1))


def test_a_server_that_hangs_while_it_is_connected_to_is_not_waited_for(database):
    with slow_line(database()) as line:
        line.cut()
        began = time.monotonic()
        with pytest.raises(errors.DatabaseUnreachable, match="timeout"):
            connect(Settings(), read_address(line.url))
        assert time.monotonic() - began < 2 * postgres.CONNECT_TIMEOUT_S


def test_a_slow_network_is_no_hang(monkeypatch, database, open_source):
    """Each statement has its own time, however long all of them take."""
    monkeypatch.setattr(postgres, "GRACE_S", 0.5)
    with slow_line(database()) as line:
        source = open_source(line.url, statement_timeout_s=0.5, pool_size=1)
        line.lag_s = 0.4
        with postgres.reading(source.engine, 0.5) as connection:
            for number in range(4):
                assert connection.execute(sa.select(number)).scalar() == number


def test_a_server_that_is_gone_without_a_word_is_noticed(database, open_source):
    """The URL decides, if it says otherwise."""
    for asked, expected in (("", "20000"), ("&tcp_user_timeout=7000", "7000")):
        source = open_source(database().url + asked)
        connection = source.engine.raw_connection()
        parameters = connection.driver_connection.info.dsn_parameters
        connection.close()
        assert (parameters["tcp_user_timeout"], parameters["keepalives_idle"]) == (expected, "10")

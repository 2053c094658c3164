"""That the fixtures are what they claim to be: real schema, true rows, real server, real pooler."""

from datetime import date, timedelta

import psutil
import psycopg2
import pytest

from tests import litellm, rows
from tests.server import running

COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = to_regclass('"LiteLLM_SpendLogs"') AND attnum > 0 AND NOT attisdropped
"""
COUNT = 'SELECT count(*) FROM "LiteLLM_SpendLogs"'


@pytest.fixture(params=litellm.VERSIONS)
def version(request) -> str:
    """Each version of LiteLLM's schema in turn."""
    return request.param


def test_each_version_has_the_columns_of_its_day(database, version):
    assert len(database(version).execute(COLUMNS)) == litellm.COLUMN_COUNTS[version]


def test_every_migration_of_the_wheel_belongs_to_exactly_one_step():
    assert len(list(litellm.migrations())) == len(list(litellm.MIGRATIONS.glob("*/")))
    until = date(2025, 11, 20)
    steps = (litellm.migrations(until=until), litellm.migrations(after=until))
    assert [*steps[0], *steps[1]] == list(litellm.migrations())


def test_a_made_up_row_goes_into_each_version(database, version):
    assert database(version, rows=[rows.spend_log()]).execute(COUNT) == [(1,)]


def test_all_true_rows_go_into_each_version(database, version):
    assert database(version, rows=rows.real_rows()).execute(COUNT) == [(130,)]


def test_names_go_into_each_version(database, version):
    made = database(version)
    rows.name_key(made.engine, "hash", "a key")
    rows.name_team(made.engine, "team-1", "a team")
    rows.name_user(made.engine, "user-1", "a user", "user@example.com")
    assert made.execute('SELECT token, key_alias FROM "LiteLLM_VerificationToken"') == [
        ("hash", "a key")
    ]
    assert made.execute('SELECT team_id, team_alias FROM "LiteLLM_TeamTable"') == [
        ("team-1", "a team")
    ]
    assert made.execute('SELECT user_id, user_alias, user_email FROM "LiteLLM_UserTable"') == [
        ("user-1", "a user", "user@example.com")
    ]


def test_a_deleted_key_keeps_its_name(database):
    made = database()
    rows.name_deleted_key(made.engine, "hash", "an old key")
    rows.name_deleted_key(made.engine, "hash", "an old key, deleted again")
    found = made.execute(
        'SELECT token, key_alias FROM "LiteLLM_DeletedVerificationToken" ORDER BY key_alias'
    )
    assert found == [("hash", "an old key"), ("hash", "an old key, deleted again")]


def test_a_database_without_rows_is_empty(empty_database, database):
    assert empty_database.execute(COUNT) == database().execute(COUNT) == [(0,)]


def test_databases_of_one_test_are_apart(database):
    first, second = database(rows=[rows.spend_log()]), database()
    assert (first.execute(COUNT), second.execute(COUNT)) == ([(1,)], [(0,)])


def test_a_partitioned_spend_log_has_days_and_a_default(database):
    made = database(rows=[rows.spend_log()], partitioned=True)
    made.insert([rows.spend_log(startTime=rows.NOON - timedelta(days=40))])
    found = made.execute(
        'SELECT tableoid::regclass::text FROM "LiteLLM_SpendLogs" ORDER BY "startTime"'
    )
    assert found == [('"LiteLLM_SpendLogs_pdefault"',), ('"LiteLLM_SpendLogs_p20261123"',)]
    leaves = "SELECT count(*) FROM pg_partition_tree('\"LiteLLM_SpendLogs\"') WHERE isleaf"
    assert made.execute(leaves) == [(4,)]


def test_the_same_request_may_be_in_two_partitions(database):
    twice = [
        rows.spend_log(request_id="same", startTime=rows.NOON + timedelta(days=day))
        for day in range(2)
    ]
    assert database(rows=twice, partitioned=True).execute(COUNT) == [(2,)]


def test_an_old_version_can_be_partitioned(database, version):
    assert database(version, rows.real_rows(), partitioned=True).execute(COUNT) == [(130,)]


def test_a_role_may_do_what_it_was_granted_and_no_more(database, role):
    made = database(rows=[rows.spend_log()])
    url = role(made, "reader", ['SELECT (request_id) ON "LiteLLM_SpendLogs"'])
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute('SELECT count(request_id) FROM "LiteLLM_SpendLogs"')
        assert cursor.fetchall() == [(1,)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute('SELECT spend FROM "LiteLLM_SpendLogs"')


def test_a_role_can_be_made_again_with_other_grants(database, role):
    made = database()
    role(made, "reader", ['SELECT ON "LiteLLM_SpendLogs"'])
    url = role(made, "reader")
    with (
        psycopg2.connect(url) as connection,
        connection.cursor() as cursor,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        cursor.execute(COUNT)


def test_a_role_goes_with_its_database(server, database, role):
    made = database()
    role(made, "passing_by", ['SELECT ON "LiteLLM_SpendLogs"'])
    made.drop()
    assert server.execute("SELECT * FROM pg_roles WHERE rolname = 'passing_by'") == []


def test_a_wrong_password_is_refused_over_tcp_and_the_right_one_is_not(tcp_server):
    psycopg2.connect(tcp_server.url()).close()
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(tcp_server.url(password="wrong"))


def test_a_server_can_be_stopped_and_started(spare_server):
    spare_server.stop()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(spare_server.url())
    spare_server.start()
    assert spare_server.execute("SELECT 1") == [(1,)]


def test_a_server_leaves_nothing_behind():
    with running() as server:
        pid = int((server.data / "postmaster.pid").read_text().split()[0])
    assert not list(server.data.parent.glob(f"{server.data.name}*"))
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_the_pooler_reaches_databases_made_later_and_roles_made_later(pgbouncer, database, role):
    made = database(rows=[rows.spend_log()])
    role(made, "late_reader", ['SELECT ON "LiteLLM_SpendLogs"'])
    for user in ("postgres", "late_reader"):
        with psycopg2.connect(pgbouncer.url(made, user)) as client, client.cursor() as cursor:
            cursor.execute("SELECT current_user, count(*) FROM " + '"LiteLLM_SpendLogs"')
            assert cursor.fetchall() == [(user, 1)]


def test_the_pooler_refuses_startup_options(pgbouncer, database):
    with pytest.raises(psycopg2.OperationalError, match="unsupported startup parameter"):
        psycopg2.connect(pgbouncer.url(database()), options="-c statement_timeout=1000")


def test_behind_the_pooler_set_leaks_to_other_clients_and_set_local_does_not(pgbouncer, database):
    url = pgbouncer.url(database())
    first, second = psycopg2.connect(url), psycopg2.connect(url)
    assert _lock_timeout_after(first, "SET LOCAL lock_timeout = '777ms'", second) == "0"
    assert _lock_timeout_after(first, "SET lock_timeout = '777ms'", second) == "777ms"
    first.close()
    second.close()


def _lock_timeout_after(first, statement: str, second) -> str:
    with first, first.cursor() as cursor:
        cursor.execute(statement)
    with second, second.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        return cursor.fetchone()[0]

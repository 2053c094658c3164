"""That whatever is wrong with a database, the person who looks is told so in our own words."""

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from tests.server import free_port
from tests.test_source import ALL_LOGS
from tracelib import errors
from tracelib.source import Postgres

ODD_PASSWORDS = ("p@ss/w#rd%", "a:b?c&d", "it's", "two words", "ключ", "50%off", "+")


@contextmanager
def told(kind: type[errors.TraceError], said: str = "") -> Iterator[None]:
    """Exactly this error is raised, with its sentence, and `said` within what the server said."""
    with pytest.raises(errors.TraceError, match=re.escape(kind.sentence)) as raised:
        yield
    assert type(raised.value) is kind
    assert said in raised.value.detail


def count(source: Postgres, column: str = "*") -> int:
    selected = sa.text(f'SELECT count({column}) FROM "LiteLLM_SpendLogs"')
    return source.row(selected)[0]


def test_no_such_database(open_source, server):
    with told(errors.NoSuchDatabase, "nowhere"):
        open_source(server.url("nowhere"))


def test_no_such_database_behind_the_pooler(open_source, pgbouncer):
    with told(errors.NoSuchDatabase):
        open_source(pgbouncer.url("nowhere"))


def test_no_such_role(open_source, empty_database):
    with told(errors.SignInRefused, "nobody"):
        open_source(empty_database.url.replace("postgres@", "nobody@"))


def test_no_such_role_behind_the_pooler(open_source, pgbouncer, empty_database):
    with told(errors.SignInRefused):
        open_source(pgbouncer.url(empty_database, user="nobody"))


def test_a_role_that_may_not_sign_in(open_source, database, role):
    made = database()
    url = role(made, "group_only")
    made.execute("ALTER ROLE group_only NOLOGIN")
    with told(errors.SignInRefused, "not permitted to log in"):
        open_source(url)


def test_a_wrong_password_is_told_without_the_password(open_source, tcp_server):
    with told(errors.SignInRefused, "visitor"):
        open_source(tcp_server.url(password="battery-staple"))
    with pytest.raises(errors.SignInRefused) as raised:
        open_source(tcp_server.url(password="battery-staple"))
    assert "battery-staple" not in f"{raised.value} {raised.value.__cause__}"


def test_no_password_at_all(open_source, tcp_server, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with told(errors.SignInRefused, "no password"):
        open_source(tcp_server.url().replace(":correct-horse@", "@"))


@pytest.mark.parametrize("password", ODD_PASSWORDS)
def test_an_odd_password_signs_in_as_it_is(open_source, tcp_server, password):
    written = password.replace("'", "''")
    tcp_server.server.execute(f"ALTER ROLE visitor PASSWORD '{written}'")
    try:
        url = tcp_server.url("litellm_latest", password=password)
        assert count(open_source(url)) == 0
    finally:
        tcp_server.server.execute(f"ALTER ROLE visitor PASSWORD '{tcp_server.password}'")


def test_a_server_that_is_down(open_source, spare_server):
    spare_server.stop()
    with told(errors.DatabaseUnreachable):
        open_source(spare_server.url("litellm_latest"))


def test_a_server_that_goes_down_between_questions(open_source, spare_server):
    source = open_source(spare_server.url("litellm_latest"))
    spare_server.stop()
    with told(errors.DatabaseUnreachable):
        count(source)


def test_a_host_that_does_not_exist(open_source):
    with told(errors.DatabaseUnreachable, "no-such-host.invalid"):
        open_source("postgresql://ada:s3cret@no-such-host.invalid/litellm")


def test_a_port_on_which_nobody_listens(open_source):
    with told(errors.DatabaseUnreachable, "127.0.0.1"):
        open_source(f"postgresql://ada:s3cret@127.0.0.1:{free_port()}/litellm")


def test_a_host_that_never_answers_is_given_up_soon(open_source):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        before = time.monotonic()
        with told(errors.DatabaseUnreachable):
            open_source(f"postgresql://ada@127.0.0.1:{silent.getsockname()[1]}/litellm")
        assert time.monotonic() - before < 6


def test_a_session_that_is_ended_while_it_asks(open_source, database):
    made = database()
    source = open_source(made.url)
    with ThreadPoolExecutor(1) as asker:
        asked = asker.submit(source.rows, sa.select(sa.func.pg_sleep(10)))
        time.sleep(0.3)
        made.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{made.name}' AND application_name = 'tracelib'"
        )
        with told(errors.DatabaseUnreachable):
            asked.result()
    assert count(source) == 0


def test_encryption_that_the_server_does_not_have(open_source, tcp_server):
    with told(errors.EncryptionRefused, "SSL"):
        open_source(tcp_server.url("litellm_latest") + "?sslmode=require")


def test_an_sslmode_that_does_not_exist(open_source, tcp_server):
    with told(errors.EncryptionRefused, "no-verify"):
        open_source(tcp_server.url("litellm_latest") + "?sslmode=no-verify")


def test_a_role_without_a_connection_left(open_source, database, role):
    made = database()
    url = role(made, "crowded", [ALL_LOGS])
    made.execute("ALTER ROLE crowded CONNECTION LIMIT 0")
    with told(errors.ConnectionsExhausted, "too many connections"):
        open_source(url)


def test_a_database_without_litellms_table(open_source, database):
    made = database()
    made.execute('DROP TABLE "LiteLLM_SpendLogs"')
    with told(errors.TableMissing):
        open_source(made.url)


def test_a_schema_that_does_not_exist(open_source, empty_database):
    with told(errors.TableMissing):
        open_source(empty_database.url + "&schema=elsewhere")


def test_a_table_that_is_another_programs(open_source, database):
    made = database()
    made.execute(
        'DROP TABLE "LiteLLM_SpendLogs"', 'CREATE TABLE "LiteLLM_SpendLogs" (request_id text)'
    )
    with told(errors.SchemaUnknown, "startTime"):
        open_source(made.url)


def test_a_table_that_goes_away_later(open_source, database):
    made = database()
    source = open_source(made.url)
    made.execute('DROP TABLE "LiteLLM_SpendLogs"')
    with told(errors.TableMissing, "LiteLLM_SpendLogs"):
        count(source)


def test_a_column_that_goes_away_later(open_source, database):
    made = database()
    source = open_source(made.url)
    made.execute('ALTER TABLE "LiteLLM_SpendLogs" DROP COLUMN spend')
    with told(errors.ColumnMissing, "spend"):
        count(source, "spend")


def test_a_role_without_a_grant_on_the_table(open_source, database, role):
    with told(errors.PermissionMissing, "spend"):
        open_source(role(database(), "stranger"))


def test_a_role_without_a_grant_on_a_column_that_every_page_needs(open_source, database, role):
    url = role(database(), "half_reader", ['SELECT (request_id, api_key) ON "LiteLLM_SpendLogs"'])
    with told(errors.PermissionMissing, "startTime"):
        open_source(url)


def test_a_grant_that_is_taken_back_later(open_source, database, role):
    made = database()
    source = open_source(role(made, "fallen", [ALL_LOGS]))
    made.execute('REVOKE ALL ON "LiteLLM_SpendLogs" FROM fallen')
    with told(errors.PermissionMissing, "LiteLLM_SpendLogs"):
        count(source)


def test_a_role_that_may_not_enter_the_schema(open_source, database, role):
    made = database()
    url = role(made, "outside", [ALL_LOGS])
    made.execute("CREATE SCHEMA llm", 'ALTER TABLE "LiteLLM_SpendLogs" SET SCHEMA llm')
    with told(errors.PermissionMissing, "llm"):
        open_source(url + "&schema=llm")


def test_a_question_that_makes_no_sense_is_refused_with_what_the_server_said(
    open_source, empty_database
):
    with told(errors.QuestionRefused, "division by zero"):
        open_source(empty_database.url).rows(sa.text("SELECT 1/0"))


def test_a_table_that_a_migration_holds(open_source, database):
    made = database()
    source = open_source(made.url)
    with made.engine.begin() as migration:
        migration.execute(sa.text('LOCK TABLE "LiteLLM_SpendLogs" IN ACCESS EXCLUSIVE MODE'))
        with told(errors.TableBusy, "lock timeout"):
            count(source)


def test_a_role_that_may_not_connect_to_the_database(open_source, database, role):
    made = database()
    url = role(made, "outsider")
    made.execute(f"REVOKE CONNECT ON DATABASE {made.name} FROM PUBLIC")
    with told(errors.PermissionMissing, "permission denied for database"):
        open_source(url)

"""The roles of `deploy/`: what they may read, what they may not, and that every page opens."""

import re
import subprocess
from datetime import timedelta
from pathlib import Path

import psycopg2
import pytest

from tests import litellm
from tests.database import Database
from tests.page_words import figures, plain, words
from tests.rows import NOON, real_rows
from tests.server import PROGRAMS
from tracelib.costs import limits
from tracelib.filters import Filters
from tracelib.key_review import key_review
from tracelib.window import TimeWindow

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
READER, WITHOUT_BODIES = ("reader.sql",), ("reader.sql", "without_bodies.sql")
DAYS_OF_THE_REAL_ROWS = {"range": "custom", "from": "2026-11-23", "to": "2026-11-23", "zone": "UTC"}


def reader_of(database: Database, scripts: tuple[str, ...]) -> str:
    """Run these scripts as an owner would, by psql; the URL of the role that they make."""
    database.roles.append("tracelib_reader")
    for script in scripts:
        subprocess.run(
            [PROGRAMS / "psql", "-q", database.url, "-v", "password=a 'b", "-f", DEPLOY / script],
            check=True,
        )
    return database.server.url(database.name, user="tracelib_reader")


@pytest.mark.parametrize("scripts", [READER, WITHOUT_BODIES], ids=["reader", "without bodies"])
@pytest.mark.parametrize("version", ["2025-03-26", "latest"])
def test_a_role_may_read_what_is_needed_and_do_nothing_else(database, version, scripts):
    made = database(version=version, rows=real_rows()[:1])
    reader_of(made, scripts)
    url = reader_of(made, scripts)
    refused = [
        'SELECT password FROM "LiteLLM_UserTable"',
        'SELECT * FROM "LiteLLM_VerificationToken"',
        'SELECT permissions, metadata FROM "LiteLLM_VerificationToken"',
        'SELECT metadata FROM "LiteLLM_TeamTable"',
        'SELECT * FROM "LiteLLM_Config"',
        'SELECT * FROM "LiteLLM_CredentialsTable"',
        'DELETE FROM "LiteLLM_SpendLogs"',
        'BEGIN READ WRITE; DELETE FROM "LiteLLM_SpendLogs"',
        "BEGIN READ WRITE; CREATE TABLE mine ()",
    ]
    bodies = [
        'SELECT messages FROM "LiteLLM_SpendLogs"',
        'SELECT response FROM "LiteLLM_SpendLogs"',
    ]
    allowed = [
        'SELECT request_id, metadata FROM "LiteLLM_SpendLogs"',
        'SELECT token, spend, budget_reset_at FROM "LiteLLM_VerificationToken"',
        'SELECT team_id, spend FROM "LiteLLM_TeamTable"',
    ]
    if version == "latest":
        allowed.append(
            'SELECT tag, date, api_key, spend, api_requests FROM "LiteLLM_DailyTagSpend"'
        )
        refused.append('SELECT description FROM "LiteLLM_TagTable"')
    (refused if scripts is WITHOUT_BODIES else allowed).extend(bodies)
    assert [_outcome(url, one) for one in allowed] == ["answered"] * len(allowed)
    assert [_outcome(url, one) for one in refused] == ["refused"] * len(refused)


@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_the_role_may_read_all_that_a_review_of_keys_reads(database, open_source, version):
    source = open_source(reader_of(database(version), READER))
    unknown = key_review(source, Filters(TimeWindow(NOON, NOON + timedelta(days=1)))).unknown
    # What this version does not have, and nothing else.
    named = {one.removeprefix("Unknown: ").partition(".")[0] for one in unknown}
    assert named == {
        "2025-03-26": {"last activity", "rotation", "granted tools"},
        "2025-05-23": {"last activity", "rotation"},
        "2025-11-20": {"last activity"},
    }.get(version, set())


def test_the_role_may_read_all_of_budgets_but_what_may_hold_secrets(database, open_source):
    unknown = limits(open_source(reader_of(database(), READER))).unknown
    assert unknown == (
        "Temporary increases are unknown: metadata of LiteLLM_VerificationToken may not be read, "
        "or is not there.",
    )


def test_what_was_kept_out_stays_out_when_the_role_is_made_again(database):
    made = database(rows=real_rows()[:1])
    url = reader_of(made, (*WITHOUT_BODIES, *READER))
    assert _outcome(url, 'SELECT messages FROM "LiteLLM_SpendLogs"') == "refused"
    assert _outcome(url, 'SELECT spend FROM "LiteLLM_SpendLogs"') == "answered"
    made.execute('REVOKE ALL ON "LiteLLM_SpendLogs" FROM tracelib_reader')
    reader_of(made, READER)
    assert _outcome(url, 'SELECT messages FROM "LiteLLM_SpendLogs"') == "answered"


def test_without_a_password_the_role_is_not_made(database):
    made = database()
    command = [PROGRAMS / "psql", "-q", made.url, "-f", DEPLOY / "reader.sql"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Choose a password for the role" in done.stderr


def _outcome(url: str, statements: str) -> str:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statements)
    except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ReadOnlySqlTransaction):
        return "refused"
    finally:
        connection.close()
    return "answered"


PAGES = (
    ("Home.py", {}),
    ("pages/Overview.py", {}),
    ("pages/Overview.py", {"part": "what changed"}),
    ("pages/Models.py", {}),
    ("pages/Sessions.py", {}),
    ("pages/Sessions.py", {"said": "parser"}),
    ("pages/Status.py", {}),
    ("pages/Status.py", {"part": "ledgers"}),
)
SESSION = {"session": "sess-agent-0140"}


def test_with_the_role_a_session_shows_what_was_said(open_page, database):
    url = reader_of(database(rows=real_rows()), READER)
    app = open_page("pages/Sessions.py", url, **SESSION)
    assert not app.exception
    assert not app.error
    assert "12 passed" in words(app)


def test_without_bodies_every_page_opens_and_a_session_says_what_is_missing(open_page, database):
    url = reader_of(database(rows=real_rows()), WITHOUT_BODIES)
    for page, query in PAGES:
        app = open_page(page, url, **DAYS_OF_THE_REAL_ROWS, **query)
        assert not app.exception, page
        assert not app.error, page
    app = open_page("pages/Sessions.py", url, **SESSION)
    assert not app.exception
    assert not app.error
    assert figures(app)["Requests"] == "25"
    said = plain(words(app))
    assert "12 passed" not in said
    assert said.count("Messages cannot be shown: the database role may not read") == 1
    assert "is stored" not in said


@pytest.mark.parametrize("script", ["reader.sql", "without_bodies.sql"])
def test_the_page_on_hardening_shows_what_is_run(script):
    blocks = re.findall(
        r"```sql\n(.*?)```", (ROOT / "docs" / "hardening.md").read_text(), re.DOTALL
    )
    assert (DEPLOY / script).read_text() in blocks

"""The parts Keys and Evidence of Status, as an auditor uses them."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.database import Database, role
from tests.page_words import plain, words
from tests.planted_keys import DAY, plant
from tests.rows import KEY, NOON, failure, key_of, spend_log
from tests.visiting import people, signed_in, visit
from tracelib import audit
from tracelib.audit import Reads, Record, reads, record
from tracelib.page.base import file_button
from tracelib.settings import Settings

STATUS = "pages/Status.py"
WEEK = {"range": "custom", "from": "2026-11-17", "to": "2026-11-23", "zone": "UTC"}
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def shared(server) -> Iterator[Database]:
    """Keys with findings; and requests, one of them with a blocked key."""
    made = Database(server)
    made.insert(
        [
            spend_log(startTime=NOON - 96 * DAY),
            spend_log(startTime=NOON, response={"choices": []}),
            failure(startTime=NOON - DAY, api_key=key_of("tried")),
            failure(startTime=NOON, api_key="", requester_ip_address="203.0.113.9"),
        ]
    )
    plant(made.engine, "known", token=KEY)
    plant(made.engine, "![x](http://c.invalid)", expires=None)
    plant(made.engine, "tried", blocked=True)
    yield made
    made.drop()


def tables(app) -> dict[str, list[dict]]:
    """The rows of each table by its headings."""
    return [frame.value.to_dict("records") for frame in app.dataframe]


def test_the_findings_by_kind_and_the_keys(open_page, shared):
    app = open_page(STATUS, shared.url, part="keys", **WEEK)
    assert not app.exception
    assert "3 keys, 2 with findings. The log was read from 19 August 2026 on." in words(app)
    kinds, keys = tables(app)
    assert [(row["title"], row["keys"]) for row in kinds] == [
        ("Disabled, still tried", 1),
        ("No expiry", 1),
    ]
    assert [(row["key_name"], row["title"]) for row in keys] == [
        ("tried", "Disabled, still tried"),
        ("![x](http://c.invalid)", "No expiry"),
    ]
    assert key_of("tried") not in words(app)


def test_a_finding_and_a_name_narrow_the_keys(open_page, shared):
    app = open_page(STATUS, shared.url, part="keys", **WEEK)
    app.selectbox(key="chosen finding").select("No expiry").run()
    assert [row["key_name"] for row in tables(app)[1]] == ["![x](http://c.invalid)"]
    app.text_input(key="searched key").input("tri").run()
    assert "No key with this finding has such a name, user or team." in words(app)
    app.selectbox(key="chosen finding").select("All findings").run()
    assert [row["key_name"] for row in tables(app)[1]] == ["tried"]


def test_without_keys_and_without_grants_the_part_says_so(open_page, empty_database, database):
    app = open_page(STATUS, empty_database.url, part="keys", **WEEK)
    assert "There are no virtual keys in your scope and filters." in words(app)
    url = role(database(rows=[spend_log()]), "log_only", ['SELECT ON "LiteLLM_SpendLogs"'])
    app = open_page(STATUS, url, part="keys", **WEEK)
    assert not app.exception
    assert "the role may not read LiteLLM_VerificationToken." in words(app)


def test_the_statement_the_days_and_those_without_a_key(open_page, shared):
    app = open_page(STATUS, shared.url, part="evidence", **WEEK)
    assert not app.exception
    said = plain(words(app))
    assert "Complete from 17 November 2026, 00:00 UTC to 24 November 2026, 00:00 UTC" in said
    assert "Responses are stored for 1 of 3 requests." in said
    assert "1 request without a key: unauthenticated." in said
    assert "set TRACELIB_AUDIT_LOG" in said
    days, clients = tables(app)
    assert [(row["day"], row["requests"]) for row in days] == [("2026-11-22", 1), ("2026-11-23", 2)]
    assert [row["address"] for row in clients] == ["203.0.113.9"]


@pytest.fixture
def files(monkeypatch) -> dict[str, Callable[[], bytes]]:
    """The files that the page offers, by their buttons."""
    offered: dict[str, Callable[[], bytes]] = {}

    def button(label, data, **_):
        offered[label] = data
        return False

    monkeypatch.setattr(file_button.st, "download_button", button)
    return offered


@pytest.fixture
def log(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TRACELIB_AUDIT_LOG", str(tmp_path / "audit.jsonl"))
    return tmp_path / "audit.jsonl"


def test_a_file_is_recorded_and_says_who_made_it(open_page, shared, files, log, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", shared.url)
    monkeypatch.setenv("TRACELIB_PEOPLE", people(ada=("auditor", {"all": True})))
    app = visit(STATUS, signed_in("ada@example.com"), part="evidence", **WEEK)
    assert not app.exception
    assert {"Without messages", "With messages"} <= files.keys()
    made = json.loads(files["Without messages"]())
    assert made["made"]["by"] == "ada@example.com"
    assert made["counts"]["hashed_requests"] == 3
    (line,) = [json.loads(one) for one in log.read_text().splitlines()]
    facts = [line[name] for name in ("who", "what", "format")]
    assert facts == ["ada@example.com", "exported", "evidence"]
    assert line["range"] == ["2026-11-17T00:00:00.000Z", "2026-11-24T00:00:00.000Z"]


def test_a_viewer_gets_no_file_with_messages(open_page, shared, files, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", shared.url)
    monkeypatch.setenv("TRACELIB_PEOPLE", people(ada=("viewer", {"all": True})))
    app = visit(STATUS, signed_in("ada@example.com"), part="evidence", **WEEK)
    assert not app.exception
    assert "With messages" not in files
    assert "response" not in json.loads(files["Without messages"]())["hashes"]["columns"]


def in_documents(language: str) -> str:
    """The block of this language in the document on evidence."""
    text = (ROOT / "docs" / "evidence.md").read_text()
    return re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)[1]


def test_the_script_in_the_documents_verifies_a_file(shared, files, open_page, tmp_path):
    open_page(STATUS, shared.url, part="evidence", **WEEK)
    made = files["Without messages"]()
    script = in_documents("python")
    path = tmp_path / "evidence.json"

    def verified(document: bytes) -> str:
        path.write_bytes(document)
        done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1]

    assert verified(made) == "unchanged"
    assert verified(made.replace(b'"failures": 2', b'"failures": 0')).endswith("was changed")
    document = json.loads(made)
    document["hashes"]["days"][0]["hours"][0]["requests"] += 1
    assert "does not match its hours" in verified(json.dumps(document).encode())


def test_the_statement_in_the_documents_gives_the_hours_of_a_day(shared, files, open_page):
    open_page(STATUS, shared.url, part="evidence", **WEEK)
    sql = in_documents("sql")
    (day,) = [
        one
        for one in json.loads(files["Without messages"]())["hashes"]["days"]
        if one["date"] == "2026-11-23"
    ]
    hours = [(one["hour"], one["requests"], one["sha256"]) for one in day["hours"]]
    assert shared.execute(sql) == hours


OPENED = Record(who="ada", role="auditor", what="opened", origin="page")


def test_reads_of_a_time_are_counted(tmp_path):
    log = tmp_path / "audit.jsonl"
    settings = Settings(audit_log=str(log))
    now = datetime.now(UTC)
    around = (now - timedelta(minutes=1), now + timedelta(minutes=5))
    assert reads(settings, *around) == Reads((), 0, True)
    assert reads(Settings(audit_log=str(tmp_path)), *around) is None
    for who in ("ada", "ada", "bo"):
        record(settings, Record(who=who, role="auditor", what="opened", origin="page"))
    record(settings, Record(who="bo", role="auditor", what="exported", origin="api"))
    with log.open("a") as file:
        file.write('no json\n[]\n{"at": 3}\n')
    found = reads(settings, *around)
    assert (found.by_what, found.people, found.is_whole) == (
        (("exported", 1), ("opened", 3)),
        2,
        True,
    )
    each = [(one.who, one.origin, one.by_what, one.sessions) for one in found.readers]
    assert each == [
        ("ada", "page", (("opened", 2),), 0),
        ("bo", "api", (("exported", 1),), 0),
        ("bo", "page", (("opened", 1),), 0),
    ]
    assert all(around[0] < one.newest_at < around[1] for one in found.readers)
    assert reads(settings, now + timedelta(hours=1), now + timedelta(hours=2)) == Reads((), 0, True)
    assert reads(Settings(), *around) is None
    assert reads(Settings(audit_log="stdout"), *around) is None


def test_of_a_long_log_the_newest_part_is_read(tmp_path, monkeypatch):
    log = tmp_path / "audit.jsonl"
    settings = Settings(audit_log=str(log))
    for _ in range(5):
        record(settings, OPENED)
    monkeypatch.setattr(audit, "MOST_BYTES", len(log.read_bytes()) // 5 * 2)
    now = datetime.now(UTC)
    found = reads(settings, now - timedelta(minutes=1), now + timedelta(minutes=1))
    assert (sum(count for _, count in found.by_what), found.is_whole) == (2, False)


def test_an_admin_sees_how_many_reads_were_recorded(open_page, shared, log):
    line = {"at": "2026-11-20T09:00:00.000Z", "who": "ada", "what": "opened"}
    log.write_text(f"{json.dumps(line)}\n")
    app = open_page(STATUS, shared.url, part="evidence", **WEEK)
    assert not app.exception
    assert str(log) in words(app)
    assert "Opened" in words(app)
    assert [(row["who"], row["what"]) for row in tables(app)[-1]] == [("ada", "opened 1")]

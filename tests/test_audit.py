"""Who read or handed on what was said: noted before it is read, or it is not read."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.page_words import words
from tests.rows import KEY, NOON, spend_log
from tests.visiting import people, signed_in, turned_to, visit
from tracelib import errors
from tracelib.audit import Record, record
from tracelib.page.base import downloads, persons
from tracelib.settings import Settings

ROOT = Path(__file__).parent.parent
OPENED = Record(
    who="ada@example.com",
    role="auditor",
    what="opened",
    origin="page",
    api_key="k",
    session_ids=("s-1", "s-2"),
    page=1,
    redaction=("e-mail", "own"),
)
SAID = "The parcel is lost."
EVERY = {
    *("at", "who", "role", "what", "from", "session_ids", "request_ids"),
    *("request_starts", "api_key"),
    *("page", "turns", "format", "sought", "redaction", "range"),
}


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "audit.jsonl"


def lines(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_record_is_a_line_of_json(log):
    record(Settings(audit_log=str(log)), OPENED)
    (line,) = lines(log)
    assert line.pop("at").endswith("Z")
    assert line == {
        "who": "ada@example.com",
        "role": "auditor",
        "what": "opened",
        "from": "page",
        "session_ids": ["s-1", "s-2"],
        "request_ids": [],
        "request_starts": [],
        "api_key": "k",
        "page": 1,
        "turns": None,
        "format": None,
        "sought": None,
        "redaction": ["e-mail", "own"],
        "range": None,
    }


def test_without_a_log_nothing_is_noted(tmp_path):
    record(Settings(), OPENED)
    assert list(tmp_path.iterdir()) == []


def test_a_new_log_is_its_owners_alone(log):
    record(Settings(audit_log=str(log)), OPENED)
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_log_only_grows(log):
    log.write_text('{"before": true}\n')
    record(Settings(audit_log=str(log)), OPENED)
    before, added = lines(log)
    assert (before, added["who"]) == ({"before": True}, "ada@example.com")


@pytest.mark.parametrize("sign", ["\n", "\r", "\u2028", "\ud800", "\0", '"}'])
def test_what_somebody_writes_cannot_end_a_line(log, sign):
    record(Settings(audit_log=str(log)), replace(OPENED, search_text=f"a{sign}b"))
    assert log.read_bytes().count(b"\n") == 1
    assert lines(log)[0]["sought"] == f"a{sign}b"


def test_a_log_that_was_moved_away_begins_anew(log):
    settings = Settings(audit_log=str(log))
    record(settings, OPENED)
    log.rename(log.with_suffix(".1"))
    record(settings, replace(OPENED, page=2))
    assert [line["page"] for line in lines(log)] == [2]
    assert [line["page"] for line in lines(log.with_suffix(".1"))] == [1]


@pytest.mark.parametrize("path", ["/dev/full", "/no/such/folder/audit.jsonl", "/", "/proc/version"])
def test_what_cannot_be_noted_fails(path):
    with pytest.raises(errors.AuditFailed):
        record(Settings(audit_log=path), OPENED)


ALONE = """
import os, resource, signal
from tracelib import errors
from tracelib.audit import Record, record
from tracelib.settings import Settings

OPENED = Record("ada@example.com", "auditor", "opened", "page", search_text="x" * 9_000)
"""
ON_A_FULL_DISK = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    record(Settings(audit_log={path!r}), OPENED)
except errors.AuditFailed:
    print("not noted")
"""


def test_a_line_broken_off_fails_and_spoils_no_later_one(log):
    written = run(ON_A_FULL_DISK.format(path=str(log)))
    assert (written, log.stat().st_size) == ("not noted\n", 100)
    record(Settings(audit_log=str(log)), OPENED)
    broken, whole = log.read_text().splitlines()
    assert len(broken) == 100
    assert json.loads(whole)["who"] == "ada@example.com"


ON_AND_ON = """
for number in range(100):
    record(Settings(audit_log={path!r}), OPENED)
"""


def test_lines_of_several_processes_stay_whole(log):
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, [ON_AND_ON.format(path=str(log))] * 3))
    assert [len(line["sought"]) for line in lines(log)] == [9_000] * 300


def test_lines_of_several_threads_stay_whole(log):
    settings = Settings(audit_log=str(log))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda page: record(settings, replace(OPENED, page=page)), range(200)))
    assert sorted(line["page"] for line in lines(log)) == list(range(200))


CLOSED = """
os.close(1)
try:
    record(Settings(audit_log="stdout"), OPENED)
except errors.AuditFailed:
    os.write(2, b"not noted\\n")
"""


def test_the_standard_output_can_be_the_log(capfd):
    record(Settings(audit_log="stdout"), OPENED)
    assert json.loads(capfd.readouterr().out).keys() == EVERY


def test_a_standard_output_that_nobody_reads_fails():
    assert run(CLOSED) == "not noted\n"


def run(script: str) -> str:
    """What a process of its own says."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ALONE + script],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture
def page(database, monkeypatch, log, fresh_caches):
    """The page of a session, as somebody opens it: `page(who, **query)`."""
    said = {"messages": [{"role": "user", "content": SAID}]}
    row = spend_log(request_id="r-1", session_id="s-1", api_key=KEY, proxy_server_request=said)
    later = spend_log(
        request_id="r-2",
        session_id="s-1",
        api_key=KEY,
        startTime=NOON.replace(minute=5),
        proxy_server_request={"messages": [*said["messages"], {"role": "user", "content": "So?"}]},
    )
    monkeypatch.setenv("DATABASE_URL", database(rows=[row, later]).url)
    monkeypatch.setenv("TRACELIB_AUDIT_LOG", str(log))
    scope = {"all": True}
    listed = people(ada=("auditor", scope), vic=("viewer", scope))
    monkeypatch.setenv("TRACELIB_PEOPLE", listed)

    def opened(who: str, **query: object):
        app = visit("pages/Sessions.py", signed_in(f"{who}@example.com"), **query)
        assert not app.exception
        return app

    return opened


def noted(log: Path) -> list[dict]:
    """What the log says beside what is the same in all of it, without what is empty."""
    same = {"at", "who", "role", "from", "api_key"}
    return [{k: v for k, v in one.items() if k not in same and v} for one in lines(log)]


def test_a_session_is_noted_once_in_a_tab_for_each_way_of_masking_it(page, log):
    app = page("ada", session="s-1")
    assert SAID in words(app)
    app.run()
    turned_to(app, "pages/Sessions.py", session="s-1", redacted="yes")
    opened = {"what": "opened", "session_ids": ["s-1"], "page": 1}
    masked = opened | {"redaction": ["e-mail", "key", "card", "phone", "iban", "ssn"]}
    assert noted(log) == [opened, masked]
    first = lines(log)[0]
    assert (first["who"], first["role"], first["from"]) == ("ada@example.com", "auditor", "page")
    assert first["api_key"] == KEY
    page("ada", session="s-1")
    assert noted(log) == [opened, masked, opened]


def test_what_a_viewer_does_not_read_is_not_noted(page, log):
    app = page("vic", session="s-1", diff=["r-1", "r-2"])
    assert SAID not in words(app)
    assert "Messages are shown to auditors and admins" in words(app)
    turned_to(app, "pages/Sessions.py", said=SAID)
    assert "was removed from this link" in words(app)
    assert not log.exists()


def test_figures_alone_are_not_noted(page, log):
    page("ada")
    assert not log.exists()


def test_two_requests_compared_are_noted(page, log):
    page("ada", session="s-1", diff=["r-1", "r-2"])
    compared = {"what": "compared", "session_ids": ["s-1"], "request_ids": ["r-1", "r-2"]}
    starts = ["2026-11-23T12:00:00.000Z", "2026-11-23T12:05:00.000Z"]
    assert noted(log)[1:] == [compared | {"request_starts": starts}]


def test_two_sessions_compared_are_noted_both(page, log):
    page("ada", session="s-1", **{"with": "s-1"})
    assert noted(log) == [{"what": "compared", "session_ids": ["s-1"], "page": 1}]


def test_a_search_in_what_was_said_is_noted_with_its_words(page, log):
    page("ada", said="parcel")
    searched, *listed = noted(log)
    assert searched == {"what": "searched", "sought": "parcel"}
    assert {one["what"] for one in listed} == {"listed"}


@pytest.mark.parametrize(
    "query",
    [
        {"session": "s-1"},
        {"session": "s-1", "with": "s-1"},
        {"session": "s-1", "diff": ["r-1", "r-2"]},
        {"said": "parcel"},
    ],
)
def test_without_a_record_there_are_no_words(page, monkeypatch, query):
    monkeypatch.setenv("TRACELIB_AUDIT_LOG", "/dev/full")
    app = page("ada", **query)
    assert errors.AuditFailed.sentence in words(app)
    assert SAID not in words(app)


def test_a_record_that_can_be_made_again_brings_the_words_back(page, monkeypatch, log):
    monkeypatch.setenv("TRACELIB_AUDIT_LOG", str(log.parent / "missing" / "audit.jsonl"))
    app = page("ada", session="s-1")
    assert SAID not in words(app)
    (log.parent / "missing").mkdir()
    assert SAID in words(app.run())


@pytest.fixture
def files(monkeypatch) -> dict:
    """The files that the page offers, by label: what a click makes."""
    offered = {}

    def button(label, data, **options):
        offered[label] = data

    monkeypatch.setattr(downloads.st, "download_button", button)
    return offered


def test_each_file_of_a_session_is_noted_each_time(page, log, files):
    page("ada", session="s-1")
    for label in ("JSON", "JSON", "One HTML file"):
        assert SAID.encode() in files[label]()
    exported = {
        "what": "exported",
        "session_ids": ["s-1"],
        "redaction": ["e-mail", "key", "card", "phone", "iban", "ssn"],
    }
    assert noted(log)[1:] == [exported | {"format": kind} for kind in ("json", "json", "html")]


def test_a_file_that_cannot_be_noted_is_not_made(page, log, files):
    page("ada", session="s-1")
    log.unlink()
    log.mkdir()
    with pytest.raises(errors.AuditFailed):
        files["JSON"]()


@pytest.mark.parametrize(
    "listed", [people(eve=("auditor", {"all": True})), people(ada=("viewer", {"all": True}))]
)
def test_who_may_not_read_any_more_is_made_no_file_by_a_page_of_before(
    page, log, files, monkeypatch, listed
):
    page("ada", session="s-1")
    before = noted(log)
    monkeypatch.setenv("TRACELIB_PEOPLE", listed)
    for label in ("JSON", "One HTML file"):
        with pytest.raises(errors.NotForThisRole):
            files[label]()
    assert noted(log) == before


def test_a_sign_in_that_has_run_out_is_made_no_file(page, files, monkeypatch):
    page("ada", session="s-1")
    now = time.time()
    monkeypatch.setattr(persons.time, "time", lambda: now + persons.SIGNED_IN_FOR_S + 60)
    with pytest.raises(errors.NotForThisRole):
        files["JSON"]()


@pytest.mark.parametrize(
    "listed",
    [people(ada=("viewer", {"all": True})), people(ada=("auditor", {"teams": ["another"]}))],
)
def test_what_a_search_found_is_made_no_file_for_who_may_see_less_by_now(
    page, files, monkeypatch, listed
):
    page("ada", said="parcel")
    assert b"s-1" in files["CSV"]()
    monkeypatch.setenv("TRACELIB_PEOPLE", listed)
    for label in ("CSV", "JSON lines"):
        with pytest.raises(errors.NotForThisRole):
            files[label]()


def test_a_page_of_an_open_app_makes_no_file_once_people_are_listed(page, files, monkeypatch):
    listed = os.environ["TRACELIB_PEOPLE"]
    monkeypatch.delenv("TRACELIB_PEOPLE")
    visit("pages/Sessions.py", None, session="s-1")
    assert SAID.encode() in files["JSON"]()
    monkeypatch.setenv("TRACELIB_PEOPLE", listed)
    with pytest.raises(errors.NotForThisRole):
        files["JSON"]()


def test_a_viewer_is_offered_no_file(page, files):
    page("vic", session="s-1")
    assert "JSON" not in files

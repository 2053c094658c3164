"""The last good figures on disk: pages of a process that starts while the database is down."""

import os
import pickle
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import ANY

import pandas as pd
import pytest

from tests.database import Database
from tests.rows import real_rows, spend_log
from tracelib import overview, sessions, status
from tracelib.database_url import read_address
from tracelib.filters import Filters
from tracelib.permissions.access import Access, Scope
from tracelib.querying import permissions, results_file, runner
from tracelib.querying.breaker import Breaker
from tracelib.querying.installation import Installation
from tracelib.querying.query import Query, result_key
from tracelib.querying.results_file import ON_DISK, ResultsFile, is_on_disk
from tracelib.querying.store import Result, Store
from tracelib.ranges import Last
from tracelib.sessions import SessionSearch
from tracelib.settings import Settings
from tracelib.window import recent

NOW = datetime.now(UTC).replace(microsecond=0)
PAGES = ("Home.py", "pages/Overview.py", "pages/Models.py", "pages/Sessions.py", "pages/Status.py")


@pytest.fixture(autouse=True)
def written_at_once(monkeypatch) -> None:
    monkeypatch.setattr(results_file, "GATHERED_FOR_S", 0.0)


@pytest.fixture
def folder(monkeypatch, tmp_path) -> Path:
    """Where the pages of this test keep results."""
    monkeypatch.setenv("TRACELIB_KEEP_RESULTS", "yes")
    monkeypatch.setenv("TRACELIB_REPLICA_FOLDER", str(tmp_path))
    results_file._file_in.cache_clear()
    return tmp_path / "results"


def restarted(monkeypatch) -> None:
    """As after a restart of the app: nothing is in memory."""
    monkeypatch.setattr(runner, "STORE", Store())
    monkeypatch.setattr(runner, "BREAKER", Breaker())
    results_file._file_in.cache_clear()


# Threads read these for the findings; pages do not wait for them, and have none after a restart.
OF_FINDINGS = {"costs", "findings", "key_review", "ledgers", "savings"}


def figures(app) -> list[tuple[str, str]]:
    return [(one.label, one.value) for one in app.metric]


def tables(app) -> list[str]:
    """What the tables show, without the messages of errors, which are not kept."""
    return [
        one.value.drop(columns="error_message", errors="ignore").to_csv() for one in app.dataframe
    ]


def rows_in(folder: Path) -> list[tuple[str, bytes]]:
    with sqlite3.connect(folder / results_file.NAME) as file:
        return file.execute("SELECT key, value FROM results ORDER BY computed_at").fetchall()


def await_rows(folder: Path, is_enough: Callable[[list[tuple[str, bytes]]], bool]) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with suppress(sqlite3.Error):
            if is_enough(rows_in(folder)):
                return
        time.sleep(0.02)
    raise AssertionError("nothing was written")


def package_of(function: Callable) -> str:
    return function.__module__.split(".")[1]


def test_pages_have_their_figures_after_a_restart_while_the_database_is_down(
    open_page, spare_server, folder, monkeypatch
):
    made = Database(spare_server)
    made.insert(real_rows())
    made.insert([spend_log(startTime=NOW - timedelta(minutes=5), status="failure")])
    run = {}
    add = ResultsFile.add
    monkeypatch.setattr(
        ResultsFile,
        "add",
        lambda *given: run.update({given[1]: given[2].function}) or add(*given),
    )
    before = {path: open_page(path, made.url, range="30d") for path in PAGES}
    functions = {*run.values()}
    # Run on demand.
    assert {*ON_DISK} - functions == {sessions.session_counts, sessions.suggestions}
    assert {one for one in functions if package_of(one) not in OF_FINDINGS} <= {*ON_DISK}
    keys = {key for key, function in run.items() if function in ON_DISK}
    await_rows(folder, lambda rows: {key for key, _ in rows} == keys)
    spare_server.stop()
    restarted(monkeypatch)
    for path in PAGES:
        app = open_page(path, made.url, range="30d")
        assert figures(app) == figures(before[path])
        assert tables(app) == tables(before[path])
        assert not app.exception and not app.error
        assert app.warning[0].value.startswith(
            "The database is not responding. The figures are those of "
        )


TEXT = "a prompt"
FAILURE = pd.DataFrame({"request_id": ["r1"], "error_message": [TEXT]})
WHO = Access(Scope(teams=("t1",)), "viewer")
PLACE = Installation(Settings(), read_address("postgresql://ada:secret@db/l"), is_sample=False)
FILTERS = Filters(window=recent(timedelta(days=1), NOW), range=Last(24))
TOTALS = Query(overview.totals, (FILTERS,))
KEY = result_key(TOTALS, NOW, PLACE)


def good(value: object, at: datetime = NOW) -> Result:
    return Result(value, None, at, 0.1)


def write(folder: Path, *results: tuple[str, Query, Result]) -> ResultsFile:
    file = ResultsFile(folder)
    for key, query, result in results:
        file.add(key, query, result)
        await_rows(folder, lambda rows, key=key: key in dict(rows))
    return file


def test_the_key_is_the_same_in_another_process_and_at_another_tick():
    code = "from tests.test_results_file import *; print(result_key(TOTALS, NOW, PLACE))"
    printed = subprocess.check_output(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": "7"}, text=True
    )
    assert printed.strip() == KEY
    later = replace(FILTERS, window=recent(timedelta(days=1), NOW + timedelta(hours=1)))
    assert result_key(replace(TOTALS, arguments=(later,)), NOW, PLACE) == KEY
    rotated = replace(PLACE, address=read_address("postgresql://ada:rotated@db/l"))
    assert result_key(TOTALS, NOW, rotated) == KEY


@pytest.mark.parametrize(
    "other",
    [
        replace(PLACE, access=WHO),
        replace(PLACE, access=Access(Scope(teams=("t2",)), "viewer")),
        replace(PLACE, address=read_address("postgresql://bo:secret@db/l")),
        replace(PLACE, address=read_address("postgresql://ada:secret@db/l?schema=x")),
        replace(PLACE, settings=Settings(table="other")),
    ],
)
def test_who_has_other_access_or_another_database_gets_nothing(tmp_path, other):
    file = write(tmp_path, (KEY, TOTALS, good(7)))
    assert file.get(KEY) == replace(good(7), seconds=0.0, version=ANY)
    assert file.get(result_key(TOTALS, NOW, other)) is None


def test_no_message_is_on_disk(tmp_path):
    search = SessionSearch(said=TEXT)
    assert not is_on_disk(Query(sessions.found_sessions, (FILTERS, search)))
    assert is_on_disk(Query(sessions.found_sessions, (FILTERS, SessionSearch())))
    assert not {*ON_DISK} & permissions.READS_MESSAGES
    query = Query(status.newest_failures, (FILTERS,))
    file = write(tmp_path, (KEY, query, good(FAILURE)))
    (row,) = file.get(KEY).value.to_dict("records")
    assert row == {"request_id": "r1", "error_message": None}
    assert TEXT.encode() not in (tmp_path / results_file.NAME).read_bytes()


def spoil(folder: Path, value: bytes) -> None:
    with sqlite3.connect(folder / results_file.NAME) as file:
        file.execute("UPDATE results SET value = ?", (value,))


@pytest.mark.parametrize("module", ["os", "tracelib.demo"])
def test_a_replaced_value_runs_nothing(tmp_path, module):
    file = write(tmp_path / "kept", (KEY, TOTALS, good(7)))
    name = {"os": "mkdir", "tracelib.demo": "start"}[module]
    attack = f"c{module}\n{name}\n(V{tmp_path / 'made'}\ntR.".encode()
    spoil(tmp_path / "kept", attack)
    assert file.get(KEY) is None
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("value", [b"", b"abc", pickle.dumps(7)[:-1]])
def test_a_broken_value_is_none(tmp_path, value):
    file = write(tmp_path, (KEY, TOTALS, good(7)))
    spoil(tmp_path, value)
    assert file.get(KEY) is None


def test_a_file_that_is_no_database_is_written_anew(tmp_path):
    (tmp_path / results_file.NAME).write_bytes(b"x" * 10_000)
    file = ResultsFile(tmp_path)
    assert file.get(KEY) is None
    write(tmp_path, (KEY, TOTALS, good(7)))
    assert file.get(KEY).value == 7


def test_the_file_of_another_user_is_not_read(tmp_path):
    file = write(tmp_path, (KEY, TOTALS, good(7)))
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    os.chown(tmp_path / results_file.NAME, 65534, 65534)
    assert file.get(KEY) is None


def test_values_of_another_version_are_not_read(tmp_path, monkeypatch):
    file = write(tmp_path, (KEY, TOTALS, good(7)))
    monkeypatch.setattr(results_file, "version", lambda: "another")
    assert file.get(KEY) is None


def test_a_folder_that_cannot_be_written_to_is_said_once_and_harms_nothing(tmp_path, caplog):
    (tmp_path / "file").touch()
    file = ResultsFile(tmp_path / "file" / "results")
    for number in range(3):
        file.add(f"{KEY}{number}", TOTALS, good(7))
        while file._pending:
            time.sleep(0.01)
    assert file.get(KEY) is None
    assert [one.getMessage().partition(" ")[0] for one in caplog.records] == ["figures_not_kept"]


def test_each_result_is_written_once_a_minute(tmp_path):
    file = write(tmp_path, (KEY, TOTALS, good(7)))
    file.add(KEY, TOTALS, good(8))
    file.add("other", TOTALS, good(9))
    await_rows(tmp_path, lambda rows: len(rows) == 2)
    assert file.get(KEY).value == 7
    file._written[KEY] -= results_file.WRITTEN_EVERY_S
    file.add(KEY, TOTALS, good(8))
    await_rows(tmp_path, lambda rows: pickle.loads(dict(rows)[KEY]) == 8)


def test_the_oldest_are_left_out_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(results_file, "MOST_BYTES", 3_500)
    monkeypatch.setattr(results_file, "LARGEST", 2_000)
    values = {f"{n}": (n, n) for n in range(5)} | {"large": (3_000, 9), "old": (10, -400_000)}
    file = ResultsFile(tmp_path)
    for key, (_, number) in values.items():
        size = 3_000 if key == "large" else 1_000
        file.add(key, TOTALS, good("x" * size, NOW + timedelta(seconds=number)))
    await_rows(tmp_path, lambda rows: [key for key, _ in rows] == ["2", "3", "4"])


def test_a_process_that_is_killed_while_it_writes_leaves_a_readable_file(tmp_path):
    write(tmp_path, (KEY, TOTALS, good(7)))
    code = f"""
from tests.test_results_file import *
results_file.GATHERED_FOR_S = 0
there, number = ResultsFile(Path({str(tmp_path)!r})), 0
print(flush=True)
while True:
    there.add(str(number), TOTALS, good("x" * 1_000)); number += 1; time.sleep(0.001)
"""
    for run in range(2):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert child.stdout
        child.stdout.readline()
        await_rows(tmp_path, lambda rows, run=run: len(rows) > 20 * run + 1)
        child.kill()
        child.wait()
    assert ResultsFile(tmp_path).get(KEY).value == 7
    with sqlite3.connect(tmp_path / results_file.NAME) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_file_that_is_just_being_created_holds_nothing_yet(tmp_path):
    tmp_path.chmod(0o700)
    (tmp_path / results_file.NAME).touch(0o600)
    file = ResultsFile(tmp_path)
    assert (file.get("key"), file._has_failed) == (None, False)

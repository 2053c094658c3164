"""Pages and programs get their figures from the replica, and from the log where it cannot help."""

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.database import Database
from tests.replicas import opened, written
from tests.rows import NOON, spend_log
from tests.sources import FILTERS, source_of
from tracelib import errors, metrics, overview, sessions, status
from tracelib.database_url import read_address
from tracelib.overview import over_time
from tracelib.querying import dispatch, replication, runner
from tracelib.querying.installation import Installation
from tracelib.querying.query import Query
from tracelib.querying.replication import replica_settings
from tracelib.querying.runner import run_together
from tracelib.querying.store import Store
from tracelib.replica import manifest as manifests
from tracelib.sessions import SessionSearch
from tracelib.settings import Settings
from tracelib.source import connect

TOTALS = Query(overview.totals, (FILTERS,))


@pytest.fixture
def installed(database, tmp_path, monkeypatch):
    """An installation with a replica that is complete, and one row more in the log."""
    monkeypatch.setattr(runner, "STORE", Store())
    log = database(rows=[spend_log()])
    place = of(log, tmp_path)
    written(source_of(log), replica_settings(place).folder)
    log.insert([spend_log()])
    # No thread: the replica stays as it is.
    monkeypatch.setattr(replication.Keeper, "ensure_running", lambda _: None)
    yield place
    replication._keeper.cache_clear()


def of(log: Database, folder, **changes: object) -> Installation:
    settings = Settings(replica="on", replica_folder=str(folder), **changes)
    return Installation(settings, read_address(log.url), is_sample=False)


def ask(place: Installation, query: Query = TOTALS):
    (result,) = run_together(place, NOON, [query])
    return result


def aged(place: Installation, seconds: float) -> None:
    folder = replica_settings(place).folder
    found = manifests.read(folder)
    manifests.publish(folder, replace(found, as_of=time.time() - seconds))


def age_shown() -> float:
    (line,) = re.findall(rb"^tracelib_replica_age_seconds (\S+)$", metrics.as_text(), re.MULTILINE)
    return float(line)


def test_figures_are_those_of_a_replica_that_follows_the_log(installed):
    result = ask(installed)
    assert (result.value.requests, result.error, result.is_stale) == (1, None, False)
    assert datetime.now(UTC) - result.as_of < timedelta(minutes=1)


def test_metrics_tell_what_ran_on_the_replica_and_how_old_it_is(installed):
    answered = metrics.FROM_REPLICA.labels(TOTALS.name)._value
    before = answered.get()
    ask(installed)
    assert answered.get() == before + 1
    aged(installed, 600)
    assert 600 < age_shown() < 630


def test_an_old_replica_is_not_asked(installed):
    aged(installed, 600)
    result = ask(installed)
    assert (result.value.requests, result.as_of) == (2, None)


def test_an_old_replica_serves_while_the_database_is_away(installed):
    aged(installed, 600)
    away = replace(installed, address=read_address("postgresql://ada@127.0.0.1:1/litellm"))
    folder = replica_settings(away).folder
    replica_settings(installed).folder.rename(folder)
    for _ in range(2):  # at once, and while no one waits for the database
        result = ask(away)
        assert (result.value.requests, result.is_stale) == (1, True)
        assert isinstance(result.error, errors.DatabaseUnreachable)
        assert result.computed_at == result.as_of
        runner.STORE.figures.histories.clear()
    assert ask(away, Query(status.server, ())).value is None


@pytest.mark.parametrize(
    "query",
    [
        Query(sessions.found_sessions, (FILTERS, SessionSearch(id="x"))),
        Query(status.size, ()),
        Query(status.freshness, (NOON,)),
    ],
    ids=["by an ID", "size", "freshness"],
)
def test_what_is_about_the_database_is_asked_of_it(installed, query):
    result = ask(installed, query)
    assert (result.error, result.as_of) == (None, None)
    assert result.value is not None


def test_a_replica_that_is_switched_off_is_not_asked(installed):
    off = replace(installed, settings=replace(installed.settings, replica="off"))
    assert ask(off).value.requests == 2


def test_a_damaged_replica_is_not_asked_and_says_so(installed):
    (replica_settings(installed).folder / manifests.NAME).write_text("[]")
    assert ask(installed).value.requests == 2
    state = replication.state(installed)
    assert state.sentence.startswith(errors.ReplicaDamaged.sentence)
    assert state.manifest is None


def test_without_a_replica_a_model_keeps_its_place_in_this_process(installed):
    off = replace(installed, settings=replace(installed.settings, replica="off"))
    assert replication.with_known_models(off, ["b", "a"]) == ("b", "a")
    assert replication.with_known_models(off, ["c", "a"]) == ("b", "a", "c")
    many = [f"m{n}" for n in range(300)]
    assert replication.with_known_models(off, many)[:4] == ("b", "a", "c", "m0")
    assert replication.with_known_models(off, ["x"])[-1] == "x"
    assert "x" not in replication.with_known_models(off, [])
    replication._models_here.cache_clear()


def test_in_a_replica_a_model_has_the_place_that_was_given(installed):
    folder = replica_settings(installed).folder
    found = manifests.read(folder)
    manifests.publish(folder, replace(found, models=("z", "gpt-4o")))
    assert replication.with_known_models(installed, ["new", "gpt-4o"]) == ("z", "gpt-4o", "new")


def test_each_database_has_a_folder_of_its_own(database, tmp_path):
    one, other = (of(database(), tmp_path) for _ in range(2))
    folders = {replica_settings(place).folder for place in (one, other)}
    assert len(folders) == 2
    assert {folder.parent for folder in folders} == {tmp_path}


def test_a_query_says_by_its_source_who_can_run_it():
    assert dispatch.is_portable(overview.totals)
    assert dispatch.is_portable(over_time)
    assert not dispatch.is_portable(status.server)
    assert not dispatch.is_portable(sessions.summary)


@pytest.mark.parametrize(("rows", "is_wanted"), [(1, False), (3_000, True)])
def test_it_is_used_by_itself_where_the_log_is_large(
    database, tmp_path, monkeypatch, rows, is_wanted
):
    now = datetime.now(UTC)
    monkeypatch.setattr(replication, "WORTH_FROM_ROWS", 1_000)
    log = database(rows=[spend_log(startTime=now) for _ in range(rows)])
    log.execute('ANALYZE "LiteLLM_SpendLogs"')
    place = of(log, tmp_path)
    keeper = replication.Keeper(replace(place, settings=replace(place.settings, replica="auto")))
    keeper.ensure_running()
    try:
        assert until(lambda: keeper.is_wanted is is_wanted)
        manifest = replica_settings(place).folder / manifests.NAME
        assert until(manifest.exists) if is_wanted else not manifest.exists()
    finally:
        keeper.stop.set()
        keeper.join()


def test_a_pause_is_seen_by_the_writer_and_ends(database, tmp_path):
    place = of(database(rows=[spend_log()]), tmp_path)
    replica_settings(place).folder.mkdir()
    replication.set_paused(place, True)
    keeper = replication.Keeper(place)
    keeper.ensure_running()
    try:
        with opened(keeper.settings) as files:
            assert until(lambda: (now := files.current()) and now.manifest.is_paused)
    finally:
        keeper.stop.set()
        keeper.join()
    replication.set_paused(place, False)
    written(connect(place.settings, place.address), keeper.settings.folder)


def until(is_true) -> bool:
    for _ in range(200):
        if is_true():
            return True
        time.sleep(0.1)
    return False

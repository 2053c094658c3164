"""A replica in tables of another PostgreSQL equals the log, whatever happens to either."""

import random
import re
import time
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests import replicating, rows
from tests.replicas import empty_database, manifest_at, reader_of, storage_at, written_at
from tests.replicating import (
    CHANGES,
    CONTEXT,
    HOUR,
    LOG,
    NOW,
    Clock,
    happen,
    in_log,
    in_step,
    spread,
    writing,
)
from tests.sources import FILTERS, source_of
from tests.test_replica_writer import KILLS
from tracelib import errors, models, overview
from tracelib.database_url import read_address
from tracelib.permissions.access import FULL
from tracelib.querying import replication
from tracelib.querying.installation import Installation
from tracelib.replica import layout
from tracelib.replica import manifest as manifests
from tracelib.replica.manifest import Manifest
from tracelib.replica.schema import Tables
from tracelib.replica.table_reader import TableReader
from tracelib.replica.writer import Writer
from tracelib.settings import Settings
from tracelib.source import NotHeld
from tracelib.window import fitting_bucket

DAY_S = 86_400


@pytest.fixture
def url(server):
    """The URL of an empty database."""
    with empty_database(server) as url:
        yield url


@pytest.fixture
def kept(database, url, tmp_path):
    """A log of three days, and its replica in step: log, source, writer, clock."""
    log = database(rows=spread(60, 72))
    source, clock = source_of(log), Clock()
    writer = Writer(lambda: source, storage_at(url, tmp_path, duty=1), clock)
    in_step(writer, clock)
    yield log, source, writer, clock
    writer.close()
    source.engine.dispose()


def held(url: str, of: Manifest | None = None) -> list[str]:
    """All rows of the replica as text, in order, once they are what the manifest says."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    requests, replicas = Tables().requests, Tables().replicas
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        known = connection.execute(sa.select(requests)).all()
        found = of or manifests.parsed(bytes(connection.scalar(sa.select(replicas.c.manifest))))
    engine.dispose()
    hours = [(row.start_order - layout.EPOCH) // layout.HOUR for row in known]
    counted = {hour: one.rows for span in found.spans for hour, one in span.hours.items()}
    assert {hour: hours.count(hour) for hour in hours} == counted
    assert len(known) == found.rows
    return sorted(replicating._text(dict(row._mapping)) for row in known)


def execute(url: str, *statements: str) -> list[tuple]:
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.begin() as connection:
        found = [connection.execute(sa.text(one)) for one in statements]
        answer = [tuple(row) for row in found[-1]] if found[-1].returns_rows else []
    engine.dispose()
    return answer


def test_all_history_is_held_by_day(kept, url):
    _, source, writer, _ = kept
    assert held(url) == in_log(source)
    assert manifest_at(url, source).complete_from is None
    with writer._storage._session.using() as connection:
        days = writer._storage._session.tables.days(connection)
        assert writer._storage._session.tables.bytes(connection) > 0
    assert sorted(days) == [(rows.NOON - timedelta(days=n)).date() for n in (3, 2, 1, 0)]


def test_a_new_row_is_held_at_the_next_tick(kept, url):
    log, source, writer, clock = kept
    log.insert([rows.spend_log(startTime=rows.NOON)])
    in_step(writer, clock)
    assert held(url) == in_log(source)


@pytest.mark.parametrize("change", CHANGES)
def test_rows_that_change_later_are_held_after_a_day(kept, url, change):
    log, source, writer, clock = kept
    log.execute(CHANGES[change])
    clock.now += 90_000
    in_step(writer, clock)
    assert held(url) == in_log(source)


def test_new_rows_are_inserted_without_those_that_are_there(kept, url):
    log, source, writer, clock = kept
    hour = rows.NOON.replace(tzinfo=None)
    for _ in range(3):
        log.insert([rows.spend_log(startTime=rows.NOON)])
        in_step(writer, clock)
    before, gone = changes(writer)
    log.insert([rows.spend_log(startTime=rows.NOON)])
    in_step(writer, clock)
    assert changes(writer) == (before + 1, gone)
    log.execute(f"UPDATE {LOG} SET spend = 9 WHERE \"startTime\" = '{hour}'")
    clock.now += 90_000
    in_step(writer, clock)
    assert held(url) == in_log(source)


def changes(writer: Writer) -> tuple[int, int]:
    """How many rows of the replica were ever inserted and deleted?"""
    counts = """SELECT sum(n_tup_ins)::int, sum(n_tup_del)::int FROM pg_stat_user_tables
        WHERE relname LIKE 'requests_%'"""
    with writer._storage._session.using() as connection:
        for statement in ("SELECT pg_stat_force_next_flush()", "SELECT pg_stat_clear_snapshot()"):
            connection.execute(sa.text(statement))
            connection.commit()
        found = tuple(connection.execute(sa.text(counts)).one())
        connection.commit()
    return found


def test_queries_go_on_while_a_day_is_added(kept, url):
    _, _, writer, _ = kept
    session = writer._storage._session
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.connect() as reading, session.using() as connection:
        reading.execute(sa.select(sa.func.count()).select_from(Tables().requests))
        connection.execute(sa.text("SET lock_timeout = '2s'"))
        session.tables.add_days(connection, [date(2031, 1, 1)])
        count = sa.select(sa.func.count()).select_from(Tables().requests)
        with engine.connect() as another:
            another.execute(sa.text("SET lock_timeout = '1s'"))
            assert another.scalar(count) == 60
        connection.rollback()
    engine.dispose()


def test_what_was_lost_in_the_tables_is_read_again_after_a_day(kept, url):
    _, source, writer, clock = kept
    day = f"tracelib_replica.requests_{Tables().shape}_{rows.NOON - timedelta(days=2):%Y%m%d}"
    doubled = Tables().requests.name
    execute(
        url,
        f"DROP TABLE {day}",
        f"INSERT INTO tracelib_replica.{doubled} SELECT * FROM tracelib_replica.{doubled} LIMIT 3",
    )
    clock.now += 90_000
    in_step(writer, clock)
    assert held(url) == in_log(source)


@pytest.mark.parametrize("lost", ["requests", "names", "both"])
def test_tables_that_are_lost_are_made_again(kept, url, lost):
    log, source, writer, clock = kept
    for one in ("requests", "names") if lost == "both" else (lost,):
        execute(url, f"DROP TABLE tracelib_replica.{one}_{Tables().shape}")
    log.insert([rows.spend_log(startTime=rows.NOON)])
    rows.name_key(log.engine, rows.KEY, "new name")
    clock.now += 400
    for _ in range(3):
        clock.now += writer.step()
    in_step(writer, clock)
    assert held(url) == in_log(source)


def test_the_writer_keeps_no_transaction_open_while_it_reads_the_log(kept, url):
    """A server ends a session that waits within one."""
    log, source, writer, clock = kept
    with writer._storage._session.using() as connection:
        connection.execute(sa.text("SET idle_in_transaction_session_timeout = '200ms'"))
        connection.commit()
    slow = replace(source)
    object.__setattr__(slow, "rows", lambda statement: (time.sleep(0.5), source.rows(statement))[1])
    writer._source = lambda: slow
    log.insert([rows.spend_log(startTime=rows.NOON)])
    in_step(writer, clock)
    clock.now += 90_000
    in_step(writer, clock)
    assert held(url) == in_log(source)


def test_spans_that_are_dropped_for_the_disk_take_their_rows(kept, url):
    _, _, writer, _ = kept
    opened = writer._opened
    opened.drop_oldest()
    assert len(held(url, opened.manifest)) == opened.manifest.rows < 60


def test_a_writer_that_lost_its_lock_drops_nothing(kept, url, tmp_path):
    _, source, writer, clock = kept
    old = writer._opened
    writer.close()
    other = Writer(lambda: source, storage_at(url, tmp_path, duty=1), clock)
    in_step(other, clock)
    other.close()
    late = storage_at(url, tmp_path)
    assert late.win()
    old.session, old.manifest = late._session, replace(old.manifest, spans=())
    with pytest.raises(errors.ReplicaDamaged, match="Another process"):
        old.tidy(clock.now + DAY_S)
    late.resign()
    assert held(url) == in_log(source)


def test_days_without_rows_are_dropped(kept, url):
    log, source, writer, clock = kept
    log.execute(f"DELETE FROM {LOG} WHERE \"startTime\" < '{rows.NOON - HOUR * 40:%Y-%m-%d}'")
    for _ in range(2):  # the rows go, and then their days
        clock.now += 90_000
        in_step(writer, clock)
    assert held(url) == in_log(source)
    with writer._storage._session.using() as connection:
        assert len(writer._storage._session.tables.days(connection)) == 3


def test_absurd_times_are_held_at_the_edges(database, url, tmp_path):
    starts = [datetime(1999, 1, 1), datetime(2300, 1, 1), rows.NOON]
    log = database(rows=[rows.spend_log(startTime=one) for one in starts])
    source = source_of(log)
    written_at(source, url, tmp_path)
    assert held(url) == in_log(source)


# Two writers, and one that is killed


def test_of_two_writers_only_one_writes(kept, url, tmp_path):
    log, source, writer, clock = kept
    other = Writer(lambda: source, storage_at(url, tmp_path), clock)
    before = manifest_at(url, source)
    log.insert([rows.spend_log(startTime=rows.NOON)])
    assert other.step() == 10 and other.sentence == "" and manifest_at(url, source) == before
    writer.close()
    in_step(other, clock)
    assert held(url) == in_log(source)
    assert writer.step() == 10
    other.close()


def test_a_writer_without_its_lock_publishes_nothing(kept, url, tmp_path):
    """Its connection was pooled: another process holds the lock, and wrote."""
    log, source, writer, clock = kept
    old = writer._opened
    writer.close()
    other = Writer(lambda: source, storage_at(url, tmp_path, duty=1), clock)
    log.insert([rows.spend_log(startTime=rows.NOON)])
    in_step(other, clock)
    other.close()
    late = storage_at(url, tmp_path)
    assert late.win()
    with late._session.using() as connection:
        connection.execute(late._session.tables.requests.delete())
    old.session = late._session
    with pytest.raises(errors.ReplicaDamaged, match="Another process"):
        old.publish(old.manifest)
    late.resign()
    assert held(url) == in_log(source)


def test_behind_a_pooler_that_shares_sessions_nothing_is_lost(pgbouncer, database, url, tmp_path):
    """The lock may be any client's there, so that two may write: one of them fails each time."""
    name = re.search(r"/(replica_\d+)\?", url)[1]
    pooled = pgbouncer.url(name)
    log = database(rows=spread(60, 72))
    source, clock = source_of(log), Clock()
    writers = [
        Writer(lambda: source, storage_at(pooled, tmp_path / str(n), duty=1), clock) for n in (1, 2)
    ]
    for _ in range(40):
        for one in writers:
            one.step()
        log.insert([rows.spend_log(startTime=rows.NOON)])
        clock.now += 10
        if manifest_at(url, source):
            held(url)
    writers[1].close()
    clock.now += 400
    in_step_again(writers[0], clock)
    clock.now += 90_000
    in_step_again(writers[0], clock)
    assert held(url) == in_log(source)
    writers[0].close()


def test_a_session_that_is_shared_has_one_writer(pgbouncer, url, tmp_path):
    pooled = pgbouncer.url(re.search(r"/(replica_\d+)\?", url)[1])
    one, other = (storage_at(pooled, tmp_path) for _ in range(2))
    assert (one.win(), other.win()) == (True, False)
    one.resign()
    other.resign()


def in_step_again(writer: Writer, clock: Clock) -> None:
    """Let the writer work, also after errors, until it has nothing to do for three ticks."""
    ticks = 0
    for _ in range(500):
        wait_s = writer.step()
        clock.now += wait_s
        ticks += wait_s > 5 and not writer.sentence
        if ticks == 3:
            return
    raise AssertionError(f"The writer finds no end. {writer.sentence}")


def test_killed_at_any_moment_it_loses_and_doubles_nothing(database, url, tmp_path):
    """Two processes write, and are killed together again and again while the log changes."""
    chance = random.Random(7)
    log = database(rows=spread(400, 72))
    source = source_of(log)
    now = CONTEXT.Value("d", NOW)
    for _ in range(KILLS):
        with writing(log.url, tmp_path, now, 2, to=url) as processes:
            happen(log, chance, now.value)
            time.sleep(chance.uniform(0.05, 0.5))
            if chance.random() < 0.5:
                processes[0].kill()
                time.sleep(chance.uniform(0, 0.2))
        if manifest_at(url, source) is not None:
            held(url)
        now.value += chance.choice([1, 20, 700, 4_000])
    clock = Clock(now.value)
    writer = Writer(lambda: source, storage_at(url, tmp_path, duty=1), clock)
    deadline = time.monotonic() + 30
    while not writer._storage.win() and time.monotonic() < deadline:
        time.sleep(0.1)  # the server notices after a moment that the other has gone
    in_step(writer, clock)
    clock.now += 90_000
    in_step(writer, clock)
    assert held(url) == in_log(source)
    writer.close()


def test_a_lost_connection_is_a_sentence_and_then_forgotten(kept, url):
    log, source, writer, clock = kept
    execute(
        url,
        """SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
    )
    log.insert([rows.spend_log(startTime=rows.NOON)])
    assert writer.step() == 10
    assert writer.sentence.startswith(errors.ReplicaDatabaseUnusable.sentence)
    in_step(writer, clock)
    assert held(url) == in_log(source)


def test_a_stopped_log_is_a_sentence_in_the_manifest(kept, url):
    _, source, writer, clock = kept
    clock.now += 20
    writer._source = lambda: replace(source, engine=sa.create_engine("postgresql://127.0.0.1:1/x"))
    assert writer.step() == 10
    assert manifest_at(url, source).sentence.startswith(errors.DatabaseUnreachable.sentence)
    assert held(url) == in_log(source)


# A database that is not as it should be


def failed(url: str, source, folder, **changes: object) -> str:
    """The sentence of a writer of this replica, after its first step."""
    writer = Writer(lambda: source, storage_at(url, folder), Clock())
    writer.step()
    writer.close()
    return writer.sentence


def test_a_database_with_a_log_is_refused(database, tmp_path):
    log = database(rows=spread(5, 3))
    source = source_of(log)
    sentence = failed(log.url, source, tmp_path)
    assert sentence.startswith(errors.ReplicaDatabaseIsTheLog.sentence)
    assert log.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tracelib%'") == []


def test_a_role_without_rights_is_refused(kept, database, role, tmp_path):
    _, source, _, _ = kept
    other = database()
    other.execute('DROP TABLE "LiteLLM_SpendLogs"')
    url = role(other, "no_rights")
    sentence = failed(url, source, tmp_path)
    assert sentence.startswith(errors.ReplicaDatabaseUnusable.sentence)
    assert "permission denied" in sentence


def test_a_schema_of_its_own_is_right_enough(kept, url, database, role, tmp_path):
    _, source, _, _ = kept
    place = database()
    place.execute('DROP TABLE "LiteLLM_SpendLogs"', "CREATE SCHEMA figures")
    limited = role(place, "limited")
    place.execute('GRANT ALL ON SCHEMA figures TO "limited"')
    assert written_at(source, f"{limited}&schema=figures", tmp_path).manifest.rows == 60


def test_a_database_of_another_encoding_is_refused(kept, server, tmp_path):
    _, source, _, _ = kept
    server.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        assert "LATIN1" in failed(server.url("latin"), source, tmp_path)
    finally:
        server.execute("DROP DATABASE latin")


def test_the_schema_of_another_log_is_refused_and_left_alone(kept, url, database, tmp_path):
    _, _, writer, _ = kept
    before = held(url)
    writer.close()
    sentence = failed(url, source_of(database(rows=spread(3, 3))), tmp_path)
    assert sentence.startswith(errors.ReplicaOfAnotherLog.sentence)
    assert held(url) == before


def test_in_a_schema_of_its_own_there_is_room_for_another_log(kept, url, database, tmp_path):
    _, source, _, _ = kept
    other = source_of(database(rows=spread(3, 3)))
    replica = written_at(other, f"{url}&schema=other", tmp_path)
    assert replica.manifest.rows == 3
    assert held(url) == in_log(source)


def test_a_manifest_that_cannot_be_read_is_built_again(kept, url):
    _, source, writer, clock = kept
    damaged = "manifest = '[]', version = version + 1, changed = version + 1"
    execute(url, f"UPDATE tracelib_replica.replicas SET {damaged}")
    reader = reader_of(url, source)
    assert reader.manifest() is None
    assert reader.sentence.startswith(errors.ReplicaDamaged.sentence)
    clock.now += 20
    writer.step()
    in_step(writer, clock)
    assert held(url) == in_log(source)


def test_another_shape_stays_until_no_one_has_written_it_for_a_day(kept, url):
    _, source, writer, clock = kept
    other = Tables(shape="0_old")
    mine = manifests.written(manifest_at(url, source))
    others = {
        "0_old": {},
        "1_paused": {"is_paused": True},
        "2_just_begun": {"as_of": 0},
        "3_of_another_log": {"manifest": manifests.written(Manifest("other"))},
    }
    with writer._storage._session.using() as connection:
        connection.execute(sa.schema.CreateTable(other.requests))
        connection.execute(sa.schema.CreateTable(other.names))
        for shape, changes in others.items():
            values = {"shape": shape, "version": 1, "changed": 1, "is_paused": False}
            row = values | {"as_of": clock.now, "manifest": mine} | changes
            connection.execute(sa.insert(other.replicas), row)
        connection.commit()
    shapes = "SELECT shape FROM tracelib_replica.replicas ORDER BY shape"
    left = sorted([*others, Tables().shape])
    for wait_s in (3_600, DAY_S):
        assert [one for (one,) in execute(url, shapes)] == left
        clock.now += wait_s
        in_step(writer, clock)
    assert [one for (one,) in execute(url, shapes)] == sorted({*left} - {"0_old"})
    assert execute(url, "SELECT to_regclass('tracelib_replica.requests_0_old')") == [(None,)]


def test_a_paused_writer_reads_nothing(kept, url, tmp_path):
    log, source, writer, clock = kept
    before = held(url)
    storage_at(url, tmp_path).set_paused(True)
    log.insert([rows.spend_log(startTime=rows.NOON)])
    clock.now += 20
    assert writer.step() == 10 and manifest_at(url, source).is_paused
    assert held(url) == before
    storage_at(url, tmp_path).set_paused(False)
    in_step(writer, clock)
    assert held(url) == in_log(source) and not manifest_at(url, source).is_paused


# Reading


def test_a_database_without_tables_has_no_replica_yet(url):
    reader = TableReader(read_address(url), 1, lambda: "x")
    assert (reader.manifest(), reader.replica(FULL, 5), reader.sentence) == (None, None, "")


def test_a_database_that_does_not_respond_is_a_sentence_and_not_asked_again_at_once():
    reader = TableReader(read_address("postgresql://ada@127.0.0.1:1/replica"), 1, lambda: "x")
    assert reader.manifest() is None
    assert reader.sentence.startswith(errors.ReplicaDatabaseUnusable.sentence)
    reader._manifest_engine = None  # a second attempt would fail
    assert reader.manifest() is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda source: overview.totals(source, FILTERS),
        lambda source: overview.over_time(source, FILTERS, fitting_bucket(FILTERS.window)),
        lambda source: models.usage_by_model(source, FILTERS),
        lambda source: models.deployments(source, FILTERS),
    ],
    ids=["totals", "over time", "models", "deployments"],
)
def test_percentiles_are_counted_which_citus_can_distribute(kept, url, ask):
    replica = reader_of(url, kept[1]).replica(FULL, 5)
    sent = []
    sa.event.listen(
        replica.engine, "before_cursor_execute", lambda *event: sent.append(event[2].lower())
    )
    ask(replica)
    assert any("equal_response_ms" in statement for statement in sent)
    assert not any("percentile_cont" in statement for statement in sent)


def test_a_query_that_fails_is_left_to_the_log(kept, url):
    replica = reader_of(url, kept[1]).replica(FULL, 5)
    execute(url, f"DROP TABLE tracelib_replica.names_{Tables().shape}")
    with pytest.raises(NotHeld):
        overview.cost_by_owner(replica, FILTERS)


def test_of_another_log_or_an_unknown_one_nothing_is_shown(kept, url):
    for identity, sentence in (("another", errors.ReplicaOfAnotherLog.sentence), (None, "")):
        reader = TableReader(read_address(url), 1, lambda identity=identity: identity)
        assert reader.replica(FULL, 5) is None
        assert reader.sentence.startswith(sentence) and bool(reader.sentence) == bool(sentence)


def test_while_the_manifest_is_read_no_one_waits_for_it(kept, url):
    reader = reader_of(url, kept[1])
    before = reader.manifest()
    with reader._lock:  # another thread, whose server does not respond
        reader._read_at = 0
        started = time.monotonic()
        assert reader.manifest() == before
        assert time.monotonic() - started < 1


def test_a_manifest_that_is_gone_is_no_longer_shown(kept, url):
    reader = reader_of(url, kept[1])
    assert reader.manifest() is not None
    execute(url, "DELETE FROM tracelib_replica.replicas")
    reader._read_at = 0
    assert reader.manifest() is None


def test_a_process_that_starts_without_the_log_remembers_which_it_was(kept, url, tmp_path):
    log, _, writer, _ = kept
    writer.close()
    settings = Settings(replica_folder=str(tmp_path), replica_database=read_address(url))
    place = Installation(settings, read_address(log.url), is_sample=False)
    keeper = replication.Keeper(place)
    assert keeper.identity() is None and keeper.reader.manifest() is None
    keeper._identify(source_of(log))
    later = replication.Keeper(place)
    assert later.reader.manifest().rows == 60


def test_an_installation_keeps_its_replica_in_that_database(kept, url, tmp_path):
    log, _, writer, _ = kept
    writer.close()
    settings = Settings(
        replica="on", replica_folder=str(tmp_path), replica_database=read_address(url)
    )
    place = Installation(settings, read_address(log.url), is_sample=False)
    keeper = replication._keeper(place)
    try:
        assert until(lambda: replication.state(place).manifest is not None)
        state = replication.state(place)
        assert (state.database, state.sentence) == (settings.replica_database.in_words(), "")
        found = replication.replica(place)
        assert overview.totals(found, FILTERS).requests == 1
        replication.set_paused(place, True)
        assert until(lambda: replication.state(place).manifest.is_paused)
    finally:
        keeper.stop.set()
        keeper.join()
        replication._keeper.cache_clear()


def until(is_true) -> bool:
    deadline = time.monotonic() + 30
    while not is_true() and time.monotonic() < deadline:
        time.sleep(0.1)
    return bool(is_true())

"""The sums next to the rows of a replica are those of the rows, and need not be there."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tests import replicating, rows
from tests.replicas import opened, seen
from tests.replicating import Clock, after_a_day, happen, in_step, spread, writer_of
from tests.sources import source_of
from tests.test_replica_reader import whole_log
from tracelib import ledgers
from tracelib.ledgers.subtotals import added_up
from tracelib.permissions.access import Access, Scope
from tracelib.replica import manifest as manifests
from tracelib.replica.dialect import compiled
from tracelib.replica.manifest import Manifest, Span
from tracelib.replica.settings import ReplicaSettings
from tracelib.spendlogs import sums
from tracelib.spendlogs.replicated import stored_table
from tracelib.window import TimeWindow

DAYS = (rows.NOON - timedelta(days=6)).date(), (rows.NOON + timedelta(days=2)).date()


def stored(folder: Path, span: Span, table: str) -> list[tuple]:
    with duckdb.connect(str(folder / span.file), read_only=True) as database:
        return database.execute(f"FROM {table} ORDER BY ALL").fetchall()


def of_rows(folder: Path, span: Span, table: str) -> list[tuple]:
    text, _ = compiled(sums.by_day(stored_table("requests"), sums.TABLES[table]))
    with duckdb.connect(str(folder / span.file), read_only=True) as database:
        return database.execute(f"SELECT * FROM ({text}) ORDER BY ALL").fetchall()


def assert_sums(folder: Path, found: Manifest) -> None:
    for span in found.spans:
        for table in span.sums or ():
            assert stored(folder, span, table) == of_rows(folder, span, table)


def test_they_follow_whatever_happens_to_the_log(database, tmp_path):
    chance = random.Random(7)
    log = database(rows=spread(900, 60))
    source, clock = source_of(log), Clock()
    writer = writer_of(source, tmp_path, clock)
    assert {span.sums for span in in_step(writer, clock).spans} == {tuple(sums.TABLES)}
    for _ in range(4):
        happen(log, chance, clock.now)
        clock.now += 3_600
        in_step(writer, clock)
    found = after_a_day(writer, clock)
    assert_sums(tmp_path, found)
    assert any(stored(tmp_path, span, "owner_sums") for span in found.spans)
    with opened(ReplicaSettings(tmp_path)) as files:
        replica = seen(files)
        assert whole_log(ledgers.logged(replica, *DAYS)) == whole_log(ledgers.logged(source, *DAYS))
        assert ledgers.log_cells(replica, *DAYS) == ledgers.log_cells(source, *DAYS)


def test_where_requests_hardly_add_up_they_are_left_out(database, tmp_path):
    made = [row | {"user": f"u{n}"} for n, row in enumerate(spread(60, 20))]
    source, clock = source_of(database(rows=made)), Clock()
    found = in_step(writer_of(source, tmp_path, clock), clock)
    assert {table for span in found.spans for table in span.sums or ()} == {"tag_sums"}
    with opened(ReplicaSettings(tmp_path)) as files:
        assert ledgers.log_cells(seen(files), *DAYS) == ledgers.log_cells(source, *DAYS)


@pytest.fixture
def older(database, tmp_path):
    """A log, and its replica that a version without sums wrote: source, writer, clock."""
    source, clock = source_of(database(rows=spread(300, 60))), Clock()
    writer = writer_of(source, tmp_path, clock)
    found = in_step(writer, clock)
    writer.close()
    for span in found.spans:
        with duckdb.connect(str(tmp_path / span.file)) as file:
            for table in sums.TABLES:
                file.execute(f"DROP TABLE {table}")
    spans = tuple(
        replace(span, sums=None, bytes=(tmp_path / span.file).stat().st_size)
        for span in found.spans
    )
    manifests.publish(tmp_path, replace(found, spans=spans))
    return source, writer, clock


def test_files_without_them_are_read_by_their_rows(older, tmp_path):
    source, _, _ = older
    with opened(ReplicaSettings(tmp_path)) as files:
        replica = seen(files)
        assert whole_log(ledgers.logged(replica, *DAYS)) == whole_log(ledgers.logged(source, *DAYS))


def test_files_without_them_are_written_again(older, tmp_path):
    source, writer, clock = older
    before = replicating.held(tmp_path)
    found = in_step(writer, clock)
    assert {span.sums for span in found.spans} == {tuple(sums.TABLES)}
    assert_sums(tmp_path, found)
    assert replicating.held(tmp_path) == before == replicating.in_log(source)


def test_a_manifest_of_a_version_without_them_is_read(database, tmp_path):
    source, clock = source_of(database(rows=spread(30, 3))), Clock()
    found = in_step(writer_of(source, tmp_path, clock), clock)
    text = manifests.written(found).replace(b'"sums":', b'"unknown":')
    assert {span.sums for span in manifests.parsed(text).spans} == {None}


def test_a_part_of_a_day_is_of_its_rows(database, tmp_path):
    source, clock = source_of(database(rows=spread(300, 60))), Clock()
    in_step(writer_of(source, tmp_path, clock), clock)
    start = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)
    window = TimeWindow(start, start + timedelta(days=1))
    with opened(ReplicaSettings(tmp_path)) as files:
        for columns in (("user",), ("key_group",), ("model", "team")):
            found, expected = (
                sorted(map(tuple, one.rows(one.sums_by_day(window, columns).select())))
                for one in (seen(files), source)
            )
            assert found == expected != []


def test_a_reader_of_a_part_sees_no_sum_of_others(database, tmp_path):
    made = [row | {"team_id": f"t{n % 2}"} for n, row in enumerate(spread(200, 20))]
    source, clock = source_of(database(rows=made)), Clock()
    in_step(writer_of(source, tmp_path, clock), clock)
    access = Access(Scope(teams=("t1",)), "viewer")
    with opened(ReplicaSettings(tmp_path)) as files:
        for one in (seen(files, access), source.seen_by(access)):
            log = ledgers.log_cells(one, *DAYS)
            assert [row.team for row in log.rows] == ["t1", "t1"]
            assert sum(row.sums.requests for row in log.rows) == 100
            by_team = added_up("owner", "team", ledgers.logged(one, *DAYS).subtotals, {})
            assert {team: sums.requests for team, sums in by_team.items()} == {"t1": 100}

"""The replica's writer: what it holds is what the log has, whatever happens."""

import json
import math
import os
import random
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy.dialects.postgresql.base import PGDialect

from tests import litellm, replicating, rows
from tests.replicating import (
    CHANGES,
    HOUR,
    LOG,
    Clock,
    after_a_day,
    happen,
    held,
    in_log,
    in_step,
    named,
    spread,
    writer_of,
    writing,
)
from tests.sources import source_of
from tracelib import errors
from tracelib.replica import layout, manifest, spans
from tracelib.replica.folder import Folder
from tracelib.replica.host import Host
from tracelib.replica.settings import ReplicaSettings
from tracelib.replica.writer import Writer
from tracelib.spendlogs import copying
from tracelib.spendlogs.types import BETWEEN

DAY = timedelta(days=1)
KILLS = int(os.environ.get("TRACELIB_KILLS", "20"))


# Filling


@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_true_rows_are_held_as_the_log_has_them(database, version, tmp_path):
    source = source_of(database(version, rows.real_rows()))
    clock = Clock()
    found = in_step(writer_of(source, tmp_path, clock), clock)
    assert held(tmp_path) == in_log(source) != []
    assert found.complete_from is None and found.spans[-1].end is None
    assert found.as_of >= clock.now - 20


def test_a_partitioned_log_is_held_as_well(database, tmp_path):
    source = source_of(database(rows=spread(30, 60), partitioned=True))
    clock = Clock()
    in_step(writer_of(source, tmp_path, clock), clock)
    assert held(tmp_path) == in_log(source)


def test_an_empty_log_is_all_held(database, tmp_path):
    source = source_of(database())
    clock = Clock()
    found = in_step(writer_of(source, tmp_path, clock), clock)
    assert [(span.start, span.end, span.rows) for span in found.spans] == [(None, None, 0)]
    assert found.complete_from is None and held(tmp_path) == []


def test_the_newest_hours_are_held_first(database, tmp_path):
    source = source_of(database(rows=spread(96, 96)))
    clock = Clock()
    writer = writer_of(source, tmp_path, clock)
    starts = []
    while not starts or starts[-1] is not None:
        clock.now += writer.step()
        found = manifest.read(tmp_path)
        starts.append(found.complete_from)
        spanned = [span.start for span in found.spans]
        assert spanned[1:] == [span.end for span in found.spans[:-1]]
        assert spanned[0] == found.complete_from
    now = replicating.hour_of(rows.NOON)
    assert starts[0] == now - layout.OPEN_HOURS
    assert starts[:-1] == sorted(starts[:-1], reverse=True)
    assert min(starts[:-1]) <= now - 95


def test_a_day_is_one_file_once_it_is_whole(database, tmp_path):
    source = source_of(database(rows=spread(200, 100)))
    clock = Clock()
    found = in_step(writer_of(source, tmp_path, clock), clock)
    days = [span.start and span.start // 24 for span in found.spans[:-1]]
    assert len(set(days)) == len(days) == 5
    assert held(tmp_path) == in_log(source)


def test_a_log_with_gaps_of_years_is_filled_in_few_steps(database, tmp_path):
    early = [rows.spend_log(startTime=rows.NOON - 365 * DAY * years) for years in (1, 5, 20)]
    source = source_of(database(rows=early))
    clock = Clock()
    in_step(writer_of(source, tmp_path, clock), clock, most=20)
    assert held(tmp_path) == in_log(source)


ODD_TIMES = ("-infinity", "infinity", "0044-03-15 BC", "20000-01-01", "1999-12-31", "2200-01-01")


@pytest.mark.parametrize("version", ["2025-03-26", "latest"])
def test_absurd_times_are_held_at_the_edges(database, version, tmp_path):
    logs = database(version, spread(6, 6))
    for number, moment in enumerate(ODD_TIMES):
        logs.insert([rows.spend_log(request_id=f"odd-{number}")])
        for column in ("startTime", "endTime"):
            logs.execute(
                f"UPDATE {LOG} SET \"{column}\" = '{moment}' WHERE request_id = 'odd-{number}'"
            )
    source = source_of(logs)
    clock = Clock()
    writer = writer_of(source, tmp_path, clock)
    in_step(writer, clock)
    assert held(tmp_path) == in_log(source)
    logs.execute(f"UPDATE {LOG} SET model = 'changed', model_group = 'changed'")
    after_a_day(writer, clock)
    assert held(tmp_path) == in_log(source)


def test_odd_values_are_held_as_they_are(database, tmp_path):
    texts = ['a,b"c\n\r\nd\\.', "'", "\\N", "\\.", " ", "\t", "NULL", "ß漢🙂", "", None]
    odd = [
        rows.spend_log(user=text, end_user=text, team_id=text, session_id=text, api_base=text)
        for text in texts
    ]
    odd += [rows.spend_log(spend=spend) for spend in (math.nan, math.inf, -1e-12, 1e15, 1e300)]
    odd += [rows.spend_log(api_base="x" * 2_000_000), rows.spend_log(api_base='"\n' * 1_000_000)]
    odd += [rows.failure(error_message=text or "x", error_code=text or "") for text in texts]
    odd += [rows.spend_log(request_tags=["b", "a", f"c{BETWEEN}", "", "User-Agent: x", 5, None])]
    odd += [rows.spend_log(request_tags=tags) for tags in ([], ["User-Agent: x"], {}, '"x"', [{}])]
    source = source_of(database(rows=odd))
    clock = Clock()
    in_step(writer_of(source, tmp_path, clock), clock)
    assert held(tmp_path) == in_log(source)


def test_a_line_longer_than_expected_is_read_all_the_same(database, tmp_path, monkeypatch):
    monkeypatch.setattr(spans, "LONGEST_LINE", 1_000)
    source = source_of(database(rows=[*spread(5, 1), rows.spend_log(api_base="x" * 3_000_000)]))
    clock = Clock()
    in_step(writer_of(source, tmp_path, clock), clock)
    assert held(tmp_path) == in_log(source)


def test_a_copy_that_is_too_slow_is_halved(database, tmp_path):
    logs = database(rows=spread(300, 20))
    source = replace(source_of(logs), statement_timeout_s=0.1)
    host = Host(source, tmp_path)
    start, end = replicating.hour_of(rows.NOON) - 20, replicating.hour_of(rows.NOON) + 1
    # A delay on each row that a smaller statement has less of.
    logs.execute(
        "CREATE SCHEMA slow",
        f"CREATE TABLE slow.rows AS SELECT * FROM {LOG}",
        'CREATE INDEX ON slow.rows ("startTime")',
        "ALTER TABLE slow.rows RENAME api_base TO base",
        f"DROP TABLE {LOG}",
        f"CREATE VIEW {LOG} AS SELECT *, base || pg_sleep(0.0001)::text AS api_base FROM slow.rows",
    )
    copied = host.copy([(start, end)])
    assert len(copied) > 1 and sum(one.rows for one in copied) == 300


# In step


@pytest.fixture
def kept(database, tmp_path):
    """A log of three days, a writer that is in step with it, and its clock."""
    logs = database(rows=spread(300, 72))
    source, clock = source_of(logs), Clock()
    writer = writer_of(source, tmp_path, clock)
    in_step(writer, clock)
    yield logs, source, writer, clock
    writer.close()


def test_a_new_row_is_held_at_the_next_tick(kept, tmp_path):
    logs, source, writer, clock = kept
    logs.insert([rows.spend_log(startTime=rows.NOON + HOUR / 2)])
    began = clock.now
    found = in_step(writer, clock)
    assert held(tmp_path) == in_log(source)
    assert found.as_of >= began


def test_a_tick_reads_only_hours_that_differ(kept, tmp_path):
    logs, _, writer, clock = kept
    before = manifest.read(tmp_path)
    logs.insert([rows.spend_log(startTime=rows.NOON + HOUR / 2)])
    after = in_step(writer, clock)
    assert before.spans[:-1] == after.spans[:-1]
    changed = layout.differing(
        before.spans[-1].hours, {h: (o.rows, o.hashes) for h, o in after.spans[-1].hours.items()}
    )
    assert changed == {replicating.hour_of(rows.NOON)}


def test_a_late_row_of_yesterday_is_held_ten_minutes_later(kept, tmp_path):
    logs, source, writer, clock = kept
    logs.insert([rows.spend_log(startTime=rows.NOON - 30 * HOUR)])
    in_step(writer, clock)
    assert held(tmp_path) != in_log(source)
    clock.now += 600
    in_step(writer, clock)
    assert held(tmp_path) == in_log(source)


@pytest.mark.parametrize("change", CHANGES)
def test_rows_that_change_later_are_held_after_a_day(kept, tmp_path, change):
    logs, source, writer, clock = kept
    logs.execute(CHANGES[change])
    after_a_day(writer, clock)
    assert held(tmp_path) == in_log(source)


def test_an_hour_is_read_again_an_hour_after_it_closed(kept, tmp_path):
    logs, source, writer, clock = kept
    logs.execute(
        f"UPDATE {LOG} SET spend = 5 WHERE \"startTime\" >= '{rows.NOON - HOUR:%Y-%m-%d %H:%M}'"
    )
    in_step(writer, clock)
    assert held(tmp_path) != in_log(source)
    clock.now += 5_400
    in_step(writer, clock)
    assert held(tmp_path) == in_log(source)


def test_hours_move_to_the_file_of_their_day(kept, tmp_path):
    logs, source, writer, clock = kept
    for _ in range(14):
        clock.now += 3_600
        logs.insert(
            [rows.spend_log(startTime=datetime.fromtimestamp(clock.now - 60, rows.NOON.tzinfo))]
        )
        found = in_step(writer, clock)
        assert found.spans[-1].start >= layout.open_start(clock.now)
        assert held(tmp_path) == in_log(source)
    assert len(found.spans) <= 6 + layout.MOST_PARTS


def test_after_days_without_a_writer_all_is_held_before_it_says_so(kept, tmp_path):
    logs, source, writer, clock = kept
    old = manifest.read(tmp_path)
    logs.insert([rows.spend_log(startTime=rows.NOON + HOUR * number) for number in range(1, 80)])
    clock.now += 80 * 3_600
    while manifest.read(tmp_path).as_of == old.as_of:
        clock.now += writer.step()
    assert held(tmp_path) == in_log(source)


def test_what_the_log_no_longer_has_is_dropped(kept, tmp_path):
    logs, source, writer, clock = kept
    logs.execute(
        f"DELETE FROM {LOG} WHERE \"startTime\" < '{rows.NOON - 30 * HOUR:%Y-%m-%d %H:%M}'"
    )
    clock.now += 600
    in_step(writer, clock)
    assert held(tmp_path) == in_log(source)


def test_history_outlives_retention_if_told_so(database, tmp_path):
    logs = database(rows=spread(300, 72))
    source, clock = source_of(logs), Clock()
    writer = writer_of(source, tmp_path, clock, keeps_history=True)
    in_step(writer, clock)
    before = held(tmp_path)
    logs.execute(
        f"DELETE FROM {LOG} WHERE \"startTime\" < '{rows.NOON - 30.5 * HOUR:%Y-%m-%d %H:%M}'"
    )
    logs.execute(f"DELETE FROM {LOG} WHERE \"startTime\" > '{rows.NOON - HOUR:%Y-%m-%d %H:%M}'")
    found = after_a_day(writer, clock)
    recent = set(in_log(source))
    deleted = set(before) - recent
    assert set(held(tmp_path)) > recent and len(deleted - set(held(tmp_path))) == 5
    assert found.kept_before == replicating.hour_of(rows.NOON - 30.5 * HOUR) + 1


# Names


def test_names_are_those_of_the_tables_then_of_the_rows(database, tmp_path):
    other = rows.key_of("other")
    about = rows.metadata(user_api_key_alias="row's", user_api_key_team_alias="row's team")
    newer = rows.metadata(user_api_key_alias="newer")
    logs = database(
        rows=[
            rows.spend_log(metadata=about, team_id="t-2", startTime=rows.NOON - HOUR),
            rows.spend_log(api_key=other, metadata=about, startTime=rows.NOON - 30 * HOUR),
            rows.spend_log(api_key=other, metadata=newer, startTime=rows.NOON - HOUR),
        ]
    )
    rows.name_deleted_key(logs.engine, rows.KEY, "deleted")
    rows.name_user(logs.engine, "user-1", None, "a@example.com")
    source, clock = source_of(logs), Clock()
    writer = writer_of(source, tmp_path, clock)
    in_step(writer, clock)
    clock.now += 60
    in_step(writer, clock)
    assert named(tmp_path) == {
        ("key", rows.KEY): ("deleted", "deleted"),
        ("key", other): ("newer", None),
        ("team", "t-2"): ("row's team", None),
        ("team", "team-1"): ("row's team", None),
        ("user", "user-1"): ("a@example.com", "a@example.com"),
    }
    rows.name_key(logs.engine, rows.KEY, "alive")
    clock.now += 300
    in_step(writer, clock)
    assert named(tmp_path)["key", rows.KEY] == ("alive", f"deleted{BETWEEN}alive")


def test_a_file_of_names_is_written_only_if_they_changed(kept, tmp_path):
    _, _, writer, clock = kept
    before = manifest.read(tmp_path).names_file
    clock.now += 900
    assert in_step(writer, clock).names_file == before


def test_a_model_keeps_its_place(database, tmp_path):
    of_models = [("often", 3), ("seldom", 1), ("also", 1)]
    log = database(
        rows=[
            rows.spend_log(model_group=name, startTime=rows.NOON - HOUR)
            for name, times in of_models
            for _ in range(times)
        ]
    )
    source, clock = source_of(log), Clock()
    writer = writer_of(source, tmp_path, clock)
    in_step(writer, clock)
    clock.now += 400
    assert in_step(writer, clock).models == ("often", "also", "seldom")
    log.execute(f"DELETE FROM {LOG} WHERE model_group = 'often'")
    log.insert(rows.spend_log(model_group="new", startTime=rows.NOON) for _ in range(9))
    clock.now += 700
    in_step(writer, clock)
    clock.now += 400
    assert in_step(writer, clock).models == ("often", "also", "seldom", "new")


# Two writers, and one that is killed


def test_of_two_writers_only_one_writes(kept, tmp_path):
    logs, source, writer, clock = kept
    other = writer_of(source, tmp_path, clock)
    before = manifest.read(tmp_path)
    logs.insert([rows.spend_log(startTime=rows.NOON)])
    assert other.step() == 10 and manifest.read(tmp_path) == before
    writer.close()
    in_step(other, clock)
    assert held(tmp_path) == in_log(source)
    assert writer.step() == 10
    other.close()


def test_killed_at_any_moment_it_loses_and_doubles_nothing(database, tmp_path):
    """Two processes write, and are killed together again and again while the log changes."""
    chance = random.Random(6)
    logs = database(rows=spread(400, 72))
    source = source_of(logs)
    now = replicating.CONTEXT.Value("d", replicating.NOW)
    for _ in range(KILLS):
        with writing(logs.url, tmp_path, now, 2) as processes:
            happen(logs, chance, now.value)
            time.sleep(chance.uniform(0.05, 0.5))
            if chance.random() < 0.5:
                processes[0].kill()
                time.sleep(chance.uniform(0, 0.2))
        if (found := manifest.read(tmp_path)) is not None:
            held(tmp_path, found)
        now.value += chance.choice([1, 20, 700, 4_000])
    clock = Clock(now.value)
    writer = writer_of(source, tmp_path, clock, duty=1)
    in_step(writer, clock)
    after_a_day(writer, clock)
    assert held(tmp_path) == in_log(source)
    writer.close()


def test_a_stopped_database_is_a_sentence_and_then_forgotten(spare_server, tmp_path):
    from tests.database import Database

    logs = Database(spare_server)
    logs.insert(spread(20, 30))
    source, clock = source_of(logs), Clock()
    writer = writer_of(source, tmp_path, clock)
    in_step(writer, clock)
    logs.engine.dispose()
    spare_server.stop("immediate")
    waits = [writer.step() for _ in range(3)]
    assert waits == [10, 20, 40]
    found = manifest.read(tmp_path)
    assert found.sentence.startswith("The database is not responding.") and found.rows == 20
    spare_server.start()
    logs.insert(spread(5, 1))
    in_step(writer, clock)
    assert held(tmp_path) == in_log(source)
    assert manifest.read(tmp_path).sentence == ""
    writer.close()


def test_a_defect_is_a_sentence_and_another_attempt(kept, tmp_path):
    _, source, _, clock = kept
    answers = [ValueError("boom"), source]

    def opened():
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    writer = Writer(opened, Folder(ReplicaSettings(tmp_path / "other")), clock)
    assert writer.step() == 10 and "boom" in writer.sentence
    assert manifest.read(tmp_path / "other").sentence == writer.sentence
    in_step(writer, clock)
    assert held(tmp_path / "other") == in_log(source)


# A folder that is not as it should be


def test_temporary_files_and_old_ones_are_removed(kept, tmp_path):
    _, _, writer, clock = kept
    writer.close()
    (tmp_path / "span-1-x.duckdb.tmp").write_text("half")
    (tmp_path / "spilled.tmp").mkdir(exist_ok=True)
    (tmp_path / "span-1-orphan.duckdb").write_text("old")
    in_step(writer, clock)
    assert not list(tmp_path.glob("*.tmp*"))
    clock.now += 70
    in_step(writer, clock)
    clock.now += 70
    found = in_step(writer, clock)
    assert {path.name for path in tmp_path.iterdir()} - found.files == {
        "manifest.json",
        "replica.lock",
    }


DAMAGES = {
    "no JSON": b"{",
    "no object": b"[1]",
    "empty": b"",
    "without spans": b'{"format": 1}',
    "wrong types": b'{"format": 1, "identity": "x", "spans": 5}',
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_manifest_is_an_error_and_is_built_again(kept, tmp_path, damage):
    _, source, writer, clock = kept
    writer.close()
    (tmp_path / manifest.NAME).write_bytes(DAMAGES[damage])
    with pytest.raises(errors.ReplicaDamaged):
        manifest.read(tmp_path)
    in_step(writer, clock)
    assert held(tmp_path) == in_log(source)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("length", [0, 5_000, 200_000])
def test_a_truncated_file_is_read_again(kept, tmp_path, last, length):
    _, source, writer, clock = kept
    file = manifest.read(tmp_path).spans[-1 if last else 1].file
    writer.close()
    os.truncate(tmp_path / file, length)
    in_step(writer, clock)
    assert held(tmp_path) == in_log(source)


def test_a_file_with_a_changed_block_is_read_again(kept, tmp_path):
    logs, source, writer, clock = kept
    span = manifest.read(tmp_path).spans[-2]
    data = bytearray((tmp_path / span.file).read_bytes())
    for place in range(12_400, len(data), 4_000):
        data[place] ^= 255
    (tmp_path / span.file).write_bytes(data)
    hour = min(span.hours)
    logs.insert([rows.spend_log(startTime=layout.EPOCH + layout.HOUR * hour)])
    clock.now += 600
    for _ in range(10):
        clock.now += writer.step()
    in_step(writer, clock)
    assert held(tmp_path) == in_log(source)


def test_a_missing_manifest_is_none(tmp_path):
    assert manifest.read(tmp_path) is None
    assert manifest.read(tmp_path / "nowhere") is None


def test_a_newer_manifest_is_left_alone(kept, tmp_path):
    _, _, writer, _ = kept
    writer.close()
    path = tmp_path / manifest.NAME
    newer = json.loads(path.read_text()) | {"format": manifest.FORMAT + 1}
    path.write_text(json.dumps(newer))
    with pytest.raises(errors.ReplicaOfNewerVersion):
        manifest.read(tmp_path)
    assert writer.step() == 10
    assert writer.sentence.startswith("The replica was written by a newer version")
    assert json.loads(path.read_text()) == newer


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_folder_of_another_user_is_left_alone(kept, tmp_path):
    _, _, writer, _ = kept
    writer.close()
    os.chown(tmp_path / manifest.NAME, 65_534, 65_534)
    with pytest.raises(errors.ReplicaOfAnotherUser):
        manifest.read(tmp_path)
    before = (tmp_path / manifest.NAME).read_bytes()
    writer.step()
    assert writer.sentence.startswith("The replica folder belongs to another user")
    assert (tmp_path / manifest.NAME).read_bytes() == before


def test_a_folder_of_another_database_is_written_anew(kept, database, tmp_path):
    _, _, writer, clock = kept
    writer.close()
    other = source_of(database(rows=spread(7, 3)))
    in_step(writer_of(other, tmp_path, clock), clock)
    assert held(tmp_path) == in_log(other)


@pytest.mark.parametrize("difference", [{"columns": "before"}, {"format": manifest.FORMAT - 1}])
def test_of_another_shape_the_old_one_stays_until_the_new_one_holds_as_much(
    kept, tmp_path, difference
):
    _, source, writer, clock = kept
    writer.close()
    old = replace(manifest.read(tmp_path), **difference)
    manifest.publish(tmp_path, old)
    with pytest.raises(errors.ReplicaOfOlderVersion):
        manifest.read(tmp_path)
    writer.step()
    assert not manifest.read_any(tmp_path).is_of_this_shape
    assert old.files <= {path.name for path in tmp_path.iterdir()}
    in_step_of_any(writer, clock)
    assert held(tmp_path) == in_log(source)
    assert old.files.isdisjoint(manifest.read(tmp_path).files)
    assert not (tmp_path / manifest.NEXT_NAME).exists()


def in_step_of_any(writer, clock) -> None:
    while (wait_s := writer.step()) < 5:
        clock.now += wait_s


FULL = """
    import resource, signal, sys
    from pathlib import Path
    from tests.replicating import Clock, writer_of
    from tests.sources import source_of
    from tracelib.database_url import read_address
    from tracelib.settings import Settings
    from tracelib.source import connect

    source = connect(Settings(), read_address(sys.argv[1]))
    writer = writer_of(source, Path(sys.argv[2]), Clock(float(sys.argv[3])))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
    for _ in range(6):
        writer.step()
        print(writer.sentence)
"""


@pytest.mark.parametrize("room", [1_000, 100_000, 400_000])
def test_a_full_disk_is_a_sentence_and_harms_nothing(kept, tmp_path, room):
    logs, source, writer, clock = kept
    writer.close()
    before = held(tmp_path)
    names = {f"x{number}" * 100 for number in range(4_000)}
    logs.insert([rows.spend_log(startTime=rows.NOON, end_user=name) for name in sorted(names)])
    command = [sys.executable, "-c", textwrap.dedent(FULL), logs.url, str(tmp_path), str(clock.now)]
    done = subprocess.run([*command, str(room)], capture_output=True, text=True, timeout=60)
    assert "The replica folder cannot be written to." in done.stdout, done.stderr
    assert held(tmp_path) == before
    assert not list(tmp_path.glob("*.duckdb.tmp*"))
    in_step(writer, clock)
    assert held(tmp_path) == in_log(source)


def test_the_limit_of_the_disk_is_kept(database, tmp_path):
    texts = [os.urandom(2_000).hex() for _ in range(2_000)]
    logs = database(
        rows=[
            rows.spend_log(startTime=rows.NOON - HOUR * n / 20, api_base=text)
            for n, text in enumerate(texts)
        ]
    )
    source, clock = source_of(logs), Clock()
    found = in_step(writer_of(source, tmp_path, clock, disk_mb=5), clock)
    assert found.is_disk_full and 0 < found.bytes <= 5 * 1024**2
    assert found.complete_from == found.spans[0].start > replicating.hour_of(rows.NOON) - 100
    known = held(tmp_path)
    assert known and set(known) < set(in_log(source))


def test_a_paused_writer_reads_nothing(kept, tmp_path):
    logs, source, writer, clock = kept
    before = held(tmp_path)
    (tmp_path / "paused").touch()
    logs.insert([rows.spend_log(startTime=rows.NOON)])
    clock.now += 20
    assert writer.step() == 10
    assert manifest.read(tmp_path).is_paused and held(tmp_path) == before
    (tmp_path / "paused").unlink()
    in_step(writer, clock)
    assert not manifest.read(tmp_path).is_paused
    assert held(tmp_path) == in_log(source)


def test_a_role_without_rights_to_the_server_has_an_identity_too(database, role, tmp_path):
    logs = database(rows=spread(3, 1))
    url = role(logs, "plain_reader", [f"SELECT ON {LOG}"])
    logs.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    clock = Clock()
    source = source_of(logs, url)
    found = in_step(writer_of(source, tmp_path, clock), clock)
    assert str(logs.server.data) in found.identity
    assert held(tmp_path) == in_log(source)


def test_no_statement_writes_a_file_that_stays(kept, tmp_path):
    assert not list(tmp_path.glob("rows-*"))


def test_settings_of_duckdb_hold(tmp_path):
    settings = ReplicaSettings(tmp_path, memory_mb=900)
    with spans._database(settings) as database:
        asked = "SELECT current_setting('memory_limit'), current_setting('threads')"
        assert database.execute(asked).fetchall() == [("286.1 MiB", 2)]


@pytest.mark.parametrize(
    ("version", "function"),
    [((13, 21), "hashtextextended"), ((14, 0), "hash_record_extended")],
)
def test_a_row_is_hashed_as_the_server_can(kept, version, function):
    _, source, _, _ = kept
    dialect = PGDialect()
    dialect.server_version_info = version
    statement = copying.counts_by_hour(source.schema, None, None, hashed=True)
    text = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    assert f"sum({function}(" in text
    hours = execute_plainly(source, text)
    assert {one.hour for one in hours} == {one.hour for one in source.rows(statement)}
    assert all(one.hashes is not None for one in hours)


def execute_plainly(source, text: str) -> list:
    with source.engine.connect() as connection:
        return list(connection.exec_driver_sql(text.replace("%", "%%")))

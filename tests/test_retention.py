"""How far back the log reaches, how fast it grows, and whether rows are deleted from it."""

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.rows import spend_log
from tests.sources import source_of
from tracelib import errors, status
from tracelib.database_url import read_address
from tracelib.permissions.access import Access, Scope
from tracelib.querying.installation import Installation
from tracelib.querying.query import Query
from tracelib.querying.runner import run_together
from tracelib.settings import Settings
from tracelib.status import Retention
from tracelib.status.retention import MOST_ROWS

LOG = '"LiteLLM_SpendLogs"'
DAY = timedelta(days=1)
NOW = datetime.now(UTC)
KEPT = Retention(
    oldest_at=NOW - 10 * DAY,
    newest_at=NOW,
    at=NOW,
    rows=1_000,
    bytes=10_000,
    rows_a_day=100.0,
    deleted_rows=0,
    counted_since=None,
    first_booked=None,
)


def rows_of(days: int, a_day: int = 4) -> list[dict]:
    """So many rows a day, up to now."""
    step = DAY / a_day
    return [spend_log(startTime=NOW - step * number) for number in range(1, days * a_day + 1)]


def deleted(made, condition: str) -> None:
    """Delete these rows, and wait until PostgreSQL has counted them."""
    made.execute(f"DELETE FROM {LOG} WHERE {condition}")
    for _ in range(100):
        [(count,)] = made.execute(
            "SELECT sum(n_tup_del) FROM pg_stat_all_tables WHERE relname LIKE 'LiteLLM_SpendLogs%'"
        )
        if count:
            return
        time.sleep(0.1)
    raise AssertionError("PostgreSQL has not counted the deleted rows.")


def booked(made, day: str) -> None:
    made.execute(
        'INSERT INTO "LiteLLM_DailyUserSpend" (id, user_id, date, api_key, model, updated_at)'
        f" VALUES ('1', 'u', '{day}', 'k', 'm', now())"
    )


@pytest.mark.parametrize("partitioned", [False, True])
def test_a_log_that_only_grows_is_told_its_size_to_come(database, partitioned):
    found = status.retention(source_of(database(rows=rows_of(10), partitioned=partitioned)), NOW)
    assert abs(found.oldest_at - (NOW - 10 * DAY)) < timedelta(milliseconds=1)
    assert (found.rows, found.deleted_rows, found.first_booked) == (40, 0, None)
    assert found.rows_a_day == pytest.approx(4, abs=0.2)
    assert found.bytes_a_day == pytest.approx(found.bytes / 10, rel=0.05)
    assert found.bytes_in(30) == pytest.approx(found.bytes + 30 * found.bytes_a_day)
    assert (found.kept_days, found.gone_at) == (None, None)


@pytest.mark.parametrize("partitioned", [False, True])
def test_rows_that_disappear_make_the_horizon(database, partitioned):
    made = database(rows=rows_of(12), partitioned=partitioned)
    deleted(made, "\"startTime\" < timezone('UTC', now()) - interval '5 days 1 hour'")
    booked(made, f"{NOW - 12 * DAY:%Y-%m-%d}")
    found = status.retention(source_of(made), NOW)
    assert (found.deleted_rows, found.first_booked) == (28, (NOW - 12 * DAY).date())
    assert found.kept_days == 5
    assert abs(found.gone_at - (found.at + 5 * DAY)) < timedelta(seconds=1)
    assert found.bytes_in(30) is None


def test_one_deleted_row_is_no_retention(database):
    made = database(rows=rows_of(5))
    deleted(made, f"request_id IN (SELECT min(request_id) FROM {LOG})")
    found = status.retention(source_of(made), NOW)
    assert (found.deleted_rows, found.is_deleting) == (1, False)


def test_where_totals_begin_with_the_log_nothing_was_deleted(database):
    made = database(rows=rows_of(8))
    booked(made, f"{NOW - 4 * DAY:%Y-%m-%d}")
    deleted(made, "\"startTime\" < timezone('UTC', now()) - interval '4 days'")
    assert status.retention(source_of(made), NOW).kept_days is None


@pytest.mark.parametrize("day", ["yesterday", "", "2026-13-45"])
def test_a_day_that_is_none_is_unknown(database, day):
    made = database(rows=rows_of(2))
    booked(made, day)
    assert status.retention(source_of(made), NOW).first_booked is None


def test_an_empty_log_has_no_horizon(empty_database):
    found = status.retention(source_of(empty_database), NOW)
    assert (found.oldest_at, found.rows, found.rows_a_day, found.bytes_a_day) == (
        None,
        0,
        None,
        None,
    )
    assert (found.kept_days, found.bytes_in(30), found.is_deleting) == (None, None, False)


@pytest.mark.parametrize("start", [NOW - timedelta(hours=1), NOW + DAY])
def test_of_an_hour_or_of_the_future_the_growth_is_unknown(database, start):
    found = status.retention(source_of(database(rows=[spend_log(startTime=start)])), NOW)
    assert (found.rows, found.rows_a_day, found.bytes_in(90)) == (1, None, None)


def test_a_log_that_has_stopped_does_not_grow(database):
    found = status.retention(source_of(database(rows=[spend_log(startTime=NOW - 30 * DAY)])), NOW)
    assert (found.rows_a_day, found.bytes_in(30)) == (0.0, found.bytes)


def test_an_old_version_and_a_narrow_role_have_it_too(database, role):
    made = database("2025-03-26", rows=rows_of(2))
    url = role(made, "narrow", [f"SELECT ON {LOG}"])
    found = status.retention(source_of(made, url), NOW)
    assert (found.rows, found.first_booked) == (8, None)


def test_the_words_of_a_horizon():
    assert replace(KEPT, deleted_rows=100).kept_days == 10
    assert replace(KEPT, deleted_rows=99).kept_days is None
    assert replace(KEPT, deleted_rows=100, rows_a_day=None).kept_days is None
    booked = date.fromordinal((NOW - 10 * DAY).date().toordinal())
    assert replace(KEPT, deleted_rows=500, first_booked=booked).kept_days is None
    assert replace(KEPT, oldest_at=NOW - timedelta(hours=3), deleted_rows=500).kept_days is None
    assert KEPT.bytes_in(30) == 10_000 + 30 * 1_000
    assert replace(KEPT, rows=None).bytes_in(30) is None
    assert MOST_ROWS >= 100_000


def test_it_is_refused_to_those_who_see_a_part(database, fresh_caches):
    made = database(rows=rows_of(1))
    place = Installation(Settings(), read_address(made.url), is_sample=False)
    for access, is_refused in (
        (Access(Scope(teams=("team-1",)), "admin"), True),
        (Access(Scope(is_all=True), "viewer"), False),
    ):
        (result,) = run_together(
            replace(place, access=access), NOW, [Query(status.retention, (NOW,))]
        )
        assert isinstance(result.error, errors.NotForThisRole) is is_refused

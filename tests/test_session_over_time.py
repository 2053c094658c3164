"""The strip above the list: how many sessions are found, and when they were last active."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.rows import NOON, failure, spend_log
from tests.sources import FILTERS, HOUR, WINDOW, records, source_of
from tracelib import sessions
from tracelib.filters import Filters
from tracelib.sessions import SessionSearch
from tracelib.window import BUCKETS, bucket_starts, days

ALL = SessionSearch()
MINUTE = timedelta(minutes=1)
QUARTER = BUCKETS["15m"]


def strip(source, search=ALL, filters=FILTERS, bucket=QUARTER) -> list[tuple]:
    frame = sessions.sessions_over_time(source, filters, search, bucket)
    assert list(frame.columns) == ["bucket", "sessions", "with_failures"]
    return [tuple(row.values()) for row in records(frame)]


def test_a_session_counts_once_where_its_newest_request_in_the_window_lies(database):
    made = database(
        rows=[
            spend_log(session_id="a"),
            spend_log(session_id="a", startTime=NOON + 16 * MINUTE),
            spend_log(session_id="a", startTime=NOON + HOUR),
            failure(session_id="b", startTime=NOON + 1 * MINUTE),
            spend_log(session_id="b", startTime=NOON + 59 * MINUTE),
            spend_log(session_id="before", startTime=NOON - MINUTE),
        ]
    )
    assert strip(source_of(made)) == [
        (NOON, 0, 0),
        (NOON + 15 * MINUTE, 1, 0),
        (NOON + 30 * MINUTE, 0, 0),
        (NOON + 45 * MINUTE, 1, 1),
    ]


def test_no_sessions_are_none_in_every_bucket(empty_database):
    starts = bucket_starts(WINDOW, QUARTER, "UTC")
    assert strip(source_of(empty_database)) == [(start, 0, 0) for start in starts]


def test_only_sessions_that_are_found_count_and_they_add_up_to_the_count(database):
    made = [spend_log(session_id=f"s{n % 5}", startTime=NOON + n * MINUTE) for n in range(13)]
    source = source_of(database(rows=made))
    for search in (ALL, SessionSearch(min_requests=3), SessionSearch(text="nobody")):
        counted = sum(row[1] for row in strip(source, search))
        assert counted == sessions.session_counts(source, FILTERS, search)


def test_filters_narrow_the_strip(database):
    made = database(rows=[spend_log(), spend_log(model_group="claude")])
    rows = strip(source_of(made), filters=replace(FILTERS, model=("claude",)))
    assert [row[1] for row in rows] == [1, 0, 0, 0]


def test_a_session_found_by_its_id_outside_the_window_has_no_bucket(database):
    made = database(
        rows=[
            spend_log(session_id="then", startTime=NOON - 9 * HOUR),
            spend_log(session_id="now"),
        ]
    )
    source = source_of(made)
    assert [row[1] for row in strip(source, SessionSearch(id="then"))] == [0, 0, 0, 0]
    assert [row[1] for row in strip(source, SessionSearch(id="now"))] == [1, 0, 0, 0]


def test_days_are_the_viewers_days_when_the_clock_changes(database):
    first = datetime(2026, 10, 24, 12, tzinfo=UTC)
    window = days(first.date(), first.date() + timedelta(days=2), "Europe/Paris")
    late = datetime(2026, 10, 25, 22, 30, tzinfo=UTC)  # half past eleven in the evening there
    made = database(rows=[spend_log(startTime=first), spend_log(startTime=late)])
    rows = strip(source_of(made), ALL, Filters(window, "Europe/Paris"), BUCKETS["1d"])
    assert rows == [
        (datetime(2026, 10, 23, 22, tzinfo=UTC), 1, 0),
        (datetime(2026, 10, 24, 22, tzinfo=UTC), 1, 0),
        (datetime(2026, 10, 25, 23, tzinfo=UTC), 0, 0),
    ]


def test_an_old_log_without_sessions_counts_requests(database):
    source = source_of(database("2025-03-26", rows=[spend_log(), spend_log()]))
    assert [row[1] for row in strip(source)] == [2, 0, 0, 0]

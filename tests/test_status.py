"""The server and our place in it, the log's freshness and size, what is missing, what fails."""

from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests import litellm, rows
from tests.rows import KEY, NOON, failure, spend_log
from tests.sources import FILTERS, HOUR, WINDOW, records, source_of
from tracelib import errors, status
from tracelib.schema import KNOWN_COLUMNS, KNOWN_INDEXES, NAME_TABLES
from tracelib.window import BUCKETS, TimeWindow, bucket_starts, days

SECOND = timedelta(seconds=1)
LOG = '"LiteLLM_SpendLogs"'
QUARTER = BUCKETS["15m"]


@pytest.fixture(params=litellm.VERSIONS)
def version(request) -> str:
    """Each version of LiteLLM's schema in turn."""
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "partitioned"])
def partitioned(request) -> bool:
    """A log in one table, and one in partitions."""
    return request.param


def test_the_server_says_what_it_is_and_which_guards_hold(empty_database):
    facts = status.server(source_of(empty_database, statement_timeout_s=7.0))
    assert asdict(facts) | {"version": "", "time": None, "round_trip_ms": None} == {
        "version": "",
        "role": "postgres",
        "database": "no_rows",
        "is_read_only_role": False,
        "is_replica": False,
        "replica_lag_s": None,
        "time": None,
        "round_trip_ms": None,
        "encryption": False,
        "statement_timeout": "7s",
        "is_read_only_transaction": True,
    }
    assert facts.version.replace(".", "").isdigit()
    assert abs(facts.time - datetime.now(UTC)) < timedelta(minutes=1)
    assert 0 < facts.round_trip_ms < 10_000


@pytest.mark.parametrize("privilege", ["INSERT", "UPDATE", "DELETE", "TRUNCATE"])
def test_a_role_that_may_write_in_any_way_is_not_read_only(database, role, privilege):
    made = database()
    url = role(made, "writer", [f"SELECT, {privilege} ON {LOG}"])
    assert not status.server(source_of(made, url)).is_read_only_role


def test_a_role_with_nothing_but_select_is_read_only(database, role):
    made = database()
    facts = status.server(source_of(made, role(made, "reader", [f"SELECT ON {LOG}"])))
    assert (facts.role, facts.is_read_only_role) == ("reader", True)


def test_a_role_whose_transactions_are_read_only_by_default_is_read_only(database, role):
    made = database()
    url = role(made, "careful", [f"SELECT, INSERT ON {LOG}"])
    made.execute('ALTER ROLE "careful" SET default_transaction_read_only = on')
    assert status.server(source_of(made, url)).is_read_only_role


def test_the_guards_hold_behind_a_pooler_too(pgbouncer, database):
    made = database()
    facts = status.server(source_of(made, pgbouncer.url(made)))
    assert (facts.statement_timeout, facts.is_read_only_transaction) == ("15s", True)


def test_a_replica_is_told_and_refuses_every_write(spare_server):
    spare_server.execute(
        "CREATE DATABASE spare TEMPLATE litellm_latest", "ALTER SYSTEM SET wal_level = 'replica'"
    )
    spare_server.stop()
    spare_server.start()
    spare_server.execute("CHECKPOINT")
    spare_server.stop()
    (spare_server.data / "standby.signal").touch()
    spare_server.start()
    source = source_of(None, spare_server.url("spare"))
    facts = status.server(source)
    assert (facts.is_replica, facts.is_read_only_role, facts.replica_lag_s) == (True, True, None)
    source.engine.dispose()


def test_a_server_that_is_gone_is_an_error_with_a_sentence(spare_server):
    spare_server.execute("CREATE DATABASE spare TEMPLATE litellm_latest")
    source = source_of(None, spare_server.url("spare"))
    spare_server.stop("immediate")
    with pytest.raises(errors.DatabaseUnreachable):
        status.server(source)


def test_the_ends_of_the_log_and_how_late_its_rows_come(database, partitioned):
    made = database(
        rows=[
            spend_log(startTime=NOON - timedelta(days=90)),
            spend_log(startTime=NOON, created_at=NOON + 4 * SECOND),
            spend_log(startTime=NOON - HOUR),
        ],
        partitioned=partitioned,
    )
    assert status.freshness(source_of(made), NOON + HOUR) == status.Freshness(
        newest_started_at=NOON,
        oldest_started_at=NOON - timedelta(days=90),
        newest_created_at=NOON + 4 * SECOND,
        ingest_lag_s=5.0,
        ahead_of_clock=False,
    )


def test_the_lag_is_that_of_the_newest_hundred(database):
    old = [spend_log(created_at=NOON + HOUR) for _ in range(60)]
    new = [spend_log(startTime=NOON + SECOND) for _ in range(100)]
    assert status.freshness(source_of(database(rows=old + new)), NOON).ingest_lag_s == 5.0


def test_an_empty_log_has_no_ends(empty_database):
    fresh = status.freshness(source_of(empty_database), NOON)
    assert fresh == status.Freshness(None, None, None, None, False)


def test_without_the_column_the_lag_is_unknown(database, version):
    fresh = status.freshness(source_of(database(version, [spend_log()])), NOON)
    assert fresh.newest_started_at == NOON
    known = version == "latest"
    assert (fresh.ingest_lag_s, fresh.newest_created_at) == (
        (5.0, NOON + 6 * SECOND) if known else (None, None)
    )


def test_a_newest_request_in_the_future_is_said_so(database):
    now = datetime.now(UTC)
    late = database(rows=[spend_log(startTime=now + HOUR)])
    assert status.freshness(source_of(late), now).ahead_of_clock
    # A page's now is a tick old, and clocks differ a little.
    live = database(rows=[spend_log(startTime=now + 20 * SECOND)])
    assert not status.freshness(source_of(live), now - 300 * SECOND).ahead_of_clock


def test_a_small_log_is_counted(database, partitioned):
    source = source_of(database(rows=[spend_log() for _ in range(3)], partitioned=partitioned))
    size = status.size(source)
    assert (size.estimated_rows, size.exact) == (3, True)
    assert size.partitions == (4 if partitioned else 0)
    assert size.bytes > 50_000


def test_a_large_log_is_estimated_as_the_planner_does(database, partitioned, monkeypatch):
    monkeypatch.setattr("tracelib.status.database.SMALL_BYTES", 0)
    made = database(rows=[spend_log() for _ in range(200)], partitioned=partitioned)
    source = source_of(made)
    assert status.size(source).estimated_rows is None
    made.execute(f"ANALYZE {LOG}")
    assert status.size(source) == replace(status.size(source), estimated_rows=200, exact=False)
    made.insert([spend_log() for _ in range(200)])
    assert status.size(source).estimated_rows == pytest.approx(400, rel=0.2)


def test_a_log_of_more_rows_than_are_counted_is_estimated(database, monkeypatch):
    monkeypatch.setattr("tracelib.status.database.FEW_ROWS", 2)
    made = database(rows=[spend_log() for _ in range(3)])
    assert (status.size(source_of(made)).estimated_rows, status.size(source_of(made)).exact) == (
        None,
        False,
    )


def test_an_empty_log_is_known_to_be_empty(database, version, partitioned):
    size = status.size(source_of(database(version, [], partitioned)))
    assert (size.estimated_rows, size.exact) == (0, True)


def test_the_bytes_are_those_of_all_partitions_with_indexes(database, partitioned):
    made = database(rows=rows.real_rows(), partitioned=partitioned)
    [(expected,)] = made.execute(
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
        " WHERE relkind = 'r' AND relname LIKE 'LiteLLM_SpendLogs%'"
    )
    assert status.size(source_of(made)).bytes == expected


def test_nothing_is_missing_from_today_with_all_its_indexes(database):
    made = database()
    for index in KNOWN_INDEXES:
        columns = ", ".join(f'"{column}"' for column in index.columns)
        made.execute(f"CREATE INDEX ON {LOG} ({columns})")
    gaps = status.missing(source_of(made))
    assert gaps.empty
    assert list(gaps) == ["kind", "name", "since", "without_it"]


def test_an_old_version_lacks_what_came_later(database):
    gaps = status.missing(source_of(database("2025-05-23")))
    late = [column.name for column in KNOWN_COLUMNS if column.since > "2025-05-23"]
    assert list(gaps[gaps["kind"] == "column"]["name"]) == late
    # An index on a column that is not there is not asked for.
    assert list(gaps[gaps["kind"] == "index"]["name"]) == [
        "startTime, request_id",
        "api_key, startTime",
    ]
    assert list(gaps[gaps["kind"] == "name table"]["name"]) == ["LiteLLM_DeletedVerificationToken"]
    assert gaps["without_it"].str.endswith(".").all()


def test_what_is_not_granted_is_told_apart_from_what_is_not_there(database, role):
    made = database()
    granted = (
        'request_id, api_key, "startTime", "endTime", spend, prompt_tokens, completion_tokens,'
        " total_tokens, model"
    )
    source = source_of(made, role(made, "narrow", [f"SELECT ({granted}) ON {LOG}"]))
    gaps = status.missing(source)
    names = set(gaps[gaps["kind"] == "grant"]["name"])
    assert names >= {"session_id", "metadata", "response", "user", "status"}
    assert "requester_ip_address" in names
    assert "cache_key" not in names, "a column that nobody reads"
    assert "column" not in set(gaps["kind"])
    assert list(gaps[gaps["kind"] == "name table"]["name"]) == list(NAME_TABLES)


def test_failures_are_grouped_by_class_code_provider_and_model(database):
    made = database(
        rows=[
            failure("429", "RateLimitError", model_group="m1"),
            failure("429", "RateLimitError", model_group="m2", startTime=NOON + SECOND),
            failure("", "Exception", model_group="m1", custom_llm_provider=""),
            failure("500", "InternalServerError", startTime=WINDOW.end),
            spend_log(),
        ]
    )
    groups = status.failure_groups(source_of(made), FILTERS)
    told = groups.values.tolist()
    two, one = 2 / 3, 1 / 3
    assert told == [
        ["class", "RateLimitError", 2, two, NOON + SECOND],
        ["class", "Exception", 1, one, NOON],
        ["code", "429", 2, two, NOON + SECOND],
        ["code", "(none)", 1, one, NOON],
        ["provider", "openai", 2, two, NOON + SECOND],
        ["provider", "(none)", 1, one, NOON],
        ["model", "m1", 2, two, NOON],
        ["model", "m2", 1, one, NOON + SECOND],
    ]
    assert list(groups) == ["by", "value", "failures", "share", "newest_at"]


def test_a_filter_bites_into_failures(database):
    made = database(rows=[failure(user="a"), failure(user="b"), failure(user="b", request_id="x")])
    source, chosen = source_of(made), replace(FILTERS, user=("a",))
    assert set(status.failure_groups(source, chosen)["failures"]) == {1}
    assert status.failures_over_time(source, chosen, QUARTER)["failures"].sum() == 1
    assert len(status.newest_failures(source, chosen)) == 1


def test_at_most_fifty_values_of_each_are_told(database):
    made = database(rows=[failure(error_class=f"E{number:02}") for number in range(60)])
    groups = status.failure_groups(source_of(made), FILTERS)
    classes = groups[groups["by"] == "class"]
    assert list(classes["value"]) == [f"E{number:02}" for number in range(50)]
    assert set(classes["share"]) == {1 / 60}


def test_failures_over_time_have_every_bucket_and_the_most_frequent_class_first(database):
    made = database(
        rows=[
            failure(error_class="A", startTime=NOON),
            failure(error_class="B", startTime=NOON + 14 * timedelta(minutes=1)),
            failure(error_class="B", startTime=WINDOW.end - SECOND),
            failure(error_class="B", startTime=WINDOW.end),
        ]
    )
    series = status.failures_over_time(source_of(made), FILTERS, QUARTER)
    quarter = timedelta(minutes=15)
    assert series.values.tolist() == [
        [NOON, "B", 1],
        [NOON, "A", 1],
        [NOON + quarter, "B", 0],
        [NOON + quarter, "A", 0],
        [NOON + 2 * quarter, "B", 0],
        [NOON + 2 * quarter, "A", 0],
        [NOON + 3 * quarter, "B", 1],
        [NOON + 3 * quarter, "A", 0],
    ]


def test_classes_beyond_the_seventh_are_the_others_and_come_last(database):
    made = [
        failure(error_class=f"E{n}") for n in range(9) for _ in range(2 if n < 7 else 5 - n // 2)
    ]
    series = status.failures_over_time(source_of(database(rows=made)), FILTERS, BUCKETS["1h"])
    assert list(series["error_class"]) == [*(f"E{n}" for n in range(7)), "others"]
    assert list(series["failures"]) == [2] * 7 + [3]


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/Havana", "Asia/Kathmandu"])
def test_days_are_the_viewers_days_when_the_clock_changes(database, zone):
    window = days(date(2026, 10, 24), date(2026, 11, 2), zone)
    half_hours = int(window.length / timedelta(minutes=30))
    made = [
        failure(startTime=window.start + number * timedelta(minutes=30))
        for number in range(half_hours)
    ]
    chosen = replace(FILTERS, window=window, zone=zone)
    series = status.failures_over_time(source_of(database(rows=made)), chosen, BUCKETS["1d"])
    starts = bucket_starts(window, BUCKETS["1d"], zone)
    ends = [*starts[1:], window.end]
    lengths = [
        (end - start) / timedelta(minutes=30) for start, end in zip(starts, ends, strict=True)
    ]
    assert list(series["bucket"]) == starts
    assert list(series["failures"]) == lengths


def test_the_newest_failures_say_whose_they_were_and_what_went_wrong(database):
    made = database(
        rows=[
            failure(request_id="old", session_id="s", startTime=NOON),
            failure(
                *("500", "InternalServerError", "it broke"),
                request_id="new",
                session_id="",
                startTime=NOON + SECOND,
                request_duration_ms=40,
            ),
            spend_log(startTime=NOON + 2 * SECOND),
        ]
    )
    rows.name_key(made.engine, KEY, "a key")
    rows.name_user(made.engine, "user-1", "Ann")
    rows.name_team(made.engine, "team-1", "a team")
    newest = status.newest_failures(source_of(made), FILTERS)
    assert list(newest["request_id"]) == ["new", "old"]
    assert records(newest)[0] == {
        "request_id": "new",
        "session_id": "new",
        "api_key": KEY,
        "key_name": "a key",
        "user_name": "Ann",
        "team_name": "a team",
        "started_at": NOON + SECOND,
        "model": "gpt-4o",
        "deployment": "openai/gpt-4o",
        "provider": "openai",
        "error_class": "InternalServerError",
        "error_code": "500",
        "error_message": "it broke",
        "latency_ms": 40.0,
        "cost_usd": 0.0,
    }


def test_the_newest_failures_come_page_by_page(database):
    made = [failure(startTime=NOON + number // 2 * SECOND) for number in range(7)]
    source = source_of(database(rows=made))
    whole = list(status.newest_failures(source, FILTERS)["request_id"])
    assert len(whole) == 7
    joined, after = [], None
    while not (page := status.newest_failures(source, FILTERS, 2, after)).empty:
        joined += list(page["request_id"])
        after = (page["started_at"].iloc[-1].to_pydatetime(), page["request_id"].iloc[-1])
    assert joined == whole


def test_no_failure_looks_like_some_without_rows(database, real_rows_database):
    wide = replace(FILTERS, window=TimeWindow(NOON - timedelta(days=2), NOON + timedelta(days=2)))
    some, none = source_of(real_rows_database), source_of(database(rows=[spend_log()]))
    for ask in (
        lambda source: status.failure_groups(source, wide),
        lambda source: status.failures_over_time(source, wide, BUCKETS["1h"]),
        lambda source: status.newest_failures(source, wide),
    ):
        assert not ask(some).empty
        assert ask(none).empty
        assert ask(none).dtypes.to_dict() == ask(some).dtypes.to_dict()


def test_each_version_and_layout_tells_its_failures(database, version, partitioned):
    source = source_of(database(version, rows.real_rows(), partitioned))
    wide = replace(FILTERS, window=TimeWindow(NOON - timedelta(days=2), NOON + timedelta(days=2)))
    expected = sum(row["status"] == "failure" for row in rows.real_rows())
    groups = status.failure_groups(source, wide)
    assert list(groups.groupby("by")["failures"].sum()) == [expected] * 4
    assert list(groups.groupby("by")["share"].sum()) == pytest.approx([1] * 4)
    assert status.failures_over_time(source, wide, BUCKETS["6h"])["failures"].sum() == expected
    assert len(status.newest_failures(source, wide)) == expected


@pytest.mark.parametrize(
    "about",
    [
        None,
        "[]",
        {"status": "failure"},
        {"error_information": "text"},
        {"error_information": {"error_class": "%s'; --", "error_code": 429, "error_message": []}},
        {"error_information": {"error_class": "x" * 9_000, "error_code": None}},
    ],
    ids=lambda about: str(about)[:60],
)
def test_a_failure_of_any_shape_is_told(database, about):
    source = source_of(database(rows=[failure(metadata=about, endTime=NOON - HOUR)]))
    assert set(status.failure_groups(source, FILTERS)["failures"]) == {1}
    assert status.failures_over_time(source, FILTERS, QUARTER)["failures"].sum() == 1
    assert len(status.newest_failures(source, FILTERS)) == 1

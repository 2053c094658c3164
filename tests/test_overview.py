"""What the traffic of a window comes to, over time, by who asked, and what caches did."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from tests import litellm, rows
from tests.rows import KEY, NOON, failure, metadata, spend_log
from tests.sources import FILTERS, HOUR, WINDOW, records, source_of
from tracelib import overview
from tracelib.filters import NONE, Filters
from tracelib.overview import CacheSavings, PromptCaching, SessionCounts
from tracelib.overview.over_time import BEGUN
from tracelib.overview.totals import REACH
from tracelib.spendlogs import extent
from tracelib.spendlogs.catalog import REQUIRED
from tracelib.window import BUCKETS, TimeWindow, bucket_starts, days, recent

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HALVES = BUCKETS["15m"]
WHOLE_DAY = Filters(days(date(2026, 11, 23), date(2026, 11, 23), "UTC"))
SUMS = [
    *("requests", "failures", "cache_hits", "cost_usd", "prompt_tokens", "completion_tokens"),
    *("total_tokens", "replayed_tokens"),
]


def stream(first_token_ms: int, took_ms: int, **changes: object) -> dict:
    """A success whose first token came before its end."""
    first_token = changes.get("startTime", NOON) + timedelta(milliseconds=first_token_ms)
    return spend_log(completionStartTime=first_token, request_duration_ms=took_ms, **changes)


def ordinary() -> list[dict]:
    """Three answers, a cache hit and a failure in one hour, of two sessions and two owners."""
    return [
        spend_log(session_id="a", request_duration_ms=1000, spend=0.1),
        stream(400, 3000, session_id="a", startTime=NOON + 20 * MINUTE, spend=0.2),
        spend_log(
            session_id="b",
            startTime=NOON + 25 * MINUTE,
            request_duration_ms=2000,
            spend=0.4,
            user="",
            team_id=None,
            model_group="claude",
        ),
        spend_log(session_id="c", startTime=NOON + 50 * MINUTE, spend=0.0, cache_hit="True"),
        failure(session_id="d", startTime=NOON + 55 * MINUTE, prompt_tokens=8),
    ]


@pytest.fixture
def source(database):
    return source_of(database(rows=ordinary()))


@pytest.fixture
def nothing(empty_database):
    return source_of(empty_database)


QUESTIONS = {
    "totals": lambda source, filters: asdict(overview.totals(source, filters)),
    "sessions": lambda source, filters: asdict(overview.sessions(source, filters)),
    "over_time": lambda source, filters: records(overview.over_time(source, filters, HALVES)),
    "new_sessions": lambda source, filters: records(overview.new_sessions(source, filters, HALVES)),
    "cost_by_owner": lambda source, filters: records(overview.cost_by_owner(source, filters)),
    "cost_by_tag": lambda source, filters: records(overview.cost_by_tag(source, filters)),
    "cache_savings": lambda source, filters: asdict(overview.cache_savings(source, filters)),
    "prompt_caching": lambda source, filters: asdict(overview.prompt_caching(source, filters)),
    "busy_hours": lambda source, filters: records(overview.busy_hours(source, filters)),
}


@pytest.fixture(params=QUESTIONS.values(), ids=QUESTIONS.keys())
def question(request):
    """Each question of Overview in turn, its answer as plain values."""
    return request.param


def test_totals_say_what_all_requests_come_to(source):
    assert asdict(overview.totals(source, FILTERS)) == {
        "requests": 5,
        "failures": 1,
        "cache_hits": 1,
        "cost_usd": 0.7,
        "prompt_tokens": 38,
        "completion_tokens": 15,
        "total_tokens": 53,
        "replayed_tokens": 15,
        "answered": 3,
        "response_ms_avg": 2000,
        "response_ms_p50": 2000,
        "response_ms_p95": pytest.approx(2900),
        "response_ms_p99": pytest.approx(2980),
        "response_ms_max": 3000,
        "ttft_known": 1,
        "ttft_ms_p50": 400,
        "ttft_ms_p95": 400,
        "ttft_coverage": 1 / 3,
        "error_rate": 1 / 5,
        "cache_hit_rate": 1 / 5,
        "newest_at": NOON + 55 * MINUTE,
    }


def test_totals_of_nothing_are_zero_and_their_times_and_rates_unknown(nothing):
    found = overview.totals(nothing, FILTERS)
    unknown = {name for name, value in asdict(found).items() if value is None}
    assert unknown == {
        *("response_ms_avg", "response_ms_p50", "response_ms_p95", "response_ms_p99"),
        *("response_ms_max", "ttft_ms_p50", "ttft_ms_p95", "newest_at"),
        *("ttft_coverage", "error_rate", "cache_hit_rate"),
    }
    assert {value for value in asdict(found).values() if value is not None} == {0}


def test_costs_add_up_to_the_digit_in_any_order(database):
    pieces = [spend_log(spend=0.1) for _ in range(10)]
    assert overview.totals(source_of(database(rows=pieces)), FILTERS).cost_usd == 1.0


def test_the_log_starts_with_its_oldest_request_whatever_is_chosen(source):
    assert overview.log_start(source, FILTERS) == NOON
    assert overview.log_start(source, replace(FILTERS, model=("claude",))) == NOON
    later = TimeWindow(NOON + HOUR, NOON + 2 * HOUR)
    assert overview.log_start(source, Filters(later)) == NOON


def test_the_log_starts_no_earlier_than_a_window_to_compare_with_may_begin(database):
    ages = (timedelta(days=20_000), REACH + SECOND, REACH, HOUR)
    source = source_of(database(rows=[spend_log(startTime=NOON - age) for age in ages]))
    assert overview.log_start(source, FILTERS) == NOON - REACH


def test_an_empty_log_has_no_start(nothing, database):
    assert overview.log_start(nothing, FILTERS) is None
    after = source_of(database(rows=[spend_log(startTime=NOON + HOUR)]))
    assert overview.log_start(after, FILTERS) is None


@pytest.mark.parametrize("partitioned", [False, True], ids=["whole", "partitioned"])
def test_the_start_of_the_log_is_found_by_its_index(partitioned, database):
    made = database(
        rows=[spend_log(startTime=NOON + i * SECOND) for i in range(3_000)], partitioned=partitioned
    )
    made.execute('VACUUM ANALYZE "LiteLLM_SpendLogs"')
    source = source_of(made)
    statement = extent.first_start(source.schema, TimeWindow(NOON - REACH, NOON + HOUR))
    written = statement.compile(source.engine, compile_kwargs={"literal_binds": True})
    plan = made.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {written}")[0][0]
    read = list(scans(plan[0]["Plan"]))
    assert {node["Node Type"] for node in read} == {"Index Only Scan"}
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in read) <= len(read)


def scans(node: dict) -> Iterator[dict]:
    """The nodes of a plan that read rows, and were run at all."""
    if "Scan" in node["Node Type"] and node["Actual Loops"]:
        yield node
    for below in node.get("Plans", ()):
        yield from scans(below)


def test_a_session_counts_once_and_one_with_two_requests_as_such(source):
    assert overview.sessions(source, FILTERS) == SessionCounts(unique=4, with_many_requests=1)


def test_the_same_id_under_two_keys_is_two_sessions_and_no_id_is_one_of_its_own(database):
    made = database(
        rows=[
            spend_log(session_id="shared", api_key="one"),
            spend_log(session_id="shared", api_key="two"),
            spend_log(session_id="", request_id="x"),
            spend_log(session_id=None, request_id="y"),
        ]
    )
    assert overview.sessions(source_of(made), FILTERS) == SessionCounts(4, 0)


def test_no_request_is_no_session(nothing):
    assert overview.sessions(nothing, FILTERS) == SessionCounts(0, 0)


def test_over_time_has_every_bucket_with_its_figures(source):
    quiet = dict.fromkeys(SUMS, 0)
    quiet |= dict.fromkeys(("response_ms_avg", "response_ms_p50", "response_ms_p95"))
    quiet |= dict.fromkeys(("error_rate", "cache_hit_rate"))
    one = {"requests": 1, "cost_usd": 0.1, "prompt_tokens": 10, "completion_tokens": 5}
    one |= {"total_tokens": 15, "error_rate": 0, "cache_hit_rate": 0}
    one |= dict.fromkeys(("response_ms_avg", "response_ms_p50", "response_ms_p95"), 1000)
    two = {"requests": 2, "cost_usd": 0.6, "prompt_tokens": 20, "completion_tokens": 10}
    two |= {"total_tokens": 30, "error_rate": 0, "cache_hit_rate": 0}
    two |= {"response_ms_avg": 2500, "response_ms_p50": 2500}
    last = {"requests": 2, "failures": 1, "cache_hits": 1, "prompt_tokens": 8, "total_tokens": 8}
    last |= {"replayed_tokens": 15, "error_rate": 0.5, "cache_hit_rate": 0.5}
    assert records(overview.over_time(source, FILTERS, HALVES)) == [
        {"bucket": NOON} | quiet | one,
        {"bucket": NOON + 15 * MINUTE} | quiet | two | {"response_ms_p95": pytest.approx(2950)},
        {"bucket": NOON + 30 * MINUTE} | quiet,
        {"bucket": NOON + 45 * MINUTE} | quiet | last,
    ]


def test_over_time_of_nothing_is_all_buckets_of_zero(nothing):
    frame = overview.over_time(nothing, FILTERS, BUCKETS["1m"])
    assert list(frame["bucket"]) == bucket_starts(WINDOW, BUCKETS["1m"], "UTC")
    assert not frame[[*SUMS]].any(axis=None)
    assert frame[["response_ms_avg", "error_rate", "cache_hit_rate"]].isna().all(axis=None)


def test_over_time_has_the_same_dtypes_with_and_without_rows(source, nothing):
    some, none = (overview.over_time(one, FILTERS, HALVES).dtypes for one in (source, nothing))
    assert dict(some) == dict(none)
    assert str(some["bucket"]) == "datetime64[us, UTC]"


def test_a_session_is_new_in_the_bucket_of_its_first_request_only(database):
    later = [spend_log(session_id="s", startTime=NOON + minutes * MINUTE) for minutes in (50, 20)]
    logs = [*later, spend_log(session_id="t", startTime=NOON + 20 * MINUTE)]
    begun = overview.new_sessions(source_of(database(rows=logs)), FILTERS, HALVES)
    assert records(begun) == [
        {"bucket": NOON, "new_sessions": 0, "continued_sessions": 0},
        {"bucket": NOON + 15 * MINUTE, "new_sessions": 2, "continued_sessions": 1},
        {"bucket": NOON + 30 * MINUTE, "new_sessions": 0, "continued_sessions": 0},
        {"bucket": NOON + 45 * MINUTE, "new_sessions": 0, "continued_sessions": 0},
    ]


def test_new_sessions_of_nothing_are_all_buckets_of_zero(nothing):
    frame = overview.new_sessions(nothing, FILTERS, BUCKETS["1m"])
    assert list(frame["bucket"]) == bucket_starts(WINDOW, BUCKETS["1m"], "UTC")
    assert not frame[[*BEGUN]].any(axis=None)
    assert overview.sessions_in(frame) == SessionCounts(0, 0)


ZONES = (
    *("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"),
    *("America/Havana", "Africa/Cairo", "Pacific/Apia", "Asia/Kathmandu"),
)
CLOCK_CHANGES = (date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1), date(2026, 4, 5))


def every_quarter_of(day: date) -> list[dict]:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2)
    return [spend_log(startTime=start + 15 * i * MINUTE) for i in range(4 * 24 * 5)]


def counted_in_python(source_rows: list[dict], filters: Filters, bucket) -> list[int]:
    starts = bucket_starts(filters.window, bucket, filters.zone)
    moments = [row["startTime"] for row in source_rows]
    inside = [one for one in moments if filters.window.start <= one < filters.window.end]
    ends = [*starts[1:], filters.window.end]
    return [
        sum(start <= one < end for one in inside) for start, end in zip(starts, ends, strict=True)
    ]


@pytest.mark.parametrize("day", CLOCK_CHANGES)
def test_buckets_are_the_viewers_through_changes_of_clocks_and_odd_zones(day, database):
    logs = every_quarter_of(day)
    source = source_of(database(rows=logs))
    for zone in ZONES:
        window = days(day - timedelta(days=1), day + timedelta(days=1), zone)
        skewed = TimeWindow(window.start + 7 * MINUTE, window.end - 7 * MINUTE)
        for name in ("1d", "6h", "1h"):
            for filters in (Filters(window, zone), Filters(skewed, zone)):
                frame = overview.over_time(source, filters, BUCKETS[name])
                assert list(frame["bucket"]) == bucket_starts(filters.window, BUCKETS[name], zone)
                expected = counted_in_python(logs, filters, BUCKETS[name])
                assert list(frame["requests"]) == expected, (zone, name)


def test_days_of_23_and_25_hours_hold_as_many_quarters(database):
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25)):
        source = source_of(database(rows=every_quarter_of(day)))
        filters = Filters(days(day, day, "Europe/Paris"), "Europe/Paris")
        frame = overview.over_time(source, filters, BUCKETS["1d"])
        assert list(frame["requests"]) == [4 * hours]


def test_hours_of_a_half_hour_zone_begin_on_its_clock(database):
    at = datetime(2026, 11, 23, 11, tzinfo=UTC)
    logs = [spend_log(startTime=at + minutes * MINUTE) for minutes in (0, 29, 30)]
    filters = Filters(recent("1h", NOON), "Asia/Kolkata")
    frame = overview.over_time(source_of(database(rows=logs)), filters, BUCKETS["1h"])
    assert list(frame["requests"]) == [2, 1]


@pytest.mark.parametrize("bucket", BUCKETS.values(), ids=BUCKETS.keys())
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_sums_over_the_buckets_are_the_totals(bucket, zone, real_rows_database):
    source = source_of(real_rows_database)
    filters = Filters(WHOLE_DAY.window, zone)
    frame = overview.over_time(source, filters, bucket)
    totals = overview.totals(source, filters)
    for figure in SUMS:
        assert frame[figure].sum() == pytest.approx(getattr(totals, figure), rel=1e-12), figure
    begun = overview.new_sessions(source, filters, bucket)
    assert overview.sessions_in(begun) == overview.sessions(source, filters)


def test_owners_are_ranked_within_their_dimension_dearest_first(database):
    made = database(rows=ordinary())
    rows.name_user(made.engine, "user-1", "Ada")
    rows.name_team(made.engine, "team-1", "Red")
    rows.name_key(made.engine, KEY, "the key")
    some = {"requests": 4, "failures": 1, "cost_usd": 0.3, "total_tokens": 38}
    without = {"requests": 1, "failures": 0, "cost_usd": 0.4, "total_tokens": 15}
    both = {"requests": 5, "failures": 1, "cost_usd": 0.7, "total_tokens": 53}
    more, less = pytest.approx(4 / 7), pytest.approx(3 / 7)
    first, second = {"share": more, "rank": 1}, {"share": less, "rank": 2}
    assert records(overview.cost_by_owner(source_of(made), FILTERS)) == [
        {"dimension": "user", "id": None, "name": None} | without | first,
        {"dimension": "user", "id": "user-1", "name": "Ada"} | some | second,
        {"dimension": "team", "id": None, "name": None} | without | first,
        {"dimension": "team", "id": "team-1", "name": "Red"} | some | second,
        {"dimension": "key", "id": KEY, "name": "the key"} | both | {"share": 1.0, "rank": 1},
    ]


def test_owners_of_equal_cost_go_by_id_and_are_limited(database):
    logs = [spend_log(user=user, team_id="", api_key="") for user in "cab"]
    found = overview.cost_by_owner(source_of(database(rows=logs)), FILTERS, limit=2)
    assert list(
        zip(found["dimension"], found["id"].fillna("none"), found["rank"], strict=True)
    ) == [
        ("user", "a", 1),
        ("user", "b", 2),
        ("team", "none", 1),
        ("key", "none", 1),
    ]


def test_the_share_of_no_cost_is_unknown(database):
    found = overview.cost_by_owner(source_of(database(rows=[spend_log(spend=0.0)])), FILTERS)
    assert found["share"].isna().all()


def test_a_key_without_id_has_no_name_though_its_rows_carry_one(database):
    carried = metadata(user_api_key_alias="ada's key")
    logs = [spend_log(api_key=key, metadata=carried) for key in ("", KEY)]
    found = overview.cost_by_owner(source_of(database(rows=logs)), FILTERS)
    keys = found[found["dimension"] == "key"]
    assert records(keys[["id", "name"]]) == [
        {"id": KEY, "name": "ada's key"},
        {"id": None, "name": None},
    ]


def test_a_request_counts_once_for_each_of_its_own_tags(database):
    made = database(
        rows=[
            spend_log(spend=0.1, request_tags=["prod", "chat", "User-Agent: curl"]),
            spend_log(spend=0.2, request_tags=["chat", "chat", "", None]),
            spend_log(spend=0.4, request_tags=["prod"], cache_hit="True"),
            spend_log(spend=0.1, request_tags=["User-Agents"]),
            spend_log(spend=9.0, request_tags="{}"),
            spend_log(spend=9.0, request_tags='"chat"'),
            spend_log(spend=9.0, request_tags=None),
            spend_log(spend=9.0, request_tags=[]),
        ]
    )
    source = source_of(made)
    prod = {"tag": "prod", "requests": 2, "cost_usd": 0.5, "total_tokens": 15}
    chat = {"tag": "chat", "requests": 2, "cost_usd": 0.3, "total_tokens": 30}
    agents = {"tag": "User-Agents", "requests": 1, "cost_usd": 0.1, "total_tokens": 15}
    assert records(overview.cost_by_tag(source, FILTERS)) == [prod, chat, agents]
    assert records(overview.cost_by_tag(source, FILTERS, limit=1)) == [prod]


def test_lists_without_rows_keep_their_columns(source, nothing):
    for ask in (overview.cost_by_owner, overview.cost_by_tag):
        none = ask(nothing, FILTERS)
        assert none.empty
        assert dict(none.dtypes) == dict(ask(source, FILTERS).dtypes)


def test_savings_are_replayed_tokens_at_what_the_model_costs_a_token(database):
    made = database(
        rows=[
            spend_log(spend=0.3, prompt_tokens=20, completion_tokens=10),
            spend_log(spend=0.0, prompt_tokens=100, completion_tokens=50, cache_hit="True"),
            spend_log(spend=0.0, model_group="never billed", cache_hit="true"),
            spend_log(spend=5.0, model_group="without hits"),
        ]
    )
    found = overview.cache_savings(source_of(made), FILTERS)
    assert found == CacheSavings(2, 165, pytest.approx(150 * 0.3 / 30))


def test_savings_are_unknown_where_no_model_with_hits_has_a_price(database):
    hit = spend_log(spend=0.0, cache_hit="True")
    other = spend_log(model_group="another")
    found = overview.cache_savings(source_of(database(rows=[hit, other])), FILTERS)
    assert found == CacheSavings(1, 15, None)


def test_no_hits_saved_nothing(database, nothing):
    source = source_of(database(rows=[spend_log()]))
    assert overview.cache_savings(source, FILTERS) == CacheSavings(0, 0, 0.0)
    assert overview.cache_savings(nothing, FILTERS) == CacheSavings(0, 0, 0.0)


def cached(tokens: int | None, written: int | None = None, **changes: object) -> dict:
    usage = {"cache_read_input_tokens": tokens, "cache_creation_input_tokens": written}
    return spend_log(metadata=metadata(additional_usage_values=usage), **changes)


def test_prompt_caching_counts_tokens_read_and_written_without_litellms_own_hits(database):
    made = database(
        rows=[
            cached(60, 7, prompt_tokens=100),
            cached(None, prompt_tokens=20),
            cached(40, 9, prompt_tokens=50, cache_hit="True"),
            spend_log(prompt_tokens=30, metadata={"additional_usage_values": "odd"}),
            spend_log(
                prompt_tokens=50,
                metadata={
                    "additional_usage_values": {"prompt_tokens_details": {"cached_tokens": 5}}
                },
            ),
        ]
    )
    found = overview.prompt_caching(source_of(made), FILTERS)
    assert found == PromptCaching(5, 5, 200, 65, 7)
    assert found.share == 65 / 200


def test_prompt_caching_reads_the_newest_where_there_are_too_many(database):
    logs = [cached(i, prompt_tokens=100, startTime=NOON + i * MINUTE) for i in range(5)]
    found = overview.prompt_caching(source_of(database(rows=logs)), FILTERS, newest=2)
    assert found == PromptCaching(2, 5, 200, 7, 0)


def test_prompt_caching_of_nothing_has_no_share(nothing):
    found = overview.prompt_caching(nothing, FILTERS)
    assert (found, found.share) == (PromptCaching(0, 0, 0, 0, 0), None)


def test_busy_hours_are_the_viewers(database):
    logs = [
        spend_log(startTime=datetime(2026, 11, 22, 23, 30, tzinfo=UTC), spend=0.1),  # a Sunday
        failure(startTime=datetime(2026, 11, 23, 4, 29, tzinfo=UTC)),
        spend_log(startTime=datetime(2026, 11, 23, 4, 31, tzinfo=UTC), spend=0.2),
    ]
    source = source_of(database(rows=logs))
    window = recent("7d", NOON)
    expected = {
        "UTC": {(6, 23): (1, 0.1), (0, 4): (2, 0.2)},
        "Asia/Kolkata": {(0, 5): (1, 0.1), (0, 9): (1, 0.0), (0, 10): (1, 0.2)},
        "America/New_York": {(6, 18): (1, 0.1), (6, 23): (2, 0.2)},
    }
    for zone, busy in expected.items():
        frame = overview.busy_hours(source, Filters(window, zone))
        assert list(zip(frame["weekday"], frame["hour"], strict=True)) == [
            (weekday, hour) for weekday in range(7) for hour in range(24)
        ]
        some = frame[frame["requests"] > 0]
        assert {
            (row.weekday, row.hour): (row.requests, row.cost_usd) for row in some.itertuples()
        } == busy


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Australia/Lord_Howe"])
def test_busy_hours_follow_the_clock_through_its_changes(zone, database):
    logs = [spend_log(startTime=NOON - i * timedelta(hours=5, minutes=15)) for i in range(1500)]
    filters = Filters(TimeWindow(NOON - timedelta(days=400), NOON), zone)
    frame = overview.busy_hours(source_of(database(rows=logs)), filters)
    local = [row["startTime"].astimezone(ZoneInfo(zone)) for row in logs[1:]]
    expected = pd.Series([0] * 168)
    for moment in local:
        expected[moment.weekday() * 24 + moment.hour] += 1
    assert list(frame["requests"]) == list(expected)


def test_busy_hours_of_nothing_are_168_zeros(nothing):
    frame = overview.busy_hours(nothing, FILTERS)
    assert len(frame) == 168
    assert not frame[["requests", "cost_usd"]].any(axis=None)


def test_the_start_of_the_window_counts_and_its_end_does_not(question, database):
    inside = [
        spend_log(startTime=NOON, session_id="first", metadata={}, request_tags=["t"]),
        spend_log(startTime=NOON + HOUR - SECOND, session_id="last", request_tags=["t"]),
    ]
    outside = [
        spend_log(startTime=NOON - timedelta(milliseconds=1), request_tags=["t"], cache_hit="True"),
        spend_log(startTime=NOON + HOUR, request_tags=["t"], cache_hit="True"),
    ]
    alone, among = source_of(database(rows=inside)), source_of(database(rows=inside + outside))
    assert question(among, FILTERS) == question(alone, FILTERS)


@pytest.mark.parametrize(
    ("chosen", "passes"),
    [
        ({"user": ("ada",)}, {"user": "ada"}),
        ({"user": (NONE,)}, {"user": ""}),
        ({"team": (NONE, "red")}, {"team_id": None}),
        ({"model": ("claude",)}, {"model_group": "claude"}),
        ({"provider": (NONE,)}, {"custom_llm_provider": ""}),
        ({"key": ("k",)}, {"api_key": "k"}),
    ],
)
def test_a_filter_lets_only_the_chosen_pass(chosen, passes, question, database):
    inside = spend_log(**passes, request_tags=["t"])
    others = [spend_log(request_tags=["t"], cache_hit=hit) for hit in ("True", "None")]
    alone = source_of(database(rows=[inside]))
    among = source_of(database(rows=[inside, *others]))
    assert question(among, replace(FILTERS, **chosen)) == question(alone, FILTERS)


@pytest.mark.parametrize("partitioned", [False, True], ids=["whole", "partitioned"])
@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_every_version_gives_the_same_figures_where_its_columns_allow(
    version, partitioned, database, real_rows_database
):
    source = source_of(database(version, rows.real_rows(), partitioned))
    latest = source_of(real_rows_database)
    found, expected = (
        {name: ask(one, WHOLE_DAY) for name, ask in QUESTIONS.items()} for one in (source, latest)
    )
    if not source.schema.has("session_id"):
        assert found.pop("sessions") == {"unique": 130, "with_many_requests": 0}
        assert expected.pop("sessions") == {"unique": 95, "with_many_requests": 7}
        found.pop("new_sessions"), expected.pop("new_sessions")
    assert found == approximately(expected)


def approximately(answers: dict) -> dict:
    """Old versions measure by the clock's stored milliseconds: times may differ by one."""

    def close(value):
        if isinstance(value, dict):
            return {
                name: pytest.approx(one, abs=1.0)
                if "_ms_" in name and one is not None
                else close(one)
                for name, one in value.items()
            }
        if isinstance(value, list):
            return [close(one) for one in value]
        return pytest.approx(value) if isinstance(value, float) else value

    return close(answers)


def absurd() -> list[dict]:
    """Rows that no LiteLLM should write and some have."""
    end_first = {"endTime": NOON - SECOND, "request_duration_ms": None}
    return [
        spend_log(**end_first),
        spend_log(**end_first, completionStartTime=NOON + SECOND),
        spend_log(request_duration_ms=-5, endTime=NOON + SECOND),
        spend_log(status=None, spend=-0.5),
        spend_log(metadata=None, request_tags=None, completionStartTime=None),
        spend_log(metadata="[1]", request_tags="[[1], {}, null, 7]"),
        spend_log(metadata='"text"', request_tags='"text"'),
        spend_log(cache_hit="None"),
        spend_log(cache_hit=None),
        spend_log(cache_hit=""),
        spend_log(cache_hit="TRUE", spend=0.0),
        spend_log(
            **dict.fromkeys(("session_id", "user", "team_id", "end_user", "model_group"), ""),
            **dict.fromkeys(("model", "model_id", "custom_llm_provider", "api_base"), ""),
            **dict.fromkeys(("api_key", "call_type", "status", "cache_hit"), ""),
        ),
    ]


def test_absurd_rows_break_no_question(question, database):
    assert question(source_of(database(rows=absurd())), FILTERS)


def test_absurd_rows_count_where_they_can(database):
    found = overview.totals(source_of(database(rows=absurd())), FILTERS)
    assert (found.requests, found.failures, found.cache_hits) == (12, 0, 1)
    assert found.cost_usd == 0.25 * 10 - 0.5
    # Three end before they start, one is a cache hit.
    assert (found.answered, found.ttft_known) == (8, 0)
    assert found.response_ms_avg == 1000


def test_a_role_that_may_read_little_still_gets_every_answer(question, database, role):
    made = database(rows=ordinary())
    columns = ", ".join(f'"{name}"' for name in REQUIRED)
    url = role(made, "reader", [f'SELECT ({columns}) ON "LiteLLM_SpendLogs"'])
    assert question(source_of(made, url), FILTERS) is not None

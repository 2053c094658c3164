"""The list of sessions, one session as a whole, and the ways from an id to it."""

from dataclasses import asdict, replace
from datetime import timedelta

import pandas as pd
import pytest

from tests import litellm, rows
from tests.rows import KEY, NOON, failure, metadata, real_rows, spend_log
from tests.sources import FILTERS, HOUR, WINDOW, records, source_of
from tracelib import errors, sessions
from tracelib.filters import Filters
from tracelib.selection import RowId, Selection, session
from tracelib.sessions import SessionSearch
from tracelib.window import TimeWindow

SECOND = timedelta(seconds=1)
EVERYTHING = Filters(TimeWindow(NOON - timedelta(days=300), NOON + timedelta(days=30)))
OTHER_KEY = "b" * 64
ALL = SessionSearch()
COLUMNS = [
    *("session_key", "session_id", "api_key", "key_name", "user", "user_name", "team"),
    *("team_name", "models", "agent", "end_user", "started_at", "last_started_at", "ended_at"),
    *("requests", "failures", "cache_hits", "total_tokens", "cost_usd", "duration_ms", "goes_on"),
]


@pytest.fixture(params=litellm.VERSIONS)
def version(request) -> str:
    """Each version of LiteLLM's schema in turn."""
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "partitioned"])
def partitioned(request) -> bool:
    """A log in one table, and one in partitions."""
    return request.param


def found(source, search=ALL, filters=FILTERS, **more) -> list[str]:
    """The ids of the sessions on a page, in its order."""
    return list(sessions.found_sessions(source, filters, search, **more).rows["session_id"])


def test_the_list_says_what_each_session_is_and_holds(database):
    made = database(
        rows=[
            spend_log(session_id="chat", request_id="1", spend=0.1, agent_id="agent-1"),
            failure(session_id="chat", request_id="2", startTime=NOON + 2 * SECOND),
            spend_log(
                session_id="chat",
                request_id="3",
                startTime=NOON + 4 * SECOND,
                spend=0.2,
                model_group="claude",
                cache_hit="True",
            ),
            spend_log(session_id="alone", request_id="4", user="", team_id=None, end_user="eu"),
        ]
    )
    rows.name_key(made.engine, KEY, "a key")
    rows.name_user(made.engine, "user-1", "Ann", "ann@example.com")
    rows.name_team(made.engine, "team-1", "a team")
    page = sessions.found_sessions(source_of(made), FILTERS, SessionSearch())
    assert (page.next, page.complaint) == (None, None)
    assert list(page.rows) == COLUMNS
    assert records(page.rows) == [
        {
            "session_key": f"chat:{KEY}",
            "session_id": "chat",
            "api_key": KEY,
            "key_name": "a key",
            "user": "user-1",
            "user_name": "Ann",
            "team": "team-1",
            "team_name": "a team",
            "models": "claude, gpt-4o",
            "agent": "agent-1",
            "end_user": None,
            "started_at": NOON,
            "last_started_at": NOON + 4 * SECOND,
            "ended_at": NOON + 5 * SECOND,
            "requests": 3,
            "failures": 1,
            "cache_hits": 1,
            "total_tokens": 25,
            "cost_usd": 0.3,
            "duration_ms": 5000.0,
            "goes_on": False,
        },
        {
            "session_key": f"alone:{KEY}",
            "session_id": "alone",
            "api_key": KEY,
            "key_name": "a key",
            "user": None,
            "user_name": None,
            "team": None,
            "team_name": None,
            "models": "gpt-4o",
            "agent": None,
            "end_user": "eu",
            "started_at": NOON,
            "last_started_at": NOON,
            "ended_at": NOON + SECOND,
            "requests": 1,
            "failures": 0,
            "cache_hits": 0,
            "total_tokens": 15,
            "cost_usd": 0.25,
            "duration_ms": 1000.0,
            "goes_on": False,
        },
    ]


def test_no_session_looks_like_some_without_rows(empty_database, real_rows_database):
    some = sessions.found_sessions(source_of(real_rows_database), EVERYTHING, SessionSearch()).rows
    none = sessions.found_sessions(source_of(empty_database), EVERYTHING, SessionSearch()).rows
    assert none.empty
    assert none.dtypes.to_dict() == some.dtypes.to_dict()


def test_a_request_at_the_start_of_the_window_is_listed_and_one_at_its_end_is_not(database):
    source = source_of(
        database(
            rows=[
                spend_log(session_id="start", startTime=WINDOW.start),
                spend_log(session_id="last", startTime=WINDOW.end - timedelta(milliseconds=1)),
                spend_log(session_id="end", startTime=WINDOW.end),
                spend_log(session_id="before", startTime=WINDOW.start - SECOND / 1000),
            ]
        )
    )
    assert found(source) == ["last", "start"]


def test_figures_are_those_of_the_window_and_say_that_the_session_goes_on(database):
    source = source_of(
        database(
            rows=[
                spend_log(session_id="before", startTime=WINDOW.start - SECOND, spend=8),
                spend_log(session_id="before", startTime=WINDOW.start, spend=1),
                spend_log(session_id="after", startTime=WINDOW.start, spend=2),
                spend_log(session_id="after", startTime=WINDOW.end, spend=8),
                spend_log(session_id="inside", startTime=WINDOW.start, spend=4),
                spend_log(session_id="inside", startTime=WINDOW.end, api_key=OTHER_KEY),
            ]
        )
    )
    page = sessions.found_sessions(source, FILTERS, SessionSearch(sort="cost"))
    listed = page.rows[["session_id", "requests", "cost_usd", "goes_on"]]
    assert listed.values.tolist() == [
        ["inside", 1, 4.0, False],
        ["after", 1, 2.0, True],
        ["before", 1, 1.0, True],
    ]


def test_a_filter_bites_into_the_figures_but_not_into_whether_the_session_goes_on(database):
    source = source_of(
        database(
            rows=[
                spend_log(session_id="both", model_group="gpt-4o", spend=1),
                spend_log(session_id="both", model_group="claude", spend=2),
                spend_log(session_id="other", model_group="claude"),
                spend_log(session_id="long", model_group="gpt-4o", spend=3),
                spend_log(session_id="long", model_group="claude", startTime=WINDOW.end),
            ]
        )
    )
    chosen = replace(FILTERS, model=("gpt-4o",))
    page = sessions.found_sessions(source, chosen, SessionSearch(sort="cost"))
    listed = page.rows[["session_id", "models", "requests", "cost_usd", "goes_on"]]
    assert listed.values.tolist() == [
        ["long", "gpt-4o", 1, 3.0, True],
        ["both", "gpt-4o", 1, 1.0, False],
    ]
    assert sessions.session_counts(source, chosen, SessionSearch()) == 2


def test_two_keys_with_the_same_session_id_have_two_sessions(database):
    made = database(
        rows=[
            spend_log(session_id="shared", startTime=NOON + SECOND, spend=1),
            spend_log(session_id="shared", startTime=NOON + 2 * SECOND, spend=2),
            spend_log(session_id="shared", api_key=OTHER_KEY, spend=4),
        ]
    )
    rows.name_key(made.engine, KEY, "a key")
    source = source_of(made)
    page = sessions.found_sessions(source, FILTERS, SessionSearch(sort="cost"))
    listed = page.rows[["session_id", "api_key", "requests", "cost_usd"]]
    assert listed.values.tolist() == [["shared", OTHER_KEY, 1, 4.0], ["shared", KEY, 2, 3.0]]
    assert records(sessions.keys_of(source, "shared")) == [
        {"api_key": OTHER_KEY, "key_name": "bbbbbbbb…", "requests": 1, "started_at": NOON},
        {"api_key": KEY, "key_name": "a key", "requests": 2, "started_at": NOON + SECOND},
    ]
    assert sessions.summary(source, session("shared", KEY)).cost_usd == 3
    assert len(sessions.requests_of(source, session("shared", OTHER_KEY))) == 1


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("recent", ["late", "costly", "long", "failing"]),
        ("cost", ["costly", "long", "late", "failing"]),
        ("length", ["long", "failing", "late", "costly"]),
        ("errors", ["failing", "long", "late", "costly"]),
    ],
)
def test_each_order_puts_the_greatest_first_and_ties_by_the_latest_start(database, sort, expected):
    source = source_of(
        database(
            rows=[
                spend_log(session_id="late", startTime=NOON + 9 * SECOND, spend=0.1),
                spend_log(session_id="costly", startTime=NOON + 8 * SECOND, spend=7),
                *(spend_log(session_id="long", startTime=NOON + SECOND) for _ in range(3)),
                failure(session_id="long"),
                failure(session_id="failing"),
                failure(session_id="failing"),
            ]
        )
    )
    assert found(source, SessionSearch(sort=sort)) == expected


def test_costs_are_compared_to_the_digit_and_inclusively(database):
    source = source_of(
        database(
            rows=[
                spend_log(session_id="three tenths", spend=0.1),
                spend_log(session_id="three tenths", spend=0.2),
                spend_log(session_id="one", spend=1),
                spend_log(session_id="none", spend=0),
            ]
        )
    )
    cost = SessionSearch(sort="cost")
    assert found(source, replace(cost, min_cost_usd=0.3)) == ["one", "three tenths"]
    assert found(source, replace(cost, max_cost_usd=0.3)) == ["three tenths", "none"]
    assert found(source, replace(cost, min_cost_usd=0.3, max_cost_usd=0.3)) == ["three tenths"]
    assert found(source, replace(cost, min_cost_usd=0.0, max_cost_usd=0.0)) == ["none"]


def test_sessions_are_found_with_and_without_failures_and_by_their_length(database):
    source = source_of(
        database(
            rows=[
                failure(session_id="mixed"),
                spend_log(session_id="mixed"),
                spend_log(session_id="well"),
            ]
        )
    )
    assert found(source, SessionSearch(status="with failures")) == ["mixed"]
    assert found(source, SessionSearch(status="without failures")) == ["well"]
    assert found(source, SessionSearch(many_requests_only=True)) == ["mixed"]


def test_counts_say_how_many_are_found_up_to_a_limit(database, monkeypatch):
    source = source_of(database(rows=[spend_log() for _ in range(3)] + [failure()]))
    assert sessions.session_counts(source, FILTERS, SessionSearch()) == 4
    assert sessions.session_counts(source, FILTERS, SessionSearch(status="with failures")) == 1
    monkeypatch.setattr("tracelib.sessions.listing.MOST_COUNTED", 3)
    assert sessions.session_counts(source, FILTERS, SessionSearch()) is None
    monkeypatch.setattr("tracelib.sessions.listing.MOST_COUNTED", 4)
    assert sessions.session_counts(source, FILTERS, SessionSearch()) == 4


def test_many_models_are_named_up_to_five(database):
    made = [spend_log(session_id="many", model_group=f"model-{name}") for name in "gfedcba"]
    page = sessions.found_sessions(source_of(database(rows=made)), FILTERS, SessionSearch())
    assert list(page.rows["models"]) == ["model-a, model-b, model-c, model-d, model-e +2"]


def test_without_an_index_on_session_id_nobody_reads_the_log_to_see_what_goes_on(database):
    made = database(
        rows=[spend_log(session_id="x"), spend_log(session_id="x", startTime=WINDOW.end)]
    )
    made.execute('DROP INDEX "LiteLLM_SpendLogs_session_id_idx"')
    page = sessions.found_sessions(source_of(made), FILTERS, SessionSearch())
    assert records(page.rows[["session_id", "requests", "goes_on"]]) == [
        {"session_id": "x", "requests": 1, "goes_on": None}
    ]


def test_the_sessions_of_true_rows_add_up_to_their_requests(real_rows_database):
    source = source_of(real_rows_database)
    page = sessions.found_sessions(source, EVERYTHING, SessionSearch(), limit=500)
    [(requests, cost, failures)] = real_rows_database.execute(
        "SELECT count(*), sum(spend::numeric), count(*) FILTER (WHERE status = 'failure')"
        ' FROM "LiteLLM_SpendLogs"'
    )
    assert page.rows["requests"].sum() == requests
    assert page.rows["failures"].sum() == failures
    assert page.rows["cost_usd"].sum() == pytest.approx(float(cost))
    assert sessions.session_counts(source, EVERYTHING, SessionSearch()) == len(page.rows)
    assert page.rows["session_key"].is_unique


def test_each_version_and_layout_lists_and_opens_its_sessions(database, version, partitioned):
    made = database(version, rows.real_rows(), partitioned)
    source = source_of(made)
    page = sessions.found_sessions(source, EVERYTHING, SessionSearch(sort="length"), limit=500)
    assert page.rows["requests"].sum() == 130
    for row in page.rows.head(3).to_dict("records"):
        identity = row["session_id"], row["api_key"]
        whole = sessions.summary(source, session(*identity))
        assert (whole.requests, whole.cost_usd) == (row["requests"], row["cost_usd"])
        light = sessions.requests_of(source, session(*identity))
        assert len(light) == row["requests"]
        assert sessions.session_of_request(source, light["request_id"][0]) == identity
        assert identity[1] in set(sessions.keys_of(source, identity[0])["api_key"])
        assert found(source, SessionSearch(id=identity[0])).count(identity[0]) >= 1


def test_a_request_without_session_id_is_a_session_by_its_own_id(database, version, partitioned):
    made = database(
        version,
        [
            spend_log(request_id="null", session_id=None, litellm_call_id=None),
            spend_log(request_id="empty", session_id="", startTime=NOON + SECOND),
            # Somebody else's session happens to be called like that request.
            spend_log(request_id="3", session_id="null", api_key=OTHER_KEY),
        ],
        partitioned,
    )
    source = source_of(made)
    assert set(found(source)) >= {"empty", "null"}
    for request_id in ("null", "empty"):
        whole = sessions.summary(source, session(request_id, KEY))
        assert (whole.session_id, whole.requests) == (request_id, 1)
        light = sessions.requests_of(source, session(request_id, KEY))
        assert list(light["request_id"]) == [request_id]
        assert sessions.session_of_request(source, request_id) == (request_id, KEY)
    keys = set(sessions.keys_of(source, "null")["api_key"])
    assert keys == ({KEY} if version == "2025-03-26" else {KEY, OTHER_KEY})


def test_the_whole_of_a_session_is_summed_up(database):
    made = database(
        rows=[
            spend_log(
                session_id="s",
                startTime=NOON - timedelta(days=3),
                request_duration_ms=1000,
                completionStartTime=NOON - timedelta(days=3) + SECOND / 4,
                spend=0.1,
                agent_id="agent-1",
                end_user="eu",
                request_tags=["red", "User-Agent: curl", "blue"],
            ),
            spend_log(
                session_id="s",
                request_duration_ms=3000,
                spend=0.2,
                model_group="claude",
                custom_llm_provider="anthropic",
                request_tags=["blue"],
            ),
            spend_log(
                session_id="s",
                startTime=NOON + SECOND,
                request_duration_ms=1,
                spend=0,
                cache_hit="True",
                request_tags=None,
            ),
            failure(
                session_id="s",
                startTime=NOON + 2 * SECOND,
                request_duration_ms=500,
                request_tags={"not": "a list"},
            ),
        ]
    )
    rows.name_key(made.engine, KEY, "a key")
    rows.name_user(made.engine, "user-1", email="ann@example.com")
    assert asdict(sessions.summary(source_of(made), session("s", KEY))) == {
        "session_id": "s",
        "api_key": KEY,
        "key_name": "a key",
        "user": "user-1",
        "user_name": "ann@example.com",
        "team": "team-1",
        "team_name": "team-1",
        "agent": "agent-1",
        "end_user": "eu",
        "models": ("claude", "gpt-4o"),
        "providers": ("anthropic", "openai"),
        "started_at": NOON - timedelta(days=3),
        "ended_at": NOON + 3 * SECOND,
        "duration_ms": 3 * 86_400_000 + 3000.0,
        "model_ms": 4501.0,
        "requests": 4,
        "failures": 1,
        "cache_hits": 1,
        "cost_usd": 0.3,
        "prompt_tokens": 30,
        "completion_tokens": 10,
        "total_tokens": 40,
        "replayed_tokens": 15,
        "response_ms_avg": 2000.0,
        "response_ms_p95": 2900.0,
        "ttft_ms_p50": 250.0,
        "tags": ("blue", "red"),
    }


def test_a_session_that_is_not_there_is_said_so(empty_database):
    source = source_of(empty_database)
    with pytest.raises(errors.NoSuchSession):
        sessions.summary(source, session("nobody", KEY))
    assert sessions.keys_of(source, "nobody").empty
    assert sessions.requests_of(source, session("nobody", KEY)).empty
    assert sessions.session_of_request(source, "nobody") is None


def test_at_most_twenty_tags_are_told(database):
    tags = [f"tag-{number:02}" for number in range(30)]
    made = database(rows=[spend_log(session_id="s", request_tags=tags)])
    assert sessions.summary(source_of(made), session("s", KEY)).tags == tuple(tags[:20])


def test_requests_come_in_the_order_they_started_without_bodies(database):
    made = database(
        rows=[
            spend_log(
                session_id="s",
                request_id="b",
                litellm_call_id="c",
                request_duration_ms=20,
                metadata=metadata(
                    litellm_overhead_time_ms=2.5,
                    attempted_retries=1,
                    original_model_group="gpt-5",
                    additional_usage_values={
                        "cache_read_input_tokens": 4,
                        "completion_tokens_details": {"reasoning_tokens": 3},
                    },
                    cost_breakdown={"input_cost": 0.125, "cache_read_cost": 1e-7},
                    model_map_information={
                        "model_map_value": {"max_input_tokens": 128_000, "input_cost_per_token": 1}
                    },
                ),
            ),
            spend_log(session_id="s", request_id="a", spend=0.1, cache_hit="True"),
            failure(session_id="s", request_id="0", startTime=NOON + HOUR * 100, model="m"),
        ]
    )
    source = source_of(made)
    light = sessions.requests_of(source, session("s", KEY))
    assert records(light)[1] == {
        "request_id": "b",
        "session_id": "s",
        "api_key": KEY,
        "call_id": "c",
        "background_id": None,
        "started_at": NOON,
        "ended_at": NOON + timedelta(milliseconds=20),
        "latency_ms": 20.0,
        "response_ms": 20.0,
        "ttft_ms": None,
        "model": "gpt-4o",
        "deployment": "openai/gpt-4o",
        "provider": "openai",
        "call_type": "acompletion",
        "is_failure": False,
        "is_cache_hit": False,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "error_class": None,
        "error_message": None,
        "asked_model": "gpt-5",
        "attempted_retries": 1,
        "attempted_fallbacks": 0,
        "cached_prompt_tokens": 4,
        "overhead_ms": 2.5,
        "max_input_tokens": 128_000,
        "input_cost_usd": 0.125,
        "cached_input_cost_usd": 1e-7,
        "input_cost_per_token": 1.0,
        "reasoning_tokens": 3,
        "cost_usd": 0.25,
    }
    assert light["error_class"][2] == "RateLimitError"
    told = light[["request_id", "is_failure", "is_cache_hit", "cost_usd"]]
    assert told.values.tolist() == [
        ["a", False, True, 0.1],
        ["b", False, False, 0.25],
        ["0", True, False, 0.0],
    ]
    first = sessions.requests_of(source, session("s", KEY), limit=2)
    assert list(first["request_id"]) == ["a", "b"]
    none = sessions.requests_of(source, session("nobody", KEY))
    assert none.dtypes.to_dict() == light.dtypes.to_dict()


@pytest.mark.parametrize(
    "said",
    [
        {"model_map_information": "gpt-4o", "cost_breakdown": "free"},
        {"model_map_information": {"model_map_value": "{}"}, "cost_breakdown": []},
        {"model_map_information": {"model_map_value": {"max_input_tokens": "128000"}}},
        {"model_map_information": {"model_map_value": {"max_input_tokens": 1e300}}},
        {"model_map_information": {"model_map_value": ["x" * 2_000_000]}},
        {"cost_breakdown": {"input_cost": "0.1", "cache_read_cost": None}},
        {"cost_breakdown": {"input_cost": 1e300}, "litellm_overhead_time_ms": True},
        {"usage_object": {"completion_tokens_details": {"reasoning_tokens": "3"}}},
        {"usage_object": {"completion_tokens_details": []}, "additional_usage_values": 7},
    ],
    ids=lambda said: str(said)[:60],
)
def test_metadata_that_makes_no_sense_says_nothing(database, said):
    made = database(rows=[spend_log(session_id="s", metadata=metadata(**said))])
    (row,) = records(sessions.requests_of(source_of(made), session("s", KEY)))
    unknown = ("overhead_ms", "max_input_tokens", "input_cost_usd", "cached_input_cost_usd")
    assert [row[name] for name in (*unknown, "reasoning_tokens")] == [None] * 5


def test_what_a_model_thought_is_told_of_a_response_too(real_rows_database):
    thinking = "1553928e-2efa-4e02-a06d-4069d74fe9bc"
    (key,) = {row["api_key"] for row in real_rows() if row["session_id"] == thinking}
    (row,) = records(sessions.requests_of(source_of(real_rows_database), session(thinking, key)))
    assert (row["completion_tokens"], row["reasoning_tokens"]) == (161, 32)


def test_an_amount_too_small_for_a_double_is_nothing(database):
    costs = '{"cost_breakdown": {"input_cost": 1e-400}}'
    made = database(rows=[spend_log(session_id="s", metadata=costs)])
    (row,) = records(sessions.requests_of(source_of(made), session("s", KEY)))
    assert row["input_cost_usd"] == 0


def test_requests_joined_from_several_sessions_are_one(database):
    made = database(
        rows=[
            spend_log(session_id="s", request_id="a", request_tags=["red"]),
            spend_log(session_id="t", request_id="b", startTime=NOON + SECOND),
            spend_log(session_id="u", request_id="c", startTime=NOON + 2 * SECOND),
            spend_log(session_id="s", request_id="d", api_key=OTHER_KEY),
        ]
    )
    source = source_of(made)
    joined = Selection(KEY, session_ids=("s", "t"))
    starts = {"c": NOON + 2 * SECOND, "b": NOON + SECOND, "d": NOON}
    named = Selection(KEY, rows=tuple(RowId(*one) for one in starts.items()))
    assert list(sessions.requests_of(source, joined)["request_id"]) == ["a", "b"]
    assert list(sessions.requests_of(source, named)["request_id"]) == ["b", "c"]
    whole = sessions.summary(source, joined)
    assert (whole.session_id, whole.requests, whole.tags) == ("s", 2, ("red",))
    assert sessions.summary(source, named).session_id == "c"
    with pytest.raises(errors.NoSuchSession):
        sessions.summary(source, Selection(KEY))


def test_a_request_leads_to_its_session_by_either_of_its_ids(database):
    made = database(
        rows=[
            spend_log(session_id="s", request_id="r", litellm_call_id="c"),
            spend_log(session_id="t", request_id="c2", litellm_call_id="r"),
        ]
    )
    assert sessions.session_of_request(source_of(made), "r") == ("s", KEY)
    assert sessions.session_of_request(source_of(made), "c") is None
    made.execute('CREATE INDEX ON "LiteLLM_SpendLogs" (litellm_call_id)')
    assert sessions.session_of_request(source_of(made), "r") == ("s", KEY)
    assert sessions.session_of_request(source_of(made), "c") == ("s", KEY)


def test_of_a_request_that_stands_twice_the_newest_counts(database):
    twice = [
        spend_log(request_id="r", session_id=f"s{day}", startTime=NOON + timedelta(days=day))
        for day in range(2)
    ]
    source = source_of(database(rows=twice, partitioned=True))
    assert sessions.session_of_request(source, "r") == ("s1", KEY)
    assert found(source, SessionSearch(id="r")) == ["s1", "s0"]


@pytest.mark.parametrize(
    "changes",
    [
        {"spend": float("nan")},
        {"spend": float("inf")},
        {"spend": -0.00028},
        {"spend": 1e-300},
        {"spend": 1e300},
        {"endTime": NOON - HOUR},
        {"total_tokens": 2**31 - 1, "prompt_tokens": -1},
        {"api_key": "", "user": "", "team_id": "", "model_group": "", "model": ""},
        {"session_id": '\'; DROP TABLE "LiteLLM_SpendLogs"; --'},
        {"session_id": "x" * 2_000},
        {"session_id": "a:b", "api_key": "c:d"},
        {"session_id": "  ", "request_id": "\n"},
        {"session_id": "😀%s %(x)s :name"},
        {"metadata": None, "request_tags": None, "cache_hit": None, "status": None},
        {"metadata": "[]", "request_tags": '"text"', "completionStartTime": None},
        {"request_tags": [1, None, {"a": 1}, ""]},
        {"startTime": "9999-12-31T23:00:00", "endTime": "9999-12-31T23:00:00"},
    ],
    ids=str,
)
def test_an_absurd_row_is_listed_and_opened_like_any(database, changes):
    row = spend_log(**changes)
    source = source_of(database(rows=[row, spend_log(startTime=NOON - HOUR)]))
    identity = row["session_id"], row["api_key"]
    in_window = not isinstance(changes.get("startTime"), str)
    for sort in ("recent", "cost", "length", "errors"):
        assert (identity[0] in found(source, SessionSearch(sort=sort))) is in_window
    assert found(source, SessionSearch(id=row["request_id"])) in ([identity[0]], [])
    assert sessions.summary(source, session(*identity)).requests == 1
    assert len(sessions.requests_of(source, session(*identity))) == 1


@pytest.mark.parametrize("identity", ["", "\0", "a\0b", "\ud800", "%", "_", "' OR '1'='1"])
def test_an_id_that_nobody_has_finds_nothing(database, identity):
    source = source_of(database(rows=[spend_log(session_id=None), spend_log(session_id="")]))
    assert sessions.keys_of(source, identity).empty
    assert sessions.session_of_request(source, identity) is None
    assert sessions.requests_of(source, session(identity, KEY)).empty
    with pytest.raises(errors.NoSuchSession):
        sessions.summary(source, session(identity, KEY))


@pytest.mark.parametrize("api_key", ["\0", "\ud800"])
def test_a_key_that_nobody_has_finds_nothing(database, api_key):
    source = source_of(database(rows=[spend_log(session_id="s")]))
    assert sessions.requests_of(source, session("s", api_key)).empty
    with pytest.raises(errors.NoSuchSession):
        sessions.summary(source, session("s", api_key))


def test_a_role_with_the_needed_columns_alone_sees_sessions(database, role):
    made = database(rows=[spend_log(session_id="s", request_id="r")])
    needed = (
        'request_id, api_key, "startTime", "endTime", spend, prompt_tokens, completion_tokens,'
        " total_tokens, model"
    )
    source = source_of(made, role(made, "narrow", [f'SELECT ({needed}) ON "LiteLLM_SpendLogs"']))
    assert found(source) == ["r"]
    whole = sessions.summary(source, session("r", KEY))
    assert (whole.models, whole.user_name, whole.key_name) == (
        ("openai/gpt-4o",),
        None,
        f"{KEY[:8]}…",
    )


def test_frames_hold_times_in_utc(database):
    frame = sessions.keys_of(source_of(database(rows=[spend_log(session_id="s")])), "s")
    assert frame["started_at"].dtype == pd.DatetimeTZDtype("us", "UTC")

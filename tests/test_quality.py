"""The checks of the log find what is planted, count as Python does, and show each their own."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import litellm
from tests.calling import calls_of, token
from tests.cases import as_text
from tests.database import Database
from tests.page_words import words
from tests.replicas import in_files
from tests.rows import (
    KEY,
    NOON,
    failure,
    key_of,
    metadata,
    name_deleted_key,
    name_key,
    real_rows,
    spend_log,
)
from tests.sources import FILTERS, source_of
from tests.visiting import people, signed_in, visit
from tracelib import quality
from tracelib.conversation.bodies.known_fields import CALL_TYPES
from tracelib.filters import Filters
from tracelib.permissions.access import Access, Scope
from tracelib.quality import CHECKS, Check, Finding
from tracelib.quality.unreadable import NEEDS
from tracelib.source import Postgres
from tracelib.window import TimeWindow

SECOND = timedelta(seconds=1)
LOG = '"LiteLLM_SpendLogs"'
DAYS = Filters(TimeWindow(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)))
RANGE = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-30T00:00:00Z"}
PAGE = {"range": "custom", "from": "2026-11-01", "to": "2026-11-29", "zone": "UTC"}
PART = {"part": "data quality"}


ADA = metadata(user_api_key_alias="ada")


def clean(**changes: Any) -> dict:
    """A request in which no check finds anything, if another one has the same session."""
    body = {"messages": [{"role": "user", "content": "Hello"}], "stream": True}
    start = changes.get("startTime", NOON)
    own = {
        "session_id": "s",
        "completionStartTime": start + timedelta(milliseconds=200),
        "proxy_server_request": body,
        "metadata": ADA,
    }
    return spend_log(**own | changes)


def all_checks(source: Postgres, filters: Filters = FILTERS) -> tuple[Check, ...]:
    others = (quality.odd(source, filters, NOON), quality.sampled(source, filters))
    return quality.checks(quality.counts(source, filters), others, quality.unreadable(source))


def found(source: Postgres, filters: Filters = FILTERS) -> dict[str, tuple[Any, ...]]:
    """The checks that found anything: rows, of, and the first."""
    return {
        one.name: (one.rows, one.of, one.since) for one in all_checks(source, filters) if one.rows
    }


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{time}+00:00")


@pytest.fixture(scope="module")
def log(server) -> Iterator[Database]:
    made = Database(server)
    yield made
    made.drop()


@pytest.fixture(scope="module")
def source(log) -> Iterator[Postgres]:
    """The log as an admin sees it."""
    made = source_of(log)
    yield made
    made.engine.dispose()


@pytest.fixture
def two(log) -> Iterator[Database]:
    """A log of two requests without a defect."""
    log.insert([clean(request_id="a", litellm_call_id="call"), clean(request_id="b")])
    yield log
    log.execute(f"TRUNCATE {LOG}")


def test_true_rows_have_these_defects(real_rows_database):
    assert [(one.name, one.rows, one.of, one.since) for one in all_checks(
        source_of(real_rows_database), DAYS
    )] == [
        ("impossible_amounts", 0, 130, None),
        ("unpriced", 3, 130, at("08:49:49.667")),
        # An older LiteLLM has logged a response without an ID.
        ("no_ids", 1, 130, at("08:51:40.668")),
        ("duplicated_ids", 0, 130, None),
        ("in_the_future", 0, 130, None),
        ("ends_before_start", 0, 130, None),
        ("no_prompt", 7, 130, at("07:42:47.586")),
        ("single_request_sessions", 88, 130, at("07:42:36.580")),
        ("shared_sessions", 0, 130, None),
        ("unresolved_keys", 4, 130, at("08:51:37.320")),
        ("streams_without_first_token", 2, 130, at("08:51:39.757")),
        ("no_first_token", 101, 106, at("07:42:36.580")),
        ("facts_as_text", 0, 130, None),
        ("unknown_call_types", 0, 130, None),
        ("unknown_fields", 0, 130, None),
    ]  # fmt: skip


LATER = NOON + 5 * SECOND
SOON = datetime.now(UTC) + timedelta(days=2)
OTHER = key_of("other")
# A defect -> the request that has it, and which checks find it.
PLANTED: dict[str, tuple[dict, set[str]]] = {
    "negative spend": ({"spend": -0.5}, {"impossible_amounts"}),
    "no number": ({"spend": float("nan")}, {"impossible_amounts"}),
    "infinite": ({"spend": float("inf")}, {"impossible_amounts"}),
    "negative tokens": ({"prompt_tokens": -1}, {"impossible_amounts"}),
    "unpriced": ({"spend": 0.0}, {"unpriced"}),
    "less than is counted": ({"spend": 1e-17}, {"unpriced"}),
    "id None": ({"request_id": "None"}, {"no_ids"}),
    "empty id": ({"request_id": ""}, {"no_ids"}),
    "a call twice": ({"litellm_call_id": "call"}, {"duplicated_ids"}),
    "future": ({"startTime": SOON}, {"in_the_future"}),
    "backwards": ({"endTime": NOON}, {"ends_before_start"}),
    "no prompt": ({"proxy_server_request": {}}, {"no_prompt"}),
    "null as prompt": ({"proxy_server_request": "null"}, {"no_prompt"}),
    "alone": ({"session_id": "alone"}, {"single_request_sessions"}),
    "no session": ({"session_id": ""}, {"single_request_sessions"}),
    "session None": (
        {"session_id": "None"},
        {"shared_sessions", "single_request_sessions"},
    ),
    "unnamed key": (
        {"api_key": OTHER, "metadata": metadata()},
        {"unresolved_keys", "single_request_sessions"},
    ),
    "a stream": (
        {"completionStartTime": None},
        {"streams_without_first_token", "no_first_token"},
    ),
    "no stream": (
        {"completionStartTime": None, "proxy_server_request": {"messages": [1]}},
        {"no_first_token"},
    ),
    "text": (as_text({"metadata": ADA}), {"facts_as_text"}),
    "call type": ({"call_type": "adream"}, {"unknown_call_types"}),
    "field": ({"proxy_server_request": {"messages": [1], "mood": "calm"}}, {"unknown_fields"}),
}
HARMLESS: dict[str, dict] = {
    "a cache hit is free": {"spend": 0.0, "cache_hit": "True"},
    "a failure is free": {"spend": 0.0, "status": "failure"},
    "a fetch has no cost": {"spend": 0.0, "call_type": "aget_responses"},
    "no tokens, no cost": {"spend": 0.0, "prompt_tokens": 0, "completion_tokens": 0},
    "the smallest amount": {"spend": 1e-15},
    "a path of a refused request": {"call_type": "/v1/models"},
    "no call type": {"call_type": ""},
    "the bill of an attempt": {"litellm_call_id": "call", "request_id": "a-attempt-0"},
    "no key": {"api_key": "", "session_id": "s", "request_id": "free"},
    "text that is no document": {"messages": '"Hello, this is a text."'},
}


@pytest.mark.parametrize("defect", PLANTED)
def test_what_is_planted_is_found_and_gone_when_removed(two, source, defect):
    changes, names = PLANTED[defect]
    assert found(source) == {}
    planted = clean(**{"request_id": "planted", "startTime": LATER} | changes)
    two.insert([planted])
    first = {name: (rows, since) for name, (rows, _, since) in found(source).items()}
    assert first.keys() == names
    assert {rows for rows, _ in first.values()} == {1}
    assert all(abs(since - planted["startTime"]) < SECOND for _, since in first.values())
    for name in names & quality.WITH_EXAMPLES:
        ids = quality.examples(source, FILTERS, name, NOON)["request_id"]
        assert ids.tolist() == [planted["request_id"]]
    two.execute(f"DELETE FROM {LOG} WHERE request_id NOT IN ('a', 'b')")
    assert found(source) == {}


@pytest.mark.parametrize("reason", HARMLESS)
def test_what_is_as_it_should_be_is_not_found(two, source, reason):
    two.insert([clean(**{"request_id": "planted", "startTime": LATER} | HARMLESS[reason])])
    assert found(source).keys() <= {"single_request_sessions"}


def test_each_check_says_of_how_many_it_is(two):
    two.insert([clean(startTime=SOON, spend=0.0), clean(startTime=LATER, completion_tokens=0)])
    by_name = {one.name: one for one in all_checks(source_of(two))}
    assert (by_name["in_the_future"].rows, by_name["in_the_future"].of) == (1, 4)
    assert by_name["no_first_token"].of == 2
    assert by_name["unpriced"].of == 3
    assert by_name["in_the_future"].share == 0.25


def test_sessions_are_grouped_over_the_last_seven_days(two, source):
    wide = Filters(TimeWindow(NOON - timedelta(days=30), NOON + timedelta(hours=1)))
    two.insert([clean(startTime=NOON - timedelta(days=10), session_id="alone then")])
    two.insert([clean(session_id="alone now")])
    assert found(source, wide) == {"single_request_sessions": (1, 3, NOON)}
    assert quality.requests_in(quality.counts(source, wide)) == 4


def test_a_duplicate_of_a_partitioned_log_is_found(database):
    twice = [clean(request_id="x"), clean(request_id="x", startTime=LATER), clean()]
    made = database(rows=twice, partitioned=True)
    assert found(source_of(made)) == {"duplicated_ids": (1, 3, LATER)}


def test_the_newest_are_read_and_no_others(two):
    two.insert([clean(startTime=LATER, proxy_server_request={"mood": 1}), clean()])
    source = source_of(two)
    read = quality.sampled(source, FILTERS, 2, 1)
    assert read == (
        Finding("no_prompt", 0, 2, None),
        Finding("duplicated_ids", 0, 2, None),
        Finding("facts_as_text", 0, 1, None),
        Finding("streams_without_first_token", 0, 1, None),
        Finding("unknown_fields", 1, 1, LATER),
    )
    two.execute(f"DELETE FROM {LOG} WHERE proxy_server_request ? 'mood'")


def test_a_key_has_the_name_of_any_table(two, source):
    two.insert([clean(api_key=OTHER, metadata=metadata()) for _ in range(2)])
    assert found(source) == {"unresolved_keys": (2, 4, NOON)}
    name_key(two.engine, OTHER, "their key")
    assert found(source) == {}
    two.execute('DELETE FROM "LiteLLM_VerificationToken"')
    name_deleted_key(two.engine, OTHER, "their old key")
    assert found(source) == {}
    two.execute('DELETE FROM "LiteLLM_DeletedVerificationToken"')


def test_an_empty_log_has_no_defects(empty_database):
    checks = all_checks(source_of(empty_database))
    assert [one.name for one in checks] == list(CHECKS)
    assert {(one.rows, one.of, one.share, one.since) for one in checks} == {(0, 0, None, None)}
    assert quality.worst(checks) is None


def test_one_request_is_alone(database):
    source = source_of(database(rows=[clean()]))
    assert found(source) == {"single_request_sessions": (1, 1, NOON)}


# ---------------------------------------------------------------- counted independently

AMOUNTS = [0.0, 0.25, -1.0, 1e-17, float("nan"), float("inf"), 2e15]
STARTS = [NOON + minute * timedelta(minutes=1) for minute in range(-1, 4)]
ODD: dict[str, list[Any]] = {
    "spend": AMOUNTS,
    "startTime": STARTS,
    "lasted": [-2000, 0, 1500],
    "first": [None, 0, 700],
    "prompt_tokens": [0, 3, -2],
    "completion_tokens": [0, 5],
    "cache_hit": ["True", "None", "", None],
    "status": ["success", "failure", None],
    "call_type": ["acompletion", "", "adream", "/v1/x", "aget_responses"],
    "session_id": ["s", "t", "", None],
    "api_key": [KEY, OTHER, "", "litellm_proxy_master_key", "sk-odd"],
}
ODD_ROWS = st.lists(
    st.fixed_dictionaries({name: st.sampled_from(values) for name, values in ODD.items()}),
    max_size=12,
)


def odd_row(number: int, drawn: dict) -> dict:
    own = {name: value for name, value in drawn.items() if name not in ("lasted", "first")}
    start = drawn["startTime"]
    first = None if drawn["first"] is None else start + timedelta(milliseconds=drawn["first"])
    end = start + timedelta(milliseconds=drawn["lasted"])
    alias = metadata(user_api_key_alias="ada" if drawn["api_key"] == KEY else None)
    times = {"endTime": end, "completionStartTime": first, "request_duration_ms": None}
    return spend_log(request_id=f"r{number}", metadata=alias, **own | times)


def counted_in_python(rows: list[dict]) -> dict[str, int]:
    """The same counts without SQL."""
    inside = [row for row in rows if FILTERS.window.start <= row["startTime"] < FILTERS.window.end]
    sessions = Counter(map(session_of, inside))
    return {
        "unpriced": sum(map(is_unpriced, inside)),
        "ends_before_start": sum(row["endTime"] < row["startTime"] for row in inside),
        "impossible_amounts": sum(
            not abs(row["spend"]) <= 1e15
            or row["spend"] < -1e-16
            or min(row["prompt_tokens"], row["completion_tokens"], row["total_tokens"]) < 0
            for row in inside
        ),
        "unknown_call_types": sum(row["call_type"] == "adream" for row in inside),
        "no_first_token": sum(is_response(row) and not has_first(row) for row in inside),
        "unresolved_keys": sum(row["api_key"] in (OTHER, "sk-odd") for row in inside),
        "single_request_sessions": sum(sessions[session_of(row)] == 1 for row in inside),
        "of": len(inside),
        "responses": sum(map(is_response, inside)),
    }


def session_of(row: dict) -> tuple[str, str]:
    return row["session_id"] or row["request_id"], row["api_key"]


def is_success(row: dict) -> bool:
    return row["status"] != "failure" and row["cache_hit"] != "True"


def is_unpriced(row: dict) -> bool:
    is_free = is_success(row) and row["call_type"] != "aget_responses"
    return is_free and row["total_tokens"] > 0 and abs(row["spend"]) < 5e-16


def is_response(row: dict) -> bool:
    is_timed = row["endTime"] >= row["startTime"]
    return is_success(row) and is_timed and row["completion_tokens"] > 0


def has_first(row: dict) -> bool:
    first = row["completionStartTime"]
    return first is not None and row["startTime"] <= first < row["endTime"]


def as_counted(found: quality.Findings) -> dict[str, int]:
    by_name = {one.name: one for one in found}
    of = {"of": by_name["unpriced"].of, "responses": by_name["no_first_token"].of}
    return {name: one.rows for name, one in by_name.items()} | of


@settings(max_examples=30)
@given(drawn=ODD_ROWS)
def test_counts_are_those_of_python(log, source, drawn):
    rows = [odd_row(number, one) for number, one in enumerate(drawn)]
    log.insert(rows)
    try:
        assert as_counted(quality.counts(source, FILTERS)) == counted_in_python(rows)
    finally:
        log.execute(f"DELETE FROM {LOG}")


def test_a_replica_counts_the_same(log, server, tmp_path):
    draw = Random(7).choice
    drawn = [{name: draw(values) for name, values in ODD.items()} for _ in range(400)]
    rows = [odd_row(number, one) for number, one in enumerate(drawn)]
    log.insert(rows)
    source = source_of(log)
    with in_files(source, server, tmp_path) as replica:
        held = quality.counts(replica, FILTERS)
        assert held == quality.counts(source, FILTERS)
        assert as_counted(held) == counted_in_python(rows)
    log.execute(f"TRUNCATE {LOG}")


# ---------------------------------------------------------------- what is missing

UNREADABLE = {
    "2025-03-26": {
        *("no_prompt", "single_request_sessions", "streams_without_first_token"),
        *("shared_sessions", "unknown_fields"),
    },
    # Its sessions have no index.
    "2025-05-23": set(),
}


@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_an_old_version_names_the_columns_that_it_lacks(database, version):
    made = database(version, rows=[clean(), clean(spend=0.0)])
    checks = all_checks(source_of(made))
    unknown = {one.name: one.without for one in checks if one.rows is None}
    assert unknown.keys() == UNREADABLE.get(version, set())
    assert all(one.startswith("Needs ") for one in unknown.values())
    assert {one.name: one.rows for one in checks}["unpriced"] == 1


def test_what_is_not_granted_is_named_and_the_rest_counted(database, role):
    made = database(rows=[clean(), clean(spend=0.0)])
    granted = (
        'request_id, api_key, "startTime", "endTime", spend, prompt_tokens, completion_tokens,'
        " total_tokens, model"
    )
    source = source_of(made, role(made, "narrow", [f"SELECT ({granted}) ON {LOG}"]))
    checks = {one.name: one for one in all_checks(source)}
    assert {name for name, one in checks.items() if one.rows is None} == {
        name for name, _ in quality.unreadable(source)
    }
    assert checks["no_prompt"].without == "Needs proxy_server_request, which cannot be read."
    assert (checks["impossible_amounts"].rows, checks["impossible_amounts"].of) == (0, 2)


def test_every_check_is_declared():
    assert NEEDS.keys() < CHECKS.keys()
    assert len(set(CALL_TYPES)) == len(CALL_TYPES)
    assert all(one.effect.endswith(".") and one.remedy.endswith(".") for one in CHECKS.values())


# ---------------------------------------------------------------- scopes, the API and the page


def test_a_team_sees_its_own_defects(database):
    rows = [clean(team_id="red", spend=0.0), clean(team_id="red"), clean(request_id="None")]
    source = source_of(database(rows=[*rows, clean(startTime=SOON, team_id="blue")]))
    red = source.seen_by(Access(Scope(teams=("red",)), "viewer"))
    assert found(red) == {"unpriced": (1, 2, NOON)}
    unknown = {one.name for one in all_checks(red) if one.rows is None}
    assert unknown == {"no_prompt", "streams_without_first_token", "unknown_fields"}
    assert found(source).keys() == {"unpriced", "no_ids", "in_the_future"}


def test_the_api_has_the_checks_and_the_horizon(real_rows_database):
    api = calls_of(
        real_rows_database, token("all"), token("team", Scope(teams=("team-red",)), "viewer")
    )
    answer = api.get("/api/v1/data-quality", **RANGE)
    assert answer["requests"] == 130
    assert [one["name"] for one in answer["checks"]] == list(CHECKS)
    assert answer["checks"][1] == {
        "name": "unpriced",
        "title": "Tokens without cost",
        "rows": 3,
        "of": 130,
        "share": 3 / 130,
        "since": "2026-11-23T08:49:49.667000Z",
        "without": "",
        "effect": CHECKS["unpriced"].effect,
        "remedy": CHECKS["unpriced"].remedy,
    }
    kept = answer["retention"]
    assert (kept["oldest_request_at"], kept["rows"]) == ("2026-11-23T07:42:36.580000Z", 130)
    assert kept["kept_days"] is None
    assert kept["bytes_in_90_days"] > kept["bytes_in_30_days"] > kept["bytes"]
    team = api.by("team").get("/api/v1/data-quality", **RANGE)
    assert team["retention"] is None
    assert 0 < team["requests"] < 130
    assert {one["name"] for one in team["checks"] if one["rows"] is None} == {
        *("no_prompt", "streams_without_first_token", "unknown_fields")
    }


@pytest.mark.parametrize("query", [{"start": "soon"}, {"end": "2026-11-30"}, {"limit": "5"}])
def test_the_api_refuses_what_is_no_range(real_rows_database, query):
    response = calls_of(real_rows_database).send("GET", "/api/v1/data-quality", params=query)
    assert response.status_code == 422


def test_the_page_says_what_matters_most(open_page, real_rows_database):
    app = open_page("pages/Status.py", real_rows_database.url, **PAGE | PART)
    assert not app.exception
    text = words(app)
    assert "Tokens without cost: 3 requests, 2.3 %. Cost is lower than" in text
    assert "6 more of 15 checks found something." in text
    table = app.dataframe[0].value
    # What was found comes first, then what was not.
    assert set(table["title"]) == {one.title for one in CHECKS.values()}
    assert list(table["rows"]) == [3, 1, 7, 88, 4, 2, 101, *[0] * 8]
    assert "No regular deletion is evident." in text


def test_a_check_shows_its_newest_requests(open_page, real_rows_database):
    app = open_page("pages/Status.py", real_rows_database.url, **PAGE | PART)
    app.selectbox(key="check with requests").set_value("unpriced").run()
    assert not app.exception
    shown = app.dataframe[1].value
    assert list(shown["total_tokens"] > 0) == [True] * 3
    assert list(shown["started_at"]) == sorted(shown["started_at"], reverse=True)
    assert "The newest 3. Click a row to open it in its session." in words(app)


def test_the_page_of_an_empty_log_says_so(open_page, empty_database):
    app = open_page("pages/Status.py", empty_database.url, **PART)
    assert not app.exception
    assert "No requests in this time range" in words(app)
    assert "The log is empty." in words(app)


def test_the_page_of_a_team_has_no_horizon(database, monkeypatch, fresh_caches):
    made = database(rows=[clean(team_id="red", spend=0.0), clean(team_id="blue")])
    monkeypatch.setenv("DATABASE_URL", made.url)
    monkeypatch.setenv("TRACELIB_PEOPLE", people(ada=("viewer", {"teams": ["red"]})))
    app = visit("pages/Status.py", signed_in("ada@example.com"), **PAGE | PART)
    assert not app.exception
    assert "Tokens without cost: 1 request, 100 %." in words(app)
    assert "Growth a day" not in words(app)
    assert "Needs proxy_server_request" in json.dumps(list(app.dataframe[0].value["of"]))


def test_a_failure_is_no_defect(database):
    source = source_of(database(rows=[clean(), clean(), failure(session_id="s", metadata=ADA)]))
    assert found(source) == {"no_prompt": (1, 3, NOON)}


def test_true_rows_are_read_to_the_last(real_rows_database):
    """The documents of all of them are of known shapes, of each version."""
    source = source_of(real_rows_database)
    assert quality.sampled(source, DAYS)[2:] == (
        Finding("facts_as_text", 0, len(real_rows()), None),
        Finding("streams_without_first_token", 2, 130, at("08:51:39.757")),
        Finding("unknown_fields", 0, 130, None),
    )

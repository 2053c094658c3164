"""Retries and fallbacks as one operation, whoever tried again: LiteLLM, or the client."""

from dataclasses import astuple
from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import litellm, rows
from tests.cases import case
from tests.rows import KEY, NOON, V1_80, V1_109, V1_109_MORE, failure, metadata, scenario, spend_log
from tests.sources import records, source_of
from tracelib import sessions
from tracelib.conversation.attempts import same_prompt_neighbours
from tracelib.conversation.operations import Operation, operations
from tracelib.selection import RowId, Selection

SECOND = timedelta(seconds=1)
COLUMNS = {
    "request_id": "str",
    "call_id": "str",
    "session_id": "str",
    "api_key": "str",
    "started_at": "datetime64[us, UTC]",
    "ended_at": "datetime64[us, UTC]",
    "latency_ms": "float64",
    "model": "str",
    "deployment": "str",
    "provider": "str",
    "is_failure": "boolean",
    "is_cache_hit": "boolean",
    "error_class": "str",
    "error_message": "str",
    "asked_model": "str",
    "attempted_retries": "Int64",
    "attempted_fallbacks": "Int64",
    "cost_usd": "float64",
    "prompt_md5": "str",
}


def light(*requests: dict[str, object], prompts: bool = False) -> pd.DataFrame:
    """Light rows as the database gives them: a second each, one after another, no retries."""
    plain = dict.fromkeys(COLUMNS) | {
        "api_key": "k",
        "model": "m",
        "deployment": "openai/m",
        "is_failure": False,
        "cost_usd": 0.25,
    }
    made = []
    for number, one in enumerate(requests):
        at = NOON + number * 2 * SECOND
        made.append(plain | {"request_id": f"r{number}", "started_at": at} | one)
        made[-1].setdefault("ended_at", None)
        made[-1]["ended_at"] = made[-1]["ended_at"] or made[-1]["started_at"] + SECOND
    kept = {name: kind for name, kind in COLUMNS.items() if prompts or name != "prompt_md5"}
    frame = pd.DataFrame({name: [one[name] for one in made] for name in kept})
    return frame.astype(kept)


def failed(error_class: str = "Timeout", **changes: object) -> dict[str, object]:
    return {"is_failure": True, "error_class": error_class, "cost_usd": 0.0} | changes


def ids_of(found: Operation) -> tuple[str, ...]:
    return tuple(row.request_id for row in found.rows)


def rows_of(**starts: float) -> tuple[RowId, ...]:
    """Rows by their ids and when they started, in seconds after noon."""
    return tuple(RowId(name, NOON + second * SECOND) for name, second in starts.items())


def of_session(database_source, session_id: str, api_key: str = KEY) -> tuple[Operation, ...]:
    """What a page would ask of a session."""
    selection = Selection(api_key, (session_id,))
    return operations(
        sessions.requests_of(database_source, selection),
        same_prompt_neighbours(database_source, selection),
    )


def of_scenario(source, name: str, file: str = V1_109) -> tuple[Operation, ...]:
    [row] = scenario(name, file)
    session_id, api_key = sessions.session_of_request(source, row["request_id"])
    return of_session(source, session_id, api_key)


def test_a_real_fallback_was_asked_for_one_model_and_served_by_another(real_rows_database):
    [row] = scenario("fallback_success", V1_109)
    [found] = of_scenario(source_of(real_rows_database), "fallback_success")
    assert astuple(found)[2:] == (
        "primary",
        "gpt-4o-mini",
        "openai/gpt-4o-mini",
        (None,),
        2,
        None,
        None,
        "metadata",
    )
    assert ids_of(found) == (row["request_id"],)
    assert not found.is_inferred


def test_a_real_retry_took_two_attempts_of_which_one_is_stored(real_rows_database):
    [found] = of_scenario(source_of(real_rows_database), "retry_success_after_429", V1_109_MORE)
    assert astuple(found)[2:] == (
        "flaky",
        "flaky",
        "openai/flaky-model",
        (None,),
        2,
        None,
        None,
        "metadata",
    )


def test_a_real_client_that_tries_another_model_is_inferred(real_rows_database):
    first, last = scenario("agent_24_fail")[0], scenario("agent_25_retry_same")[0]
    [found] = of_session(source_of(real_rows_database), "sess-agent-0140", first["api_key"])
    assert found == Operation(
        rows=tuple(
            RowId(row["request_id"], pd.Timestamp(row["startTime"]).floor("ms"))
            for row in (first, last)
        ),
        started_at=pd.Timestamp(first["startTime"]).floor("ms"),
        asked_model="rate-limited",
        served_model="gpt-4o",
        served_by="openai/gpt-4o",
        reasons=("RateLimitError",),
        attempts=2,
        lost_ms=245.0,
        lost_usd=0.0,
        how="same prompt",
    )
    assert found.is_inferred


def test_rows_of_version_1_80_do_not_tell_how_long_a_failure_took(real_rows_database):
    [found] = of_scenario(source_of(real_rows_database), "fail_provider_500", V1_80)
    assert (found.lost_ms, found.lost_usd) == (None, 0.0)
    assert found.asked_model == "bad-auth"
    assert found.reasons[:3] == ("AuthenticationError", "RateLimitError", "InternalServerError")


@pytest.mark.parametrize("name", ["chat_success", "session_turn_2", "responses_turn_2_prev_id"])
def test_a_real_request_that_went_well_is_no_operation(real_rows_database, name):
    assert of_scenario(source_of(real_rows_database), name) == ()


def test_no_requests_are_no_operations():
    assert operations(light()) == ()
    assert operations(light(), light(prompts=True)) == ()


CALL = {"call_id": "c", "prompt_md5": "p"}


def test_requests_of_one_call_id_and_prompt_are_one_operation_until_one_succeeds():
    known = light(
        failed("RateLimitError", **CALL, model="big", cost_usd=0.5),
        failed("Timeout", **CALL, model="big", started_at=NOON + 6 * SECOND),
        {**CALL, "model": "small", "started_at": NOON + 9 * SECOND},
        {**CALL, "model": "small", "started_at": NOON + 12 * SECOND},
        prompts=True,
    )
    assert operations(known, known) == (
        Operation(
            rows=rows_of(r0=0, r1=6, r2=9),
            started_at=NOON,
            asked_model="big",
            served_model="small",
            served_by="openai/m",
            reasons=("RateLimitError", "Timeout"),
            attempts=3,
            lost_ms=9_000.0,
            lost_usd=0.5,
            how="call id",
        ),
    )


@pytest.mark.parametrize("unknown", [(0,), (1,), (0, 1)])
def test_a_call_id_without_the_prompts_is_no_proof(unknown):
    made = [failed(**CALL), {**CALL}]
    for place in unknown:
        made[place] = made[place] | {"prompt_md5": None}
    known = light(*made, prompts=True)
    [found] = operations(known, known)
    assert (ids_of(found), found.how, found.is_inferred) == (("r0", "r1"), "call id alone", True)


def test_a_chain_is_inferred_where_one_of_its_steps_is():
    known = light(failed(**CALL), failed(**CALL), {"prompt_md5": "p"}, prompts=True)
    [found] = operations(known, known)
    assert (ids_of(found), found.how) == (("r0", "r1", "r2"), "same prompt")


def test_a_call_id_that_a_client_gives_to_all_its_requests_joins_none_of_them(database):
    """In the log: a failure, and another prompt under its call id five seconds later."""
    made = case("callid")
    source = source_of(database(rows=made))
    assert of_session(source, "h1-callid", made[0]["api_key"]) == ()
    later = {"startTime": "2026-11-28T07:00:19", "endTime": "2026-11-28T07:00:20"}
    same = made[1] | later | {"proxy_server_request": made[0]["proxy_server_request"]}
    source = source_of(database(rows=[made[0], same]))
    assert of_session(source, "h1-callid", made[0]["api_key"]) == ()


def test_the_same_prompt_under_the_same_call_id_soon_after_is_a_retry(database):
    first, second = case("callid")
    again = second | {"proxy_server_request": first["proxy_server_request"]}
    source = source_of(database(rows=[first, again]))
    [found] = of_session(source, "h1-callid", first["api_key"])
    assert (found.how, found.attempts, found.is_inferred) == ("call id", 2, False)


def test_billed_attempts_belong_to_the_nearest_request_of_their_call_id():
    """A client that uses one call id all day has one request an hour under it."""
    hours = [NOON + hour * 3600 * SECOND for hour in range(2)]
    known = light(
        *(
            one
            for at in hours
            for one in (
                failed(call_id="my-app-attempt-0", started_at=at, cost_usd=0.5),
                {"call_id": "my-app", "started_at": at},
            )
        )
    )
    assert [found.rows for found in operations(known)] == [
        rows_of(r0=0, r1=0),
        rows_of(r2=3600, r3=3600),
    ]


def test_an_operation_that_nothing_served_lost_all_its_time():
    [found] = operations(light(failed(call_id="c"), failed(None, call_id="c", cost_usd=0.125)))
    assert found.how == "call id alone"
    assert (found.served_model, found.served_by, found.reasons) == (None, None, ("Timeout", None))
    assert (found.attempts, found.lost_ms, found.lost_usd) == (2, 3_000.0, 0.125)


def test_attempts_that_were_billed_have_rows_of_their_own_without_reasons():
    billed = {"started_at": NOON, "attempted_retries": 0}
    found = operations(
        light(
            failed(call_id="c-attempt-0", cost_usd=0.25, **billed),
            failed(call_id="c-attempt-1", cost_usd=0.5, **billed),
            failed("RateLimitError", call_id="c", started_at=NOON, attempted_retries=2),
        )
    )
    assert found == (
        Operation(
            rows=rows_of(r0=0, r1=0, r2=0),
            started_at=NOON,
            asked_model="m",
            served_model=None,
            served_by=None,
            reasons=(None, None, "RateLimitError"),
            attempts=3,
            lost_ms=1_000.0,
            lost_usd=0.75,
            how="call id",
        ),
    )


def test_a_client_s_own_numbered_call_ids_are_requests_of_their_own():
    assert operations(light({"call_id": "job"}, {"call_id": "job-attempt-1"})) == ()


@pytest.mark.parametrize(
    ("request_row", "expected"),
    [
        ({"attempted_retries": 2}, ("m", (None, None), 3, None, None)),
        ({"attempted_fallbacks": 1}, (None, (None,), 2, None, None)),
        ({"attempted_fallbacks": 1, "asked_model": "x"}, ("x", (None,), 2, None, None)),
        (
            {"attempted_retries": 1, "attempted_fallbacks": 1, "asked_model": "x"},
            ("x", (None, None), 3, None, None),
        ),
        (failed(attempted_retries=1), ("m", (None, "Timeout"), 2, 1_000.0, None)),
    ],
)
def test_what_the_metadata_tells_of_attempts_inside_litellm(request_row, expected):
    [found] = operations(light(request_row))
    assert found.how == "metadata"
    assert expected == (
        found.asked_model,
        found.reasons,
        found.attempts,
        found.lost_ms,
        found.lost_usd,
    )


@pytest.mark.parametrize("retries", [0, None, pd.NA])
def test_a_request_without_retries_is_no_operation(retries):
    assert operations(light({"attempted_retries": retries, "attempted_fallbacks": retries})) == ()


def test_a_client_s_retry_after_litellm_s_own_counts_all_attempts():
    first = failed(attempted_retries=2, prompt_md5="p")
    found = operations(light(first, {}), light(first, {"prompt_md5": "p"}, prompts=True))
    [one] = found
    assert (one.how, one.attempts, one.reasons) == ("same prompt", 4, (None, None, "Timeout"))
    assert (one.lost_ms, one.lost_usd) == (2_000.0, None)


PROMPT = {"prompt_md5": "p"}


@pytest.mark.parametrize(
    "rows_of_one_prompt",
    [
        [PROMPT, PROMPT],  # both went well
        [PROMPT, failed(**PROMPT)],  # nothing after the failure
        [failed(**PROMPT), {**PROMPT, "started_at": NOON + SECOND / 2}],  # in parallel
        [failed(**PROMPT), {**PROMPT, "started_at": NOON + 11.001 * SECOND}],  # much later
        [failed(**PROMPT), {"prompt_md5": "q"}],
        [failed(**PROMPT), {**PROMPT, "api_key": "other"}],
        [failed(), {}],  # prompts not stored
        [failed(call_id="c"), {"call_id": "c", "api_key": "other"}],
        [failed(call_id="c"), {"call_id": "c", "started_at": NOON + SECOND / 2}],
        [failed(**CALL), {**CALL, "started_at": NOON + 11.001 * SECOND}],
        [failed(**CALL), {**CALL, "prompt_md5": "q"}],
        [failed(call_id="c"), {"call_id": "c", "started_at": NOON + 7200 * SECOND}],
    ],
)
def test_what_does_not_try_again(rows_of_one_prompt):
    known = light(*rows_of_one_prompt, prompts=True)
    assert operations(known, known) == ()


@pytest.mark.parametrize("waited", [0, 0.001, 10])
def test_what_follows_a_failure_within_ten_seconds_tries_again(waited):
    later = NOON + SECOND + waited * SECOND
    known = light(failed(**PROMPT), {**PROMPT, "started_at": later}, prompts=True)
    [found] = operations(known, known)
    assert (ids_of(found), found.lost_ms) == (("r0", "r1"), 1_000.0 + waited * 1_000)


def test_parallel_failures_of_one_prompt_are_each_tried_again_once():
    known = light(
        failed(**PROMPT, started_at=NOON),
        failed(**PROMPT, started_at=NOON),
        {**PROMPT, "started_at": NOON + 2 * SECOND},
        {**PROMPT, "started_at": NOON + 2 * SECOND},
        prompts=True,
    )
    assert [ids_of(one) for one in operations(known, known)] == [("r0", "r2"), ("r1", "r3")]


def test_neighbours_count_only_with_a_request_that_was_asked_about():
    known = light(
        failed(**PROMPT), {**PROMPT}, {"attempted_retries": 1, "prompt_md5": "q"}, prompts=True
    )
    assert [ids_of(one) for one in operations(known.iloc[:1], known)] == [("r0", "r1")]
    assert operations(known.iloc[:0], known) == ()


ATTEMPTS = st.fixed_dictionaries(
    {
        "is_failure": st.booleans(),
        "call_id": st.sampled_from([None, "c", "d", "c-attempt-0"]),
        "prompt_md5": st.sampled_from([None, "p", "q"]),
        "attempted_retries": st.sampled_from([None, 0, 1]),
        "started_at": st.integers(0, 20).map(lambda second: NOON + second * SECOND),
    }
)


@settings(max_examples=30, deadline=None)
@given(st.lists(ATTEMPTS, max_size=8))
def test_each_request_is_in_one_operation_at_most_and_only_the_last_may_succeed(attempts):
    known = light(*attempts, prompts=True)
    success = {row["request_id"] for row in records(known) if not row["is_failure"]}
    found = operations(known, known)
    ids = [one for operation in found for one in ids_of(operation)]
    assert len(ids) == len(set(ids))
    for operation in found:
        assert not success.intersection(ids_of(operation)[:-1])
        assert (operation.served_model is not None) == (ids_of(operation)[-1] in success)
        assert operation.attempts > 1
        is_served = operation.served_model is not None
        assert len(operation.reasons) == operation.attempts - is_served


@pytest.mark.parametrize(
    ("version", "partitioned"), [*((one, False) for one in litellm.VERSIONS), ("latest", True)]
)
def test_every_schema_infers_the_same_where_it_holds_prompts(database, version, partitioned):
    source = source_of(database(version, rows.real_rows(V1_80), partitioned))
    found = of_scenario(source, "fail_provider_500", V1_80)
    assert [one.attempts for one in found] == ([] if version == "2025-03-26" else [7])


def asking(text: str) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}]}


def neighbours(source, session_id: str = "s") -> list[str]:
    found = same_prompt_neighbours(source, Selection(KEY, (session_id,)))
    return list(found["request_id"])


def test_a_neighbour_comes_with_its_facts_and_the_hash_of_its_prompt(database):
    about = metadata(original_model_group="gpt-5", attempted_retries=1, attempted_fallbacks=2)
    asked = asking("q")
    made = database(
        rows=[
            failure(session_id="s", request_id="a", proxy_server_request=asked),
            spend_log(
                request_id="b",
                session_id="t",
                litellm_call_id="c",
                startTime=NOON + 5 * SECOND,
                proxy_server_request=asked | {"model": "gpt-4o", "stream": True},
                metadata=about,
            ),
        ]
    )
    found = same_prompt_neighbours(source_of(made), Selection(KEY, ("s",)))
    assert {name: str(kind) for name, kind in found.dtypes.items()} == COLUMNS
    first, second = records(found)
    assert (first["request_id"], first["is_failure"], first["error_class"]) == (
        "a",
        True,
        "RateLimitError",
    )
    assert second == {
        "request_id": "b",
        "call_id": "c",
        "session_id": "t",
        "api_key": KEY,
        "started_at": NOON + 5 * SECOND,
        "ended_at": NOON + 6 * SECOND,
        "latency_ms": 1_000.0,
        "model": "gpt-4o",
        "deployment": "openai/gpt-4o",
        "provider": "openai",
        "is_failure": False,
        "is_cache_hit": False,
        "error_class": None,
        "error_message": None,
        "asked_model": "gpt-5",
        "attempted_retries": 1,
        "attempted_fallbacks": 2,
        "cost_usd": 0.25,
        "prompt_md5": first["prompt_md5"],
    }
    [one] = of_session(source_of(made), "s")
    assert (ids_of(one), one.served_model, one.attempts) == (("a", "b"), "gpt-4o", 5)


def test_without_failures_there_are_no_neighbours(database, empty_database):
    for made in (empty_database, database(rows=[spend_log(proxy_server_request=asking("q"))])):
        found = same_prompt_neighbours(source_of(made), Selection(KEY, ("s",)))
        assert {name: str(kind) for name, kind in found.dtypes.items()} == COLUMNS
        assert found.empty
    for api_key in ("\0", ""):
        assert same_prompt_neighbours(source_of(empty_database), Selection(api_key, ("s",))).empty


def test_neighbours_are_of_the_same_key_and_near_in_time(database):
    asked = asking("q")

    def near(name, seconds, **changes):
        at = NOON + seconds * SECOND
        return spend_log(request_id=name, startTime=at, proxy_server_request=asked, **changes)

    lasting = {"startTime": NOON, "endTime": NOON + 30 * SECOND}
    made = [
        failure(session_id="s", request_id="f", proxy_server_request=asked, **lasting),
        near("too early", -10.001),
        near("before", -10),
        near("after", 40),
        near("too late", 40.001),
        near("another's", 5, api_key="other"),
    ]
    assert neighbours(source_of(database(rows=made))) == ["before", "f", "after"]


def test_a_failure_that_lasted_long_is_looked_after_for_a_minute(database):
    asked = asking("q")
    lasting = {"startTime": NOON, "endTime": NOON + timedelta(days=300), "request_duration_ms": 1}
    made = [failure(session_id="s", request_id="f", proxy_server_request=asked, **lasting)]
    made += [
        spend_log(request_id=str(at), startTime=NOON + at * SECOND, proxy_server_request=asked)
        for at in (70, 71)
    ]
    assert neighbours(source_of(database(rows=made))) == ["f", "70"]


def test_failures_beside_one_another_and_apart_find_their_neighbours_once(database):
    made = []
    for number in range(4):
        at, asked = NOON + number * 9 * SECOND, asking(str(number % 2))
        made.append(failure(session_id="s", request_id=f"f{number}", startTime=at))
        made[-1]["proxy_server_request"] = asked
        made.append(spend_log(request_id=f"t{number}", startTime=at, proxy_server_request=asked))
    far = {"startTime": NOON + 600 * SECOND, "proxy_server_request": asking("far")}
    made += [failure(session_id="s", request_id="f4", **far), spend_log(request_id="t4", **far)]
    made.append(spend_log(request_id="x", startTime=NOON, proxy_server_request=asking("no")))
    assert neighbours(source_of(database(rows=made))) == [
        *("f0", "t0", "f1", "t1", "f2", "t2", "f3", "t3", "f4", "t4"),
    ]


EQUAL = [
    ({"input": "q"}, {"input": "q", "temperature": 1}),
    ({"input": ["q", "p"]}, {"input": ["q", "p"]}),
    ({"prompt": "q"}, {"prompt": "q", "metadata": {"user": "x"}}),
    (
        {"contents": [{"parts": [{"text": "q"}], "role": "user"}]},
        {"contents": [{"role": "user", "parts": [{"text": "q"}]}]},
    ),
    ({"system": "s", **asking("q")}, {**asking("q"), "system": "s"}),
]
OTHER = [
    (asking("q"), asking("Q")),
    (asking("q"), {"system": "s", **asking("q")}),
    ({"input": "q"}, {"prompt": "q"}),
    ({"input": "q", "previous_response_id": "a"}, {"input": "q", "previous_response_id": "b"}),
]
UNKNOWN = [
    None,
    "null",
    "[]",
    '"text"',
    "7",
    {},
    {"messages": None},
    {"messages": [], "input": "", "prompt": {}, "contents": None, "system": "s"},
    asking("redacted-by-litellm"),
]


def test_prompts_are_equal_whatever_stands_beside_them_or_none_where_nothing_is_known(database):
    """Each pair has a key of its own, so that pairs do not meet."""
    pairs = [*EQUAL, *OTHER, *((body, body) for body in UNKNOWN)]
    made = []
    for number, (body, other) in enumerate(pairs):
        key = f"key-{number}"
        made.append(failure(session_id="s", api_key=key, proxy_server_request=body))
        made.append(spend_log(api_key=key, proxy_server_request=other))
    source = source_of(database(rows=made))
    found = [
        len(same_prompt_neighbours(source, Selection(f"key-{number}", ("s",))))
        for number in range(len(pairs))
    ]
    assert found == [2] * len(EQUAL) + [1] * len(OTHER) + [0] * len(UNKNOWN)


def test_bodies_that_are_not_granted_infer_nothing(database, role):
    row = failure(session_id="s", proxy_server_request=asking("q"))
    made = database(rows=[row])
    granted = (
        'request_id, api_key, "startTime", "endTime", spend, prompt_tokens, completion_tokens,'
        " total_tokens, model, session_id, status"
    )
    source = source_of(made, role(made, "narrow", [f'SELECT ({granted}) ON "LiteLLM_SpendLogs"']))
    assert neighbours(source) == []

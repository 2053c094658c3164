"""The requests of a session with their bodies, just as LiteLLM stored them."""

from dataclasses import asdict, fields
from datetime import timedelta

import pytest

from tests import litellm, rows
from tests.rows import KEY, NOON, failure, metadata, spend_log
from tests.sources import records, source_of
from tracelib import sessions
from tracelib.conversation.requests import StoredRequest
from tracelib.conversation.session_rows import stored_requests
from tracelib.selection import session

SECOND = timedelta(seconds=1)
BODY_FIELDS = ("request_body", "response_body", "messages_body")


@pytest.fixture(params=litellm.VERSIONS)
def version(request) -> str:
    """Each version of LiteLLM's schema in turn."""
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "partitioned"])
def partitioned(request) -> bool:
    """A log in one table, and one in partitions."""
    return request.param


def test_a_request_comes_with_its_facts_and_bodies(database):
    row = spend_log(
        session_id="s",
        request_id="r",
        request_duration_ms=1000,
        completionStartTime=NOON + SECOND / 4,
        spend=0.1,
        metadata=metadata(
            additional_usage_values={"cache_read_input_tokens": 4},
            original_model_group="gpt-5",
            attempted_retries=1,
            attempted_fallbacks=2,
            cold_storage_object_key="bucket/r",
        ),
        proxy_server_request={"messages": [{"role": "user", "content": "hi"}]},
        response={"choices": []},
        messages=[1],
    )
    assert [
        asdict(one) for one in stored_requests(source_of(database(rows=[row])), session("s", KEY))
    ] == [
        {
            "request_id": "r",
            "call_type": "acompletion",
            "started_at": NOON,
            "ended_at": NOON + SECOND,
            "model": "gpt-4o",
            "deployment": "openai/gpt-4o",
            "provider": "openai",
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "cached_prompt_tokens": 4,
            "spend_usd": 0.1,
            "latency_ms": 1000.0,
            "ttft_ms": 250.0,
            "is_cache_hit": False,
            "is_failure": False,
            "error_class": None,
            "error_code": None,
            "error_message": None,
            "asked_model": "gpt-5",
            "attempted_retries": 1,
            "attempted_fallbacks": 2,
            "cold_storage_key": "bucket/r",
            "request_body": {"messages": [{"role": "user", "content": "hi"}]},
            "response_body": {"choices": []},
            "messages_body": [1],
            "is_withheld": False,
            "call_id": row["litellm_call_id"],
            "background_id": None,
            "rest": (),
        }
    ]


def test_a_failure_says_what_went_wrong(database):
    made = database(rows=[failure("429", "RateLimitError", "slow down", session_id="s")])
    [one] = stored_requests(source_of(made), session("s", KEY))
    assert one.is_failure
    assert (one.error_class, one.error_code, one.error_message) == (
        "RateLimitError",
        "429",
        "slow down",
    )


def test_a_model_that_answered_itself_was_not_asked_for_in_vain(database):
    made = database(
        rows=[spend_log(session_id="s", metadata=metadata(original_model_group="gpt-4o"))]
    )
    [one] = stored_requests(source_of(made), session("s", KEY))
    assert one.asked_model is None


def test_a_session_that_is_not_there_has_no_requests(empty_database):
    source = source_of(empty_database)
    for session_id in ("nobody", "", "\0", "\ud800", "%"):
        assert stored_requests(source, session(session_id, KEY)) == ()
    assert stored_requests(source, session("nobody", "\0")) == ()


def test_requests_come_in_order_and_page_by_page(database):
    made = [
        spend_log(session_id="s", request_id=name, startTime=NOON + second * SECOND)
        for second, name in ((1, "b"), (0, "c"), (1, "a"), (2, "0"))
    ]
    made += [spend_log(session_id="s", api_key="other"), spend_log(session_id="t")]
    source = source_of(database(rows=made))
    ids = [one.request_id for one in stored_requests(source, session("s", KEY))]
    assert ids == ["c", "a", "b", "0"]
    joined, after = [], None
    while page := stored_requests(source, session("s", KEY), limit=1, after=after):
        joined += [one.request_id for one in page]
        after = (page[-1].started_at, page[-1].request_id)
    assert joined == ids


def test_each_version_and_layout_gives_the_same_requests_as_the_timeline(
    database, version, partitioned
):
    source = source_of(database(version, rows.real_rows(), partitioned))
    expected = 1 if version == "2025-03-26" else 25
    agent = next(row for row in rows.real_rows() if row["session_id"] == "sess-agent-0140")
    session_id, api_key = sessions.session_of_request(source, agent["request_id"])
    stored = stored_requests(source, session(session_id, api_key))
    assert len(stored) == expected
    light = sessions.requests_of(source, session(session_id, api_key))
    assert [one.request_id for one in stored] == list(light["request_id"])
    same = {field.name for field in fields(StoredRequest)} & set(light)
    for one, row in zip(stored, records(light), strict=True):
        assert {name: getattr(one, name) for name in same} == {name: row[name] for name in same}


def test_a_body_whose_column_is_missing_is_none(database):
    row = spend_log(request_id="r", proxy_server_request={"a": 1}, response={"b": 2})
    [one] = stored_requests(source_of(database("2025-03-26", [row])), session("r", KEY))
    assert (one.request_body, one.response_body) == (None, {"b": 2})


def test_bodies_and_facts_that_are_not_granted_are_none(database, role):
    row = failure(session_id="s", proxy_server_request={"a": 1}, response={"b": 2})
    made = database(rows=[row])
    granted = (
        'request_id, api_key, "startTime", "endTime", spend, prompt_tokens, completion_tokens,'
        " total_tokens, model, session_id, status"
    )
    source = source_of(made, role(made, "narrow", [f'SELECT ({granted}) ON "LiteLLM_SpendLogs"']))
    [one] = stored_requests(source, session("s", KEY))
    assert one.is_failure
    assert {getattr(one, name) for name in (*BODY_FIELDS, "error_class", "call_type")} == {None}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, None),
        ("null", None),
        ("{}", {}),
        ('"text"', "text"),
        ('"{\\"a\\": 1}"', '{"a": 1}'),
        ("[1, 2.5, true]", [1, 2.5, True]),
        ("12", 12),
        ('"\\ud83d\\ude00 <b> \\n"', "😀 <b> \n"),
    ],
)
def test_a_body_is_whatever_the_column_held(database, body, expected):
    row = spend_log(session_id="s", proxy_server_request=body, response=body, messages=body)
    [one] = stored_requests(source_of(database(rows=[row])), session("s", KEY))
    assert [getattr(one, name) for name in BODY_FIELDS] == [expected] * 3


def test_a_body_nested_deeper_than_python_reads_stays_text(database):
    body = "[" * 3_000 + "]" * 3_000
    made = database(rows=[spend_log(session_id="s", response=body)])
    [one] = stored_requests(source_of(made), session("s", KEY))
    assert one.response_body == body or isinstance(one.response_body, list)


def test_a_number_longer_than_python_converts_keeps_its_digits(database):
    body = "1" * 9_000
    made = database(rows=[spend_log(session_id="s", response=body)])
    [one] = stored_requests(source_of(made), session("s", KEY))
    assert one.response_body.written == body


@pytest.mark.parametrize(
    "about",
    [
        None,
        "[]",
        '"text"',
        "null",
        {"error_information": "text", "additional_usage_values": [1]},
        {"error_information": {"error_class": {"a": 1}, "error_code": 429}},
        {"attempted_retries": "one", "attempted_fallbacks": 1e30, "original_model_group": ""},
        {"additional_usage_values": {"cache_read_input_tokens": "12"}},
        {"additional_usage_values": {"cache_read_input_tokens": -1e300}},
        {"additional_usage_values": {"prompt_tokens_details": {"cached_tokens": None}}},
    ],
    ids=str,
)
def test_metadata_of_any_shape_is_read_or_unknown(database, about):
    made = database(rows=[spend_log(session_id="s", metadata=about)])
    [one] = stored_requests(source_of(made), session("s", KEY))
    assert (one.cached_prompt_tokens, one.attempted_retries, one.attempted_fallbacks) == (
        None,
        None,
        None,
    )


def test_all_true_rows_are_read(real_rows_database):
    source = source_of(real_rows_database)
    read = 0
    for row in rows.real_rows():
        session_id, api_key = sessions.session_of_request(source, row["request_id"])
        ids = [one.request_id for one in stored_requests(source, session(session_id, api_key))]
        assert row["request_id"] in ids
        read += 1
    assert read == 130

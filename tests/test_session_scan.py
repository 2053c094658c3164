"""Sessions found by what their documents say: prompts, answers, calls, errors and notes."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import rows, stored_rows
from tests.database import Database
from tests.rows import KEY, NOON, failure, metadata, spend_log
from tests.sources import FILTERS, HOUR, WINDOW, records, source_of
from tracelib import errors, sessions
from tracelib.conversation import Turn, transcript
from tracelib.filters import Filters
from tracelib.sessions import Scan, SessionSearch, scanning
from tracelib.source import Postgres
from tracelib.window import TimeWindow

SECOND = timedelta(seconds=1)
AGES = Filters(TimeWindow(datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)))
"""A window that holds every true row."""


def scanned(source: Postgres, search: SessionSearch, filters=FILTERS, so_far=None) -> Scan:
    """The scan at its end."""
    assert search.needs_scan
    return sessions.scan(source, filters, search, so_far, for_seconds=60)


def found(source: Postgres, search: SessionSearch, filters=FILTERS) -> list[str]:
    """The ids of the sessions found, in their order."""
    return [session_id for _, session_id in scanned(source, search, filters).keys]


def chat(*texts: str, answer: str = "", **changes: object) -> dict:
    """A row of a chat that asks these texts and is answered."""
    messages = [{"role": "user", "content": text} for text in texts]
    message = {"role": "assistant", "content": answer}
    bodies = {
        "proxy_server_request": {"model": "gpt-4o", "messages": messages},
        "response": {"object": "chat.completion", "choices": [{"message": message}]},
    }
    return spend_log(**(bodies | changes))


def calling(*tools: str, **changes: object) -> dict:
    """A row of a chat whose answer calls these tools."""
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": tool, "arguments": "{}"}}
        for n, tool in enumerate(tools)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    return spend_log(**({"response": {"choices": [{"message": message}]}} | changes))


def test_nothing_is_found_in_an_empty_log(empty_database):
    source = source_of(empty_database)
    search = SessionSearch(said="refund")
    scan = scanned(source, search)
    assert (scan.keys, scan.requests_read, scan.requests_in_window) == ((), 0, 0)
    assert (scan.is_finished, scan.is_capped, scan.reached) == (True, False, WINDOW.start)
    listed = sessions.scanned_sessions(source, FILTERS, search, scan)
    page = sessions.found_sessions(source, FILTERS, SessionSearch())
    assert list(listed.dtypes.items()) == list(page.rows.dtypes.items())
    assert listed.empty


def test_a_text_is_found_in_prompts_and_answers_the_newest_first(database):
    made = [
        chat("hello", session_id="neither"),
        chat("Where is my REFUND?", session_id="asked"),
        chat("hello", answer="No refunds.", session_id="answered"),
        chat("refund", session_id="outside", startTime=NOON - SECOND),
    ]
    for number, row in enumerate(made[:3]):
        row["startTime"] = NOON + number * SECOND
    source = source_of(database(rows=made))
    scan = scanned(source, SessionSearch(said="refund"))
    assert scan.keys == ((f"answered:{KEY}", "answered"), (f"asked:{KEY}", "asked"))
    assert (scan.requests_read, scan.requests_in_window) == (3, 3)
    assert (scan.is_finished, scan.is_capped, scan.reached) == (True, False, WINDOW.start)
    assert 0 < scan.seconds < 60


SAID = {
    "a prompt": {"prompt": "needle"},
    "prompts": {"prompt": ["hay", "needle"]},
    "an input": {"input": "needle"},
    "items": {"input": [{"role": "user", "content": [{"type": "input_text", "text": "needle"}]}]},
    "a tool's result": {"input": [{"type": "function_call_output", "output": "a needle"}]},
    "instructions": {"instructions": "needle", "input": "hay"},
    "a system prompt": {"system": "needle", "messages": []},
    "system blocks": {"system": [{"type": "text", "text": "needle"}]},
    "a block": {"messages": [{"role": "user", "content": [{"type": "text", "text": "needle"}]}]},
    "a bare message": {"messages": ["needle"]},
    "a tool result": {
        "messages": [
            {"role": "user", "content": [{"type": "tool_result", "content": [{"text": "needle"}]}]}
        ]
    },
    "what a tool was given": {
        "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "input": {"id": ["needle"]}}]}
        ]
    },
    "arguments": {
        "messages": [
            {"role": "assistant", "tool_calls": [{"function": {"arguments": '{"q": "needle"}'}}]}
        ]
    },
    "arguments of an MCP tool": {"name": "search", "arguments": {"name": "needle"}},
    "Gemini's contents": {"contents": [{"role": "user", "parts": [{"text": "needle"}]}]},
    "Gemini's system prompt": {"systemInstruction": {"parts": [{"text": "needle"}]}},
    "a query": {"query": "needle", "documents": []},
    "documents": {"query": "hay", "documents": ["hay", {"text": "needle"}]},
    "a document": {
        "messages": [{"role": "user", "content": [{"source": {"type": "text", "data": "needle"}}]}]
    },
}
ANSWERED = {
    "a choice": {"choices": [{}, {"message": {"content": "needle"}}]},
    "a completion": {"choices": [{"text": "needle"}]},
    "reasoning": {"choices": [{"message": {"content": "", "reasoning_content": "needle"}}]},
    "thinking": {"choices": [{"message": {"thinking_blocks": [{"thinking": "needle"}]}}]},
    "a refusal": {"choices": [{"message": {"refusal": "needle"}}]},
    "arguments": {
        "choices": [{"message": {"tool_calls": [{"function": {"arguments": '["needle"]'}}]}}]
    },
    "output": {"output": [{"content": [{"type": "output_text", "text": "needle"}]}]},
    "a summary": {"output": [{"type": "reasoning", "summary": [{"text": "needle"}]}]},
    "a call": {"output": [{"type": "function_call", "arguments": '{"x": "needle"}'}]},
    "Messages": {"type": "message", "content": [{"type": "text", "text": "needle"}]},
    "an MCP answer": {"content": [{"type": "text", "text": "needle"}], "is_error": False},
    "Gemini": {"candidates": [{"content": {"parts": [{"text": "needle"}]}}]},
    "Gemini's call": {
        "candidates": [{"content": {"parts": [{"functionCall": {"args": {"id": "needle"}}}]}}]
    },
    "a transcription": {"text": "needle"},
    "a pass-through": {"response": '{"answer": "needle"}'},
    "realtime": {
        "results": [
            {
                "type": "response.done",
                "response": {"output": [{"content": [{"transcript": "needle"}]}]},
            }
        ]
    },
    "a bare text": '"a needle"',
}


@pytest.mark.parametrize("body", SAID.values(), ids=SAID)
def test_a_text_is_found_in_every_shape_of_prompt(log, body):
    refilled(log, [spend_log(session_id="s", proxy_server_request=body), spend_log()])
    assert found(log[1], SessionSearch(said="NEEDLE")) == ["s"]


@pytest.mark.parametrize("body", ANSWERED.values(), ids=ANSWERED)
def test_a_text_is_found_in_every_shape_of_answer(log, body):
    refilled(log, [spend_log(session_id="s", response=body), spend_log()])
    assert found(log[1], SessionSearch(said="Needle")) == ["s"]


def test_what_was_said_aloud_is_found_in_the_messages_column(log):
    said = [{"type": "conversation.item.created", "item": {"content": [{"transcript": "needle"}]}}]
    refilled(log, [spend_log(session_id="s", messages=said)])
    assert found(log[1], SessionSearch(said="needle")) == ["s"]


NEVER_SAID = {
    "model": "secret-model",
    "user": "secret-user",
    "metadata": {
        "user_api_key": "secret-hash",
        "user_api_key_auth": {"api_key": "secret-key", "user_email": "secret@example.com"},
        "headers": {"authorization": "Bearer secret-token"},
        "messages": "secret-copy",
        "arguments": {"input": "secret-argument"},
    },
    "litellm_metadata": {"user_api_key": "secret-hash"},
    "headers": {"x-api-key": "secret-header", "text": "secret-text"},
    "proxy_server_request": {"headers": {"cookie": "secret-cookie"}, "body": {"input": "secret"}},
    "secret_fields": {"raw_headers": {"authorization": "Bearer secret-token"}},
    "tools": [{"type": "function", "function": {"name": "secret-tool", "description": "secret"}}],
}


@pytest.mark.parametrize(
    "text",
    [
        *("secret", "secret-key", "secret-hash", "secret-header", "Bearer", "secret@example.com"),
        *("user_api_key", "messages", "content", "role", "assistant", "tool_call_id", "call_7"),
        *("aGVsbG8", '": "', "{", "[]", "null", "x-api-key", "model", "finish_reason"),
    ],
)
def test_what_nobody_said_is_never_found(log, text):
    messages = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "hello"},
                {"type": "image_url", "image_url": {"url": "https://example.com/x"}},
                {"type": "image", "source": {"media_type": "image/png", "data": "aGVsbG8"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_7", "content": "hello"},
        {"role": "assistant", "content": None},
    ]
    answer = {"id": "secret-id", "model": "secret-model", "choices": [{"finish_reason": "stop"}]}
    row = spend_log(
        session_id="s",
        proxy_server_request=NEVER_SAID | {"messages": messages},
        response=answer,
        metadata=metadata(user_api_key="secret", note="secret"),
    )
    refilled(log, [row])
    assert found(log[1], SessionSearch(said=text)) == []
    for shown in ("Hello", "image/png, 5 B", "https://example.com/x"):
        assert found(log[1], SessionSearch(said=shown)) == ["s"]


@settings(max_examples=40, deadline=None)
@given(
    st.text(min_size=1, max_size=12).map(lambda text: SessionSearch(said=text).said).filter(bool),
    st.sampled_from(["content", "arguments", "arguments in ASCII"]),
)
@example('say "hi" \\ there', "content")
@example('say "hi" \\ there', "arguments")
@example("line\none\ttab", "arguments")
@example("100 %_ (a|b)* [x] ^$.?+{2}", "content")
@example("überraschend 🎉", "arguments in ASCII")
@example("/*'; --", "content")
@example('"', "content")
@example("\\", "arguments")
def test_any_text_is_found_where_it_was_said(log, text, place):
    said = f"before{text}after"
    if place != "content":
        said = json.dumps({"q": said}, ensure_ascii=place.endswith("ASCII"))
    key = place.split()[0]
    calls = {"messages": [{"role": "assistant", key: said}]}
    refilled(log, [spend_log(session_id="s", proxy_server_request=calls), chat("nothing")])
    assert "s" in found(log[1], SessionSearch(said=text))


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ("search", ["both", "one"]),
        ("fetch", ["both"]),
        ("Search", []),
        ("sear", []),
        ("offered", []),
    ],
)
def test_a_tool_is_found_by_its_whole_name_where_it_was_called(database, tool, expected):
    offered = {"tools": [{"type": "function", "function": {"name": "offered"}}], "messages": []}
    made = [
        calling("search", session_id="one"),
        calling("search", "fetch", session_id="both", startTime=NOON + SECOND),
        spend_log(session_id="none", proxy_server_request=offered),
    ]
    source = source_of(database(rows=made))
    assert found(source, SessionSearch(tool=tool)) == expected
    assert found(source, SessionSearch(has_tool_calls=True)) == ["both", "one"]


CALLS = {
    "chat": {"choices": [{"message": {"tool_calls": [{"function": {"name": "search"}}]}}]},
    "a custom tool": {"choices": [{"message": {"tool_calls": [{"custom": {"name": "search"}}]}}]},
    "the second choice": {
        "choices": [
            {"message": {}},
            {"message": {"tool_calls": [{"function": {"name": "search"}}]}},
        ]
    },
    "an old function": {"choices": [{"message": {"function_call": {"name": "search"}}}]},
    "Responses": {"output": [{"type": "message"}, {"type": "function_call", "name": "search"}]},
    "Messages": {"content": [{"type": "text"}, {"type": "tool_use", "name": "search"}]},
    "Gemini": {"candidates": [{"content": {"parts": [{"functionCall": {"name": "search"}}]}}]},
    "realtime": {
        "results": [{"response": {"output": [{"type": "function_call", "name": "search"}]}}]
    },
}


@pytest.mark.parametrize("response", CALLS.values(), ids=CALLS)
def test_a_call_is_found_in_every_shape_of_answer(log, response):
    refilled(log, [spend_log(session_id="s", response=response), spend_log()])
    assert found(log[1], SessionSearch(tool="search")) == ["s"]
    assert found(log[1], SessionSearch(has_tool_calls=True)) == ["s"]


@pytest.mark.parametrize(
    "response",
    [
        *(
            {},
            [],
            "null",
            '"search"',
            "7",
            {"choices": "search"},
            {"choices": [None, {"message": 7}]},
        ),
        {"choices": [{"message": {"tool_calls": None, "content": "search"}}]},
        {"choices": [{"message": {"tool_calls": []}}]},
        {"output": [{"type": "message", "name": "search"}]},
        {"content": [{"type": "text", "name": "search"}]},
    ],
)
def test_an_answer_of_another_shape_calls_nothing(log, response):
    refilled(log, [spend_log(response=response)])
    assert found(log[1], SessionSearch(tool="search")) == []
    assert found(log[1], SessionSearch(has_tool_calls=True)) == []


@pytest.mark.parametrize("tool", ["weather/get_forecast", "get_forecast"])
def test_an_mcp_tool_goes_by_its_own_name_and_with_its_server(database, tool):
    called = {"call_type": "call_mcp_tool", "model_group": "", "model": "MCP: weather-get_forecast"}
    made = [
        spend_log(session_id="s", mcp_namespaced_tool_name="weather/get_forecast", **called),
        spend_log(mcp_namespaced_tool_name="weather/get_forecasts"),
    ]
    assert found(source_of(database(rows=made)), SessionSearch(tool=tool)) == ["s"]


def test_an_old_log_knows_an_mcp_tool_by_its_model(database):
    called = {"call_type": "call_mcp_tool", "model_group": "", "model": "MCP: get_forecast"}
    source = source_of(database("2025-05-23", rows=[spend_log(session_id="s", **called)]))
    assert found(source, SessionSearch(tool="get_forecast")) == ["s"]
    assert found(source, SessionSearch(has_tool_calls=True)) == ["s"]


def test_the_error_class_is_matched_whole_whatever_its_case(database):
    noted = metadata(error_information={"error_class": "RateLimitError"})
    made = [
        failure(session_id="refused"),
        failure(session_id="other", error_class="Timeout"),
        spend_log(session_id="a success", metadata=noted),
        failure(session_id="odd", metadata=metadata(status="failure", error_information="x")),
        failure(session_id="odder", metadata=[1]),
    ]
    source = source_of(database(rows=made))
    assert found(source, SessionSearch(error_class="ratelimiterror")) == ["refused"]
    assert found(source, SessionSearch(error_class="RateLimit")) == []


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("customer", "acme", {"sent"}),
        ("customer", "ACME", set()),
        ("customer", "", {"sent", "other"}),
        ("status", "", set()),
        ("attempted_retries", "2", {"own"}),
        ("is_trial", "true", {"own"}),
        ("a.b", "c", {"own"}),
        ("spend_logs_metadata", "", {"sent", "other", "odd"}),
        ("nothing", "", set()),
    ],
)
def test_metadata_is_found_by_key_and_value_or_by_key_alone(database, key, value, expected):
    made = [
        spend_log(session_id="sent", metadata=metadata(spend_logs_metadata={"customer": "acme"})),
        spend_log(session_id="other", metadata=metadata(spend_logs_metadata={"customer": "x"})),
        spend_log(
            session_id="own",
            metadata={"attempted_retries": 2, "is_trial": True, "a.b": "c", "customer": ""},
        ),
        spend_log(session_id="odd", metadata=metadata(spend_logs_metadata="customer")),
        spend_log(session_id="odder", metadata=["customer"]),
        spend_log(session_id="oddest", metadata='"customer"'),
    ]
    search = SessionSearch(metadata_key=key, metadata_value=value)
    assert set(found(source_of(database(rows=made)), search)) == expected


def test_a_fallback_is_found_by_what_was_asked_for_or_by_its_count(database):
    made = [
        spend_log(session_id="asked", metadata=metadata(original_model_group="primary")),
        spend_log(session_id="counted", metadata=metadata(attempted_fallbacks=1)),
        spend_log(session_id="same", metadata=metadata(original_model_group="gpt-4o")),
        spend_log(session_id="empty", metadata=metadata(original_model_group="")),
        spend_log(session_id="odd", metadata=metadata(attempted_fallbacks="many")),
        spend_log(session_id="odder", metadata=["x"]),
    ]
    source = source_of(database(rows=made))
    assert sorted(found(source, SessionSearch(used_fallback=True))) == ["asked", "counted"]


def test_the_conditions_may_be_met_by_different_requests_of_a_session(database):
    made = [
        chat("refund", session_id="both"),
        calling("search", session_id="both", startTime=NOON + 5 * SECOND),
        chat("refund", session_id="said only", startTime=NOON + 6 * SECOND),
        calling("search", session_id="called only", startTime=NOON + 7 * SECOND),
        # The same session id of another key is another session.
        chat("refund", session_id="shared", startTime=NOON + 8 * SECOND),
        calling("search", session_id="shared", api_key="b" * 64),
        # What lies outside the window, or is filtered, does not count.
        chat("refund", session_id="late", startTime=NOON + HOUR),
        calling("search", session_id="late"),
    ]
    source = source_of(database(rows=made))
    search = SessionSearch(said="refund", tool="search")
    assert found(source, search) == ["both"]
    assert found(source, replace(search, error_class="Timeout")) == []
    assert found(source, search, replace(FILTERS, model=("claude",))) == []


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"min_cost_usd": 1.0}, ["dear"]),
        ({"status": "with failures"}, ["cheap"]),
        ({"text": "claude"}, ["dear"]),
        ({"tag": "nightly"}, ["cheap"]),
        ({"many_requests_only": True}, ["dear", "cheap"]),
        ({"max_requests": 1}, ["alone"]),
        ({"min_models": 3}, []),
    ],
)
def test_what_is_asked_of_the_session_counts_all_of_its_requests(database, conditions, expected):
    made = [
        chat("refund", session_id="dear", startTime=NOON + 9 * SECOND),
        spend_log(session_id="dear", spend=1, model_group="claude"),
        chat("refund", session_id="cheap", startTime=NOON + 8 * SECOND, spend=0.1),
        failure(session_id="cheap", request_tags=["nightly"]),
        chat("refund", session_id="alone", startTime=NOON + 7 * SECOND),
        chat("hello", session_id="other", spend=9),
    ]
    search = SessionSearch(said="refund", **conditions)
    source = source_of(database(rows=made))
    assert found(source, search) == expected
    without = source_of(without_session_index(database(rows=made)))
    assert found(without, search) == expected


def without_session_index(made: Database) -> Database:
    made.execute('DROP INDEX "LiteLLM_SpendLogs_session_id_idx"')
    return made


def test_the_sessions_found_are_listed_with_their_figures_in_the_order_asked_for(database):
    made = [
        chat("refund", session_id="new", startTime=NOON + SECOND),
        chat("refund", session_id="dear", spend=2),
        spend_log(session_id="dear", spend=4),
        spend_log(session_id="dear", startTime=NOON - HOUR),
    ]
    source = source_of(database(rows=made))
    orders = {
        "recent": ["new", "dear"],
        "cost": ["dear", "new"],
        "length": ["dear", "new"],
        "errors": ["new", "dear"],
        "duration": ["new", "dear"],
        "tokens": ["dear", "new"],
    }
    for sort, expected in orders.items():
        search = SessionSearch(said="refund", sort=sort)
        listed = sessions.scanned_sessions(source, FILTERS, search, scanned(source, search))
        assert list(listed["session_id"]) == expected
    everything = sessions.found_sessions(source, FILTERS, SessionSearch(sort="tokens")).rows
    assert records(listed) == records(everything)


@pytest.fixture(scope="module")
def log(server) -> Iterator[tuple[Database, Postgres]]:
    """A log that one test fills and empties again and again."""
    made = Database(server)
    yield made, source_of(made)
    made.drop()


def refilled(log: tuple[Database, Postgres], made: list[dict]) -> None:
    """Put these rows in place of those of the example before."""
    log[0].execute('TRUNCATE "LiteLLM_SpendLogs"')
    log[0].insert(made)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"), st.integers(-1, 5), st.sampled_from(["x", "y", "xy", ""])
        ),
        max_size=12,
    ),
    st.integers(1, 4),
)
def test_a_scan_in_steps_finds_what_one_step_finds_and_reads_each_request_once(log, made, chunk):
    refilled(
        log,
        [
            calling(
                *(["y"] if "y" in does else []),
                session_id=session_id,
                startTime=NOON + second * SECOND,
                proxy_server_request={"prompt": "x" if "x" in does else "-"},
            )
            for session_id, second, does in made
        ],
    )
    inside = [row for row in made if row[1] >= 0]
    search = SessionSearch(said="x", tool="y")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracelib.sessions.scanning.LARGEST_CHUNK", chunk)
        scan = Scan(chunk=chunk, requests_in_window=len(inside))
        while not scan.is_finished:
            before, scan = scan, sessions.scan(log[1], FILTERS, search, scan, for_seconds=0)
            assert scan.requests_read - before.requests_read <= chunk
            assert scan.keys[: len(before.keys)] == before.keys
            assert before.reached is None or scan.reached <= before.reached
    assert scan.requests_read == len(inside)
    assert {key[1] for key in scan.keys} == completed(inside)
    assert len(scan.keys) == len(set(scan.keys))
    assert set(scan.keys) == set(scanned(log[1], search).keys)


def completed(made: list[tuple[str, int, str]]) -> set[str]:
    done: dict[str, str] = {}
    for session_id, _, does in made:
        done[session_id] = done.get(session_id, "") + does
    return {session_id for session_id, does in done.items() if {"x", "y"} <= set(does)}


def test_a_scan_stops_at_its_cap_says_so_and_goes_on_from_there(database):
    made = [
        chat("x", session_id=f"s{n}", startTime=NOON + n * SECOND)
        for n in range(scanning.MOST_FOUND + 3)
    ]
    source = source_of(database(rows=made))
    search = SessionSearch(said="x")
    scan = scanned(source, search)
    newest = [f"s{n}" for n in reversed(range(len(made)))]
    assert [session_id for _, session_id in scan.keys] == newest[: scanning.MOST_FOUND]
    assert (scan.is_capped, scan.is_finished) == (True, False)
    assert scan.reached == NOON + 3 * SECOND
    again = scanned(source, search, so_far=scan)
    assert (again.keys, again.requests_read) == (scan.keys, scan.requests_read)
    whole = scanned(source, search, so_far=scan.with_more())
    assert [session_id for _, session_id in whole.keys] == newest
    assert (whole.is_capped, whole.is_finished, whole.reached) == (False, True, WINDOW.start)
    assert whole.requests_read == len(made)


def test_a_scan_that_finds_as_many_as_it_may_and_no_more_is_finished(database):
    made = [chat("x", session_id=f"s{n}") for n in range(scanning.MOST_FOUND)]
    scan = scanned(source_of(database(rows=made)), SessionSearch(said="x"))
    assert (len(scan.keys), scan.is_finished, scan.is_capped) == (len(made), True, False)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9), st.booleans()), max_size=20),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from([{}, {"many_requests_only": True}]),
)
def test_capped_scans_joined_are_one_scan_without_a_cap(log, made, chunk, most, conditions):
    refilled(
        log,
        [
            chat("x" if says else "-", session_id=session_id, startTime=NOON + second * SECOND)
            for session_id, second, says in made
        ],
    )
    search = SessionSearch(said="x", **conditions)
    whole = scanned(log[1], search)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracelib.sessions.scanning.LARGEST_CHUNK", chunk)
        patch.setattr("tracelib.sessions.scanning.MOST_FOUND", most)
        scan = scanned(log[1], search, so_far=Scan(chunk=chunk, most=most))
        while scan.is_capped:
            # All that can be found after the moment it says it has reached is shown.
            newer = {one[:2] for one in whole.found if one.at > scan.reached}
            assert newer <= set(scan.keys)
            before, scan = scan, scanned(log[1], search, so_far=scan.with_more())
            assert scan.keys[: len(before.keys)] == before.keys
            assert scan.reached <= before.reached
    assert (scan.keys, scan.is_finished, scan.reached) == (whole.keys, True, WINDOW.start)
    assert scan.requests_read == len(made)


def test_a_finished_scan_is_not_gone_on_with(database):
    made = database(rows=[chat("x", session_id="s")])
    source = source_of(made)
    search = SessionSearch(said="x")
    scan = scanned(source, search)
    made.insert([chat("x", session_id="newer")])
    assert sessions.scan(source, FILTERS, search, scan).keys == scan.keys
    assert sorted(found(source, search)) == ["newer", "s"]


def test_what_is_too_much_for_one_statement_is_read_in_several(database, monkeypatch):
    made = [chat("x", session_id=f"s{n}", startTime=NOON + n * SECOND) for n in range(24)]
    source = source_of(database(rows=made))

    def impatient(source, filters, search, after, limit, patient=scanning.next_requests):
        if limit > 4:
            raise errors.QuestionTooSlow()
        return patient(source, filters, search, after, limit)

    monkeypatch.setattr(scanning, "next_requests", impatient)
    monkeypatch.setattr(scanning, "LARGEST_CHUNK", 16)
    scan = scanned(source, SessionSearch(said="x"))
    assert [key[1] for key in scan.keys] == [f"s{n}" for n in reversed(range(24))]
    assert scan.requests_read == 24


def test_a_single_request_that_takes_too_long_is_an_error(database, monkeypatch):
    def impatient(*_):
        raise errors.QuestionTooSlow()

    source = source_of(database(rows=[chat("x")]))
    monkeypatch.setattr(scanning, "next_requests", impatient)
    with pytest.raises(errors.QuestionTooSlow):
        scanned(source, SessionSearch(said="x"))


def test_an_old_log_is_searched_as_far_as_it_goes(database):
    source = source_of(
        database("2025-03-26", rows=[chat("x", answer="needle", request_id="r"), chat("needle")])
    )
    assert found(source, SessionSearch(said="needle")) == ["r"]
    for search in (
        SessionSearch(tool="x"),
        SessionSearch(has_tool_calls=True),
        SessionSearch(used_fallback=True),
        SessionSearch(metadata_key="x"),
        SessionSearch(error_class="x", min_requests=2),
    ):
        assert found(source, search) == []


def test_documents_that_may_not_be_read_are_not_searched(database, role):
    made = database(rows=[chat("needle")])
    columns = 'request_id, api_key, "startTime", "endTime", spend, prompt_tokens, model'
    grant = f'SELECT ({columns}, completion_tokens, total_tokens) ON "LiteLLM_SpendLogs"'
    source = source_of(made, role(made, "blind", [grant]))
    assert found(source, SessionSearch(said="needle")) == []


PHRASE = re.compile(r"\w[\w ,.?]{8,60}\w")
IN_WORDS = ("text", "reasoning", "tool_call", "tool_result")


@pytest.fixture(scope="module")
def true_turns() -> list[tuple[str, Turn]]:
    """Each true row's session id, and what it asked and was answered."""
    session_of = {row["request_id"]: row["session_id"] for row in rows.real_rows()}
    return [
        (session_of[request.request_id] or request.request_id, turn)
        for _, request in stored_rows.every_row()
        for turn in transcript([request]).turns
    ]


def test_what_the_transcript_shows_of_a_true_row_is_found(real_rows_database, true_turns):
    said: dict[str, set[str]] = {}
    for session_id, turn in true_turns:
        parts = [
            part for message in (*turn.new_messages, *turn.responses) for part in message.parts
        ]
        texts = [one.text for one in parts if one.kind in IN_WORDS and not one.is_redacted]
        phrases = [phrase for text in texts for phrase in PHRASE.findall(text)]
        if phrases:
            said.setdefault(max(phrases, key=len).upper(), set()).add(session_id)
    assert len(said) > 40
    source = source_of(real_rows_database)
    for phrase, expected in said.items():
        assert expected <= set(found(source, SessionSearch(said=phrase), AGES)), phrase


def test_the_tools_that_true_rows_call_are_found_by_name(real_rows_database, true_turns):
    called: dict[str, set[str]] = {}
    for session_id, turn in true_turns:
        is_mcp = turn.request.call_type == "call_mcp_tool"
        for message in turn.new_messages if is_mcp else turn.responses:
            for part in message.parts:
                if part.kind == "tool_call":
                    called.setdefault(part.name, set()).add(session_id)
    source = source_of(real_rows_database)
    assert {"get_weather", "get_forecast", "spawn_agent"} <= called.keys()
    names = {name: set(found(source, SessionSearch(tool=name), AGES)) for name in called}
    assert names == called
    every = set(found(source, SessionSearch(has_tool_calls=True), AGES))
    assert every == set().union(*called.values())


@pytest.mark.parametrize(
    ("conditions", "scenarios"),
    [
        # Version 1.80 did not note where it fell back.
        ({"used_fallback": True}, [("fallback_success", rows.V1_109)]),
        ({"metadata_key": "ticket", "metadata_value": "T-1"}, [("chat_success",)]),
        ({"error_class": "timeout"}, [("fail_timeout",)]),
        (
            {"error_class": "RateLimitError", "min_requests": 2},
            [("agent_24_fail",), ("fail_provider_429", rows.V1_109)],
        ),
    ],
)
def test_true_rows_are_found_by_what_became_of_them(real_rows_database, conditions, scenarios):
    source = source_of(real_rows_database)
    expected = {row["session_id"] for named in scenarios for row in rows.scenario(*named)}
    assert set(found(source, SessionSearch(**conditions), AGES)) == expected


@pytest.mark.parametrize(
    "noted", ["user_api_key_auth", "alice@example.com", "REDACTED_BY_LITELM", "user-agent"]
)
def test_what_litellm_noted_of_a_key_is_not_found_in_true_rows(real_rows_database, noted):
    source = source_of(real_rows_database)
    assert found(source, SessionSearch(said=noted), AGES) == []

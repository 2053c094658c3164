"""Whatever the columns hold, a session can be read."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stored_rows import choice, made
from tracelib.conversation import Part, transcript
from tracelib.conversation.json_values import TOO_DEEP

FIELDS = [
    "messages", "input", "prompt", "system", "instructions", "contents", "parts", "query",
    "documents", "file", "tools", "model", "stop", "thinking", "previous_response_id",
    "choices", "message", "delta", "text", "output", "data", "results", "candidates", "response",
    "role", "content", "name", "type", "id", "call_id", "tool_call_id", "tool_calls", "function",
    "arguments", "reasoning_content", "thinking_blocks", "provider_specific_fields", "images",
    "audio", "image_url", "url", "source", "summary", "embedding", "b64_json", "object",
    "relevance_score", "flagged", "categories", "functionCall", "functionResponse", "inlineData",
]  # fmt: skip
WORDS = [
    "user", "assistant", "tool", "system", "text", "image_url", "image", "tool_use", "tool_result",
    "thinking", "reasoning", "function_call", "function_call_output", "message", "document",
    "input_audio", "mcp_call", "response", "binary", "redacted-by-litellm", "response.done",
    "data:image/png;base64,AAAA", "... (truncated 9 chars)", '{"a": 1}', "[", "null", "\ud800",
]  # fmt: skip
CALL_TYPES = [
    "", "acompletion", "anthropic_messages", "aresponses", "aembedding", "aimage_generation",
    "atext_completion", "_arealtime", "call_mcp_tool", "list_mcp_tools", "pass_through_endpoint",
    "arerank", "amoderation", "aspeech", "acreate_batch",
]  # fmt: skip

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS)
any_json = st.recursive(
    scalars | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=14,
)
bodies = any_json | any_json.map(json.dumps) | any_json.map(lambda body: json.dumps(body)[:-1])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(CALL_TYPES), bodies, bodies, bodies), max_size=3))
def test_any_json_at_all_is_read_and_can_be_sent_to_a_browser(stored: list[Any]):
    rows = [
        made(asked, answered, messages_body=messages, call_type=kind, request_id=f"r{at}", at=at)
        for at, (kind, asked, answered, messages) in enumerate(stored)
    ]
    whole = transcript(rows)
    assert len(whole.turns) == len(rows)
    for turn in whole.turns:
        for message in (*turn.new_messages, *turn.responses):
            assert isinstance(message.role, str)
            for part in message.parts:
                shown = f"{message.role}{message.name}{part.text}{part.name}{part.call_id}"
                assert "\x00" not in shown
                shown.encode()
        "".join(name + value for name, value in turn.settings).encode()


SHOWN_AS_DATA = {
    "a number": (7, "7", True),
    "a plain text": ("hello", "hello", False),
    "a text that is half JSON": ('{"choices": [', '{"choices": [', False),
    "an object of no known shape": ({"score": 0.5}, '{\n  "score": 0.5\n}', True),
    "an array of no known shape": ([1, "a"], '[\n  1,\n  "a"\n]', True),
    "an encoded object": ('{"é": 1}', '{\n  "é": 1\n}', True),
    "a true": (True, "true", True),
}


@pytest.mark.parametrize("name", SHOWN_AS_DATA)
def test_an_answer_of_no_known_shape_is_shown_as_it_is(name):
    stored, text, is_json = SHOWN_AS_DATA[name]
    (turn,) = transcript([made({}, stored)]).turns
    assert turn.responses[0].parts == (Part("data", text, is_json=is_json),)


@pytest.mark.parametrize("stored", [None, {}, [], "", "{}", "null", "[]", '"{}"'])
def test_an_empty_column_is_no_answer(stored):
    (turn,) = transcript([made({}, stored)]).turns
    assert turn.responses == ()


@pytest.mark.parametrize("encode", [json.dumps, lambda body: json.dumps(json.dumps(body))])
def test_bodies_may_be_json_in_a_text_even_twice(encode):
    asked = {"messages": [{"role": "user", "content": "hi"}]}
    plain, encoded = (
        transcript([made(with_(asked), with_(choice("yes")))]).turns[0]
        for with_ in (lambda body: body, encode)
    )
    assert (encoded.new_messages, encoded.responses) == (plain.new_messages, plain.responses)
    assert plain.new_messages and plain.responses


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("nul\x00 here", "nul␀ here"),
        ("half \ud83d of a smile", "half \ufffd of a smile"),
        ("whole \ud83d\ude00 smile", "whole 😀 smile"),
        ("\u202eturned\u202c <script>", "\u202eturned\u202c <script>"),
    ],
)
def test_characters_that_nothing_can_carry_are_replaced_all_others_kept(stored, shown):
    asked = {"messages": [{"role": "user", "content": stored}]}
    (turn,) = transcript([made(asked, choice(stored))]).turns
    assert [message.parts[0].text for message in (*turn.new_messages, *turn.responses)] == [
        shown
    ] * 2


def nested(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [400, 3000, 100_000])
def test_content_nested_a_thousand_deep_is_no_harm(depth):
    message = {"role": "user", "content": [{"type": "unheard", "deep": nested(depth)}]}
    (turn,) = transcript([made({"messages": [message]}, {"deep": nested(depth)})]).turns
    for part in (turn.new_messages[0].parts[0], turn.responses[0].parts[0]):
        assert part.kind == "data"
        assert part.text == TOO_DEEP or "bottom" in part.text


@pytest.mark.parametrize("field", FIELDS)
def test_any_field_nested_a_thousand_deep_is_no_harm(field):
    for call_type in CALL_TYPES:
        deep = {field: nested(3000)}
        row = made(deep, deep, messages_body=deep, call_type=call_type)
        assert len(transcript([row]).turns) == 1


def test_content_as_text_nested_a_thousand_deep_is_no_harm():
    deep = "[" * 100_000 + "]" * 100_000
    call = {"id": "c", "function": {"name": "f", "arguments": deep}}
    row = made({"messages": [{"content": deep}]}, choice(None, tool_calls=[call]))
    (turn,) = transcript([row]).turns
    assert turn.new_messages[0].parts[0].text == deep
    assert turn.responses[0].parts[0].name == "f"


@pytest.mark.parametrize(
    "text",
    [
        "z" * 2_000_000,
        "." * 2_000_000,
        "... (litellm_truncated skipped 1 chars. Truncation is" * 40_000,
        "... (litellm_truncated skipped 1 chars) ..." * 40_000,
        "... (truncated 1 chars)" * 80_000,
        '{"a":' * 400_000,
        "9" * 2_000_000,
    ],
    ids=["letters", "dots", "half marks", "marks", "old marks", "braces", "digits"],
)
def test_two_megabytes_are_read_in_a_moment(text):
    started = time.process_time()
    (turn,) = transcript([made({"messages": [{"role": "user", "content": text}]}, text)]).turns
    assert time.process_time() - started < 5  # measured: at most 0.5; the square of it is hours
    assert turn.new_messages and turn.responses


@pytest.mark.parametrize(
    ("text", "cut", "shown"),
    [
        (
            "ab... (litellm_truncated skipped 7 chars. Truncation is a DB storage safeguard. Full, "
            "untruncated data is logged to logging callbacks (OTEL, Datadog, etc.). To increase "
            "the truncation limit, set `MAX_STRING_LENGTH_PROMPT_IN_DB` in your env.) ...yz",
            7,
            "ab … [7 characters cut by LiteLLM] … yz",
        ),
        (
            "ab... (litellm_truncated skipped 7 chars) ...yz",
            7,
            "ab … [7 characters cut by LiteLLM] … yz",
        ),
        ("ab... (truncated 7 chars)", 7, "ab … [7 characters cut by LiteLLM] …"),
        ("ab... (truncated 7 chars) said he", 0, "ab... (truncated 7 chars) said he"),
        ("ab... (truncated 7 chars)\n", 0, "ab... (truncated 7 chars)\n"),
        ("ab... (truncated many chars)", 0, "ab... (truncated many chars)"),
    ],
)
def test_the_marks_of_all_three_versions_are_read(text, cut, shown):
    (turn,) = transcript([made({"messages": [{"role": "user", "content": text}]})]).turns
    assert turn.new_messages[0].parts == (Part("text", shown, truncated_chars=cut),)


@pytest.mark.parametrize("text", ["redacted-by-litellm", "REDACTED_BY_LITELM"])
def test_both_spellings_of_redaction_are_read(text):
    call = {"id": "c", "function": {"name": "f", "arguments": text}}
    (turn,) = transcript([made({"prompt": text}, choice(text, tool_calls=[call]))]).turns
    parts = [part for said in (*turn.new_messages, *turn.responses) for part in said.parts]
    assert [(part.kind, part.is_redacted) for part in parts] == [
        ("text", True),
        ("text", True),
        ("tool_call", True),
    ]
    assert all(text not in part.text for part in parts)

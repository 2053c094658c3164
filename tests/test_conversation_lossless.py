"""Whatever JSON is stored, its words are shown, its bytes are not, and nothing raises."""

import base64
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.stored_rows import choice, made
from tests.test_conversation_malformed import FIELDS
from tracelib.conversation import Message, Part, transcript
from tracelib.conversation.bodies import chat
from tracelib.conversation.bodies.fields import FIGURES, is_label
from tracelib.conversation.bodies.response_messages import _COPIES
from tracelib.conversation.bodies.response_shapes import _OF_THE_REQUEST
from tracelib.conversation.bodies.texts import is_encoded, without_bytes
from tracelib.conversation.threading.history import as_message, read_turn

CALL_TYPES = [
    *("", "acompletion", "aresponses", "anthropic_messages", "agenerate_content", "aocr"),
    *("acreate_interaction", "pass_through_endpoint", "allm_passthrough_route", "_arealtime"),
    *("_aresponses_websocket", "call_mcp_tool", "asend_message", "arerank", "aembedding"),
]
MORE_FIELDS = [
    *("outputs", "steps", "pages", "markdown", "image_base64", "annotations", "citations"),
    *("cited_text", "title", "error", "thinking", "value", "toolUse", "toolResult", "json"),
    *("reasoningContent", "reasoningText", "document", "artifacts", "history", "params", "result"),
    *("item", "transcript", "delta", "variables", "action", "sources", "code", "logs", "stdout"),
    *("stderr", "outcome", "structuredContent", "contents", "groundingMetadata", "web", "uri"),
    *("groundingChunks", "revised_prompt", "refusal", "tool_plan", "reasoning_details", "file"),
    *("compaction_blocks", "web_search_results", "tool_results", "filename", "context", "queries"),
    *("input_schema", "description", "reason", "operation", "scene", "mood"),
]
TYPES = [
    *("text", "output_text", "thinking", "reasoning", "thought", "tool_use", "server_tool_use"),
    *("tool_result", "web_search_tool_result", "web_search_result", "web_fetch_result", "logs"),
    *("code_execution_result", "function_call", "function_call_output", "mcp_call", "program"),
    *("mcp_list_tools", "shell_call", "shell_call_output", "code_interpreter_call", "message"),
    *("file_search_call", "web_search_call", "image_generation_call", "computer_call_output"),
    *("computer_screenshot", "compaction", "image", "image_url", "input_image", "input_audio"),
    *("file", "input_file", "document", "search_result", "resource", "resource_link", "refusal"),
    *("program_output", "mcp_approval_request", "mcp_approval_response", "additional_tools"),
    *("tool_search_output", "model_output", "user_input", "google_search_result", "video"),
    *("function_result", "url_citation", "web_search_tool_result_error", "response.done", "error"),
    *("response.completed", "conversation.item.added", "session.created", "hologram", "data"),
]
# Said again by LiteLLM or by a response, or settings of a session: no words of anyone's.
SAID_AGAIN = {
    *(*_OF_THE_REQUEST, *_COPIES, *chat._COPIES, "supported_text", "groundingSupports"),
    *("redactedContent", "session", "container_id", "outcome"),
}

words = st.integers(10**6, 10**7).map(lambda number: f"word{number} and more")
scalars = words | words | st.none() | st.booleans() | st.integers(-5, 5)
names = st.sampled_from(sorted({*FIELDS, *MORE_FIELDS}))
roles = st.sampled_from(["user", "assistant", "tool", "system", None, None])


def _objects(inner: st.SearchStrategy) -> st.SearchStrategy:
    kinds = st.sampled_from([*TYPES, *[None] * 20])
    fields = st.dictionaries(names, inner, max_size=5)
    return st.tuples(fields, kinds, roles).map(
        lambda made: {
            **made[0],
            **({"type": made[1]} if made[1] else {}),
            **({"role": made[2]} if made[2] else {}),
        }
    )


any_json = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | _objects(inner), max_leaves=12
)
any_object = _objects(any_json)
blocks = st.lists(any_object, max_size=3)


def unseen(stored: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The texts of this value that are no labels, ids or copies: all of them have to be shown."""
    if isinstance(stored, dict):
        for key, value in stored.items():
            yield from unseen(value, (*path, key))
    elif isinstance(stored, list):
        for value in stored:
            yield from unseen(value, path)
    elif isinstance(stored, str) and stored.startswith("word"):
        is_said = not any(key in FIGURES or key in SAID_AGAIN or is_label(key) for key in path)
        yield from [stored] if is_said else []


def all_messages(asked: object, answered: object, call_type: str, heard: object) -> list[Message]:
    one = read_turn(made(asked, answered, call_type=call_type, messages_body=heard))
    return [*map(as_message, one.question.messages), *one.responses]


def all_shown(asked: object, answered: object, call_type: str, heard: object = None) -> str:
    """Every text that is shown of a row."""
    shown = []
    for message in all_messages(asked, answered, call_type, heard):
        shown += [message.role, message.name or "", message.ending or ""]
        shown += [f"{part.name}\n{part.text}\n{part.call_id}" for part in message.parts]
    return "\n".join(shown)


def assert_shown(stored: object, shown: str) -> None:
    assert [text for text in unseen(stored) if text not in shown] == []


relaxed = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


@relaxed
@given(st.sampled_from(CALL_TYPES), any_object | any_json)
def test_the_words_of_any_answer_are_shown(call_type, answered):
    assert_shown(answered, all_shown({}, answered, call_type))


ANSWERS = {
    "a choice": lambda one: {"choices": [{"message": one}]},
    "beside a choice": lambda one: {"choices": [{"message": {"provider_specific_fields": one}}]},
    "an item": lambda one: {"object": "response", "output": [one]},
    "a response": lambda one: {**one, "object": "response", "output": []},
    "a part": lambda one: {"candidates": [{"content": {"parts": [one]}}]},
    "a candidate": lambda one: {"candidates": [one]},
    "a block": lambda one: {"type": "message", "role": "assistant", "content": [one]},
    "of MCP": lambda one: {"content": [one], "isError": False},
    "a step": lambda one: {"object": "interaction", "steps": [one]},
    "of Bedrock": lambda one: {"output": {"message": {"role": "assistant", "content": [one]}}},
    "an artifact": lambda one: {"jsonrpc": "2.0", "result": {"artifacts": [{"parts": [one]}]}},
    "a page": lambda one: {"pages": [one]},
    "an entry": lambda one: {"data": [one]},
    "a result": lambda one: {"results": [one]},
    "passed through": lambda one: {"response": one},
}


@pytest.mark.parametrize("place", ANSWERS)
@settings(parent=relaxed, max_examples=150)
@given(any_object)
@example({"type": "tool_use", "error": {"code": "word1000000 and more", "type": "text"}})
def test_the_words_of_an_answer_are_shown_wherever_they_stand(place, one):
    answered = ANSWERS[place](one)
    assert_shown(answered, all_shown({}, answered, "acompletion"))


REQUESTS = {
    "messages": lambda one: {"messages": [one]},
    "a block": lambda one: {"messages": [{"role": "user", "content": [one]}]},
    "a block of an answer": lambda one: {"messages": [{"role": "assistant", "content": [one]}]},
    "a tool's message": lambda one: {
        "messages": [{"role": "tool", "tool_call_id": "c", "content": [one]}]
    },
    "a tool's result": lambda one: {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": [one]}],
            }
        ]
    },
    "contents": lambda one: {"contents": [{"role": "user", "parts": [one]}]},
    "system": lambda one: {"system": [one], "messages": []},
    "an agent's": lambda one: {
        "method": "message/send",
        "params": {"message": {"role": "user", "parts": [one]}},
    },
}


@pytest.mark.parametrize(
    "kind", ["session.created", "session.updated", "transcription_session.updated", "error"]
)
def test_an_event_of_a_connection_shows_its_error_and_its_other_words(kind):
    event = {"type": kind, "error": {"message": "what failed"}, "action": "and more words"}
    shown = all_shown({}, {"results": [event]}, "acompletion")
    assert "what failed" in shown
    assert "and more words" in shown


@pytest.mark.parametrize("place", REQUESTS)
@settings(parent=relaxed, max_examples=150)
@given(any_object)
def test_the_words_of_a_prompt_are_shown_wherever_they_stand(place, one):
    asked = REQUESTS[place](one)
    assert_shown(asked, all_shown(asked, {}, "acompletion"))


@relaxed
@given(st.sampled_from(["aresponses", "acreate_interaction"]), blocks)
def test_the_words_of_any_items_are_shown(call_type, sent):
    assert_shown(sent, all_shown({"input": sent}, {}, call_type))


# ------------------------------------------------------------------ bytes


@relaxed
@given(
    st.binary(min_size=160, max_size=400),
    st.sampled_from([*ANSWERS.values()]),
    st.sampled_from(
        [
            lambda text: {"type": "image", "data": text},
            lambda text: {
                "type": "image_url",
                "image_url": {"url": f"data:image/png;base64,{text}"},
            },
            lambda text: {"type": "hologram", "deep": [{"er": {"bytes": text}}]},
            lambda text: {"type": "text", "text": f"Look: {text} and say."},
            lambda text: {"type": "tool_use", "name": "f", "input": {"file": text}},
            lambda text: {"type": "tool_result", "content": f'{{"png": "{text}"}}'},
            lambda text: {"type": "image_generation_call", "result": text},
            lambda text: {"type": "text", "text": base64_lines(text)},
            lambda text: {"name": text, "role": text, text: text},
        ]
    ),
)
def test_no_bytes_are_shown_wherever_they_stand(plain, place, block):
    encoded = base64.b64encode(bytes(range(256))[:60] + plain).decode()
    answered = place(block(encoded))
    shown = all_shown(answered, answered, "acompletion")
    assert longest_common(shown, encoded) <= 200


def base64_lines(encoded: str) -> str:
    return "\n".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))


def longest_common(shown: str, encoded: str) -> int:
    """The length of the longest run of the bytes that is shown, or 200 where none is so long."""
    starts = range(0, max(1, len(encoded) - 200), 20)
    runs = (encoded[at : at + 201] for at in starts)
    return 201 if any(run in shown for run in runs) else 200


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"

NAMED = {
    "a data URL in words": (
        f"See data:image/png;base64,{PNG}, please",
        "See [image/png, 57 B], please",
    ),
    "a short data URL": ("data:image/gif;base64,R0lGODlh", "[image/gif, 6 B]"),
    "a data URL that is no base64": (
        'src="data:image/svg+xml;utf8,%3Csvg%3E" end',
        'src="[image/svg+xml, 9 B]" end',
    ),
    "bare bytes of a known kind": (f"png: {PNG}", "png: [image/png, 57 B]"),
    "bare bytes of no known kind": ("Zm9vYmFyYmF6" * 30, "[base64, 270 B]"),
    "bytes with the signs for addresses": ("_-8yZm9vYmFy" * 30, "[base64, 270 B]"),
    "zeros": ("A" * 400, "[base64, 300 B]"),
    "bytes that LiteLLM cut": (
        f"{PNG}... (litellm_truncated skipped 9000 chars) ...{PNG}",
        "[image/png, 6.9 kB, stored truncated]",
    ),
    "bytes in lines, as mail has them": (
        "\n".join(["Zm9vYmFyYmF6" * 6] * 5),
        "[base64, 270 B]",
    ),
    "bytes in lines within a text of JSON": (
        r"\n".join(["Zm9vYmFyYmF6" * 6] * 5),
        "[base64, 270 B]",
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_bytes_in_a_text_are_named_by_kind_and_size(name):
    text, expected = NAMED[name]
    assert without_bytes(text)[0] == expected


WORDS = {
    "a long word": "longword" * 400,
    "a scream": "A" * 40,
    "letters": "z" * 5_000,
    "digits": "9" * 5_000,
    "a rule": "-" * 300,
    "genes": "ACGTTGCA" * 100,
    "hexadecimal": "0123456789abcdef" * 30,
    "a path": "/usr/local/lib/python/site-packages/" * 20,
    "a hash": "sha512-" + "Ab1" * 28,
    "prose": "The quick brown fox. " * 100,
    "kebab": "some-Very-long/slug-with-Parts-" * 20,
    "data: as a word": "data: all of it, data:none",
}


@pytest.mark.parametrize("name", WORDS)
def test_words_are_no_bytes(name):
    assert without_bytes(WORDS[name]) == (WORDS[name], 0)
    assert not is_encoded(WORDS[name])


def test_a_cut_in_bytes_counts_as_cut():
    cut = f"{PNG}... (litellm_truncated skipped 9000 chars) ...{PNG}"
    asked = {"messages": [{"role": "user", "content": [{"type": "scan", "of": cut}]}]}
    (turn,) = transcript([made(asked, choice("ok"))]).turns
    (part,) = turn.new_messages[0].parts
    assert (part.truncated_chars, part.kind) == (9_000, "data")
    assert "[image/png, 6.9 kB, stored truncated]" in part.text


def test_the_kind_that_is_named_goes_before_what_the_bytes_begin_like():
    block = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/x-own", "data": PNG},
    }
    (message,) = all_messages({"messages": [{"role": "user", "content": [block]}]}, {}, "", None)
    assert message.parts == (Part("image", "image/x-own, 57 B", size_bytes=57),)


def test_an_address_a_path_and_an_id_of_an_image_are_shown_as_they_are():
    for address in ("https://a.example.org/x.png", "gs://b/x.png", "images/cat.png", "file-abc123"):
        block = {"type": "input_image", "image_url": address}
        (message,) = all_messages(
            {"messages": [{"role": "user", "content": [block]}]}, {}, "", None
        )
        assert message.parts == (Part("image", address),)

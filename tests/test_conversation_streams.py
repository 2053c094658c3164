"""Streams that were stored as they came, and connections, read as the answers they were."""

import json
from textwrap import dedent

import pytest

from tests.stored_rows import made
from tests.test_conversation_blocks import PNG, said
from tracelib.conversation.threading.history import read_turn


def sse(*events: object, named: bool = False) -> dict[str, str]:
    """A pass-through's answer: server-sent events as one text."""
    heads = ["event: " + str(one.get("type")) + "\n" if named else "" for one in events]
    pairs = zip(heads, events, strict=True)
    return {"response": "".join(f"{head}data: {json.dumps(one)}\n\n" for head, one in pairs)}


def delta(index: int = 0, finish: str | None = None, **message: object) -> dict[str, object]:
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": index, "delta": message, "finish_reason": finish}],
    }


def call(index: int, **function: object) -> dict[str, object]:
    named = {"id": f"c{index}", "type": "function"} if "name" in function else {}
    return {"index": index, **named, "function": function}


def converse(name: str, index: int | None = None, **held: object) -> dict[str, object]:
    place = {} if index is None else {"contentBlockIndex": index}
    return {name: {**place, **held}}


CUT = '{"choices... (litellm_truncated skipped 900 chars) ...end of it"}}]}'

STREAMS = {
    "chat completions: words, calls, two choices": (
        sse(
            delta(role="assistant", content="One "),
            delta(1, content="Other."),
            delta(content="two."),
            delta(tool_calls=[call(0, name="look", arguments='{"at"')]),
            delta(tool_calls=[call(0, arguments=": 1}"), call(1, name="go", arguments="{}")]),
            delta(finish="length"),
            delta(1, finish="stop"),
        ),
        """
        => assistant: One two. {look: { "at": 1 }} {go: {}} /Cut off at the token limit (length)/
        => assistant: Other.""",
    ),
    "text completions": (
        sse({"choices": [{"text": "Once "}]}, {"choices": [{"text": "upon"}]}),
        "=> assistant: Once upon",
    ),
    "Anthropic: thinking, words, a call, a citation": (
        sse(
            {"type": "message_start", "message": {"role": "assistant", "content": []}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
            {"type": "content_block_delta", "index": 0, "delta": {"thinking": "hm "}},
            {"type": "content_block_delta", "index": 0, "delta": {"thinking": "hm"}},
            {"type": "content_block_start", "index": 1, "content_block": {"type": "text"}},
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "text_delta", "text": "It "},
            },
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "text_delta", "text": "is."},
            },
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {
                    "type": "citations_delta",
                    "citation": {"type": "char_location", "cited_text": "so it is"},
                },
            },
            {
                "type": "content_block_start",
                "index": 2,
                "content_block": {"type": "tool_use", "id": "t", "name": "look", "input": {}},
            },
            {
                "type": "content_block_delta",
                "index": 2,
                "delta": {"type": "input_json_delta", "partial_json": '{"price": 1'},
            },
            {
                "type": "content_block_delta",
                "index": 2,
                "delta": {"type": "input_json_delta", "partial_json": "e400}"},
            },
            {"type": "message_delta", "delta": {"stop_reason": "abort"}},
            {"type": "message_stop"},
            named=True,
        ),
        """
        => assistant: (hm hm) It is. «so it is» {look: { "price": 1e400 }} /Cancelled (abort)/""",
    ),
    "Anthropic: an error in the middle": (
        sse(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text", "text": "It "}},
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ),
        "=> assistant: It /Failed (overloaded_error): Overloaded/",
    ),
    "Responses: whole at the end": (
        sse(
            {"type": "response.output_text.delta", "item_id": "m", "delta": "half"},
            {
                "type": "response.completed",
                "response": {
                    "object": "response",
                    "status": "completed",
                    "output": [
                        {
                            "type": "message",
                            "id": "m",
                            "content": [{"type": "output_text", "text": "half and whole"}],
                        }
                    ],
                },
            },
        ),
        "=> assistant: half and whole",
    ),
    "Responses: broken off before the end": (
        sse(
            {"type": "response.created", "response": {"status": "in_progress", "output": []}},
            {"type": "response.output_text.delta", "item_id": "m", "delta": "half "},
            {"type": "response.output_text.delta", "item_id": "m", "delta": "of it"},
            {
                "type": "response.output_item.added",
                "item": {"type": "function_call", "id": "f", "call_id": "c", "name": "look"},
            },
            {"type": "response.function_call_arguments.delta", "item_id": "f", "delta": '{"a": 1}'},
        ),
        'assistant: half of it {look: { "a": 1 }}',
    ),
    "Gemini: words in pieces, then a call": (
        sse(
            {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}]}}]},
            {"candidates": [{"content": {"parts": [{"text": "One "}]}}]},
            {"candidates": [{"content": {"parts": [{"text": "two."}]}}]},
            {
                "candidates": [
                    {
                        "content": {"parts": [{"functionCall": {"name": "look", "args": {}}}]},
                        "finishReason": "STOP",
                    }
                ]
            },
        ),
        "=> assistant: (hm) One two. {look: {}}",
    ),
    "Gemini: an array of pieces": (
        {
            "response": json.dumps(
                [
                    {"candidates": [{"content": {"parts": [{"text": "One "}]}}]},
                    {"candidates": [{"content": {"parts": [{"text": "two."}]}}]},
                ]
            )
        },
        "=> assistant: One two.",
    ),
    "Bedrock: its own events": (
        sse(
            converse("messageStart", role="assistant"),
            converse("contentBlockDelta", 0, delta={"text": "I "}),
            converse("contentBlockDelta", 0, delta={"text": "look."}),
            converse("contentBlockStart", 1, start={"toolUse": {"toolUseId": "t", "name": "look"}}),
            converse("contentBlockDelta", 1, delta={"toolUse": {"input": '{"at":'}}),
            converse("contentBlockDelta", 1, delta={"toolUse": {"input": " 1}"}}),
            converse("messageStop", stopReason="max_tokens"),
        ),
        """
        => assistant: I look. {look: { "at": 1 }} /Cut off at the token limit (max_tokens)/""",
    ),
    "Cohere": (
        sse(
            {"type": "message-start", "delta": {"message": {"role": "assistant"}}},
            {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I look."}}},
            {
                "type": "tool-call-start",
                "index": 0,
                "delta": {
                    "message": {
                        "tool_calls": {"id": "c", "function": {"name": "look", "arguments": ""}}
                    }
                },
            },
            {
                "type": "tool-call-delta",
                "index": 0,
                "delta": {"message": {"tool_calls": {"function": {"arguments": '{"a": 1}'}}}},
            },
            {
                "type": "content-delta",
                "index": 0,
                "delta": {"message": {"content": {"type": "text", "text": "It is."}}},
            },
            {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}},
        ),
        '=> assistant: (I look.) It is. {look: { "a": 1 }}',
    ),
    "Ollama: a line each": (
        {
            "response": "\n".join(
                json.dumps(
                    {"model": "m", "message": {"role": "assistant", "content": word}, "done": d}
                )
                for word, d in (("One ", False), ("two.", True))
            )
        },
        "=> assistant: One two.",
    ),
    "an agent: its state, and what it makes bit by bit": (
        sse(
            {"jsonrpc": "2.0", "result": {"kind": "status-update", "status": {"state": "working"}}},
            *(
                {
                    "jsonrpc": "2.0",
                    "result": {
                        "kind": "artifact-update",
                        "append": True,
                        "artifact": {
                            "artifactId": "1",
                            "name": "plan",
                            "parts": [{"kind": "text", "text": words}],
                        },
                    },
                }
                for words in ("Go to ", "Rome.")
            ),
            {
                "jsonrpc": "2.0",
                "result": {
                    "kind": "status-update",
                    "status": {"state": "completed"},
                    "final": True,
                },
            },
        ),
        "=> assistant: plan: Go to Rome.",
    ),
    "an interaction": (
        sse(
            {
                "event_type": "interaction.start",
                "interaction": {"id": "i", "status": "in_progress"},
            },
            {"event_type": "content.start", "index": 0, "content": {"type": "text"}},
            {"event_type": "content.delta", "index": 0, "delta": {"type": "text", "text": "One "}},
            {"event_type": "content.delta", "index": 0, "delta": {"type": "text", "text": "two."}},
            {"event_type": "interaction.complete", "interaction": {"status": "completed"}},
        ),
        "=> assistant: One two.",
    ),
    "lines that LiteLLM could not read, as Python writes a list": (
        {
            "response": "cannot parse chunks to standard response object. Chunks="
            + str([f"data: {json.dumps(delta(content=word))}" for word in ("It's ", "so.")])
        },
        "=> assistant: It's so.",
    ),
    "a stream that LiteLLM cut in the middle": (
        {
            "response": sse(delta(content="One "))["response"]
            + f"data: {CUT}\n\n"
            + sse(delta(content="two."))["response"]
        },
        "=> assistant: One two.\n#Unreadable part of the stream: "
        '{"choices … [900 characters cut by LiteLLM] … en …~#',
    ),
    "a text that only looks like a stream": (
        {"response": "data: see the table\nevent: none"},
        "=> assistant: #data: see the table event: none#",
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_put_together(name):
    answered, expected = STREAMS[name]
    expected = dedent(expected).strip()
    assert (
        said("pass_through_endpoint", {}, answered).removeprefix(
            "=> " if expected.startswith("assistant") else ""
        )
        == expected
    )


@pytest.mark.parametrize("name", ["chat completions: words, calls, two choices", "Cohere"])
def test_a_stream_may_also_be_stored_as_an_array_of_its_pieces(name):
    answered, expected = STREAMS[name]
    lines = answered["response"].split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line]
    assert said("pass_through_endpoint", {}, events) == dedent(expected).strip()


# ------------------------------------------------------------------ connections


def spoken(item_id: str, transcript: str, role: str = "assistant") -> dict[str, object]:
    kind = "audio" if role == "assistant" else "input_audio"
    content = [{"type": kind, "transcript": transcript}]
    return {"id": item_id, "type": "message", "role": role, "content": content}


def done(*output: object, **beside: object) -> dict[str, object]:
    response = {"object": "realtime.response", "status": "completed", "output": list(output)}
    return {"type": "response.done", "response": response | beside}


REALTIME = {
    "each answer after what was typed before it": (
        [{"role": "user", "content": "One?"}, {"role": "user", "content": "Two?"}],
        [done(spoken("a", "First.")), done(spoken("b", "Second."))],
        """
        user: One?
        => assistant: <audio, not stored> First.
        => user: Two?
        => assistant: <audio, not stored> Second.""",
    ),
    "what was typed before all, where nothing tells its place": (
        [{"role": "user", "content": "One?"}],
        [done(spoken("a", "First.")), done(spoken("b", "Second."))],
        """
        user: One?
        => assistant: <audio, not stored> First.
        => assistant: <audio, not stored> Second.""",
    ),
    "what was heard, in its place, though it was understood later": (
        [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello"}],
        [
            {"type": "session.created", "session": {"instructions": "Be helpful."}},
            {"type": "conversation.item.added", "item": spoken("u", "", "user")},
            done(spoken("a", "Hi.")),
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": "u",
                "transcript": "hello",
            },
            {"type": "conversation.item.added", "item": {"id": "a", "type": "message"}},
            {"type": "rate_limits.updated", "rate_limits": [{"name": "requests"}]},
        ],
        """
        system: Be helpful.
        system: Be kind.
        user: <audio, not stored> hello
        => assistant: <audio, not stored> Hi.""",
    ),
    "an answer that was broken off, one that failed, an error": (
        [],
        [
            done(
                spoken("a", "I was say"),
                status="cancelled",
                status_details={"type": "cancelled", "reason": "turn_detected"},
            ),
            done(
                status="failed",
                status_details={"error": {"code": "quota", "message": "No money left"}},
            ),
            {"type": "error", "error": {"code": "bad", "message": "Bad event", "param": "item"}},
        ],
        """
        => assistant: <audio, not stored> I was say /Interrupted by the user (turn_detected)/
        => assistant: /Failed (quota): No money left/
        => assistant: #{ "param": "item" }# /Failed (bad): Bad event/""",
    ),
    "an event of no known kind": (
        [],
        [done(spoken("a", "Hi.")), {"type": "mood.changed", "mood": "cheerful"}],
        """
        => assistant: <audio, not stored> Hi.
        => assistant: #{ "mood": "cheerful" }#""",
    ),
}


@pytest.mark.parametrize("name", REALTIME)
def test_realtime_talk_is_shown_in_order(name):
    typed, events, expected = REALTIME[name]
    handshake = {"model": "realtime", "headers": {"authorization": "secret"}, "input": "no prompt"}
    shown = said("_arealtime", handshake, {"results": events}, messages_body=typed)
    assert shown == dedent(expected).strip()


def test_a_connection_of_the_responses_api_is_read_turn_by_turn_or_as_a_whole():
    first = {
        "type": "response.create",
        "instructions": "Be brief.",
        "previous_response_id": "resp_0",
        "input": [{"role": "user", "content": "One?"}],
    }
    answer = [{"type": "message", "content": [{"type": "output_text", "text": "First."}]}]
    events = [
        {"type": "response.output_text.delta", "delta": "Fir"},
        {"type": "response.completed", "response": {"status": "completed", "output": answer}},
        {
            "type": "response.incomplete",
            "response": {
                "status": "incomplete",
                "incomplete_details": {"reason": "content_filter"},
                "output": [{"type": "function_call", "name": "look", "arguments": '{"at": 1}'}],
            },
        },
    ]
    expected = dedent("""\
        system: Be brief.
        user: One?
        => assistant: First.
        => assistant: {look: { "at": 1 }} /Stopped by a content filter (content_filter)/""")
    for stored in (first, {"type": "response.create", "response": first}):
        body = {"model": "gpt-4o", "first_message": json.dumps(stored)}
        for answered in ({"results": events, "id": "resp_1"}, events):
            assert said("_aresponses_websocket", body, answered) == expected
    row = made(body, call_type="_aresponses_websocket")
    assert read_turn(row).question.previous_ids == ("resp_0",)


def test_bytes_in_a_stream_are_named_too():
    image = {"type": "image_generation_call", "id": "i", "result": PNG * 40}
    events = {"type": "response.output_item.done", "item": image}
    assert PNG not in said("pass_through_endpoint", {}, sse(events))

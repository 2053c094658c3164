"""Rows at the fringes of known shapes: what is stored in them is shown, and nothing else is."""

from textwrap import dedent

import pytest

from tests.stored_rows import made, told
from tracelib.conversation import transcript

ASKED = {"messages": [{"role": "user", "content": "ASK"}]}
SAFE = {"hate": {"filtered": False, "severity": "safe"}, "jailbreak": {"detected": False}}
RAISED = {"violence": {"filtered": True, "severity": "high"}}
PNG = "iVBORw0KGgoAAAANSUhEUgAA" + "QUJDRA" * 60
RAN = {"type": "computer_call", "id": "cu", "call_id": "c1", "action": {"type": "wait"}}
CHECKS = [{"id": "s1", "code": "malicious", "message": "Careful now"}]
SHOT = {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PNG}"}


def chat(content, **beside):
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    return {"object": "chat.completion", "choices": [{**choice, **beside}]}


def anthropic(*content, **beside):
    return {"type": "message", "role": "assistant", "content": [*content], **beside}


# Of each: the type of call, the request, the answer, and what is shown of it.
ROWS = {
    "an answer without words, as Anthropic refuses": (
        "anthropic_messages",
        ASKED,
        anthropic(stop_reason="refusal", stop_details={"explanation": "Not this."}),
        """
        user: ASK
        => assistant: /Refused by the model (refusal): Not this./""",
    ),
    "an answer that was cut before its first word": (
        "anthropic_messages",
        ASKED,
        anthropic(stop_reason="max_tokens"),
        """
        user: ASK
        => assistant: /Cut off at the token limit (max_tokens)/""",
    ),
    "no choices": (
        "acompletion",
        ASKED,
        {"object": "chat.completion", "choices": [], "usage": {"total_tokens": 3}},
        """
        user: ASK
        => assistant:""",
    ),
    "an error of a choice, as OpenRouter has it": (
        "acompletion",
        ASKED,
        chat("", finish_reason="error", error={"code": 502, "message": "Upstream idle"}),
        """
        user: ASK
        => assistant: /Failed (502): Upstream idle/""",
    ),
    "filters that found nothing, as Azure has them": (
        "acompletion",
        ASKED,
        {
            **chat("ANS", content_filter_results=SAFE),
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
        },
        """
        user: ASK
        => assistant: ANS""",
    ),
    "a filter that found something": (
        "acompletion",
        ASKED,
        chat("", finish_reason="content_filter", content_filter_results=RAISED),
        """
        user: ASK
        => assistant: #{ "content_filter_results": { "violence": { "fil …#"""
        """ /Stopped by a content filter (content_filter)/""",
    ),
    "words beside a screenshot are of the same call": (
        "aresponses",
        {
            "input": [
                {"role": "user", "content": "ASK"},
                RAN,
                {
                    "type": "computer_call_output",
                    "call_id": "c1",
                    "output": SHOT,
                    "acknowledged_safety_checks": CHECKS,
                },
            ]
        },
        {"object": "response", "output": [{"role": "assistant", "content": "ANS"}]},
        """
        user: ASK
        assistant: {computer_call: { "action": { "type": "wait" } }}
        tool: [computer_call: ]
        <image/png, 288 B>
        #{ "acknowledged_safety_checks": [ { "id": "s1", …#
        => assistant: ANS""",
    ),
    "a result of an unknown kind within the result of a hosted tool": (
        "anthropic_messages",
        ASKED,
        anthropic(
            {"type": "server_tool_use", "id": "s1", "name": "advisor", "input": {}},
            {
                "type": "advisor_tool_result",
                "tool_use_id": "s1",
                "content": {"type": "advisor_result", "text": "ADVICE"},
            },
        ),
        """
        user: ASK
        => assistant: {advisor: {}} [advisor: ADVICE]""",
    ),
    "an image as LangChain has it": (
        "acompletion",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image", "base64": PNG, "mime_type": "image/png"}],
                }
            ]
        },
        chat("ANS"),
        """
        user: <image/png, 288 B>
        => assistant: ANS""",
    ),
    "what follows the gap that a model fills": (
        "atext_completion",
        {"prompt": "BEFORE", "suffix": "AFTER"},
        {"object": "text_completion", "choices": [{"text": "GAP", "finish_reason": "stop"}]},
        """
        user: BEFORE AFTER
        => assistant: GAP""",
    ),
    "a tool of MCP that answers by JSON-RPC": (
        "call_mcp_tool",
        {"method": "tools/call", "params": {"name": "look", "arguments": {"q": "ARG"}}},
        {
            "jsonrpc": "2.0",
            "id": 2,
            "result": {"content": [{"type": "text", "text": "RES"}], "isError": True},
        },
        """
        user: {look: { "q": "ARG" }}
        => tool: [!look: RES]""",
    ),
    "messages of a thread": (
        "aget_messages",
        {"thread_id": "t"},
        {
            "object": "list",
            "data": [
                {
                    "object": "thread.message",
                    "role": "assistant",
                    "content": [{"type": "text", "text": {"value": "ANS", "annotations": []}}],
                }
            ],
        },
        "=> assistant: ANS",
    ),
    "how a text of Titan ended": (
        "pass_through_endpoint",
        {"inputText": "ASK"},
        {"results": [{"outputText": "ANS", "completionReason": "LENGTH"}]},
        """
        user: ASK
        => assistant: ANS /Cut off at the token limit (LENGTH)/""",
    ),
    "a failed video does not say its prompt again": (
        "avideo_generation",
        {"prompt": "ASK"},
        {"object": "video", "prompt": "ASK", "error": {"code": "blocked", "message": "Unsafe"}},
        """
        user: ASK
        => assistant: /Failed (blocked): Unsafe/""",
    ),
    "the date of a source, as Perplexity has it": (
        "acompletion",
        ASKED,
        {**chat("ANS"), "search_results": [{"title": "T", "url": "https://a", "date": "2026-05"}]},
        """
        user: ASK
        => assistant: ANS «T: https://a 2026-05»""",
    ),
    "speech that was not understood, and a result of the client's tool": (
        "_arealtime",
        None,
        [
            {"type": "session.created", "session": {"instructions": "SYS"}},
            {
                "type": "conversation.item.input_audio_transcription.failed",
                "item_id": "i1",
                "error": {"code": "audio_unintelligible", "message": "NOISE"},
            },
            {
                "type": "response.done",
                "response": {
                    "id": "r1",
                    "status": "completed",
                    "output": [
                        {
                            "type": "function_call",
                            "call_id": "c1",
                            "name": "look",
                            "arguments": "{}",
                        }
                    ],
                },
            },
            {
                "type": "conversation.item.created",
                "item": {"type": "function_call_output", "call_id": "c1", "output": "RES"},
            },
        ],
        """
        system: SYS
        user: <audio, not stored> /Failed (audio_unintelligible): NOISE/
        => assistant: {look: {}}
        => tool: [look: RES]""",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_is_stored_is_shown(name):
    call_type, asked, answered, expected = ROWS[name]
    lines = told(transcript([made(asked, answered, call_type=call_type)])).splitlines()[1:]
    shown = [line.strip() for line in lines if not line.strip().startswith("note:")]
    assert "\n".join(shown) == dedent(expected).strip()

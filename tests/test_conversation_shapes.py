"""Each shape that LiteLLM stores reads well: real rows first, then shapes made by hand."""

from textwrap import dedent

import pytest

from tests.stored_rows import MORE, NEW, OLD, choice, every_row, made, scenario, told
from tracelib.conversation import Message, Part, transcript
from tracelib.conversation.notes import (
    BROKEN_OFF,
    ELSEWHERE,
    NO_PROMPT,
    NO_RESPONSE,
    NOT_STORED,
    REDACTED,
    REFUSED,
    TRUNCATED,
    UNREADABLE,
)

PNG = "data:image/png;base64,"


def said(request) -> list[str]:
    """The messages of one request in few words, without the line that heads it."""
    return [line.strip() for line in told(transcript([request])).splitlines()[1:]]


REAL = {
    ("chat_success", NEW): """
        system: You are a terse assistant.
        user: Hello there
        => assistant: Answer 2: you said 'Hello there'""",
    ("chat_stream", NEW): """
        user: Stream me an answer please
        => assistant: Answer 1: you said 'Stream me an answer please'""",
    ("anthropic_via_chat", NEW): """
        user: hello claude over chat completions
        => assistant: Claude says: hello claude over chat completions""",
    ("anthropic_messages", NEW): """
        system: sys
        user: hi claude native
        => assistant: Claude says: hi claude native""",
    ("anthropic_messages_tool", NEW): """
        user: weather?
        => assistant: Let me check. {get_weather: { "city": "Paris" }}""",
    ("anthropic_messages_stream", OLD): """
        user: hi claude native stream
        => assistant: Claude says: hi claude native stream""",
    ("embedding", NEW): """
        user: alpha beta
        => assistant: #2 vectors of 8 numbers#""",
    ("text_completion", NEW): """
        user: Once upon
        => assistant: Once upon a time there was a proxy.""",
    ("image_generation", OLD): """
        user: a cat
        => assistant: A cat <https://example.invalid/cat.png>""",
    ("responses_turn_1", NEW): """
        system: be funny
        user: Tell me a joke
        => assistant: Response to 'Tell me a joke'""",
    ("responses_stream", OLD): """
        user: stream a joke
        => assistant: Response to 'stream a joke'""",
    ("n_2_choices", MORE): """
        user: Give me two names for a cat.
        => assistant: First: Momo.
        => assistant: Choice number 2.""",
    ("reasoning_chat", MORE): """
        user: What is 6*7?
        => assistant: (First I list the factors. Then I check each of t …)
        The answer is 42.""",
    ("reasoning_anthropic", MORE): """
        user: What is 6*7?
        => assistant: (First I list the factors. Then I check each of t …)
        The answer is 42.""",
    ("reasoning_content", OLD): """
        user: think about it
        => assistant: (thinking about it) Answer 1: you said 'think about it'""",
    ("guardrail_mask", MORE): """
        user: tell me about [KEYWORD_REDACTED]
        => assistant: It is a bird.""",
    ("mcp_tool_call", MORE): """
        user: {get_forecast: { "city": "Paris" }}
        => tool: [get_forecast: {"city": "Paris", "temp_c": 21}]""",
    ("fail_timeout", NEW): "user: hi",
    ("fail_anthropic_messages", OLD): "user: hi",
    ("unicode_nul_newline", NEW): """
        user: héllo 世界 😀 <b>html</b> `code` | a | b | nul::
        => assistant: Answer 1: you said 'héllo 世界 😀 <b>html</b> `code …""",
}


@pytest.mark.parametrize(("name", "file"), REAL, ids=[":".join(pair) for pair in REAL])
def test_a_real_row_reads_well(name, file):
    assert "\n".join(said(scenario(name, file))) == dedent(REAL[name, file]).strip()


NOTED = {
    ("prompts_not_stored", NEW): NOT_STORED,
    ("prompts_not_stored", OLD): NOT_STORED,
    ("prompts_not_stored_fail", NEW): REFUSED,
    ("fail_bad_proxy_key", OLD): REFUSED,
    ("health_check", MORE): NO_PROMPT,
    ("truncated_prompt", NEW): TRUNCATED,
    ("truncated_prompt", OLD): TRUNCATED,
    ("image_input", OLD): TRUNCATED,
    ("input_file_pdf", MORE): TRUNCATED,
    ("input_image_anthropic", MORE): TRUNCATED,
    ("redacted_header", NEW): REDACTED,
    ("redacted_global", OLD): REDACTED,
    ("responses_turn_2_prev_id", NEW): ELSEWHERE,
    ("responses_turn_2_prev_id", OLD): ELSEWHERE,
    ("responses_chain_2", MORE): ELSEWHERE,
}


def test_a_real_row_is_noted_where_something_is_missing_and_only_there():
    noted = {}
    for name, row in every_row():
        file, scenario_name = name.split(":")
        (turn,) = transcript([row]).turns
        if turn.notes and not scenario_name.startswith(("agent", "responses_chain")):
            noted[scenario_name, file] = turn.notes
    expected = {pair: (note,) for pair, note in NOTED.items() if "chain" not in pair[0]}
    assert noted == expected | {
        (name, OLD): (REFUSED,) for name in ("fail_bad_key_no_db", "prompts_not_stored_fail")
    }
    assert transcript([scenario("responses_chain_2", MORE)]).turns[0].notes == (ELSEWHERE,)


@pytest.mark.parametrize(("file", "cut"), [(NEW, 3973), (OLD, 3973)])
def test_a_cut_text_says_how_much_was_cut_and_keeps_both_ends(file, cut):
    (turn,) = transcript([scenario("truncated_prompt", file)]).turns
    (part,) = turn.new_messages[0].parts
    assert part.truncated_chars == cut
    assert part.text.startswith("STARTppp")
    assert part.text.count("… [3,973 characters cut by LiteLLM] …") == 1
    assert "litellm_truncated" not in part.text
    assert part.text.endswith("END long-answer")


def test_a_cut_file_is_named_and_sized_as_it_was_before_the_cut():
    (turn,) = transcript([scenario("input_file_pdf", MORE)]).turns
    whole = (2048 + 1981 - len("data:application/pdf;base64,")) * 3 // 4
    file, text = turn.new_messages[0].parts
    assert (file.kind, file.name, file.text) == (
        "file",
        "report.pdf",
        "application/pdf, 3.0 kB, stored truncated",
    )
    assert abs(file.size_bytes - whole) < 3
    assert text == Part("text", "Summarise the report.")


def test_a_document_s_own_text_is_shown_below_its_name():
    (turn,) = transcript([scenario("input_image_anthropic", MORE)]).turns
    assert told(transcript([scenario("input_image_anthropic", MORE)])).splitlines()[1:6] == [
        "    user: <image/png, 3.0 kB, stored truncated~>",
        "        <bees: text/plain, text below>",
        "        Bees make honey.",
        "        What is this?",
        " => assistant: A picture and a text about bees.",
    ]
    assert turn.new_messages[0].parts[0].truncated_chars == 1953


def test_the_fields_that_may_be_shown_of_a_request_are_its_settings():
    (turn,) = transcript([scenario("reasoning_anthropic", MORE)]).turns
    assert turn.settings == (
        ("model", "claude"),
        ("max_tokens", "2000"),
        ("thinking", "enabled"),
        ("thinking.budget_tokens", "1024"),
    )
    (turn,) = transcript([scenario("anthropic_messages_tool")]).turns
    assert turn.settings[2:] == (("tools offered", "get_weather"), ("tools called", "get_weather"))


def test_a_field_that_is_not_on_the_list_is_not_among_the_settings():
    body = {
        "model": "gpt-4o",
        "api_key": "sk-1",
        "user": "somebody@example.com",
        "litellm_call_id": "1e32",
        "metadata": {"user_api_key": "0992"},
        "extra_headers": {"authorization": "Bearer sk-1"},
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"secret": 1}}},
        "stop": ["END", "STOP"],
        "stream": False,
    }
    (turn,) = transcript([made(body)]).turns
    assert turn.settings == (
        ("model", "gpt-4o"),
        ("stop", "END, STOP"),
        ("stream", "no"),
        ("tool_choice", "look"),
        ("response_format", "json_schema"),
    )


def test_nothing_of_a_request_is_shown_but_its_prompt_and_settings():
    for name, row in every_row():
        shown = repr([(t.new_messages, t.settings, t.notes) for t in transcript([row]).turns])
        for secret in ("user_api_key", "alice@example.com", "10.1.2.3", "user-agent", "litellm_"):
            assert secret not in shown.replace("store_prompts_in", "").replace(
                "litellm_settings", ""
            ), (name, secret)


CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":"x"}'}}

MADE = {
    "blocks and images of chat completions": (
        "acompletion",
        {
            "messages": [
                {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
                {
                    "role": "user",
                    "name": "pilot",
                    "content": [
                        {"type": "text", "text": "Both?"},
                        {"type": "image_url", "image_url": {"url": f"{PNG}{'A' * 1200}"}},
                        {"type": "image_url", "image_url": "https://example.invalid/a.png"},
                        {"type": "input_audio", "input_audio": {"data": "A" * 8, "format": "wav"}},
                    ],
                },
            ]
        },
        choice("Yes."),
        """
        developer: Be brief.
        user pilot: Both?
        <image/png, 900 B>
        <https://example.invalid/a.png>
        <audio/wav, 6 B>
        => assistant: Yes.""",
    ),
    "calls without content, results with the tool's name": (
        "acompletion",
        {
            "messages": [
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "ok"}]},
            ]
        },
        choice(None, tool_calls=[CALL], refusal="I will not."),
        """
        user: go
        assistant: {look: { "at": "x" }}
        tool: [look: ok]
        => assistant: I will not. {look: { "at": "x" }} /Refused by the model (refusal)/""",
    ),
    "a call in the old spelling, arguments that are no JSON": (
        "acompletion",
        {"messages": [{"role": "function", "name": "look", "content": "ok"}]},
        choice("", function_call={"name": "look", "arguments": "{'at': oops"}),
        """
        tool look: [look: ok]
        => assistant: {look: {'at': oops}""",
    ),
    "thinking blocks with an empty copy": (
        "anthropic_messages",
        {"messages": [{"role": "user", "content": "hm?"}]},
        choice(
            "so",
            reasoning_content="deep",
            thinking_blocks=[{"type": "thinking", "thinking": "deep", "signature": "s"}],
            provider_specific_fields={"thinking_blocks": [{"type": "thinking", "thinking": ""}]},
        ),
        """
        user: hm?
        => assistant: (deep) so""",
    ),
    "thinking whose text was kept back": (
        "anthropic_messages",
        {"messages": [{"role": "user", "content": "hm?"}]},
        choice(
            "so",
            reasoning_content="spoken",
            thinking_blocks=[{"type": "thinking", "thinking": "", "signature": "s"}],
        ),
        """
        user: hm?
        => assistant: (spoken) so""",
    ),
    "reasoning in the content and beside it": (
        "anthropic_messages",
        {"messages": [{"role": "user", "content": "hm?"}]},
        choice(
            [{"type": "thinking", "thinking": "deep"}, {"type": "text", "text": "so"}],
            reasoning_content="deep",
        ),
        """
        user: hm?
        => assistant: (deep) so""",
    ),
    "a response that was stopped before it said anything": (
        "aresponses",
        {"input": "hm?"},
        {"object": "response", "output": [], "tools": [{"name": "f"}], "text": {"format": {}}},
        f"""
        user: hm?
        note: {NO_RESPONSE[:48].rstrip()} …""",
    ),
    "blocks of Anthropic": (
        "anthropic_messages",
        {
            "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "u"}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "t", "signature": "x"},
                        {"type": "redacted_thinking", "data": "zzz"},
                        {"type": "text", "text": "a"},
                        {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": 1}},
                        {"type": "server_tool_use", "id": "t2", "name": "web", "input": {"q": "b"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t1", "content": "found"},
                        {
                            "type": "tool_result",
                            "tool_use_id": "t2",
                            "content": [
                                {"type": "text", "text": "seen"},
                                {
                                    "type": "image",
                                    "source": {
                                        "type": "base64",
                                        "media_type": "image/gif",
                                        "data": "AAAA",
                                    },
                                },
                            ],
                        },
                    ],
                },
            ],
        },
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "done"}]},
        """
        system: S
        user: u
        assistant: (t)
        (Encrypted; only the provider can read it)
        a
        {look: { "at": 1 }}
        {web: { "q": "b" }}
        tool: [look: found] [web: seen] <image/gif, 3 B>
        => assistant: done""",
    ),
    "items of the Responses API": (
        "aresponses",
        {
            "instructions": "S",
            "input": [
                {"role": "user", "content": "u"},
                {"type": "reasoning", "summary": [], "encrypted_content": "zzz"},
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "a"}],
                },
                {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "ok"},
                {
                    "role": "user",
                    "content": [
                        {"type": "input_image", "image_url": f"{PNG}AAAA"},
                        {"type": "input_file", "filename": "a.pdf", "file_data": "AAAAAAAA"},
                    ],
                },
            ],
        },
        {
            "object": "response",
            "tools": [{"name": "look"}],
            "text": {"format": {"type": "text"}},
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "why"}]},
                {"type": "web_search_call", "id": "w1", "action": {"query": "bees"}},
                {"type": "message", "content": [{"type": "output_text", "text": "b"}]},
            ],
        },
        """
        system: S
        user: u
        assistant: (Encrypted; only the provider can read it) a {look: {}}
        tool: [look: ok]
        user: <image/png, 3 B> <a.pdf: file, 6 B>
        => assistant: (why) {web_search_call: { "action": { "query": "bees" } }} b""",
    ),
    "a prompt in pieces": (
        "atext_completion",
        {"prompt": ["one", [1, 2, 3]]},
        {"choices": [{"text": "two"}, {"text": "three"}]},
        """
        user: one #3 tokens#
        => assistant: two
        => assistant: three""",
    ),
    "vectors as text": (
        "aembedding",
        {"input": "alpha"},
        {"data": [{"embedding": "AAAA"}]},
        """
        user: alpha
        => assistant: #1 vector#""",
    ),
    "one long vector": (
        "aembedding",
        {"input": [1, 2]},
        {"data": [{"embedding": [0.5] * 1536}]},
        """
        user: #2 tokens#
        => assistant: #1 vector of 1,536 numbers#""",
    ),
    "an image as bytes": (
        "aimage_generation",
        {"prompt": "a cat"},
        {"data": [{"b64_json": "A" * 4000, "url": None}]},
        """
        user: a cat
        => assistant: <image, 3.0 kB>""",
    ),
    "speech to text": (
        "atranscription",
        {"file": {"filename": "talk.wav"}},
        {"text": "Hello."},
        """
        user: <talk.wav: file, not stored>
        => assistant: Hello.""",
    ),
    "text to speech": (
        "aspeech",
        {"input": "Hello.", "voice": "alloy"},
        {"object": "binary", "content_type": "audio/mpeg"},
        """
        user: Hello.
        => assistant: <audio, not stored>""",
    ),
    "moderation": (
        "amoderation",
        {"input": ["a", "b"]},
        {
            "results": [
                {"flagged": True, "categories": {"violence": True, "hate": False}},
                {"flagged": False, "categories": {"violence": False}},
            ]
        },
        """
        user: a b
        => assistant: #Flagged: violence# #Not flagged#""",
    ),
    "rerank": (
        "arerank",
        {"query": "bees", "documents": ["wasps", {"text": "honey"}]},
        {"results": [{"index": 1, "relevance_score": 0.98125}, {"index": 0}]},
        """
        user: bees document 1: wasps document 2: honey
        => assistant: #document 2: relevance 0.9812 document 1: relevan …#""",
    ),
    "the tools of a server, an array": (
        "list_mcp_tools",
        {"model": "MCP: weather"},
        [{"name": "get_forecast", "description": "Forecast.", "inputSchema": {}}, {"name": "b"}],
        "=> tool: #get_forecast: Forecast.# #b: No description#",
    ),
    "a tool's answer as an array": (
        "call_mcp_tool",
        {"name": "look", "arguments": {"at": 1}},
        [{"type": "text", "text": "seen"}],
        """
        user: {look: { "at": 1 }}
        => tool: [look: seen]""",
    ),
    "a passed-through answer, JSON within JSON": (
        "pass_through_endpoint",
        {"messages": [{"role": "user", "content": "hi"}]},
        {"response": '{"content": [{"type": "text", "text": "yes"}], "role": "assistant"}'},
        """
        user: hi
        => assistant: yes""",
    ),
    "a passed-through answer of no known shape": (
        "pass_through_endpoint",
        {"prompt": "hi"},
        {"response": '{"score": 7}'},
        """
        user: hi
        => assistant: #{ "score": 7 }#""",
    ),
    "Gemini's own API": (
        "agenerate_content",
        {
            "systemInstruction": {"parts": [{"text": "S"}]},
            "contents": [
                {"role": "user", "parts": [{"text": "u"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]},
                {
                    "role": "user",
                    "parts": [{"functionResponse": {"name": "f", "response": {"r": 2}}}],
                },
            ],
        },
        {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": "b"}]}}]},
        """
        system: S
        user: u
        assistant: {f: { "a": 1 }}
        tool: [f: { "r": 2 }]
        => assistant: (hm) b""",
    ),
    "a batch": (
        "acreate_batch",
        {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "metadata": {"k": "v"}},
        {"id": "batch_1", "object": "batch", "status": "validating"},
        """
        user: #{ "input_file_id": "file-1", "endpoint": "/v1/ch …#
        => assistant: #{ "id": "batch_1", "object": "batch", "status": …#""",
    ),
    "an answer of one redacted text": (
        "acompletion",
        {"messages": [{"role": "user", "content": "hi"}]},
        {"text": "redacted-by-litellm"},
        f"""
        user: hi
        => assistant: Redacted by LiteLLM before it was stored
        note: {REDACTED[:48]} …""",
    ),
    "a choice that says not whose it is": (
        "acompletion",
        {"messages": [{"role": "user", "content": "hi"}]},
        {"choices": [{"message": {"role": None, "content": "yes"}}]},
        """
        user: hi
        => assistant: yes""",
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_a_shape_reads_well(name):
    call_type, asked, answered, expected = MADE[name]
    expected = dedent(expected).strip()
    assert "\n".join(said(made(asked, answered, call_type=call_type))) == expected


def test_prompts_of_databases_without_the_newer_column_are_read_from_messages():
    row = made(None, choice("yes"), messages_body='[{"role": "user", "content": "hi"}]')
    assert said(row) == ["user: hi", "=> assistant: yes"]


def test_a_request_in_object_storage_says_where_it_is_and_how_to_change_that():
    (turn,) = transcript([made({}, {}, cold_storage_key="2026/11/r.json")]).turns
    (note,) = turn.notes
    assert "under 2026/11/r.json" in note
    assert "cold_storage_custom_logger" in note


def test_an_answer_that_broke_off_is_shown_and_noted():
    asked = {"messages": [{"role": "user", "content": "hi"}]}
    (turn,) = transcript([made(asked, choice("Answer 1: y"), is_failure=True)]).turns
    assert turn.responses == (Message("assistant", (Part("text", "Answer 1: y"),)),)
    assert turn.notes == (BROKEN_OFF,)


def test_a_success_without_an_answer_is_noted_a_failure_is_not():
    asked = {"messages": [{"role": "user", "content": "hi"}]}
    (turn,) = transcript([made(asked, {})]).turns
    assert (turn.responses, turn.notes) == ((), (NO_RESPONSE,))
    (turn,) = transcript([made(asked, {}, is_failure=True)]).turns
    assert (turn.responses, turn.notes) == ((), ())


def test_a_request_of_no_known_shape_is_not_shown_because_of_what_it_may_hold():
    for body in ({"secret": "sk-1"}, '{"secret": "sk-1", "cut', ["sk-1"], [{"secret": "sk-1"}]):
        (turn,) = transcript([made(body, choice("yes"))]).turns
        assert (turn.new_messages, turn.settings, turn.notes) == ((), (), (UNREADABLE,))


def test_a_note_that_holds_for_every_turn_is_said_once():
    rows = [made({}, {}, request_id=f"r{number}", at=number) for number in range(3)]
    whole = transcript(rows)
    assert whole.notes == (NOT_STORED,)
    assert [turn.notes for turn in whole.turns] == [(), (), ()]
    mixed = transcript([*rows, made({"prompt": "hi"}, choice("yes"), request_id="x", at=9)])
    assert mixed.notes == ()
    assert [turn.notes for turn in mixed.turns] == [(NOT_STORED,)] * 3 + [()]

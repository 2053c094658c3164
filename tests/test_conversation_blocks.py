"""Blocks and items of every provider are shown: each in its place, with its own kind of part."""

from textwrap import dedent

import pytest

from tests.stored_rows import choice, made, told
from tracelib.conversation import Message, Part, transcript
from tracelib.conversation.bodies.chat import ending
from tracelib.conversation.threading.history import as_message, read_turn
from tracelib.page.text.message import OPEN_ENDINGS

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5Erk"
    "Jggg=="
)
MP3 = "SUQzBAAAAAAAI1RTU0UAAAAPAAADTGF2ZjU4Ljc2LjEwMAAAAAAAAAAAAAAA//tQAAAAAAAA"
PDF = "JVBERi0xLjcKJeLjz9MKMSAwIG9iago8PC9UeXBlL0NhdGFsb2c+PgplbmRvYmoKMiAwIG9iago8"


def said(call_type: str, asked: object, answered: object = None, **row: object) -> str:
    """What one request says, in few words, without the line that heads it."""
    one = made(asked, answered, call_type=call_type, **row)
    lines = told(transcript([one])).splitlines()[1:]
    return "\n".join(line.strip() for line in lines if not line.strip().startswith("note:"))


def blocks(*content: object, role: str = "user") -> dict[str, object]:
    return {"messages": [{"role": role, "content": list(content)}]}


def items(*output: object, **beside: object) -> dict[str, object]:
    return {"object": "response", "status": "completed", "output": list(output), **beside}


def parts_of_answer(answered: object, call_type: str = "acompletion") -> tuple[Part, ...]:
    """All parts of an answer, in order."""
    found = read_turn(made({}, answered, call_type=call_type)).responses
    return tuple(part for message in found for part in message.parts)


def text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


# ------------------------------------------------------------------ what providers send

OPENAI = {
    "a web search, with its sources and a citation": (
        items(
            {
                "type": "web_search_call",
                "id": "ws_1",
                "status": "completed",
                "action": {
                    "type": "search",
                    "query": "bees",
                    "sources": [{"type": "url", "url": "https://bees.example.org"}],
                },
            },
            {
                "type": "message",
                "role": "assistant",
                "content": [
                    {
                        "type": "output_text",
                        "text": "Bees hum.",
                        "annotations": [
                            {
                                "type": "url_citation",
                                "url": "https://bees.example.org",
                                "title": "On bees",
                                "start_index": 0,
                                "end_index": 9,
                            },
                            {"type": "file_citation", "file_id": "file-1", "filename": "bees.pdf"},
                        ],
                    }
                ],
            },
        ),
        """
        => assistant: {web_search_call: { "action": { "type": "search", "query": "bees" …}
        [web_search_call: https://bees.example.org]
        Bees hum.
        «On bees: https://bees.example.org»
        «bees.pdf: »""",
    ),
    "a code interpreter that printed and drew": (
        items(
            {
                "type": "code_interpreter_call",
                "id": "ci_1",
                "container_id": "cntr_1",
                "status": "completed",
                "code": "print(6 * 7)",
                "outputs": [
                    {"type": "logs", "logs": "42"},
                    {"type": "image", "url": f"data:image/png;base64,{PNG}"},
                ],
            }
        ),
        """
        => assistant: {code_interpreter_call: print(6 * 7)}
        [code_interpreter_call: 42]
        <image/png, 70 B>""",
    ),
    "a file search with what it found": (
        items(
            {
                "type": "file_search_call",
                "id": "fs_1",
                "status": "completed",
                "queries": ["leave"],
                "results": [
                    {"file_id": "f", "filename": "leave.md", "text": "30 days", "score": 1}
                ],
            }
        ),
        """
        => assistant: {file_search_call: { "queries": [ "leave" ] }}
        [file_search_call: leave.md 30 days]""",
    ),
    "a tool of MCP that failed, and one that was refused its answer": (
        items(
            {
                "type": "mcp_call",
                "id": "mcp_1",
                "server_label": "wiki",
                "name": "lookup",
                "arguments": "{}",
                "output": None,
                "error": {"type": "mcp_protocol_error", "code": 32000, "message": "no such page"},
            },
            {
                "type": "mcp_call",
                "id": "mcp_2",
                "server_label": "wiki",
                "name": "lookup",
                "arguments": "{}",
                "error": "timed out",
                "status": "failed",
            },
        ),
        """
        => assistant: {lookup: {}}
        [!lookup: no such page]
        {lookup: {}}
        [!lookup: timed out]""",
    ),
    "a hosted tool that failed without a word": (
        items({"type": "web_search_call", "id": "w", "status": "failed", "action": {"query": "x"}}),
        """
        => assistant: {web_search_call: { "action": { "query": "x" } }}
        [!web_search_call: The tool failed.]""",
    ),
    "a call that the client is to run, in an answer that was cut off": (
        items(
            {
                "type": "function_call",
                "call_id": "c1",
                "name": "look",
                "arguments": '{"at":',
                "status": "incomplete",
            },
            status="incomplete",
            incomplete_details={"reason": "max_output_tokens"},
        ),
        """
        => assistant: {look: {"at":} /Cut off at the token limit (max_output_tokens)/""",
    ),
    "a shell whose commands failed and took too long": (
        items(
            {"type": "shell_call", "call_id": "s1", "action": {"commands": ["make"]}},
            {
                "type": "shell_call_output",
                "call_id": "s1",
                "output": [
                    {
                        "stdout": "cc a.c",
                        "stderr": "no such file",
                        "outcome": {"type": "exit", "exit_code": 2},
                    },
                    {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}},
                ],
            },
        ),
        """
        => assistant: {shell_call: { "action": { "commands": [ "make" ] } }}
        [!shell_call: cc a.c stderr: no such file exit code 2 timed ou …]""",
    ),
    "a patch that did not apply": (
        items(
            {
                "type": "apply_patch_call",
                "call_id": "p1",
                "operation": {"type": "delete_file", "path": "a.txt"},
            },
            {
                "type": "apply_patch_call_output",
                "call_id": "p1",
                "status": "failed",
                "output": "no a.txt",
            },
        ),
        """
        => assistant: {apply_patch_call: { "operation": { "type": "delete_file", "path": …}
        [!apply_patch_call: no a.txt]""",
    ),
    "two results in one answer, each of its own call": (
        items(
            {"type": "function_call", "call_id": "c1", "name": "a", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "b", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c2", "output": "two"},
            {"type": "function_call_output", "call_id": "c1", "output": [text("one")]},
        ),
        """
        => assistant: {a: {}} {b: {}} [b: two] [a: one]""",
    ),
    "tools that were listed, searched for and asked leave for": (
        items(
            {
                "type": "mcp_list_tools",
                "id": "l",
                "server_label": "s",
                "tools": [],
                "error": "down",
            },
            {"type": "tool_search_call", "call_id": "t", "arguments": {"query": "maps"}},
            {
                "type": "tool_search_output",
                "call_id": "t",
                "tools": [{"type": "function", "name": "route", "description": "Finds a way"}],
            },
            {"type": "mcp_approval_request", "id": "a", "name": "pay", "arguments": '{"eur": 5}'},
        ),
        """
        => assistant: [!mcp_list_tools: down]
        {tool_search_call: { "query": "maps" }}
        [tool_search_output: route: Finds a way]
        #Requests approval to call pay: { "eur": 5 }#""",
    ),
    "a program that the provider ran": (
        items(
            {"type": "program", "call_id": "p", "code": "x = 1", "fingerprint": "f"},
            {"type": "program_output", "call_id": "p", "result": "1", "status": "completed"},
        ),
        """
        => assistant: {program: x = 1} [program: 1]""",
    ),
    "a picture that could not be made": (
        items(
            {
                "type": "image_generation_call",
                "id": "ig",
                "status": "failed",
                "result": None,
                "error": {"type": "image_error", "message": "not allowed"},
            }
        ),
        """
        => assistant: {image_generation_call: {}}
        [!image_generation_call: not allowed]""",
    ),
    "reasoning in a summary, in words, encrypted and empty": (
        items(
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "short"}]},
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "long"}]},
            {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"},
            {"type": "reasoning", "summary": []},
        ),
        """
        => assistant: (short)
        (long)
        (Encrypted; only the provider can read it)
        (Empty: the model reasoned, but no text was sent)""",
    ),
    "an item of no known type": (
        items({"type": "hologram", "id": "h", "scene": "a cat on a wall"}),
        """
        => assistant: #{ "type": "hologram", "id": "h", "scene": "a cat …#""",
    ),
    "a compaction that LiteLLM made itself": (
        items(
            {
                "type": "compaction",
                "encrypted_content": 'litellm:{"type":"compaction","content":"They fixed a bug."}',
            }
        ),
        """
        => assistant: #Compacted conversation: They fixed a bug.#""",
    ),
    "a refusal": (
        items({"type": "message", "content": [{"type": "refusal", "refusal": "I will not."}]}),
        """
        => assistant: I will not. /Refused by the model (refusal)/""",
    ),
}


@pytest.mark.parametrize("name", OPENAI)
def test_an_item_of_an_answer_of_the_responses_api_is_shown(name):
    answered, expected = OPENAI[name]
    assert said("aresponses", {}, answered) == dedent(expected).strip()


def test_items_that_a_client_sends_to_the_responses_api_are_shown_in_the_right_role():
    sent = [
        {"type": "additional_tools", "role": "developer", "tools": [{"name": "new_tool"}]},
        {"role": "user", "content": "go"},
        {"type": "computer_call", "call_id": "c", "actions": [{"type": "type", "text": "hello"}]},
        {
            "type": "computer_call_output",
            "call_id": "c",
            "output": {"type": "computer_screenshot", "file_id": "file-7"},
        },
        {"type": "local_shell_call", "call_id": "l", "action": {"command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "l", "output": '{"output": "a.txt"}'},
        {"type": "custom_tool_call", "call_id": "t", "name": "note", "input": "buy milk"},
        {"type": "custom_tool_call_output", "call_id": "t", "output": [text("done")]},
        {"type": "mcp_approval_response", "approve": False, "reason": "too dear"},
        {"type": "item_reference", "id": "msg_9"},
        {"type": "compaction_trigger"},
    ]
    expected = """
        developer: #{ "type": "additional_tools", "tools": [ { "name …#
        user: go
        assistant: {computer_call: { "actions": [ { "type": "type", "text": "hello" …}
        tool: [computer_call: ] <file-7>
        assistant: {local_shell_call: { "action": { "command": [ "ls" ] } }}
        tool: [local_shell_call: {"output": "a.txt"}]
        assistant: {note: buy milk}
        tool: [note: done]
        user: #Approval: Not approved: too dear#
        assistant: #Refers to msg_9, stored by the provider#
        compaction: #Compacted conversation: Requested here#"""
    assert said("aresponses", {"input": sent}) == dedent(expected).strip()


ANTHROPIC = {
    "a web search that failed": (
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s1",
            "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
        },
        "[!max_uses_exceeded]",
    ),
    "a page that was fetched": (
        {
            "type": "web_fetch_tool_result",
            "tool_use_id": "f1",
            "content": {
                "type": "web_fetch_result",
                "url": "https://bees.example.org",
                "retrieved_at": "2026-11-28T09:00:00Z",
                "content": {
                    "type": "document",
                    "title": "Bees",
                    "source": {"type": "text", "media_type": "text/plain", "data": "They hum."},
                },
            },
        },
        "[https://bees.example.org They hum.] <Bees: text/plain, text below>",
    ),
    "code that was run, and a file it left": (
        {
            "type": "bash_code_execution_tool_result",
            "tool_use_id": "b1",
            "content": {
                "type": "bash_code_execution_result",
                "stdout": "plotted\n",
                "stderr": "",
                "return_code": 0,
                "content": [{"type": "bash_code_execution_output", "file_id": "file_8"}],
            },
        },
        "[plotted] <file_8>",
    ),
    "a file that was looked at, and one that was edited": (
        {
            "type": "tool_result",
            "tool_use_id": "e1",
            "content": [
                {
                    "type": "text_editor_code_execution_view_result",
                    "file_type": "text",
                    "content": "first line",
                },
                {
                    "type": "text_editor_code_execution_str_replace_result",
                    "lines": ["- old", "+ new"],
                },
            ],
        },
        "[first line - old + new]",
    ),
    "a tool of MCP that failed": (
        {
            "type": "mcp_tool_result",
            "tool_use_id": "m1",
            "is_error": True,
            "content": [text("no access")],
        },
        "[!no access]",
    ),
    "tools that were found": (
        {
            "type": "tool_search_tool_result",
            "tool_use_id": "t1",
            "content": {
                "type": "tool_search_tool_search_result",
                "tool_references": [{"type": "tool_reference", "tool_name": "get_map"}],
            },
        },
        "[get_map]",
    ),
    "a file for the container": ({"type": "container_upload", "file_id": "file_9"}, "<file_9>"),
    "a document by its address, with what it is about": (
        {
            "type": "document",
            "title": "Rules",
            "context": "Of the house",
            "source": {"type": "url", "url": "https://rules.example.org/a.pdf"},
        },
        "<Rules: https://rules.example.org/a.pdf> Of the house",
    ),
    "a document as bytes": (
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        },
        "<application/pdf, 57 B>",
    ),
    "a compaction": (
        {"type": "compaction", "content": "They fixed a bug."},
        "#Compacted conversation: They fixed a bug.#",
    ),
    "thinking as a list, encrypted, empty": (
        {"type": "thinking", "thinking": [text("carry the one"), text("then two")]},
        "(carry the one then two)",
    ),
    "a block of no known type": (
        {"type": "browser_state", "tabs": ["news"]},
        '#{ "type": "browser_state", "tabs": [ "news" ] }#',
    ),
}


@pytest.mark.parametrize("name", ANTHROPIC)
def test_a_block_of_anthropic_is_shown(name):
    block, expected = ANTHROPIC[name]
    shown = said("anthropic_messages", blocks(block, role="assistant"))
    assert " ".join(shown.removeprefix("assistant: ").split("\n")) == expected


def test_a_tool_s_result_in_the_user_s_name_is_the_tool_s_with_the_images_it_brought():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    asked = blocks(
        {
            "type": "tool_result",
            "tool_use_id": "t1",
            "content": [text("two"), image, text("lines")],
        },
        {"type": "tool_result", "tool_use_id": "t2", "is_error": True, "content": ""},
    )
    (message,) = read_turn(made(asked)).question.messages
    assert as_message(message) == Message(
        "tool",
        (
            Part("tool_result", "two\nlines", call_id="t1"),
            Part("image", "image/png, 70 B", call_id="t1", size_bytes=70),
            Part("tool_result", "", call_id="t2", is_error=True),
        ),
    )


def test_what_litellm_keeps_beside_an_answer_of_anthropic_stands_in_its_place():
    calls = [
        {"id": f"srvtoolu_{n}", "function": {"name": name, "arguments": "{}"}}
        for n, name in enumerate(("web_search", "bash_code_execution"), start=1)
    ]
    beside = {
        "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
        "citations": [
            [
                {
                    "type": "char_location",
                    "cited_text": "30 days",
                    "document_title": "Leave",
                    "supported_text": "You get 30.",
                }
            ],
            None,
        ],
        "tool_results": [
            {
                "type": "bash_code_execution_tool_result",
                "tool_use_id": "srvtoolu_2",
                "content": {"type": "bash_code_execution_result", "stdout": "4", "return_code": 0},
            }
        ],
        "web_search_results": [
            {
                "type": "web_search_tool_result",
                "tool_use_id": "srvtoolu_1",
                "content": [{"type": "web_search_result", "title": "Bees", "url": "https://b.org"}],
            }
        ],
        "code_interpreter_results": [{"type": "code_interpreter_call", "outputs": []}],
        "container": {"id": "c", "expires_at": "2026-11-28T09:00:00Z"},
    }
    answered = choice("You get 30.", tool_calls=calls, provider_specific_fields=beside)
    found = parts_of_answer(answered, "anthropic_messages")
    assert [(part.kind, part.name, part.call_id, part.text) for part in found] == [
        ("reasoning", None, None, "hm"),
        ("text", None, None, "You get 30."),
        ("tool_call", "web_search", "srvtoolu_1", "{}"),
        ("tool_result", "web_search", "srvtoolu_1", "Bees\nhttps://b.org"),
        ("tool_call", "bash_code_execution", "srvtoolu_2", "{}"),
        ("tool_result", "bash_code_execution", "srvtoolu_2", "4"),
        ("citation", "Leave", None, "30 days"),
    ]


GOOGLE = {
    "code that Gemini ran, and its searches": (
        {
            "candidates": [
                {
                    "content": {
                        "role": "model",
                        "parts": [
                            {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
                            {
                                "codeExecutionResult": {
                                    "outcome": "OUTCOME_FAILED",
                                    "output": "NameError",
                                }
                            },
                            {"text": "It failed."},
                        ],
                    },
                    "finishReason": "STOP",
                    "groundingMetadata": {
                        "webSearchQueries": ["python print"],
                        "groundingChunks": [{"web": {"uri": "https://py.org", "title": "Python"}}],
                    },
                    "citationMetadata": {"citations": [{"uri": "https://c.org", "endIndex": 3}]},
                }
            ]
        },
        """
        => assistant: {code_execution: print(1)}
        [!code_execution: NameError]
        It failed.
        «https://c.org»
        #Searched for: python print#
        «Python: https://py.org»""",
    ),
    "a picture, a file and a thought": (
        {
            "candidates": [
                {
                    "content": {
                        "parts": [
                            {"text": "hm", "thought": True, "thoughtSignature": "AAA"},
                            {"inlineData": {"mimeType": "image/png", "data": PNG}},
                            {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/v.mp4"}},
                        ]
                    },
                    "finishReason": "refusal",
                }
            ]
        },
        """
        => assistant: (hm) <image/png, 70 B> <gs://b/v.mp4> /Refused by the model (refusal)/""",
    ),
    "a prompt that was blocked": (
        {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"totalTokenCount": 1}},
        """
        => assistant: /Stopped by a content filter (SAFETY)/""",
    ),
    "two candidates": (
        {
            "candidates": [
                {"content": {"parts": [{"text": "one"}]}, "finishReason": "STOP"},
                {"content": {"parts": [{"text": "two"}]}, "finishReason": "RECITATION"},
            ]
        },
        """
        => assistant: one
        => assistant: two /Stopped by a content filter (RECITATION)/""",
    ),
    "steps of an interaction": (
        {
            "object": "interaction",
            "status": "requires_action",
            "steps": [
                {"type": "thought", "summary": [text("Look it up.")], "signature": "s"},
                {"type": "google_search_call", "id": "g", "arguments": {"queries": ["bees"]}},
                {
                    "type": "google_search_result",
                    "call_id": "g",
                    "result": [
                        {"type": "web_search_result", "title": "Bees", "url": "https://b.o"}
                    ],
                },
                {"type": "function_call", "id": "f", "name": "look", "arguments": {"at": 1}},
                {"type": "function_result", "call_id": "f", "is_error": True, "result": "no"},
                {"type": "model_output", "content": [text("Bees hum.")]},
            ],
        },
        """
        => assistant: (Look it up.)
        {google_search_call: { "queries": [ "bees" ] }}
        [google_search_call: Bees https://b.o]
        {look: { "at": 1 }}
        [!look: no]
        Bees hum.""",
    ),
}


@pytest.mark.parametrize("name", GOOGLE)
def test_an_answer_of_google_is_shown(name):
    answered, expected = GOOGLE[name]
    assert said("agenerate_content", {}, answered) == dedent(expected).strip()


def test_what_gemini_is_asked_is_shown_in_all_its_spellings():
    asked = {
        "system_instruction": "Be brief.",
        "contents": [
            "plain words",
            {"role": "user", "parts": [{"file_data": {"file_uri": "https://f.org/a.pdf"}}]},
            {
                "role": "user",
                "parts": [
                    {
                        "function_response": {
                            "name": "look",
                            "response": {"error": "not there"},
                            "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}],
                        }
                    }
                ],
            },
        ],
    }
    expected = """
        system: Be brief.
        user: plain words
        user: <https://f.org/a.pdf>
        tool: [!look: { "error": "not there" }] <image/png, 70 B>"""
    assert said("agenerate_content", asked) == dedent(expected).strip().replace(
        "tool: [!look", "user: [!look"
    )


def test_blocks_of_bedrock_are_shown():
    asked = {
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"image": {"format": "png", "source": {"bytes": PNG}}},
                    {
                        "document": {
                            "format": "txt",
                            "name": "rules",
                            "source": {"text": "No running."},
                        }
                    },
                    {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/v"}}}},
                    {"guardContent": {"text": {"text": "Guarded words."}}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
                    {"reasoningContent": {"redactedContent": "AAAA"}},
                    {"toolUse": {"toolUseId": "t", "name": "look", "input": {"at": 1}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "toolResult": {
                            "toolUseId": "t",
                            "status": "error",
                            "content": [{"text": "not there"}, {"json": {"code": 404}}],
                        }
                    }
                ],
            },
        ],
    }
    answered = {
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {
                        "citationsContent": {
                            "content": [{"text": "As the rules say."}],
                            "citations": [
                                {"title": "rules", "sourceContent": [{"text": "No running."}]}
                            ],
                        }
                    }
                ],
            }
        },
        "stopReason": "abort",
        "usage": {"inputTokens": 1},
        "metrics": {"latencyMs": 5},
    }
    expected = """
        system: Be brief.
        user: <image/png, 70 B>
        <rules: txt, text below>
        No running.
        <s3://b/v>
        Guarded words.
        assistant: (hm)
        (Encrypted; only the provider can read it)
        {look: { "at": 1 }}
        tool: [!look: not there { "code": 404 }]
        => assistant: As the rules say. «rules: No running.» /Cancelled (abort)/"""
    assert said("allm_passthrough_route", asked, answered) == dedent(expected).strip()


def test_blocks_of_mistral_and_cohere_are_shown():
    mistral = blocks(
        {
            "type": "thinking",
            "thinking": [text("think"), {"type": "reference", "reference_ids": [1]}],
        },
        {"type": "document_url", "document_url": "https://d.org/a.pdf", "document_name": "A"},
        {"type": "image_url", "image_url": "https://d.org/a.png"},
        {"type": "input_audio", "input_audio": MP3},
        role="assistant",
    )
    assert said("acompletion", mistral) == dedent("""\
        assistant: (think)
        #{ "type": "reference", "reference_ids": [ 1 ] }#
        <https://d.org/a.pdf>
        #{ "document_name": "A" }#
        <https://d.org/a.png>
        <audio/mpeg, 54 B>""")
    cohere = {
        "message": {
            "role": "assistant",
            "tool_plan": "I look it up.",
            "tool_calls": [{"id": "c", "function": {"name": "look", "arguments": "{}"}}],
            "content": [text("It is so.")],
            "citations": [
                {
                    "start": 0,
                    "end": 2,
                    "text": "It",
                    "sources": [{"type": "document", "id": "d", "document": {"title": "Doc"}}],
                }
            ],
        },
        "finish_reason": "ERROR",
    }
    asked = {
        "messages": [{"role": "user", "content": "Is it?"}],
        "documents": [{"id": "d", "data": {"title": "Doc", "snippet": "So it is."}}],
    }
    assert said("acompletion", asked, cohere) == dedent("""\
        user: Is it?
        user: #{ "id": "d", "data": { "title": "Doc", "snippet" …#
        => assistant: (I look it up.) It is so. {look: {}} «It» «Doc: » /Failed (ERROR)/""")


AGENTS = {
    "a message": (
        {
            "result": {
                "kind": "message",
                "role": "agent",
                "parts": [{"kind": "text", "text": "Yes."}],
            }
        },
        "=> assistant: Yes.",
    ),
    "a task that failed, with what was said before": (
        {
            "jsonrpc": "2.0",
            "result": {
                "kind": "task",
                "status": {
                    "state": "failed",
                    "message": {"role": "agent", "parts": [{"kind": "text", "text": "Sorry."}]},
                },
                "history": [
                    {"role": "user", "parts": [{"kind": "text", "text": "Go."}], "messageId": "m"},
                    {"role": "agent", "parts": [{"kind": "text", "text": "Which way?"}]},
                ],
            },
        },
        """
        => assistant: Which way?
        => assistant: Sorry. /Failed (failed)/""",
    ),
    "what it made: data, a file, a picture": (
        {
            "jsonrpc": "2.0",
            "result": {
                "status": {"state": "TASK_STATE_COMPLETED"},
                "artifacts": [
                    {
                        "artifactId": "1",
                        "name": "plan",
                        "parts": [
                            {"kind": "data", "data": {"days": 3}},
                            {
                                "kind": "file",
                                "file": {
                                    "name": "a.pdf",
                                    "mimeType": "application/pdf",
                                    "bytes": PDF,
                                },
                            },
                            {"raw": PNG, "mediaType": "image/png", "filename": "map.png"},
                        ],
                    }
                ],
            },
        },
        """
        => assistant: #plan: { "days": 3 }#
        <a.pdf: application/pdf, 57 B>
        <map.png: image/png, 70 B>""",
    ),
    "one that waits for the user": (
        {"jsonrpc": "2.0", "result": {"kind": "task", "status": {"state": "input-required"}}},
        "=> assistant: /Waiting for the user (input-required)/",
    ),
    "an error": (
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": "Task not found"}},
        "=> assistant: /Failed (-32001): Task not found/",
    ),
}


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_s_answer_by_a2a_is_shown_and_the_question_not_repeated(name):
    answered, expected = AGENTS[name]
    message = {"role": "user", "parts": [{"kind": "text", "text": "Go."}], "messageId": "m"}
    asked = {"jsonrpc": "2.0", "method": "message/send", "params": {"message": message}}
    assert said("asend_message", asked, answered) == "user: Go.\n" + dedent(expected).strip()


MCP = {
    "an image and a sound": (
        {
            "content": [
                {"type": "image", "data": PNG, "mimeType": "image/png"},
                {"type": "audio", "data": MP3, "mimeType": "audio/mpeg"},
            ]
        },
        "=> tool: [get: ] <image/png, 70 B> <audio/mpeg, 54 B>",
    ),
    "resources: words, bytes, a link": (
        {
            "content": [
                {
                    "type": "resource",
                    "resource": {"uri": "file:///a.md", "mimeType": "text/markdown", "text": "# A"},
                },
                {
                    "type": "resource",
                    "resource": {"uri": "file:///a.png", "mimeType": "image/png", "blob": PNG},
                },
                {"type": "resource_link", "uri": "file:///b", "name": "b", "description": "More"},
            ],
            "isError": False,
        },
        """
        => tool: [get: # A More]
        <text/markdown, file:///a.md, text below>
        <file:///a.png: image/png, 70 B>
        <b: file:///b>""",
    ),
    "an error, in either spelling": (
        {"content": [text("no")], "isError": True},
        "=> tool: [!get: no]",
    ),
    "structured content that the words do not say": (
        {"content": [text("warm")], "structuredContent": {"celsius": 21, "of": "Paris"}},
        '=> tool: [get: warm] [get: { "celsius": 21, "of": "Paris" }]',
    ),
    "structured content that the words say too": (
        {"content": [text('{"celsius": 21}')], "structuredContent": {"celsius": 21}},
        '=> tool: [get: {"celsius": 21}]',
    ),
    "resources that were read": (
        {"contents": [{"uri": "file:///a.md", "text": "# A"}]},
        "=> tool: <resource, file:///a.md, text below> # A",
    ),
    "a prompt that was fetched": (
        {"messages": [{"role": "user", "content": text("Sum up:")}]},
        "=> user: Sum up:",
    ),
    "the tools of a server with what they take": (
        {
            "tools": [
                {
                    "name": "look",
                    "description": "Looks.",
                    "inputSchema": {"properties": {"at": {"description": "where to"}}},
                }
            ]
        },
        """
        => tool: #look: Looks.#
        #look: { "inputSchema": { "properties": { "at": { "desc …#""",
    ),
}


@pytest.mark.parametrize("name", MCP)
def test_what_mcp_gives_back_is_shown(name):
    answered, expected = MCP[name]
    call = {"name": "get", "arguments": {"at": 1}}
    shown = said("call_mcp_tool", call, answered)
    assert shown == 'user: {get: { "at": 1 }}\n' + dedent(expected).strip()


def test_a_call_of_mcp_as_the_protocol_sends_it_is_shown():
    sent = {
        "jsonrpc": "2.0",
        "method": "tools/call",
        "params": {"name": "a", "arguments": {"b": 1}},
    }
    assert said("pass_through_endpoint", sent) == 'user: {a: { "b": 1 }}'


@pytest.mark.parametrize(
    ("reason", "is_open"),
    [
        ("pause_turn", True),
        ("queued", True),
        ("auth_required", True),
        ("input_required", True),
        ("failed", False),
        ("incomplete", False),
        ("refusal", False),
    ],
)
def test_a_response_that_waits_or_is_continued_is_no_error(reason, is_open):
    assert ending(reason).startswith(OPEN_ENDINGS) is is_open

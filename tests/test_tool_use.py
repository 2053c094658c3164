"""Each tool's call beside its result, and the tools that nobody called."""

import json
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stored_rows import MORE, NEW, OLD, choice, made, scenario_names, session
from tests.test_conversation_roundtrip import STEPS, Client, client_of
from tracelib.conversation import StoredRequest, transcript
from tracelib.conversation.tool_use import offered_never_called, tool_uses


def used(rows: list[StoredRequest], names: dict[str, str] | None = None) -> str:
    """A line for each call, where it was made, and one below it for its result."""
    known = names or {}
    lines = []
    for use in tool_uses(transcript(rows).turns):
        called_in = known.get(use.called_in, use.called_in)
        lines.append(f"{called_in}: {use.name} {few(use.arguments.text)}")
        if use.has_result:
            answered_in = known.get(use.answered_in, use.answered_in)
            lines.append(f"  {answered_in}: {few(use.result.text)}")
    return "\n".join(lines)


def few(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 40 else f"{words[:40].rstrip()} …"


def real(*beginnings: str, file: str) -> str:
    return used(session(*beginnings, file=file), scenario_names(file))


def called(name: str, arguments: object, call_id: str | None = None) -> dict[str, object]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": call_id, "type": "function", "function": function}


def calling(*calls: dict[str, object]) -> dict[str, object]:
    """A message of an assistant who calls these."""
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def answer(*calls: dict[str, object]) -> dict[str, object]:
    return choice(None, tool_calls=list(calls))


def result(text: str, call_id: str | None = None, **beside: object) -> dict[str, object]:
    return {"role": "tool", "tool_call_id": call_id, "content": text, **beside}


QUESTION = {"role": "user", "content": "q"}


def asks(at: int, *messages: dict[str, object], answered: object = None, **body: object):
    return made({"messages": [*messages], **body}, answered, request_id=f"r{at}", at=at)


def test_the_agent_session_calls_its_tools_and_gets_their_results_in_each_thread():
    assert real("agent_", file=MORE) == dedent("""\
        agent_02_main: run_tests {}
          agent_03_main: FAILED test_parser.py::test_empty - Inde …
        agent_03_main: spawn_agent { "task": "find callers of parse()" }
          agent_07_main: main.py, cli.py
        agent_04_sub1: read_file { "path": "main.py" }
          agent_05_sub1: # main.py parse(sys.argv[1:])
        agent_05_sub1: read_file { "path": "cli.py" }
          agent_06_sub1: # cli.py parse(sys.argv[1:])
        agent_07_main: spawn_agent { "task": "read parser.py" }
          agent_14_main: parser_0.py, parser_1.py
        agent_07_main: spawn_agent { "task": "read the docs" }
          agent_14_main: docs/0.md
        agent_08_sub2: read_file { "path": "parser_0.py" }
          agent_10_sub2: def parse(x): return x[0]
        agent_09_sub3: read_file { "path": "docs/0.md" }
          agent_11_sub3: # docs parse() wants a list.
        agent_10_sub2: read_file { "path": "parser_1.py" }
          agent_12_sub2: def parse(x): return x[0] def parse(x): …
        agent_11_sub3: read_file { "path": "docs/1.md" }
          agent_13_sub3: # docs parse() wants a list.
        agent_14_main: edit_file { "path": "parser.py", "patch": "- retur …
          agent_15_main: ok
        agent_15_main: run_tests {}
          agent_16_main_stream: 12 passed
        agent_17_main: edit_file { "path": "docs/0.md", "patch": "+ parse …
          agent_18_main: ok
        agent_20_after_compact: edit_file { "path": "CHANGELOG.md", "patch": "+ fi …
          agent_21_after_compact: ok""")


def test_a_chain_of_responses_brings_two_results_at_once_and_one_later():
    assert real("responses_chain", file=MORE) == dedent("""\
        responses_chain_1: get_weather { "city": "Paris" }
          responses_chain_2: {"temp": 20}
        responses_chain_1: get_weather { "city": "Rome" }
          responses_chain_2: {"temp": 20}
        responses_chain_3: get_weather { "city": "Oslo" }
          responses_chain_4: {"temp": 20}""")


@pytest.mark.parametrize(
    ("beginning", "file", "expected"),
    [
        (
            "tool_call",
            NEW,
            'tool_call_request: get_weather { "city": "Paris", "unit": "celsius" }'
            '\n  tool_call_result: {"temp_c": 21}',
        ),
        (
            "anthropic_messages_tool",
            NEW,
            'anthropic_messages_tool: get_weather { "city": "Paris" }',
        ),
        (
            "body_session_tool",
            OLD,
            'body_session_tool_request: get_weather { "city": "Paris", "unit": "celsius" }'
            '\n  body_session_tool_result: {"temp_c": 21}',
        ),
        (
            "mcp_tool_call",
            MORE,
            'mcp_tool_call: get_forecast { "city": "Paris" }'
            '\n  mcp_tool_call: {"city": "Paris", "temp_c": 21}',
        ),
        ("session_turn", NEW, ""),
    ],
)
def test_real_rows_of_each_api(beginning, file, expected):
    assert real(beginning, file=file) == expected


def test_a_use_names_its_parts_and_its_requests():
    rows = [
        asks(0, QUESTION, answered=answer(called("look", {"at": 1}, "c1"))),
        asks(1, QUESTION, calling(called("look", {"at": 1}, "c1")), result("seen", "c1")),
    ]
    [use] = tool_uses(transcript(rows).turns)
    assert (use.name, use.call_id, use.called_in, use.answered_in) == ("look", "c1", "r0", "r1")
    assert (use.arguments.kind, use.arguments.text) == ("tool_call", '{\n  "at": 1\n}')
    assert (use.result.kind, use.result.text, use.has_result) == ("tool_result", "seen", True)


def test_without_turns_or_calls_there_are_no_uses():
    assert tool_uses(()) == ()
    assert offered_never_called((), ()) == ()
    assert used([asks(0, QUESTION, answered=choice("a"))]) == ""


def test_results_find_their_calls_whatever_their_order():
    calls = [called("one", {}, "c1"), called("two", {}, "c2")]
    rows = [
        asks(0, QUESTION, answered=answer(*calls)),
        asks(1, QUESTION, calling(*calls), result("2", "c2"), result("1", "c1")),
    ]
    assert used(rows) == "r0: one {}\n  r1: 1\nr0: two {}\n  r1: 2"


def test_an_anthropic_result_and_its_picture_are_one_result():
    block = {"type": "tool_use", "id": "t1", "name": "shot", "input": {}}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}}
    back = {"type": "tool_result", "tool_use_id": "t1", "content": [image]}
    rows = [
        asks(0, QUESTION, answered=answer(called("shot", {}, "t1"))),
        asks(
            1,
            QUESTION,
            {"role": "assistant", "content": [block]},
            {"role": "user", "content": [back]},
        ),
    ]
    assert used(rows) == "r0: shot {}\n  r1: "


def test_functions_of_old_clients_have_no_ids_and_match_by_name():
    call = {"name": "look", "arguments": "{}"}
    rows = [
        asks(0, QUESTION, answered=choice(None, function_call=call)),
        asks(
            1,
            QUESTION,
            {"role": "assistant", "content": None, "function_call": call},
            {"role": "function", "name": "look", "content": "seen"},
            answered=choice(None, function_call=call),
        ),
    ]
    assert used(rows) == "r0: look {}\n  r1: seen\nr1: look {}"


def gemini(*turns: tuple[str, list[dict[str, object]]]) -> list[dict[str, object]]:
    return [{"role": role, "parts": parts} for role, parts in turns]


def test_several_calls_without_ids_match_by_name_in_the_order_they_were_made():
    calls = [
        {"functionCall": {"name": name, "args": {"n": number}}}
        for name, number in (("look", 1), ("hear", 2), ("look", 3))
    ]
    results = [
        {"functionResponse": {"name": name, "response": {"out": number}}}
        for name, number in (("hear", 2), ("look", 1), ("look", 3))
    ]
    question = ("user", [{"text": "q"}])
    answered = {"candidates": [{"content": {"parts": calls}}]}
    whole = gemini(question, ("model", calls), ("user", results))
    rows = [
        made({"contents": gemini(question)}, answered, request_id="r0"),
        made({"contents": whole}, None, request_id="r1", at=1),
    ]
    uses = tool_uses(transcript(rows).turns)
    assert [(use.name, json.loads(use.arguments.text)["n"]) for use in uses] == [
        ("look", 1),
        ("hear", 2),
        ("look", 3),
    ]
    assert [json.loads(use.result.text)["out"] for use in uses] == [1, 2, 3]


def test_a_result_without_id_or_name_matches_a_single_call_only():
    one, two = called("one", {}), called("two", {})
    alone = [asks(0, QUESTION, answered=answer(one)), asks(1, QUESTION, calling(one), result("x"))]
    assert used(alone) == "r0: one {}\n  r1: x"
    both = [
        asks(0, QUESTION, answered=answer(one, two)),
        asks(1, QUESTION, calling(one, two), result("x")),
    ]
    assert used(both) == "r0: one {}\nr0: two {}"


def test_a_call_whose_answer_is_not_there_is_shown_where_it_is_quoted_first():
    rows = [asks(0, QUESTION, calling(called("look", {}, "c1")), result("seen", "c1"))]
    assert used(rows) == "r0: look {}\n  r0: seen"


def test_a_result_whose_call_is_not_there_is_nobody_s():
    assert used([asks(0, QUESTION, result("seen", "c1"))]) == ""


def test_a_call_quoted_in_another_thread_is_not_called_again():
    call = called("look", {}, "c1")
    rows = [
        asks(0, QUESTION, answered=answer(call)),
        asks(1, QUESTION, calling(call), result("seen", "c1"), answered=choice("done")),
        asks(
            2,
            {"role": "system", "content": "Sum up."},
            QUESTION,
            calling(call),
            result("seen", "c1"),
        ),
    ]
    assert used(rows) == "r0: look {}\n  r1: seen"


def test_of_two_branches_results_the_first_counts():
    call = called("look", {}, "c1")
    rows = [
        asks(0, QUESTION, answered=answer(call)),
        asks(1, QUESTION, calling(call), result("first", "c1")),
        asks(2, QUESTION, calling(call), result("second", "c1")),
    ]
    assert used(rows) == "r0: look {}\n  r1: first"


def test_ids_counted_anew_for_every_answer_stay_apart():
    first, second = called("look", {"n": 1}, "call_0"), called("look", {"n": 2}, "call_0")
    told = [QUESTION, calling(first), result("one", "call_0")]
    rows = [
        asks(0, *told[:1], answered=answer(first)),
        asks(1, *told, answered=answer(second)),
        asks(2, *told, calling(second), result("two", "call_0")),
    ]
    assert used(rows) == 'r0: look { "n": 1 }\n  r1: one\nr1: look { "n": 2 }\n  r2: two'


def test_equal_ids_in_two_threads_find_the_result_of_their_own():
    call = called("look", {}, "call_0")
    other = {"role": "user", "content": "another"}
    rows = [
        asks(0, QUESTION, answered=answer(call)),
        asks(1, other, answered=answer(call)),
        asks(2, QUESTION, calling(call), result("mine", "call_0")),
        asks(3, other, calling(call), result("yours", "call_0")),
    ]
    assert used(rows) == "r0: look {}\n  r2: mine\nr1: look {}\n  r3: yours"


def offering(*tools: dict[str, object], answered: object = None):
    return asks(0, QUESTION, answered=answered, tools=list(tools))


def never(*rows: StoredRequest) -> tuple[str, ...]:
    turns = transcript(rows).turns
    return offered_never_called(turns, tool_uses(turns))


def test_tools_that_were_offered_and_never_called():
    tools = [{"type": "function", "function": {"name": name}} for name in ("b", "look", "a")]
    assert never(offering(*tools)) == ("b", "look", "a")
    assert never(offering(*tools, answered=answer(called("look", {}, "c1")))) == ("b", "a")


def test_tools_of_the_provider_go_by_their_kind_and_servers_are_no_tools():
    tools = [
        {"type": "web_search_preview"},
        {"type": "file_search"},
        {"type": "computer_use_preview"},
        {"type": "mcp", "server_label": "files", "server_url": "https://files.test"},
    ]
    output = [
        {"type": "web_search_call", "id": "w1", "action": {"query": "q"}},
        {"type": "computer_call", "call_id": "c1", "action": {"type": "click"}},
    ]
    body = {"input": "q", "tools": tools}
    row = made(body, {"object": "response", "output": output}, call_type="aresponses")
    assert never(row) == ("file_search",)


def expected_uses(client: Client) -> list[tuple[str, str, str | None]]:
    """Each call an answer made, with the first request that had a result of it."""
    brought: dict[str, str] = {}
    for index, one in enumerate(client.sent):
        for said in one.asked:
            if said.role == "tool":
                brought.setdefault(said.mark.split(".")[0], f"r{index}")
    return [
        (call, f"r{index}", brought.get(call))
        for index, one in enumerate(client.sent)
        for call in (one.answer.calls if one.answer else ())
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_every_call_of_any_conversation_is_there_once_with_its_first_result(steps):
    client = client_of(steps)
    uses = tool_uses(transcript(client.rows).turns)
    found = [(use.call_id, use.called_in, use.answered_in) for use in uses]
    assert found == expected_uses(client)

"""Sessions that LiteLLM itself wrote, whole."""

import json
from itertools import pairwise
from textwrap import dedent

from tests.stored_rows import MORE, NEW, OLD, scenario_names, session, told
from tracelib.conversation import Transcript, transcript


def told_session(*beginnings: str, file: str) -> str:
    return told(transcript(session(*beginnings, file=file)), scenario_names(file))


def test_the_agent_session_is_the_tree_that_its_requests_were():
    """Numbers are those of the scenarios agent_01 to agent_25."""
    names = scenario_names(MORE)
    whole = transcript(session("agent_", file=MORE))
    number = {turn.request.request_id: names[turn.request.request_id][6:8] for turn in whole.turns}
    threads: dict[int, list[str]] = {}
    for turn in whole.turns:
        threads.setdefault(turn.thread, []).append(number[turn.request.request_id])
    assert {thread: " ".join(members) for thread, members in threads.items()} == {
        0: "01",
        1: "02 03 07 14 15 16 17 18 20 21 22 23 24 25",
        2: "04 05 06",
        3: "08 10 12",
        4: "09 11 13",
        5: "19",
    }
    parents = {number[t.request.request_id]: number.get(t.parent_id or "") for t in whole.turns}
    chains = "02 03 07 14 15 16 17 18 19 20 21 22,04 05 06,08 10 12,09 11 13,21 23 24 25"
    assert {child: parent for child, parent in parents.items() if parent} == {
        child: parent for chain in chains.split(",") for parent, child in pairwise(chain.split())
    }
    assert [number[turn.request.request_id] for turn in whole.turns if turn.starts_line] == (
        ["02", "04", "08", "09", "19", "23"]
    )
    assert [turn.parent_number and f"{turn.parent_number:02}" for turn in whole.turns] == (
        list(parents.values())
    )
    failed, again = whole.turns[23:]
    assert [turn.request.request_id for turn in whole.turns if turn.request.is_failure] == (
        [failed.request.request_id]
    )
    assert (failed.request.error_code, failed.responses) == ("429", ())
    assert (again.new_messages, again.repeated, len(again.responses)) == ((), 9, 1)


def test_a_system_prompt_shows_once_and_each_turn_adds_what_is_new():
    assert told_session("session_turn", file=NEW) == dedent("""\
        session_turn_1 in thread 0
            system: You are a terse assistant.
            user: My name is Ada.
         => assistant: Answer 2: you said 'My name is Ada.'
        session_turn_2 in thread 0 after session_turn_1, 3 repeated
            user: What is my name?
         => assistant: Answer 4: you said 'What is my name?'
        session_turn_3 in thread 0 after session_turn_2, 5 repeated
            user: Thanks. Say goodbye.
         => assistant: Answer 6: you said 'Thanks. Say goodbye.'""")


def test_a_tool_s_result_carries_the_name_of_the_tool_that_was_called():
    assert told_session("tool_call", file=NEW) == dedent("""\
        tool_call_request in thread 0
            user: Weather in Paris?
         => assistant: {get_weather: { "city": "Paris", "unit": "celsius" }}
        tool_call_result in thread 0 after tool_call_request, 2 repeated
            tool: [get_weather: {"temp_c": 21}]
         => assistant: Answer 3: you said '{"temp_c": 21}'""")


def test_the_same_question_sent_again_after_a_failure_is_not_shown_again():
    assert told_session("fail_provider_4", file=NEW) == dedent("""\
        fail_provider_401 in thread 0
            user: hi
        fail_provider_429 in thread 0 after fail_provider_401, 1 repeated""")


def test_rows_of_version_1_80_read_the_same():
    assert told_session("body_session_turn", file=OLD) == dedent("""\
        body_session_turn_1 in thread 0
            system: You are a terse assistant.
            user: My name is Grace.
         => assistant: Answer 2: you said 'My name is Grace.'
        body_session_turn_2 in thread 0 after body_session_turn_1, 3 repeated
            user: What is my name?
         => assistant: Answer 4: you said 'What is my name?'
        body_session_turn_3 in thread 0 after body_session_turn_2, 5 repeated
            user: Thanks. Say goodbye.
         => assistant: Answer 6: you said 'Thanks. Say goodbye.'""")


def test_tool_calls_of_version_1_80_read_the_same():
    assert told_session("body_session_tool", file=OLD) == dedent("""\
        body_session_tool_request in thread 0
            user: Weather in Rome?
         => assistant: {get_weather: { "city": "Paris", "unit": "celsius" }}
        body_session_tool_result in thread 0 after body_session_tool_request, 2 repeated
            tool: [get_weather: {"temp_c": 21}]
         => assistant: Answer 3: you said '{"temp_c": 21}'""")


def test_parallel_requests_branch_after_what_they_share():
    assert told_session("parallel", file=MORE) == dedent("""\
        parallel_0_plan in thread 0
            user: Compare three cities.
         => assistant: I will ask about each of them.
        parallel_1_to_3 in thread 0 after parallel_0_plan, 2 repeated
            user: Tell me about Paris.
         => assistant: Answer 3: you said 'Tell me about Paris.'
        * parallel_1_to_3 in thread 0 after parallel_0_plan, 2 repeated
            user: Tell me about Rome.
         => assistant: Answer 3: you said 'Tell me about Rome.'
        * parallel_1_to_3 in thread 0 after parallel_0_plan, 2 repeated
            user: Tell me about Oslo.
         => assistant: Answer 3: you said 'Tell me about Oslo.'
        * parallel_4_join in thread 0 after parallel_0_plan, 2 repeated
            user: Paris is big. Rome is old. Oslo is cold. Conclud …
         => assistant: Go to Rome.""")


def test_a_chain_of_responses_goes_on_from_the_response_it_names():
    assert told_session("responses_chain", file=MORE) == dedent("""\
        responses_chain_1 in thread 0
            system: You are a weather desk.
            user: What is the weather in Paris and Rome?
         => assistant: (I need the tool twice.)
                {get_weather: { "city": "Paris" }}
                {get_weather: { "city": "Rome" }}
        responses_chain_2 in thread 0 after responses_chain_1
            - 1 system prompt left out
            tool: [get_weather: {"temp": 20}]
            tool: [get_weather: {"temp": 20}]
         => assistant: Paris 21 C, Rome 27 C.
        responses_chain_3 in thread 0 after responses_chain_2
            user: And Oslo?
         => assistant: Let me look. {get_weather: { "city": "Oslo" }}
        responses_chain_4 in thread 0 after responses_chain_3
            tool: [get_weather: {"temp": 20}]
         => assistant: Oslo has 9 C.""")


def test_an_agent_its_sub_agents_and_its_compacted_history_are_told_apart():
    assert told_session("agent", file=MORE) == dedent("""\
        agent_01_title in thread 0
            system: Write a title of at most five words for this con …
            user: Fix the failing test in parser.py
         => assistant: Fixing the parser test
        * agent_02_main in thread 1
            system: You are a coding agent. Work step by step. Rule: …~
            user: Fix the failing test in parser.py
         => assistant: I run the tests first. {run_tests: {}}
            note: LiteLLM truncated long texts here before storing …
        agent_03_main in thread 1 after agent_02_main, 3 repeated
            tool: [run_tests: FAILED test_parser.py::test_empty - IndexError: …]
         => assistant: {spawn_agent: { "task": "find callers of parse()" }}
        * agent_04_sub1 in thread 2
            system: You are a search sub-agent. Answer with file nam …
            user: find callers of parse()
         => assistant: {read_file: { "path": "main.py" }}
        agent_05_sub1 in thread 2 after agent_04_sub1, 3 repeated
            tool: [read_file: # main.py parse(sys.argv[1:])]
         => assistant: {read_file: { "path": "cli.py" }}
        agent_06_sub1 in thread 2 after agent_05_sub1, 5 repeated
            tool: [read_file: # cli.py parse(sys.argv[1:])]
         => assistant: main.py, cli.py
        agent_07_main in thread 1 after agent_03_main, 5 repeated
            tool: [spawn_agent: main.py, cli.py]
         => assistant: Two things to look up.
                {spawn_agent: { "task": "read parser.py" }}
                {spawn_agent: { "task": "read the docs" }}
        * agent_08_sub2 in thread 3
            system: You are a search sub-agent. Answer with file nam …
            user: read parser.py
         => assistant: {read_file: { "path": "parser_0.py" }}
        * agent_09_sub3 in thread 4
            system: You are a search sub-agent. Answer with file nam …
            user: read the docs
         => assistant: {read_file: { "path": "docs/0.md" }}
        agent_10_sub2 in thread 3 after agent_08_sub2, 3 repeated
            tool: [read_file: def parse(x): return x[0]]
         => assistant: {read_file: { "path": "parser_1.py" }}
        agent_11_sub3 in thread 4 after agent_09_sub3, 3 repeated
            tool: [read_file: # docs parse() wants a list.]
         => assistant: {read_file: { "path": "docs/1.md" }}
        agent_12_sub2 in thread 3 after agent_10_sub2, 5 repeated
            tool: [read_file: def parse(x): return x[0] def parse(x): return x …~]
         => assistant: parser_0.py, parser_1.py
            note: LiteLLM truncated long texts here before storing …
        agent_13_sub3 in thread 4 after agent_11_sub3, 5 repeated
            tool: [read_file: # docs parse() wants a list.]
         => assistant: docs/0.md
        agent_14_main in thread 1 after agent_07_main, 7 repeated
            tool: [spawn_agent: parser_0.py, parser_1.py]
            tool: [spawn_agent: docs/0.md]
         => assistant: {edit_file: { "path": "parser.py", "patch": "- return x[0]\\n …}
        agent_15_main in thread 1 after agent_14_main, 10 repeated
            tool: [edit_file: ok]
         => assistant: {run_tests: {}}
        agent_16_main_stream in thread 1 after agent_15_main, 12 repeated
            tool: [run_tests: 12 passed]
         => assistant: The test passes now.
        agent_17_main in thread 1 after agent_16_main_stream, 14 repeated
            user: Also update the docs please
         => assistant: {edit_file: { "path": "docs/0.md", "patch": "+ parse([]) giv …}
        agent_18_main in thread 1 after agent_17_main, 16 repeated
            tool: [edit_file: ok]
         => assistant: The docs are updated.
        * agent_19_compact in thread 5 after agent_18_main, 17 repeated
            - Same conversation with another system prompt
            system: You summarise conversations.
            user: Summarise the conversation so far for a later co …
         => assistant: Summary: parser.py was fixed (empty list gives N …
        agent_20_after_compact in thread 1 after agent_19_compact, 1 repeated
            - Starts from a summary of the conversation so far
            user: This session is continued from an earlier conver …
            user: Now add a changelog entry
         => assistant: {edit_file: { "path": "CHANGELOG.md", "patch": "+ fix: parse …}
        agent_21_after_compact in thread 1 after agent_20_after_compact, 4 repeated
            tool: [edit_file: ok]
         => assistant: Changelog entry added.
        agent_22_after_compact in thread 1 after agent_21_after_compact, 6 repeated
            user: Which version number?
         => assistant: 1.2.3
        * agent_23_edited in thread 1 after agent_21_after_compact, 6 repeated
            user: Which version number did you use, and why?
         => assistant: 1.2.3, a patch release.
        agent_24_fail in thread 1 after agent_23_edited, 8 repeated
            user: rate limit me
        agent_25_retry_same in thread 1 after agent_24_fail, 9 repeated
         => assistant: 1.2.3, because only a bug was fixed.""")


def test_rows_in_any_order_give_the_same_transcript():
    rows = session("agent_", file=MORE)
    assert transcript(rows[::-1]) == transcript(rows)


def test_a_session_of_nothing_has_no_turns():
    assert transcript([]) == Transcript((), ())


def test_every_message_of_every_real_request_is_shown_or_counted():
    for file in (NEW, MORE, OLD):
        for turn in transcript(session("", file=file)).turns:
            body = json.loads(turn.request.request_body)
            if "messages" in body:
                sent = len(body["messages"]) + ("system" in body)
                assert len(turn.new_messages) + turn.repeated == sent

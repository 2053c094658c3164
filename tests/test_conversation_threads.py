"""Which request goes on from which, in the cases that the real rows do not have."""

import json
import time
from itertools import permutations

import pytest

from tests.stored_rows import choice, made, told
from tracelib.conversation import transcript
from tracelib.conversation.notes import ELSEWHERE, REDACTED


def chat(at, *messages, answer=None, **facts):
    """A chat request: `S:` opens a system prompt, `A:` an answer, `U:` a question."""
    roles = {"S": "system", "U": "user", "A": "assistant"}
    sent = [{"role": roles[text[0]], "content": text[2:]} for text in messages]
    answered = choice(answer) if isinstance(answer, str) else answer
    return made({"messages": sent}, answered, request_id=f"r{at}", at=at, **facts)


def response(at, text, answer, *, after=None, instructions=None, link="previous_response_id"):
    asked = {"input": text, link: after, "instructions": instructions}
    output = [{"type": "message", "content": [{"type": "output_text", "text": answer}]}]
    answered = {"object": "response", "output": output}
    return made(asked, answered, call_type="aresponses", request_id=f"r{at}", at=at)


def heads(rows) -> list[tuple[str | None, int, bool, int, int]]:
    """Parent, thread, branch, messages shown, messages repeated; a row per turn."""
    return [
        (turn.parent_id, turn.thread, turn.starts_line, len(turn.new_messages), turn.repeated)
        for turn in transcript(rows).turns
    ]


def changes(rows) -> list[list[tuple[str, ...]]]:
    """What a client changed of the history, with the new texts if there are any; a list a turn."""
    return [
        [(one.sentence, *(said.parts[0].text for said in one.messages)) for one in turn.changes]
        for turn in transcript(rows).turns
    ]


def test_a_question_asked_anew_branches_from_the_first_time_it_was_asked():
    rows = [chat(0, "U:q", answer="a"), chat(1, "U:q", answer="b"), chat(2, "U:q", answer="c")]
    assert heads(rows) == [
        (None, 0, False, 1, 0),
        ("r0", 0, True, 0, 1),
        ("r1", 0, True, 0, 1),
    ]


def test_any_of_several_answers_can_be_gone_on_from():
    rows = [
        chat(0, "U:q", answer=choice("a", "b")),
        chat(1, "U:q", "A:b", "U:more", answer="c"),
    ]
    assert heads(rows)[1] == ("r0", 0, False, 1, 2)


def test_a_request_that_shares_the_middle_of_another_goes_on_from_that_one():
    rows = [
        chat(0, "U:old", "A:before", "U:one", answer="a"),
        chat(1, "U:old", "A:before", "U:two", answer="b"),
    ]
    assert heads(rows) == [(None, 0, False, 3, 0), ("r0", 0, True, 1, 2)]


def test_a_spoken_answer_is_the_same_when_only_its_words_are_sent_back():
    spoken = choice("a", audio={"id": "s1", "data": "AAAA"})
    rows = [chat(0, "U:q", answer=spoken), chat(1, "U:q", "A:a", "U:more", answer="b")]
    assert heads(rows)[1] == ("r0", 0, False, 1, 2)


def test_an_answer_that_the_client_edited_is_a_change_with_the_new_text():
    rows = [chat(0, "U:q", answer="a"), chat(1, "U:q", "A:edited", "U:more", answer="b")]
    assert heads(rows)[1] == ("r0", 0, False, 1, 2)
    assert changes(rows)[1] == [("Answer changed: 1 word added, 1 removed", "edited")]


def test_conversations_without_anything_in_common_are_threads_of_their_own():
    rows = [chat(0, "U:one", answer="a"), chat(1, "U:two", answer="b"), chat(2, "U:one", "A:a")]
    assert heads(rows) == [
        (None, 0, False, 1, 0),
        (None, 1, True, 1, 0),
        ("r0", 0, False, 0, 2),
    ]


def test_a_shared_system_prompt_alone_joins_nothing_and_shows_in_each_thread():
    rows = [chat(0, "S:s", "U:one", answer="a"), chat(1, "S:s", "U:two", answer="b")]
    assert heads(rows) == [(None, 0, False, 2, 0), (None, 1, True, 2, 0)]


def test_a_system_prompt_with_a_clock_is_a_change_and_nothing_is_said_again():
    def clock(minute):
        return f"S:It is 09:{minute} on 2026-11-23. Be brief."

    rows = [
        chat(0, clock(45), "U:q", answer="a"),
        chat(1, clock(46), "U:q", "A:a", "U:more", answer="b"),
        chat(2, clock(46), "U:q", "A:a", "U:more", "A:b", "U:most", answer="c"),
    ]
    assert heads(rows)[1:] == [("r0", 0, False, 1, 3), ("r1", 0, False, 1, 5)]
    second = transcript(rows).turns[1].new_messages
    assert [message.parts[0].text for message in second] == ["more"]
    assert changes(rows) == [
        [],
        [("System prompt changed: 1 word added, 1 removed", clock(46)[2:])],
        [],
    ]


def test_a_system_prompt_that_changes_is_a_change_also_when_it_changes_back():
    one, two = "S:It is 09:10. Be brief.", "S:It is 09:11. Be brief."
    rows = [
        chat(0, one, "U:q", answer="a"),
        chat(1, two, "U:q", "A:a", "U:more", answer="b"),
        chat(2, two, "U:q", "A:a", "U:more", "A:b", "U:most", answer="c"),
        chat(3, one, "U:q", "A:a", "U:more", "A:b", "U:most", "A:c", "U:end", answer="d"),
        chat(4, "S:Another one.", "U:q", answer="e"),
    ]
    shown = [
        [said.parts[0].text for said in turn.new_messages if said.role == "system"]
        for turn in transcript(rows).turns
    ]
    assert shown == [[one[2:]], [], [], [], ["Another one."]]
    sentence = "System prompt changed: 1 word added, 1 removed"
    assert changes(rows) == [[], [(sentence, two[2:])], [], [(sentence, one[2:])], []]


def test_the_billing_block_of_a_coding_agent_does_not_part_its_requests():
    def row(at, stamp, *messages):
        blocks = [f"x-anthropic-billing-header: cch={stamp};", "Be brief."]
        system = [{"type": "text", "text": text} for text in blocks]
        sent = [{"role": role, "content": text} for role, text in messages]
        return made({"system": system, "messages": sent}, choice("a"), request_id=f"r{at}", at=at)

    rows = [
        row(0, "aaa", ("user", "q")),
        row(1, "bbb", ("user", "q"), ("assistant", "a"), ("user", "more")),
    ]
    assert heads(rows)[1] == ("r0", 0, False, 1, 3)


def test_a_client_that_forgets_its_oldest_messages_goes_on_all_the_same():
    said = ["U:q1", "A:a1", "U:q2", "A:a2", "U:q3", "A:a3", "U:q4"]
    rows = [
        chat(0, "S:s", *said[:1], answer="a1"),
        chat(1, "S:s", *said[:3], answer="a2"),
        chat(2, "S:s", *said[2:5], answer="a3"),
        chat(3, "S:s", *said[4:7], answer="a4"),
    ]
    assert heads(rows)[1:] == [
        ("r0", 0, False, 1, 3),
        ("r1", 0, False, 1, 3),
        ("r2", 0, False, 1, 3),
    ]


def test_of_two_conversations_that_end_alike_the_one_that_begins_alike_is_continued():
    trains = ("U:When does the train to Riga leave?", "A:At nine, from the north station.")
    soups = ("U:How much salt belongs into beetroot soup?", "A:A spoon for each litre.")
    rows = [
        chat(0, *trains, "U:Go on. [reminder]", answer="Ok."),
        chat(1, *soups, "U:Go on. [reminder]", answer="Ok."),
        chat(2, *trains, "U:Go on.", "A:Ok.", "U:And then?", answer="c"),
        chat(3, *soups, "U:Go on.", "A:Ok.", "U:And then?", answer="d"),
    ]
    assert [(parent, thread) for parent, thread, *_ in heads(rows)] == [
        (None, 0),
        (None, 1),
        ("r0", 0),
        ("r1", 1),
    ]


def test_a_cut_history_continues_the_conversation_that_has_more_of_it():
    rows = [
        chat(0, "U:one", "A:first", "U:go on", answer="done"),
        chat(1, "U:two", "A:second", "U:go on", answer="done"),
        chat(2, "A:first", "U:go on", "A:done", "U:more", answer="c"),
    ]
    assert heads(rows)[2] == ("r0", 0, False, 1, 3)


@pytest.mark.parametrize("calls", [*permutations(["c1", "c2", "c3"])])
@pytest.mark.parametrize("is_cut", [False, True])
def test_the_calls_of_a_response_may_be_sent_back_in_any_order(calls, is_cut):
    def call(number):
        return {"id": number, "type": "function", "function": {"name": "look", "arguments": number}}

    start = [{"role": "user", "content": text} for text in ("old", "q")]
    sent = {"role": "assistant", "content": None, "tool_calls": [call(one) for one in calls]}
    results = [{"role": "tool", "tool_call_id": one, "content": f"of {one}"} for one in calls]
    response = choice(None, tool_calls=[call(one) for one in ("c2", "c3", "c1")])
    history = [*start[is_cut:], sent, *results]
    rows = [
        made({"messages": start}, response, request_id="r0"),
        made({"messages": history}, choice("a"), request_id="r1", at=1),
    ]
    assert heads(rows)[1] == ("r0", 0, False, 3, len(history) - 3)
    dropped = [("Starts later: 1 message no longer sent",)]
    assert changes(rows)[1] == (dropped if is_cut else [])


def test_a_task_on_the_conversation_is_a_thread_of_its_own_that_repeats_nothing():
    rows = [
        chat(0, "S:s", "U:q1", answer="a1"),
        chat(1, "S:s", "U:q1", "A:a1", "U:q2", answer="a2"),
        chat(2, "S:titles", "U:q2", "A:a2", "U:title?", answer="t"),
        chat(3, "S:s", "U:q2", "U:alone", answer="x"),
    ]
    assert heads(rows)[2:] == [("r1", 1, True, 2, 2), (None, 2, True, 3, 0)]
    assert changes(rows)[2] == [
        ("Same conversation with another system prompt",),
        ("Starts later: 2 messages no longer sent",),
    ]


def test_a_long_answer_that_an_old_version_cut_in_the_next_prompt_is_not_said_again():
    whole = "long " * 400
    cut = f"{whole[:1000]}... (truncated {len(whole) - 1000} chars)"
    rows = [chat(0, "U:q", answer=whole), chat(1, "U:q", f"A:{cut}", "U:more", answer="b")]
    assert heads(rows)[1] == ("r0", 0, False, 1, 2)


@pytest.mark.parametrize(
    "resent",
    [
        {"content": "so", "tool_calls": [("c1", '{"b":2,"a":1.0}')]},
        {"content": "so ", "tool_calls": [("other", '{ "a": 1, "b": 2 }')]},
        {"content": [{"type": "text", "text": "s"}, {"type": "text", "text": "o"}], "tool_calls": [
            ("c1", '{"a": 1, "b": 2}')
        ]},
        {"content": "so", "reasoning_content": "hm", "tool_calls": [("c1", '{"a": 1, "b": 2}')]},
    ],
    ids=["keys in another order", "another id", "content in blocks", "reasoning kept"],
)  # fmt: skip
def test_an_answer_sent_back_in_another_spelling_is_the_same_answer(resent):
    def calls(pairs):
        return [
            {"id": name, "type": "function", "function": {"name": "f", "arguments": given}}
            for name, given in pairs
        ]

    answer = choice("so", tool_calls=calls([("c1", '{"a": 1, "b": 2}')]))
    again = {"role": "assistant", **resent, "tool_calls": calls(resent["tool_calls"])}
    question = {"role": "user", "content": "q"}
    result = {"role": "tool", "tool_call_id": "c1", "content": "ok"}
    rows = [
        made({"messages": [question]}, answer, request_id="r0"),
        made({"messages": [question, again, result]}, choice("b"), request_id="r1", at=1),
    ]
    assert heads(rows)[1] == ("r0", 0, False, 1, 2)
    other = json.loads(json.dumps(again).replace("2", "3"))
    rows[1] = made({"messages": [question, other, result]}, choice("b"), request_id="r1", at=1)
    is_same_call = resent["tool_calls"][0][0] == "c1"
    assert heads(rows)[1] == ("r0", 0, False, 1 if is_same_call else 2, 2 if is_same_call else 1)
    assert [one for one, _ in changes(rows)[1]] == ["Tool call changed"] * is_same_call


def test_pictures_are_told_apart_by_their_bytes():
    def row(at, letter):
        url = f"data:image/png;base64,{letter * 40}"
        content = [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": url}},
        ]
        return made(
            {"messages": [{"role": "user", "content": content}]}, request_id=f"r{at}", at=at
        )

    assert heads([row(0, "A"), row(1, "B"), row(2, "A")]) == [
        (None, 0, False, 1, 0),
        (None, 1, True, 1, 0),
        ("r0", 0, False, 0, 1),
    ]


@pytest.mark.parametrize("link", ["previous_response_id", "_litellm_addressed_response_id"])
def test_a_response_goes_on_from_the_one_it_names_and_all_its_input_is_new(link):
    rows = [
        response(0, "yes", "a", instructions="Be brief."),
        response(1, "yes", "b", after="r0", instructions="Be brief.", link=link),
        response(2, "yes", "c", after="r1", instructions="Be long.", link=link),
        response(3, "no", "d", after="r1", link=link),
    ]
    assert heads(rows) == [
        (None, 0, False, 2, 0),
        ("r0", 0, False, 1, 1),
        ("r1", 0, False, 1, 1),
        ("r1", 0, True, 1, 0),
    ]
    assert changes(rows) == [
        [],
        [],
        [("System prompt changed: 1 word added, 1 removed", "Be long.")],
        [("1 system prompt left out",)],
    ]
    assert [turn.notes for turn in transcript(rows).turns] == [()] * 4


def test_a_response_named_by_a_cached_row_s_own_id_is_found():
    rows = [response(0, "q", "a"), response(1, "more", "b", after="r0")]
    cached = made({"input": "q"}, {}, call_type="aresponses", request_id="r9_cache_hit17.5")
    assert heads([cached, response(1, "more", "b", after="r9")])[1][0] == "r9_cache_hit17.5"
    assert heads(rows)[1][0] == "r0"


def test_a_response_that_goes_on_from_an_absent_one_starts_a_thread_and_says_why():
    rows = [
        response(0, "more", "a", after="gone"),
        response(1, "more", "b", after="gone"),
        response(2, "more", "b", after="lost"),
    ]
    assert heads(rows) == [
        (None, 0, False, 1, 0),
        ("r0", 0, True, 0, 1),
        (None, 1, True, 1, 0),
    ]
    assert transcript(rows).notes == (ELSEWHERE,)


def test_redacted_requests_look_alike_and_are_not_taken_for_one_another():
    mark = "redacted-by-litellm"
    rows = [chat(at, f"U:{mark}", answer=mark) for at in range(3)]
    assert heads(rows) == [(None, 0, False, 1, 0)] * 3
    assert transcript(rows).notes == (REDACTED,)


def test_an_answer_redacted_in_its_row_is_shown_where_the_next_request_sends_it_back():
    rows = [
        chat(0, "U:q", answer={"text": "redacted-by-litellm"}),
        chat(1, "U:q", "A:a", "U:more", answer={"text": "redacted-by-litellm"}),
    ]
    assert heads(rows)[1] == ("r0", 0, False, 2, 1)


def test_a_request_without_a_prompt_stays_beside_the_one_before_it():
    rows = [
        chat(0, "U:one", answer="a"),
        chat(1, "U:two", answer="b"),
        made({}, {}, request_id="r2", at=2, is_failure=True),
        chat(3, "U:two", "A:b", "U:more", answer="c"),
    ]
    assert heads(rows)[2:] == [(None, 1, False, 0, 0), ("r1", 1, False, 1, 2)]


def test_single_calls_are_no_conversations():
    rows = [
        made({"input": "hi"}, {}, call_type="aembedding", request_id="r0"),
        chat(1, "U:hi", answer="a"),
        made({"input": "hi"}, {}, call_type="aembedding", request_id="r2", at=2),
        made({"prompt": "hi"}, {}, call_type="aimage_generation", request_id="r3", at=3),
        chat(4, "U:hi", "A:a", "U:more", answer="b"),
    ]
    assert heads(rows) == [
        (None, 0, False, 1, 0),
        (None, 1, False, 1, 0),
        ("r0", 0, False, 0, 1),
        (None, 2, False, 1, 0),
        ("r1", 1, False, 1, 2),
    ]


def test_requests_of_the_same_moment_are_ordered_by_id():
    rows = [chat(0, "U:b", answer="b"), chat(0, "U:a", answer="a", error_class=None)]
    first, second = (
        made(row.request_body, row.response_body, request_id=name)
        for row, name in zip(rows, ("z", "a"), strict=True)
    )
    assert [turn.request.request_id for turn in transcript([first, second]).turns] == ["a", "z"]


def test_a_name_is_given_to_a_result_by_the_call_it_belongs_to():
    call = {"id": "c1", "function": {"name": "look", "arguments": "{}"}}
    question = {"role": "user", "content": "q"}
    rows = [
        made({"messages": [question]}, choice(None, tool_calls=[call]), request_id="r0"),
        made(
            {"messages": [{"role": "tool", "tool_call_id": "c1", "content": "ok"}]},
            request_id="r1",
            at=1,
        ),
    ]
    assert told(transcript(rows)).splitlines()[-2].strip() == "tool: [look: ok]"


def test_a_long_session_takes_no_more_than_its_share_of_time():
    """A thousand requests that each repeat all before them: half a million messages."""
    history: list[dict[str, str]] = []
    rows = []
    for at in range(1000):
        history = [*history, {"role": "user", "content": f"q{at}"}]
        rows.append(made({"messages": history}, choice(f"a{at}"), request_id=f"r{at}", at=at))
        history = [*history, {"role": "assistant", "content": f"a{at}"}]
    started = time.process_time()
    whole = transcript(rows)
    assert time.process_time() - started < 10  # measured: 1.2
    assert {len(turn.new_messages) for turn in whole.turns} == {1}
    assert {turn.thread for turn in whole.turns} == {0}

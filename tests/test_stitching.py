"""Requests stored apart, joined by what they say: what belongs together, and what never does."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import streamlit as st
from hypothesis import given
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

from benchmarks import stitching as benchmark
from tests.rows import KEY, NOON, row_id, spend_log
from tests.sources import source_of
from tests.stored_rows import MORE, choice, made, scenario_names, session
from tracelib.demo.story import SEED, requests
from tracelib.page.session import chain
from tracelib.selection import RowId, Selection
from tracelib.stitching import Link, Stitched, around, conversation_around, joined

OTHER_KEY = "b" * 64
SECOND = timedelta(seconds=1)
SYSTEM = {"role": "system", "content": "You are a clerk."}


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def chat(name, at, *messages, answer=None, end_user="", **changes):
    """A chat completion `at` seconds after a moment: its whole history, and what it was told."""
    body = {"messages": list(messages)} | ({"user": end_user} if end_user else {})
    answered = choice(answer) if answer else {}
    return made(body, answered, request_id=name, at=at, **changes)


def failed(name, at, *messages, **changes):
    return chat(name, at, *messages, is_failure=True, **changes)


def groups(*requests):
    return [" ".join(group) for group in ids_of(joined(requests))]


def ids_of(told):
    """The conversations by their request ids."""
    return [[row.request_id for row in group] for group in told.conversations]


def by_ids(links):
    return [(link.row.request_id, link.other.request_id, link.reason) for link in links]


HELLO = (SYSTEM, user("Hello"))
TOLD = (*HELLO, assistant("Hello, what is it about?"))


def test_a_conversation_sent_whole_each_time_is_one():
    first = chat("a", 0, *HELLO, answer="Hello, what is it about?")
    second = chat("b", 60, *TOLD, user("My order."), answer="Which one?")
    third = chat("c", 90, *TOLD, user("My order."), assistant("Which one?"), user("The last."))
    told = joined([third, first, second])
    assert ids_of(told) == [["a", "b", "c"]]
    assert by_ids(told.links) == [("b", "a", "extends it"), ("c", "b", "extends it")]


def test_the_same_opening_alone_joins_nothing():
    same = [chat(name, at, *HELLO, answer="Hello!") for name, at in (("a", 0), ("b", 9), ("c", 50))]
    assert groups(*same) == ["a", "b", "c"]


def test_a_question_that_quotes_another_answer_is_not_joined():
    first = chat("a", 0, *HELLO, answer="Hello, what is it about?")
    other = chat("b", 60, *HELLO, assistant("Hello, what is it?"), user("My order."))
    assert groups(first, other) == ["a", "b"]


def test_answers_and_branches_are_one_conversation():
    two = made({"messages": list(HELLO)}, choice("Yes?", "Hello!"), request_id="a", at=0)
    left = chat("b", 10, *HELLO, assistant("Yes?"), user("One."), answer="First.")
    right = chat("c", 20, *HELLO, assistant("Hello!"), user("Two."), answer="Second.")
    edited = chat("d", 30, *HELLO, assistant("Yes?"), user("Three."), answer="Third.")
    assert groups(two, left, right, edited) == ["a b c d"]


def test_two_conversations_of_the_same_words_are_left_apart_where_either_could_be_meant():
    asked = [
        chat(name, at, *HELLO, answer=TOLD[-1]["content"]) for name, at in (("a", 0), ("b", 20))
    ]
    assert groups(*asked, chat("c", 60, *TOLD, user("My order."))) == ["a", "b", "c"]


def test_of_the_same_words_the_one_nearer_by_far_is_meant():
    asked = [chat(n, at, *HELLO, answer=TOLD[-1]["content"]) for n, at in (("a", 0), ("b", 3_600))]
    assert groups(*asked, chat("c", 3_640, *TOLD, user("My order."))) == ["a", "b c"]


def test_end_users_tell_conversations_of_the_same_words_apart():
    asked = [
        chat(name, at, *HELLO, answer=TOLD[-1]["content"], end_user=name)
        for name, at in (("ann", 0), ("bob", 5))
    ]
    more = chat("c", 30, *TOLD, user("My order."), end_user="ann")
    stranger = chat("d", 40, *TOLD, user("My order."), end_user="eve")
    assert groups(*asked, more, stranger) == ["ann c", "bob", "d"]


def test_nobody_goes_on_from_an_answer_before_it_came():
    moment = datetime(2026, 11, 23, 9, tzinfo=UTC)
    slow = chat("a", 0, *HELLO, answer=TOLD[-1]["content"], ended_at=moment + 100 * SECOND)
    assert groups(slow, chat("b", 50, *TOLD, user("My order."))) == ["a", "b"]
    assert groups(slow, chat("b", 100, *TOLD, user("My order."))) == ["a b"]


def test_what_failed_and_was_sent_again_at_once_is_one():
    again = chat("b", 100, *HELLO, answer="Hello!")
    late = chat("c", 500, *HELLO, answer="Hello!")
    told = joined([failed("a", 0, *HELLO), again, late])
    assert by_ids(told.links) == [("b", "a", "sends it again")]


def test_a_history_without_its_beginning_is_joined_by_two_answers_in_it():
    talk = [user("One"), assistant("1"), user("Two"), assistant("2"), user("Three")]
    whole = chat("a", 0, SYSTEM, *talk, answer="3")
    tail = chat("b", 60, SYSTEM, *talk[2:], assistant("3"), user("Four"), answer="4")
    next_tail = chat(
        "c", 120, SYSTEM, talk[4], assistant("3"), user("Four"), assistant("4"), user("5")
    )
    short = chat("d", 180, SYSTEM, user("5"), assistant("5"), user("Six"))
    assert groups(whole, tail, next_tail, short) == ["a b c", "d"]


def test_a_history_under_another_system_prompt_is_joined_by_two_answers_in_it():
    talk = [user("One"), assistant("1"), user("Two")]
    other = {"role": "system", "content": "Give this conversation a title."}
    one = chat("a", 0, SYSTEM, *talk, answer="2")
    assert groups(one, chat("b", 9, other, *talk, assistant("2"), user("Title?"))) == ["a b"]
    first = chat("a", 0, SYSTEM, talk[0], answer="1")
    assert groups(first, chat("b", 9, other, *talk)) == ["a", "b"]


CALL = {"id": "call_1", "type": "function", "function": {"name": "run", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "nothing found"}


def waiting(name, at, *messages):
    """A request that was answered by a call of a tool."""
    answer = choice(None, tool_calls=[CALL])
    return made({"messages": list(messages)}, answer, request_id=name, at=at)


def test_a_history_made_shorter_goes_on_from_the_one_that_was_left_waiting():
    agent = [waiting("a", 0, *HELLO), waiting("b", 9, *HELLO, CALLED, RESULT)]
    anew = chat("c", 60, *HELLO, user("So far nothing was found."), answer="I go on.")
    assert groups(*agent, anew) == ["a b c"]
    late = chat("c", 600, *HELLO, user("So far nothing was found."), answer="I go on.")
    assert groups(*agent, late) == ["a b", "c"]
    assert groups(*agent, chat("c", 60, *HELLO, answer="I begin.")) == ["a b", "c"]
    history = [CALLED, RESULT, CALLED, RESULT]
    answered = chat("d", 90, *HELLO, *history, answer="Done.")
    assert groups(*agent, anew, answered) == ["a b d", "c"]


def test_a_history_made_shorter_goes_on_from_the_one_that_failed_for_its_length():
    agent = [waiting("a", 0, *HELLO), failed("b", 9, *HELLO, CALLED, RESULT)]
    anew = chat("c", 60, *HELLO, user("So far nothing was found."), answer="I go on.")
    assert groups(*agent, anew) == ["a b c"]


def test_an_opening_that_many_share_names_no_conversation():
    answers_by_tool = [waiting(n, at, *HELLO, user(n)) for n, at in (("a", 0), ("b", 9), ("c", 20))]
    assert groups(*answers_by_tool) == ["a", "b", "c"]
    examples = (*HELLO, assistant("An example."))
    several = [
        chat("a", 0, *examples, user("One"), answer="1"),
        waiting("b", 9, *examples, user("Two")),
        waiting("c", 20, *examples, user("Two"), CALLED, RESULT),
        chat("d", 30, *examples, user("Three"), answer="3"),
    ]
    assert groups(*several) == ["a", "b c", "d"]


def test_a_summary_goes_on_under_the_system_prompt_of_what_it_sums_up():
    talk = [user("One"), assistant("1"), user("Two"), assistant("2"), user("Sum it all up.")]
    summary = "The user asked for one and for two, and got both of them as figures."
    asked = [
        chat("a", 0, SYSTEM, *talk[:3], answer="2"),
        chat("b", 9, SYSTEM, *talk, answer=summary),
    ]
    on = chat("c", 20, SYSTEM, user(f"This goes on. {summary}"), user("Three"), answer="3")
    assert groups(*asked, on) == ["a b c"]
    judge = {"role": "system", "content": "You judge answers."}
    assert groups(*asked, chat("c", 20, judge, user(f"Is it true? {summary}"))) == ["a b", "c"]


def test_an_agent_with_its_sub_agents_and_its_summary_is_found_but_for_its_title():
    names = scenario_names(MORE)
    told = joined(session("agent_", file=MORE))
    assert [[names[one] for one in group] for group in ids_of(told)] == [
        ["agent_01_title"],
        sorted(name for name in names.values() if "agent_02" <= name < "agent_26"),
    ]
    inferred = {(names[one], names[other], why) for one, other, why in by_ids(told.links)}
    assert {link for link in inferred if link[2] != "extends it"} == {
        ("agent_04_sub1", "agent_03_main", "works for it"),
        ("agent_08_sub2", "agent_07_main", "works for it"),
        ("agent_09_sub3", "agent_07_main", "works for it"),
        ("agent_20_after_compact", "agent_19_compact", "summarises it"),
    }


def test_a_sub_agent_whose_outcome_did_not_come_back_stays_alone():
    names = scenario_names(MORE)
    rows = session("agent_03", "agent_04", "agent_05", "agent_06", file=MORE)
    found = [[names[one] for one in group] for group in ids_of(joined(rows))]
    assert found == [["agent_03_main"], ["agent_04_sub1", "agent_05_sub1", "agent_06_sub1"]]


def test_a_chain_of_responses_is_joined_by_the_ids_it_names():
    names = scenario_names(MORE)
    chain = session("responses_chain_1", "responses_chain_2", "responses_chain_4", file=MORE)
    found = [[names[one] for one in group] for group in ids_of(joined(chain[:3]))]
    assert found == [["responses_chain_1", "responses_chain_2"], ["responses_chain_4"]]


def test_redacted_words_words_not_stored_and_single_calls_never_join():
    hidden = user("redacted-by-litellm")
    redacted = [
        chat(name, at, hidden, answer="redacted-by-litellm") for name, at in (("a", 0), ("b", 9))
    ]
    nothing = [made({}, {}, request_id=name) for name in ("c", "d")]
    vectors = [
        made({"input": "x"}, call_type="aembedding", request_id=name, is_failure=True)
        for name in ("e", "f")
    ]
    assert sorted(groups(*redacted, *nothing, *vectors)) == list("abcdef")


def test_an_answer_that_was_redacted_is_nobodys_beginning():
    first = chat("a", 0, *HELLO, answer="redacted-by-litellm")
    assert groups(first, chat("b", 9, *HELLO, assistant("redacted-by-litellm"), user("Go on"))) == [
        "a",
        "b",
    ]


def test_bodies_of_no_shape_stay_alone():
    deep = "[" * 3_000 + "]" * 3_000
    odd = [
        made(body, body, request_id=str(n), at=n) for n, body in enumerate((deep, 7, None, [[]]))
    ]
    assert groups(*odd) == ["0", "1", "2", "3"]


def test_no_requests_have_no_conversations():
    assert joined([]).conversations == ()


@given(some.lists(some.lists(some.integers(0, 5), min_size=1, max_size=6), min_size=1, max_size=4))
def test_any_conversations_side_by_side_are_found_again(shapes):
    """Each conversation starts with its own answer; each later turn extends any earlier one."""
    sent, expected = [], []
    for number, shape in enumerate(shapes):
        states, names = [[SYSTEM]], []
        for turn, parent in enumerate(shape):
            before = states[max(1, parent % len(states))] if turn else states[0]
            asked = [*before, user("Hello" if turn == 0 else f"Go on {turn}")]
            name, answer = f"{turn}-{number}", f"Answer {turn} of {number}"
            sent.append(chat(name, turn * 10 + number, *asked, answer=answer))
            states.append([*asked, assistant(answer)])
            names.append(name)
        expected.append(tuple(names))
    assert set(map(tuple, ids_of(joined(sent)))) == set(expected)


def row(name, at, *messages, answer=None, **changes):
    """A row of the database, `at` seconds after noon, of a client that sends no session id."""
    return spend_log(
        request_id=name,
        startTime=NOON + at * SECOND,
        request_duration_ms=500,
        proxy_server_request={"messages": list(messages)},
        response=choice(answer) if answer else {},
        **changes,
    )


TALK = [
    row("a", 0, *HELLO, answer="Hello, what is it about?"),
    row("b", 60, *TOLD, user("My order."), answer="Which one?"),
    row("c", 90, *TOLD, user("My order."), assistant("Which one?"), user("The last.")),
]
A, B, C = (row_id(one) for one in TALK)
ABC = Selection(KEY, rows=(A, B, C))
LINKS = (Link(B, A, "extends it"), Link(C, B, "extends it"))
STARTS = {"a": 0, "b": 60, "c": 90, "x": 0}


def one(request_id, api_key=KEY):
    return Selection(api_key, rows=(RowId(request_id, NOON + STARTS[request_id] * SECOND),))


@pytest.mark.parametrize("opened", ["a", "b", "c"])
def test_the_conversation_is_found_around_any_of_its_requests(database, opened):
    others = [
        row("d", 30, *HELLO, answer="Another answer."),
        row("e", 45, user("What time is it?")),
    ]
    source = source_of(database(rows=TALK + others))
    found = conversation_around(source, one(opened))
    assert found == Stitched(ABC, searched=5, is_bounded=False, links=LINKS)
    assert found.found == 3


def test_by_its_stored_session_it_is_found_as_well(database):
    source = source_of(database(rows=TALK))
    stored = Selection(KEY, session_ids=(TALK[1]["session_id"],))
    assert conversation_around(source, stored) == Stitched(ABC, 3, False, LINKS)


def test_requests_are_never_joined_across_keys(database):
    others = [{**request, "api_key": OTHER_KEY} for request in TALK[1:]]
    source = source_of(database(rows=TALK[:1] + others))
    assert conversation_around(source, one("a")) == Stitched(one("a"), 1, False, ())


def test_a_stored_session_of_several_requests_is_never_touched(database):
    stored = [{**request, "session_id": "s"} for request in TALK[1:]]
    source = source_of(database(rows=TALK[:1] + stored))
    assert conversation_around(source, one("a")) == Stitched(one("a"), 1, False, ())
    whole = Selection(KEY, session_ids=("s",))
    assert conversation_around(source, whole) == Stitched(whole, 0, False, ())


def test_a_session_that_goes_on_out_of_reach_is_of_several_requests(database):
    stored = {**TALK[1], "session_id": "s"}
    later = row("z", 3 * 86_400, user("Much later"), session_id="s")
    source = source_of(database(rows=[TALK[0], stored, later]))
    assert conversation_around(source, one("a")) == Stitched(one("a"), 1, False, ())


def test_the_same_session_id_of_another_key_is_another_session(database):
    others = {
        **row("z", 5, user("Mine")),
        "session_id": TALK[1]["session_id"],
        "api_key": OTHER_KEY,
    }
    source = source_of(database(rows=[*TALK, others]))
    assert conversation_around(source, one("a")) == Stitched(ABC, 3, False, LINKS)


def test_what_lies_beyond_twelve_hours_is_not_searched(database):
    late = {**TALK[2], "startTime": NOON + around.REACH, "endTime": NOON + around.REACH}
    source = source_of(database(rows=[*TALK[:2], late]))
    assert conversation_around(source, one("a")) == Stitched(
        Selection(KEY, rows=(A, B)), 2, False, LINKS[:1]
    )


def test_a_search_that_ends_before_all_is_read_says_so(database, monkeypatch):
    source = source_of(database(rows=TALK))
    monkeypatch.setattr(around, "MOST_EACH_WAY", 1)
    assert conversation_around(source, one("a")) == Stitched(
        Selection(KEY, rows=(A, B)), 2, True, LINKS[:1]
    )
    monkeypatch.setattr(around, "MOST_EACH_WAY", 500)
    monkeypatch.setattr(around, "MOST_CHARACTERS", 1)
    monkeypatch.setattr("tracelib.conversation.session_rows.FIRST_BATCH", 2)
    assert conversation_around(source, one("c")) == Stitched(
        Selection(KEY, rows=(B, C)), 2, True, LINKS[1:]
    )


def test_prompts_that_are_not_stored_are_searched_and_never_joined(database):
    silent = [{**request, "proxy_server_request": {}, "response": {}} for request in TALK]
    source = source_of(database(rows=silent))
    assert conversation_around(source, one("b")) == Stitched(one("b"), 3, False, ())


def test_a_request_that_is_not_there_has_no_conversation(database):
    source = source_of(database(rows=TALK))
    assert conversation_around(source, one("x")) == Stitched(one("x"), 0, False, ())
    assert conversation_around(source, one("a", "no key")) == Stitched(
        one("a", "no key"), 0, False, ()
    )


def test_a_version_without_session_ids_and_prompts_has_nothing_to_join(database):
    source = source_of(database("2025-03-26", rows=TALK))
    assert conversation_around(source, one("b")) == Stitched(one("b"), 3, False, ())


def test_where_no_index_finds_sessions_only_those_near_are_counted(database):
    stored = [{**request, "session_id": "s"} for request in TALK[1:]]
    made_up = database(rows=TALK[:1] + stored)
    with made_up.engine.begin() as connection:
        connection.execute(sa.text('DROP INDEX "LiteLLM_SpendLogs_session_id_idx"'))
    source = source_of(made_up)
    assert conversation_around(source, one("a")) == Stitched(one("a"), 1, False, ())


def test_the_sample_is_found_again_when_its_session_ids_are_hidden(database):
    noon = datetime(2026, 11, 24, 13, tzinfo=UTC)
    made_up = database(rows=requests(SEED, noon - timedelta(hours=8), noon))
    source, truth = benchmark.hidden(made_up.url)
    figures = benchmark.measured(source, truth)
    source.engine.dispose()
    assert figures["sessions_of_several"] > 50
    for among in ("words stored", "words stored, small"):
        row = figures[among]
        assert min(row["pair_precision"], row["request_precision"]) >= benchmark.PRECISION_BAR
        assert min(row["pair_recall"], row["request_recall"]) >= benchmark.RECALL_BAR


@pytest.fixture
def opened_page(database, monkeypatch):
    """Opens the page of a made up request: `opened_page(rows, request, **query)`."""

    def opened(spend_logs, request, **query):
        monkeypatch.setenv("DATABASE_URL", database(rows=spend_logs).url)
        st.cache_data.clear()
        st.cache_resource.clear()
        app = AppTest.from_file("../Home.py", default_timeout=60)
        whole = {"session": request["session_id"], "of": KEY, "refresh": "off"} | query
        app.query_params.update(whole)
        app.run()
        app.query_params.update(whole)
        return app.switch_page("pages/Sessions.py").run()

    yield opened
    st.cache_data.clear()
    st.cache_resource.clear()


def captions(app):
    return " ".join(caption.value for caption in app.caption)


def test_the_page_joins_nothing_unless_it_is_asked_to(opened_page):
    app = opened_page(TALK, TALK[0])
    assert not app.exception
    assert app.toggle(key=chain.STITCH).value is False
    assert "Inferred" not in captions(app)
    assert "appears to belong" not in captions(app)


def test_the_page_says_what_it_joined_and_why(opened_page):
    app = opened_page(TALK, TALK[0], joined="yes")
    assert not app.exception
    assert app.toggle(key=chain.STITCH).value is True
    assert (
        "This request appears to belong to a conversation of 3 requests, which LiteLLM stored "
        "as separate sessions. Evidence: repeats the messages and response of another (2). "
        "Searched: 3 single requests of its key, all within 12 hours."
    ) in captions(app)


def test_the_page_says_where_nothing_joins(opened_page):
    app = opened_page([TALK[0]], TALK[0], joined="yes")
    assert not app.exception
    assert (
        "No related requests found. Searched: 1 single request of its key, all within 12 hours."
    ) in captions(app)


def test_the_page_of_a_stored_session_offers_nothing(opened_page):
    stored = [{**request, "session_id": "s"} for request in TALK[:2]]
    app = opened_page(stored, stored[0], joined="yes")
    assert not app.exception
    assert chain.STITCH not in [switch.key for switch in app.toggle]

"""Whatever clients make of a history, each message is shown once, and a change as a change.

Conversations and habits are generated (`client_habits`): windows, dropped and emptied messages,
retrieved text and reminders that come and go, summaries, other spellings, in three APIs.
"""

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.client_habits import (
    ADDED_TEXT_HABITS,
    APIS,
    HABITS,
    HISTORY_HABITS,
    SPELLING_HABITS,
    STORING_HABITS,
    Client,
    Habits,
    fitting,
    shown,
)
from tracelib.conversation import StoredRequest, transcript

SEEDS = st.integers(0, 1_000_000)


def client(names, seed=0, turns=12, api=APIS[0], has_tools=True) -> Client:
    habits = Habits(fitting(names), random.Random(seed))
    talking = Client(habits, api=api, has_tools=has_tools)
    talking.converse(turns)
    return talking


def sentences(rows: list[StoredRequest]) -> list[str]:
    return [change.sentence for turn in transcript(rows).turns for change in turn.changes]


@settings(max_examples=80, deadline=None)
@given(
    st.frozensets(st.sampled_from(HABITS), max_size=6),
    SEEDS,
    st.integers(1, 25),
    st.sampled_from(APIS),
    st.booleans(),
)
@example(frozenset({"window of messages"}), 1163, 40, APIS[0], True)
@example(frozenset({"answers trimmed", "first and last", "split"}), 21, 40, APIS[0], True)
@example(frozenset({"placeholder", "split", "calls reversed", "failures"}), 663, 25, APIS[1], True)
# Emptied results in another order than before, whose calls the window has cut off.
@example(
    frozenset({"calls interleaved", "calls reversed", "old results emptied", "window of messages"}),
    *(0, 1, "acompletion", True),
)
def test_each_message_is_shown_once_whatever_clients_make_of_it(names, seed, turns, api, has_tools):
    talking = client(names, seed, turns, api, has_tools)
    told = transcript(talking.rows)
    assert shown(told) == +talking.said
    if "summary" not in talking.habits.names:  # written under a prompt of its own
        assert [turn.number for turn in told.turns if turn.starts_line] == []
        assert {turn.thread for turn in told.turns} == {0}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("name", HABITS)
def test_each_habit_alone(name, api):
    talking = client({name}, seed=7, turns=30, api=api)
    assert shown(transcript(talking.rows)) == +talking.said


def test_the_habits_do_what_they_are_named_for():
    """Else the tests above would hold of nothing."""
    plain = [row.request_body for row in client(set(), seed=7, turns=30).rows]
    stored = [row.response_body for row in client(set(), seed=7, turns=30).rows]
    for name in (*HISTORY_HABITS, *ADDED_TEXT_HABITS, *SPELLING_HABITS):
        bodies = [row.request_body for row in client({name}, seed=7, turns=30).rows]
        assert bodies != plain, name
    for name in STORING_HABITS:
        rows = client({name}, seed=7, turns=30).rows
        bodies = [(row.request_body, row.response_body) for row in rows]
        assert bodies != list(zip(plain, stored, strict=True)), name


@pytest.mark.parametrize("api", APIS)
def test_a_client_that_changes_nothing_has_no_changes(api):
    rows = client({"reasoning stripped", "spacing", "calls reversed"}, 3, 30, api).rows
    assert sentences(rows) == []


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("window of messages", "Starts later: "),
        ("tool steps dropped", "4 messages left out"),
        ("old results emptied", "1 tool result emptied"),
        ("answers trimmed", "Answer changed: 1 word removed"),
        ("summary", "Starts from a summary of the conversation so far"),
        ("retrieved in system", "System prompt changed: 6 words added, 6 removed"),
        ("retrieved in question", "User message changed: "),
        ("reminder in question", "User message changed: "),
    ],
)
def test_what_a_client_changes_is_a_change_in_words(name, beginning):
    found = sentences(client({name}, seed=7, turns=12).rows)
    assert any(sentence.startswith(beginning) for sentence in found), found


def test_a_change_is_told_where_it_happened_and_not_again():
    rows = client({"retrieved in question"}, seed=7, turns=12, has_tools=False).rows
    counts = [len(turn.changes) for turn in transcript(rows).turns]
    assert counts == [0] + [1] * 11  # the question before loses its text, the older ones had


@settings(max_examples=40, deadline=None)
@given(
    st.frozensets(
        st.sampled_from(sorted({*HABITS} - {"summary", "long texts cut", "reminder message"})),
        max_size=2,
    ),
    SEEDS,
    st.integers(1, 10),
    st.sampled_from(APIS),
)
# Both agents lose a reminder just before an answer that is the same for both.
@example(frozenset({"reminder in question"}), 1724, 3, "acompletion")
# The same, where that answer is all that the two conversations have yet.
@example(frozenset({"ids renamed", "retrieved in question"}), 23436, 9, "aresponses")
def test_conversations_of_one_session_are_not_mixed(names, seed, turns, api):
    """Two agents at work at once, under one system prompt, with much alike in what they say."""
    rows, said = [], Counter()
    for agent in range(2):
        habits = Habits(fitting(names), random.Random(seed + agent))
        talking = Client(habits, api=api, agent=f"Agent {agent}: ")
        talking.converse(turns)
        said += talking.said
        rows += [
            replace(
                row,
                request_id=f"{agent}-{row.request_id}",
                started_at=row.started_at + timedelta(milliseconds=agent),
            )
            for row in talking.rows
        ]
    told = transcript(rows)
    assert shown(told) == +said
    parents = [(turn.parent_id, turn.request.request_id) for turn in told.turns if turn.parent_id]
    assert [pair for pair in parents if pair[0][0] != pair[1][0]] == []
    assert {turn.thread for turn in told.turns} == {0, 1}


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 20), st.sets(st.integers(0, 18), min_size=1), st.sampled_from(APIS))
def test_answers_of_requests_that_are_not_in_the_log_are_shown_where_they_are_quoted(
    turns, lost, api
):
    talking = client(set(), seed=1, turns=turns, api=api, has_tools=False)
    rows = [row for at, row in enumerate(talking.rows) if at not in lost]
    counts = shown(transcript(rows))
    last = max((at for at in range(turns) if at not in lost), default=-1)
    quoted = sum(at < last for at in lost)
    questions = last + 1
    expected = Counter(system=bool(rows), user=questions, answer=len(rows), assistant=quoted)
    assert counts == +expected

"""Rows that are one turn, and rows of which the client did not get the whole answer."""

import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise, permutations
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.calling import calls_of, token
from tests.cases import as_text, case
from tests.page_words import plain, words
from tests.rows import KEY, NOON, failure, key_of, metadata, row_id, spend_log
from tests.sources import FILTERS, records, source_of
from tracelib import export, overview, sessions, status
from tracelib.conversation import Reading, order, turn_order, turns
from tracelib.conversation.links import chained, linked_sessions
from tracelib.conversation.notes import BROKEN_OFF, HUNG_UP, NOT_FETCHED
from tracelib.conversation.order import turn_frame
from tracelib.conversation.requests import by_turn, others_in_words
from tracelib.redaction import NONE
from tracelib.selection import Selection, session
from tracelib.status import Losses
from tracelib.timeline import activity, timeline

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def light(name: str, start: float = 0, end: float = 2, **changes: object) -> SimpleNamespace:
    """A light row that ran from one second to another after noon."""
    facts = {"call_type": "acompletion", "call_id": None, "background_id": None, "total_tokens": 15}
    facts["prompt_tokens"] = 10
    times = {"started_at": NOON + start * SECOND, "ended_at": NOON + end * SECOND}
    return SimpleNamespace(**({"request_id": name} | times | facts | changes))


def names(rows: Sequence[SimpleNamespace]) -> list[str]:
    """The ids of the rows of each turn, a word a turn."""
    return [" ".join(row.request_id for row in turn) for turn in by_turn(rows)]


def outer(**changes: object) -> SimpleNamespace:
    return light("outer", **({"call_type": "aresponses", "call_id": "c"} | changes))


def inner(**changes: object) -> SimpleNamespace:
    return light("inner", **({"call_id": "c", "start": 0.01, "end": 1.99} | changes))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([outer(), inner()], ["outer inner"]),
        # The row of what lies further down may be noted with an earlier start.
        ([outer(start=0.2), inner()], ["outer inner"]),
        ([outer(call_type="anthropic_messages"), inner(call_type="aresponses")], ["inner outer"]),
        ([outer(call_type="agenerate_content_stream"), inner()], ["outer inner"]),
        ([outer(total_tokens=0), inner()], ["outer inner"]),
        # A prompt counted without what was read from a cache.
        ([outer(total_tokens=15), inner(total_tokens=1_935)], ["outer inner"]),
        ([outer(end=30), inner(end=29.5, total_tokens=1_935)], ["outer inner"]),
        # Requests beside each other and one after another, all under the client's one call id.
        ([outer(), inner(call_type="aresponses")], ["outer", "inner"]),
        ([outer(), inner(call_type="aembedding")], ["outer", "inner"]),
        ([outer(), inner(call_id="d")], ["outer", "inner"]),
        ([outer(call_id=None), inner(call_id=None)], ["outer", "inner"]),
        ([outer(), inner(start=3.1, end=4)], ["outer", "inner"]),
        ([outer(), inner(start=1.5, total_tokens=99)], ["outer", "inner"]),
        ([outer(end=9), inner(total_tokens=99)], ["outer", "inner"]),
        # Of several pairs under one call id each has its own.
        (
            [
                outer(),
                inner(),
                light("third", 5, 7, call_id="c", call_type="aresponses"),
                light("fourth", 5.01, 6.99, call_id="c"),
            ],
            ["outer inner", "third fourth"],
        ),
        # No row is the inner one of one pair and the outer one of another: none is lost.
        (
            [
                light("first", 0, 9, call_id="c", call_type="anthropic_messages"),
                light("second", 1, 8, call_id="c", call_type="aresponses"),
                light("third", 2, 7, call_id="c"),
            ],
            ["second first", "third"],
        ),
        ([], []),
    ],
)
def test_two_rows_of_one_call_are_one_turn(rows, expected):
    for shuffled in permutations(rows):
        assert names(shuffled) == expected


def poll(name: str, start: float, of: str = "r") -> SimpleNamespace:
    return light(name, start, start + 1, call_type="aget_responses", background_id=of)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([light("r"), poll("p", 5), poll("q", 9)], ["r p q"]),
        # The clock of the replica that was asked for the answer is behind, or far behind.
        ([light("r", 3, 4), poll("p", 0), poll("q", 9)], ["r p q"]),
        ([light("r", 6, 7), poll("p", 0), poll("q", 9)], ["p", "r q"]),
        # The request lies in another session, or is gone from the log.
        ([poll("p", 0), poll("q", 2), poll("o", 3, "other")], ["p q", "o"]),
        # LiteLLM logs a poll under the id of the response itself where the log lets it.
        ([light("r"), poll("r", 5), poll("r", 9)], ["r r r"]),
        # An id that comes again: to the newest before.
        ([light("r"), poll("p", 5), light("r", 60, 61), poll("q", 65)], ["r p", "r q"]),
        ([light("r_cache_hit17.5"), poll("p", 5)], ["r_cache_hit17.5 p"]),
        # A bridged call in the background: all of it is one turn.
        ([outer(), inner(), poll("p", 5, "inner"), poll("q", 6, "outer")], ["outer inner p q"]),
    ],
)
def test_a_poll_belongs_to_the_request_whose_answer_it_fetches(rows, expected):
    for shuffled in permutations(rows):
        assert names(shuffled) == expected


ROWS = st.lists(
    st.builds(
        light,
        st.sampled_from("abc"),
        st.integers(0, 8),
        st.integers(0, 12),
        call_type=st.sampled_from(["aresponses", "acompletion", "anthropic_messages", None]),
        call_id=st.sampled_from([None, "c", "d"]),
        background_id=st.sampled_from([None, None, "a", "b", "x"]),
        total_tokens=st.sampled_from([0, 15, 99]),
    ),
    max_size=9,
    unique_by=lambda row: (row.request_id, row.started_at),
)


@given(ROWS)
def test_every_row_is_of_one_turn_and_turns_are_in_order(rows):
    turns = by_turn(rows)
    assert sorted(map(id, rows)) == sorted(id(row) for turn in turns for row in turn)
    firsts = [(turn[0].started_at, turn[0].request_id) for turn in turns]
    assert firsts == sorted(firsts)
    assert by_turn(list(reversed(rows))) == turns


def said(source, chosen: Selection) -> list[tuple[list[str], list[str]]]:
    """What was asked and answered in each turn."""
    return [
        tuple(
            [part.text for one in some for part in one.parts]
            for some in (turn.new_messages, turn.responses)
        )
        for turn in turns(source, Reading(chosen)).turns
    ]


POLLED = case("poll")
ASKED, ANSWER = "BGASK research this", "BGANSWER the report"


@pytest.mark.parametrize("stored", [POLLED, [*map(as_text, POLLED)]], ids=["json", "text"])
def test_a_background_response_is_one_turn_however_often_it_is_fetched(database, stored):
    made = database(rows=stored)
    source, chosen = source_of(made), session("h1-poll", POLLED[0]["api_key"])
    assert said(source, chosen) == [([ASKED], [ANSWER])]
    [turn] = turns(source, Reading(chosen)).turns
    assert turn.request.row_ids == tuple(map(row_id, POLLED))
    assert (turn.notes, others_in_words(turn.request)) == (
        (),
        ["response fetched 3 times, $0.0046"],
    )
    [started] = records(turn_order(source, chosen))
    assert started["rows"] == tuple(map(row_id, POLLED))
    # Counted as LiteLLM counts: a request a row, and the answer twice.
    summary = sessions.summary(source, chosen)
    assert (summary.requests, summary.total_tokens) == (4, 1_042)
    assert summary.cost_usd == pytest.approx(0.0046)
    requests = sessions.requests_of(source, chosen)
    [one] = records(turn_frame(requests, turn_order(source, chosen)))
    assert (one["request_id"], one["total_tokens"]) == ("resp_bg0", 521)
    assert one["cost_usd"] == pytest.approx(0.0046)
    # In files and for programs, too.
    document = export.session_document(source, chosen, NONE, NOON)
    assert len(json.loads("".join(export.as_json(document)))["turns"]) == 1
    assert "response fetched 3 times" in "".join(export.as_html(document))
    api = calls_of(made, token("all"))
    found = api.get("/api/v1/sessions/h1-poll/messages")["messages"]
    assert [(one["role"], one["content"]) for one in found] == [
        ("user", ASKED),
        ("assistant", ANSWER),
    ]


def test_an_answer_that_is_still_being_made_says_so(database):
    source = source_of(database(rows=POLLED[:2]))
    chosen = session("h1-poll", POLLED[0]["api_key"])
    [turn] = turns(source, Reading(chosen)).turns
    assert turn.notes == (NOT_FETCHED,)
    [answer] = turn.responses
    assert (answer.parts, answer.ending) == ((), "Not finished when it was stored (in_progress)")


def test_a_poll_in_another_session_leads_to_the_request_and_back(database):
    """A client that sends no session id: LiteLLM makes one for each poll."""
    asked, *polls = POLLED
    made = [asked, *(poll | {"session_id": f"poll {at}"} for at, poll in enumerate(polls))]
    made.append(polls[0] | {"request_id": "other's", "api_key": key_of("other")})
    source = source_of(database(rows=made))
    key, parts = asked["api_key"], [asked["session_id"], "poll 0", "poll 1", "poll 2"]
    found = linked_sessions(source, session(parts[0], key))
    assert [one.session_id for one in found.later] == parts[1:]
    found = linked_sessions(source, session("poll 1", key))
    assert [one.session_id for one in found.earlier] == parts[:1]
    assert found.is_earlier_complete
    for opened in parts:
        whole = chained(source, session(opened, key))
        assert whole == Selection(key, tuple(parts))
        assert said(source, whole) == [([ASKED], [ANSWER])]
    assert said(source, session("poll 1", key)) == [([], [ANSWER])]
    alone = source_of(database(rows=polls))
    assert not linked_sessions(alone, session(asked["session_id"], key)).is_earlier_complete


def test_a_poll_that_is_logged_under_the_id_of_the_response_finds_its_request(database):
    asked, *polls = POLLED
    name, key = asked["request_id"], asked["api_key"]
    made = [asked, *(poll | {"request_id": name, "session_id": "polls"} for poll in polls)]
    source = source_of(database(rows=made, partitioned=True))
    found = linked_sessions(source, session("polls", key))
    assert ([one.row for one in found.earlier], found.later) == ([row_id(asked)], ())
    whole = chained(source, session("polls", key))
    assert said(source, whole) == [([ASKED], [ANSWER])]


def test_what_a_background_response_cost_is_no_turn(database):
    asked, _, answered, _ = POLLED
    bill = asked | {
        "request_id": "resp_bg0_background_cost",
        "startTime": "2026-11-28T04:57:00",
        "endTime": "2026-11-28T04:57:01",
        "spend": 0.5,
        "proxy_server_request": {},
        "response": {},
    }
    source = source_of(database(rows=[asked, answered, bill]))
    chosen = session("h1-poll", asked["api_key"])
    assert said(source, chosen) == [([ASKED], [ANSWER])]
    [turn] = turns(source, Reading(chosen)).turns
    assert others_in_words(turn.request) == ["response fetched 2 times, $0.50"]


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict:
    return {"role": "assistant", "content": text}


def chat(name: str, start: float, *texts: str, **changes: object) -> dict:
    """A request of this conversation so far, in turn a user's and an assistant's, and its answer.

    It starts so many seconds after noon on the clock of its replica, and takes one.
    """
    said = [(assistant if at % 2 else user)(text) for at, text in enumerate(texts)]
    facts = {
        "request_id": name,
        "session_id": "s",
        "startTime": NOON + start * SECOND,
        "proxy_server_request": {"messages": said[:-1]},
        "response": {"choices": [{"message": said[-1]}]},
    }
    return spend_log(**(facts | changes))


TALK = ("one", "1", "two", "2", "three", "3", "four", "4")
# The clock of the replica that answers every other request is three seconds behind.
BY_TWO_CLOCKS = [
    chat("a", 3, *TALK[:2]),
    chat("b", 1.5, *TALK[:4]),
    chat("c", 6, *TALK[:6]),
    chat("d", 4.5, *TALK),
]
IN_TURN = [(["one"], ["1"]), (["two"], ["2"]), (["three"], ["3"]), (["four"], ["4"])]


def test_an_answer_comes_before_what_quotes_it_whatever_two_clocks_say(open_page, database):
    made = database(rows=BY_TWO_CLOCKS)
    source, chosen = source_of(made), session("s", KEY)
    assert said(source, chosen) == IN_TURN
    rows = list(map(row_id, BY_TWO_CLOCKS))
    assert [turn.parent for turn in turns(source, Reading(chosen)).turns] == [None, *rows[:3]]
    ordered = turn_order(source, chosen)
    assert list(ordered["request_id"]) == list("abcd")
    # Each page of a long conversation, files, programs and the page itself go by that order.
    reading = Reading(chosen)
    for number in (3, 1, 4, 2):
        [turn] = turns(source, reading, number, 1).turns
        assert turn.request.row == rows[number - 1]
    assert export.session_document(source, chosen, NONE, NOON).rows == tuple(rows)
    api = calls_of(made, token("all"))
    found = api.get("/api/v1/sessions/s/messages")["messages"]
    assert [one["content"] for one in found] == list(TALK)
    frame = turn_frame(sessions.requests_of(source, chosen), ordered)
    told = timeline(frame, {two.written(): one.written() for one, two in pairwise(rows)})
    assert list(told.turns["request_id"]) == list("abcd")
    assert list(told.turns["start_ms"]) == [1_500, 0, 4_500, 3_000]
    assert (told.turns["repeated_tokens"] > 0).tolist() == [False, True, True, True]
    assert (activity(told.turns)["number"].iloc[0], told.wall_ms) == (2, 5_500)
    app = open_page("pages/Sessions.py", made.url, session="s", of=KEY)
    assert not app.exception


def test_a_response_comes_before_what_goes_on_from_it(database):
    def response(name: str, start: float, before: str | None = None) -> dict:
        output = [{"type": "message", "role": "assistant", "content": name}]
        return spend_log(
            request_id=name,
            session_id="s",
            call_type="aresponses",
            startTime=NOON + start * SECOND,
            proxy_server_request={"input": f"q of {name}", "previous_response_id": before},
            response={"id": name, "object": "response", "output": output},
        )

    made = [response("a", 2), response("b", 0, "a"), response("c", 1, "b")]
    source, chosen = source_of(database(rows=made)), session("s", KEY)
    assert [asked for asked, _ in said(source, chosen)] == [["q of a"], ["q of b"], ["q of c"]]
    assert {turn.thread for turn in turns(source, Reading(chosen)).turns} == {0}


@pytest.mark.parametrize(
    "rows",
    [
        # The same beginning, but not the answer.
        [chat("a", 0, "one", "1", "two", "2"), chat("b", 1, "one", "uno")],
        [chat("a", 0, "one", "1", "two", "2"), chat("b", 1, "one", "1", "else", "0")],
        # Sent again: the later one quotes nothing, and neither does the earlier one.
        [chat("a", 0, "one", "1"), chat("b", 1, "one", "1")],
        # So far apart that no two clocks are.
        [chat("a", 0, "one", "1", "two", "2"), chat("b", 6, "one", "1")],
        # Over only after the request had come: no client quotes what it has not got.
        [
            chat("a", 0, "one", "1", "two", "2"),
            chat("b", 1, "one", "1", endTime=NOON + 20 * SECOND),
        ],
        # Nothing was answered.
        [chat("a", 0, "one", "1", "two", "2"), chat("b", 1, "one", "1", response={})],
        # Bodies that are not stored.
        [chat(name, 0, "one", "1", proxy_server_request={}, response={}) for name in "ab"],
    ],
)
def test_what_quotes_no_answer_stays_where_it_started(database, rows):
    found = turn_order(source_of(database(rows=rows)), session("s", KEY))
    assert list(found["request_id"]) == ["a", "b"]


def test_where_too_many_are_in_doubt_all_stay_as_they_started(database, monkeypatch):
    source, chosen = source_of(database(rows=BY_TWO_CLOCKS)), session("s", KEY)
    monkeypatch.setattr(order, "MOST_IN_DOUBT", 1)
    assert list(turn_order(source, chosen)["request_id"]) == list("badc")
    # Nothing is read where tokens tell that no prompt holds an earlier answer.
    grown = [
        chat(name, at, *TALK[: 2 * at + 2], prompt_tokens=10 * at + 10)
        for at, name in enumerate("abcd")
    ]
    found = source_of(database(rows=grown))
    monkeypatch.setattr(order, "stored_in_batches", None)
    assert list(turn_order(found, chosen)["request_id"]) == list("abcd")


def bridged(**changes: object) -> list[dict]:
    """A call of the Responses API that was answered through chat completions: two rows."""
    at = {"session_id": "s", "litellm_call_id": "c", "spend": 0.25}
    output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text"}]}]
    output[0]["content"][0]["text"] = "four"
    message = {"role": "assistant", "content": "four"}
    return [
        spend_log(
            request_id="outer",
            call_type="aresponses",
            proxy_server_request={"input": "two and two"},
            response={"id": "outer", "object": "response", "output": output},
            **at,
        ),
        spend_log(
            request_id="inner",
            startTime=NOON + SECOND / 100,
            proxy_server_request={"messages": [{"role": "user", "content": "two and two"}]},
            response={"choices": [{"message": message}]},
            **(at | changes),
        ),
    ]


@pytest.mark.parametrize("tokens", [{}, {"prompt_tokens": 1_930}, {"prompt_tokens": 12}])
def test_a_bridged_call_is_told_once_and_counted_as_litellm_does(database, tokens):
    source, chosen = source_of(database(rows=bridged(**tokens))), session("s", KEY)
    assert said(source, chosen) == [(["two and two"], ["four"])]
    [turn] = turns(source, Reading(chosen)).turns
    assert others_in_words(turn.request) == ["logged again as acompletion, $0.25"]
    assert overview.totals(source, FILTERS).requests == 2
    assert sessions.summary(source, chosen).cost_usd == 0.5
    requests = sessions.requests_of(source, chosen)
    assert len(turn_frame(requests, turn_order(source, chosen))) == 1


HANG_UP = {"error_information": {"error_class": "ClientDisconnected", "error_code": "499"}}
STREAMED = {"choices": [{"message": {"role": "assistant", "content": "It was a dark and"}}]}


def hang_up(**changes: object) -> dict:
    facts = {"session_id": "gone", "response": STREAMED, "spend": 0.125}
    return spend_log(**(facts | {"metadata": metadata(status="success", **HANG_UP)} | changes))


def broken(**changes: object) -> dict:
    facts = {"session_id": "broken", "response": STREAMED, "spend": 0.5}
    return failure("500", "APIConnectionError", "the stream broke", **(facts | changes))


@pytest.mark.parametrize("store", [lambda row: row, as_text], ids=["json", "text"])
def test_a_client_that_hung_up_and_a_stream_that_broke_are_shown_for_what_they_are(database, store):
    made = [hang_up(), broken(), failure(), spend_log()]
    source = source_of(database(rows=map(store, made)))
    for session_id, note in (("gone", HUNG_UP), ("broken", BROKEN_OFF)):
        [turn] = turns(source, Reading(session(session_id, KEY))).turns
        assert note in turn.notes
        assert turn.responses[0].parts[0].text == "It was a dark and"
    totals = overview.totals(source, FILTERS)
    assert (totals.requests, totals.failures) == (4, 2)
    assert status.losses(source, FILTERS) == Losses(1, 0.5, 1, 0.125, 4, 4)
    assert status.losses(source, FILTERS, newest=1).requests_read == 1


@pytest.mark.parametrize(
    ("row", "is_hang_up"),
    [
        (hang_up(status=None), True),
        (hang_up(metadata={"error_information": {"error_class": "ClientDisconnected"}}), True),
        (broken(metadata=metadata(status="failure", **HANG_UP)), False),
        (spend_log(metadata={"error_information": {"error_class": "clientdisconnected?"}}), False),
        (spend_log(metadata={"error_information": "ClientDisconnected"}), False),
        (spend_log(metadata={"error_information": None}), False),
        (spend_log(metadata="null"), False),
    ],
)
def test_a_hang_up_is_a_success_whose_client_was_gone(database, row, is_hang_up):
    source = source_of(database(rows=[row | {"session_id": "s"}]))
    assert status.losses(source, FILTERS).hang_ups == is_hang_up
    [turn] = turns(source, Reading(session("s", KEY))).turns
    assert (HUNG_UP in turn.notes) == is_hang_up


def test_nothing_is_lost_where_all_was_answered(database, empty_database):
    assert status.losses(source_of(empty_database), FILTERS) == Losses(0, 0.0, 0, 0.0, 0, 0)
    made = database(rows=[spend_log(), failure()])
    assert status.losses(source_of(made), FILTERS) == Losses(0, 0.0, 0, 0.0, 2, 2)


def test_the_status_page_says_what_was_paid_for_and_not_answered(open_page, database):
    made = database(rows=[hang_up(), broken(), spend_log()])
    shown = plain(words(open_page("pages/Status.py", made.url, range="30d")))
    assert "1 request, $0.12" in shown
    assert "1 request, $0.50" in shown
    calm = database(rows=[spend_log(), failure()])
    assert "hung up" not in words(open_page("pages/Status.py", calm.url, range="30d"))


def test_of_no_requests_there_are_no_turns(empty_database):
    source, chosen = source_of(empty_database), session("s", KEY)
    assert said(source, chosen) == []
    requests = sessions.requests_of(source, chosen)
    frame = turn_frame(requests, turn_order(source, chosen))
    pd.testing.assert_frame_equal(frame, requests)

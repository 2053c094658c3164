"""A conversation read page by page is the one that is read at once."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.database import Database
from tests.rows import KEY, NOON, V1_109_MORE, row_id, scenario, spend_log
from tests.server import Server
from tests.sources import records, source_of
from tests.stored_rows import choice
from tests.test_conversation_roundtrip import STEPS, client_of
from tracelib import conversation
from tracelib.conversation import Reading, StoredRequest, Turn, TurnPage, transcript, turns
from tracelib.conversation.notes import NOT_COMPARED, TOO_MANY, TRUNCATED
from tracelib.conversation.session_rows import stored_in_batches, stored_requests
from tracelib.selection import RowId, Selection, session
from tracelib.source import Postgres

SECOND = timedelta(seconds=1)
SESSION = session("s", KEY)


@pytest.fixture(scope="module")
def shared(server: Server) -> Iterator[tuple[Database, Postgres]]:
    """A database that all examples of this module add sessions of their own to."""
    made = Database(server)
    source = source_of(made)
    yield made, source
    source.engine.dispose()
    made.drop()


def row_of(request: StoredRequest, session_id: str) -> dict:
    return spend_log(
        session_id=session_id,
        request_id=request.request_id,
        call_type=request.call_type,
        startTime=request.started_at,
        status="failure" if request.is_failure else "success",
        proxy_server_request=request.request_body,
        response=request.response_body,
    )


def chat_row(at: int, *said: str, answer: str = "answer", **changes: object) -> dict:
    """A request `at` seconds after noon whose messages are said in turn by user and model."""
    roles = itertools.cycle(["user", "assistant"])
    messages = [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)]
    plain_row = {
        "session_id": "s",
        "request_id": f"r{at}",
        "startTime": NOON + at * SECOND,
        "proxy_server_request": {"messages": messages},
        "response": choice(answer),
    }
    return spend_log(**plain_row | changes)


def growing(count: int) -> list[dict]:
    """Requests that each resend all that was said before them."""
    said: list[str] = []
    made = []
    for at in range(count):
        said.append(f"question {at}")
        made.append(chat_row(at, *said, answer=f"answer {at}"))
        said.append(f"answer {at}")
    return made


def plain(turn: Turn) -> Turn:
    """A turn as a page has it: its request without bodies, its notes apart."""
    bare = replace(turn.request, request_body=None, response_body=None, messages_body=None)
    return replace(turn, request=bare, notes=())


def notes(page: TurnPage | conversation.Transcript) -> list[list[str]]:
    """The notes that hold for each turn."""
    return [sorted({*page.notes, *turn.notes}) for turn in page.turns]


def words(page: TurnPage) -> list[tuple[int, list[str], list[str]]]:
    """Of each turn its number, what was asked that is new, and what was answered."""
    return [
        (
            turn.number,
            [said.parts[0].text for said in turn.new_messages],
            [said.parts[0].text for said in turn.responses],
        )
        for turn in page.turns
    ]


EVENTS = st.lists(
    st.tuples(st.sampled_from(["arrive", "read", "read"]), st.integers(0, 12), st.integers(1, 5)),
    max_size=6,
)
names = itertools.count()


@settings(max_examples=15, deadline=None)
@given(st.lists(STEPS, max_size=12), st.randoms(use_true_random=False), EVENTS)
def test_pages_in_any_order_while_rows_arrive_in_any_order_are_those_of_the_whole(
    shared, steps, random, events
):
    filled, source = shared
    session_id = f"session-{next(names)}"
    waiting = [row_of(one, session_id) for one in client_of(steps, f"{session_id}-").rows]
    random.shuffle(waiting)
    reading = Reading(session(session_id, KEY))
    for event, which, count in [*events, ("arrive", 12, 1), ("read", 0, 99), ("read", 3, 4)]:
        if event == "arrive":
            filled.insert(waiting[:which])
            del waiting[:which]
            continue
        whole = transcript(stored_requests(source, reading.selection))
        page = turns(source, reading, which + 1, count)
        expected = slice(which, which + count)
        assert [plain(turn) for turn in page.turns] == [plain(t) for t in whole.turns[expected]]
        assert notes(page) == notes(whole)[expected]
        assert (page.total, page.first, page.is_compared) == (len(whole.turns), which + 1, True)


def test_a_page_of_a_selection_of_nothing_has_no_turns(empty_database):
    source = source_of(empty_database)
    assert turns(source, Reading(SESSION)) == TurnPage((), (), 0, 1, True)
    assert turns(source, Reading(Selection(KEY)), 41) == TurnPage((), (), 0, 41, True)
    assert conversation.turn_order(source, SESSION).empty


def test_a_page_beyond_the_end_reads_nothing_and_has_no_turns(database):
    source, reading = source_of(database(rows=growing(3))), Reading(SESSION)
    assert turns(source, reading, 4) == TurnPage((), (), 3, 4, True)
    assert turns(source, reading, 3, 1, most_characters=0).is_compared is False


def test_turns_come_with_their_requests_but_without_bodies(database):
    source = source_of(database(rows=growing(2)))
    page = turns(source, Reading(SESSION))
    stored = stored_requests(source, SESSION)
    assert [plain(turn).request for turn in page.turns] == [turn.request for turn in page.turns]
    assert [turn.request.request_id for turn in page.turns] == [one.request_id for one in stored]
    assert [(turn.number, turn.parent_number) for turn in page.turns] == [(1, None), (2, 1)]


def test_what_is_too_much_to_be_read_at_once_is_read_bit_by_bit(database):
    """Until then a page shows what followed the last answer, and says so."""
    source, reading = source_of(database(rows=growing(60))), Reading(SESSION)
    pages = [turns(source, reading, 56, 5, most_characters=1) for _ in range(3)]
    while not pages[-1].is_compared:
        pages.append(turns(source, reading, 56, 5, most_characters=20_000))
    expected = [(at + 1, [f"question {at}"], [f"answer {at}"]) for at in range(55, 60)]
    assert [words(page) for page in pages] == [expected] * len(pages)
    assert len(pages) > 4
    alone, whole = pages[0], pages[-1]
    assert (alone.notes, whole.notes) == ((NOT_COMPARED,), ())
    assert [(turn.parent_id, turn.parent_number, turn.repeated) for turn in alone.turns] == [
        (None, None, 110),
        *((f"r{at - 1}", at, 2 * at) for at in range(56, 60)),
    ]
    assert [(turn.parent_id, turn.parent_number, turn.repeated) for turn in whole.turns] == [
        (f"r{at - 1}", at, 2 * at) for at in range(55, 60)
    ]
    assert not any(turn.starts_line for page in pages for turn in page.turns)


def test_a_page_that_was_read_alone_shows_all_where_nothing_was_answered_before(database):
    made = [*growing(2), chat_row(2, "of its own"), chat_row(3, "another")]
    page = turns(source_of(database(rows=made)), Reading(SESSION), 3, 2, most_characters=0)
    assert words(page) == [(3, ["of its own"], ["answer"]), (4, ["another"], ["answer"])]
    assert [(turn.starts_line, turn.repeated) for turn in page.turns] == [(False, 0), (False, 0)]


def test_results_read_alone_carry_the_name_of_the_tool(database):
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "seen"},
    ]
    made = [chat_row(0, "q"), chat_row(1, proxy_server_request={"messages": messages})]
    page = turns(source_of(database(rows=made)), Reading(SESSION), 2, 1, most_characters=0)
    (result,) = page.turns[0].new_messages
    assert (result.parts[0].name, result.parts[0].text) == ("look", "seen")


def test_call_ids_that_are_used_again_keep_the_name_of_their_time(database):
    """Some servers count from call_0 in every answer; pages in any order tell them apart."""

    def call(name, arguments="{}"):
        return {"id": "call_0", "function": {"name": name, "arguments": arguments}}

    def result(text):
        return {"role": "tool", "tool_call_id": "call_0", "content": text}

    said = [{"role": "user", "content": "q"}]
    made = []
    for at, name in enumerate(("read", "write", "test")):
        answer = choice(None, tool_calls=[call(name)])
        made.append(chat_row(at, proxy_server_request={"messages": said}, response=answer))
        said = [*said, {"role": "assistant", "tool_calls": [call(name)]}, result(f"{name} done")]
    made.append(chat_row(3, proxy_server_request={"messages": said}))
    another = [{"role": "user", "content": "p"}]
    for name in ("read", "write", "test"):
        called = {"role": "assistant", "tool_calls": [call(name, '{"again": true}')]}
        another += [called, result(f"{name} again")]
    made.append(chat_row(4, proxy_server_request={"messages": another}))
    source, reading = source_of(database(rows=made)), Reading(SESSION)
    named = {
        number: [
            (part.name, part.text)
            for turn in turns(source, reading, number, 1).turns
            for said in turn.new_messages
            for part in said.parts
            if part.kind == "tool_result"
        ]
        for number in (4, 2, 5, 3, 1)
    }
    done = [("read", "read done"), ("write", "write done"), ("test", "test done")]
    again = [(name, text.replace("done", "again")) for name, text in done]
    assert named == {1: [], 2: done[:1], 3: done[1:2], 4: done[2:], 5: again}


def test_many_may_read_the_same_conversation_at_once(database):
    source, reading = source_of(database(rows=growing(40))), Reading(SESSION)
    firsts = [31, 11, 21, 1] * 3
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda first: turns(source, reading, first, 10), firsts))
    assert [words(page) for page in pages] == [
        [(at + 1, [f"question {at}"], [f"answer {at}"]) for at in range(first - 1, first + 9)]
        for first in firsts
    ]


def test_a_row_that_was_written_late_or_is_gone_is_seen(database):
    made = growing(4)
    filled = database(rows=[made[0], made[2]])
    source, reading = source_of(filled), Reading(SESSION)
    assert words(turns(source, reading)) == [
        (1, ["question 0"], ["answer 0"]),
        (2, ["question 1", "answer 1", "question 2"], ["answer 2"]),
    ]
    filled.insert([made[1], made[3]])
    whole = [(at + 1, [f"question {at}"], [f"answer {at}"]) for at in range(4)]
    assert words(turns(source, reading)) == whole
    filled.execute("""DELETE FROM "LiteLLM_SpendLogs" WHERE request_id = 'r0'""")
    assert words(turns(source, reading, 1, 1)) == [
        (1, ["question 0", "answer 0", "question 1"], ["answer 1"])
    ]


def test_sessions_that_go_on_from_one_another_are_read_as_one(real_rows_database):
    """A chain of responses, each stored in a session of its own."""
    source = source_of(real_rows_database)
    chained = [scenario(f"responses_chain_{n}", V1_109_MORE)[0] for n in (1, 2, 3, 4)]
    ids = {row["session_id"] for row in chained}
    assert len(ids) == 4
    chain = Selection(chained[0]["api_key"], session_ids=tuple(ids))
    page = turns(source, Reading(chain))
    assert [(turn.number, turn.parent_number, turn.thread, turn.notes) for turn in page.turns] == [
        (1, None, 0, ()),
        (2, 1, 0, ()),
        (3, 2, 0, ()),
        (4, 3, 0, ()),
    ]
    named = Selection(chain.api_key, rows=tuple(map(row_id, chained)))
    assert turns(source, Reading(named)) == page


def test_the_agent_session_of_the_real_rows_reads_the_same_in_small_pages(real_rows_database):
    source = source_of(real_rows_database)
    ((api_key,),) = real_rows_database.execute(
        """SELECT DISTINCT api_key FROM "LiteLLM_SpendLogs" WHERE session_id = 'sess-agent-0140'"""
    )
    selection = session("sess-agent-0140", api_key)
    whole = transcript(stored_requests(source, selection))
    reading = Reading(selection)
    for first in (22, 1, 8, 15):
        page = turns(source, reading, first, 7)
        expected = slice(first - 1, first + 6)
        assert [plain(turn) for turn in page.turns] == [plain(t) for t in whole.turns[expected]]
        assert notes(page) == notes(whole)[expected]
    assert any(TRUNCATED in turn.notes for turn in whole.turns)


def test_the_order_of_turns_is_told_without_their_words(database):
    made = [
        chat_row(1, request_id="b"),
        chat_row(0, request_id="c", status="failure"),
        chat_row(1, request_id="a"),
        chat_row(2, request_id="other", session_id="t"),
    ]
    source = source_of(database(rows=made))
    assert records(conversation.turn_order(source, SESSION)) == [
        {"request_id": name, "started_at": at, "is_failure": failed, "rows": (RowId(name, at),)}
        for name, at, failed in (
            ("c", NOON, True),
            ("a", NOON + SECOND, False),
            ("b", NOON + SECOND, False),
        )
    ]
    reading = Reading(SESSION)
    assert [turn.request.request_id for turn in turns(source, reading).turns] == ["c", "a", "b"]


def test_a_conversation_of_too_many_requests_is_cut_and_says_so(database, monkeypatch):
    monkeypatch.setattr("tracelib.conversation.order.MOST_TURNS", 3)
    monkeypatch.setattr("tracelib.conversation.reading.MOST_TURNS", 3)
    page = turns(source_of(database(rows=growing(5))), Reading(SESSION), 1, 99)
    assert (len(page.turns), page.total, page.notes) == (3, 3, (TOO_MANY,))


def test_a_conversation_that_repeats_nothing_is_not_remembered_without_end(database, monkeypatch):
    monkeypatch.setattr("tracelib.conversation.reading.MOST_MESSAGES_KNOWN", 4)
    made = [chat_row(at, f"of its own {at}") for at in range(40)]
    source, reading = source_of(database(rows=made)), Reading(SESSION)
    assert turns(source, reading, 11, 1).is_compared is True
    assert turns(source, reading, 31, 1).is_compared is False


def test_batches_give_every_request_once_in_order_whatever_their_size(database):
    made = growing(30)
    made[3] = chat_row(3, "x" * 3_000_000)
    source = source_of(database(rows=made))
    turns_of_it = [(row_id(row),) for row in made]
    gone = (RowId("gone", NOON),)
    wanted = [*turns_of_it[:5], gone, *turns_of_it[5:]]
    read = [one.row_ids for one in stored_in_batches(source, SESSION, wanted)]
    assert read == turns_of_it
    assert len(list(stored_in_batches(source, SESSION, turns_of_it, most_characters=1))) == 10
    assert list(stored_in_batches(source, SESSION, [])) == []
    assert list(stored_in_batches(source, session("s", "other key"), turns_of_it)) == []


def test_a_reading_has_a_name_that_stays_the_same():
    assert repr(Reading(SESSION)) == f"Reading({SESSION!r})"

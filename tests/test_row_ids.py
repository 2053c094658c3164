"""A row is its id and its start: in a partitioned log a request id stands once for each start."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import litellm, rows
from tests.calling import calls_of, token
from tests.cases import case
from tests.database import Database
from tests.page_words import nodes, plain, words
from tests.questions import of_a_session, of_a_window
from tests.rows import KEY, NOON, failure, key_of, row_id, spend_log
from tests.sources import FILTERS, records, source_of
from tracelib import export, sessions, status
from tracelib.conversation import Reading, snippets, turn_order, turns
from tracelib.conversation.attempts import same_prompt_neighbours
from tracelib.conversation.links import chained, linked_sessions
from tracelib.conversation.operations import operations
from tracelib.conversation.tool_use import tool_uses
from tracelib.conversation.turn_diff import diff_between
from tracelib.filters import Filters
from tracelib.redaction import NONE
from tracelib.selection import RowId, Selection, read_row_id, session
from tracelib.sessions import SessionSearch
from tracelib.stitching import conversation_around
from tracelib.timeline import timeline
from tracelib.window import TimeWindow

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
PAGE = "pages/Sessions.py"


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict:
    return {"role": "assistant", "content": text}


def chat(
    name: str, at: timedelta, *messages: dict, answer: str | dict = "", **changes: object
) -> dict:
    """The request of this id, so long after noon: what it sent, and what came back."""
    message = answer if isinstance(answer, dict) else assistant(answer)
    facts = {"request_id": name, "startTime": NOON + at, "session_id": "s"}
    body = {"messages": list(messages)}
    response = {"choices": [{"message": message}]} if answer else {}
    return spend_log(**(facts | {"proxy_server_request": body, "response": response} | changes))


def said(source, chosen: Selection) -> list[tuple[str, ...]]:
    """The texts of each turn of a conversation, in order."""
    return [
        tuple(
            part.text for message in (*turn.new_messages, *turn.responses) for part in message.parts
        )
        for turn in turns(source, Reading(chosen)).turns
    ]


IDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2210, 1, 1), timezones=st.just(UTC))


@given(IDS, MOMENTS)
def test_a_row_that_is_written_is_read_again(request_id, moment):
    row = RowId(request_id, moment)
    assert read_row_id(row.written()) == row


@pytest.mark.parametrize("text", ["", "chatcmpl-1", "a@b", "@", "a@2026-11-23", "a@Z", "a@12:00Z"])
def test_an_id_alone_names_no_row(text):
    assert read_row_id(text) is None


REPORTED = case("partitioned-same-id")
OF_S1, OF_S2 = REPORTED[:2], REPORTED[2:]


@pytest.fixture
def reported(database):
    """Two sessions of one key, each of two requests, of which two share an id."""
    return source_of(database(rows=REPORTED, partitioned=True))


def test_each_session_shows_its_own_words_and_none_of_the_other(reported):
    for of_it in (OF_S1, OF_S2):
        session_id = of_it[0]["session_id"]
        expected = [
            tuple(f"{session_id} {row['request_id']} {word}" for word in ("asked", "answered"))
            for row in of_it
        ]
        assert said(reported, session(session_id, "K")) == expected
        order = records(turn_order(reported, session(session_id, "K")))
        assert [one["rows"] for one in order] == [(row_id(row),) for row in of_it]


def test_every_way_to_find_a_request_finds_the_right_one_of_two(reported):
    twins = (OF_S1[0], OF_S2[0])
    rows = [row_id(row) for row in twins]
    found = snippets(reported, rows, "asked")
    assert found == {row_id(one): f"{one['session_id']} chatcmpl-213 asked" for one in twins}
    assert snippets(reported, rows[:1], "asked") == {rows[0]: found[rows[0]]}
    called = sessions.requests_called(reported, "chatcmpl-213")
    assert [(one.row, one.session_id) for one in called] == [
        (rows[1], "part-s2"),
        (rows[0], "part-s1"),
    ]
    assert sessions.session_of_request(reported, "chatcmpl-213") == (
        "part-s2",
        session("", "K").api_key,
    )
    for row, one in zip(rows, twins, strict=True):
        alone = Selection("K", rows=(row,))
        assert said(reported, alone) == [
            tuple(f"{one['session_id']} chatcmpl-213 {word}" for word in ("asked", "answered"))
        ]
        assert sessions.summary(reported, alone).requests == 1
        assert list(sessions.requests_of(reported, alone)["session_id"]) == [one["session_id"]]
    both = Selection("K", rows=tuple(rows))
    diff = diff_between(reported, both, *rows)
    assert [one.fate for one in diff.messages] in (["changed"], ["removed", "added"])
    assert not [
        one for one in diff_between(reported, both, rows[0], rows[0]).messages if one.fate != "kept"
    ]


def test_a_search_finds_the_sessions_and_the_words_of_each(reported):
    start = row_id(OF_S1[0]).started_at
    window = Filters(TimeWindow(start, start + DAY))
    scan = sessions.scan(reported, window, SessionSearch(said="chatcmpl-213"), for_seconds=60)
    assert {(one.session_id, one.row) for one in scan.found} == {
        ("part-s1", row_id(OF_S1[0])),
        ("part-s2", row_id(OF_S2[0])),
    }
    by_id = sessions.found_sessions(reported, window, SessionSearch(id="chatcmpl-213"))
    assert set(by_id.rows["session_id"]) == {"part-s1", "part-s2"}


def test_a_search_reads_every_row_of_an_id_that_many_have(database):
    """A client that sends its own id gives all its requests the same one, or none at all."""
    many = [
        chat(name, number * HOUR, user(f"{name}, {number}"), session_id=f"{name} {number}")
        for number in range(30)
        for name in ("my-app", "")
    ]
    log = database(rows=many, partitioned=True)
    window = Filters(TimeWindow(NOON, NOON + 2 * DAY))
    for one in many:
        asked = one["proxy_server_request"]["messages"][0]["content"]
        found = sessions.scan(source_of(log), window, SessionSearch(said=asked), for_seconds=60)
        assert row_id(one) in [each.row for each in found.found], asked
    # Programs read the same search page by page, from one row without an id to the next.
    body = {"start": window.window.start.isoformat(), "end": window.window.end.isoformat()}
    body |= {"text": ",", "limit": 19}
    api, found = calls_of(log, token("all")), []
    while not found or body["cursor"]:
        page = api.post("/api/v1/sessions/search", **body)
        found += [one["session_id"] for one in page["sessions"]]
        body["cursor"] = page["next_cursor"]
    assert sorted(found) == sorted(one["session_id"] for one in many)


THRICE = [
    chat("r", 0 * DAY, user("one"), answer="1"),
    chat("r", 1 * DAY, user("one"), assistant("1"), user("two"), answer="2"),
    chat("r", 2 * DAY, user("one"), assistant("1"), user("two"), assistant("2"), user("three")),
    chat("r", 1 * DAY + SECOND, user("another's"), api_key=key_of("other")),
]


def test_an_id_that_comes_again_in_one_session_is_a_turn_each_time(database):
    source = source_of(database(rows=THRICE, partitioned=True))
    chosen = session("s", KEY)
    assert said(source, chosen) == [("one", "1"), ("two", "2"), ("three",)]
    page = turns(source, Reading(chosen)).turns
    rows = [row_id(row) for row in THRICE[:3]]
    assert [turn.parent for turn in page] == [None, *rows[:2]]
    parents = {
        turn.request.row.written(): turn.parent.written() if turn.parent else None for turn in page
    }
    told = timeline(sessions.requests_of(source, chosen), parents).turns
    assert list(told["row"]) == [row.written() for row in rows]
    assert list(told["repeated_tokens"]) == [0, 10, 10]
    # Pages of one turn each are read on from one another.
    reading = Reading(chosen)
    assert [turns(source, reading, first, 1).turns[0].parent for first in (3, 1, 2)] == [
        rows[1],
        None,
        rows[0],
    ]


def test_of_three_rows_of_one_id_the_first_and_the_last_are_not_the_one_between(database):
    source = source_of(database(rows=THRICE, partitioned=True))
    rows = [row_id(THRICE[0]), row_id(THRICE[2])]
    chosen = Selection(KEY, rows=tuple(rows))
    assert sessions.summary(source, chosen).requests == 2
    found = sessions.requests_of(source, chosen)
    assert list(map(RowId, found["request_id"], found["started_at"])) == rows
    assert [one["rows"] for one in records(turn_order(source, chosen))] == [(one,) for one in rows]
    assert [asked for asked, *_ in said(source, chosen)] == ["one", "two"]
    assert list(snippets(source, rows, "one")) == rows
    document = export.session_document(source, chosen, NONE, NOON)
    assert (document.rows, document.figures.requests) == (tuple(rows), 2)


def test_a_file_holds_each_row_once_by_its_id_and_start(database):
    source = source_of(database(rows=THRICE, partitioned=True))
    document = export.session_document(source, session("s", KEY), NONE, NOON)
    rows = [row_id(row) for row in THRICE[:3]]
    assert (document.rows, document.is_complete) == (tuple(rows), True)
    written = json.loads("".join(export.as_json(document)))
    assert written["rows"]["request_ids"] == ["r"] * 3
    assert written["rows"]["started_at"] == [row.written().partition("@")[2] for row in rows]
    assert [turn["parent_number"] for turn in written["turns"]] == [None, 1, 2]
    page = "".join(export.as_html(document))
    assert all(row.written() in page for row in rows)


def test_tools_that_were_called_under_one_request_id_find_their_own_results(database):
    def calling(number: int) -> dict:
        call = {"id": "c", "function": {"name": "look", "arguments": json.dumps({"at": number})}}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    made = []
    for number in range(2):
        asked, result = user(f"look {number}"), {"role": "tool", "tool_call_id": "c"}
        made.append(chat("r", number * DAY, asked, answer=calling(number)))
        seen = result | {"content": f"seen {number}"}
        made.append(chat("r", number * DAY + SECOND, asked, calling(number), seen, answer="ok"))
    source = source_of(database(rows=made, partitioned=True))
    uses = tool_uses(turns(source, Reading(session("s", KEY))).turns)
    assert [use.result.text if use.result else None for use in uses] == ["seen 0", "seen 1"]


def test_a_retry_is_found_by_the_row_and_not_by_an_id_that_came_before(database):
    """Yesterday's request of the same id succeeded; today's failed, and was sent again."""
    made = [
        chat("r", -DAY, user("q"), answer="a"),
        chat("r", 0 * DAY, user("q"), status="failure", litellm_call_id="c"),
        chat("r2", 3 * SECOND, user("q"), answer="a", litellm_call_id="c"),
    ]
    source, chosen = source_of(database(rows=made, partitioned=True)), session("s", KEY)
    requests, near = sessions.requests_of(source, chosen), same_prompt_neighbours(source, chosen)
    [found] = operations(requests, near)
    assert found.rows == tuple(row_id(row) for row in made[1:])
    assert (found.how, found.attempts) == ("call id", 2)


def response(name: str, at: timedelta, after: str = "", **changes: object) -> dict:
    body = {"input": f"q of {name}"} | ({"previous_response_id": after} if after else {})
    facts = {"request_id": name, "startTime": NOON + at, "call_type": "aresponses"}
    return spend_log(**(facts | {"proxy_server_request": body} | changes))


def test_a_chain_goes_on_from_the_newest_response_of_an_id_before_it(database):
    made = [
        response("old", -DAY - SECOND, session_id="s-old"),
        response("a", -DAY, "old", session_id="s-a-before"),
        response("a", 0 * DAY, session_id="s-a"),
        response("b", SECOND, "a", session_id="s-b"),
        response("a", 2 * DAY, session_id="s-a-after"),
    ]
    source = source_of(database(rows=made, partitioned=True))
    found = linked_sessions(source, session("s-b", KEY))
    assert [one.row for one in found.earlier] == [row_id(made[2])]
    assert chained(source, session("s-b", KEY)).session_ids == ("s-a", "s-b")


def test_a_chain_is_found_where_a_replicas_clock_is_behind(database):
    made = [
        response("a", 2 * SECOND, session_id="s-a"),
        response("b", 0 * DAY, "a", session_id="s-b"),
        response("c", SECOND, "b", session_id="s-c"),
    ]
    source = source_of(database(rows=made))
    for opened in "abc":
        assert set(chained(source, session(f"s-{opened}", KEY)).session_ids) == {
            "s-a",
            "s-b",
            "s-c",
        }


def test_requests_that_stand_alone_are_joined_by_their_rows(database):
    talk = [
        chat("r", number * HOUR, *history, answer=answer, session_id=f"alone {number}")
        for number, (history, answer) in enumerate(
            (
                ([user("one")], "1"),
                ([user("one"), assistant("1"), user("two")], "2"),
                ([user("else")], "0"),
            )
        )
    ]
    source = source_of(database(rows=talk, partitioned=True))
    rows = tuple(row_id(row) for row in talk)
    for opened in rows[:2]:
        found = conversation_around(source, Selection(KEY, rows=(opened,)))
        assert found.selection == Selection(KEY, rows=rows[:2])
        assert [(link.row, link.other) for link in found.links] == [(rows[1], rows[0])]


def test_a_row_is_looked_for_in_the_partitions_of_its_day_alone(database):
    made = database(rows=THRICE, partitioned=True)
    source = source_of(made)
    asked = source.by_rows([row_id(THRICE[1])])
    plan = made.execute(
        "EXPLAIN "
        + str(asked.select().compile(made.engine, compile_kwargs={"literal_binds": True})).replace(
            "%%", "%"
        )
    )
    scanned = {line.split('"LiteLLM_SpendLogs_p')[1][:8] for (line,) in plan if "_p2026" in line}
    assert scanned == {f"{NOON + DAY:%Y%m%d}"}


NO_ID = [
    chat("", 0 * DAY, user("without an id"), answer="1", session_id="u"),
    chat("", HOUR, user("without an id, again"), answer="2", session_id="u"),
    chat("None", 2 * HOUR, user("called None"), answer="3", session_id="u"),
    chat("None", 3 * HOUR, user("called None, again"), session_id="t"),
    chat("", 4 * HOUR, user("without any id"), answer="4", session_id=""),
]


def test_rows_without_an_id_are_read_like_any_other(database):
    source = source_of(database(rows=NO_ID, partitioned=True))
    assert said(source, session("u", KEY)) == [
        ("without an id", "1"),
        ("without an id, again", "2"),
        ("called None", "3"),
    ]
    assert said(source, session("t", KEY)) == [("called None, again",)]
    for row in NO_ID:
        alone = Selection(KEY, rows=(row_id(row),))
        assert said(source, alone)[0][0] == row["proxy_server_request"]["messages"][0]["content"]
    assert list(snippets(source, [row_id(NO_ID[1])], "again")) == [row_id(NO_ID[1])]


def test_a_request_without_any_id_is_a_session_that_can_be_opened(database):
    source = source_of(database(rows=NO_ID, partitioned=True))
    listed = sessions.found_sessions(source, FILTERS_OF_A_DAY, SessionSearch()).rows
    assert set(listed["session_id"]) == {"u", "t", ""}
    assert said(source, session("", KEY)) == [("without any id", "4")]
    assert sessions.summary(source, session("", KEY)).requests == 1


FILTERS_OF_A_DAY = Filters(TimeWindow(NOON, NOON + DAY))


def test_the_reported_row_without_an_id_is_read(database):
    [row] = case("empty-request-id")
    source = source_of(database(rows=[row]))
    chosen = session(row["session_id"], row["api_key"])
    assert said(source, chosen) == [("ERASK", "ERANS")]
    start = row_id(row).started_at
    filters = Filters(TimeWindow(start, start + HOUR))
    for name, ask in (of_a_window(filters) | of_a_session(chosen, filters)).items():
        assert ask(source) is not None, name


@pytest.fixture(scope="module")
def made(server):
    log = Database(server)
    every = [*THRICE, *REPORTED, *NO_ID]
    litellm.partition(log.engine, rows.days(every))
    log.insert(every)
    yield log
    log.drop()


def opened(open_page, made, **query):
    app = open_page(PAGE, made.url, zone="UTC", **query)
    assert not app.exception
    assert not app.error
    return app


def marked(app) -> str:
    """What the turn says that the page was opened at."""
    (block,) = (one for one in nodes(app.main) if "target-turn" in getattr(one.proto, "id", ""))
    texts = (getattr(one, "value", None) for one in nodes(block))
    return "\n".join(plain(text) for text in texts if isinstance(text, str))


@pytest.mark.parametrize("number", range(3))
def test_a_link_leads_to_the_row_it_names(open_page, made, number):
    row = row_id(THRICE[number]).written()
    app = opened(open_page, made, session="s", of=KEY, request=row)
    asked = ("one", "two", "three")[number]
    assert asked in marked(app)
    assert "requests have" not in words(app)
    # The same without its session.
    app = opened(open_page, made, request=row)
    assert asked in marked(app)
    assert "requests have" not in words(app)


def test_an_old_link_leads_to_the_newest_of_the_named_session_and_says_there_are_others(
    open_page, made
):
    app = opened(open_page, made, session="s", of=KEY, request="r")
    assert "three" in marked(app)
    assert "4 requests share the request ID" in words(app)
    app.button(f"namesake {row_id(THRICE[0]).written()}").click().run()
    assert not app.exception
    assert "one" in marked(app)
    assert app.query_params["request"] == row_id(THRICE[0]).written()


def test_an_old_link_without_a_session_leads_to_the_newest(open_page, made):
    app = opened(open_page, made, request="chatcmpl-213")
    assert "part-s2 chatcmpl-213 asked" in marked(app)
    assert "2 requests share the request ID" in words(app)
    app = opened(open_page, made, request="chatcmpl-214")
    assert "part-s1 chatcmpl-214 asked" in marked(app)
    assert "requests have" not in words(app)


def test_a_link_to_no_request_says_so(open_page, made):
    app = opened(open_page, made, request="nobody")
    assert "nobody" in [one.value for one in app.code]


def test_two_rows_of_one_id_are_compared(open_page, made):
    rows = [row_id(row).written() for row in THRICE[:2]]
    app = opened(open_page, made, session="s", of=KEY, diff=rows)
    assert "Request 1 → request 2" in words(app)


def test_a_session_without_an_id_is_opened_by_its_link(open_page, made):
    app = opened(open_page, made, session="", of=KEY)
    assert "without any id" in words(app)


def test_a_session_id_that_looks_like_a_path_is_opened_by_its_link(open_page, database):
    [row] = case("sid2")
    log = database(rows=[row])
    app = opened(open_page, log, session="../../etc")
    assert "SIDASK" in words(app)
    found = calls_of(log, token("all")).get("/api/v1/sessions/..%2F..%2Fetc/messages")
    assert [one["content"] for one in found["messages"]] == ["SIDASK", "SIDANS"]
    assert found["session_id"] == "../../etc"


def test_programs_are_told_which_row_a_message_is_of(made):
    api = calls_of(made, token("all"))
    found = api.get("/api/v1/sessions/s/messages", key=KEY)
    rows = dict.fromkeys((one["request_id"], one["started_at"]) for one in found["messages"])
    starts = [row_id(row) for row in THRICE[:3]]
    assert [(one, datetime.fromisoformat(at)) for one, at in rows] == starts


def test_a_failure_leads_to_its_own_row(database):
    made = [
        failure(request_id="r", session_id="s", startTime=NOON),
        failure(request_id="r", session_id="t", startTime=NOON + DAY),
    ]
    source = source_of(database(rows=made, partitioned=True))
    window = Filters(TimeWindow(NOON, NOON + 2 * DAY))
    found = records(status.newest_failures(source, window))
    assert [(one["session_id"], one["request_id"], one["started_at"]) for one in found] == [
        ("t", "r", NOON + DAY),
        ("s", "r", NOON),
    ]
    page = status.newest_failures(source, window, 1, after=(NOON + DAY, "r"))
    assert list(page["session_id"]) == ["s"]
    assert records(status.newest_failures(source, FILTERS))[0]["session_id"] == "s"

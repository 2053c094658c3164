"""Sessions that go on from one another, found by the responses they name."""

import base64
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests import litellm, rows
from tests.rows import KEY, NOON, V1_80, V1_109, V1_109_MORE, scenario, spend_log
from tests.sources import source_of
from tracelib.conversation import links, transcript
from tracelib.conversation.links import LinkedSession, Links, chained, linked_sessions
from tracelib.conversation.requests import spellings
from tracelib.conversation.session_rows import stored_requests
from tracelib.selection import RowId, Selection

SECOND = timedelta(seconds=1)
DAY = timedelta(hours=24)
CHAIN = tuple(f"responses_chain_{turn}" for turn in range(1, 5))


def turn(name: str, after: str | None = None, at: float = 0, **changes: object) -> dict:
    """A request to the Responses API, in a session of its own, that goes on from another."""
    body = {"input": "q"} | ({"previous_response_id": after} if after else {})
    plain = {
        "request_id": name,
        "session_id": f"s-{name}",
        "call_type": "aresponses",
        "startTime": NOON + at * SECOND,
        "proxy_server_request": body,
    }
    return spend_log(**(plain | changes))


def session(*names: str, key: str = KEY) -> Selection:
    return Selection(key, tuple(f"s-{name}" for name in names))


def linked(source, *names: str) -> tuple[str, str]:
    """Requests of the earlier and of the later sessions, a word each."""
    found = linked_sessions(source, session(*names))
    earlier, later = (
        " ".join(one.request_id for one in some) for some in (found.earlier, found.later)
    )
    return earlier, later


def real_link(name: str, file: str) -> LinkedSession:
    [row] = scenario(name, file)
    return LinkedSession(row["session_id"], row["api_key"], *rows.row_id(row), "gpt-4o")


def selected(one: LinkedSession) -> Selection:
    return Selection(one.api_key, (one.session_id,))


@pytest.mark.parametrize("place", range(4))
def test_every_turn_of_a_real_chain_finds_the_others(real_rows_database, place):
    source = source_of(real_rows_database)
    chain = [real_link(name, V1_109_MORE) for name in CHAIN]
    found = linked_sessions(source, selected(chain[place]))
    assert found == Links(
        earlier=tuple(chain[:place]),
        later=tuple(chain[place + 1 :]),
        is_earlier_complete=True,
        later_until=chain[place].started_at + DAY,
    )
    assert chained(source, selected(chain[place])) == Selection(
        chain[0].api_key, tuple(one.session_id for one in chain)
    )


def test_a_real_chain_is_read_as_one_conversation(real_rows_database):
    source = source_of(real_rows_database)
    chain = [real_link(name, V1_109_MORE) for name in CHAIN]
    found = stored_requests(source, chained(source, selected(chain[2])))
    turns = transcript(found).turns
    ids = [one.request_id for one in chain]
    assert [one.request.request_id for one in turns] == ids
    assert [one.parent_id for one in turns] == [None, *ids[:-1]]


@pytest.mark.parametrize(
    ("version", "partitioned"), [*((one, False) for one in litellm.VERSIONS), ("latest", True)]
)
def test_every_version_links_its_responses_where_it_stores_prompts(database, version, partitioned):
    source = source_of(database(version, rows.real_rows(V1_80, V1_109), partitioned))
    for file in (V1_80, V1_109):
        first, second = (
            real_link(name, file) for name in ("responses_turn_1", "responses_turn_2_prev_id")
        )
        if version == "2025-03-26":
            only = Selection(first.api_key, (first.request_id,))
            assert linked_sessions(source, only) == Links((), (), True, first.started_at + DAY)
        else:
            found = linked_sessions(source, selected(first))
            assert (found.earlier, found.later) == ((), (second,))
            found = linked_sessions(source, selected(second))
            assert (found.earlier, found.later) == ((first,), ())


def test_other_requests_are_linked_to_nothing(real_rows_database, empty_database):
    nothing = Links((), (), True, None)
    [row] = scenario("chat_success", V1_109)
    chat = Selection(row["api_key"], (row["session_id"],))
    assert linked_sessions(source_of(real_rows_database), chat) == nothing
    assert chained(source_of(real_rows_database), chat) == chat
    for selection in (Selection("", ()), Selection("\0", ("\0",)), session("nobody")):
        assert linked_sessions(source_of(empty_database), selection) == nothing
        assert chained(source_of(empty_database), selection) == selection


def test_a_chain_that_branches_is_one_whichever_turn_is_opened(database):
    made = [
        turn("a"),
        turn("b", "a", 1),
        turn("c", "b", 2),
        turn("d", "a", 3),
        turn("e", "d", 4),
        turn("x", at=2),
    ]
    source = source_of(database(rows=made))
    assert linked(source, "a") == ("", "b c d e")
    assert linked(source, "c") == ("a b", "d e")
    assert linked(source, "d") == ("a", "b c e")
    assert linked(source, "b", "d") == ("a", "c e")
    assert linked(source, "x") == ("", "")
    for name in "abcde":
        assert chained(source, session(name)) == session(*"abcde")


def test_a_session_of_several_turns_stands_once(database):
    made = [
        turn("a", session_id="s-1"),
        turn("b", "a", 1, session_id="s-1"),
        turn("c", "b", 2, session_id="s-2"),
        turn("d", "c", 3, session_id="s-1"),
        turn("e", "d", 4, session_id="s-2"),
    ]
    source = source_of(database(rows=made))
    assert linked(source, "1") == ("c", "")
    assert linked(source, "2") == ("a", "")
    for name in "12":
        assert chained(source, session(name)) == session("1", "2")


def test_chains_never_leave_their_key(database):
    made = [
        turn("a", api_key="other"),
        turn("b", "a", 1),
        turn("c", "b", 2, api_key="other"),
        turn("d", "b", 3),
    ]
    source = source_of(database(rows=made))
    assert linked(source, "b") == ("", "d")
    assert not linked_sessions(source, session("b")).is_earlier_complete
    assert chained(source, session("a", key="other")) == session("a", key="other")


def test_a_response_that_is_not_in_the_log_leaves_the_chain_incomplete(database):
    source = source_of(database(rows=[turn("b", "pruned"), turn("c", "b", 1)]))
    assert linked_sessions(source, session("c")).is_earlier_complete is False
    assert linked(source, "c") == ("b", "")


def test_the_newer_name_of_a_response_is_enough(database):
    body = {"previous_response_id": "resp_elsewhere", "_litellm_addressed_response_id": "a"}
    source = source_of(database(rows=[turn("a"), turn("b", at=1, proxy_server_request=body)]))
    found = linked_sessions(source, session("b"))
    assert [one.request_id for one in found.earlier] == ["a"]
    assert found.is_earlier_complete


def routed(response_id: str) -> str:
    plain = f"litellm:custom_llm_provider:openai;model_id:m;response_id:{response_id}"
    return f"resp_{base64.b64encode(plain.encode()).decode()}"


def test_ids_that_carry_their_route_are_the_provider_s(database):
    made = [
        turn("resp_1", session_id="s-1"),
        turn("resp_2", routed("resp_1"), 1, session_id="s-2"),
        turn(routed("resp_3"), "resp_2", 2, session_id="s-3"),
        turn("resp_4", routed("resp_3"), 3, session_id="s-4"),
    ]
    source = source_of(database(rows=made))
    assert chained(source, session("1")) == session("1", "2", "3", "4")
    assert chained(source, session("4")) == session("1", "2", "3", "4")


def test_a_response_from_the_cache_is_gone_on_from_by_its_first_id(database):
    made = [
        turn("a_cache_hit1764058952.25", session_id="s-a", cache_hit="True"),
        turn("b", "a", 1),
    ]
    assert linked(source_of(database(rows=made)), "a") == ("", "b")


def test_a_chain_that_names_itself_ends(database):
    made = [turn("a", "b"), turn("b", "a"), turn("c", "c")]
    source = source_of(database(rows=made))
    assert linked(source, "a") == ("b", "")
    assert linked(source, "c") == ("", "")


def test_more_than_fifty_turns_back_are_not_followed(database):
    made = [turn(str(at), str(at - 1) if at else None, at) for at in range(60)]
    source = source_of(database(rows=made))
    found = linked_sessions(source, session("59"))
    assert [one.request_id for one in found.earlier] == [str(at) for at in range(9, 59)]
    assert not found.is_earlier_complete
    found = linked_sessions(source, session("50"))
    assert [one.request_id for one in found.earlier] == [str(at) for at in range(50)]
    assert [one.request_id for one in found.later] == [str(at) for at in range(51, 60)]
    assert found.is_earlier_complete


def test_later_turns_are_looked_for_within_a_day(database):
    day_s = DAY.total_seconds()
    made = [turn("a"), turn("b", "a", day_s), turn("c", "b", day_s + 1)]
    source = source_of(database(rows=made))
    found = linked_sessions(source, session("a"))
    assert [one.request_id for one in found.later] == ["b"]
    assert found.later_until == NOON + DAY


@pytest.mark.parametrize("is_indexed", [False, True])
def test_later_turns_are_looked_for_among_so_many_requests(database, monkeypatch, is_indexed):
    monkeypatch.setattr(links, "MOST_WALKED", 4)
    made = [turn("a"), turn("b", "a", 3), turn("c", "b", 5)]
    made += [spend_log(api_key="other", startTime=NOON + at * SECOND) for at in (1, 2, 4)]
    one = database(rows=made)
    if is_indexed:
        with one.engine.begin() as connection:
            connection.execute(
                sa.text('CREATE INDEX ON "LiteLLM_SpendLogs" (api_key, "startTime")')
            )
    found = linked_sessions(source_of(one), session("a"))
    later = [one.request_id for one in found.later]
    if is_indexed:
        assert (later, found.later_until) == (["b", "c"], NOON + DAY)
    else:
        assert (later, found.later_until) == (["b"], NOON + 3 * SECOND)


def test_so_many_responses_are_read_and_no_more(database, monkeypatch):
    monkeypatch.setattr(links, "MOST_RESPONSES", 2)
    source = source_of(database(rows=[turn("a"), turn("b", "a", 1), turn("c", "b", 2)]))
    found = linked_sessions(source, session("a"))
    assert [one.request_id for one in found.later] == ["b"]
    assert found.later_until == NOON + SECOND


def test_bodies_of_any_shape_name_nothing_or_nobody(database):
    bodies = [
        None,
        "null",
        "[]",
        '"text"',
        {"previous_response_id": None},
        {"previous_response_id": ""},
        {"previous_response_id": {"id": "a"}},
        {"previous_response_id": 7, "_litellm_addressed_response_id": ["a"]},
    ]
    made = [turn(str(at), proxy_server_request=body) for at, body in enumerate(bodies)]
    source = source_of(database(rows=[turn("a"), *made]))
    for at in range(len(bodies)):
        assert linked(source, str(at)) == ("", "")


def test_requests_named_one_by_one_stay_as_they_are(database):
    source = source_of(database(rows=[turn("a"), turn("b", "a", 1), turn("c", "b", 2)]))
    selection = Selection(KEY, rows=(RowId("b", NOON + SECOND),))
    found = linked_sessions(source, selection)
    assert [one.session_id for one in (*found.earlier, *found.later)] == ["s-a", "s-c"]
    assert chained(source, selection) == selection


@pytest.mark.parametrize(
    ("response_id", "expected"),
    [
        ("", set()),
        ("\0", set()),
        ("chatcmpl-1", {"chatcmpl-1"}),
        ("resp_", {"resp_"}),
        ("resp_é", {"resp_é"}),
        ("resp_AAAA", {"resp_AAAA"}),
        (routed("x"), {routed("x"), "x"}),
        (routed("a;b:c"), {routed("a;b:c"), "a;b:c"}),
        (routed("\0"), {routed("\0")}),
        (f"{routed('x')}_cache_hit1.5", {f"{routed('x')}_cache_hit1.5", routed("x"), "x"}),
    ],
)
def test_the_spellings_of_an_id(response_id, expected):
    assert spellings(response_id) == expected

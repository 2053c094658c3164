"""What sessions began with, and where they say something, asked for many at once."""

from datetime import timedelta

import pytest

from tests import litellm, rows, stored_rows
from tests.rows import KEY, NOON, row_id, spend_log
from tests.sources import FILTERS, HOUR, source_of
from tracelib.conversation import first_lines, snippets, transcript
from tracelib.conversation.shown_text import LONGEST, LONGEST_BODY, Prompt, first_line
from tracelib.permissions.access import EVERYONE, Access
from tracelib.selection import RowId

SECOND = timedelta(seconds=1)
OTHER_KEY = "b" * 64


def chat(*messages: tuple[str, object], **changes: object) -> dict:
    said = [{"role": role, "content": content} for role, content in messages]
    return spend_log(**({"proxy_server_request": {"messages": said}} | changes))


def key(session_id: str, api_key: str = KEY) -> tuple[str, str]:
    return f"{session_id}:{api_key}", session_id


def test_each_session_is_told_by_the_first_words_of_its_first_request(database):
    made = [
        chat(("user", "later"), session_id="s", startTime=NOON + SECOND),
        chat(("system", "Be brief."), ("user", " first\n\nwords "), ("user", "x"), session_id="s"),
        chat(("user", "of another key"), session_id="s", api_key=OTHER_KEY),
        chat(("user", "not asked for"), session_id="other"),
        chat(("user", "before the window"), session_id="old", startTime=NOON - HOUR),
        chat(("user", "continues"), session_id="old"),
        chat(("system", "nobody spoke"), session_id="silent"),
        spend_log(session_id="not stored", proxy_server_request={}),
        chat(("user", "alone"), session_id="", request_id="r"),
    ]
    sought = [key("s"), key("s", OTHER_KEY), *map(key, ("old", "silent", "not stored", "r", "-"))]
    assert first_lines(source_of(database(rows=made)), FILTERS, sought) == {
        f"s:{KEY}": "first words",
        f"s:{OTHER_KEY}": "of another key",
        f"old:{KEY}": "before the window",
        f"r:{KEY}": "alone",
    }


def test_without_an_index_on_the_session_id_only_the_window_is_read(database):
    made = database(
        rows=[
            chat(("user", "before the window"), session_id="s", startTime=NOON - HOUR),
            chat(("user", "continues"), session_id="s"),
        ]
    )
    made.execute('DROP INDEX "LiteLLM_SpendLogs_session_id_idx"')
    assert first_lines(source_of(made), FILTERS, [key("s")]) == {f"s:{KEY}": "continues"}


def test_long_words_are_cut_and_a_huge_request_is_left_where_it_is(database):
    made = [
        chat(("user", "x" * 2 * LONGEST), session_id="long"),
        chat(("user", "x" * LONGEST_BODY), session_id="huge"),
    ]
    found = first_lines(source_of(database(rows=made)), FILTERS, [key("long"), key("huge")])
    assert found == {f"long:{KEY}": "x" * LONGEST}


def test_no_session_began_with_nothing(empty_database):
    assert first_lines(source_of(empty_database), FILTERS, [key("s")]) == {}
    assert first_lines(source_of(empty_database), FILTERS, []) == {}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"input": "a text"}, "a text"),
        ({"input": [{"role": "user", "content": "an item"}], "instructions": "x"}, "an item"),
        ({"prompt": "to complete"}, "to complete"),
        ({"contents": [{"role": "user", "parts": [{"text": "Gemini"}]}]}, "Gemini"),
        ({"messages": "loose"}, "loose"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a block"}]}]},
            "a block",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]},
                    {"role": "user", "content": "beneath a picture"},
                ]
            },
            "beneath a picture",
        ),
        ({"messages": [{"role": "assistant", "content": "no user"}]}, ""),
        ({"headers": {"authorization": "Bearer secret"}}, ""),
        (["x"], ""),
        ("7", ""),
    ],
)
def test_a_prompt_of_any_api_has_first_words(database, body, words):
    source = source_of(database(rows=[spend_log(session_id="s", proxy_server_request=body)]))
    found = first_lines(source, FILTERS, [key("s")])
    assert found == ({f"s:{KEY}": words} if words else {})


def test_every_version_of_litellm_is_read_as_far_as_it_goes(database):
    for version in litellm.VERSIONS:
        made = database(version, rows=[chat(("user", "hello"), request_id="r", session_id="r")])
        found = first_lines(source_of(made), FILTERS, [key("r")])
        # The oldest kept no prompts.
        assert found == ({} if version == "2025-03-26" else {f"r:{KEY}": "hello"})


def test_who_may_not_read_messages_finds_none(database):
    source = source_of(database(rows=[chat(("user", "hello"), session_id="s")]))
    viewer = source.seen_by(Access(EVERYONE, "viewer"))
    assert first_lines(viewer, FILTERS, [key("s")]) == {}


def test_the_first_words_of_true_rows_are_those_of_their_transcripts(real_rows_database):
    source = source_of(real_rows_database)
    first: dict[str, str] = {}
    for row in sorted(rows.real_rows(), key=lambda one: (one["startTime"], one["request_id"])):
        session_id = row["session_id"] or row["request_id"]
        first.setdefault(f"{session_id}:{row['api_key']}", row["request_id"])
    told = {request.request_id: request for _, request in stored_rows.every_row()}
    expected = {
        session_key: words
        for session_key, request_id in first.items()
        if (words := said_first(told[request_id]))
    }
    keys = [(one, one.rpartition(":")[0]) for one in first]
    assert first_lines(source, FILTERS, keys) == expected
    assert len(expected) > 40


def said_first(request) -> str:
    (turn,) = transcript([request]).turns
    for message in turn.new_messages:
        texts = [part.text for part in message.parts if part.kind == "text"]
        if message.role == "user" and texts:
            return " ".join(" ".join(texts).split())[:LONGEST]
    return ""


def test_text_that_is_no_json_is_nobodys_words():
    assert first_line(Prompt(None, '{"cut', None)) == ""


def test_a_passage_is_what_stands_around_the_words_that_are_sought(database):
    long = "a" * 400 + "\n The NEEDLE in it " + "b" * 400
    made = [
        chat(("user", "hay"), ("assistant", "a needle"), ("user", "Needle"), request_id="first"),
        chat(("user", long), request_id="long"),
        chat(("user", "hay"), request_id="answered", response={"choices": [{"text": "needles"}]}),
        chat(("user", "hay"), request_id="other"),
        chat(("user", "needle" + "x" * LONGEST_BODY), request_id="huge"),
    ]
    ids = [row_id(row) for row in made]
    found = snippets(source_of(database(rows=made)), ids, "needle")
    assert {row.request_id: words for row, words in found.items()} == {
        "first": "a needle",
        "long": "a" * 294 + " The NEEDLE in it " + "b" * 293,
        "answered": "needles",
    }
    assert set(found) <= set(ids)


def test_words_are_sought_as_they_stand_and_no_request_says_nothing(database, empty_database):
    source = source_of(database(rows=[chat(("user", "a (b)* [c] $5"), request_id="r")]))
    row = RowId("r", NOON)
    assert snippets(source, [row], "(B)* [") == {row: "a (b)* [c] $5"}
    assert snippets(source, [row], "a.") == {}
    assert snippets(source_of(empty_database), [], "a") == {}
    viewer = source.seen_by(Access(EVERYONE, "viewer"))
    assert snippets(viewer, [row], "a") == {}

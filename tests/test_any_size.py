"""A request of any size on a session's page: bounded at once, and reached whole by its sections."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from tests.database import Database
from tests.page_words import nodes, plain, turns, words
from tests.rows import KEY, NOON, spend_log
from tests.sources import source_of
from tests.stored_rows import every_row, made, shape, shape_names
from tracelib import export
from tracelib.conversation import TurnPage, transcript
from tracelib.conversation.sections import MOST_ELEMENTS, section_at
from tracelib.conversation.threading.history import History, read_turn
from tracelib.conversation.transcript import turn_of
from tracelib.redaction import NONE
from tracelib.selection import session

PAGE = "pages/Sessions.py"


def messages(count: int) -> list[dict]:
    """An agent's history: a question, a response with a call, its result, a response."""
    found = [{"role": "system", "content": "Be careful."}]
    for at in range(1, count):
        function = {"name": "read_file", "arguments": json.dumps({"line": at})}
        call = {"id": f"call-{at}", "type": "function", "function": function}
        kinds = [
            {"role": "assistant", "content": f"message {at}"},
            {"role": "user", "content": f"message {at}"},
            {"role": "assistant", "content": f"message {at}", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"call-{at - 1}", "content": f"message {at}"},
        ]
        found.append(kinds[at % 4])
    return found


def calls(count: int) -> list[dict]:
    return [
        {"id": f"c{at}", "type": "function", "function": {"name": f"t{at}", "arguments": "{}"}}
        for at in range(count)
    ]


def user(content: object) -> dict:
    return {"role": "user", "content": content}


def shapes(count: int) -> dict[str, tuple[list[dict], dict]]:
    """Requests that are long in one way each: their messages and their response."""
    reply = {"role": "assistant", "content": "The end."}
    text = {"type": "text", "text": "a part"}
    calling = {"role": "assistant", "content": None, "tool_calls": calls(count)}
    results = [{"role": "tool", "tool_call_id": f"c{at}", "content": "r"} for at in range(count)]
    images = [{"type": "image_url", "image_url": {"url": f"https://a.b/{at}"}} for at in range(99)]
    many = {"role": "tool", "tool_call_id": "c0", "content": [text, *images]}
    deep = {"role": "tool", "tool_call_id": "c0", "content": "[" * 10_000 + "]" * 10_000}
    return {
        "messages": (messages(count), reply),
        "parts": ([user([{**text, "text": f"part {at}"} for at in range(count)])], reply),
        "calls": ([user("Do it.")], {**calling, "content": "I call them."}),
        "results": ([user("Do it."), calling, *results], reply),
        "images": ([user("Do it."), {**calling, "tool_calls": calls(1)}, many], reply),
        "long texts": ([user(f"{at} {'words ' * 20_000}") for at in range(count // 50)], reply),
        "one text": ([user("A line of words.\n" * 100_000)], reply),
        "deep": ([user("Do it."), {**calling, "tool_calls": calls(1)}, deep], reply),
        "empty": ([user("")], {"role": "assistant", "content": ""}),
    }


SHAPES = shapes(1_000)


def page_of(asked: list[dict], answered: dict) -> TurnPage:
    whole = transcript([made({"messages": asked}, {"choices": [{"message": answered}]})])
    return TurnPage(whole.turns, whole.notes, len(whole.turns), 1, is_compared=True)


def drawn(page: TurnPage) -> Counter[int]:
    """How often is each part in a section, by its identity?"""
    return Counter(
        id(part)
        for section in page.sections
        for turn in section.turns
        for message in turn.messages
        for piece in message.pieces
        for part in (piece.part, *piece.results)
    )


@pytest.mark.parametrize("name", SHAPES)
def test_each_part_of_a_request_is_in_one_section(name):
    page = page_of(*SHAPES[name])
    (turn,) = page.turns
    parts = [p for message in (*turn.new_messages, *turn.responses) for p in message.parts]
    assert drawn(page) == Counter(map(id, parts))
    excerpts = [turn for section in page.sections for turn in section.turns]
    assert [one.begins for one in excerpts] == [at == 0 for at in range(len(excerpts))]
    assert [one.ends for one in excerpts][::-1] == [at == 0 for at in range(len(excerpts))]


def test_each_of_twenty_thousand_messages_is_in_the_section_that_a_link_to_it_opens():
    page = page_of(*shapes(20_000)["messages"])
    shown = [
        (message.number, at)
        for at, section in enumerate(page.sections)
        for message in section.turns[0].messages
    ]
    # Results are next to their calls, except those of the system's and the last message.
    results = range(4, 20_001, 4)
    assert [number for number, _ in shown] == [n for n in range(1, 20_002) if n not in results]
    assert all(section_at(page.sections, (1, number, 1)) == at for number, at in shown)
    assert section_at(page.sections, (1, 30_000, 1)) == len(page.sections) - 1
    assert page.sections[0].extent.startswith("Request 1: messages 1 to ")
    last = "to 19,999 of 20,000, the response"
    assert page.sections[-1].extent.endswith(last)


def test_short_requests_are_not_divided():
    rows = [
        made({"messages": [user(f"{at}")]}, {"choices": [{"message": {"content": "yes"}}]}, at=at)
        for at in range(200)
    ]
    whole = transcript(rows)
    page = TurnPage(whole.turns, (), 200, 1, is_compared=True)
    numbers = [[one.turn.number for one in section.turns] for section in page.sections]
    assert [number for some in numbers for number in some] == list(range(1, 201))
    assert all(one.begins and one.ends for section in page.sections for one in section.turns)
    assert len(numbers) == 3


def test_the_only_request_of_a_conversation_is_read_as_in_an_empty_history():
    requests = [request for _, request in every_row()]
    requests += [request for name in shape_names() for request in shape(name)]
    calling = {"role": "assistant", "content": None, "tool_calls": calls(1)}
    hollow = [user("Do it."), {"role": "assistant", "content": ""}, calling]
    requests += [made({"messages": some}) for some in (hollow, hollow[:2], hollow[1:], [])]
    for one in map(read_turn, requests):
        compared, alone = History(), History()
        # It repeats nothing; `add` counts texts that are part of no item.
        expected = replace(turn_of(compared, compared.add(one), one), repeated_share=0.0)
        assert turn_of(alone, alone.add_only(one), one) == expected


def stored(name: str, asked: list[dict], answered: dict) -> dict:
    body, response = {"messages": asked}, {"choices": [{"message": answered}]}
    facts = {"session_id": name, "request_id": name, "startTime": NOON}
    return spend_log(**facts, proxy_server_request=body, response=response)


@pytest.fixture(scope="module")
def log(server):
    shared = Database(server)
    shared.insert(stored(name, *shape) for name, shape in SHAPES.items())
    yield shared
    shared.drop()


def opened(open_page, log, name: str, **query):
    app = open_page(PAGE, log.url, session=name, zone="UTC", **query)
    assert not app.exception
    return app


def test_a_page_draws_some_hundreds_of_elements_whatever_a_request_holds(open_page, log):
    sizes = {}
    for name in SHAPES:
        (turn,) = turns(opened(open_page, log, name)).values()
        sizes[name] = sum(1 for _ in nodes(turn))
    assert max(sizes.values()) <= MOST_ELEMENTS, sizes


def test_a_long_request_opens_at_its_newest_messages_and_is_read_by_sections(open_page, log):
    app = opened(open_page, log, "messages")
    shown = words(app)
    assert "The end." in shown
    assert "message 998" in shown
    assert "message 500" not in shown
    above, below = (one for one in app.pagination if one.key.startswith("sections "))
    assert (above.value, above.value) == (below.value, below.num_pages)
    app = below.set_value(1).run()
    assert app.query_params["message"] in ("1", ["1"])
    assert "Be careful." in words(app)
    assert "The end." not in words(app)


@pytest.mark.parametrize("number", [1, 502])
def test_a_link_to_a_message_opens_the_section_that_holds_it(open_page, log, number):
    row = f"messages@{NOON:%Y-%m-%dT%H:%M:%S}.000Z"
    app = opened(open_page, log, "messages", request=row, message=str(number))
    said = "Be careful." if number == 1 else f"message {number - 1}"
    assert said in {plain(one.value) for one in (*app.text, *app.code)}


def test_a_search_leads_to_the_message(open_page, log):
    app = opened(open_page, log, "messages", said="message 501")
    assert "message 501" in {one.value for one in app.text}
    (jump,) = [one for one in app.button if (one.key or "").startswith("match ")]
    assert jump.label == "1, message 502"


def test_an_export_holds_all_messages(log):
    document = export.session_document(source_of(log), session("messages", KEY), NONE, NOON)
    (turn,) = document.transcript.turns
    assert len(turn.new_messages) == 1_000

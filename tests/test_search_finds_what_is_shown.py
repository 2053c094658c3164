"""A search for words finds what a page shows of a request, of every shape, and nothing else."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import stored_rows, test_conversation_blocks, test_conversation_streams
from tests.database import Database
from tests.rows import spend_log
from tests.sources import FILTERS, source_of
from tracelib import sessions
from tracelib.conversation.shown_text import Bodies, anchors, called_tools, shown_texts, shows
from tracelib.sessions import SessionSearch, document_search
from tracelib.source import Postgres

LONGEST_SOUGHT = 60

ANSWERS = {
    **{name: one[0] for name, one in test_conversation_blocks.OPENAI.items()},
    **{name: one[0] for name, one in test_conversation_blocks.GOOGLE.items()},
    **{name: one[0] for name, one in test_conversation_blocks.AGENTS.items()},
    **{name: one[0] for name, one in test_conversation_blocks.MCP.items()},
    **{name: one[0] for name, one in test_conversation_streams.STREAMS.items()},
}


@dataclass(frozen=True)
class Filled:
    """A database whose sessions are a row each, and by session id what was put into the row."""

    source: Postgres
    bodies: dict[str, Bodies]


def _rows() -> Iterator[dict]:
    for case in stored_rows.shape_names():
        for number, row in enumerate(stored_rows.shape(case), start=1):
            yield {
                "session_id": f"{case} {number}",
                "call_type": row.call_type,
                "proxy_server_request": row.request_body or {},
                "response": row.response_body or {},
                "messages": row.messages_body or {},
            }
    for name, answer in ANSWERS.items():
        yield {"session_id": name, "call_type": "pass_through_endpoint", "response": answer}


@pytest.fixture(scope="module")
def filled(server) -> Iterator[Filled]:
    made = Database(server)
    rows = list(_rows())
    made.insert([spend_log(**row) for row in rows])
    columns = "session_id, call_type, proxy_server_request::text, messages::text, response::text"
    stored = made.execute(f'SELECT {columns} FROM "LiteLLM_SpendLogs"')
    yield Filled(source_of(made), {session_id: Bodies(*row) for session_id, *row in stored})
    made.drop()


def found(source: Postgres, **search: object) -> set[str]:
    scan = sessions.scan(source, FILTERS, SessionSearch(**search), for_seconds=60)
    assert scan.is_finished
    return {session_id for _, session_id in scan.keys}


def sought_in(text: str) -> str:
    """The longest line of a text, as much of it as somebody would search for."""
    lines = (line.strip() for line in text.replace("\x00", "\n").splitlines())
    return max(lines, key=len, default="")[:LONGEST_SOUGHT].strip()


def test_all_that_is_shown_is_found(filled):
    shown: dict[str, set[str]] = {}
    for session_id, bodies in filled.bodies.items():
        for text in shown_texts(bodies):
            if phrase := SessionSearch(said=sought_in(text)).said:
                shown.setdefault(phrase, set()).add(session_id)
    missed = {
        phrase: ids - hits
        for phrase, ids in shown.items()
        if not ids <= (hits := found(filled.source, said=phrase))
    }
    assert missed == {}
    assert len(shown) > 250


@pytest.mark.parametrize(
    "text",
    [
        *("WSDELTA", "Eo8DCioIARgBIiQ3YT", "gAAAAABo", "EroHCkYIBxgCKkBBBB", "c2lnbmF0dXJl"),
        *("iVBORw0KGgo", "QkFTRTY0QkFT", "SUQzBAAAAAAA", "srvtoolu_01", "tooluse_1", "call_big"),
        *(
            "response.completed",
            "chat.completion",
            "stop_reason",
            "encrypted_content",
            "agent-client",
        ),
        *(
            "edec1909-3bd5",
            "usage",
            "total_tokens",
            "msg_h2857d289701",
            "resp_bg0",
            "supported_text",
        ),
    ],
)
def test_what_is_stored_and_not_shown_is_not_found(filled, text):
    assert found(filled.source, said=text) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SSEONE SSETWO", {"sse-string 1"}),  # in two pieces of a stream
        ("WSARG.TXT", {"ws-turn 1"}),  # in JSON that is a text within JSON
        ("wsask list", {"ws-turn 1"}),  # in a text that holds the request
        ("BCARG", {"bedrock-converse 1"}),  # in a pass-through
        ("Rlans1", {"realtime-audio 1"}),
        ("INTTHINK", {"interactions 1"}),
        ("the model overheated", {"resp-failed 1"}),  # how an answer ended
        ("Stopped by a content filter (content_filter)", {"content-filter 1"}),
        ("Summary: the user fixed", {"42-compaction-anthropic 2", "42-compaction-anthropic 3"}),
        ("0.10000000000000000555", {"24-numbers 1", "24-numbers 2"}),
        ("image/png, 9.3 kB", {"ocr 1", "mcp-image 1", "image-gen-call 1", "computer-output 1"}),
        ("news.example.org/match", {"19-citations-chat 1"}),
        ("שלום 3.5", {"36-signs 1"}),
        ("Handbook", {"20-documents 1"}),
        ("is there nothing like it", set()),
    ],
)
def test_a_text_is_found_in_the_shape_it_was_said_in(filled, text, expected):
    assert found(filled.source, said=text) == expected


def test_hosted_tools_are_calls_too(filled):
    for name, session_id in {
        "web_search": "05-websearch 1",
        "shell_call": "08-shell 1",
        "image_generation_call": "11-imagegen 1",
        "BCTOOL": "bedrock-converse 1",
        "lookup": "07-mcplist 2",
        "hangup": "realtime-audio 1",
        "code_execution": "code that Gemini ran, and its searches",
        "code_interpreter_call": "a code interpreter that printed and drew",
        "look": "Bedrock: its own events",
    }.items():
        assert session_id in found(filled.source, tool=name), name
    assert found(filled.source, tool="loo") == set()


def test_whatever_calls_a_tool_is_found_and_nothing_else(filled):
    calling = {session_id for session_id, bodies in filled.bodies.items() if called_tools(bodies)}
    mcp = {session_id for session_id, one in filled.bodies.items() if one[0] == "call_mcp_tool"}
    assert found(filled.source, has_tool_calls=True) == calling | mcp
    assert 30 < len(calling) < 70
    assert "content-filter 1" not in calling


def test_conditions_may_be_met_by_several_requests_of_a_session(database):
    calls = [{"id": "c", "function": {"name": "look", "arguments": "{}"}}]
    said = {"choices": [{"message": {"content": "needle"}}]}
    made = [
        spend_log(session_id="both", response=said),
        spend_log(session_id="both", response={"choices": [{"message": {"tool_calls": calls}}]}),
        spend_log(session_id="one", response=said),
    ]
    source = source_of(database(rows=made))
    assert found(source, said="needle", tool="look", has_tool_calls=True) == {"both"}


def test_many_doubtful_requests_are_read_in_several_walks(database, monkeypatch):
    """A word that stands in every request, and is shown of a few."""
    monkeypatch.setattr(document_search, "SECONDS_A_WALK", 0.0)
    made = [
        spend_log(
            session_id=f"s{number % 10}",
            proxy_server_request={"messages": [{"role": "user", "content": "hi", "id": "needle"}]},
            response={"choices": [{"text": "needle"}]} if number == 40 else {},
        )
        for number in range(60)
    ]
    source = source_of(database(rows=made))
    scan = sessions.scan(source, FILTERS, SessionSearch(said="needle"), for_seconds=60)
    assert (scan.requests_read, scan.is_finished) == (60, True)
    assert [session_id for _, session_id in scan.keys] == ["s0"]


def test_anchors_are_words_that_a_document_has_to_have():
    assert anchors("") == ()
    assert anchors('"Invoice" 4711-2026') == ("invoice", "2026")
    assert anchors("invoice no. 4711 of 470000017") == ("470000017", "invoice")
    assert anchors("the image of the document") == ()  # words of the page's own sentences
    assert anchors("100 %") == ("100",)
    assert anchors("12.4 kB") == ()
    assert anchors("Überweisung nach Zürich") == ("überweisung", "zürich")


def test_a_text_is_said_as_json_spells_it_too():
    call = {"id": "c", "function": {"name": "f", "arguments": '{"say": "a \\"b\\" \\u00fc"}'}}
    answer = {"choices": [{"message": {"tool_calls": [call]}}]}
    bodies = Bodies("acompletion", "{}", "{}", json.dumps(answer))
    assert [shows(bodies, text) for text in ('"b" Ü', "say", "c", "\\u00fc")] == [
        *(True, True),
        *(False, False),
    ]

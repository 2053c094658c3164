"""A session as it is handed on: whole, told once, masked, inert, and held against its rows."""

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.rows import (
    KEY,
    NOON,
    failure,
    name_key,
    name_team,
    name_user,
    real_rows,
    row_id,
    spend_log,
)
from tests.sources import source_of
from tracelib import errors, export
from tracelib.conversation import Message, Part, transcript
from tracelib.conversation.session_rows import stored_requests
from tracelib.redaction import ALL, KINDS, NONE, OwnPattern, Redaction
from tracelib.selection import Selection, session

ROOT = Path(__file__).parent.parent
SECOND = timedelta(seconds=1)
EXPORTED = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
ASKED = {"role": "user", "content": "What is the weather where ada@example.org lives?"}
CALL = {"id": "call_1", "function": {"name": "weather", "arguments": '{"city": "Bern"}'}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "4 degrees"}


def answer(message: dict) -> dict:
    return {"object": "chat.completion", "choices": [{"message": message}]}


def conversation() -> list[dict]:
    """Two requests: a question that calls a tool, and its result, on which the model fails."""
    first = spend_log(
        session_id="s",
        request_id="r1",
        end_user="ada@example.org",
        request_tags=["team: ada@example.org", "User-Agent: x"],
        proxy_server_request={"messages": [ASKED], "temperature": 0.5},
        response=answer(CALLING),
    )
    second = failure(
        session_id="s",
        request_id="r2",
        startTime=NOON + 2 * SECOND,
        error_message="Key sk-proj-aB3dE5fG7hI9jK1l is over its limit",
        proxy_server_request={"messages": [ASKED, CALLING, RESULT]},
    )
    return [first, second]


def document_of(database, rows, redaction=ALL, **limits):
    source = source_of(database(rows=rows))
    return export.session_document(source, session("s", KEY), redaction, EXPORTED, **limits)


def part(kind: str, text: str, **changes: object) -> dict:
    plain = {"name": None, "call_id": None, "is_json": False, "size_bytes": None}
    rest = {"truncated_chars": 0, "is_redacted": False, "is_error": False}
    return {"kind": kind, "text": text, **plain, **rest, **changes}


def message(role: str, *parts: dict) -> dict:
    return {"role": role, "name": None, "ending": None, "choice": None, "parts": [*parts]}


def request(request_id: str, start: str, end: str, **changes: object) -> dict:
    return {
        "request_id": request_id,
        "call_type": "acompletion",
        "started_at": start,
        "ended_at": end,
        "model": "gpt-4o",
        "deployment": "openai/gpt-4o",
        "provider": "openai",
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "cached_prompt_tokens": None,
        "spend_usd": 0.25,
        "latency_ms": 1000.0,
        "ttft_ms": None,
        "is_cache_hit": False,
        "is_failure": False,
        "error_class": None,
        "error_code": None,
        "error_message": None,
        "asked_model": None,
        "attempted_retries": 0,
        "attempted_fallbacks": 0,
    } | changes


def test_masked_arguments_and_results_of_tools_stay_json(database):
    arguments = (
        '{"card": 4111111111111111, "phone": 12025550123, "mail": "ada@example.org", "n": 1}'
    )
    call = {"id": "call_1", "function": {"name": "book", "arguments": arguments}}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    nested = json.dumps({"booked": json.dumps([4111111111111111, {"ssn": "123-45-6789"}])})
    result = {"role": "tool", "tool_call_id": "call_1", "content": nested}
    body = {"messages": [{"role": "user", "content": "Book it."}, calling, result]}
    document = document_of(database, [spend_log(session_id="s", proxy_server_request=body)])
    asked = json.loads("".join(export.as_json(document)))["turns"][0]["asked"]
    _, called, resulted = (json_of(message["parts"][0]) for message in asked)
    assert called == {"card": "[card]", "phone": "[phone]", "mail": "[e-mail]", "n": 1}
    assert json.loads(resulted["booked"]) == ["[card]", {"ssn": "[ssn]"}]
    assert document.masked == {"card": 2, "e-mail": 1, "phone": 1, "ssn": 1}


def json_of(part: dict) -> object:
    return json.loads(part["text"]) if part["kind"] != "text" else None


def test_the_json_of_a_session_is_all_of_it(database):
    document = document_of(database, conversation())
    failed = {
        "completion_tokens": 0,
        "total_tokens": 10,
        "spend_usd": 0.0,
        "is_failure": True,
        "error_class": "RateLimitError",
        "error_code": "429",
        "error_message": "Key [key] is over its limit",
    }
    call = part(
        "tool_call", '{\n  "city": "Bern"\n}', name="weather", call_id="call_1", is_json=True
    )
    result = part("tool_result", "4 degrees", name="weather", call_id="call_1")
    question = part("text", "What is the weather where [e-mail] lives?")
    assert json.loads("".join(export.as_json(document))) == {
        "format": 1,
        "exported_at": "2026-11-24T08:30:00.000Z",
        "is_complete": True,
        "redaction": {
            "masks": ["e-mail", "key", "card", "phone", "iban", "ssn"],
            "masked": {"e-mail": 3, "key": 1},
        },
        "figures": {
            "session_id": "s",
            "user": "user-1",
            "user_name": "user-1",
            "team": "team-1",
            "team_name": "team-1",
            "key_name": document.figures.key_name,
            "agent": None,
            "end_user": "[e-mail]",
            "tags": ["team: [e-mail]"],
            "models": ["gpt-4o"],
            "providers": ["openai"],
            "started_at": "2026-11-23T12:00:00.000Z",
            "ended_at": "2026-11-23T12:00:03.000Z",
            "duration_ms": 3000.0,
            "model_ms": 2000.0,
            "requests": 2,
            "failures": 1,
            "cache_hits": 0,
            "cost_usd": 0.25,
            "prompt_tokens": 20,
            "completion_tokens": 5,
            "total_tokens": 25,
            "replayed_tokens": 0,
            "response_ms_avg": 1000.0,
            "response_ms_p95": 1000.0,
            "ttft_ms_p50": None,
        },
        "notes": [],
        "turns": [
            {
                "number": 1,
                "parent_id": None,
                "parent_number": None,
                "branches": False,
                "thread": 0,
                "request": request("r1", "2026-11-23T12:00:00.000Z", "2026-11-23T12:00:01.000Z"),
                "other_rows": [],
                "settings": {"temperature": "0.5", "tools called": "weather"},
                "repeated": 0,
                "changes": [],
                "asked": [message("user", question)],
                "answered": [message("assistant", call)],
                "notes": [],
            },
            {
                "number": 2,
                "parent_id": "r1",
                "parent_number": 1,
                "branches": False,
                "thread": 0,
                "request": request(
                    "r2", "2026-11-23T12:00:02.000Z", "2026-11-23T12:00:03.000Z", **failed
                ),
                "other_rows": [],
                "settings": {},
                "repeated": 2,
                "changes": [],
                "asked": [message("tool", result)],
                "answered": [],
                "notes": [],
            },
        ],
        "rows": {
            "request_ids": ["r1", "r2"],
            "started_at": ["2026-11-23T12:00:00.000Z", "2026-11-23T12:00:02.000Z"],
            "sha256": document.sha256,
        },
    }


def test_unmasked_it_says_what_was_said(database):
    document = document_of(database, conversation(), NONE)
    assert document.masked == {}
    assert document.figures.end_user == "ada@example.org"
    assert document.transcript.turns[0].new_messages[0].parts[0].text == ASKED["content"]
    assert "ada@example.org" in "".join(export.as_json(document))
    assert "Nothing was masked." in html_of(document)


def test_the_transcript_is_the_one_that_the_page_reads(real_rows_database):
    """Every true session of several requests, told as the transcript tells its rows."""
    source = source_of(real_rows_database)
    sessions = {(row["session_id"] or row["request_id"], row["api_key"]) for row in real_rows()}
    told = 0
    for session_id, api_key in sorted(sessions):
        selection = session(session_id, api_key)
        rows = stored_requests(source, selection)
        document = export.session_document(source, selection, NONE, EXPORTED)
        assert document.transcript == export.redacted(transcript(rows), NONE)[0]
        assert document.request_ids == tuple(row.request_id for row in rows)
        assert document.sha256 == export.rows_sha256(rows)
        told += len(rows) > 1
    assert told > 5


def test_the_hash_is_what_the_document_on_exports_computes(real_rows_database):
    written: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/exports.md").read_text(), re.DOTALL)
    for block in blocks:
        exec(compile(block, "exports.md", "exec"), written)
    source = source_of(real_rows_database)
    for row in real_rows():
        selection = Selection(row["api_key"], rows=(row_id(row),))
        document = export.session_document(source, selection, ALL, EXPORTED)
        rows = json.loads("".join(export.as_json(document)))["rows"]
        computed = written["sha256_of_rows"](
            real_rows_database.url, rows["request_ids"], rows["started_at"]
        )
        assert document.sha256 == computed


def test_the_hash_changes_with_any_row_and_with_their_order(database):
    source = source_of(database(rows=conversation()))
    one, two = stored_requests(source, session("s", KEY))
    other = json.loads(json.dumps(conversation()[1], default=str)) | {"spend": 0.01}
    changed = stored_requests(
        source_of(database(rows=[conversation()[0], other])), session("s", KEY)
    )
    hashes = {
        export.rows_sha256(rows) for rows in ([], [one], [two], [one, two], [two, one], changed)
    }
    assert len(hashes) == 6


def test_a_body_too_deep_for_json_is_still_added_up(database):
    deep = '{"a":' * 2_000 + "1" + "}" * 2_000
    rows = [spend_log(session_id="s", proxy_server_request=deep)]
    (stored,) = stored_requests(source_of(database(rows=rows)), session("s", KEY))
    assert len(export.rows_sha256([stored])) == 64


def test_what_does_not_fit_is_left_out_and_the_file_says_so(database):
    document = document_of(database, conversation(), most_requests=1)
    assert (document.request_ids, document.is_complete) == (("r1",), False)
    assert document.figures.requests == 2
    assert "the first 1 of 2 requests" in html_of(document)
    assert json.loads("".join(export.as_json(document)))["is_complete"] is False
    rows = [
        spend_log(session_id="s", request_id=f"r{n:02}", startTime=NOON + n * SECOND)
        for n in range(12)
    ]
    few = document_of(database, rows, most_characters=1)
    assert len(few.request_ids) == 10


def test_a_transcript_too_long_ends_before_it_is(database, monkeypatch):
    monkeypatch.setattr("tracelib.export.document.MOST_WORDS", 60)
    assert document_of(database, conversation()).request_ids == ("r1",)


def test_of_no_rows_there_is_nothing_to_hand_on(empty_database):
    with pytest.raises(errors.NoSuchSession):
        export.session_document(source_of(empty_database), session("s", KEY), ALL, EXPORTED)


def test_nothing_of_a_conversation_but_ids_goes_unmasked():
    """Every text of a turn is a secret here; what is left shows what is not masked."""
    secret = "ada@example.org"
    said = Message(secret, (Part("text", secret, secret, secret),), secret)
    masked, counts = export.redacted(said, ALL)
    assert masked == Message(
        "[e-mail]", (Part("text", "[e-mail]", "[e-mail]", secret),), "[e-mail]"
    )
    assert counts == {"e-mail": 4}
    assert export.redacted(said, NONE) == (said, {})


def test_bodies_as_they_were_stored_are_left_out_always(database):
    for redaction in (ALL, NONE):
        for turn in document_of(database, conversation(), redaction).transcript.turns:
            request = turn.request
            bodies = (request.request_body, request.response_body, request.messages_body)
            assert bodies == (None, None, None)


def test_own_patterns_are_masked_and_named_in_the_file(database):
    own = Redaction(frozenset(KINDS), (OwnPattern("city", "Bern"),))
    document = document_of(database, conversation(), own)
    assert document.masked == {"city": 1, "e-mail": 3, "key": 1}
    page = html_of(document)
    assert "Masked: e-mail, key, card, phone, iban, ssn, city." in page
    assert "Found: 1 × city, 3 × e-mail, 1 × key." in page
    assert "Bern" not in page


CANARY = "http://canary.invalid"
HOSTILE = (
    f"</pre></bdi></title></style><script>fetch('{CANARY}/x')</script><img src='{CANARY}/i.png' "
    f"onerror=\"fetch('{CANARY}')\"> <style>@import '{CANARY}/css';</style> <iframe src={CANARY}>"
    "{{ 7 * 7 }} {% raw %} &lt;b&gt; \u202ereversed <!-- ]]> <base href=x> \" ' `"
)


def hostile_rows() -> list[dict]:
    """A session in which everything that anybody can choose is an attack."""
    name = HOSTILE[:200]
    block = {"type": "image_url", "image_url": {"url": f"{CANARY}/{HOSTILE}"}}
    call = {"id": HOSTILE, "function": {"name": HOSTILE, "arguments": HOSTILE}}
    messages = [
        {"role": "system", "content": HOSTILE},
        {"role": HOSTILE, "content": HOSTILE, "name": HOSTILE},
        {"role": "user", "content": [{"type": "text", "text": HOSTILE}, block, {HOSTILE: HOSTILE}]},
        {"role": "assistant", "content": HOSTILE, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": HOSTILE, "content": HOSTILE},
    ]
    said = {"messages": messages, "model": HOSTILE, "stop": HOSTILE}
    thought = {"role": "assistant", "content": HOSTILE, "reasoning_content": HOSTILE}
    chosen = {
        "session_id": HOSTILE,
        "model": name,
        "model_group": name,
        "custom_llm_provider": name,
        "end_user": name,
        "agent_id": name,
        "user": "hostile-user",
        "team_id": "hostile-team",
        "api_key": "hostile-key",
        "request_tags": [HOSTILE],
    }
    return [
        spend_log(
            **chosen, request_id=HOSTILE, proxy_server_request=said, response=answer(thought)
        ),
        failure(HOSTILE, HOSTILE, HOSTILE, **chosen, startTime=NOON + SECOND),
    ]


def hostile_database(database):
    log = database(rows=hostile_rows())
    name_key(log.engine, "hostile-key", HOSTILE)
    name_team(log.engine, "hostile-team", HOSTILE)
    name_user(log.engine, "hostile-user", alias=HOSTILE)
    return log


def html_of(document) -> str:
    return "".join(export.as_html(document))


class Seen(HTMLParser):
    """Which elements and attributes a browser would find, and which text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag, attributes):
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data):
        self.text += f"{data} "


def test_hostile_content_is_text_and_nothing_else(database):
    source = source_of(hostile_database(database))
    selection = session(HOSTILE, "hostile-key")
    document = export.session_document(source, selection, ALL, EXPORTED)
    seen = Seen()
    seen.feed(html_of(document))
    assert seen.elements == {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "article"),
        *("section", "h1", "h2", "p", "dl", "div", "dt", "dd", "code", "pre", "bdi", "strong"),
        *("ol", "li"),
    }
    assert seen.attributes == {
        *("lang", "charset", "http-equiv", "content", "name", "class", "dir", "id"),
    }
    assert seen.text.count("reversed") > 15
    assert "{{ 7 * 7 }}" in seen.text


def test_the_file_forbids_itself_to_load_anything(database):
    page = html_of(document_of(database, conversation()))
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert f'http-equiv="Content-Security-Policy" content="{policy}"' in page
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert re.findall(r"(?: src=|href|url\(|@import)", page) == []


def test_the_html_reads_from_figures_to_rows(database):
    page = html_of(document_of(database, conversation()))
    seen = Seen()
    seen.feed(page.split("</style>")[1])
    words = " ".join(seen.text.split())
    assert words.startswith("Session s Cost $0.25 Requests 2 Failures 1 Tokens 25 Duration 3.0 s")
    assert (
        "Conversation User · 23 Nov 2026 12:00:00 What is the weather where [e-mail] lives? "
        'Assistant · 23 Nov 2026 12:00:01 Calls weather { "city": "Bern" } '
        "Request 1: gpt-4o, 10 → 5 tokens, $0.25, 1.0 s "
        "Tool · 23 Nov 2026 12:00:02 Result of weather 4 degrees "
        "Request 2: gpt-4o, 10 → 0 tokens, $0, 1.0 s "
        "Failed RateLimitError, 429 Key [key] is over its limit "
        "Source rows Written 24 Nov 2026 08:30:00 from 2 rows of LiteLLM’s log."
    ) in words
    assert words.endswith("r1@2026-11-23T12:00:00.000Z r2@2026-11-23T12:00:02.000Z")


def test_branches_and_threads_are_marked(database):
    first, second, third = (
        spend_log(
            session_id="s",
            request_id=f"r{n}",
            startTime=NOON + n * SECOND,
            proxy_server_request={"messages": messages},
            response=answer({"role": "assistant", "content": f"answer {n}"}),
        )
        for n, messages in enumerate(
            (
                [{"role": "user", "content": "one"}],
                [{"role": "user", "content": "another"}],
                [
                    {"role": "user", "content": "one"},
                    {"role": "assistant", "content": "answer 0"},
                    {"role": "user", "content": "more"},
                ],
            )
        )
    )
    page = html_of(document_of(database, [first, second, third]))
    assert re.findall(r"↳ (.*?)</p>", page) == [
        "Starts a new thread",
        "Continues request 1, 2 messages from above not repeated",
    ]


def test_times_are_of_the_zone_that_is_asked_for(database):
    page = "".join(export.as_html(document_of(database, conversation()), "Europe/Paris"))
    assert "23 Nov 2026 13:00:00" in page
    assert "<dt>Times</dt><dd>Europe/Paris</dd>" in page

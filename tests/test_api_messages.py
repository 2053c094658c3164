"""What was said, for programs: each message once, in parts, masked, and noted before it is read."""

import json
import sys
from datetime import timedelta

import pytest

from tests.calling import calls, calls_of, token
from tests.database import Database
from tests.rows import KEY, NOON, failure, real_rows, spend_log
from tests.sources import source_of
from tracelib import sessions
from tracelib.api import session_list
from tracelib.api.openapi import BASE
from tracelib.redaction import KINDS, OwnPattern
from tracelib.selection import session

HOUR = {"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T13:00:00Z"}
SEARCH = f"{BASE}/sessions/search"
SAYS_JSON = {"Authorization": "Bearer secret-of-all", "Content-Type": "application/json"}
PRIVATE = "Write to ada@example.org about EMP-12345"


def said(*texts: str) -> dict:
    """A prompt whose messages say these, in turn a user's and an assistant's."""
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]}


def answer(text: str | None, **message: object) -> dict:
    return {"choices": [{"message": {"role": "assistant", "content": text, **message}}]}


def of(session_id: str) -> str:
    return f"{BASE}/sessions/{session_id}/messages"


def at(second: int) -> dict:
    return {"startTime": NOON + timedelta(seconds=second)}


def conversation(turns: int) -> list[dict]:
    """Requests that each send again what was said before."""
    texts = [f"text {number}" for number in range(2 * turns)]
    return [
        spend_log(
            session_id="s",
            request_id=f"r{number}",
            proxy_server_request=said(*texts[: 2 * number + 1]),
            response=answer(texts[2 * number + 1]),
            spend=0.5,
            **at(number),
        )
        for number in range(turns)
    ]


def test_a_message_has_every_key(database):
    call = {"id": "call-1", "function": {"name": "look_up", "arguments": '{"id": 7}'}}
    asked = {
        "messages": [
            {"role": "user", "content": "What is 7?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call-1", "content": "seven"},
        ]
    }
    first = spend_log(
        request_id="a",
        session_id="s",
        proxy_server_request=said("What is 7?"),
        response=answer(None, tool_calls=[call], reasoning_content="Let me look."),
    )
    second = spend_log(
        request_id="b",
        session_id="s",
        proxy_server_request=asked,
        response=answer("It is seven."),
        cache_hit="True",
        **at(5),
    )
    found = calls_of(database(rows=[first, second])).get(of("s"))
    assert {name: found[name] for name in found if name != "messages"} == {
        "session_id": "s",
        "requests": 2,
        "first": 1,
        "next_first": None,
        "is_compared": True,
        "redaction": list(KINDS),
        "notes": [],
    }
    nothing = {
        "name": None,
        "content": None,
        "reasoning": None,
        "tool_calls": [],
        "tool_call_id": None,
        "is_error": False,
        "citations": [],
        "ending": None,
        "choice": None,
        "started_at": "2026-11-23T12:00:00Z",
        "model": "gpt-4o",
        "status": "success",
        "error": None,
        **dict.fromkeys(("prompt_tokens", "completion_tokens", "cost_usd", "latency_ms")),
        "ttft_ms": None,
        "cache_hit": False,
        "changes": [],
        "notes": [],
    }
    figures = {"prompt_tokens": 10, "completion_tokens": 5, "cost_usd": 0.25, "latency_ms": 1000.0}
    arguments = found["messages"][1]["tool_calls"][0].pop("arguments")
    assert json.loads(arguments) == {"id": 7}
    hit = {"request_id": "b", "started_at": "2026-11-23T12:00:05Z", "cache_hit": True}
    assert found["messages"] == [
        nothing | {"role": "user", "content": "What is 7?", "request_id": "a"},
        nothing
        | figures
        | {
            "role": "assistant",
            "reasoning": "Let me look.",
            "tool_calls": [{"id": "call-1", "name": "look_up"}],
            "request_id": "a",
        },
        nothing | hit | {"role": "tool", "content": "seven", "tool_call_id": "call-1"},
        nothing | figures | hit | {"role": "assistant", "content": "It is seven."},
    ]


def test_a_failure_says_what_went_wrong_where_its_answer_would_be(database):
    made = failure(session_id="s", proxy_server_request=said("hi"), error_message="Too fast")
    asked, answered = calls_of(database(rows=[made])).get(of("s"))["messages"]
    assert (asked["status"], asked["error"], asked["cost_usd"]) == ("failure", None, None)
    assert (answered["role"], answered["content"], answered["error"]) == (
        "assistant",
        None,
        "Too fast",
    )
    assert answered["cost_usd"] == 0.0


def test_a_long_conversation_is_read_part_by_part(database):
    api = calls_of(database(rows=conversation(7)))
    parts, told, first = [], [], 1
    while first:
        part = api.get(of("s"), first=first, count=3)
        parts.append(len(part["messages"]))
        told += [one["content"] for one in part["messages"]]
        assert (part["requests"], part["first"], part["is_compared"]) == (7, first, True)
        first = part["next_first"]
    assert parts == [6, 6, 2]
    assert told == [f"text {number}" for number in range(14)]
    beyond = api.get(of("s"), first=8)
    assert (beyond["messages"], beyond["next_first"]) == ([], None)


@pytest.mark.parametrize("query", ["first=0", "count=0", "count=201", "redact=maybe", "page=1"])
def test_a_part_that_cannot_be_is_refused(query, empty_database):
    api = calls_of(empty_database)
    assert api.send("GET", f"{of('s')}?{query}").status_code == 422


def test_what_is_private_is_masked_unless_it_is_wanted(database):
    made = spend_log(session_id="s", proxy_server_request=said(PRIVATE), response=answer(PRIVATE))
    api = calls_of(database(rows=[made]), redact=(OwnPattern("employee", "EMP-[0-9]{5}"),))
    masked = api.get(of("s"))
    assert [one["content"] for one in masked["messages"]] == [
        "Write to [e-mail] about [employee]"
    ] * 2
    assert masked["redaction"] == [*KINDS, "employee"]
    whole = api.get(of("s"), redact="false")
    assert [one["content"] for one in whole["messages"]] == [PRIVATE] * 2
    assert whole["redaction"] == []


def test_every_true_session_reads_as_its_summary_counts(real_rows_database):
    """Every true row has exactly one message that carries its figures."""
    rows = real_rows()
    api = calls_of(real_rows_database)
    shared = {row["session_id"] for row in rows if row["session_id"]}
    for session_id in sorted(shared)[:12]:
        own = [row for row in rows if row["session_id"] == session_id]
        response = api.send("GET", of(session_id), params={"count": 200})
        if response.status_code == 409:
            keys = {one["key"] for one in response.json()["sessions"]}
            assert keys == {row["api_key"] for row in own}
            continue
        answers = [one for one in response.json()["messages"] if one["cost_usd"] is not None]
        assert sorted(one["request_id"] for one in answers) == sorted(
            row["request_id"] for row in own
        )


def test_no_such_session_says_where_to_look(empty_database):
    response = calls_of(empty_database).send("GET", of("nobody"))
    assert response.status_code == 404
    assert response.json()["detail"].startswith("No session has this ID.")


def test_a_session_of_nobody_s_key_is_read_by_an_empty_one(database):
    made = [spend_log(session_id="s", api_key=""), spend_log(session_id="s")]
    api = calls_of(database(rows=made))
    conflict = api.send("GET", of("s")).json()["sessions"]
    assert sorted((one["key"], one["api_key_alias"]) for one in conflict) == [
        ("", None),
        (KEY, f"{KEY[:8]}…"),
    ]
    assert api.get(f"{BASE}/sessions/s/summary", key="")["api_key_alias"] is None
    assert api.get(of("s"), key=KEY)["requests"] == 1
    assert api.send("GET", of("s"), params={"key": "none"}).status_code == 404


def test_a_search_for_words_reads_back_and_says_how_far(database):
    made = database(rows=[*conversation(3), spend_log(session_id="other", **at(60))])
    found = calls_of(made).post(SEARCH, **HOUR, text="TEXT 2")
    assert [one["session_id"] for one in found["sessions"]] == ["s"]
    assert found["next_cursor"] is None
    assert found["scanned"] == {
        "requests_read": 4,
        "reached": HOUR["start"],
        "is_finished": True,
    }
    source = source_of(made)
    assert found["sessions"][0]["cost_usd"] == sessions.summary(source, session("s", KEY)).cost_usd
    assert calls_of(made).post(SEARCH, **HOUR, text="unsaid")["sessions"] == []


def walked(api, **search: object) -> list[list[dict]]:
    """Every page of a search, as a program follows it to the end."""
    pages, cursor = [], None
    while True:
        page = api.post(SEARCH, **HOUR, **search, **({"cursor": cursor} if cursor else {}))
        pages.append(page["sessions"])
        assert page["scanned"]["is_finished"] is (page["next_cursor"] is None)
        if page["next_cursor"] is None:
            assert page["scanned"]["reached"] == HOUR["start"]
            return pages
        cursor = page["next_cursor"]
        assert len(pages) < 60


@pytest.fixture(scope="module")
def talkative(server):
    """Sessions that say a word in several requests, among others that do not; many at once."""
    log = Database(server)
    log.insert(
        [
            spend_log(
                session_id=f"s{number % 19}",
                spend=0.001 * (number * 7 % 19),
                proxy_server_request=said("word" if number % 19 % 3 else "else"),
                **at(number % 45),
            )
            for number in range(500)
        ]
    )
    yield log
    log.drop()


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 50])
@pytest.mark.parametrize(("sort", "seconds"), [("recent", 5.0), ("cost", 5.0), ("recent", 0.0)])
def test_a_walk_through_what_says_a_word_ends_and_tells_each_session_once(
    talkative, monkeypatch, limit, sort, seconds
):
    monkeypatch.setattr(session_list, "SCAN_S", seconds)
    monkeypatch.setattr(sys.modules["tracelib.api.routes"], "SEARCH_COST", 1)
    pages = walked(calls_of(talkative), text="WORD", limit=limit, sort=sort)
    told = [one["session_id"] for page in pages for one in page]
    expected = talkative.execute(
        'SELECT DISTINCT session_id FROM "LiteLLM_SpendLogs"'
        " WHERE proxy_server_request::text LIKE '%word%'"
    )
    assert sorted(told) == sorted(one for (one,) in expected)
    for page in pages:
        assert len(page) <= limit
        if sort == "cost":
            costs = [one["cost_usd"] for one in page]
            assert costs == sorted(costs, reverse=True)


def test_a_cursor_of_another_search_is_refused(talkative):
    api = calls_of(talkative)
    plain = api.post(SEARCH, **HOUR, limit=1)["next_cursor"]
    worded = api.post(SEARCH, **HOUR, limit=1, text="word")["next_cursor"]
    for cursor, search in ((plain, {"text": "word"}), (worded, {}), ("e30=", {"text": "word"})):
        refused = api.send("POST", SEARCH, json=HOUR | search | {"cursor": cursor})
        assert (refused.status_code, "cursor" in refused.json()["detail"]) == (422, True)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ('{"user_id": "ada", "user_id": "grace"}', "user_id"),
        ('{"limit": 1, "limit": 2}', "limit"),
        ('{"text": ""}', "text"),
    ],
)
def test_a_name_that_is_given_twice_or_says_nothing_is_refused(talkative, body, where):
    refused = calls_of(talkative).send("POST", SEARCH, content=body, headers=SAYS_JSON)
    assert refused.status_code == 422
    assert [one["where"] for one in refused.json()["complaints"]] == [where]


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_who_reads_is_noted_with_what_is_masked(database, tmp_path):
    log = tmp_path / "audit.jsonl"
    made = database(rows=conversation(1))
    api = calls_of(made, token("ci"), token("looker", role="viewer"), audit_log=str(log))
    api.get(of("s"))
    api.get(of("s"), redact="false", first=41, count=2)
    api.post(SEARCH, **HOUR, text="text")
    read, bare, searched = lines(log)
    assert (read["who"], read["role"], read["what"], read["from"]) == (
        "ci",
        "auditor",
        "opened",
        "api",
    )
    assert (read["session_ids"], read["api_key"]) == (["s"], KEY)
    assert (read["redaction"], bare["redaction"]) == (list(KINDS), [])
    assert [(one["page"], one["turns"]) for one in (read, bare)] == [(1, [1, 40]), (2, [41, 42])]
    assert (searched["what"], searched["sought"]) == ("searched", "text")
    # Figures are no words, and what is refused is not read.
    api.get(f"{BASE}/sessions/s/summary")
    api.post(SEARCH, **HOUR)
    api.send("GET", of("nobody"))
    assert api.by("looker").send("GET", of("s")).status_code == 403
    assert len(lines(log)) == 3


def test_what_cannot_be_noted_is_not_read(database, tmp_path):
    made = database(rows=conversation(1))
    api = calls_of(made, audit_log=str(tmp_path / "missing" / "audit.jsonl"))
    read = api.send("GET", of("s"))
    searched = api.send("POST", SEARCH, json={**HOUR, "text": "text"})
    for refused in (read, searched):
        assert refused.status_code == 503
        assert refused.json()["detail"].startswith("The audit record could not be written")
        assert "text" not in refused.text.replace("text/", "")
        assert str(tmp_path) not in refused.text


def test_bodies_that_nobody_granted_are_not_there(database, role):
    made = database(rows=conversation(1))
    columns = (
        'request_id, api_key, "startTime", "endTime", spend, prompt_tokens, completion_tokens,'
        " total_tokens, model, session_id, status"
    )
    url = role(made, "narrow", [f'SELECT ({columns}) ON "LiteLLM_SpendLogs"'])
    found = calls(url, [token("all")]).get(of("s"))
    assert [(one["role"], one["content"]) for one in found["messages"]] == [("assistant", None)]
    assert found["messages"][0]["cost_usd"] == 0.5

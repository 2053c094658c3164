"""What is tried against the API, and refused: by a problem, never by a fault."""

import asyncio
import json
import logging
import sys
from collections import Counter
from functools import partial
from threading import Event
from types import SimpleNamespace
from urllib.parse import quote

import httpx
import pytest
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.calling import Calls, calls, calls_of, place_of, token
from tests.rows import failure, spend_log
from tracelib import api as tracelib_api
from tracelib.api import guarded
from tracelib.api.caller import MOST_BYTES
from tracelib.api.guarded import A_MINUTE, LANE, MOST_WAITING, Gate, Guarded, Visit
from tracelib.api.openapi import BASE, ENDPOINTS
from tracelib.api.responses import Health

ROUTES = sys.modules["tracelib.api.routes"]
PATHS = [
    ("/metrics", "GET"),
    (f"{BASE}/openapi.json", "GET"),
    *((BASE + one.path.format(session_id="s"), one.method) for one in ENDPOINTS),
]
HOUR = {"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T13:00:00Z"}
SEARCH = f"{BASE}/sessions/search"
OVERVIEW = f"{BASE}/analytics/overview"
SQL = "x' OR '1'='1'; DROP TABLE \"LiteLLM_SpendLogs\"; --"


@pytest.fixture
def api(empty_database) -> Calls:
    return calls_of(empty_database)


def problem(response, status: int) -> dict:
    """The document of a refusal, which every refusal has."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert not [name for name in response.headers if name.startswith("access-control")]
    document = response.json()
    assert document["status"] == status
    assert document.keys() >= {"type", "title", "status", "detail"}
    return document


@pytest.mark.parametrize(("path", "method"), PATHS)
def test_without_a_known_token_nobody_is_let_in(path, method, api):
    for headers in (
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer secret-of-all2"},
        {"Authorization": "Bearer " + "x" * 5_000},
        {"Authorization": "Basic secret-of-all"},
        {"Authorization": "secret-of-all"},
        {"Authorization": b"Bearer \xff\xfe"},
    ):
        refused = api.send(method, path, headers=headers)
        assert problem(refused, 401)["title"] == "Unauthorized"
        assert refused.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("path", "method"), [*PATHS, ("/api", "GET"), ("/api/v1", "GET")])
def test_without_tokens_there_is_no_api(path, method, empty_database):
    off = calls(empty_database.url, [])
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}):
        problem(off.send(method, path, headers=headers), 404)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-User": "admin", "X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Authorization": "Bearer secret-of-all"},
        {"X-Original-URL": "/health", "X-Rewrite-URL": "/health"},
        {"X-HTTP-Method-Override": "GET", "Remote-User": "all", "X-Auth-Request-Email": "a@b"},
        {"Proxy-Authorization": "Bearer secret-of-all", "Cookie": "token=secret-of-all"},
        [("Authorization", "Bearer wrong"), ("Authorization", "Bearer secret-of-all")],
        [("Authorization", "Bearer secret-of-all"), ("Authorization", "Bearer secret-of-all")],
    ],
)
def test_no_other_header_says_who_somebody_is(headers, api):
    problem(api.send("GET", OVERVIEW, headers=headers), 401)
    problem(api.send("GET", OVERVIEW + "?token=secret-of-all", headers=headers), 401)


def test_sql_in_any_parameter_is_a_value_like_others(database):
    """In each it is sought, or refused for what it is: the log is as it was."""
    made = database(rows=[spend_log(session_id="s")])
    api = calls_of(made)
    for name in ("model", "provider", "user", "team", "key"):
        assert api.get(OVERVIEW, **HOUR, **{name: SQL})["requests"] == 0
    for name in ("days", "start", "end", "zone", SQL):
        problem(api.send("GET", OVERVIEW, params={name: SQL}), 422)
    for name in ("metric", "bucket"):
        problem(api.send("GET", f"{BASE}/analytics/timeseries", params={name: SQL}), 422)
    for name in ("user_id", "model", "text"):
        assert api.post(SEARCH, **HOUR, **{name: SQL})["sessions"] == []
    for name in ("min_cost", "max_cost", "start", "status", "sort", "limit", "cursor"):
        problem(api.send("POST", SEARCH, json={name: SQL}), 422)
    for path in ("summary", "messages"):
        problem(api.send("GET", f"{BASE}/sessions/{SQL}/{path}"), 404)
        problem(api.send("GET", f"{BASE}/sessions/s/{path}", params={"key": SQL}), 404)
    assert api.post(SEARCH, **HOUR)["sessions"][0]["session_id"] == "s"


@pytest.mark.parametrize(
    "session_id",
    [
        "%00",
        "a%00b",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "..;",
        "%5c..%5c",
        "%ff%fe",
        "%ed%a0%80",
        "%F0%9F%92%A9",
        "ü" * 300,
        "x" * 2_001,
        "x" * 20_000,
        "%252e%252e",
        "%0d%0aX-Injected:%201",
        "*",
        "{session_id}",
    ],
)
def test_a_strange_id_is_an_id_that_nobody_has(session_id, api):
    refused = api.send("GET", f"{BASE}/sessions/{session_id}/messages")
    assert "x-injected" not in refused.headers
    problem(refused, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v2/failures",
        f"{BASE}/failures/",
        f"{BASE}//failures",
        f"{BASE}/FAILURES",
        f"{BASE}/sessions//summary",
        f"{BASE}/sessions/s/nothing",
        f"{BASE}/..%2f..%2fhealth",
        f"{BASE}/%00",
    ],
)
def test_other_addresses_are_nothing(path, api):
    problem(api.send("GET", path), 404)
    problem(api.by(None).send("GET", path), 401)


def test_an_id_may_hold_whatever_a_client_put_in_it(database):
    odd = ["a/b", "../up", "100%", "a b?c#d", "ключ", "it's", 'say "so"', "x" * 2_000, "a\r\nb"]
    api = calls_of(database(rows=[spend_log(session_id=one) for one in odd]))
    for one in odd:
        found = api.get(f"{BASE}/sessions/{quote(one, safe='')}/summary")
        assert (found["session_id"], found["requests"]) == (one, 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * 10_000_000, 413),
        (b'{"text": "' + b"x" * MOST_BYTES + b'"}', 413),
        (b'{"text": "' + b"x" * 1_000 + b'"}', 422),
        (b"[" * 30_000, 422),
        (b'{"a":' * 10_000, 422),
        (b'{"user_id": ' + b"[" * 1_000 + b"]" * 1_000 + b"}", 422),
        (b"", 422),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"{", 422),
        (b'{"limit": NaN}', 422),
        (b'{"min_cost": Infinity}', 422),
        (b'{"min_cost": 1e400}', 422),
        (b'{"limit": 501}', 422),
        (b'{"limit": 0}', 422),
        (b'{"limit": "50"}', 422),
        (b'{"limit": 1e2}', 422),
        (b'{"limit": true}', 422),
        (b'{"limit": 99999999999999999999999999}', 422),
        (b'{"user_id": ""}', 422),
        (b'{"user_id": "a\\u0000b"}', 422),
        (b'{"user_id": "\\ud800"}', 422),
        (b'{"user_id": "\xff"}', 422),
        (b'{"user": "ada"}', 422),
        (b'{"min_cost": 2, "max_cost": 1}', 422),
        (b'{"text": "a", "cursor": "b"}', 422),
        (b'{"days": 7, "start": "2026-11-23T12:00:00Z"}', 422),
        (b'{"end": "2026-11-23T12:00:00Z"}', 422),
        (b'{"start": 1700000000}', 422),
        (b'{"start": "0001-01-01T00:00:00+14:00"}', 422),
        (b'{"start": "9999-12-31T23:59:59-14:00"}', 422),
        (b'{"start": "2026-01-01T00:00:00Z", "end": "2025-01-01T00:00:00Z"}', 422),
        (b'{"start": "2020-01-01T00:00:00Z"}', 422),
    ],
)
def test_a_body_that_is_too_much_or_makes_no_sense_is_refused(body, status, api):
    headers = {"Authorization": "Bearer secret-of-all", "Content-Type": "application/json"}
    problem(api.send("POST", SEARCH, headers=headers, content=body), status)


def test_a_body_of_unknown_length_is_read_no_further_than_it_may_be(api):
    sent = []

    def pieces():
        for number in range(1_000):
            sent.append(number)
            yield b" " * 10_000

    headers = {"Authorization": "Bearer secret-of-all", "Content-Type": "application/json"}
    problem(api.send("POST", SEARCH, headers=headers, content=pieces()), 413)


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_only_json_is_read(media_type, api):
    headers = {"Authorization": "Bearer secret-of-all", "Content-Type": media_type}
    problem(api.send("POST", SEARCH, headers=headers, content=b"{}"), 415)


@pytest.mark.parametrize(
    "query",
    [
        "day=7",
        "days=7&days=8",
        "days=seven",
        "days=0",
        "days=401",
        "days=",
        "days=7&start=2026-11-23T12:00:00Z",
        "zone=Nowhere",
        "zone=../../etc/passwd",
        "model=",
        "model=%00",
        "model=" + "x" * 301,
        "&".join(f"model=m{number}" for number in range(51)),
        "&".join(f"model=m{number}" for number in range(1_000)),
        "model[]=a",
        "DAYS=7",
        "days=7;model=m",
        "start=2026-11-23T12:00:00+00:00&end=2026-11-23T13:00:00Z",
    ],
)
def test_a_query_that_makes_no_sense_is_refused_rather_than_answered_wider(query, api):
    document = problem(api.send("GET", f"{OVERVIEW}?{query}"), 422)
    assert document.get("complaints") or "at most" in document["detail"]


def test_what_is_wrong_is_said_and_what_was_sent_is_not_sent_back(api):
    hostile = "<script>alert(1)</script>"
    refused = api.send("GET", OVERVIEW, params={"days": hostile, "zone": hostile})
    document = problem(refused, 422)
    assert "script" not in refused.text
    assert document["complaints"][1] == {
        "where": "zone",
        "what": "Unknown time zone; use a name such as Europe/Paris.",
    }


@pytest.mark.parametrize(
    "cursor", ["forged", "WyJjb3N0IiwgIjEiLCAiYSJd", "W10=", "e30=", "x" * 16_000, "=", "é"]
)
def test_a_forged_cursor_is_refused(cursor, api):
    document = problem(api.send("POST", SEARCH, json=HOUR | {"cursor": cursor}), 422)
    assert "cursor" in document["detail"]


def test_a_bucket_that_does_not_suit_the_range_is_refused_with_those_that_do(api):
    timeseries = f"{BASE}/analytics/timeseries"
    refused = problem(api.send("GET", timeseries, params={"days": 30, "bucket": "1m"}), 422)
    assert refused["detail"] == "For this range, bucket must be one of 1h, 6h, 1d."


@pytest.mark.parametrize(("path", "method"), PATHS)
def test_other_methods_are_told_which_to_use(path, method, api):
    allowed = {"GET": "GET, HEAD", "POST": "POST"}[method]
    for other in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"} - {method}:
        refused = api.send(other, path)
        problem(refused, 405)
        assert refused.headers["allow"] == allowed


def test_a_page_of_another_site_is_not_let_in(api):
    """A preflight carries no token, so it ends here."""
    headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
    problem(api.send("OPTIONS", OVERVIEW, headers=headers), 401)
    known = {"Authorization": "Bearer secret-of-all", **headers}
    assert not [
        name
        for name in api.send("GET", OVERVIEW, headers=known).headers
        if name.startswith("access-control")
    ]


def test_hostile_names_and_errors_are_data(database):
    hostile = "</script><img src=x onerror=alert(1)>\u202e\u0007"
    made = database(
        rows=[
            spend_log(session_id="s", model_group=hostile, user=hostile),
            failure(session_id="s", error_message=hostile, error_class=hostile),
        ]
    )
    api = calls_of(made)
    response = api.send("GET", f"{BASE}/failures", params=HOUR)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.json()["newest"][0]["error_message"] == hostile
    assert hostile in api.get(f"{BASE}/sessions/s/summary")["models"]
    [failed] = [one for one in api.get(f"{BASE}/sessions/s/messages")["messages"] if one["error"]]
    assert failed["error"] == hostile


def test_a_token_asks_so_often_a_minute_and_no_more(empty_database):
    api = calls_of(empty_database, token("busy"), token("idle"))
    nowhere = f"{BASE}/nothing"
    first = api.send("GET", nowhere)
    assert first.headers["ratelimit-limit"] == str(A_MINUTE)
    assert int(first.headers["ratelimit-remaining"]) == A_MINUTE - 1
    statuses = [api.send("GET", nowhere).status_code for _ in range(A_MINUTE + 30)]
    assert 429 in statuses
    refused = api.send("GET", nowhere)
    while refused.status_code != 429:
        refused = api.send("GET", nowhere)
    problem(refused, 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert api.by("idle").send("GET", nowhere).status_code == 404
    # Whoever is unknown uses up nobody's.
    assert api.by("stranger").send("GET", nowhere).status_code == 401


def test_a_search_in_what_was_said_counts_as_ten(empty_database, monkeypatch):
    # Meanwhile nothing is filled up again, however long the searches take.
    monkeypatch.setattr(guarded, "time", SimpleNamespace(monotonic=lambda: 0.0))
    api = calls_of(empty_database, token("all"))
    left = []
    for body in ({}, {"text": "word"}):
        answer = api.send("POST", SEARCH, json=HOUR | body)
        left.append(int(answer.headers["ratelimit-remaining"]))
    assert left[0] - left[1] == 10
    statuses = [
        api.send("POST", SEARCH, json=HOUR | {"text": "word"}).status_code for _ in range(14)
    ]
    assert statuses[0] == 200
    assert statuses[-1] == 429


def test_a_token_waits_for_itself_and_nobody_for_it(empty_database):
    place = place_of(empty_database.url, [token("busy"), token("other")])
    answered, is_open = [], Event()

    def slow(visit: Visit) -> PlainTextResponse:
        if visit.token is not None and visit.token.name == "busy":
            is_open.wait(30)
        answered.append(visit.token and visit.token.name)
        return PlainTextResponse("")

    let_in = partial(Guarded, lambda: place, Gate(), CapacityLimiter(8))
    paths = [
        Route("/slow", let_in(CapacityLimiter(3), "GET", slow)),
        Route("/health", let_in(CapacityLimiter(8), "GET", slow, is_open=True)),
    ]

    async def crowd() -> list[int]:
        app = Starlette(routes=paths)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://a"
        ) as api:

            async def asked(path: str, name: str | None) -> int:
                own = {"Authorization": f"Bearer secret-of-{name}"} if name else {}
                return (await api.get(path, headers=own)).status_code

            busy = [asyncio.create_task(asked("/slow", "busy")) for _ in range(40)]
            await asyncio.sleep(0.5)
            assert await asked("/slow", "other") == 200
            assert await asked("/health", None) == 200
            assert answered == ["other", None]
            is_open.set()
            return await asyncio.gather(*busy)

    statuses = asyncio.run(crowd())
    assert Counter(statuses) == {200: LANE + MOST_WAITING, 429: 40 - LANE - MOST_WAITING}


async def asked_at_once(place, asks, meanwhile) -> list[int]:
    """The statuses of these (path, token) that are asked while `meanwhile(asked)` goes on."""
    app = Starlette(routes=tracelib_api.routes(lambda: place))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as api:

        async def asked(path: str, name: str | None) -> int:
            own = {"Authorization": f"Bearer secret-of-{name}"} if name else {}
            return (await api.get(path, headers=own)).status_code

        under_way = [asyncio.create_task(asked(*one)) for one in asks]
        await asyncio.sleep(0.5)
        await meanwhile(asked)
        return await asyncio.gather(*under_way)


def test_who_waits_for_health_keeps_nobody_out(empty_database, monkeypatch):
    place = place_of(empty_database.url, [token("all")])
    is_open = Event()
    monkeypatch.setattr(ROUTES, "health", lambda *_: is_open.wait(30) and Health(status="ok"))

    async def meanwhile(asked) -> None:
        try:
            async with asyncio.timeout(5):
                assert await asked(f"{BASE}/openapi.json", "all") == 200
        finally:
            is_open.set()

    watchers = [("/health", None)] * 20
    assert asyncio.run(asked_at_once(place, watchers, meanwhile)) == [200] * 20


@pytest.mark.parametrize(("pool_size", "most"), [(1, 1), (2, 1), (3, 2), (4, 3), (50, 3)])
def test_programs_are_answered_one_less_at_once_than_there_are_connections(
    empty_database, monkeypatch, pool_size, most
):
    names = ["one", "two", "three"]
    place = place_of(empty_database.url, map(token, names), pool_size=pool_size)
    begun, is_open = [], Event()

    def slow() -> dict[str, str]:
        begun.append(1)
        is_open.wait(30)
        return {}

    monkeypatch.setattr(ROUTES, "document", slow)

    async def meanwhile(_asked) -> None:
        under_way = len(begun)
        is_open.set()
        assert under_way == most

    asks = [(f"{BASE}/openapi.json", name) for name in names for _ in range(2)]
    assert asyncio.run(asked_at_once(place, asks, meanwhile)) == [200] * 6


def test_a_token_is_in_no_log_and_in_no_answer(api, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "secret-of-all"
    for method, path in (("GET", OVERVIEW), ("GET", "/metrics"), ("POST", SEARCH)):
        response = api.send(method, path)
        assert secret not in response.text + json.dumps(dict(response.headers))
    assert secret not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("tracelib")
    )

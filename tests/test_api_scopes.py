"""Two tokens that may see nothing of each other's: walked over every route."""

import json
from collections.abc import Iterator

import pytest

from tests.calling import Calls, calls_of, token
from tests.database import Database
from tests.planted_keys import plant
from tests.rows import failure, key_of, metadata, name_team, name_user, spend_log
from tracelib.api.openapi import BASE, ENDPOINTS, Endpoint
from tracelib.filters import DIMENSIONS
from tracelib.permissions.access import Scope

HOUR = {"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T13:00:00Z"}
COLOURS = ("green", "blue")


def body(colour: str) -> dict:
    return {"messages": [{"role": "user", "content": f"secret of {colour}"}]}


def rows_of(colour: str) -> list[dict]:
    """Requests that say whose they are in every text they have."""
    same = {
        "api_key": key_of(colour),
        "user": f"{colour}-user",
        "team_id": f"{colour}-team",
        "end_user": f"{colour}-end-user",
        "model_group": f"{colour}-model",
        "model": f"{colour}-deployment",
        "custom_llm_provider": f"{colour}-provider",
        "request_tags": [f"{colour}-tag"],
        "proxy_server_request": body(colour),
    }
    about = metadata(
        user_api_key_alias=f"{colour}-alias", user_api_key_team_alias=f"{colour}-team-alias"
    )
    own = {"session_id": f"{colour}-session", "metadata": about}
    return [
        spend_log(request_id=f"{colour}-1", **same, **own),
        spend_log(request_id=f"{colour}-2", **same, **own),
        # Clients choose session ids: both colours have chosen this one.
        spend_log(request_id=f"{colour}-3", session_id="shared", **same),
        failure(
            request_id=f"{colour}-4",
            session_id=f"{colour}-failed",
            error_class=f"{colour}-class",
            error_message=f"{colour}-message",
            error_code=f"{colour}-code",
            **same,
        ),
    ]


SCOPES = {
    "green": Scope(teams=("green-team",)),
    "blue": Scope(users=("no",), keys=(key_of("blue"),)),
}


@pytest.fixture(scope="module")
def made(server) -> Iterator[Database]:
    log = Database(server)
    log.insert([row for colour in COLOURS for row in rows_of(colour)])
    for colour in COLOURS:
        owned = {"team_id": f"{colour}-team", "user_id": f"{colour}-user"}
        plant(log.engine, f"{colour}-alias", token=key_of(colour), expires=None, **owned)
        name_user(log.engine, f"{colour}-user", f"{colour}-person")
        name_team(log.engine, f"{colour}-team", f"{colour}-crew")
    yield log
    log.drop()


@pytest.fixture(scope="module")
def api(made) -> Calls:
    scoped = [token(colour, scope) for colour, scope in SCOPES.items()]
    return calls_of(made, *scoped, token("nobody", Scope()), token("all"))


# Of these few rows there is nothing to find: their own tests have readers with a scope.
TELLS_NOTHING = {f"{BASE}/changes", f"{BASE}/findings", f"{BASE}/incidents"}


def asked_of(colour: str) -> Iterator[tuple[str, str, dict]]:
    """Every way to ask that names what is of this colour: method, path, and what is sent."""
    narrowed = {name: f"{colour}-{name}" for name in DIMENSIONS} | {"key": key_of(colour)}
    for endpoint in ENDPOINTS:
        path = BASE + endpoint.path
        if endpoint.method == "POST":
            searches = ({"user_id": f"{colour}-user"}, {"model": f"{colour}-model"})
            for body in (*searches, {"text": f"secret of {colour}"}):
                yield "POST", path, {"json": HOUR | body}
        elif "{session_id}" in path:
            for session_id in (f"{colour}-session", f"{colour}-failed"):
                yield "GET", path.format(session_id=session_id), {}
            yield "GET", path.format(session_id="shared"), {"params": {"key": key_of(colour)}}
        else:
            names = narrowed if "overview" in path else ("key",)
            for name in endpoint.takes.model_fields.keys() & {*names}:
                yield "GET", path, {"params": hour_of(endpoint) | {name: narrowed[name]}}


def asked_of_all() -> Iterator[tuple[str, str, dict]]:
    """Every route, without naming anybody."""
    for endpoint in ENDPOINTS:
        path = BASE + endpoint.path.format(session_id="shared")
        if endpoint.method == "POST":
            for body in ({}, {"sort": "cost"}, {"text": "secret"}):
                yield "POST", path, {"json": HOUR | body}
        else:
            yield "GET", path, {"params": hour_of(endpoint)}


def hour_of(endpoint: Endpoint) -> dict[str, str]:
    """The parameters of a range, as far as it has one."""
    return HOUR if "start" in endpoint.takes.model_fields else {}


# In an answer of figures alone, which names nobody.
FIGURES = ("points", "previous", "among_newest", "retention", "wasted_usd")


@pytest.mark.parametrize(("own", "other"), [COLOURS, COLOURS[::-1]])
def test_no_route_tells_of_the_other(own, other, api):
    told = []
    for method, path, sent in asked_of_all():
        response = api.by(own).send(method, path, **sent)
        assert response.status_code == 200, (path, response.text)
        assert other not in response.text
        if path not in TELLS_NOTHING:
            told.append(response.text)
    assert all(own in text for text in told if not any(one in text for one in FIGURES))


@pytest.mark.parametrize(("own", "other"), [COLOURS, COLOURS[::-1]])
def test_naming_what_is_the_others_finds_nothing(own, other, api):
    asked = list(asked_of(other))
    assert len(asked) > 15
    for method, path, sent in asked:
        response = api.by(own).send(method, path, **sent)
        assert response.status_code in (200, 404), (path, response.text)
        assert not found_in(response.json()), (path, sent, response.text)
        assert response.status_code == 404 or "/sessions/search" in path or "params" in sent


def found_in(answer: dict) -> bool:
    """Is there anything in it but an empty window?"""
    some = ("sessions", "models", "classes", "newest", "messages", "session_id", "found", "groups")
    points = [point["value"] for point in answer.get("points", ())]
    hashed = answer.get("hashes", {}).get("days", ())
    found = any(answer.get(name) for name in some) or any(points)
    return found or bool(answer.get("requests") or hashed)


def test_the_owner_finds_all_of_it(api):
    """So that the walk above would see something where there was something."""
    for method, path, sent in asked_of("green"):
        response = api.by("green").send(method, path, **sent)
        assert response.status_code == 200, (path, response.text)
        assert found_in(response.json()) or path in TELLS_NOTHING, (path, sent)


def test_who_may_see_nobody_s_sees_nothing(api):
    for method, path, sent in asked_of_all():
        response = api.by("nobody").send(method, path, **sent)
        assert response.status_code in (200, 404)
        assert not found_in(response.json())


def test_an_id_that_two_share_is_one_s_own_to_each(api):
    """Who may see both is asked which; who may see one is not told that there is another."""
    path = f"{BASE}/sessions/shared/messages"
    for colour in COLOURS:
        found = api.by(colour).get(path)
        assert [one["request_id"] for one in found["messages"]] == [f"{colour}-3"] * 2
    conflict = api.by("all").send("GET", path)
    assert conflict.status_code == 409
    # Both began at the same moment: then by their keys.
    assert conflict.json()["sessions"] == [
        {"key": key_of(colour), "api_key_alias": f"{colour}-alias", "requests": 1}
        for colour in sorted(COLOURS, key=key_of)
    ]
    assert api.by("all").get(path, key=key_of("green"))["messages"][0]["request_id"] == "green-3"


def test_a_cursor_of_another_tells_nothing(api):
    page = api.by("blue").post(f"{BASE}/sessions/search", **HOUR, limit=1)
    found = api.by("green").post(f"{BASE}/sessions/search", **HOUR, cursor=page["next_cursor"])
    assert "blue" not in json.dumps(found)


def test_a_kept_answer_is_never_given_to_another(api):
    """Asked in turn at one tick, so that the cache has each other's answers."""
    path = f"{BASE}/analytics/models"
    for colour in COLOURS * 2:
        models = api.by(colour).get(path, **HOUR)["models"]
        assert [one["model"] for one in models] == [f"{colour}-model"]


def test_health_tells_of_one_s_own_requests_and_nothing_of_the_installation(api, made):
    for colour in COLOURS:
        found = api.by(colour).get("/health")
        assert found["database"] is None
        assert found["newest_request_at"] == "2026-11-23T12:00:00Z"
    assert api.by("nobody").get("/health")["newest_request_at"] is None
    assert api.by("all").get("/health")["database"]["reachable"] is True


def test_the_app_s_own_figures_are_for_who_may_see_all(api):
    assert api.by("green").send("GET", "/metrics").status_code == 403
    assert api.by("all").send("GET", "/metrics").status_code == 200


def test_a_viewer_reads_no_word(made):
    api = calls_of(made, token("viewer", role="viewer"))
    messages = api.send("GET", f"{BASE}/sessions/green-session/messages")
    search = api.send("POST", f"{BASE}/sessions/search", json={"text": "secret"})
    for refused in (messages, search):
        assert refused.status_code == 403
        assert refused.json()["detail"].endswith(" the auditor role.")
    assert api.get(f"{BASE}/sessions/green-session/summary")["requests"] == 2
    assert len(api.post(f"{BASE}/sessions/search", **HOUR)["sessions"]) == 6

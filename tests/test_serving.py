"""The app as a server runs it: what every answer forbids, and what is done before anybody comes."""

import base64
import gc
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from tests.server import free_port
from tracelib import serving

ROOT = Path(__file__).parent.parent
POLICY, POLICY_HEADER = "default-src 'none'", "content-security-policy"
HEADERS = {
    POLICY_HEADER: POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


async def _plain(request: object) -> Response:
    return PlainTextResponse("figures")


async def _kept(request: object) -> Response:
    return PlainTextResponse("a file", headers={"Cache-Control": "public", "X-Frame-Options": "x"})


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())


@pytest.fixture
def client() -> TestClient:
    """An app of two paths and a websocket behind the headers."""
    routes = [Route("/", _plain), Route("/kept", _kept), WebSocketRoute("/socket", _echo)]
    guarded = Middleware(serving.with_security_headers, policy=POLICY)
    return TestClient(Starlette(routes=routes, middleware=[guarded]))


@pytest.mark.parametrize("path", ["/", "/kept", "/nowhere"])
def test_every_answer_carries_the_headers(client, path):
    given = client.get(path).headers
    assert {name: given.get(name) for name in HEADERS} == HEADERS


def test_what_says_nothing_about_keeping_is_not_kept(client):
    assert client.get("/").headers["cache-control"] == "no-store"
    assert client.get("/nowhere").headers["cache-control"] == "no-store"
    assert client.get("/kept").headers["cache-control"] == "public"


def test_a_websocket_passes_through(client):
    with client.websocket_connect("/socket") as socket:
        socket.send_text("here")
        assert socket.receive_text() == "here"


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@pytest.mark.parametrize(
    ("html", "scripts"),
    [
        ("", []),
        ("<p>No script</p>", []),
        ("<script src='x.js'></script>", []),
        ("<script>\n  go()\n</script>", ["\n  go()\n"]),
        ("<script>b</script><b></b><script>a</script><script>b</script>", ["a", "b"]),
    ],
)
def test_only_the_scripts_of_the_html_itself_may_run(tmp_path, html, scripts):
    (tmp_path / "index.html").write_text(html)
    policy = serving.content_security_policy([tmp_path / "index.html"])
    (allowed,) = [part for part in policy.split("; ") if part.startswith("script-src ")]
    assert sorted(allowed.split()[1:]) == sorted(["'self'", "blob:", *map(_hash, scripts)])


def test_a_server_is_prepared_before_it_answers_and_looks_through_nothing_of_it_again():
    done = []
    with TestClient(Starlette(lifespan=serving.prepared(lambda: done.append("prepared")))):
        assert done == ["prepared"]
        assert gc.get_freeze_count() > 1_000
    gc.unfreeze()


@pytest.fixture(scope="module")
def server_address() -> Iterator[str]:
    """The app by another ASGI server than Streamlit's own, with a database that is away."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "asgi:app", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": "postgresql://ada@127.0.0.1:1/litellm"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield _answering(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(30)


def _answering(address: str) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            httpx.get(f"{address}/_stcore/health", timeout=5)
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return address
    raise TimeoutError(address)


@pytest.mark.parametrize(
    ("path", "status", "kept"),
    [
        ("/", 200, "no-cache"),
        ("/Overview", 200, "no-cache"),
        ("/_stcore/health", 200, "no-cache"),
        ("/media/none", 404, "no-store"),
        ("/health", 503, "no-store"),
        ("/api/v1/analytics/overview", 404, "no-store"),
    ],
)
def test_any_asgi_server_runs_the_pages_and_the_api(server_address, path, status, kept):
    answer = httpx.get(server_address + path)
    policy = dict(part.split(" ", 1) for part in answer.headers[POLICY_HEADER].split("; "))
    assert (answer.status_code, answer.headers["cache-control"]) == (status, kept)
    assert len(policy["script-src"].split("'sha256-")) == 2
    assert "unsafe" not in policy["script-src"]
    assert policy["frame-ancestors"] == "'self'"

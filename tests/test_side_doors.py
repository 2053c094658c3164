"""What comes into the app by the doors that Streamlit opens to anybody: only what pages use."""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from tests.browsing import MARKS, Visit, chromium, playwright, serving
from tracelib import serving as around
from tracelib.serving import LONGEST

SECRET = "secret-of-a-test"
TICK_S, ROOM_S = 300, 60
SEEN = "range=custom&from=2026-11-23&to=2026-11-23&refresh=5m"


async def _plain(request: object) -> Response:
    return PlainTextResponse("in")


async def _heard(websocket: WebSocket) -> None:
    """Say back what comes in."""
    await websocket.accept()
    async for said in websocket.iter_bytes():
        await websocket.send_bytes(said)


@pytest.fixture
def inside() -> TestClient:
    """An app that takes in everything, behind the doors; a message means its own words."""
    routes = [Route("/{path:path}", _plain), WebSocketRoute("/_stcore/stream", _heard)]
    doors = Middleware(around.only_what_is_used, type_of=bytes.decode)
    return TestClient(Starlette(routes=routes, middleware=[doors]))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((path, 200) for path in ("/", "/Overview", "/media/a.html", "/component/a/index.html")),
        *((f"/_stcore/{path}", 200) for path in ("health", "host-config", "bidi-components/a/b")),
        *((f"/_stcore/{path}", 404) for path in ("upload_file/a/b", "%75pload_file/a/b")),
        *((f"/_stcore/{path}", 404) for path in ("metrics", "agent/mcp", "script-health-check")),
        *((f"/_stcore/{path}", 404) for path in ("", "healthy", "health/", "HEALTH", "of/2030")),
        ("/traces/_stcore/health", 200),
        ("/traces/_stcore/upload_file/a/b", 404),
    ],
)
def test_of_streamlits_own_paths_only_those_in_use_are_open(inside, path, status):
    assert inside.get(path).status_code == status


def test_only_messages_in_use_are_heard(inside):
    with inside.websocket_connect("/_stcore/stream") as socket:
        for said in ("clear_cache", "rerun_script", "", "deferred_file", "stop_script"):
            socket.send_bytes(said.encode())
        socket.send_text("rerun_script")
        socket.send_bytes(b"app_heartbeat")
        heard = [socket.receive_bytes() for _ in range(3)]
    assert heard == [b"rerun_script", b"stop_script", b"app_heartbeat"]


@pytest.mark.parametrize("how", ["send_bytes", "send_text"])
def test_a_message_that_is_too_long_ends_the_connection(inside, how):
    with inside.websocket_connect("/_stcore/stream") as socket:
        long = "x" * (LONGEST + 1)
        getattr(socket, how)(long if how == "send_text" else long.encode())
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_bytes()
    assert closed.value.code == 1009


@pytest.fixture(scope="module")
def app(real_rows_database) -> Iterator[str]:
    """The app as a server runs it, over true rows; a token may read its metrics."""
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    tokens = json.dumps([{"name": "test", "sha256": digest, "scope": {"all": True}}])
    with serving(
        "asgi.py", DATABASE_URL=real_rows_database.url, TRACELIB_API_TOKENS=tokens
    ) as address:
        yield address


@asynccontextmanager
async def stranger(app: str) -> AsyncIterator[ClientConnection]:
    """A websocket as anybody can open it."""
    url = f"{app.replace('http', 'ws')}/_stcore/stream"
    async with (
        asyncio.timeout(120),
        connect(url, subprotocols=["streamlit"], max_size=None) as socket,
    ):
        yield socket


async def ran(
    socket: ClientConnection, page: str = "Overview", query: str = SEEN
) -> list[ForwardMsg]:
    """All that is sent until a run of the page has ended."""
    ask = BackMsg()
    ask.rerun_script.page_name = page
    ask.rerun_script.query_string = query
    await socket.send(ask.SerializeToString())
    sent = []
    async for part in socket:
        sent.append(ForwardMsg.FromString(part))
        if sent[-1].WhichOneof("type") == "script_finished":
            break
    return sent


def session_id(sent: list[ForwardMsg]) -> str:
    (begun,) = [one.new_session for one in sent if one.WhichOneof("type") == "new_session"]
    return begun.initialize.session_id


def asked_of_the_database(app: str) -> int:
    """How many questions were not answered from memory so far?"""
    known = {"Authorization": f"Bearer {SECRET}"}
    written = httpx.get(f"{app}/metrics", headers=known, timeout=60).raise_for_status().text
    counted = (
        sum(map(float, re.findall(rf"^tracelib_{name}_total\S* (\S+)$", written, re.MULTILINE)))
        for name in ("questions", "cache_hits")
    )
    asked, spared = counted
    return round(asked - spared)


def test_nobody_empties_the_caches(app, real_rows_database):
    """Of all that is kept, a conversation is the dearest to ask for again."""
    count = 'SELECT session_id FROM "LiteLLM_SpendLogs" GROUP BY 1 ORDER BY count(*) DESC, 1'
    with real_rows_database.engine.connect() as connection:
        longest = connection.exec_driver_sql(count).scalar()
    read = {"page": "Sessions", "query": f"{SEEN}&session={longest}"}

    async def visit() -> tuple[int, int]:
        async with stranger(app) as socket:
            await ran(socket, **read)
            before = asked_of_the_database(app)
            await socket.send(BackMsg(clear_cache=True).SerializeToString())
            await ran(socket, **read)
            return before, asked_of_the_database(app)

    # Within one tick, for at the next one everything is asked anew.
    left = TICK_S - time.time() % TICK_S
    if left < ROOM_S:
        time.sleep(left + 1)
    before, after = asyncio.run(visit())
    assert before == after > 0


def test_what_no_page_asks_for_is_not_answered(app):
    """Streamlit by itself would answer the first three, and hang up at the last two."""

    async def visit() -> set[str | None]:
        async with stranger(app) as socket:
            known = session_id(await ran(socket))
            files = {"request_id": "a", "session_id": known, "file_names": ["a"]}
            skills = {"request_id": "b", "session_id": known, "install_skills": {}}
            chunk = {"request_id": "c", "session_id": known, "dataframe_chunk": {"limit": 1}}
            for said in (
                BackMsg(file_urls_request=files),
                BackMsg(backend_operation_request=skills),
                BackMsg(backend_operation_request=chunk),
            ):
                await socket.send(said.SerializeToString())
            await socket.send(b"\xff\xff")
            await socket.send("words")
            return {one.WhichOneof("type") for one in await ran(socket)}

    answered = asyncio.run(visit())
    assert "delta" in answered
    assert answered.isdisjoint({"file_urls_response", "backend_operation_response"})


def test_a_flood_ends_its_connection(app):
    async def visit() -> int:
        async with stranger(app) as socket:
            await ran(socket)
            flood = BackMsg()
            flood.rerun_script.query_string = "x" * LONGEST
            await socket.send(flood.SerializeToString())
            with pytest.raises(ConnectionClosedError) as closed:
                await ran(socket)
            # The server hangs up on what it has not read: its last word may be lost with it.
            return closed.value.rcvd.code if closed.value.rcvd else 1009

    assert asyncio.run(visit()) == 1009


def test_nobody_leaves_a_file_in_memory(app):
    async def visit() -> int:
        async with stranger(app) as socket:
            known = session_id(await ran(socket))
            async with httpx.AsyncClient(base_url=app, timeout=60) as client:
                await client.get("/_stcore/health")
                token = {"X-Xsrftoken": client.cookies["_streamlit_xsrf"]}
                path = f"/_stcore/upload_file/{known}/a"
                answer = await client.put(path, headers=token, files={"a": b"x" * 1_000})
                return answer.status_code

    assert asyncio.run(visit()) == 404


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@MARKS[0]
@MARKS[1]
def test_clicks_and_downloads_come_in(app, browser):
    visit = Visit(browser, app)
    visit.open(f"Sessions?{SEEN}")
    visit.page.get_by_role("button", name="Download").click()
    with visit.page.expect_download() as handed:
        visit.page.get_by_role("button", name="CSV").click()
    assert handed.value.path().read_text("utf-8").count("\n") > 5
    visit.page.keyboard.press("Escape")
    visit.page.get_by_label("Time range").first.click()
    visit.page.get_by_role("option", name="Last 30 days").click()
    visit.page.wait_for_url("**range=30d**")
    shown = visit.page.get_by_text("Last 30 days, most recent first")
    playwright.expect(shown).to_be_visible()
    visit.check()

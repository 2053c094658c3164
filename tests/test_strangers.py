"""A visitor who is not signed in holds few connections, for a short time, and little memory."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from tests.server import free_port
from tests.test_deployment import wait_for
from tracelib.connections import limits, strangers
from tracelib.connections.strangers import MOST_STRANGERS, Connection, Connections, surplus

ROOT = Path(__file__).parent.parent
PATIENCE_S = 1.5
SECRET = "0123456789abcdef0123456789abcdef"
SIGNED_IN = {"X-Forwarded-Email": "ada@example.com", "X-Tracelib-Proxy-Secret": SECRET}
SETTINGS = {
    "TRACELIB_IDENTITY_HEADER": "X-Forwarded-Email",
    "TRACELIB_PROXY_SECRET": SECRET,
    "TRACELIB_PEOPLE": json.dumps([{"who": "*", "role": "viewer", "scope": {"all": True}}]),
    "DATABASE_URL": "postgresql://ada@127.0.0.1:1/litellm",
}
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
BODY = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{"


# Which connections are strangers', and which of them are too many


class Line:
    """In place of a transport: whether it is closed, and what is left unread."""

    def __init__(self, unread: int = 0) -> None:
        self.unread, self.closed = unread, False

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return self.unread

    def abort(self) -> None:
        self.closed = True


def a_connection(opened: float = 0.0, address: str = "a", **how) -> Connection:
    how = {"waits_since": opened, "transport": Line()} | how
    return Connection(opened=opened, address=address, **how)


@pytest.mark.parametrize(
    ("how", "is_stranger"),
    [
        ({}, True),
        ({"waits_since": None}, False),
        ({"is_websocket": True}, True),
        ({"is_websocket": True, "waits_since": None, "first_message": 5.0}, False),
        (
            {"is_websocket": True, "waits_since": None, "first_message": 5.0, "is_viewer": False},
            True,
        ),
        (
            {"is_websocket": True, "waits_since": None, "first_message": 5.0, "is_viewer": True},
            False,
        ),
        ({"is_websocket": True, "waits_since": None, "first_message": -20.0}, True),
        ({"transport": None}, False),
    ],
)
def test_whose_a_connection_is(how, is_stranger):
    assert a_connection(**how).is_stranger(now=10.0) is is_stranger


def test_the_oldest_go_of_the_address_that_has_most():
    many = [a_connection(float(place), "many") for place in range(MOST_STRANGERS)]
    few = [a_connection(0.5, "few"), a_connection(90.5, "few")]
    everyone = sorted([*many, *few], key=lambda one: one.since)
    assert surplus(everyone, MOST_STRANGERS, until=99.0) == many[:2]
    assert surplus(everyone, MOST_STRANGERS, until=0.0) == many[:1]
    assert surplus(everyone, MOST_STRANGERS + 2, until=99.0) == []
    assert len(surplus(everyone, 0, until=99.0)) == len(everyone)


def test_a_sweep_closes_what_takes_too_long_or_reads_too_little():
    kept = [
        a_connection(opened=80.5),
        a_connection(waits_since=None),
        a_connection(is_websocket=True, waits_since=None, is_viewer=True, transport=Line(10**7)),
        a_connection(opened=99.0, transport=Line(10**7)),
    ]
    gone = [
        a_connection(opened=79.5),
        a_connection(is_websocket=True, opened=99.0, transport=Line(100_001)),
        a_connection(is_websocket=True, opened=79.5),
    ]
    known = Connections(open={*kept, *gone})
    known.sweep(now=100.0)
    assert [one.is_closed() for one in (*kept, *gone)] == [False] * 4 + [True] * 3
    known.sweep(now=100.0)
    assert known.open == set(kept)


def test_a_page_decides_and_a_viewer_stays_one():
    socket = a_connection(is_websocket=True)
    known = Connections(by_nonce={"n": socket})
    known.decide(None, "s", True)
    known.decide("other", "s", True)
    assert (socket.is_viewer, list(known.sessions)) == (None, [])
    for is_viewer, then in ((False, False), (True, True), (False, True)):
        known.decide("n", "s", is_viewer)
        assert socket.is_viewer is then
    assert list(known.sessions) == ["s"]


def test_viewers_have_all_places_but_those_of_newcomers(monkeypatch):
    monkeypatch.setattr(strangers, "MOST_WEBSOCKETS", 2)
    monkeypatch.setattr(strangers, "MOST_NEW_WEBSOCKETS", 2)
    new = [a_connection(float(place), is_websocket=True) for place in range(2)]
    viewers = [a_connection(is_websocket=True, is_viewer=True) for _ in range(2)]
    assert Connections(open={*new, viewers[0]}).make_room_for_websocket()
    assert [one.is_closed() for one in new] == [True, False]
    assert not Connections(open={*viewers}).make_room_for_websocket()


def test_another_server_runs_the_app_without_limits_and_says_so(caplog):
    async def plain(request: object) -> PlainTextResponse:
        return PlainTextResponse("in")

    guarded = Middleware(limits.limited, longest_message=1)
    with TestClient(Starlette(routes=[Route("/", plain)], middleware=[guarded])) as client:
        assert client.get("/").text == "in"
    assert "connections_unlimited server=not uvicorn with HTTP/1" in caplog.messages


# What a server does, in both ways of running it


def command(kind: str, port: int) -> list[str]:
    return {
        "streamlit": ["streamlit", "run", "asgi.py", "--server.port", str(port)],
        "uvicorn": ["uvicorn", "asgi:app", "--port", str(port)],
    }[kind]


@contextmanager
def running(kind: str, folder: Path) -> Iterator[tuple[str, int, psutil.Process]]:
    """The app, with less patience; Python runs what stands in this folder before anything else."""
    script = f"from tracelib.connections import strangers\nstrangers.PATIENCE_S = {PATIENCE_S}\n"
    (folder / "sitecustomize.py").write_text(script, encoding="utf-8")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", *command(kind, port)],
        cwd=ROOT,
        env=os.environ | SETTINGS | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield "127.0.0.1", port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[dict[str, tuple[str, int, psutil.Process]]]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("less patience")
        found = {
            kind: stack.enter_context(running(kind, folder)) for kind in ("streamlit", "uvicorn")
        }
        for host, port, _ in found.values():
            wait_for(f"http://{host}:{port}/_stcore/health")
        yield found


@pytest.fixture(params=["streamlit", "uvicorn"])
def server(request, servers) -> tuple[str, int, psutil.Process]:
    return servers[request.param]


async def closed_after(server, said: bytes) -> float:
    """After how many seconds does the server end a connection that sends this, and letters?"""
    reader, writer = await asyncio.open_connection(*server[:2])
    begun = time.monotonic()

    async def drip() -> None:
        writer.write(said)
        while True:
            await asyncio.sleep(0.3)
            writer.write(b"a" if said else b"")

    dripping = asyncio.create_task(drip())
    try:
        async with asyncio.timeout(15):
            while await reader.read(65_536):
                pass
    except ConnectionError:
        pass
    finally:
        dripping.cancel()
        writer.close()
    return time.monotonic() - begun


def test_what_is_slow_or_large_is_closed(server):
    async def all_of_them() -> list[float]:
        said = (b"", HEAD, HEAD + b"a" * (limits.LONGEST_HEAD + 1), BODY)
        return await asyncio.gather(*(closed_after(server, one) for one in said))

    nothing, head, large, body = asyncio.run(all_of_them())
    assert PATIENCE_S - 0.3 < nothing < PATIENCE_S + 3
    assert PATIENCE_S - 0.3 < head < PATIENCE_S + 3
    assert large < PATIENCE_S - 0.3
    assert body < PATIENCE_S + 3


def websocket(server, *more: str, **how):
    url = f"ws://{server[0]}:{server[1]}/_stcore/stream"
    return connect(url, subprotocols=["streamlit", *more], max_size=None, proxy=None, **how)


async def opened(socket: ClientConnection) -> str:
    """Open Home in this websocket; gives the ID of its session."""
    ask = BackMsg()
    ask.rerun_script.page_name = "Home"
    await socket.send(ask.SerializeToString())
    session_id = ""
    async for part in socket:
        message = ForwardMsg.FromString(part)
        if message.WhichOneof("type") == "new_session":
            session_id = message.new_session.initialize.session_id
        if message.WhichOneof("type") == "script_finished":
            break
    return session_id


async def ended(socket: ClientConnection, within_s: float) -> bool:
    """Does the server end this websocket so soon?"""
    try:
        async with asyncio.timeout(within_s):
            await socket.wait_closed()
    except TimeoutError:
        return False
    return True


def test_a_websocket_speaks_soon_or_ends(server):
    async def silence() -> tuple[bool, bool, bool]:
        viewer = await websocket(server, additional_headers=SIGNED_IN)
        session_id = await opened(viewer)
        silent, back = await websocket(server), await websocket(server, "xsrf", session_id)
        wait_s = PATIENCE_S + 1.5
        found = await asyncio.gather(*(ended(one, wait_s) for one in (silent, viewer, back)))
        for one in (viewer, back):
            await one.close()
        return tuple(found)

    # A browser that comes back to its session need not say anything.
    assert asyncio.run(silence()) == (True, False, False)


def test_half_a_message_takes_no_memory(server):
    memory = server[2].memory_info

    async def halves() -> tuple[int, list[int]]:
        before = memory().rss
        sockets = [await websocket(server) for _ in range(20)]
        for one in sockets:
            head = bytes([0x82, 0xFF]) + (8_000_000).to_bytes(8, "big") + bytes(4)
            one.transport.write(head + bytes(4_000_000))
        await asyncio.gather(*(one.wait_closed() for one in sockets))
        return memory().rss - before, [one.close_code for one in sockets]

    more, codes = asyncio.run(halves())
    assert more < 40_000_000
    assert set(codes) <= {1009, 1006}


def test_a_stranger_sends_little_and_a_viewer_may_send_more(server):
    pings = (bytes([0x89, 0x80]) + bytes(4)) * (limits.MOST_SENT // 6 + 1)

    async def flood() -> tuple[bool, bool]:
        stranger, viewer = (
            await websocket(server),
            await websocket(server, additional_headers=SIGNED_IN),
        )
        await opened(viewer)
        for one in (stranger, viewer):
            one.transport.write(pings)
        found = await ended(stranger, 5), await ended(viewer, 0.5)
        await viewer.close()
        return found

    assert asyncio.run(flood()) == (True, False)


def test_a_flood_makes_room_and_viewers_stay(server):
    """More strangers than may stay: some who say nothing, some whom a page has turned away."""

    async def flood() -> tuple[int, bool, list[bool]]:
        viewer = await websocket(server, additional_headers=SIGNED_IN)
        await opened(viewer)
        turned_away = [await websocket(server) for _ in range(10)]
        await asyncio.gather(*(opened(one) for one in turned_away))
        silent = [await asyncio.open_connection(*server[:2]) for _ in range(MOST_STRANGERS + 30)]
        await asyncio.sleep(1.4)
        own = [one for one in server[2].net_connections("tcp") if one.laddr.port == server[1]]
        held = sum(one.status == psutil.CONN_ESTABLISHED for one in own)
        late = await websocket(server, additional_headers=SIGNED_IN)
        await opened(late)
        is_kept = not await ended(viewer, 0.1)
        gone = [await ended(one, 0.1) for one in turned_away]
        for _, writer in silent:
            writer.close()
        for one in (viewer, late, *turned_away):
            await one.close()
        return held, is_kept, gone

    held, is_kept, gone = asyncio.run(flood())
    assert held <= MOST_STRANGERS + 1
    assert (is_kept, gone) == (True, [True] * 10)

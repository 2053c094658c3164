"""How much can strangers take of a server that requires sign-in?

`python -m benchmarks.strangers [--json FILE]` serves the app twice, as `streamlit run asgi.py` and
as `uvicorn asgi:app` do, with people signed in by a proxy. Before each, strangers open at once

    heads        900 connections that send a part of a request's head, byte by byte
    bodies       300 that send the head of a request, and its body byte by byte
    readers      300 that request a large file and do not read it
    websockets   200 that send nothing
    visitors     200 that open a page, as a browser does, and are not signed in
    halves       60 that send half a message of 8 MB
    small halves 200 that send most of a message that is not too long
    pings        60 that send pings without an end, and read nothing
    large heads  100 that send a megabyte of a request's head

for a minute or so, each kind by itself. Printed are the memory of the server at most, how many of
the connections are still open after 3 and after 25 seconds, and how long /_stcore/health takes at
most meanwhile. The bar: at most 100 MB more memory, and 100 connections, whatever they do; and a
viewer who is signed in gets the page meanwhile.
"""

import argparse
import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

from tests.test_strangers import SETTINGS, SIGNED_IN
from tracelib.serving import LONGEST

ROOT = Path(__file__).parent.parent
SERVERS = {
    "streamlit": ["streamlit", "run", "asgi.py", "--server.port"],
    "uvicorn": ["uvicorn", "asgi:app", "--no-access-log", "--port"],
}
MOST_MB, MOST_OPEN = 100, 100
SOON_S, LATER_S = 3, 25
MB = 1_000_000
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Attack:
    """One kind of stranger: how many, and what each of them does once it is connected."""

    name: str
    many: int
    act: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Taken:
    """What strangers took of a server."""

    server: str
    attack: str
    more_mb: float
    open_soon: int
    open_later: int
    health_ms: float
    viewer_ms: float

    @property
    def holds(self) -> bool:
        """Was it no more than the bar allows?"""
        return self.more_mb <= MOST_MB and max(self.open_soon, self.open_later) <= MOST_OPEN


async def _drip(writer: asyncio.StreamWriter, first: bytes) -> None:
    writer.write(first)
    while True:
        await asyncio.sleep(1)
        writer.write(b"a")
        await writer.drain()


async def _heads(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _drip(writer, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")


async def _bodies(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (
        b"POST /api/v1/sessions/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n"
    )
    await _drip(writer, head)


async def _readers(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    page = urllib.request.urlopen(f"http://127.0.0.1:{writer.get_extra_info('peername')[1]}/")
    path = page.read().split(b'src="./', 1)[1].split(b'"')[0]
    writer.write(b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path * 50)
    writer.transport.pause_reading()
    await asyncio.sleep(600)


async def _shake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    nonce = base64.b64encode(os.urandom(16))
    writer.write(
        b"GET /_stcore/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
        b"Sec-WebSocket-Protocol: streamlit\r\n\r\n" % nonce
    )
    await reader.readuntil(b"\r\n\r\n")


async def _websockets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _shake(reader, writer)
    await _read_all(reader)


async def _visitors(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _shake(reader, writer)
    message = _opening()
    head = bytes([0x82, 0x80 | len(message)]) + bytes(4)
    writer.write(head + message)
    await _read_all(reader)


async def _halves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _shake(reader, writer)
    writer.write(bytes([0x82, 0xFF]) + (8 * MB).to_bytes(8, "big") + bytes(4) + bytes(4 * MB))
    await _read_all(reader)


async def _small_halves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _shake(reader, writer)
    writer.write(bytes([0x82, 0xFF]) + LONGEST.to_bytes(8, "big") + bytes(4) + bytes(LONGEST - 1))
    await _read_all(reader)


async def _pings(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _shake(reader, writer)
    writer.transport.pause_reading()
    while True:
        writer.write((bytes([0x89, 0x80 | 125]) + bytes(4 + 125)) * 100)
        await writer.drain()
        await asyncio.sleep(0.01)


async def _large_heads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"a" * MB)
    await _read_all(reader)


async def _read_all(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


def _opening() -> bytes:
    message = BackMsg()
    message.rerun_script.page_name = "Home"
    return message.SerializeToString()


ATTACKS = (
    Attack("heads", 900, _heads),
    Attack("bodies", 300, _bodies),
    Attack("readers", 300, _readers),
    Attack("websockets", 200, _websockets),
    Attack("visitors", 200, _visitors),
    Attack("halves", 60, _halves),
    Attack("small halves", 200, _small_halves),
    Attack("pings", 60, _pings),
    Attack("large heads", 100, _large_heads),
)


async def _stranger(port: int, attack: Attack, opened: set[asyncio.StreamWriter]) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        opened.add(writer)
        try:
            await attack.act(reader, writer)
        finally:
            writer.close()


def held_by(server: psutil.Process, port: int) -> int:
    """How many connections does the server have?"""
    connections = [one for one in server.net_connections("tcp") if one.laddr.port == port]
    return sum(one.status == psutil.CONN_ESTABLISHED for one in connections)


async def taken(name: str, server: psutil.Process, port: int, attack: Attack) -> Taken:
    """What do these strangers take?"""
    before = server.memory_info().rss
    peak, slowest = before, 0.0
    opened: set[asyncio.StreamWriter] = set()
    strangers = [asyncio.create_task(_stranger(port, attack, opened)) for _ in range(attack.many)]
    begun, soon = time.monotonic(), -1
    viewer = asyncio.create_task(_viewer_ms(port))
    while (passed := time.monotonic() - begun) < LATER_S:
        peak = max(peak, server.memory_info().rss)
        slowest = max(slowest, await asyncio.to_thread(_health_ms, port))
        if soon < 0 and passed > SOON_S:
            soon = held_by(server, port)
        await asyncio.sleep(0.1)
    later = held_by(server, port)
    viewer_ms = await viewer
    for one in strangers:
        one.cancel()
    await asyncio.gather(*strangers, return_exceptions=True)
    return Taken(name, attack.name, (peak - before) / MB, soon, later, slowest, viewer_ms)


def _health_ms(port: int) -> float:
    begun = time.perf_counter()
    urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=60).close()
    return (time.perf_counter() - begun) * 1_000


async def _viewer_ms(port: int) -> float:
    """How long does a viewer who is signed in wait for a page while the strangers come?"""
    await asyncio.sleep(0.5)
    begun = time.perf_counter()
    url = f"ws://127.0.0.1:{port}/_stcore/stream"
    how = {
        "subprotocols": ["streamlit"],
        "additional_headers": SIGNED_IN,
        "max_size": None,
        "open_timeout": 60,
    }
    async with connect(url, **how) as socket:
        await socket.send(_opening())
        async for part in socket:
            if ForwardMsg.FromString(part).WhichOneof("type") == "script_finished":
                return (time.perf_counter() - begun) * 1_000
    raise ConnectionError(url)


@contextmanager
def serving(command: list[str]) -> Iterator[tuple[psutil.Process, int]]:
    """The app as this command serves it: its process and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, str(port)],
        cwd=ROOT,
        env=os.environ | SETTINGS,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(OSError):
                _health_ms(port)
                break
            time.sleep(0.2)
        yield psutil.Process(process.pid), port
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    """Measure, print, and compare with the bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--server", choices=SERVERS, help="only this one")
    parser.add_argument("--attack", choices=[one.name for one in ATTACKS], help="only this one")
    chosen = parser.parse_args()
    found = []
    for name, command in SERVERS.items():
        if chosen.server not in (None, name):
            continue
        with serving(command) as (server, port):
            asyncio.run(_viewer_ms(port))
            for attack in ATTACKS:
                if chosen.attack in (None, attack.name):
                    found.append(asyncio.run(taken(name, server, port, attack)))
                    _print(found[-1])
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(one) for one in found], indent=1))
    sys.exit(not all(one.holds for one in found))


def _print(one: Taken) -> None:
    print(
        f"{one.server:10}{one.attack:12} +{one.more_mb:4.0f} MB  open {one.open_soon:4} "
        f"{one.open_later:4}  health {one.health_ms:5.0f} ms  viewer {one.viewer_ms:5.0f} ms  "
        f"{'holds' if one.holds else 'MISSES THE BAR'}",
        flush=True,
    )


if __name__ == "__main__":
    main()

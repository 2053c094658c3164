"""Do files arrive, all of them and at their own tabs only, while others look at the app?

`python -m benchmarks.files [--viewers N] [--files N] [--big N] [--json FILE]` fills a database of
its own (the sample traffic and a session of 500 requests), serves `asgi.py`, and lets so many
viewers connect, speaking Streamlit's own protocol; each runs Overview again every ten seconds.
Meanwhile so many tabs, each a browser of its own, open a session and fetch its JSON a second after
it was drawn.

    complete    files that arrived, and are whole JSON documents of their session
    elsewhere   files that another browser, one without a cookie or a link got: before and after
                they were fetched, and after their tab was closed

Then `--big` tabs fetch the file of the long session at once. The memory of the server is that
before, and the most while it makes them; `one` is the growth for a single file of that size.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

from benchmarks.filling import LONG_SESSION, TABLE, _session, _template
from benchmarks.viewers import SMALL, Server, _ends_run, served
from tracelib import demo
from tracelib.demo import load

VIEWERS, FILES, BIG = 100, 100, 20
LONG, REQUESTS = LONG_SESSION[0], 500
EVERY_S, AFTER_S = 10.0, 1.0
OPENING, TRIES = 4, 5  # tabs that open their page at the same time, and how often each tries


@dataclass
class Figures:
    """What arrived where, in how long, and what it took of memory."""

    viewers: int
    files: int
    complete: int = 0
    elsewhere: int = 0
    median_s: float = 0.0
    slowest_s: float = 0.0
    runs_of_viewers: int = 0
    big: int = 0
    big_complete: int = 0
    big_file_mb: float = 0.0
    before_mb: float = 0.0
    one_mb: float = 0.0
    all_mb: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--big", type=int, default=BIG)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracelib-benchmark-") as folder:
        url = demo.start(Path(folder)).url
        with served("asgi.py", url) as server:
            figures = asyncio.run(_measured(server, _sessions(url), asked))
    for name, value in asdict(figures).items():
        print(f"{name:16} {value}")
    if asked.json:
        asked.json.write_text(json.dumps(asdict(figures), indent=2) + "\n")


def _sessions(url: str) -> list[str]:
    """Add the long session; which others have a few requests of one key?"""
    engine = sa.create_engine(url)
    logs = sa.table(TABLE, sa.column("session_id"), sa.column("api_key"))
    counted = (
        sa.select(logs.c.session_id)
        .where(logs.c.session_id != "")
        .group_by(logs.c.session_id)
        .having(sa.func.count().between(3, 10), sa.func.count(logs.c.api_key.distinct()) == 1)
        .order_by(logs.c.session_id)
        .limit(50)
    )
    with engine.begin() as connection:
        names = list(connection.execute(counted).scalars())
        template = _template(connection)
        with connection.connection.cursor() as cursor:
            load.add(cursor, _session(template, LONG, REQUESTS))
    engine.dispose()
    return names


async def _measured(server: Server, sessions: list[str], asked: Any) -> Figures:
    figures = Figures(asked.viewers, asked.files, big=asked.big)
    looking = [asyncio.create_task(_look(server.port, figures)) for _ in range(asked.viewers)]
    opening = asyncio.Semaphore(OPENING)
    names = [sessions[number % len(sessions)] for number in range(asked.files)]
    waits = await asyncio.gather(*(_hand_over(server, name, opening, figures) for name in names))
    for task in looking:
        task.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    waits.sort()
    figures.median_s, figures.slowest_s = waits[len(waits) // 2], waits[-1]
    if asked.big:
        await _memory(server, figures)
    return figures


async def _look(port: int, figures: Figures) -> None:
    async with _browser(port) as (_, cookie), _connected(port, cookie) as websocket:
        while True:
            await _run(websocket, "Overview", "range=7d&refresh=off")
            figures.runs_of_viewers += 1
            await asyncio.sleep(EVERY_S)


async def _hand_over(
    server: Server, session: str, opening: asyncio.Semaphore, figures: Figures
) -> float:
    """How long did one file take from the click? Others try to get it, before and after."""
    async with _browser(server.port) as (client, cookie):
        async with opening:
            connected = _connected(server.port, cookie)
            websocket = await connected.__aenter__()
            file_id = await _offered(websocket, session)
        await asyncio.sleep(AFTER_S)
        figures.elsewhere += await _got_by_others(server.port, file_id)
        started = time.perf_counter()
        body = await _fetched(client, file_id)
        took = time.perf_counter() - started
        figures.complete += _is_whole(body, session)
        figures.elsewhere += await _got_by_others(server.port, file_id)
        await connected.__aexit__(None, None, None)
        await asyncio.sleep(0.5)
        figures.elsewhere += bool(await _fetched(client, file_id))
        return took


async def _memory(server: Server, figures: Figures) -> None:
    """Fetch one long session, then many at once, and watch the memory of the server."""
    figures.before_mb = _megabytes(server)
    for many in (1, figures.big):
        tabs = []
        for _ in range(many):
            browser = _browser(server.port)
            client, cookie = await browser.__aenter__()
            connected = _connected(server.port, cookie)
            websocket = await connected.__aenter__()
            tabs.append((browser, client, connected, await _offered(websocket, LONG)))
        most, done = [_megabytes(server)], asyncio.Event()
        watching = asyncio.create_task(_watch(server, most, done))
        start = most[0]
        bodies = await asyncio.gather(*(_fetched(client, one) for _, client, _, one in tabs))
        done.set()
        await watching
        grown = round(max(most) - start, 1)
        if many == 1:
            figures.one_mb = grown
        else:
            figures.all_mb = grown
            figures.big_complete = sum(_is_whole(body, LONG) for body in bodies)
        figures.big_file_mb = round(len(bodies[0]) / 1e6, 1)
        for browser, _, connected, _ in tabs:
            await connected.__aexit__(None, None, None)
            await browser.__aexit__(None, None, None)


async def _watch(server: Server, most: list[float], done: asyncio.Event) -> None:
    while not done.is_set():
        most.append(_megabytes(server))
        await asyncio.sleep(0.05)


def _megabytes(server: Server) -> float:
    return round(server.process.memory_info().rss / 1e6, 1)


@asynccontextmanager
async def _browser(port: int) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A browser that has just loaded the app, and its cookie."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:
        await client.get("/_stcore/health")
        yield client, f"_streamlit_xsrf={client.cookies['_streamlit_xsrf']}"


@asynccontextmanager
async def _connected(port: int, cookie: str) -> AsyncIterator[Any]:
    async with connect(
        f"ws://127.0.0.1:{port}/_stcore/stream",
        subprotocols=["streamlit"],
        max_size=None,
        ping_interval=None,
        open_timeout=None,
        additional_headers={"Cookie": cookie},
    ) as websocket:
        yield websocket


async def _run(websocket: Any, page: str, query: str) -> list[bytes]:
    """What is sent until a run of the page has ended?"""
    ask = BackMsg()
    ask.rerun_script.page_name = page
    ask.rerun_script.query_string = query
    ask.rerun_script.context_info.timezone = "UTC"
    await websocket.send(ask.SerializeToString())
    messages = []
    async for message in websocket:
        messages.append(message)
        if len(message) < SMALL and _ends_run(message):
            return messages
    raise ConnectionError("The app hung up.")


async def _offered(websocket: Any, session: str) -> str:
    """The ID of the JSON file of this session, as its page gets it.

    A page that meets a busy database offers no file, and is run again.
    """
    for _ in range(TRIES):
        for message in await _run(websocket, "Sessions", f"session={session}&refresh=off"):
            component = ForwardMsg.FromString(message).delta.new_element.bidi_component
            if component.component_name.endswith("file_button"):
                data = json.loads(component.json)
                if data["label"] == "JSON":
                    return str(data["id"])
    raise LookupError(f"No file is offered for {session}.")


async def _fetched(client: httpx.AsyncClient, file_id: str) -> bytes:
    """The file; empty if it is refused or breaks off."""
    with suppress(httpx.HTTPError):
        response = await client.post("/files", headers={"X-Tracelib-File": file_id})
        return response.content if response.status_code == 200 else b""
    return b""


async def _got_by_others(port: int, file_id: str) -> int:
    """How many get it with the cookie of another browser, without one, or by a link?"""
    async with (
        _browser(port) as (other, _),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=600) as stranger,
    ):
        by_link = await other.get("/files", headers={"X-Tracelib-File": file_id})
        got = [await _fetched(other, file_id), await _fetched(stranger, file_id)]
        return sum(map(bool, got)) + (by_link.status_code == 200)


def _is_whole(body: bytes, session: str) -> bool:
    try:
        return bool(json.loads(body)["figures"]["session_id"] == session)
    except ValueError:
        return False


if __name__ == "__main__":
    main()

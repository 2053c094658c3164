"""The limits of connections: how many strangers may have, for how long, and how large.

They work on uvicorn with HTTP/1, which `streamlit run` uses as well.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn import Config

from tracelib import events
from tracelib.connections.strangers import CONNECTIONS, NONCE, Connection

# A sign-in's cookies are the largest part of a request's head.
LONGEST_HEAD = 40_000  # bytes
# What a stranger may send in a websocket, its head included. A browser's first message has a URL.
MOST_SENT = 100_000  # bytes
SWEEP_S = 0.25
CONNECTION = "tracelib.connection"
FULL = "Too many connections; try again in a moment."


class LimitedProtocol(asyncio.Protocol):
    """What is added to uvicorn's class of HTTP connections: each is known, and its head limited."""

    # The request that is being responded to, as uvicorn has it.
    cycle: Any

    def __init__(
        self, config: Config, server_state: Any, app_state: dict[str, Any], _loop: Any = None
    ) -> None:
        now = time.monotonic()
        self.connection = Connection(opened=now, waits_since=now)
        self.head = 0
        state = {**app_state, CONNECTION: self.connection}
        super().__init__(config, server_state, state, _loop)  # type: ignore[call-arg]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self.connection.address = peer[0] if isinstance(peer, tuple) else ""
        self.connection.transport = cast(asyncio.Transport, transport)
        CONNECTIONS.make_room()
        CONNECTIONS.open.add(self.connection)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_head = self.cycle is None or self.cycle.response_complete
        self.head = self.head + len(data) if is_head else 0
        if self.head > LONGEST_HEAD:
            self.connection.close()


class LimitedWebsocket(asyncio.Protocol):
    """What is added to uvicorn's class of websockets: how much a stranger may send at all.

    Each ping and each small message takes processor time.
    """

    def __init__(
        self, config: Config, server_state: Any, app_state: dict[str, Any], _loop: Any = None
    ) -> None:
        self.connection: Connection = app_state[CONNECTION]
        self.sent = 0
        super().__init__(config, server_state, app_state, _loop)  # type: ignore[call-arg]

    def data_received(self, data: bytes) -> None:
        self.sent += len(data)
        if self.sent > MOST_SENT and not self.connection.is_viewer:
            self.connection.close()
        else:
            super().data_received(data)


def limited(app: ASGIApp, longest_message: int) -> ASGIApp:
    """The same app with limits on its connections, if uvicorn runs it.

    No layer outside it may wrap the lifespan's messages. `longest_message` is in bytes: a websocket
    that sends more ends before that is in memory.
    """

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        connection = scope.get("state", {}).get(CONNECTION)
        if scope["type"] == "lifespan":
            async with _limits(receive, longest_message):
                await app(scope, receive, send)
        elif connection is None:
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await _websocket(app, connection, scope, receive, send)
        else:
            await _request(app, connection, scope, receive, send)

    return respond


@asynccontextmanager
async def _limits(receive: Receive, longest_message: int) -> AsyncIterator[None]:
    """Limits on the connections of the server whose start and end `receive` reports."""
    # A server does not show itself to its app, and `streamlit run` has no option for its server's
    # protocol. But uvicorn's lifespan has the configuration that each new connection is made from.
    config = getattr(getattr(receive, "__self__", None), "config", None)
    if not isinstance(config, Config) or getattr(config, "http2", False):
        events.log("warning", "connections_unlimited", server="not uvicorn with HTTP/1")
        yield
        return
    made_by = config.http_protocol_class
    config.http_protocol_class = type("LimitedHttp", (LimitedProtocol, made_by), {})
    if config.ws_protocol_class is not None:
        by_name = (LimitedWebsocket, config.ws_protocol_class)
        config.ws_protocol_class = type("LimitedWs", by_name, {})
    config.ws_max_size = min(config.ws_max_size, longest_message)
    sweeping = asyncio.create_task(_sweep())
    try:
        yield
    finally:
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping


async def _sweep() -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        CONNECTIONS.sweep(time.monotonic())


async def _request(
    app: ASGIApp, connection: Connection, scope: Scope, receive: Receive, send: Send
) -> None:
    """Respond to a request. The server waits for its body, and while the response is not read."""
    headers = Headers(scope=scope)
    is_whole = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    connection.waits_since = None if is_whole else connection.since

    async def received() -> Message:
        nonlocal is_whole
        message = await receive()
        if not message.get("more_body"):
            is_whole, connection.waits_since = True, None
        return message

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start" and not is_whole:
            # The rest of the body is not read, nor is what comes after it.
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        connection.waits()
        await send(message)
        if is_whole:
            connection.waits_since = None

    try:
        await app(scope, received, sent)
    finally:
        connection.waits()


async def _websocket(
    app: ASGIApp, connection: Connection, scope: Scope, receive: Receive, send: Send
) -> None:
    """Open a websocket if there is room. The server waits for its first message."""
    if not CONNECTIONS.make_room_for_websocket():
        await PlainTextResponse(FULL, 503)(scope, receive, send)
        return
    nonce = Headers(scope=scope).get(NONCE, "")
    connection.is_websocket = True
    if scope.get("client"):
        connection.address = scope["client"][0]  # the forwarded one, if the server believes it
    CONNECTIONS.by_nonce[nonce] = connection
    if not CONNECTIONS.sessions.keys().isdisjoint(scope["subprotocols"]):
        connection.is_viewer, connection.waits_since = True, None

    async def received() -> Message:
        message = await receive()
        if message["type"] == "websocket.receive" and connection.first_message is None:
            connection.first_message, connection.waits_since = time.monotonic(), None
        return message

    try:
        await app(scope, received, send)
    finally:
        if CONNECTIONS.by_nonce.get(nonce) is connection:
            del CONNECTIONS.by_nonce[nonce]
        connection.waits()

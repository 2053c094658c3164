"""The server around the app: which requests it accepts, its headers, and its start."""

import asyncio
import base64
import gc
import hashlib
import re
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tracelib import events

# How many new objects the garbage collector waits for: about three runs of a page.
YOUNG = 50_000
# Set when the process must end: the server waits for the requests that are open.
STOPPING = threading.Event()


def prepared(
    prepare: Callable[[], None],
) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """A lifespan that prepares the server, so that its first viewers need not wait.

    An ASGI lifespan.

    Objects that exist by then are excluded from garbage collection, and the rest is collected less
    often: fifty viewers would wait for that one by one.
    """

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        _observe_signals()
        await asyncio.to_thread(prepare)
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
        yield
        events.end()

    return lifespan


def _observe_signals() -> None:
    """Set `STOPPING` at the signals on which the server stops."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        if callable(stop := signal.getsignal(number)):
            signal.signal(number, partial(_stop, stop))


def _stop(
    stop: Callable[[int, FrameType | None], object], number: int, frame: FrameType | None
) -> None:
    STOPPING.set()
    stop(number, frame)


INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
# Streamlit loads the script of a component from a blob, and styles elements one by one.
DIRECTIVES = {
    "default-src": "'none'",
    "script-src": "'self' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    # The app's own websocket is of the same origin.
    "connect-src": "'self'",
    "frame-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # An address may hold the ID of a session.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def content_security_policy(pages: Iterable[Path]) -> str:
    """What may these pages load, run and connect to? The value of Content-Security-Policy.

    Everything comes from the app itself, and of the scripts within a page's HTML only the current
    ones are allowed, by their hashes.
    """
    scripts = sorted(
        {found for page in pages for found in INLINE_SCRIPT.findall(page.read_bytes())}
    )
    hashes = [f"'sha256-{_digest(script)}'" for script in scripts]
    allowed = DIRECTIVES | {"script-src": " ".join([DIRECTIVES["script-src"], *hashes])}
    return "; ".join(f"{name} {sources}" for name, sources in allowed.items())


def with_security_headers(app: ASGIApp, policy: str) -> ASGIApp:
    """The same app with security headers on every HTTP response; websockets pass through.

    A response without Cache-Control is not to be cached: no figure stays in a shared cache.
    """
    headers = HEADERS | {"Content-Security-Policy": policy}

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                response_headers = MutableHeaders(scope=message)
                response_headers.update(headers)
                response_headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await app(scope, receive, send_with_headers if scope["type"] == "http" else send)

    return respond


def _digest(script: bytes) -> str:
    return base64.b64encode(hashlib.sha256(script).digest()).decode()


STREAMLITS_OWN = "/_stcore/"
# A probe requests the first, Streamlit's page all of them. The websocket is not HTTP.
OPEN_PATHS = ("health", "host-config")
OPEN_FOLDER = "bidi-components/"
# The messages of a page in a browser in normal use.
USED = frozenset({"rerun_script", "stop_script", "app_heartbeat"})
# Everything that a person has chosen on a page is a few kilobytes.
LONGEST = 250_000  # bytes
TOO_LONG = 1009  # as the websocket protocol defines it


def only_what_is_used(app: ASGIApp, type_of: Callable[[bytes], str | None]) -> ASGIApp:
    """The same app, which accepts only what its own pages send.

    Paths of Streamlit's own that they do not use respond with 404: uploads, whose bytes would stay
    in memory, its metrics, its agents. Of websocket messages, with or without sign-in, only those
    whose `type_of` is in use are passed on, so that no one can clear the caches of all viewers. One
    that is too long ends the connection.
    """

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await app(scope, _used(receive, send, type_of), send)
        elif scope["type"] == "http" and not is_open(scope["path"]):
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return respond


def is_open(path: str) -> bool:
    """Is this one of the app's own paths, or one of Streamlit's that its pages use?

    Wherever the app is mounted, and however deep a link leads.

    >>> is_open("/Overview"), is_open("/_stcore/health"), is_open("/traces/_stcore/health")
    (True, True, True)
    >>> is_open("/_stcore/upload_file/session/file"), is_open("/traces/_stcore/metrics")
    (False, False)
    """
    _, found, rest = path.partition(STREAMLITS_OWN)
    return not found or rest in OPEN_PATHS or rest.startswith(OPEN_FOLDER)


def _used(receive: Receive, send: Send, type_of: Callable[[bytes], str | None]) -> Receive:
    """The messages of a websocket, without those that no page of ours sends."""

    async def receive_used() -> Message:
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            if len(message.get("bytes") or message.get("text") or b"") > LONGEST:
                await send({"type": "websocket.close", "code": TOO_LONG})
                return {"type": "websocket.disconnect", "code": TOO_LONG}
            if type_of(message.get("bytes") or b"") in USED:
                return message

    return receive_used

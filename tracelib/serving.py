"""What a server puts around the app: what comes in, what every answer says, and an early start."""

import asyncio
import base64
import gc
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# So many new objects are looked through at a time: about those of three runs of a page.
YOUNG = 50_000


def prepared(
    prepare: Callable[[], None],
) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """How does a server start, so that its first viewers need not wait? An ASGI lifespan.

    What was imported and met by then is never looked through for garbage again, and the rest
    less often: fifty viewers would wait for that one by one.
    """

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        await asyncio.to_thread(prepare)
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
        yield

    return lifespan


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
    # An address may hold the id of a session.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def content_security_policy(pages: Iterable[Path]) -> str:
    """What may these pages load, run and talk to? The value of Content-Security-Policy.

    Everything comes from the app itself, and of the scripts within a page's HTML only those
    that stand there now, known by their hashes.
    """
    scripts = sorted(
        {found for page in pages for found in INLINE_SCRIPT.findall(page.read_bytes())}
    )
    hashes = [f"'sha256-{_digest(script)}'" for script in scripts]
    allowed = DIRECTIVES | {"script-src": " ".join([DIRECTIVES["script-src"], *hashes])}
    return "; ".join(f"{name} {sources}" for name, sources in allowed.items())


def with_security_headers(app: ASGIApp, policy: str) -> ASGIApp:
    """The same app, whose every HTTP answer carries the headers; websockets pass through.

    What does not say how long it may be kept is not kept: no figure stays in a shared cache.
    """
    headers = HEADERS | {"Content-Security-Policy": policy}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                given.update(headers)
                given.setdefault("Cache-Control", "no-store")
            await send(message)

        await app(scope, receive, send_with_headers if scope["type"] == "http" else send)

    return answer


def _digest(script: bytes) -> str:
    return base64.b64encode(hashlib.sha256(script).digest()).decode()


STREAMLITS_OWN = "/_stcore/"
# A probe asks for the first, Streamlit's page for all of them. The websocket is no HTTP.
OPEN_PATHS = ("health", "host-config")
OPEN_FOLDER = "bidi-components/"
# What a page in a browser says while somebody uses it; the last is a click on a download.
USED = frozenset({"rerun_script", "stop_script", "app_heartbeat", "deferred_file"})
# All that somebody has chosen on a page is some kilobytes.
LONGEST = 1_000_000  # bytes
TOO_LONG = 1009  # as the websocket protocol has it


def only_what_is_used(app: ASGIApp, asked: Callable[[bytes], str | None]) -> ASGIApp:
    """The same app, which hears nothing but what its own pages ask for.

    Paths of Streamlit's own that they do not use answer 404: uploads, whose bytes would stay in
    memory, its metrics, its agents. Of what comes by a websocket, sign-in or not, only messages
    whose meaning, as `asked` tells it, is in use are passed on, so that nobody can empty the
    caches of all. One that is too long ends the connection.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await app(scope, _used(receive, send, asked), send)
        elif scope["type"] == "http" and not is_open(scope["path"]):
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return answer


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


def _used(receive: Receive, send: Send, asked: Callable[[bytes], str | None]) -> Receive:
    """What comes by a websocket, without the messages that no page of ours sends."""

    async def receive_used() -> Message:
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            if len(message.get("bytes") or message.get("text") or b"") > LONGEST:
                await send({"type": "websocket.close", "code": TOO_LONG})
                return {"type": "websocket.disconnect", "code": TOO_LONG}
            if asked(message.get("bytes") or b"") in USED:
                return message

    return receive_used

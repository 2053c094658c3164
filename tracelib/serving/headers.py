"""The headers that tell a browser what this app never does, so that it does not let it happen."""

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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

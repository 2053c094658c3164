"""The app behind a proxy that signs people in: `uvicorn tests.behind_proxy:app`."""

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Receive, Scope, Send

from asgi import app as inside

SECRET = "0123456789abcdef0123456789abcdef"
HEADER = "X-Forwarded-Email"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The app; its visitor is ada, or the person that a cookie names."""
    if scope["type"] in ("http", "websocket"):
        visitor = cookie_parser(Headers(scope=scope).get("cookie", "")).get("visitor", "ada")
        added = {HEADER: f"{visitor}@example.com", "X-Tracelib-Proxy-Secret": SECRET}
        lines = [(name.lower().encode(), value.encode()) for name, value in added.items()]
        scope = scope | {"headers": [*scope["headers"], *lines]}
    await inside(scope, receive, send)

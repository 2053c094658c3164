"""Streamlit's side doors: what it would answer anybody, and this app has no use for, stays out."""

from collections.abc import Callable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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

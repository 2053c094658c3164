"""Is the LiteLLM proxy itself alive and ready? The one question that is not asked of the database.

Both probes are open to everybody, so no key is needed or sent.
"""

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

ALIVE = "/health/liveliness"
READY = "/health/readiness"
MOST_BYTES = 64_000
LONGEST_WORDS = 200


@dataclass(frozen=True, slots=True)
class ProxyHealth:
    """What the proxy says of itself; `database` and `version` are None where it does not say.

    `sentence` says in words what is wrong, and is empty where nothing is.
    """

    alive: bool
    ready: bool
    database: str | None
    version: str | None
    sentence: str

    @property
    def database_is_connected(self) -> bool | None:
        """Does the proxy reach its database? None where it does not say."""
        return None if self.database is None else self.database.lower() == "connected"


def proxy_health(url: str, timeout_s: float = 3) -> ProxyHealth:
    """Is the proxy at this address alive, and ready to take requests? Never raises.

    Takes at most about twice `timeout_s`.
    """
    try:
        status, _ = _answer(url, ALIVE, timeout_s)
        if status != 200:
            return _absent(f"The proxy answers with status {status}, so it is not well.")
        status, said = _answer(url, READY, timeout_s)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _absent(f"The proxy does not answer: {_reason(error)}.")
    return _ready(status, said)


def _ready(status: int, said: dict[str, Any]) -> ProxyHealth:
    database, version = _words(said, "db"), _words(said, "litellm_version")
    if status != 200:
        sentence = f"The proxy is alive but not ready: it answers with status {status}."
    elif database and database.lower() != "connected":
        sentence = "The proxy is ready but says that its database is not connected."
    else:
        sentence = ""
    return ProxyHealth(True, status == 200, database, version, sentence)


def _absent(sentence: str) -> ProxyHealth:
    return ProxyHealth(False, False, None, None, sentence)


def _words(said: dict[str, Any], name: str) -> str | None:
    value = said.get(name)
    return value[:LONGEST_WORDS] if isinstance(value, str) and value else None


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return str(words)[:LONGEST_WORDS].rstrip(".")


def _answer(url: str, path: str, timeout_s: float) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a probe; an answer that is no object says nothing."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("its address does not start with http:// or https://")
    request = Request(url.rstrip("/") + path, headers={"User-Agent": "tracelib"})
    deadline = time.monotonic() + timeout_s
    try:
        with _opener(url).open(request, timeout=timeout_s) as response:
            return response.status, _object(_body(response, deadline))
    except HTTPError as error:
        with error:
            return error.code, _object(_body(error, deadline))


def _body(response: Any, deadline: float) -> bytes:
    """The socket's limit holds for each piece; a server that drips must not hold us up."""
    pieces = b""
    while len(pieces) < MOST_BYTES and (piece := response.read1(MOST_BYTES)):
        pieces += piece
        if time.monotonic() > deadline:
            raise TimeoutError("its answer took too long")
    return pieces


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


class _SameHost(HTTPRedirectHandler):
    """A proxy may send us to another of its own pages, but nobody may send us elsewhere."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).netloc != self.host:
            raise OSError("it redirects to another host")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(url: str) -> OpenerDirector:
    """Built by hand, so that file:// and ftp:// are unknown to it."""
    opener = OpenerDirector()
    opener.add_handler(ProxyHandler())
    opener.add_handler(HTTPHandler())
    opener.add_handler(HTTPSHandler())
    opener.add_handler(_SameHost(url))
    opener.add_handler(HTTPErrorProcessor())
    opener.add_handler(HTTPDefaultErrorHandler())
    return opener

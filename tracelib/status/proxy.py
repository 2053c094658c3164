"""Is the LiteLLM proxy itself alive and ready? The only query that does not use the database.

Both probes are open to everyone, so no key is needed or sent.
"""

import json
import re
import time
from dataclasses import dataclass
from typing import Any

import httpx

ALIVE = "/health/liveliness"
READY = "/health/readiness"
MOST_BYTES = 64_000
LONGEST_WORDS = 200
_ERROR_NUMBER = re.compile(r"^\[Errno -?\d+\] ")


@dataclass(frozen=True, slots=True)
class ProxyHealth:
    """The proxy's own report; `database` and `version` are None if it does not include them.

    `sentence` describes what is wrong, and is empty if nothing is.
    """

    alive: bool
    ready: bool
    database: str | None
    version: str | None
    sentence: str

    @property
    def database_is_connected(self) -> bool | None:
        """Does the proxy reach its database? None if it does not report it."""
        return None if self.database is None else self.database.lower() == "connected"


def proxy_health(url: str, timeout_s: float = 3) -> ProxyHealth:
    """Is the proxy at this address alive, and ready for requests? Never raises.

    Takes at most about twice `timeout_s`.
    """
    try:
        with _client(url, timeout_s) as client:
            status, _ = _probe(client, ALIVE, timeout_s)
            if status != 200:
                return _absent(f"The proxy is not healthy: it returned status {status}.")
            status, report = _probe(client, READY, timeout_s)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return _absent(f"The proxy is not responding: {_reason(error)}.")
    return _ready(status, report)


def _ready(status: int, report: dict[str, Any]) -> ProxyHealth:
    database, version = _words(report, "db"), _words(report, "litellm_version")
    if status != 200:
        sentence = f"The proxy is alive but not ready: it returned status {status}."
    elif database and database.lower() != "connected":
        sentence = "The proxy is ready but reports that its database is not connected."
    else:
        sentence = ""
    return ProxyHealth(True, status == 200, database, version, sentence)


def _absent(sentence: str) -> ProxyHealth:
    return ProxyHealth(False, False, None, None, sentence)


def _words(report: dict[str, Any], name: str) -> str | None:
    value = report.get(name)
    return value[:LONGEST_WORDS] if isinstance(value, str) and value else None


def _reason(error: Exception) -> str:
    words = _ERROR_NUMBER.sub("", str(error)) or type(error).__name__
    return words[:LONGEST_WORDS].rstrip(".")


def _client(url: str, timeout_s: float) -> httpx.Client:
    """A client for one proxy, which may redirect to its own pages and nowhere else."""
    base = httpx.URL(url)
    if base.scheme not in ("http", "https") or not base.host:
        raise ValueError("its URL does not start with http:// or https:// and a host")

    def stay(request: httpx.Request) -> None:
        if request.url.netloc != base.netloc:
            raise OSError("it redirects to another host")

    return httpx.Client(
        base_url=base,
        headers={"User-Agent": "tracelib"},
        timeout=timeout_s,
        follow_redirects=True,
        event_hooks={"request": [stay]},
    )


def _probe(client: httpx.Client, path: str, timeout_s: float) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a probe; a response that is not an object is empty.

    The client's timeout is per piece; this also limits the total, for a server that sends slowly.
    """
    deadline = time.monotonic() + timeout_s
    body = b""
    with client.stream("GET", path) as response:
        for piece in response.iter_bytes():
            body += piece
            if time.monotonic() > deadline:
                raise TimeoutError("the response took too long")
            if len(body) >= MOST_BYTES:
                break
    return response.status_code, _object(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

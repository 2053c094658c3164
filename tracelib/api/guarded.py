"""A path of the API as an ASGI app: authentication and rate limit come before anything is read."""

import hashlib
import hmac
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from threading import Lock

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tracelib import errors, events
from tracelib.activity import ACTIVITY
from tracelib.api.caller import body_of
from tracelib.api.problems import Problem, of_error
from tracelib.permissions.tokens import Token
from tracelib.querying.installation import Installation

A_MINUTE = 120
LONGEST_TOKEN = 1_000
LANE, MOST_WAITING = 2, 20
AT_ONCE = 3


@dataclass
class Gate:
    """The rate limits: how much each token has left, of a burst that refills in a minute.

    `lanes` limit what runs for each token: two requests, behind which a few more may wait.
    """

    left: dict[str, tuple[float, float]] = field(default_factory=dict)
    lanes: dict[str, CapacityLimiter] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def lane(self, token: Token) -> CapacityLimiter:
        """Where do requests of this token queue? Raises a Problem if the queue is full.

        To be called within the event loop.
        """
        lane = self.lanes.setdefault(token.name, CapacityLimiter(LANE))
        if lane.statistics().tasks_waiting >= MOST_WAITING:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"Too many requests at once: {LANE} may run and {MOST_WAITING} wait per token.",
                {"Retry-After": "1"},
            )
        return lane

    def pass_through(self, token: Token, cost: int = 1) -> dict[str, str]:
        """Count a request and return the rate limit headers. Raises a Problem if none is left.

        `cost` is its number of plain requests.
        """
        now = time.monotonic()
        with self.lock:
            level, at = self.left.get(token.name, (A_MINUTE, now))
            level = min(A_MINUTE, level + (now - at) * A_MINUTE / 60)
            is_let_in = level >= cost
            left = level - cost if is_let_in else level
            self.left[token.name] = (left, now)
        headers = _headers(left)
        if not is_let_in:
            wait_s = math.ceil((cost - level) * 60 / A_MINUTE)
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"Rate limit exceeded: {A_MINUTE} requests per minute and token.",
                headers | {"Retry-After": str(wait_s)},
            )
        return headers


def at_once(pool_size: int) -> int:
    """How many requests of all tokens are processed at the same time?

    Fewer than there are connections: programs queue instead of blocking the pages for as long as a
    search takes. Figures queried in parallel, which are quick, may still use all connections for a
    moment.
    """
    return max(1, min(AT_ONCE, pool_size - 1))


def token_of(tokens: Sequence[Token], headers: Headers) -> Token | None:
    """Which token does this request have? None without one; raises a Problem if it is unknown.

    All tokens are compared, each in constant time, so the duration reveals nothing.
    """
    values = headers.getlist("authorization")
    if not values:
        return None
    scheme, _, presented = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or len(presented) > LONGEST_TOKEN:
        raise unknown()
    digest = hashlib.sha256(presented.strip().encode()).digest()
    found = [token for token in tokens if hmac.compare_digest(token.sha256, digest)]
    if not found:
        raise unknown()
    return found[0]


def unknown() -> Problem:
    """The response to an unknown token."""
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "Send one valid token in the header Authorization: Bearer.",
        {"WWW-Authenticate": 'Bearer realm="tracelib"'},
    )


def _headers(level: float) -> dict[str, str]:
    return {
        "RateLimit-Limit": str(A_MINUTE),
        "RateLimit-Remaining": str(int(level)),
        "RateLimit-Reset": str(math.ceil((A_MINUTE - level) * 60 / A_MINUTE)),
    }


METHODS = ("GET", "HEAD", "POST")
# Monitoring requests these every few seconds.
WATCHING = ("/health", "/metrics")
LEVELS: dict[bool, events.Level] = {True: "debug", False: "info"}
# Responses must not be cached. Pages of other sites get no access: there is no CORS header.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Visit:
    """An authenticated request; `installed` is as its token sees it.

    `token` is None if the path is open and none was sent. `charge` counts it as this many more
    plain requests; it raises a Problem if the token does not have as many left.
    """

    installed: Installation
    token: Token | None
    request: Request
    body: bytes
    charge: Callable[[int], None]


def _failed(error: errors.TraceError) -> Response:
    return of_error(error).response({})


@dataclass(frozen=True, slots=True)
class Guarded:
    """One path and its method; without one, every method.

    `respond` runs in a thread and may raise a Problem, or a TraceError, which `failed` turns into a
    response. `is_open` accepts requests without a token: `respond` must reveal nothing to them.
    `auth_limiter` is for authentication, `limiter` for responses: open paths have their own.
    """

    installed: Callable[[], Installation]
    gate: Gate
    auth_limiter: CapacityLimiter
    limiter: CapacityLimiter
    method: str | None
    respond: Callable[[Visit], Response]
    is_open: bool = False
    failed: Callable[[errors.TraceError], Response] = _failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, request, started = dict(HEADERS), Request(scope, receive), time.monotonic()
        try:
            response = await self._response(request, headers)
            response.headers.update(headers)
        except Problem as problem:
            response = problem.response(headers)
        except errors.TraceError as error:
            response = self.failed(error)
            response.headers.update(headers)
        except Exception as fault:
            events.exception("api_fault", fault)
            ACTIVITY.record_error(errors.OwnFault(), "api")
            response = _broken().response(headers)
        _log(request, response.status_code, time.monotonic() - started)
        await response(scope, receive, send)

    async def _response(self, request: Request, headers: dict[str, str]) -> Response:
        """Adds the rate limit headers of the token to `headers`."""
        installed, token = await to_thread.run_sync(
            self._let_in, request, limiter=self.auth_limiter
        )

        def charge(cost: int) -> None:
            if token:
                headers.update(self.gate.pass_through(token, cost))

        request.state.token = token
        charge(1)
        if token:
            installed = replace(installed, access=token.access)
        if self.method and request.method not in _methods(self.method):
            raise _not_allowed(self.method)
        body = await body_of(request) if self.method == "POST" else b""
        return await self._queued(Visit(installed, token, request, body, charge))

    async def _queued(self, visit: Visit) -> Response:
        """Queue per token first, so a busy token only delays itself."""
        if self.is_open or visit.token is None:
            return await to_thread.run_sync(self.respond, visit, limiter=self.limiter)
        self.limiter.total_tokens = at_once(visit.installed.settings.pool_size)
        async with self.gate.lane(visit.token):
            return await to_thread.run_sync(self.respond, visit, limiter=self.limiter)

    def _let_in(self, request: Request) -> tuple[Installation, Token | None]:
        installed = self.installed()
        tokens = installed.settings.api_tokens
        if not tokens and not self.is_open:
            raise not_found()
        token = token_of(tokens, request.headers) if tokens else None
        if token is None and not self.is_open:
            raise unknown()
        return installed, token


def _log(request: Request, status: int, seconds: float) -> None:
    """Log a request by the template of its path: paths and parameters may hold text."""
    token: Token | None = getattr(request.state, "token", None)
    path = getattr(request.scope.get("route"), "path", "").replace(":anything", "") or None
    is_watching = path in WATCHING and status < HTTPStatus.BAD_REQUEST
    events.log(
        "warning" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else LEVELS[is_watching],
        "api_request",
        route=path,
        method=request.method if request.method in METHODS else None,
        status=status,
        seconds=seconds,
        token=token.name if token else None,
    )


def not_found() -> Problem:
    """The response for a missing path, or one that no one may see."""
    return Problem(HTTPStatus.NOT_FOUND, "There is nothing at this path.")


def _methods(method: str) -> tuple[str, ...]:
    return ("GET", "HEAD") if method == "GET" else (method,)


def _not_allowed(method: str) -> Problem:
    allowed = ", ".join(_methods(method))
    return Problem(HTTPStatus.METHOD_NOT_ALLOWED, f"Use {allowed}.", {"Allow": allowed})


def _broken() -> Problem:
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Unexpected error in the dashboard. See its log for details.",
    )

"""One path of the API as an ASGI app: who asks is settled before anything is read."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tracelib import errors
from tracelib.api.gate import Gate, at_once, token_of, unknown
from tracelib.api.problems import Problem, of_error
from tracelib.api.reading import body_of
from tracelib.asking.installation import Installation
from tracelib.tokens import Token

log = logging.getLogger(__name__)
# Nobody may keep a figure. No page of another site is let in: there is no CORS header.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that was let in; `installed` is as its token sees it.

    `token` is None where the path is open and none was sent. `charge` counts it as so many more
    plain requests; it raises a Problem where the token has not as much left.
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

    `answer` runs in a thread and may raise a Problem, or a TraceError, of which `failed` makes
    an answer. `is_open` lets those in who send no token: `answer` must tell them nothing. `doors`
    is the limiter of letting in, `limiter` that of answers: open paths have one of their own.
    """

    installed: Callable[[], Installation]
    gate: Gate
    doors: CapacityLimiter
    limiter: CapacityLimiter
    method: str | None
    answer: Callable[[Visit], Response]
    is_open: bool = False
    failed: Callable[[errors.TraceError], Response] = _failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(HEADERS)
        try:
            response = await self._response(Request(scope, receive), headers)
            response.headers.update(headers)
        except Problem as problem:
            response = problem.response(headers)
        except errors.TraceError as error:
            response = self.failed(error)
            response.headers.update(headers)
        except Exception:
            log.exception("Unexpected error in the API.")
            response = _broken().response(headers)
        await response(scope, receive, send)

    async def _response(self, request: Request, headers: dict[str, str]) -> Response:
        """`headers` gains those that say what the token has left."""
        installed, token = await to_thread.run_sync(self._let_in, request, limiter=self.doors)

        def charge(cost: int) -> None:
            if token:
                headers.update(self.gate.pass_through(token, cost))

        charge(1)
        if token:
            installed = replace(installed, access=token.access)
        if self.method and request.method not in _methods(self.method):
            raise _not_allowed(self.method)
        body = await body_of(request) if self.method == "POST" else b""
        return await self._answered(Visit(installed, token, request, body, charge))

    async def _answered(self, visit: Visit) -> Response:
        """In the token's own lane first: who asks much waits for themselves."""
        if self.is_open or visit.token is None:
            return await to_thread.run_sync(self.answer, visit, limiter=self.limiter)
        self.limiter.total_tokens = at_once(visit.installed.settings.pool_size)
        async with self.gate.lane(visit.token):
            return await to_thread.run_sync(self.answer, visit, limiter=self.limiter)

    def _let_in(self, request: Request) -> tuple[Installation, Token | None]:
        installed = self.installed()
        tokens = installed.settings.api_tokens
        if not tokens and not self.is_open:
            raise not_found()
        token = token_of(tokens, request.headers) if tokens else None
        if token is None and not self.is_open:
            raise unknown()
        return installed, token


def not_found() -> Problem:
    """Nothing is there, or not for anybody."""
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

"""Who is let in, how often and how many at once: tokens compared in constant time, and for each
a bucket and a lane."""

import hashlib
import hmac
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock

from anyio import CapacityLimiter
from starlette.datastructures import Headers

from tracelib.api.problems import Problem
from tracelib.tokens import Token

A_MINUTE = 120
LONGEST_TOKEN = 1_000
LANE, MOST_WAITING = 2, 20
AT_ONCE = 3


@dataclass
class Gate:
    """How much each token has left: so many requests at once, and as many again in a minute.

    `lanes` are what each has under way: two requests, behind which a few more may wait.
    """

    left: dict[str, tuple[float, float]] = field(default_factory=dict)
    lanes: dict[str, CapacityLimiter] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def lane(self, token: Token) -> CapacityLimiter:
        """Where do requests of this token wait for one another? Raises a Problem where it is full.

        Within the event loop.
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
        """Count a request; the headers that say what is left. Raises a Problem where nothing is.

        `cost` is that of so many plain ones.
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
    """How many requests of all tokens together are worked on at once?

    Less than there are connections: programs wait for one another rather than keep pages from
    the database for as long as a search takes. Figures asked side by side, which are quick, may
    still use all connections for a moment.
    """
    return max(1, min(AT_ONCE, pool_size - 1))


def token_of(tokens: Sequence[Token], headers: Headers) -> Token | None:
    """Whose request is it? None where it says nothing; raises a Problem where that is not known.

    Every token is compared, and each in constant time: how long it takes tells nothing.
    """
    said = headers.getlist("authorization")
    if not said:
        return None
    scheme, _, presented = said[0].partition(" ")
    if len(said) > 1 or scheme.lower() != "bearer" or len(presented) > LONGEST_TOKEN:
        raise unknown()
    digest = hashlib.sha256(presented.strip().encode()).digest()
    found = [token for token in tokens if hmac.compare_digest(token.sha256, digest)]
    if not found:
        raise unknown()
    return found[0]


def unknown() -> Problem:
    """Nobody whom this API knows."""
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

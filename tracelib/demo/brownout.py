"""A deployment that is too slow for a while: most requests succeed only after retries."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from tracelib.demo.exchange import Ask, Failure

DEPLOYMENT = "openai/gpt-4.1"
_MESSAGE = (
    "litellm.Timeout: APITimeoutError - Request timed out. The deployment is busy: {waiting} "
    "requests wait, request {id}, retry after {seconds} seconds."
)


@dataclass(frozen=True, slots=True)
class Brownout:
    """The half-open time [start, end), seconds since 1970, in which the deployment is too slow."""

    start: float
    end: float

    def hits(self, deployment: str, at: float) -> bool:
        """Is that deployment too slow at that time?"""
        return deployment == DEPLOYMENT and self.start <= at < self.end


NEVER = Brownout(0, 0)


def brownout(midnight: datetime) -> Brownout:
    """The one of the story, on the working day before this midnight."""
    day = midnight - timedelta(days=1)
    working = day - timedelta(days=max(day.weekday() - 4, 0))
    begin = working + timedelta(hours=8, minutes=20)
    return Brownout(begin.timestamp(), (begin + timedelta(hours=6)).timestamp())


def is_retried(rng: Random) -> bool:
    """Does a request succeed after retries? Three of four do."""
    return rng.random() < 0.75


def timeout(rng: Random, ask: Ask) -> Failure:
    """The error of one that does not."""
    text = _MESSAGE.format(
        waiting=rng.randint(40, 900),
        id=f"req_{rng.getrandbits(96):024x}",
        seconds=rng.randint(2, 30),
    )
    return Failure("Timeout", "408", f"{text} Model {ask.model.name}.", "408_UPSTREAM_TIMEOUT")

"""Traffic with a planted incident: a seed, and who fails when."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.rows import NOON, failure, key_of, metadata, spend_log

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# Provider, deployment and model group.
GPT = ("openai", "openai/gpt-4o", "gpt-4o")
MINI = ("openai", "openai/gpt-4o-mini", "gpt-4o-mini")
CLAUDE = ("anthropic", "anthropic/claude", "claude")
HAIKU = ("anthropic", "anthropic/haiku", "haiku")
EVERY = (GPT, MINI, CLAUDE, HAIKU)
Fails = Callable[[tuple[str, str, str], datetime], float]


def quiet(_: tuple[str, str, str], __: datetime) -> float:
    """One request in a hundred fails."""
    return 0.01


def outage(
    *served: tuple[str, str, str], start: datetime, end: datetime = NOON, share: float = 0.6
) -> Fails:
    """These fail from start to end, the others as usual."""
    return lambda way, at: share if way in served and start <= at < end else 0.01


def traffic(
    fails: Fails = quiet,
    count: int = 3_000,
    days: float = 5,
    until: datetime = NOON,
    seed: int = 1,
    recent: int = 400,
) -> list[dict]:
    """So many requests of four deployments, and `recent` ones in the last six hours."""
    rng = Random(seed)
    times = [until - days * DAY * rng.random() for _ in range(count)]
    times += [until - 6 * HOUR * rng.random() for _ in range(recent)]
    return [request(rng, rng.choice(EVERY), at, fails, n) for n, at in enumerate(times)]


def request(
    rng: Random, way: tuple[str, str, str], at: datetime, fails: Fails, number: int, **more: Any
) -> dict:
    """One request: it fails by chance."""
    facts = {**of(way), "startTime": at, "team_id": f"team-{number % 3}", **more}
    facts = {"user": f"user-{number % 5}", "api_key": key_of(f"{number % 4}")} | facts
    facts = {"session_id": f"session-{number}"} | facts
    if rng.random() < fails(way, at):
        message = f"Overloaded, request req_{rng.getrandbits(96):024x} of {number} tokens"
        return failure("529", "InternalServerError", message, **facts)
    return spend_log(**facts)


def of(way: tuple[str, str, str]) -> dict[str, str]:
    """The columns of a request that this deployment served."""
    provider, deployment, group = way
    return {"custom_llm_provider": provider, "model": deployment, "model_group": group}


def fallen_back(at: datetime, asked: tuple[str, str, str], served: tuple[str, str, str]) -> dict:
    """A success of another model group than the one that was requested."""
    facts = metadata(attempted_fallbacks=1, original_model_group=asked[2])
    return spend_log(**of(served), startTime=at, metadata=facts)

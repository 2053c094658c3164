"""What is sent again with each request, and what the provider's cache did not serve of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.types import BigInteger

from tracelib.filters import Filters
from tracelib.savings.bodies import NEWEST_BODIES, bodies
from tracelib.source import Source
from tracelib.spendlogs import marks
from tracelib.spendlogs.measures import Relation, added_up, alphabetical

MOST_GROUPS = 2_000


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a provider's cache did not serve what was sent before, and what to do."""

    title: str
    definition: str
    remedy: str


# In this order: a miss has the first cause that fits.
CAUSES: Mapping[str, Cause] = {
    marks.TOO_SHORT: Cause(
        "Too short",
        "Less than 1,024 tokens were sent again: providers do not cache so few.",
        "Nothing to mend, unless several short prompts can share one longer beginning.",
    ),
    marks.NOT_REQUESTED: Cause(
        "Not requested",
        "A model of the Claude family, whose cache a request must ask for (cache_control), and "
        "none did.",
        "Add cache_control to the system prompt and to the newest message, or let LiteLLM do so "
        "(cache_control_injection_points).",
    ),
    marks.OTHER_DEPLOYMENT: Cause(
        "Other deployment",
        "The request before went to another deployment, whose cache is its own: load balancing, or "
        "a fallback.",
        "Keep a session on one deployment (deployment affinity: prompt_caching in "
        "optional_pre_call_checks of the router).",
    ),
    marks.EXPIRED: Cause(
        "Expired",
        "The request before began more than five minutes earlier.",
        "Where the provider offers it, ask for a cache of an hour (ttl: 1h); it costs more to "
        "write.",
    ),
    marks.TOOLS_CHANGED: Cause(
        "Tools changed",
        "The list of tools differs from that of the request before.",
        "Send the same tools, in the same order, with each request of a session.",
    ),
    marks.CLOCK: Cause(
        "A clock in the system prompt",
        "The system prompt differs from the one before in nothing but numbers, dates or IDs.",
        "Move what changes to the end of the prompt, or into the newest message.",
    ),
    marks.SYSTEM_CHANGED: Cause(
        "System prompt changed",
        "The system prompt differs from that of the request before.",
        "Keep what is the same at the beginning, and what differs at the end.",
    ),
    marks.UNKNOWN: Cause(
        "Unknown",
        "Nothing that is stored explains it: the cache was full, or messages differ in a part that "
        "is not stored.",
        "Compare two such requests in their session.",
    ),
}


@dataclass(frozen=True, slots=True)
class Resent:
    """The requests with a body of one deployment, and of one cause of a miss; None is no miss.

    Tokens: `resent` had been sent in the request before, `missed` the cache should have served and
    did not, `cached` it did serve. Without those of cache hits and failures.
    """

    model: str
    deployment: str | None
    provider: str | None
    cause: str | None
    requests: int
    prompt_tokens: int
    cached: int
    resent: int
    resent_cached: int
    missed: int


def resent(source: Source, filters: Filters, newest: int = NEWEST_BODIES) -> tuple[Resent, ...]:
    """What was sent again, and why did the provider's cache not serve it?

    By model, deployment, provider and cause, most missed tokens first. Over at most the `newest`
    requests with a stored prompt, or all of a replica that reads bodies. None gives nothing.
    """
    _, known = bodies(source, filters, newest)
    rows = source.rows(_grouped(known))
    return tuple(Resent(**row._mapping) for row in rows)


def _grouped(known: Relation) -> Select[Any]:
    columns = known.c
    cached = func.coalesce(columns.cached_prompt_tokens, 0)
    by = {
        "model": columns.model,
        "deployment": columns.deployment,
        "provider": columns.provider,
        "cause": columns.miss,
    }
    sums = {
        "prompt_tokens": columns.prompt_tokens,
        "cached": cached,
        "resent": columns.resent_tokens,
        "resent_cached": func.least(columns.resent_tokens, cached),
        "missed": columns.missed_tokens,
    }
    done = (~columns.is_failure, ~columns.is_cache_hit)
    found = (
        select(
            *(column.label(name) for name, column in by.items()),
            func.count().label("requests"),
            *(
                func.coalesce(added_up(one), 0, type_=BigInteger()).label(name)
                for name, one in sums.items()
            ),
        )
        .where(*done)
        .group_by(*by.values())
        .subquery("found")
    )
    order = (alphabetical(found.c[name]) for name in by)
    return select(*found.c).order_by(found.c.missed.desc(), *order).limit(MOST_GROUPS)

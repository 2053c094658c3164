"""Tools that requests offer and the model never calls."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.types import BigInteger, Text

from tracelib.filters import Filters
from tracelib.savings.bodies import NEWEST_BODIES, bodies
from tracelib.source import Source
from tracelib.spendlogs.body_facts import SIZED
from tracelib.spendlogs.measures import Relation, added_up, alphabetical
from tracelib.spendlogs.types import BETWEEN

MOST_GROUPS = 2_000
# A tool that was offered less often may be called yet.
LEAST_OFFERED = 50
BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Unused:
    """A tool that the requests of a key with a deployment offered, and that the key never called.

    `tokens` is its size in all of them together, at four bytes a token; `cached_share` how much of
    these prompts the provider read from its cache.
    """

    api_key: str
    tool: str
    deployment: str | None
    provider: str | None
    requests: int
    tokens: int
    cached_share: float


def unused_tools(
    source: Source, filters: Filters, newest: int = NEWEST_BODIES
) -> tuple[Unused, ...]:
    """Which tools were offered in at least 50 requests of a key, and never called by it?

    By key, tool and deployment, most tokens first. Over at most the `newest` requests with a stored
    prompt, or all of a replica that reads bodies. None gives nothing.
    """
    _, known = bodies(source, filters, newest)
    rows = source.rows(_groups(known))
    return unused([Group(**row._mapping) for row in rows])


@dataclass(frozen=True, slots=True)
class Group:
    """The requests of a key and a deployment that offer the same tools, or call the same."""

    api_key: str
    deployment: str | None
    provider: str | None
    offered: str | None
    called: str | None
    requests: int
    prompt_tokens: int
    cached: int


def unused(groups: Iterable[Group]) -> tuple[Unused, ...]:
    """Which offered tools do no calls of the same key have?"""
    listed = list(groups)
    called = {
        (one.api_key, name) for one in listed for name in (one.called or "").split(BETWEEN) if name
    }
    offers = [(one, name, size) for one in listed for name, size in _offered(one)]
    times: Counter[tuple[str, str]] = Counter()
    for one, name, _ in offers:
        times[one.api_key, name] += one.requests
    found: dict[tuple[str, str, str | None, str | None], Unused] = {}
    for one, name, size in offers:
        if (one.api_key, name) in called or times[one.api_key, name] < LEAST_OFFERED:
            continue
        key = (one.api_key, name, one.deployment, one.provider)
        found[key] = _with(found.get(key), one, name, size)
    return tuple(sorted(found.values(), key=lambda one: (-one.tokens, one.api_key, one.tool)))


def _with(before: Unused | None, one: Group, name: str, size: int) -> Unused:
    tokens = one.requests * size // BYTES_A_TOKEN
    share = one.cached / one.prompt_tokens if one.prompt_tokens else 0.0
    if before is None:
        return Unused(one.api_key, name, one.deployment, one.provider, one.requests, tokens, share)
    both = before.tokens + tokens
    mixed = (before.cached_share * before.tokens + share * tokens) / both if both else 0.0
    requests = before.requests + one.requests
    return Unused(one.api_key, name, one.deployment, one.provider, requests, both, mixed)


def _offered(one: Group) -> list[tuple[str, int]]:
    """Names and sizes; the last one may be cut off."""
    entries = (entry.rpartition(SIZED) for entry in (one.offered or "").split(BETWEEN))
    return [(name, int(size)) for name, _, size in entries if name and size.isdecimal()]


def _groups(known: Relation) -> Select[Any]:
    """The groups that offer tools, and those that call some, most requests first."""
    parts = (
        _of(known, known.c.tools_offered, None),
        _of(known, None, known.c.tools_called),
    )
    found = union_all(*parts).subquery("found")
    order = (found.c.requests.desc(), *(alphabetical(found.c[name]) for name in TEXTS))
    return select(*found.c).order_by(*order).limit(MOST_GROUPS)


TEXTS = ("api_key", "deployment", "provider", "offered", "called")


def _of(known: Relation, offered: Any, called: Any) -> Select[Any]:
    columns = known.c
    names = offered if offered is not None else called
    by = (columns.api_key, columns.deployment, columns.provider, names)
    nothing = func.nullif("", "", type_=Text())
    return (
        select(
            columns.api_key,
            columns.deployment,
            columns.provider,
            (nothing if offered is None else offered).label("offered"),
            (nothing if called is None else called).label("called"),
            func.count().label("requests"),
            func.coalesce(added_up(columns.prompt_tokens), 0, type_=BigInteger()).label(
                "prompt_tokens"
            ),
            func.coalesce(added_up(columns.cached_prompt_tokens), 0, type_=BigInteger()).label(
                "cached"
            ),
        )
        .where(names.is_not(None), ~columns.is_cache_hit)
        .group_by(*by)
    )

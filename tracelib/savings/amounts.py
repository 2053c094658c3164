"""The money of tokens that were sent again, missed by the cache, or taken by unused tools."""

from collections.abc import Iterable
from dataclasses import dataclass

from tracelib.savings.caching import CAUSES, Cause, Resent
from tracelib.savings.prices import PriceBook
from tracelib.savings.tools import Unused


@dataclass(frozen=True, slots=True)
class Misses:
    """The requests of which a provider's cache did not serve `tokens`, for one cause.

    `usd` is what the cache would have saved, of the `priced` tokens whose prices are known.
    """

    cause: str
    requests: int
    tokens: int
    priced: int
    usd: float

    @property
    def declared(self) -> Cause:
        """What the cause means."""
        return CAUSES[self.cause]


@dataclass(frozen=True, slots=True)
class Context:
    """The tokens of prompts, how many had been sent in the request before, and their cost."""

    requests: int
    prompt_tokens: int
    resent: int
    cached: int
    usd: float

    @property
    def share(self) -> float | None:
        """Which share of the prompts had been sent before? None of none."""
        return self.resent / self.prompt_tokens if self.prompt_tokens else None


@dataclass(frozen=True, slots=True)
class ToolCost:
    """A tool that a key offers and never calls: in how many requests, and what that cost.

    `usd` is None if no price is known.
    """

    api_key: str
    tool: str
    requests: int
    tokens: int
    usd: float | None


def misses(rows: Iterable[Resent], book: PriceBook) -> tuple[Misses, ...]:
    """What did each cause cost? In the order of `CAUSES`, those with requests."""
    found: dict[str, Misses] = {}
    for row in rows:
        if row.cause is None:
            continue
        price = book.price(row.deployment, row.provider)
        rates = price.at(0) if price else None
        old = found.get(row.cause, Misses(row.cause, 0, 0, 0, 0.0))
        found[row.cause] = Misses(
            row.cause,
            old.requests + row.requests,
            old.tokens + row.missed,
            old.priced + (row.missed if rates else 0),
            old.usd + (row.missed * max(rates.input - rates.read, 0.0) if rates else 0.0),
        )
    return tuple(found[cause] for cause in CAUSES if cause in found)


def context(rows: Iterable[Resent], book: PriceBook) -> Context:
    """How much was sent again, and what did that cost? Tokens without a price cost nothing here."""
    listed = list(rows)
    usd = 0.0
    for row in listed:
        price = book.price(row.deployment, row.provider)
        if price is not None:
            rates = price.at(0)
            fresh = row.resent - row.resent_cached
            usd += fresh * rates.input + row.resent_cached * rates.read
    return Context(
        sum(row.requests for row in listed),
        sum(row.prompt_tokens for row in listed),
        sum(row.resent for row in listed),
        sum(row.resent_cached for row in listed),
        usd,
    )


def tool_costs(rows: Iterable[Unused], book: PriceBook) -> tuple[ToolCost, ...]:
    """What did each tool that a key never calls cost? Most tokens first."""
    found: dict[tuple[str, str], ToolCost] = {}
    for row in rows:
        usd = _tool_usd(row, book)
        old = found.get((row.api_key, row.tool), ToolCost(row.api_key, row.tool, 0, 0, None))
        known = [one for one in (old.usd, usd) if one is not None]
        found[row.api_key, row.tool] = ToolCost(
            row.api_key,
            row.tool,
            old.requests + row.requests,
            old.tokens + row.tokens,
            sum(known) if known else None,
        )
    return tuple(sorted(found.values(), key=lambda one: (-one.tokens, one.api_key, one.tool)))


def _tool_usd(row: Unused, book: PriceBook) -> float | None:
    price = book.price(row.deployment, row.provider)
    if price is None:
        return None
    rates = price.at(0)
    rate = row.cached_share * rates.read + (1 - row.cached_share) * rates.input
    return row.tokens * rate

"""What requests cost by a price list: their own models', and what another model would cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, case, cast, func, select
from sqlalchemy.types import BigInteger, Integer

from tracelib.filters import Filters
from tracelib.savings.prices import Origin, Price, PriceBook
from tracelib.savings.waste import NEWEST
from tracelib.source import Source
from tracelib.spendlogs import facts
from tracelib.spendlogs.measures import Relation, added_up, alphabetical
from tracelib.spendlogs.types import MONEY

# A request has the size of the largest of these that its prompt exceeds, in tokens: prices and what
# fits into a model change at some of them.
SIZES = (0, 8_192, 32_768, 65_536, 128_000, 200_000, 272_000, 400_000, 1_000_000)
CLOSE = 0.01
# The tokens of one text differ between models about as much.
TOKENIZERS_DIFFER = 0.2
MOST_GROUPS = 2_000
KEPT = (
    *("model", "deployment", "provider", "is_cache_hit", "is_failure", "spend_usd"),
    *("prompt_tokens", "completion_tokens"),
)


@dataclass(frozen=True, slots=True)
class Use:
    """Requests of one deployment and size, what they cost, in US dollars, and their tokens.

    `cached` and `written` are the parts of the prompt read from the provider's cache and written to
    it.
    """

    model: str
    deployment: str | None
    provider: str | None
    size: int
    requests: int
    prompt_tokens: int
    cached: int
    written: int
    completion_tokens: int
    cost_usd: Decimal

    def by(self, price: Price, has_cache: bool = True) -> float:
        """What do these tokens cost at this price, with or without its cache?"""
        rates = price.at(self.size + 1)
        cached, written = (self.cached, self.written) if has_cache else (0, 0)
        plain = max(self.prompt_tokens - cached - written, 0)
        return (
            plain * rates.input
            + cached * rates.read
            + written * rates.write
            + self.completion_tokens * rates.output
        )


def uses(source: Source, filters: Filters, newest: int = NEWEST) -> tuple[Use, ...]:
    """How many tokens of each kind did each deployment take, by the size of the prompts?

    Highest cost first. Requests with a cost and a prompt, over at most the `newest` where the
    facts are in a JSON document of each row, over all in a replica. None gives nothing.
    """
    read = facts.newest(source.requests(filters), newest, *KEPT)
    known = facts.with_prompt_caching(read, *KEPT).subquery("known")
    rows = source.rows(_grouped(known))
    return tuple(Use(**dict(row._mapping) | {"cost_usd": Decimal(row.cost_usd)}) for row in rows)


def _grouped(known: Relation) -> Select[Any]:
    columns = known.c
    by = (columns.model, columns.deployment, columns.provider, _size(columns.prompt_tokens))
    sums = {
        "prompt_tokens": columns.prompt_tokens,
        "cached": columns.cached_prompt_tokens,
        "written": columns.cache_write_tokens,
        "completion_tokens": columns.completion_tokens,
    }
    found = (
        select(
            *by[:3],
            by[3].label("size"),
            func.count().label("requests"),
            *(
                func.coalesce(added_up(one), 0, type_=BigInteger()).label(name)
                for name, one in sums.items()
            ),
            cast(func.sum(columns.spend_usd), MONEY).label("cost_usd"),
        )
        .where(columns.spend_usd > 0, columns.prompt_tokens > 0)
        .group_by(*by)
        .subquery("found")
    )
    names = (alphabetical(found.c[name]) for name in ("model", "deployment", "provider"))
    order = (found.c.cost_usd.desc(), *names, found.c.size)
    return select(*found.c).order_by(*order).limit(MOST_GROUPS)


def _size(tokens: ColumnElement[int]) -> ColumnElement[int]:
    sizes = ((tokens > least, least) for least in reversed(SIZES[1:]))
    return cast(case(*sizes, else_=0), Integer)


@dataclass(frozen=True, slots=True)
class Repriced:
    """A deployment: what was booked, and what its tokens cost by its own price; None if unknown."""

    deployment: str
    provider: str | None
    requests: int
    booked_usd: float
    usd: float | None
    origin: Origin | None

    @property
    def gap(self) -> float | None:
        """By which share of what was booked do the two differ?"""
        if self.usd is None or not self.booked_usd:
            return None
        return (self.usd - self.booked_usd) / self.booked_usd

    @property
    def is_close(self) -> bool:
        """Do they differ by at most 1 %?"""
        return self.gap is not None and abs(self.gap) <= CLOSE


def repriced(used: Sequence[Use], book: PriceBook) -> tuple[Repriced, ...]:
    """What do the tokens of each deployment cost by its own price? Highest cost first."""
    by: dict[tuple[str, str | None], list[Use]] = {}
    for one in used:
        by.setdefault((one.deployment or one.model, one.provider), []).append(one)
    found = (_repriced(name, provider, some, book) for (name, provider), some in by.items())
    return tuple(sorted(found, key=lambda one: (-one.booked_usd, one.deployment)))


def _repriced(name: str, provider: str | None, some: Sequence[Use], book: PriceBook) -> Repriced:
    price = book.price(name, provider)
    return Repriced(
        name,
        provider,
        sum(one.requests for one in some),
        float(sum((one.cost_usd for one in some), Decimal())),
        None if price is None else sum(one.by(price) for one in some),
        None if price is None else price.origin,
    )


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What `feasible` of these `requests` cost, and would cost on another model, in US dollars.

    `usd` is with the cache as it was used, `uncached_usd` without any.
    """

    requests: int
    feasible: int
    booked_usd: float
    usd: float
    uncached_usd: float

    @property
    def share(self) -> float | None:
        """Which share of the requests fits into the model? None of none."""
        return self.feasible / self.requests if self.requests else None

    @property
    def band_usd(self) -> tuple[float, float]:
        """The least and the most, because tokenizers differ."""
        return self.usd * (1 - TOKENIZERS_DIFFER), self.usd * (1 + TOKENIZERS_DIFFER)


def what_if(used: Iterable[Use], price: Price) -> WhatIf:
    """What would these requests cost at this price, as far as they fit into the model?"""
    every = list(used)
    fitting = [one for one in every if _fits(one, price)]
    return WhatIf(
        sum(one.requests for one in every),
        sum(one.requests for one in fitting),
        float(sum((one.cost_usd for one in fitting), Decimal())),
        sum(one.by(price) for one in fitting),
        sum(one.by(price, has_cache=False) for one in fitting),
    )


def _fits(one: Use, price: Price) -> bool:
    """Do all requests of this size fit? Where the context is unknown, it is said to be."""
    if price.context is None:
        return True
    longest = next((size for size in SIZES if size > one.size), None)
    return longest is not None and longest <= price.context

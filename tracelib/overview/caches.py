"""Two caches that have nothing in common: LiteLLM's own, and the provider's for prompts."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Subquery, func, select
from sqlalchemy.types import Double

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.facts import with_prompt_caching


@dataclass(frozen=True, slots=True)
class CacheSavings:
    """What LiteLLM's cache served, and what it would have cost, in US dollars."""

    hits: int
    replayed_tokens: int
    saved_usd_estimate: float | None


@dataclass(frozen=True, slots=True)
class PromptCaching:
    """What the provider's prompt cache did for the `requests_read` newest of `requests`.

    `cached_prompt_tokens` were read from it and are part of `prompt_tokens`;
    `cache_write_tokens` were written to it. Requests that LiteLLM's own cache answered went
    to no provider, so their tokens are not among them.
    """

    requests_read: int
    requests: int
    prompt_tokens: int
    cached_prompt_tokens: int
    cache_write_tokens: int

    @property
    def share(self) -> float | None:
        """Which share of the prompt tokens was read from the provider's cache?"""
        return self.cached_prompt_tokens / self.prompt_tokens if self.prompt_tokens else None


def cache_savings(source: Source, filters: Filters) -> CacheSavings:
    """How many tokens did LiteLLM's cache serve, and what did that save?

    The estimate is, over each model, the replayed tokens times what a billed token of that
    model cost in the window on average. A model of which no token was billed has no such price
    and adds nothing; where no model with hits has one, the estimate is None. No hits saved 0.
    """
    found = source.row(_cache_savings(source.requests(filters)))
    saved = found.saved_usd_estimate if found.hits else 0.0
    return CacheSavings(found.hits, found.replayed_tokens, saved)


def prompt_caching(source: Source, filters: Filters, newest: int = 20_000) -> PromptCaching:
    """How much of the prompts did the provider read from its own cache?

    Over at most the `newest` requests of the window, because the figures are in a JSON
    document of each row; exact where `requests_read` equals `requests`.
    """
    found = source.row(_prompt_caching(source.requests(filters), newest))
    return PromptCaching(**found._mapping)


def _cache_savings(requests: Subquery) -> Select[Any]:
    each = _tokens_by_model(requests).subquery("each")
    price = measures.ratio(each.c.cost_usd, each.c.billed_tokens)
    saved = func.sum(each.c.replayed_tokens * price, type_=Double())
    figures = measures.named(
        hits=func.coalesce(measures.added_up(each.c.hits), 0),
        replayed_tokens=func.coalesce(measures.added_up(each.c.replayed_tokens), 0),
        saved_usd_estimate=saved.filter(each.c.hits > 0),
    )
    return select(*figures)


def _tokens_by_model(requests: Subquery) -> Select[Any]:
    figures = measures.named(
        hits=measures.hits(requests),
        replayed_tokens=measures.replayed(requests, "total_tokens"),
        billed_tokens=measures.billed(requests, "total_tokens"),
        cost_usd=measures.cost_usd(requests),
    )
    return select(*figures).group_by(requests.c.model)


def _prompt_caching(requests: Subquery, newest: int) -> Select[Any]:
    read = _newest(requests, newest).subquery("read")
    facts = with_prompt_caching(read, "is_cache_hit", "prompt_tokens").subquery("facts")
    figures = measures.named(
        requests_read=measures.requests_count(),
        requests=select(func.count()).select_from(requests).scalar_subquery(),
        prompt_tokens=measures.billed(facts, "prompt_tokens"),
        cached_prompt_tokens=measures.billed(facts, "cached_prompt_tokens"),
        cache_write_tokens=measures.billed(facts, "cache_write_tokens"),
    )
    return select(*figures).select_from(facts)


def _newest(requests: Subquery, newest: int) -> Select[Any]:
    return (
        select(*(requests.c[name] for name in ("is_cache_hit", "prompt_tokens", "metadata")))
        .order_by(requests.c.start_order.desc(), requests.c.request_id)
        .limit(newest)
    )

"""What did users, teams, keys and tags cost, and what did caches save?"""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import CTE, Select, Subquery, func, literal, select, true, union_all
from sqlalchemy.types import BigInteger, Double, Text

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import facts, measures
from tracelib.spendlogs.conditions import key_or_none
from tracelib.spendlogs.figures import chosen
from tracelib.spendlogs.measures import client_tags
from tracelib.spendlogs.types import MONEY, are_columns

OWNERS = ("user", "team", "key")


def cost_by_owner(source: Source, filters: Filters, limit: int = 10) -> pd.DataFrame:
    """Which users, teams and keys cost most?

    At most `limit` rows for each of user, team and key, in that order, highest cost first:

        dimension     'user', 'team' or 'key'
        id            text; None is everything without one
        name          text, the name of the ID; None if the ID is
        requests, failures, total_tokens     int
        cost_usd      US dollars
        share         of the cost of the whole window, 0 to 1; NaN if that is 0
        rank          int, from 1 within the dimension

    No request gives the same columns without rows.
    """
    return source.frame(_costliest_owners(source, source.requests(filters), limit))


def cost_by_tag(source: Source, filters: Filters, limit: int = 10) -> pd.DataFrame:
    """Which tags cost most?

    A row per tag that clients sent, highest cost first, at most `limit`:

        tag                       text
        requests, total_tokens    int
        cost_usd                  US dollars

    A request counts once for each of its tags, so the rows do not add up to the window's cost.
    LiteLLM's automatic `User-Agent:` tags are left out; request_tags that are not a list count as
    none. No tag gives the same columns without rows.
    """
    return source.frame(_costliest_tags(source.requests(filters), limit))


def _costliest_owners(source: Source, requests: Subquery, limit: int) -> Select[Any]:
    sums = {one: _sums(requests, one) for one in OWNERS}
    if not are_columns(requests):
        # The rows are read once, and summed per combination of user, team and key.
        sums = dict.fromkeys(OWNERS, _trios(requests))
    costliest = (_costliest(source, sums[one], one, limit) for one in OWNERS)
    found = union_all(*costliest).subquery("found")
    # Descending, the three are in the order of OWNERS.
    return select(*found.c).order_by(found.c.dimension.desc(), found.c.rank)


def _trios(requests: Subquery) -> CTE:
    """The identity of a key is computed per combination rather than per row."""
    grouped = _summed(requests, "user", "team", "key_group").subquery("grouped")
    return select(*grouped.c, key_or_none(grouped.c.key_group).label("key")).cte("trios")


def _sums(requests: Subquery, dimension: str) -> CTE:
    return _summed(requests, dimension).cte(f"sums_{dimension}")


def _summed(requests: Subquery, *owners: str) -> Select[Any]:
    by = [requests.c[one] for one in owners]
    figures = chosen(requests, "requests", "failures", "cost_usd", "total_tokens")
    return select(*by, *figures, measures.sample(requests)).group_by(*by)


def _costliest(source: Source, sums: CTE, dimension: str, limit: int) -> Select[Any]:
    each = _ranked(sums, dimension).subquery(f"each_{dimension}")
    whole = select(func.sum(sums.c.cost_usd, type_=MONEY)).scalar_subquery()
    return select(
        literal(dimension, Text()).label("dimension"),
        each.c.id,
        source.name_of(dimension, each.c.id, each.c.sample).label("name"),
        each.c.requests,
        each.c.failures,
        each.c.cost_usd,
        each.c.total_tokens,
        measures.ratio(each.c.cost_usd, whole).label("share"),
        each.c.rank,
    ).where(each.c.rank <= limit)


def _ranked(trios: CTE, dimension: str) -> Select[Any]:
    owner = trios.c[dimension]
    cost = func.sum(trios.c.cost_usd, type_=MONEY)
    order = (cost.desc(), measures.alphabetical(owner))
    return select(
        owner.label("id"),
        measures.added_up(trios.c.requests).label("requests"),
        measures.added_up(trios.c.failures).label("failures"),
        cost.label("cost_usd"),
        measures.added_up(trios.c.total_tokens).label("total_tokens"),
        measures.last_of(trios.c.sample).label("sample"),
        func.row_number(type_=BigInteger()).over(order_by=order).label("rank"),
    ).group_by(owner)


def _costliest_tags(requests: Subquery, limit: int) -> Select[Any]:
    """Equal lists of tags are added up before they are split: there are few of them."""
    lists = _tag_lists(requests).cte("lists")
    tag = client_tags(lists.c.request_tags)
    cost = func.sum(lists.c.cost_usd, type_=MONEY)
    return (
        select(
            tag.c.tag,
            measures.added_up(lists.c.requests).label("requests"),
            cost.label("cost_usd"),
            measures.added_up(lists.c.total_tokens).label("total_tokens"),
        )
        .select_from(lists.join(tag, true()))
        .group_by(tag.c.tag)
        .order_by(cost.desc(), measures.alphabetical(tag.c.tag))
        .limit(limit)
    )


def _tag_lists(requests: Subquery) -> Select[Any]:
    tags = requests.c.request_tags
    figures = chosen(requests, "requests", "cost_usd", "total_tokens")
    return select(tags, *figures).group_by(tags)


@dataclass(frozen=True, slots=True)
class CacheSavings:
    """What LiteLLM's cache served, and what it would have cost, in US dollars."""

    hits: int
    replayed_tokens: int
    saved_usd_estimate: float | None


@dataclass(frozen=True, slots=True)
class PromptCaching:
    """What the provider cache did for the `requests_read` newest of `requests`.

    `cached_prompt_tokens` were read from it and are part of `prompt_tokens`; `cache_write_tokens`
    were written to it. Cache hits of LiteLLM's own cache went to no provider, so their tokens are
    not included.
    """

    requests_read: int
    requests: int
    prompt_tokens: int
    cached_prompt_tokens: int
    cache_write_tokens: int

    @property
    def share(self) -> float | None:
        """Which share of the prompt tokens was read from the provider cache?"""
        return self.cached_prompt_tokens / self.prompt_tokens if self.prompt_tokens else None


def cache_savings(source: Source, filters: Filters) -> CacheSavings:
    """How many tokens did LiteLLM's cache serve, and what did that save?

    The estimate is, summed over models, the replayed tokens times the average cost of a billed
    token of that model in the window. A model without billed tokens has no such price and adds
    nothing; if no model with hits has one, the estimate is None. No hits saved 0.
    """
    found = source.row(_cache_savings(source.requests(filters)))
    saved = found.saved_usd_estimate if found.hits else 0.0
    return CacheSavings(found.hits, found.replayed_tokens, saved)


def prompt_caching(source: Source, filters: Filters, newest: int = 20_000) -> PromptCaching:
    """How much of the prompts did the provider read from its own cache?

    Over at most the `newest` requests of the window where the figures are in a JSON document of
    each row, over all of them in a replica; exact if `requests_read` equals `requests`.
    """
    found = source.row(_prompt_caching(source.requests(filters), newest))
    return PromptCaching(**found._mapping)


def _cache_savings(requests: Subquery) -> Select[Any]:
    each = _tokens_by_model(requests).subquery("each")
    price = measures.ratio(each.c.cost_usd, each.c.total_tokens)
    saved = func.sum(each.c.replayed_tokens * price, type_=Double())
    figures = measures.named(
        hits=func.coalesce(measures.added_up(each.c.cache_hits), 0),
        replayed_tokens=func.coalesce(measures.added_up(each.c.replayed_tokens), 0),
        saved_usd_estimate=saved.filter(each.c.cache_hits > 0),
    )
    return select(*figures)


def _tokens_by_model(requests: Subquery) -> Select[Any]:
    figures = chosen(requests, "cache_hits", "replayed_tokens", "total_tokens", "cost_usd")
    return select(*figures).group_by(requests.c.model)


def _prompt_caching(requests: Subquery, newest: int) -> Select[Any]:
    read = facts.newest(requests, newest, "is_cache_hit", "prompt_tokens")
    known = facts.with_prompt_caching(read, "is_cache_hit", "prompt_tokens").subquery("known")
    every = select(func.count().label("requests")).select_from(requests).subquery("every")
    figures = measures.named(
        requests_read=func.count(),
        prompt_tokens=measures.billed(known, "prompt_tokens"),
        cached_prompt_tokens=measures.billed(known, "cached_prompt_tokens"),
        cache_write_tokens=measures.billed(known, "cache_write_tokens"),
    )
    sums = select(*figures).select_from(known).subquery("sums")
    return select(*sums.c, every.c.requests).select_from(sums.join(every, true()))

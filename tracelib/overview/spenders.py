"""Who and what the money went to: users, teams, keys and tags."""

from typing import Any

import pandas as pd
from sqlalchemy import CTE, Select, Subquery, func, literal, select, true, union_all
from sqlalchemy.types import BigInteger, Numeric, Text

from tracelib.filters import Filters
from tracelib.schema import Schema
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.names import name_of
from tracelib.spendlogs.shown import key_or_none
from tracelib.spendlogs.tags import client_tags

OWNERS = ("user", "team", "key")


def cost_by_owner(source: Source, filters: Filters, limit: int = 10) -> pd.DataFrame:
    """Which users, teams and keys cost most?

    At most `limit` rows for each of user, team and key, in that order, dearest first:

        dimension     'user', 'team' or 'key'
        id            text; None is everything without one
        name          text, what people call it; None where the id is
        requests, failures, total_tokens     int
        cost_usd      US dollars
        share         of the cost of the whole window, 0 to 1; NaN where that is 0
        rank          int, from 1 within the dimension

    No request gives the same columns without rows.
    """
    return source.frame(_dearest_owners(source.schema, source.requests(filters), limit))


def cost_by_tag(source: Source, filters: Filters, limit: int = 10) -> pd.DataFrame:
    """Which tags cost most?

    A row a tag that clients sent, dearest first, at most `limit`:

        tag                       text
        requests, total_tokens    int
        cost_usd                  US dollars

    A request counts once for each of its tags, so the rows do not add up to the window's
    cost. LiteLLM's automatic `User-Agent:` tags are left out; request_tags that are no list
    say nothing. No tag gives the same columns without rows.
    """
    return source.frame(_dearest_tags(source.requests(filters), limit))


def _dearest_owners(schema: Schema, requests: Subquery, limit: int) -> Select[Any]:
    """The rows are read once, into a line for each trio of user, team and key."""
    trios = _trios(requests)
    found = union_all(*(_dearest(schema, trios, one, limit) for one in OWNERS)).subquery("found")
    # Falling, the three are in the order of OWNERS.
    return select(*found.c).order_by(found.c.dimension.desc(), found.c.rank)


def _trios(requests: Subquery) -> CTE:
    """The identity of a key is worked out for each line rather than for each row."""
    owners = [requests.c[one] for one in ("user", "team", "key_group")]
    grouped = (
        select(
            *owners,
            measures.requests_count().label("requests"),
            measures.failures(requests).label("failures"),
            measures.cost_usd(requests).label("cost_usd"),
            measures.billed(requests, "total_tokens").label("total_tokens"),
            func.max(requests.c.request_id, type_=Text()).label("sample_request_id"),
        )
        .group_by(*owners)
        .subquery("grouped")
    )
    return select(*grouped.c, key_or_none(grouped.c.key_group).label("key")).cte("trios")


def _dearest(schema: Schema, trios: CTE, dimension: str, limit: int) -> Select[Any]:
    each = _ranked(trios, dimension).subquery(f"each_{dimension}")
    whole = select(func.sum(trios.c.cost_usd, type_=Numeric())).scalar_subquery()
    return select(
        literal(dimension, Text()).label("dimension"),
        each.c.id,
        name_of(schema, dimension, each.c.id, each.c.sample_request_id).label("name"),
        each.c.requests,
        each.c.failures,
        each.c.cost_usd,
        each.c.total_tokens,
        measures.ratio(each.c.cost_usd, whole).label("share"),
        each.c.rank,
    ).where(each.c.rank <= limit)


def _ranked(trios: CTE, dimension: str) -> Select[Any]:
    owner = trios.c[dimension]
    cost = func.sum(trios.c.cost_usd, type_=Numeric())
    return select(
        owner.label("id"),
        measures.added_up(trios.c.requests).label("requests"),
        measures.added_up(trios.c.failures).label("failures"),
        cost.label("cost_usd"),
        measures.added_up(trios.c.total_tokens).label("total_tokens"),
        func.max(trios.c.sample_request_id, type_=Text()).label("sample_request_id"),
        func.row_number(type_=BigInteger()).over(order_by=(cost.desc(), owner)).label("rank"),
    ).group_by(owner)


def _dearest_tags(requests: Subquery, limit: int) -> Select[Any]:
    """Equal lists of tags are added up before they are taken apart: there are few of them."""
    lists = _tag_lists(requests).cte("lists")
    tag = client_tags(lists.c.request_tags)
    cost = func.sum(lists.c.cost_usd, type_=Numeric())
    return (
        select(
            tag.c.tag,
            measures.added_up(lists.c.requests).label("requests"),
            cost.label("cost_usd"),
            measures.added_up(lists.c.total_tokens).label("total_tokens"),
        )
        .select_from(lists.join(tag, true()))
        .group_by(tag.c.tag)
        .order_by(cost.desc(), tag.c.tag)
        .limit(limit)
    )


def _tag_lists(requests: Subquery) -> Select[Any]:
    return select(
        requests.c.request_tags,
        measures.requests_count().label("requests"),
        measures.cost_usd(requests).label("cost_usd"),
        measures.billed(requests, "total_tokens").label("total_tokens"),
    ).group_by(requests.c.request_tags)

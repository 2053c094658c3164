"""What groups of requests cost in each period: the statements of the cost table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Subquery,
    case,
    cast,
    func,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.types import BigInteger, Integer, Text

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.buckets import in_periods
from tracelib.spendlogs.conditions import key_or_none
from tracelib.spendlogs.figures import chosen
from tracelib.spendlogs.measures import client_tags
from tracelib.spendlogs.types import MONEY, are_columns

TAG = "tag"
# What costs are grouped by: its name, and that of several.
DIMENSIONS: Mapping[str, tuple[str, str]] = {
    "team": ("Team", "teams"),
    "user": ("User", "users"),
    "key": ("Key", "keys"),
    "model": ("Model", "models"),
    "provider": ("Provider", "providers"),
    TAG: ("Tag", "tags"),
    "end_user": ("End user", "end users"),
    "agent": ("Agent", "agents"),
}
FIGURES = ("requests", "cost_usd", "total_tokens")
# The number of the time before the first period.
BEFORE = -1


def in_order(
    source: Source, filters: Filters, edges: Sequence[datetime], start: datetime
) -> Subquery:
    """The requests with `period`: the number of that between the edges, or `BEFORE` the start."""
    requests = in_periods(source.requests(filters), edges)
    period = case((requests.c.started_at < start, BEFORE), else_=requests.c.bucket_number)
    return select(*requests.c, cast(period, Integer).label("period")).subquery("placed")


def by_period(placed: Subquery) -> Select[Any]:
    """What do all requests cost in each period? Rows of period and the figures, in order."""
    period = placed.c.period
    return select(period, *chosen(placed, *FIGURES)).group_by(period).order_by(period)


def by_group(placed: Subquery, by: str) -> tuple[CTE, CTE]:
    """What does each group cost in each period, and what all of them together?

    Two CTEs with the columns value (of the group, NULL for none), period, and the figures; the
    second without value. With tags a request is in the group of each of its tags.
    """
    finest = _finest(placed, _stored(by))
    whole = select(finest.c.period, *_added_up(finest)).group_by(finest.c.period).cte("whole")
    return _with_values(finest, by).cte("groups"), whole


def of_groups(placed: Subquery, by: str, ids: Sequence[str | None]) -> Select[Any]:
    """What do the groups with these IDs cost in each period? Rows of id, period, the figures."""
    if are_columns(placed) and by != TAG:
        # Others are not grouped at all.
        placed = select(*placed.c).where(_is_one(placed.c[_stored(by)], ids)).subquery("chosen")
    groups = _with_values(_finest(placed, _stored(by)), by).cte("groups")
    return (
        select(groups.c.value.label("id"), groups.c.period, *_added_up(groups))
        .where(_is_one(groups.c.value, ids))
        .group_by(groups.c.value, groups.c.period)
        .order_by(measures.alphabetical(groups.c.value), groups.c.period)
    )


def _is_one(value: ColumnElement[Any], ids: Sequence[str | None]) -> ColumnElement[bool]:
    named = value.in_([one for one in ids if one is not None])
    return or_(named, value.is_(None)) if None in ids else named


def _stored(by: str) -> str:
    return {"key": "key_group", TAG: "request_tags"}.get(by, by)


def _finest(placed: Subquery, name: str) -> CTE:
    """Keys and lists of tags are grouped as they are stored: their values are computed once."""
    by = (placed.c[name].label("stored"), placed.c.period)
    figures = (*chosen(placed, *FIGURES), measures.sample(placed))
    return select(*by, *figures).group_by(placed.c[name], placed.c.period).cte("finest")


def _with_values(finest: CTE, by: str) -> Select[Any]:
    others = (finest.c.period, *(finest.c[name] for name in (*FIGURES, "sample")))
    if by == TAG:
        tag = client_tags(finest.c.stored)
        return select(tag.c.tag.label("value"), *others).select_from(finest.outerjoin(tag, true()))
    value = key_or_none(finest.c.stored) if by == "key" else finest.c.stored
    return select(value.label("value"), *others)


def _added_up(groups: CTE | Subquery) -> list[ColumnElement[Any]]:
    return measures.named(
        requests=measures.added_up(groups.c.requests),
        cost_usd=func.sum(groups.c.cost_usd, type_=MONEY),
        total_tokens=measures.added_up(groups.c.total_tokens),
    )


def costliest(source: Source, groups: CTE, by: str, limit: int) -> Select[Any]:
    """The periods of the groups that cost most since the start, and of all others together.

    Columns: place (from 1, that of all others is `limit` + 1), id, name, period, the figures, and
    last_place (the number of groups that are together in this place, counted from the first).
    """
    since = case((groups.c.period > BEFORE, groups.c.cost_usd), else_=cast(0, MONEY))
    each = select(groups.c.value, func.sum(since, type_=MONEY).label("total"))
    totals = each.group_by(groups.c.value).subquery("totals")
    order = (totals.c.total.desc(), measures.alphabetical(totals.c.value))
    rank = func.row_number(type_=BigInteger()).over(order_by=order).label("rank")
    ranks = select(totals.c.value, rank).subquery("ranks")
    # No value is empty, and NULL is not equal to NULL.
    is_same = func.coalesce(groups.c.value, "") == func.coalesce(ranks.c.value, "")
    ranked = select(*groups.c, ranks.c.rank).select_from(groups.join(ranks, is_same)).subquery()
    is_own = ranked.c.rank <= limit
    placed = select(
        *ranked.c,
        case((is_own, ranked.c.rank), else_=limit + 1).label("place"),
        case((is_own, ranked.c.value)).label("id"),
    ).subquery("in_places")
    summed = (
        select(
            placed.c.place,
            placed.c.id,
            placed.c.period,
            *_added_up(placed),
            func.max(placed.c.rank, type_=BigInteger()).label("last_place"),
            measures.last_of(placed.c.sample).label("sample"),
        )
        .group_by(placed.c.place, placed.c.id, placed.c.period)
        .cte("summed")
    )
    return _named(source, summed, by, limit)


def _named(source: Source, summed: CTE, by: str, limit: int) -> Select[Any]:
    """A name is looked up once for each group."""
    owned = (
        select(summed.c.place, summed.c.id, measures.last_of(summed.c.sample).label("sample"))
        .where(summed.c.place <= limit)
        .group_by(summed.c.place, summed.c.id)
        .subquery("owned")
    )
    name = source.name_of(by, owned.c.id, owned.c.sample).label("name")
    names = select(owned.c.place, name).subquery("named")
    columns = (summed.c.place, summed.c.id, names.c.name, summed.c.period)
    figures = (summed.c[name] for name in (*FIGURES, "last_place"))
    return (
        select(*columns, *figures)
        .select_from(summed.outerjoin(names, names.c.place == summed.c.place))
        .order_by(summed.c.place, summed.c.period)
    )


def of_all(whole: CTE) -> Select[Any]:
    """The periods of all requests together: id, which is NULL, period and the figures."""
    nothing = null().cast(Text()).label("id")
    return select(nothing, whole.c.period, *(whole.c[name] for name in FIGURES)).order_by(
        whole.c.period
    )

"""How quickly do the owners of budgets spend? What each has cost in each of the last seven days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Subquery,
    case,
    cast,
    func,
    literal,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.types import Text

from tracelib.costs.kinds import Kind
from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.buckets import in_periods
from tracelib.spendlogs.conditions import key_or_none
from tracelib.spendlogs.measures import client_tags
from tracelib.spendlogs.types import MONEY, are_columns
from tracelib.window import TimeWindow

DAYS = 7
MOST_PACES = 5_000
# The columns of a kind's ID, and of the team of a member.
COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "key": ("key_group",),
    "team": ("team",),
    "user": ("user",),
    "member": ("user", "team"),
    "end_user": ("end_user",),
    "organization": ("organization",),
    "tag": ("request_tags",),
}


@dataclass(frozen=True, slots=True)
class Pace:
    """What an owner has cost in each of seven times 24 hours up to now, the oldest first.

    Exact US dollars. `team_id` is None unless it is a team member.
    """

    kind: Kind
    id: str
    team_id: str | None
    days: tuple[Decimal, ...]


def paces(source: Source, now: datetime, kinds: tuple[Kind, ...]) -> tuple[Pace, ...]:
    """What did the keys, teams and others of these kinds cost in each of the last seven days?

    Of each kind at most `MOST_PACES`, those with the highest cost. Those without cost are left out.
    """
    if not kinds:
        return ()
    edges = [now.replace(microsecond=0) - timedelta(days=day) for day in range(DAYS, -1, -1)]
    window = Filters(TimeWindow(edges[0], edges[-1]))
    requests = in_periods(source.requests(window), edges)
    finest = {kind: _finest(requests, [kind], f"finest_{kind}") for kind in kinds}
    if not are_columns(requests):
        # The rows are read once, whatever they are added up by.
        finest = dict.fromkeys(kinds, _finest(requests, kinds, "finest"))
    arms = [_of_kind(finest[kind], kind).subquery(f"of_{kind}") for kind in kinds]
    found = union_all(*(select(*one.c) for one in arms)).subquery("found")
    order = (found.c.kind, *(measures.alphabetical(found.c[one]) for one in ("id", "team")))
    rows = source.rows(select(*found.c).order_by(*order))
    return tuple(Pace(row.kind, row.id, row.team, tuple(row[3:])) for row in rows)


def _finest(requests: Subquery, kinds: Sequence[Kind], called: str) -> CTE:
    names = dict.fromkeys(name for kind in kinds for name in COLUMNS[kind])
    by = (*(requests.c[name] for name in names), requests.c.bucket_number)
    cost = func.sum(requests.c.spend_usd, type_=MONEY).label("cost_usd")
    return select(*by, cost).where(requests.c.spend_order != 0).group_by(*by).cte(called)


def _of_kind(finest: CTE, kind: Kind) -> Select[Any]:
    rows = _owned(finest, kind)
    by = (rows.c.id, rows.c.team)
    days = [_cost_of(rows, day).label(f"day_{day}") for day in range(DAYS)]
    has_owner = [rows.c.id.is_not(None), *([rows.c.team.is_not(None)] if kind == "member" else [])]
    whole = func.sum(rows.c.cost_usd, type_=MONEY)
    order = (whole.desc(), *(measures.alphabetical(one) for one in by))
    of_kind = literal(kind, Text()).label("kind")
    summed = select(of_kind, *by, *days).where(*has_owner).group_by(*by)
    return summed.order_by(*order).limit(MOST_PACES)


def _owned(finest: CTE, kind: Kind) -> Subquery:
    """The costs with their owner: id, and the team of a team member."""
    others = (finest.c.bucket_number, finest.c.cost_usd)
    nothing = null().cast(Text()).label("team")
    if kind == "tag":
        tag = client_tags(finest.c.request_tags)
        tagged = finest.join(tag, true())
        return select(tag.c.tag.label("id"), nothing, *others).select_from(tagged).subquery("rows")
    own = finest.c[COLUMNS[kind][0]]
    known = key_or_none(own) if kind == "key" else own
    team = finest.c.team.label("team") if kind == "member" else nothing
    return select(known.label("id"), team, *others).subquery("rows")


def _cost_of(rows: Subquery, day: int) -> ColumnElement[Any]:
    is_then = case((rows.c.bucket_number == day, rows.c.cost_usd), else_=cast(0, MONEY))
    return func.sum(is_then, type_=MONEY)

"""The sums of a window and of the one before, for each value of each dimension."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Row,
    Select,
    Subquery,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.types import BigInteger, DateTime, Double, Text

from tracelib.changes.measures import MEASURES, SUMS, Group, Measure, Sums
from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.buckets import starts_from
from tracelib.spendlogs.conditions import key_or_none
from tracelib.spendlogs.types import MONEY, are_columns
from tracelib.window import LONGEST, TimeWindow

OWNERS, SERVED = ("key", "user", "team"), ("model", "provider")
GROUPED = (*OWNERS, *SERVED)
# Of each dimension, the values that changed most by each measure are read; the rest is one sum.
MOST_READ = 25
# Sessions are read for one measure. Some more, in case those at the end differ only by their ID.
MOST_SESSIONS, SPARE = 20, 30
WHOLE = "whole"
PERIODS = ("before", "now")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A window and the one before: the sums of all requests, and of the groups that changed most.

    `groups` are by dimension, then by ID; `counts` says how many each dimension has in all.
    `log_begins` is the oldest request of the log, None for an empty one.
    """

    window: TimeWindow
    earlier: TimeWindow
    log_begins: datetime | None
    before: Sums
    now: Sums
    groups: tuple[Group, ...]
    counts: Mapping[str, int]

    @property
    def is_covered(self) -> bool:
        """Does the log reach back to the start of the earlier window?"""
        return self.log_begins is not None and self.log_begins <= self.earlier.start

    def of(self, dimension: str) -> tuple[Group, ...]:
        """The groups of this dimension."""
        return tuple(one for one in self.groups if one.dimension == dimension)


def comparison(source: Source, filters: Filters) -> Comparison:
    """What did the requests of the window and of the one before add up to, by each dimension?

    By key, user, team, model and provider. No request gives sums of 0.
    """
    window, earlier = filters.window, filters.window.previous()
    both = filters.within(TimeWindow(earlier.start, window.end))
    requests = source.requests(both)
    rows = source.rows(_by_dimension(source, requests, window.start))
    reach = TimeWindow(window.start - 2 * LONGEST, window.end)
    begins: datetime | None = source.row(source.first_start(reach)).first
    whole = next((one for one in map(_group, rows) if one.dimension == WHOLE), None)
    return Comparison(
        window,
        earlier,
        begins,
        whole.before if whole else Sums(),
        whole.now if whole else Sums(),
        tuple(one for one in map(_group, rows) if one.dimension != WHOLE),
        {row.dimension: row.in_all for row in rows if row.dimension != WHOLE},
    )


def changed_sessions(source: Source, filters: Filters, measure: str) -> tuple[Group, ...]:
    """Which sessions changed the sum of this measure most, against the window before?

    Those whose sum, or whose dividend of an average, changed most, by the size of the change, then
    by ID; at most 20. A session in only one of the windows is new or gone. None without requests.
    """
    window, earlier = filters.window, filters.window.previous()
    both = filters.within(TimeWindow(earlier.start, window.end))
    chosen = MEASURES[measure]
    requests = source.requests(both)
    found = [_session(row) for row in source.rows(_sessions(source, requests, window, chosen))]
    return tuple(sorted(found, key=lambda one: _by_size(one, chosen))[:MOST_SESSIONS])


def _by_size(group: Group, measure: Measure) -> tuple[Any, ...]:
    change = measure.amount(group.now) - measure.amount(group.before)
    return -abs(change), group.id or "", group.key or ""


def _by_dimension(source: Source, requests: Subquery, start: datetime) -> Select[Any]:
    """The rows are summed per combination of dimensions, and those are added up.

    In one scan; in a replica in two, of fewer combinations, which is quicker there.
    """
    scans = (OWNERS, SERVED) if are_columns(requests) else (GROUPED,)
    combined = {
        one: cte
        for names in scans
        for cte in [_combined(requests, start, names).cte(f"combined_{names[0]}")]
        for one in names
    }
    whole = select(
        literal(WHOLE, Text()).label("dimension"),
        null().cast(Text()).label("id"),
        null().cast(Text()).label("name"),
        literal(1, BigInteger()).label("in_all"),
        *_both_periods(combined[GROUPED[-1]]),
    )
    each = (_of_dimension(source, combined[one], one) for one in GROUPED)
    found = union_all(whole, *each).subquery("found")
    return select(*found.c).order_by(found.c.dimension, measures.alphabetical(found.c.id))


def _combined(requests: Subquery, start: datetime, names: tuple[str, ...]) -> Select[Any]:
    """The identity of a key is computed per combination rather than per row."""
    by = [requests.c["key_group" if one == "key" else one] for one in names]
    is_now = starts_from(requests, start).label("is_now")
    sums = (one.label(name) for name, one in _sums(requests).items())
    grouped = select(*by, is_now, *sums, measures.sample(requests)).group_by(*by, is_now)
    if "key" not in names:
        return grouped
    found = grouped.subquery("grouped")
    return select(*found.c, key_or_none(found.c.key_group).label("key"))


def _sums(requests: Subquery) -> dict[str, ColumnElement[Any]]:
    response_ms = func.sum(requests.c.response_ms, type_=Double())
    return {
        "requests": measures.requests_count(requests),
        "failures": measures.failures(requests),
        "cost_usd": func.coalesce(func.sum(requests.c.spend_usd, type_=MONEY), 0, type_=MONEY),
        "tokens": measures.total_tokens(requests),
        "answered": func.count(requests.c.response_ms),
        "response_ms": cast(func.coalesce(response_ms, 0), BigInteger),
    }


def _both_periods(combined: CTE) -> list[ColumnElement[Any]]:
    """The sums of both windows, of partial sums."""
    found: list[ColumnElement[Any]] = []
    for period in PERIODS:
        is_in = combined.c.is_now if period == "now" else ~combined.c.is_now
        for name in SUMS:
            kind = MONEY if name == "cost_usd" else BigInteger()
            total = func.sum(combined.c[name], type_=kind).filter(is_in)
            whole = total if name == "cost_usd" else cast(total, BigInteger)
            found.append(func.coalesce(whole, 0, type_=kind).label(f"{period}_{name}"))
    return found


def _of_dimension(source: Source, combined: CTE, dimension: str) -> Select[Any]:
    """The values of a dimension that changed most by any measure."""
    value = combined.c[dimension]
    each = select(
        value.label("id"),
        measures.last_of(combined.c.sample).label("sample"),
        *_both_periods(combined),
    ).group_by(value)
    one = each.subquery(f"each_{dimension}")
    counted = select(
        *one.c,
        func.count(type_=BigInteger()).over().label("in_all"),
        *(_place(one, measure).label(f"by_{name}") for name, measure in MEASURES.items()),
    ).subquery(f"placed_{dimension}")
    is_first = or_(*(counted.c[f"by_{name}"] <= MOST_READ for name in MEASURES))
    return select(
        literal(dimension, Text()).label("dimension"),
        counted.c.id,
        source.name_of(dimension, counted.c.id, counted.c.sample).label("name"),
        counted.c.in_all,
        *(counted.c[f"{period}_{name}"] for period in PERIODS for name in SUMS),
    ).where(is_first)


def _place(each: Subquery, measure: Measure) -> ColumnElement[int]:
    change = func.abs(each.c[f"now_{measure.part}"] - each.c[f"before_{measure.part}"])
    order = (change.desc(), measures.alphabetical(each.c.id))
    return func.row_number(type_=BigInteger()).over(order_by=order)


def _sessions(
    source: Source, requests: Subquery, window: TimeWindow, measure: Measure
) -> Select[Any]:
    """Those that changed most are found by one sum, and then all of theirs are computed."""
    is_now = starts_from(requests, window.start)
    amount = _amount(requests, measure)
    change = func.sum(case((is_now, amount), else_=-amount), type_=amount.type)
    last = func.max(requests.c.start_order, type_=DateTime())
    top = (
        select(requests.c.session_group.label("one"))
        .group_by(requests.c.session_group)
        .order_by(func.abs(func.coalesce(change, 0)).desc(), last.desc())
        .limit(MOST_SESSIONS + SPARE)
        .cte("top")
    )
    named = select(*requests.c, is_now.label("is_now")).where(
        requests.c.session_group.in_(select(top.c.one))
    )
    rows = named.subquery("named")
    sums = _combined_session(rows).cte("session_sums")
    api_key = func.coalesce(func.max(key_or_none(sums.c.key_group)), "", type_=Text())
    each = select(
        func.max(sums.c.session_id, type_=Text()).label("id"),
        api_key.label("key"),
        measures.last_of(sums.c.sample).label("sample"),
        *_both_periods(sums),
    ).group_by(sums.c.session_group)
    one = each.subquery("each")
    name = source.name_of("key", func.nullif(one.c.key, "", type_=Text()), one.c.sample)
    return select(*(column for column in one.c if column.name != "sample"), name.label("name"))


def _combined_session(rows: Subquery) -> Select[Any]:
    by = (rows.c.session_group, rows.c.session_id, rows.c.key_group, rows.c.is_now)
    sums = (one.label(name) for name, one in _sums(rows).items())
    return select(*by, *sums, measures.sample(rows)).group_by(*by)


def _amount(requests: Subquery, measure: Measure) -> ColumnElement[Any]:
    """What a request adds to the sum: of cost the column that is quicker to add up."""
    if measure.part == "cost_usd":
        return requests.c.spend_usd if are_columns(requests) else requests.c.spend_order
    if measure.part == "failures":
        return case((requests.c.is_failure, 1), else_=0)
    return literal(1) if measure.part == "requests" else requests.c.response_ms


def _group(row: Row[Any]) -> Group:
    before, now = _periods(row)
    return Group(row.dimension, row.id, row.name, before, now)


def _session(row: Row[Any]) -> Group:
    before, now = _periods(row)
    return Group("session", row.id, row.name, before, now, row.key)


def _periods(row: Row[Any]) -> Iterator[Sums]:
    for period in PERIODS:
        found = {name: getattr(row, f"{period}_{name}") for name in SUMS}
        # DuckDB writes nothing with 15 decimals.
        yield Sums(**found | {"cost_usd": found["cost_usd"] or Decimal(0)})

"""Hourly figures of the largest teams, users, keys and models: what anomalies are found in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, Subquery, case, cast, func, or_, select
from sqlalchemy.types import BigInteger, Double

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.buckets import in_buckets
from tracelib.spendlogs.conditions import key_or_none
from tracelib.spendlogs.types import MONEY
from tracelib.window import BUCKETS

# Of each dimension: by cost, and as many by requests.
LARGEST = 50
HOUR = timedelta(hours=1)
COUNTED = ("requests", "failures", "tokens", "log_ms", "timed")
# Logarithms are added up as whole numbers, so that a sum is the same in any order.
PARTS_OF_LOG = 1_000

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """Figures of entities by hour: arrays with a row per entity and a column per hour.

    `ids` has an entity's dimension and ID, `names` how it is shown; the first is everything
    together. `log_ms` is the sum of the logarithms of the response times in milliseconds, of
    `timed` requests. `counts` is how many IDs each dimension has, with those that are too small to
    have a row.
    """

    start: datetime
    ids: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    cost_usd: Values
    requests: Values
    failures: Values
    tokens: Values
    log_ms: Values
    timed: Values
    counts: tuple[tuple[str, int], ...] = ()

    @property
    def hours(self) -> int:
        return int(self.requests.shape[1])

    def at(self, hour: int) -> datetime:
        """When does this hour begin?"""
        return self.start + hour * HOUR


def hourly(source: Source, filters: Filters, dimension: str) -> pd.DataFrame:
    """What did the largest IDs of a dimension do in each hour of the window?

    A row per ID and hour with a request, by ID, then hour; the ID None is all others together and
    the requests without one:

        id, name      text
        hour          int, from 0, the first hour of the window
        requests, failures, tokens, timed    int; tokens are those billed
        cost_usd      US dollars
        log_ms        int, the sum of thousandths of the natural logarithms of response times
        ids           int, how many IDs the dimension has in the window

    Largest are the first 50 by cost, and the first 50 by requests. The window begins with an hour.
    """
    return source.frame(_hourly(source, source.requests(filters), filters, dimension))


def _hourly(source: Source, requests: Subquery, filters: Filters, dimension: str) -> Select[Any]:
    bucketed = in_buckets(requests, filters, BUCKETS["1h"])
    grouped_by = "key_group" if dimension == "key" else dimension
    by = [bucketed.c[grouped_by], bucketed.c.bucket_number]
    hours = (
        select(by[0].label("id"), by[1].label("hour"), *_sums(bucketed), measures.sample(bucketed))
        .group_by(*by)
        .cte("hours")
    )
    largest = _largest(hours).subquery("largest")
    joined = hours.outerjoin(largest, hours.c.id == largest.c.id)
    identity = key_or_none(largest.c.id) if dimension == "key" else largest.c.id
    # The identity of no key is none either, and not that of a key.
    known = case((largest.c.id.is_not(None), identity))
    added = [cast(func.sum(hours.c[name]), BigInteger).label(name) for name in COUNTED]
    by_hour = (
        select(
            known.label("id"),
            hours.c.hour,
            *added,
            func.sum(hours.c.cost_usd, type_=MONEY).label("cost_usd"),
            measures.last_of(hours.c.sample).label("sample"),
            func.max(largest.c.ids).label("ids"),
        )
        .select_from(joined)
        .group_by(known, hours.c.hour)
        .subquery("by_hour")
    )
    named = source.name_of(dimension, by_hour.c.id, by_hour.c.sample).label("name")
    figures = [by_hour.c[name] for name in ("hour", *COUNTED, "cost_usd", "ids")]
    order = (measures.alphabetical(by_hour.c.id).nulls_first(), by_hour.c.hour)
    return select(by_hour.c.id, named, *figures).order_by(*order)


def _sums(requests: Subquery) -> list[ColumnElement[Any]]:
    is_timed = requests.c.response_ms >= 1
    log_ms: ColumnElement[float] = (
        func.ln(case((is_timed, requests.c.response_ms)), type_=Double()) * PARTS_OF_LOG
    )
    whole = cast(func.round(log_ms, type_=Double()), BigInteger)
    return measures.named(
        requests=func.count(),
        failures=measures.failures(requests),
        tokens=measures.total_tokens(requests),
        log_ms=func.coalesce(cast(func.sum(whole), BigInteger), 0),
        timed=func.count().filter(is_timed),
        cost_usd=measures.cost_usd(requests),
    )


def _largest(hours: Any) -> Select[Any]:
    """The largest IDs of all hours; requests without an ID are no entity."""
    cost = func.sum(hours.c.cost_usd, type_=MONEY)
    requests = measures.added_up(hours.c.requests)
    tie = measures.alphabetical(hours.c.id)
    ranks = {"by_cost": (cost.desc(), tie), "by_requests": (requests.desc(), tie)}
    numbers = [
        func.row_number(type_=BigInteger()).over(order_by=order).label(name)
        for name, order in ranks.items()
    ]
    ids = func.count(type_=BigInteger()).over().label("ids")
    known = hours.c.id.is_not(None) & (hours.c.id != "")
    each = select(hours.c.id, ids, *numbers).where(known).group_by(hours.c.id).subquery("each")
    is_large = or_(each.c.by_cost <= LARGEST, each.c.by_requests <= LARGEST)
    return select(each.c.id, each.c.ids).where(is_large)


def series_of(frames: Sequence[tuple[str, pd.DataFrame]], start: datetime, hours: int) -> Series:
    """The frames of dimensions as arrays, with everything together first.

    Everything is the sum of the first frame, in which each request is counted once.
    """
    ids: list[tuple[str, str]] = [("", "")]
    names, counts, tables = ["Everything"], [], []
    for dimension, frame in frames:
        entities = frame.dropna(subset=["id"]).drop_duplicates("id", keep="last")
        places = {one: len(ids) + place for place, one in enumerate(entities["id"])}
        ids += [(dimension, str(one)) for one in entities["id"]]
        names += [str(name) for name in entities["name"]]
        counts.append((dimension, int(frame["ids"].max()) if len(entities) else 0))
        tables.append((frame, frame["id"].map(places)))
    values = {name: np.zeros((len(ids), hours)) for name in (*COUNTED, "cost_usd")}
    for number, (frame, rows) in enumerate(tables):
        columns = frame["hour"].to_numpy(dtype=int)
        known = rows.notna().to_numpy()
        at = rows.to_numpy(dtype=float, na_value=0).astype(int)
        for name, table in values.items():
            figures = frame[name].to_numpy(dtype=float)
            np.add.at(table, (at[known], columns[known]), figures[known])
            if number == 0:
                np.add.at(table, (np.zeros(len(columns), int), columns), figures)
    return Series(start, tuple(ids), tuple(names), counts=tuple(counts), **values)

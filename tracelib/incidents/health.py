"""LiteLLM's own health checks as intervals, and what traffic says of the same time.

LiteLLM stores a check only if its status has changed, or an hour has passed since the last one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, column, func, literal, select, table, union_all
from sqlalchemy.types import DateTime, Integer, Text

from tracelib.filters import Filters
from tracelib.source import Postgres, Source
from tracelib.spendlogs.faults import can_read_hidden, counting, with_faults
from tracelib.spendlogs.measures import alphabetical
from tracelib.spendlogs.types import utc
from tracelib.window import TimeWindow

CHECKS = "LiteLLM_HealthCheckTable"
COLUMNS = ("model_name", "model_id", "status", "checked_at")
HEALTHY, UNHEALTHY = "healthy", "unhealthy"
# A status holds until the next check, and without one for two hours.
HOLDS = timedelta(hours=2)
# Of a longer interval the last hours are compared.
RECENT = timedelta(hours=6)
MOST_CHECKS, MOST_INTERVALS = 20_000, 24
# To contradict a check.
LEAST_REQUESTS, MOSTLY, HARDLY = 20, 0.5, 0.1


@dataclass(frozen=True, slots=True)
class Interval:
    """A model, or one deployment of it, had this status from `start` to before `end`."""

    model: str
    deployment_id: str | None
    status: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Compared:
    """An interval, and the requests of its model in that time, with the faults among them."""

    interval: Interval
    requests: int
    faults: int

    @property
    def contradiction(self) -> str:
        """What traffic says against the check; empty if it does not."""
        if self.requests < LEAST_REQUESTS:
            return ""
        share = self.faults / self.requests
        if self.interval.status == HEALTHY and share >= MOSTLY:
            return "Healthy by the check, but most requests fail."
        if self.interval.status == UNHEALTHY and share < HARDLY:
            return "Unhealthy by the check, but requests succeed."
        return ""


def health_checks(source: Postgres, window: TimeWindow) -> tuple[Interval, ...] | None:
    """Which health did LiteLLM's own checks find, from when to when?

    By model, in order of time; of the newest 20,000 checks of the window. None if they cannot be
    read, or for a viewer who sees only a part of the log: they are of the whole proxy.
    """
    schema = source.schema
    if not schema.scope.is_all or not schema.reads(CHECKS, *COLUMNS):
        return None
    checks = table(
        CHECKS,
        *(column(name, Text()) for name in COLUMNS[:-1]),
        column("checked_at", DateTime()),
        schema=schema.name,
    )
    moment = checks.c.checked_at
    start, end = (
        literal(one.astimezone(UTC).replace(tzinfo=None), DateTime())
        for one in (window.start - HOLDS, window.end)
    )
    newest = (
        select(*(checks.c[name] for name in COLUMNS[:-1]), utc(moment).label("checked_at"))
        .where(moment >= start, moment < end)
        .order_by(moment.desc(), alphabetical(checks.c.model_name))
        .limit(MOST_CHECKS)
    )
    return tuple(_intervals(source.rows(newest), window))


def _intervals(newest: Sequence[Row[Any]], window: TimeWindow) -> Iterator[Interval]:
    def of(row: Row[Any]) -> tuple[str, str]:
        return row.model_name, row.model_id or ""

    rows = sorted(newest, key=lambda row: (*of(row), row.checked_at, row.status))
    for (model, deployment_id), own in groupby(rows, key=of):
        checks = list(own)
        open_one: Interval | None = None
        for number, check in enumerate(checks):
            later = checks[number + 1].checked_at if number + 1 < len(checks) else window.end
            end = min(later, check.checked_at + HOLDS, window.end)
            one = Interval(model, deployment_id or None, check.status, check.checked_at, end)
            if open_one and (open_one.status, open_one.end) == (one.status, one.start):
                open_one = Interval(model, one.deployment_id, one.status, open_one.start, end)
            else:
                yield from _within(open_one, window)
                open_one = one
        yield from _within(open_one, window)


def _within(one: Interval | None, window: TimeWindow) -> Iterator[Interval]:
    if one is not None and max(one.start, window.start) < one.end:
        start = max(one.start, window.start)
        yield Interval(one.model, one.deployment_id, one.status, start, one.end)


def worth_comparing(intervals: Sequence[Interval]) -> tuple[Interval, ...]:
    """The last one of each model, then those in which it was unhealthy, the newest first."""
    last = {(one.model, one.deployment_id): one for one in intervals}
    others = [one for one in intervals if one.status != HEALTHY and one not in last.values()]
    others.sort(key=lambda one: one.start, reverse=True)
    return (*last.values(), *others)[:MOST_INTERVALS]


def compared_health(
    source: Source, filters: Filters, intervals: tuple[Interval, ...]
) -> tuple[Compared, ...]:
    """What does traffic say of these intervals? In the same order; at most the last six hours."""
    if not intervals:
        return ()
    arms = [_arm(source, filters, number, one) for number, one in enumerate(intervals)]
    every = union_all(*(arm for pair in arms for arm in pair)).subquery("every")
    found = select(
        every.c.part,
        func.max(every.c.requests, type_=Integer()).label("requests"),
        func.max(every.c.faults, type_=Integer()).label("faults"),
    ).group_by(every.c.part)
    counts = {row.part: (row.requests, row.faults) for row in source.rows(found)}
    return tuple(Compared(one, *counts[number]) for number, one in enumerate(intervals))


def _arm(
    source: Source, filters: Filters, number: int, one: Interval
) -> tuple[Select[Any], Select[Any]]:
    within = filters.within(TimeWindow(max(one.start, one.end - RECENT), one.end))
    requests = source.requests(within)
    own = select(*requests.c).where(requests.c.model == one.model).subquery()
    faults = with_faults(own, can_read_hidden(requests), "model")
    part, none = literal(number).label("part"), literal(0)
    count = func.count()
    counted = _columns(part, count.label("requests"), none.label("faults"))
    faulty = _columns(part, none.label("requests"), count.label("faults"))
    return counted.where(counting(own)), faulty.select_from(faults)


def _columns(*columns: ColumnElement[Any]) -> Select[Any]:
    return select(*columns)

"""The ledgers next to each other: the log, the daily tables and the running totals."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from tracelib.keys import NAMES
from tracelib.ledgers.automatic import Automatic
from tracelib.ledgers.booked import Booked
from tracelib.ledgers.cells import (
    By,
    Cell,
    Cells,
    LogRow,
    Owner,
    Sums,
    by_team,
    by_user,
    of_log,
    summed,
)
from tracelib.ledgers.classes import Amount, Class, Difference, by_class, total
from tracelib.ledgers.daily import Daily
from tracelib.ledgers.logged import Logged, days_between
from tracelib.ledgers.splitting import Evidence, split
from tracelib.ledgers.subtotals import EVERY, added_up
from tracelib.ledgers.totals import Kind, RunningTotal

LARGEST = 10
SHORTENED = 8


@dataclass(frozen=True, slots=True)
class Line:
    """The log and a daily table of one day, key, team, user or tag.

    `id` is the day as 2026-11-28, or the ID; `classes` explain the difference and add up to it.
    `running` is the total that LiteLLM keeps, None if it has none. `gateway_requests` is for days,
    None if unknown.
    """

    id: str
    name: str
    log: Sums
    daily: Sums
    classes: Mapping[Class, Amount]
    running: RunningTotal | None = None
    gateway_requests: int | None = None

    @property
    def difference(self) -> Amount:
        """The log minus the daily table."""
        return total(self.classes.values())


@dataclass(frozen=True, slots=True)
class Compared:
    """The sums of both ledgers by day, key and owner of a kind, and which of their cells differ."""

    log: Mapping[By, Mapping[str, Sums]]
    daily: Mapping[By, Mapping[str, Sums]]
    differences: Sequence[Difference]


@dataclass(frozen=True, slots=True)
class Later:
    """What is read of days that differ.

    Calls that are not counted, requests without a row, and the tags that LiteLLM adds itself.
    """

    uncounted: Logged = field(default_factory=Logged)
    unlogged: Logged = field(default_factory=Logged)
    automatic: Automatic = field(default_factory=Automatic)


def evidence(
    booked: Booked, owner: Owner, lacking: frozenset[str], later: Later, of: Collection[Cell]
) -> Evidence:
    """What explains differences of this kind of owner, by the cells that are compared."""

    def cells(rows: Logged) -> Cells:
        found = cells_of(rows, owner, lacking, booked)
        return summed((_compared_as(cell, owner, of), sums) for cell, sums in found.items())

    repeated = cells(booked.repeated)
    of_tags = later.automatic if owner == "tag" else Automatic()
    return Evidence(
        owner,
        booked.oldest_at,
        booked.newest_at,
        booked.now,
        booked.none_models,
        pending=cells(booked.pending.requests),
        parked=cells(booked.parked.requests),
        young=cells(booked.young),
        uncounted=cells(later.uncounted),
        unlogged=cells(later.unlogged),
        repeated={cell: sums for cell, sums in repeated.items() if sums.requests < 0},
        automatic=(summed(of_tags.log, lacking), summed(of_tags.daily, lacking)),
        first_booked=booked.first_booked,
        has_deliveries=booked.has_deliveries,
    )


def _compared_as(cell: Cell, owner: Owner, compared: Collection[Cell]) -> Cell:
    """The cell that these requests are in: on days that are compared in coarse sums, a larger one.

    Of a tag, the larger one has no key either.
    """
    coarse = cell._replace(model="", provider="", tool="")
    if owner == "tag":
        coarse = coarse._replace(key="")
    return coarse if cell not in compared and coarse in compared else cell


def cells_of(log: Logged, owner: Owner, lacking: frozenset[str], booked: Booked) -> Cells:
    """The log by the cells of this kind of owner; of teams only those that may be seen."""
    if owner == "tag":
        return summed(log.tags, lacking)
    if owner == "user":
        return of_log(log.rows, by_user, lacking)
    return of_log(filter(_has_team(booked), log.rows), by_team, lacking)


def _has_team(booked: Booked) -> Callable[[LogRow], bool]:
    scope = booked.scope
    return lambda row: bool(row.team) and (scope.is_all or row.team in scope.teams)


def compared(
    log: Logged,
    booked: Booked,
    owner: Owner,
    later: Later = Later(),
) -> Compared | None:
    """Compare the log with the daily table of this kind of owner; None if there is none to read."""
    table: Daily | None = booked.daily.get(owner) if is_seen(booked, owner) else None
    if table is None:
        return None
    lacking = table.lacking
    own, days = cells_of(log, owner, lacking, booked), summed(table.rows, lacking)
    known = evidence(booked, owner, lacking, later, own.keys() | days.keys())
    return Compared(
        {by: added_up(by, owner, log.subtotals, own) for by in EVERY},
        {by: added_up(by, owner, table.subtotals, days) for by in EVERY},
        split(own, days, known),
    )


def is_seen(booked: Booked, owner: Owner) -> bool:
    """Can this daily table be limited to the viewer's scope?"""
    scope = booked.scope
    if scope.is_all:
        return True
    if owner == "team":
        return bool(scope.teams)
    return owner == "user" and not scope.teams


def days_by(booked: Booked) -> Owner | None:
    """Which daily table has all requests of the viewer's scope, and no others? None if none has."""
    scope = booked.scope
    if is_seen(booked, "user"):
        return "user"
    return None if scope.users or scope.keys else "team"


def lines_by_day(
    one: Compared, first: date, last: date, gateway: Mapping[date, int] | None
) -> list[Line]:
    """A line for each day, also for those without a request, the first day first."""
    found = {line.id: line for line in _lines(one, "day")}
    lines = []
    for day in days_between(first, last):
        name = day.isoformat()
        line = found.get(name) or Line(name, name, Sums(), Sums(), {})
        counted = None if gateway is None else gateway.get(day)
        lines.append(replace(line, gateway_requests=counted))
    return lines


def lines_by(one: Compared, kind: Kind, booked: Booked) -> list[Line]:
    """A line for each key, team, user or tag.

    The largest difference in money first, then in requests, then the highest cost.
    """
    found = [
        replace(line, name=_name(booked, kind, line.id), running=booked.totals.get((kind, line.id)))
        for line in _lines(one, "key" if kind == "key" else "owner")
    ]
    found.sort(key=_by_size)
    return found


def _by_size(line: Line) -> tuple[Any, ...]:
    less = line.difference
    return -abs(less.usd), -abs(less.requests), -line.log.usd, line.id


def _name(booked: Booked, kind: Kind, one: str) -> str:
    """The name of an ID; a key without one is shortened, "" is none."""
    known = booked.names.get((kind, one)) or (NAMES.get(one) if kind == "key" else None)
    if known or not one:
        return known or "(none)"
    return f"{one[:SHORTENED]}…" if kind == "key" and len(one) > 2 * SHORTENED else one


def _lines(one: Compared, by: By) -> list[Line]:
    log, daily = one.log[by], one.daily[by]
    differing: dict[str, list[Difference]] = {}
    for found in one.differences:
        differing.setdefault(found.cell.named(by), []).append(found)
    lines = []
    for name in sorted(log.keys() | daily.keys()):
        own, booked = log.get(name, Sums()), daily.get(name, Sums())
        classes = by_class(differing.get(name, ()))
        less = total(classes.values())
        # What is within the noise of doubles is no difference, so it is none of the sums either.
        known = booked._replace(requests=own.requests - less.requests, usd=own.usd - less.usd)
        lines.append(Line(name, name, own, known, classes))
    return lines


def largest(one: Compared) -> list[Difference]:
    """The cells with the largest differences in money, then in requests; at most ten."""
    return sorted(
        one.differences,
        key=lambda found: (-abs(found.whole.usd), -abs(found.whole.requests), found.cell),
    )[:LARGEST]

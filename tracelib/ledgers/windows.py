"""Budget windows: what LiteLLM has counted since they began, and what the log has since then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Protocol

from tracelib.filters import Filters
from tracelib.ledgers.booked import Booked
from tracelib.ledgers.cells import By, Owner
from tracelib.ledgers.comparison import Line
from tracelib.ledgers.logged import A_DAY, Logged, log_of, logged
from tracelib.ledgers.subtotals import Subtotals
from tracelib.ledgers.totals import BudgetWindow, Kind
from tracelib.source import Source
from tracelib.window import TimeWindow

# So many windows that do not begin at midnight are compared: each is a query of its own.
MOST_STARTS = 20
WITH_WINDOWS: tuple[Kind, ...] = ("key", "team", "user")
# Whose subtotals have the requests of a kind, and by what.
SUBTOTALS: Mapping[Kind, tuple[Owner, By]] = {
    "key": ("user", "key"),
    "team": ("team", "owner"),
    "user": ("user", "owner"),
}
MIDNIGHT = time(tzinfo=UTC)


class Run(Protocol):
    """Runs these (function, argument…) tuples, and returns their values in order.

    Of those that are optional, None for one that takes too long.
    """

    def __call__(
        self, queries: Sequence[tuple[Any, ...]], are_optional: bool = False
    ) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Window:
    """A budget window, and what its requests cost in the log.

    `log_usd` is None if not all of the window is in the days that were read, or in the log.
    """

    of: BudgetWindow
    log_usd: Decimal | None


def windows_of(
    run: Run,
    lines: Mapping[Kind, Sequence[Line]],
    log: Logged,
    known: Booked,
    days: tuple[date, date],
) -> dict[tuple[Kind, str], list[Window]]:
    """The budget windows of these lines; the days on which they begin are read from their start."""
    windows = [
        (kind, line, one, _is_whole(line, one, known, days))
        for kind in WITH_WINDOWS
        for line in lines.get(kind, ())
        for one in (line.running.windows if line.running else ())
    ]
    starts = sorted({one.start for _, _, one, is_whole in windows if is_whole})
    costs = _costs(run, starts, log)
    found: dict[tuple[Kind, str], list[Window]] = {}
    for kind, line, one, is_whole in windows:
        since = costs.get(one.start) if is_whole else None
        usd = None if since is None else since.get((kind, line.id), Decimal(0))
        found.setdefault((kind, line.id), []).append(Window(one, usd))
    return found


Costs = Mapping[tuple[Kind, str], Decimal]


def _costs(run: Run, starts: Sequence[datetime], log: Logged) -> Mapping[datetime, Costs]:
    """What did the requests of each key, team and user cost since each of these moments?

    Without moments within a day beyond the first `MOST_STARTS`.
    """
    partly = [one for one in starts if one.timetz() != MIDNIGHT][:MOST_STARTS]
    known = [one for one in starts if one.timetz() == MIDNIGHT or one in partly]
    begins = {one: one.date() + A_DAY if one in partly else one.date() for one in known}
    cut = sorted({span for day in begins.values() if (span := _cut(log, day))})
    values = run(
        [(logged_from, one.isoformat()) for one in partly] + [(logged, *span) for span in cut]
    )
    first_days = dict(zip(partly, values, strict=False))
    rest = dict(zip(cut, values[len(partly) :], strict=True))
    found = {}
    for one, day in begins.items():
        span = _cut(log, day)
        found[one] = _costs_since(log, day, rest[span].subtotals if span else ())
        if one in first_days:
            _add(found[one], first_days[one], one.date())
    return found


def _cut(log: Logged, day: date) -> tuple[date, date] | None:
    """From this day to which one are subtotals to be read, because it is within some?"""
    found = (part for part in log.subtotals if part.first < day <= part.last)
    return next(((day, part.last) for part in found), None)


def _costs_since(
    log: Logged, day: date, rest: Sequence[Subtotals]
) -> dict[tuple[Kind, str], Decimal]:
    """The cost of requests from this day on; `rest` are of the days up to the next subtotals."""
    parts = (*rest, *(part for part in log.subtotals if part.first >= day))
    found: dict[tuple[Kind, str], Decimal] = {}
    for kind in WITH_WINDOWS:
        for one in (row for part in parts for row in part.rows):
            if (one.owner, one.by) == SUBTOTALS[kind]:
                found[kind, one.id] = found.get((kind, one.id), Decimal(0)) + one.sums.usd
    _add(found, log, day)
    return found


def _add(costs: dict[tuple[Kind, str], Decimal], log: Logged, day: date) -> None:
    """Add the requests of this day and later ones that are in no subtotals."""
    for row in log.rows:
        if row.day >= day and not any(part.covers(row.day) for part in log.subtotals):
            owns: dict[Kind, str] = {"key": row.key, "team": row.team, "user": row.user}
            for kind, own in owns.items():
                costs[kind, own] = costs.get((kind, own), Decimal(0)) + row.sums.usd


def _is_whole(line: Line, one: BudgetWindow, known: Booked, days: tuple[date, date]) -> bool:
    """Is all of this window, from its start up to now, in these days and in the log?"""
    first, last = days
    until = min(known.now, known.newest_at or known.now).date()
    is_read = first <= one.start.date() and one.start <= known.now and until <= last
    begins_later = known.oldest_at is None or one.start < known.oldest_at
    return is_read and not (begins_later and "deleted_by_retention" in line.classes)


def logged_from(source: Source, start: str) -> Logged:
    """What does the log add up to from this moment, in ISO 8601, to the end of its UTC day?"""
    moment = datetime.fromisoformat(start)
    end = datetime.combine(moment.astimezone(UTC).date() + A_DAY, time(), UTC)
    return log_of(source, source.requests(Filters(TimeWindow(moment, end))))

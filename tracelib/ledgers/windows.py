"""Budget windows: what LiteLLM has counted since they began, and what the log has since then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Protocol

from tracelib.filters import Filters
from tracelib.ledgers.booked import Booked
from tracelib.ledgers.comparison import Line
from tracelib.ledgers.logged import A_DAY, Logged, log_of
from tracelib.ledgers.totals import BudgetWindow, Kind
from tracelib.source import Source
from tracelib.window import TimeWindow

# So many windows that do not begin at midnight are compared: each is a query of its own.
MOST_STARTS = 20
WITH_WINDOWS: tuple[Kind, ...] = ("key", "team", "user")
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
    partly = [one for one in starts if one.timetz() != MIDNIGHT][:MOST_STARTS]
    values = run([(logged_from, one.isoformat()) for one in partly]) if partly else []
    first_days = dict(zip(partly, values, strict=True))
    found: dict[tuple[Kind, str], list[Window]] = {}
    for kind, line, one, is_whole in windows:
        first_day = first_days.get(one.start)
        is_read = is_whole and (first_day is not None or one.start.timetz() == MIDNIGHT)
        usd = _since(log, first_day, kind, line.id, one.start) if is_read else None
        found.setdefault((kind, line.id), []).append(Window(one, usd))
    return found


def _is_whole(line: Line, one: BudgetWindow, known: Booked, days: tuple[date, date]) -> bool:
    """Is all of this window, from its start up to now, in these days and in the log?"""
    first, last = days
    until = min(known.now, known.newest_at or known.now).date()
    is_read = first <= one.start.date() and one.start <= known.now and until <= last
    begins_later = known.oldest_at is None or one.start < known.oldest_at
    return is_read and not (begins_later and "deleted_by_retention" in line.classes)


def _since(log: Logged, first_day: Logged | None, kind: Kind, own: str, start: datetime) -> Decimal:
    """What did the requests of this key, team or user cost from this moment on?"""
    day = start.date()
    if first_day is None:
        return _cost(log, kind, own, day)
    return _cost(log, kind, own, day + A_DAY) + _cost(first_day, kind, own, day)


def _cost(log: Logged, kind: Kind, own: str, day: date) -> Decimal:
    rows = (row for row in log.rows if getattr(row, kind) == own and row.day >= day)
    return sum((row.sums.usd for row in rows), Decimal(0))


def logged_from(source: Source, start: str) -> Logged:
    """What does the log add up to from this moment, in ISO 8601, to the end of its UTC day?"""
    moment = datetime.fromisoformat(start)
    end = datetime.combine(moment.astimezone(UTC).date() + A_DAY, time(), UTC)
    return log_of(source, source.requests(Filters(TimeWindow(moment, end))))

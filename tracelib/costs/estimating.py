"""What will this month cost? From what the same days of the week have cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median, quantiles
from zoneinfo import ZoneInfo

from tracelib import formatting
from tracelib.costs.daily import DailyCosts, Days
from tracelib.costs.periods import DAY, months_around
from tracelib.window import days

LEAST_DAYS = 14
# Of each day of the week: lower quartile, median, upper quartile.
Typical = Mapping[int, tuple[float, float, float]]
TOO_SHORT = (
    "No estimate for the month: it needs {least} whole days since the first cost, and there are "
    "{known}."
)
NO_COST = "No estimate for the month: nothing has cost anything in the last four weeks."


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a month will cost in US dollars, and between which amounts if it goes as usual.

    `month` is its first day. `so_far_usd` is what it has cost up to now. The others are None if the
    history is too short, and `reason` says so in a sentence. `days` are the whole days that it is
    estimated from.
    """

    month: date
    so_far_usd: float
    expected_usd: float | None
    low_usd: float | None
    high_usd: float | None
    days: int
    reason: str | None = None


def month_estimate(known: DailyCosts, costs: Days) -> Estimate:
    """What will the current month cost, if these are the costs of the days?

    Of each day that is left, the median of what its day of the week cost in the last four weeks;
    of today, that for the time that is left of it. The band has the lower and upper quartile of
    each of these days instead, and is widened to the level of the last seven days: the median ratio
    of these to their day of the week. Only whole days count, from the second with a cost on.
    """
    local = known.until.astimezone(ZoneInfo(known.zone))
    _, first, end = months_around(known.until, known.zone)
    so_far = sum(cost for at, cost in zip(known.edges, costs, strict=False) if at >= first)
    month = local.date().replace(day=1)
    history = _history(known, costs)
    if len(history) < LEAST_DAYS:
        is_idle = not history and not any(costs)
        sentence = NO_COST if is_idle else TOO_SHORT.format(least=LEAST_DAYS, known=len(history))
        return Estimate(month, float(so_far), None, None, None, len(history), sentence)
    typical = _typical(history)
    left = [0.0] * 3
    for day, part in _days_left(known.until, end, known.zone):
        for place, usd in enumerate(typical[day.weekday()]):
            left[place] += usd * part
    level = _level(history[-7:], typical)
    factors = (min(level, 1.0), 1.0, max(level, 1.0))
    low, expected, high = (float(so_far) + usd * by for usd, by in zip(left, factors, strict=True))
    # Of negative costs a larger factor is less.
    band = min(low, expected), max(high, expected)
    return Estimate(month, float(so_far), expected, *band, len(history))


def _history(known: DailyCosts, costs: Days) -> list[tuple[date, float]]:
    """The whole days of the last four weeks; after the first with a cost if that is among them."""
    zone = ZoneInfo(known.zone)
    today = known.until.astimezone(zone).date()
    before = [
        (at.astimezone(zone).date(), float(cost))
        for at, cost in zip(known.edges, costs, strict=False)
    ]
    whole = [(day, usd) for day, usd in before if day < today][-28:]
    first = next((place for place, (_, usd) in enumerate(whole) if usd), len(whole))
    # The first day with a cost may be the first of the log, and begin within it.
    return whole[first + 1 :] if first else whole


def _typical(history: Sequence[tuple[date, float]]) -> Typical:
    """The lower quartile, median and upper quartile of each day of the week."""
    by_weekday: dict[int, list[float]] = {}
    for day, usd in history:
        by_weekday.setdefault(day.weekday(), []).append(usd)
    return {
        weekday: tuple(quantiles(some, n=4, method="inclusive"))  # type: ignore[misc]
        for weekday, some in by_weekday.items()
    }


def _level(week: Sequence[tuple[date, float]], typical: Typical) -> float:
    """How do the last seven days compare with their days of the week before? The median ratio."""
    usual = ((usd, typical[day.weekday()][1]) for day, usd in week)
    return median([usd / of for usd, of in usual if of > 0] or [1.0])


def _days_left(now: datetime, end: datetime, zone: str) -> Iterator[tuple[date, float]]:
    """Each day from today to the end of the month, and which part of it is left."""
    day = now.astimezone(ZoneInfo(zone)).date()
    while (window := days(day, day, zone)).start < end:
        yield day, min(1.0, (window.end - now) / window.length)
        day += DAY


def in_words(one: Estimate, before_usd: float | None = None) -> str:
    """The estimate in a sentence or two, next to what the month before cost, if that is known.

    >>> in_words(Estimate(date(2026, 11, 1), 900, 1240, 1100, 1400, 28), 1100)
    'November will cost about $1,240, usually $1,100 to $1,400. October cost $1,100.'
    """
    if one.reason or one.expected_usd is None:
        return one.reason or NO_COST
    money = formatting.money
    low, high = money(one.low_usd), money(one.high_usd)
    band = f", usually {low} to {high}" if low != high else ""
    month = f"{one.month:%B} will cost about {money(one.expected_usd)}{band}."
    if before_usd is None:
        return month
    return f"{month} {one.month - DAY:%B} cost {money(before_usd)}."

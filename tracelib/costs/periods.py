"""The days, weeks and months of a viewer's calendar in which costs are added up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tracelib.clock import moment_of
from tracelib.window import BUCKETS, TimeWindow, bucket_edges

DAY = timedelta(days=1)
# A table with more columns cannot be read.
MOST_PERIODS = 100


@dataclass(frozen=True, slots=True)
class Period:
    """A day, week or month of the calendar, by its name; weeks begin on Monday."""

    name: str
    title: str
    longest: timedelta

    def edges(self, window: TimeWindow, zone: str) -> tuple[datetime, ...]:
        """The starts of the periods that touch the window, and the end of the last. Aware UTC.

        >>> from datetime import UTC
        >>> days = TimeWindow(datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC))
        >>> [f"{edge:%d %b %H:%M}" for edge in PERIODS["month"].edges(days, "Europe/Paris")]
        ['28 Feb 23:00', '31 Mar 22:00', '30 Apr 22:00']
        """
        if self.name == "day":
            return bucket_edges(window, BUCKETS["1d"], zone)
        first = self._first_day(window.start.astimezone(ZoneInfo(zone)).date())
        edges = [_midnight(first, zone)]
        for day in self._later(first):
            # A zone may have skipped a day.
            if (edge := _midnight(day, zone)) > edges[-1]:
                edges.append(edge)
            if edges[-1] >= window.end:
                break
        return tuple(edges)

    def _first_day(self, day: date) -> date:
        return day - day.weekday() * DAY if self.name == "week" else day.replace(day=1)

    def _later(self, day: date) -> Iterator[date]:
        while True:
            day = day + 7 * DAY if self.name == "week" else (day + 31 * DAY).replace(day=1)
            yield day


PERIODS: Mapping[str, Period] = {
    one.name: one
    for one in (
        Period("day", "Day", DAY),
        Period("week", "Week", 7 * DAY),
        Period("month", "Month", 31 * DAY),
    )
}


def usable_periods(window: TimeWindow) -> Mapping[str, Period]:
    """Which periods divide this window into a number that can be read? By name, finest first."""
    return {
        one.name: one
        for one in PERIODS.values()
        if one.name == "month" or window.length / one.longest <= MOST_PERIODS
    }


def fitting_period(window: TimeWindow) -> Period:
    """Which period suits this window best?

    >>> from datetime import UTC
    >>> now = datetime(2026, 11, 23, tzinfo=UTC)
    >>> [fitting_period(TimeWindow(now - days * DAY, now)).name for days in (1, 31, 92, 365)]
    ['day', 'day', 'week', 'month']
    """
    days = window.length / DAY
    return PERIODS["day" if days <= 35 else "week" if days <= 185 else "month"]


def months_around(now: datetime, zone: str) -> tuple[datetime, datetime, datetime]:
    """When does the month of `now` begin, when the one before it, and when does it end?"""
    first = now.astimezone(ZoneInfo(zone)).date().replace(day=1)
    before, after = (first - DAY).replace(day=1), (first + 31 * DAY).replace(day=1)
    return _midnight(before, zone), _midnight(first, zone), _midnight(after, zone)


def _midnight(day: date, zone: str) -> datetime:
    return moment_of(datetime.combine(day, time()), zone)

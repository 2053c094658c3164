"""Time ranges by name: values that a clock and a zone turn into windows.

"Last 7 days" is the same value tomorrow, and so is a link to it; its window is not.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from tracelib import window as windows
from tracelib.ranges import words
from tracelib.window import TimeWindow

CUSTOM = "custom"
DAY = timedelta(days=1)


class Range(ABC):
    """A time range as a value: hashable, and equal if it means the same."""

    __slots__ = ()

    @abstractmethod
    def window(self, now: datetime, zone: str) -> TimeWindow:
        """Which window does it mean at `now` on the clock of `zone`?"""

    def previous(self) -> "Before":
        """Which range is it compared with? The range of equal length just before."""
        return Before(self)


@dataclass(frozen=True, slots=True)
class Before(Range):
    """The time of equal length just before another range."""

    other: Range

    def window(self, now: datetime, zone: str) -> TimeWindow:
        return self.other.window(now, zone).previous()


@dataclass(frozen=True, slots=True)
class Since(Range):
    """From a moment up to now."""

    start: datetime

    def window(self, now: datetime, zone: str) -> TimeWindow:  # noqa: ARG002 - no day begins it
        return TimeWindow(self.start, now)


class NamedRange(Range):
    """A range that a person can choose and a URL can hold."""

    __slots__ = ()

    @property
    @abstractmethod
    def title(self) -> str:
        """The range among others, in a few words."""

    @abstractmethod
    def query(self) -> Mapping[str, str]:
        """The range as URL parameters: range, from and to."""

    @property
    @abstractmethod
    def is_of_days(self) -> bool:
        """Is this range edited by days, rather than by times of day?"""

    def local_ends(self, now: datetime, zone: str) -> tuple[datetime, datetime]:
        """Its start and end on the clock of `zone`: times without a zone."""
        window = self.window(now, zone)
        start, end = (moment.astimezone(ZoneInfo(zone)) for moment in (window.start, window.end))
        return start.replace(tzinfo=None), end.replace(tzinfo=None)

    def sentence(self, window: TimeWindow, zone: str) -> str:
        """The window in `zone` as text, and what it is compared with."""
        before = f"compared with the {self._length(window)} before"
        return f"{self._in_words(window, zone)}, {zone}, {before}"

    def _in_words(self, window: TimeWindow, zone: str) -> str:
        return f"{self.title}, {words.between(window, zone)}"

    def _length(self, window: TimeWindow) -> str:
        return words.length_of(window)


@dataclass(frozen=True, slots=True)
class Last(NamedRange):
    """A number of hours up to now."""

    hours: int

    def window(self, now: datetime, zone: str) -> TimeWindow:  # noqa: ARG002 - no day begins it
        return windows.recent(timedelta(hours=self.hours), now)

    @property
    def title(self) -> str:
        """
        >>> [Last(hours).title for hours in (1, 24, 36, 168)]
        ['Last hour', 'Last 24 hours', 'Last 36 hours', 'Last 7 days']
        """
        return f"Last {self._words}"

    @property
    def code(self) -> str:
        """
        >>> [Last(hours).code for hours in (1, 24, 36, 168)]
        ['1h', '24h', '36h', '7d']
        """
        count, unit = self.count_and_unit()
        return f"{count}{unit[0]}"

    @property
    def is_of_days(self) -> bool:
        return self.hours >= 24

    def count_and_unit(self) -> tuple[int, str]:
        """The count and its unit: days for several whole days, else hours.

        >>> Last(36).count_and_unit(), Last(48).count_and_unit()
        ((36, 'hours'), (2, 'days'))
        """
        days, rest = divmod(self.hours, 24)
        return (days, "days") if days > 1 and not rest else (self.hours, "hours")

    def query(self) -> Mapping[str, str]:
        return {"range": self.code}

    def _length(self, window: TimeWindow) -> str:  # noqa: ARG002 - it is in the name
        return self._words

    @property
    def _words(self) -> str:
        count, unit = self.count_and_unit()
        return "hour" if self.hours == 1 else f"{count} {unit}"


def _week(today: date) -> tuple[date, date]:
    monday = today - today.weekday() * DAY
    return monday, monday + 7 * DAY


def _month(today: date) -> tuple[date, date]:
    first = today.replace(day=1)
    return first, (first + 31 * DAY).replace(day=1)


# A name -> the title, and the first day and the day after the last.
CALENDAR: Mapping[str, tuple[str, Callable[[date], tuple[date, date]]]] = {
    "today": ("Today", lambda today: (today, today + DAY)),
    "yesterday": ("Yesterday", lambda today: (today - DAY, today)),
    "this-week": ("This week", _week),
    "this-month": ("This month", _month),
    "last-month": ("Last month", lambda today: _month(today.replace(day=1) - DAY)),
}


@dataclass(frozen=True, slots=True)
class Calendar(NamedRange):
    """A day, week or month of the viewer's calendar, by its name in CALENDAR.

    Weeks begin on Monday. A range that is not over ends now.
    """

    name: str

    def window(self, now: datetime, zone: str) -> TimeWindow:
        _, ends = CALENDAR[self.name]
        first, after = ends(now.astimezone(ZoneInfo(zone)).date())
        return _up_to(windows.days(first, after - DAY, zone), now)

    @property
    def title(self) -> str:
        return CALENDAR[self.name][0]

    @property
    def is_of_days(self) -> bool:
        return True

    def query(self) -> Mapping[str, str]:
        return {"range": self.name}


@dataclass(frozen=True, slots=True)
class Between(NamedRange):
    """The time from `start` up to, but not including, `end`; one that is not over ends now.

    Both are local times of the viewer, without a zone, or both are moments in UTC.
    """

    start: datetime
    end: datetime

    @classmethod
    def days(cls, first: date, last: date) -> Self:
        """The whole days from the first to the last."""
        return cls(datetime.combine(first, time()), datetime.combine(last + DAY, time()))

    def window(self, now: datetime, zone: str) -> TimeWindow:
        return _up_to(self._whole(zone), now)

    @property
    def title(self) -> str:
        """
        >>> Between.days(date(2026, 11, 1), date(2026, 11, 3)).title
        '1 Nov 2026 – 3 Nov 2026'
        >>> Between(datetime(2026, 11, 1, 14), datetime(2026, 11, 2, 18, 30)).title
        '1 Nov 14:00 – 2 Nov 18:30'
        """
        if self.is_of_days:
            return " – ".join(dict.fromkeys(f"{one.day} {one:%b %Y}" for one in self._days()))
        zone = "" if self.start.tzinfo is None else " UTC"
        ends = (f"{one.day} {one:%b %H:%M}" for one in (self.start, self.end))
        return f"{' – '.join(ends)}{zone}"

    def query(self) -> Mapping[str, str]:
        start, end = words.in_url(self.start), words.in_url(self.end)
        if self.is_of_days:
            start, end = (day.isoformat() for day in self._days())
        return {"range": CUSTOM, "from": start, "to": end}

    def _in_words(self, window: TimeWindow, zone: str) -> str:
        whole = self._whole(zone)
        so_far = " so far" if window.end < whole.end else ""
        if self.is_of_days:
            return f"{words.from_to(self.start, self.end, with_year=True)}{so_far}"
        return f"{words.between(whole, zone, with_year=True)}{so_far}"

    @property
    def is_of_days(self) -> bool:
        is_local = self.start.tzinfo is None
        return is_local and self.start.time() == self.end.time() == time()

    def local_ends(self, now: datetime, zone: str) -> tuple[datetime, datetime]:
        """As they were chosen, even if the range is not over."""
        if self.start.tzinfo is None:
            return self.start, self.end
        # Not by super(): a dataclass with slots replaces the class that is defined here.
        return NamedRange.local_ends(self, now, zone)

    def _days(self) -> tuple[date, date]:
        """The first and the last of the days."""
        return self.start.date(), (self.end - DAY).date()

    def _whole(self, zone: str) -> TimeWindow:
        if self.start.tzinfo is None:
            return windows.between(self.start, self.end, zone)
        return TimeWindow(self.start, self.end)


def _up_to(window: TimeWindow, now: datetime) -> TimeWindow:
    """The part of a window that is over, to be compared with a part of the same length."""
    return replace(window, end=now) if window.start < now < window.end else window

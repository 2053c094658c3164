"""A range of time as a person names it: a value that a clock and a zone turn into a window.

"Last 7 days" is the same value tomorrow, and so is a link to it; its window is not.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from tracelib import formatting
from tracelib import window as windows
from tracelib.window import TimeWindow

PARAMETERS = ("range", "from", "to")
CUSTOM = "custom"
DAY = timedelta(days=1)
LONGEST_H = windows.LONGEST // timedelta(hours=1)
TOO_LONG = f"The range is longer than {windows.LONGEST.days} days."
LAST = re.compile(r"([1-9][0-9]{0,4})([hd])")


class Range(ABC):
    """A range of time as a value: hashable, and equal where what is meant is."""

    __slots__ = ()

    @abstractmethod
    def window(self, now: datetime, zone: str) -> TimeWindow:
        """Which moments are meant, when it is `now` and the clock is that of `zone`?"""

    def previous(self) -> "Before":
        """Which range is it compared with? The time of equal length just before."""
        return Before(self)


@dataclass(frozen=True, slots=True)
class Before(Range):
    """The time of equal length just before another range."""

    other: Range

    def window(self, now: datetime, zone: str) -> TimeWindow:
        return self.other.window(now, zone).previous()


class NamedRange(Range):
    """A range that a person can choose and a URL can hold."""

    __slots__ = ()

    @property
    @abstractmethod
    def title(self) -> str:
        """The range among others, in a few words."""

    @abstractmethod
    def query(self) -> Mapping[str, str]:
        """How does a URL say it, in the parameters range, from and to?"""

    @property
    @abstractmethod
    def is_of_days(self) -> bool:
        """Is it named by days, rather than by hours or times of day?"""

    def local_ends(self, now: datetime, zone: str) -> tuple[datetime, datetime]:
        """From when to when is it on the clock of `zone`? Times without a zone."""
        window = self.window(now, zone)
        start, end = (moment.astimezone(ZoneInfo(zone)) for moment in (window.start, window.end))
        return start.replace(tzinfo=None), end.replace(tzinfo=None)

    def sentence(self, window: TimeWindow, zone: str) -> str:
        """Which window is it in `zone`, in words, and what is it compared with?"""
        return f"{self.title}, {_between(window, zone)}, {zone}, {_compared(_length(window))}"


@dataclass(frozen=True, slots=True)
class Last(NamedRange):
    """So many hours up to now."""

    hours: int

    def window(self, now: datetime, zone: str) -> TimeWindow:  # noqa: ARG002 - no day begins it
        return TimeWindow(now - timedelta(hours=self.hours), now)

    @property
    def title(self) -> str:
        """
        >>> [Last(hours).title for hours in (1, 24, 36, 168)]
        ['Last hour', 'Last 24 hours', 'Last 36 hours', 'Last 7 days']
        """
        return f"Last {self._length}"

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
        return self.count_and_unit()[1] == "days"

    def count_and_unit(self) -> tuple[int, str]:
        """How many of which unit? Days where there are several whole ones.

        >>> Last(36).count_and_unit(), Last(48).count_and_unit()
        ((36, 'hours'), (2, 'days'))
        """
        days, rest = divmod(self.hours, 24)
        return (days, "days") if days > 1 and not rest else (self.hours, "hours")

    def query(self) -> Mapping[str, str]:
        return {"range": self.code}

    def sentence(self, window: TimeWindow, zone: str) -> str:
        return f"{self.title}, {_between(window, zone)}, {zone}, {_compared(self._length)}"

    @property
    def _length(self) -> str:
        count, unit = self.count_and_unit()
        return "hour" if self.hours == 1 else f"{count} {unit}"


def _week(today: date) -> tuple[date, date]:
    monday = today - today.weekday() * DAY
    return monday, monday + 7 * DAY


def _month(today: date) -> tuple[date, date]:
    first = today.replace(day=1)
    return first, (first + 31 * DAY).replace(day=1)


# What each is called, and its first day and the day after its last.
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

    Weeks begin on Monday. One that is not over ends now.
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

    Both are local times of whoever looks, without a zone, or both are moments in UTC.
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
        start, end = _written(self.start), _written(self.end)
        if self.is_of_days:
            start, end = (day.isoformat() for day in self._days())
        return {"range": CUSTOM, "from": start, "to": end}

    def sentence(self, window: TimeWindow, zone: str) -> str:
        whole = self._whole(zone)
        local = self.start, self.end
        words = (
            _from_to(*local, with_year=True)
            if self.is_of_days
            else _between(whole, zone, with_year=True)
        )
        so_far = " so far" if window.end < whole.end else ""
        return f"{words}{so_far}, {zone}, {_compared(_length(window))}"

    @property
    def is_of_days(self) -> bool:
        is_local = self.start.tzinfo is None
        return is_local and self.start.time() == self.end.time() == time()

    def local_ends(self, now: datetime, zone: str) -> tuple[datetime, datetime]:
        """As they were chosen, also where it is not over."""
        if self.start.tzinfo is None:
            return self.start, self.end
        return super().local_ends(now, zone)

    def _days(self) -> tuple[date, date]:
        """The first and the last of the days."""
        return self.start.date(), (self.end - DAY).date()

    def _whole(self, zone: str) -> TimeWindow:
        if self.start.tzinfo is None:
            return windows.between(self.start, self.end, zone)
        return TimeWindow(self.start, self.end)


DEFAULT = Last(7 * 24)


def read_range(
    name: str | None, start: str | None, end: str | None
) -> tuple[NamedRange, str | None]:
    """Which range do these parameters of a URL mean: range, from and to?

    The second value is a sentence that says what is wrong, if anything; then it is the default.
    A custom range without ends is today.

    >>> read_range("36h", None, None), read_range(None, "2026-11-01T14:00", "2026-11-01")[1]
    ((Last(hours=36), None), None)
    """
    if name == CUSTOM or (not name and (start or end)):
        return _read_between(start or "", end or "") if start or end else (Calendar("today"), None)
    if not name:
        return DEFAULT, None
    if name in CALENDAR:
        return Calendar(name), None
    if (found := LAST.fullmatch(name)) is None:
        return DEFAULT, (
            f"The link asks for the range “{name[:40]}”, which does not exist; "
            "the last 7 days are shown."
        )
    hours = int(found[1]) * (24 if found[2] == "d" else 1)
    if wrong := hours_complaint(hours):
        return DEFAULT, f"{wrong} The last 7 days are shown."
    return Last(hours), None


def hours_complaint(hours: int) -> str | None:
    """What is wrong with so many hours as a range? None where nothing is.

    >>> hours_complaint(0), hours_complaint(9_601), hours_complaint(9_600)
    ('The range is empty.', 'The range is longer than 400 days.', None)
    """
    if hours < 1:
        return "The range is empty."
    return TOO_LONG if hours > LONGEST_H else None


def complaint(start: datetime, end: datetime) -> str | None:
    """What is wrong with these two times as a range? None where nothing is."""
    if end <= start:
        return "The range ends before it starts."
    return days_complaint(start.date(), (end - timedelta(microseconds=1)).date())


def days_complaint(first: date, last: date) -> str | None:
    """What is wrong with these two days as a range? None where nothing is.

    >>> days_complaint(date(2026, 1, 2), date(2026, 1, 1))
    'The range ends before it starts.'
    """
    if last < first:
        return "The range ends before it starts."
    if (last - first) > windows.LONGEST:
        return TOO_LONG
    if not 2000 <= first.year <= last.year <= 2200:
        return "The range lies outside the years 2000 to 2200."
    return None


def _read_between(start: str, end: str) -> tuple[NamedRange, str | None]:
    try:
        between = Between(_read_time(start, timedelta()), _read_time(end, DAY))
        wrong = complaint(between.start, between.end)
    except (ValueError, TypeError, OverflowError):
        return DEFAULT, "The link's dates cannot be read; the last 7 days are shown."
    return (DEFAULT, f"{wrong} The last 7 days are shown.") if wrong else (between, None)


def _read_time(written: str, whole_day: timedelta) -> datetime:
    """A local time, or a moment in UTC where an offset is given; of a day alone, its edge."""
    try:
        return datetime.combine(date.fromisoformat(written), time()) + whole_day
    except ValueError:
        read = datetime.fromisoformat(written)
    return read.astimezone(UTC) if read.tzinfo else read


def _written(at: datetime) -> str:
    """
    >>> _written(datetime(2026, 11, 1, 14)), _written(datetime(2026, 11, 1, 14, 0, 9, tzinfo=UTC))
    ('2026-11-01T14:00', '2026-11-01T14:00:09Z')
    """
    is_whole = not at.second and not at.microsecond
    written = at.isoformat(timespec="minutes" if is_whole else "auto")
    return written.replace("+00:00", "Z")


def _up_to(window: TimeWindow, now: datetime) -> TimeWindow:
    """What is over of a window: a day that is not is compared with as much of the time before."""
    return replace(window, end=now) if window.start < now < window.end else window


def _between(window: TimeWindow, zone: str, with_year: bool = False) -> str:
    """From when to when is that on the clock of `zone`? Whole days by their dates."""
    start, end = (moment.astimezone(ZoneInfo(zone)) for moment in (window.start, window.end))
    return _from_to(start, end, with_year)


def _from_to(start: datetime, end: datetime, with_year: bool) -> str:
    if start.time() == end.time() == time():
        first, last = _day(start, with_year), _day(end - DAY, with_year)
        return first if first == last else f"{first} to {last}"
    until = "" if start.date() == end.date() else f"{_day(end, with_year)} "
    return f"{_day(start, with_year)} {_clock(start)} to {until}{_clock(end)}"


def _day(at: datetime, with_year: bool) -> str:
    return f"{at.day} {at:%B}{f' {at.year}' if with_year else ''}"


def _clock(at: datetime) -> str:
    """The time of day, with its offset where the clock shows it twice that day."""
    is_repeated = at.tzinfo is not None and windows.is_repeated(at, str(at.tzinfo))
    return f"{at:%H:%M}{f' ({formatting.offset(at)})' if is_repeated else ''}"


def _compared(length: str) -> str:
    return f"against the {length} before"


def _length(window: TimeWindow) -> str:
    """How long is it? By days where they are whole.

    >>> noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    >>> [_length(TimeWindow(noon - timedelta(hours=h), noon)) for h in (24, 48, 47, 13.5)]
    ['day', '2 days', '1 d 23 h', '13 h 30 min']
    """
    days, rest = divmod(window.length, DAY)
    if rest:
        return formatting.duration(window.length / timedelta(milliseconds=1))
    return "day" if days == 1 else f"{days} days"

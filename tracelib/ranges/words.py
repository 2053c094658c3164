"""Times and windows as text: in a sentence, on a person's clock; in a URL."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from tracelib import formatting
from tracelib.clock import is_repeated
from tracelib.window import TimeWindow

DAY = timedelta(days=1)


def between(window: TimeWindow, zone: str, with_year: bool = False) -> str:
    """The start and end on the clock of `zone`, as text; whole days by their dates."""
    start, end = (moment.astimezone(ZoneInfo(zone)) for moment in (window.start, window.end))
    return from_to(start, end, with_year)


def from_to(start: datetime, end: datetime, with_year: bool) -> str:
    """The start and end as text; whole days by their dates.

    >>> from_to(datetime(2026, 11, 1), datetime(2026, 11, 3), with_year=True)
    '1 November 2026 to 2 November 2026'
    >>> from_to(datetime(2026, 11, 1, 14), datetime(2026, 11, 1, 18, 30), with_year=False)
    '1 November 14:00 to 18:30'
    """
    if start.time() == end.time() == time():
        first, last = _day(start, with_year), _day(end - DAY, with_year)
        return first if first == last else f"{first} to {last}"
    until = "" if start.date() == end.date() else f"{_day(end, with_year)} "
    return f"{_day(start, with_year)} {_clock(start)} to {until}{_clock(end)}"


def _day(at: datetime, with_year: bool) -> str:
    return f"{at.day} {at:%B}{f' {at.year}' if with_year else ''}"


def _clock(at: datetime) -> str:
    """The time of day, with its offset if the clock shows it twice that day."""
    is_twice = at.tzinfo is not None and is_repeated(at, str(at.tzinfo))
    return f"{at:%H:%M}{f' ({formatting.offset(at)})' if is_twice else ''}"


def length_of(window: TimeWindow) -> str:
    """The length as text: in days if they are whole.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    >>> [length_of(TimeWindow(noon - timedelta(hours=h), noon)) for h in (24, 48, 47, 13.5)]
    ['day', '2 days', '1 d 23 h', '13 h 30 min']
    """
    days, rest = divmod(window.length, DAY)
    if rest:
        return formatting.duration(window.length / timedelta(milliseconds=1))
    return "day" if days == 1 else f"{days} days"


def in_url(at: datetime) -> str:
    """This local time, or this moment in UTC, as in a URL.

    >>> from datetime import UTC
    >>> in_url(datetime(2026, 11, 1, 14)), in_url(datetime(2026, 11, 1, 14, 0, 9, tzinfo=UTC))
    ('2026-11-01T14:00', '2026-11-01T14:00:09Z')
    """
    is_whole = not at.second and not at.microsecond
    text = at.isoformat(timespec="minutes" if is_whole else "auto")
    return text.replace("+00:00", "Z")

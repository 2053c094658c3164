"""The range in the parameters of a URL, and what is wrong with them."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from tracelib import window as windows
from tracelib.ranges.value import CALENDAR, CUSTOM, DAY, Between, Calendar, Last, NamedRange

PARAMETERS = ("range", "from", "to")
PART_PARAMETERS = ("since", "until")
DEFAULT = Last(7 * 24)
LONGEST_H = windows.LONGEST // timedelta(hours=1)
NO_PART = "The chosen part in the link is not valid; showing the whole range."
TOO_LONG = f"The range is longer than {windows.LONGEST.days} days."
LAST = re.compile(r"([1-9][0-9]{0,4})([hd])")


def read_range(
    name: str | None, start: str | None, end: str | None
) -> tuple[NamedRange, str | None]:
    """Which range do these parameters of a URL mean: range, from and to?

    The second value is a sentence that describes what is wrong, if anything; then the range is the
    default. A custom range without ends is today.

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
        return DEFAULT, (f"Unknown range “{name[:40]}” in the link; showing the last 7 days.")
    hours = int(found[1]) * (24 if found[2] == "d" else 1)
    if wrong := hours_complaint(hours):
        return DEFAULT, f"{wrong} Showing the last 7 days."
    return Last(hours), None


def hours_complaint(hours: int) -> str | None:
    """What is wrong with this number of hours as a range? None if it is valid.

    >>> hours_complaint(0), hours_complaint(9_601), hours_complaint(9_600)
    ('The range is empty.', 'The range is longer than 400 days.', None)
    """
    if hours < 1:
        return "The range is empty."
    return TOO_LONG if hours > LONGEST_H else None


def complaint(start: datetime, end: datetime) -> str | None:
    """What is wrong with these two times as a range? None if they are valid."""
    if end <= start:
        return "The range ends before it starts."
    return days_complaint(start.date(), (end - timedelta(microseconds=1)).date())


def days_complaint(first: date, last: date) -> str | None:
    """What is wrong with these two days as a range? None if they are valid.

    >>> days_complaint(date(2026, 1, 2), date(2026, 1, 1))
    'The range ends before it starts.'
    """
    if last < first:
        return "The range ends before it starts."
    if (last - first) > windows.LONGEST:
        return TOO_LONG
    if not 2000 <= first.year <= last.year <= 2200:
        return "The range is outside the years 2000 to 2200."
    return None


def _read_between(start: str, end: str) -> tuple[NamedRange, str | None]:
    try:
        between = Between(_read_time(start, timedelta()), _read_time(end, DAY))
        wrong = complaint(between.start, between.end)
    except (ValueError, TypeError, OverflowError):
        return DEFAULT, "The dates in the link are not valid; showing the last 7 days."
    return (DEFAULT, f"{wrong} Showing the last 7 days.") if wrong else (between, None)


def _read_time(text: str, whole_day: timedelta) -> datetime:
    """A local time, or a moment in UTC if an offset is given; for a day alone, its edge."""
    try:
        return datetime.combine(date.fromisoformat(text), time()) + whole_day
    except ValueError:
        read = datetime.fromisoformat(text)
    return read.astimezone(UTC) if read.tzinfo else read


def part_query(part: Between) -> Mapping[str, str]:
    """The parameters of a URL for a part of a range: since and until."""
    query = part.query()
    return {"since": query["from"], "until": query["to"]}


def read_part(since: str | None, until: str | None) -> tuple[Between | None, str | None]:
    """Which part of a range do these parameters of a URL mean: since and until?

    Both are moments with an offset. The second value is a sentence that describes what is wrong,
    if anything; then, and without parameters, there is no part.

    >>> read_part("2026-11-23T13:00+01:00", "2026-11-23T13:00Z")[0].query()["from"]
    '2026-11-23T12:00Z'
    >>> read_part("now", None)
    (None, 'The chosen part in the link is not valid; showing the whole range.')
    """
    if since is None and until is None:
        return None, None
    try:
        start, end = (_moment(text or "") for text in (since, until))
    except (ValueError, OverflowError):
        return None, NO_PART
    return (None, NO_PART) if complaint(start, end) else (Between(start, end), None)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment needs a zone")
    return moment.astimezone(UTC)

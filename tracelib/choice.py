"""What a person chose in the sidebar, as the URL holds it, before "now" makes filters of it.

The URL is the one store: it survives a change of page, a reload and a paste into a chat.
Whatever in it makes no sense is left out and named in a sentence, never raised.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tracelib import window as windows
from tracelib.filters import DIMENSIONS, Filters
from tracelib.settings import TICKS

DEFAULT_SPAN = "7d"
CUSTOM = "custom"
PARAMETERS = ("range", "from", "to", "zone", *DIMENSIONS, "refresh", "bucket")
MOST_VALUES = 50
LONGEST_VALUE = 300


@dataclass(frozen=True, slots=True)
class Choice:
    """The sidebar's state. `zone`, `refresh` and `bucket` are None where the default holds."""

    span: str = DEFAULT_SPAN
    first_day: date | None = None
    last_day: date | None = None
    zone: str | None = None
    model: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    refresh: str | None = None
    bucket: str | None = None

    def filters(self, now: datetime, viewer_zone: str) -> Filters:
        """Which requests are meant, when the clock shows `now` in the viewer's zone?"""
        zone = self.zone or viewer_zone
        return Filters(
            self._window(now, zone), zone, self.model, self.provider, self.user, self.team, self.key
        )

    def in_words(self, filters: Filters) -> str:
        """Which window is shown, in words, with its zone and what it is compared with?"""
        zone = ZoneInfo(filters.zone)
        start = filters.window.start.astimezone(zone)
        end = filters.window.end.astimezone(zone)
        named = {"1h": "hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}.get(self.span)
        if not named:
            last = end - timedelta(microseconds=1)
            return (
                f"{start.day} {start:%B %Y} to {last.day} {last:%B %Y}, {filters.zone}, "
                "against as long before"
            )
        first = f"{start:%H:%M}" if self.span == "1h" else f"{start.day} {start:%B %H:%M}"
        last_moment = f"{end:%H:%M}" if self.span == "1h" else f"{end.day} {end:%B %H:%M}"
        return f"Last {named}, {first} to {last_moment}, {filters.zone}, against the {named} before"

    def held(self, filters: Filters) -> "Choice":
        """The same choice with its range as days of the viewer's, which no clock moves on."""
        zone = ZoneInfo(filters.zone)
        last = filters.window.end - timedelta(microseconds=1)
        days = filters.window.start.astimezone(zone).date(), last.astimezone(zone).date()
        return replace(self, span=CUSTOM, first_day=days[0], last_day=days[1], zone=filters.zone)

    def _window(self, now: datetime, zone: str) -> windows.TimeWindow:
        if self.span != CUSTOM:
            return windows.recent(self.span, now)
        today = now.astimezone(ZoneInfo(zone)).date()
        chosen = windows.days(self.first_day or today, self.last_day or today, zone)
        # A day that is not over is compared with as much of the time before it.
        is_going_on = chosen.start < now < chosen.end
        return replace(chosen, end=now) if is_going_on else chosen

    def to_query(self) -> dict[str, list[str]]:
        """How does the URL say this? Defaults are left out, so the plain URL is the plain view."""
        said = {
            "range": self.span if self.span != DEFAULT_SPAN else None,
            "from": self.first_day.isoformat() if self.first_day else None,
            "to": self.last_day.isoformat() if self.last_day else None,
            "zone": self.zone,
            "refresh": self.refresh,
            "bucket": self.bucket,
        }
        query = {name: [value] for name, value in said.items() if value}
        return query | {
            name: list(getattr(self, name)) for name in DIMENSIONS if getattr(self, name)
        }


def read_choice(query: Mapping[str, Iterable[str]]) -> tuple[Choice, tuple[str, ...]]:
    """What does this URL ask for, and which of its parts make no sense?

    The second value holds a sentence for each part that was left out.

    >>> read_choice({"range": ["24h"], "model": ["gpt-4o"]})
    (Choice(span='24h', first_day=None, last_day=None, zone=None, model=('gpt-4o',), \
provider=(), user=(), team=(), key=(), refresh=None, bucket=None), ())
    >>> read_choice({"range": ["banana"]})[1]
    ('The link asks for the range “banana”, which does not exist; the last 7 days are shown.',)
    """
    said = {name: list(values) for name, values in query.items()}
    complaints: list[str] = []
    choice = Choice(
        zone=_one_of(said, "zone", windows.zones(), complaints),
        refresh=_one_of(said, "refresh", TICKS, complaints),
        bucket=_one_of(said, "bucket", windows.BUCKETS, complaints),
        model=_ids(said, "model", complaints),
        provider=_ids(said, "provider", complaints),
        user=_ids(said, "user", complaints),
        team=_ids(said, "team", complaints),
        key=_ids(said, "key", complaints),
    )
    return _with_range(choice, said, complaints), tuple(complaints)


def _with_range(choice: Choice, said: Mapping[str, list[str]], complaints: list[str]) -> Choice:
    span = _first(said, "range") or DEFAULT_SPAN
    if span in windows.SPANS:
        return replace(choice, span=span)
    if span != CUSTOM:
        complaints.append(
            f"The link asks for the range “{_quoted(span)}”, which does not exist; "
            "the last 7 days are shown."
        )
        return choice
    return _with_days(choice, said, complaints)


def _with_days(choice: Choice, said: Mapping[str, list[str]], complaints: list[str]) -> Choice:
    if not _first(said, "from") and not _first(said, "to"):
        return replace(choice, span=CUSTOM)
    try:
        first = date.fromisoformat(_first(said, "from") or "")
        last = date.fromisoformat(_first(said, "to") or "")
    except ValueError:
        complaints.append("The link's dates cannot be read; the last 7 days are shown.")
        return choice
    if complaint := days_complaint(first, last):
        complaints.append(f"{complaint} The last 7 days are shown.")
        return choice
    return replace(choice, span=CUSTOM, first_day=first, last_day=last)


def days_complaint(first: date, last: date) -> str | None:
    """What is wrong with these two days as a range? None where nothing is.

    >>> days_complaint(date(2026, 1, 2), date(2026, 1, 1))
    'The range ends before it starts.'
    """
    if last < first:
        return "The range ends before it starts."
    if (last - first) > windows.LONGEST:
        return f"The range is longer than {windows.LONGEST.days} days."
    if not 2000 <= first.year <= last.year <= 2200:
        return "The range lies outside the years 2000 to 2200."
    return None


def _one_of(
    said: Mapping[str, list[str]], name: str, allowed: Iterable[str], complaints: list[str]
) -> str | None:
    value = _first(said, name)
    if value is None or value in allowed:
        return value
    complaints.append(f"The link's {name} “{_quoted(value)}” does not exist and was left out.")
    return None


def _ids(said: Mapping[str, list[str]], name: str, complaints: list[str]) -> tuple[str, ...]:
    values = [value for value in said.get(name, ()) if value]
    usable = [value for value in values if len(value) <= LONGEST_VALUE and "\0" not in value]
    if len(usable) < len(values) or len(usable) > MOST_VALUES:
        complaints.append(f"Some of the link's values for {name} were too long or too many.")
    return tuple(sorted(set(usable)))[:MOST_VALUES]


def _first(said: Mapping[str, list[str]], name: str) -> str | None:
    return next(iter(said.get(name, ())), None)


def _quoted(value: str) -> str:
    return value[:40]

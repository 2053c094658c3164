"""The filters in the sidebar, as the URL holds them, before "now" turns them into `Filters`.

The URL is the only store: it survives a change of page, a reload and a paste into a chat. Parts
that are not valid are left out and named in a sentence, never raised.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tracelib import ranges
from tracelib import window as windows
from tracelib.filters import DIMENSIONS, ChosenIds, Filters
from tracelib.ranges import Between, NamedRange
from tracelib.settings import TICKS

PARAMETERS = (
    *(*ranges.PARAMETERS, *ranges.PART_PARAMETERS),
    *("zone", *DIMENSIONS, "refresh", "bucket", "marks"),
)
OFF = "off"
MOST_VALUES = 50
LONGEST_VALUE = 300


@dataclass(frozen=True, slots=True)
class Choice(ChosenIds):
    """The sidebar's state. `zone`, `refresh`, `bucket` and `marks` are None for the default.

    `part` is the part of the range that was chosen in a chart, as moments in UTC; pages show it in
    place of the range, which stays what it was. `marks` is OFF if charts have no marks of changes.
    """

    range: NamedRange = ranges.DEFAULT
    part: Between | None = None
    zone: str | None = None
    refresh: str | None = None
    bucket: str | None = None
    marks: str | None = None

    @property
    def shown(self) -> NamedRange:
        """The range that pages show: the part, if one is chosen."""
        return self.part or self.range

    def filters(self, now: datetime, viewer_zone: str) -> Filters:
        """Which filters does this mean at `now` in the viewer's zone?"""
        zone = self.zone or viewer_zone
        window = self.shown.window(now, zone)
        return Filters(window, zone, self.shown, **self.chosen())

    def in_words(self, filters: Filters) -> str:
        """Which window is shown, with its zone and comparison, as text?"""
        return self.shown.sentence(filters.window, filters.zone)

    def with_range(self, chosen: NamedRange) -> "Choice":
        """The same choice of another range, which has no part of the one before."""
        return replace(self, range=chosen, part=None)

    def fixed(self, filters: Filters) -> "Choice":
        """The same choice with the moments of its window, and the zone they are shown in."""
        between = Between(filters.window.start, filters.window.end)
        return replace(self.with_range(between), zone=filters.zone)

    def to_query(self) -> dict[str, list[str]]:
        """The choice as URL parameters.

        Defaults are left out, so the plain URL is the plain view.
        """
        of_range = self.range.query() if self.range != ranges.DEFAULT else {}
        of_range = {**of_range, **(ranges.part_query(self.part) if self.part else {})}
        others = {"zone": self.zone, "refresh": self.refresh, "bucket": self.bucket}
        others["marks"] = self.marks
        query = {name: [value] for name, value in {**of_range, **others}.items() if value}
        return query | {name: list(ids) for name, ids in self.chosen().items()}


def read_choice(query: Mapping[str, Iterable[str]]) -> tuple[Choice, tuple[str, ...]]:
    """Which choice does this URL hold, and which of its parts are not valid?

    The second value holds a sentence for each part that was left out.

    >>> choice, complaints = read_choice({"range": ["24h"], "model": ["gpt-4o"]})
    >>> choice.range, choice.chosen(), complaints
    (Last(hours=24), {'model': ('gpt-4o',)}, ())
    >>> read_choice({"range": ["banana"]})[1]
    ('Unknown range “banana” in the link; showing the last 7 days.',)
    """
    params = {name: list(values) for name, values in query.items()}
    chosen, complaint = ranges.read_range(*(_first(params, name) for name in ranges.PARAMETERS))
    complaints = [complaint] if complaint else []
    part, complaint = ranges.read_part(*(_first(params, name) for name in ranges.PART_PARAMETERS))
    complaints += [complaint] if complaint else []
    choice = Choice(
        range=chosen,
        part=part,
        zone=_one_of(params, "zone", windows.zones(), complaints),
        refresh=_one_of(params, "refresh", TICKS, complaints),
        bucket=_one_of(params, "bucket", windows.BUCKETS, complaints),
        marks=_one_of(params, "marks", (OFF,), complaints),
        **{name: _ids(params, name, complaints) for name in DIMENSIONS},
    )
    return choice, tuple(complaints)


def _one_of(
    params: Mapping[str, list[str]], name: str, allowed: Iterable[str], complaints: list[str]
) -> str | None:
    value = _first(params, name)
    if value is None or value in allowed:
        return value
    complaints.append(f"Ignored {name} “{_quoted(value)}” in the link: unknown value.")
    return None


def _ids(params: Mapping[str, list[str]], name: str, complaints: list[str]) -> tuple[str, ...]:
    values = [value for value in params.get(name, ()) if value]
    usable = [value for value in values if len(value) <= LONGEST_VALUE and "\0" not in value]
    if len(usable) < len(values) or len(usable) > MOST_VALUES:
        complaints.append(f"Ignored some values of {name} in the link: too long or too many.")
    return tuple(sorted(set(usable)))[:MOST_VALUES]


def _first(params: Mapping[str, list[str]], name: str) -> str | None:
    return next(iter(params.get(name, ())), None)


def _quoted(value: str) -> str:
    return value[:40]

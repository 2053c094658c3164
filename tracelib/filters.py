"""The requests that a person wants to see: one frozen value, equal for equal filters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace

from tracelib.keys import key_identity
from tracelib.ranges import Range
from tracelib.window import TimeWindow

# Means "without one" among the values of a dimension: no user, no team, no provider.
NONE = "(none)"
DIMENSIONS = ("model", "provider", "user", "team", "key")


def known_keys(keys: Iterable[str]) -> tuple[str, ...]:
    """The identities of these keys, sorted. Only a link may contain a key itself.

    >>> known_keys(["None", "litellm-cli"]) == (NONE, "litellm-cli")
    True
    """
    return tuple(sorted({one if one == NONE else key_identity(one) or NONE for one in keys}))


@dataclass(frozen=True, slots=True)
class Filters:
    """A window, and for each dimension the IDs to include; none includes all.

    `zone` is the viewer's time zone: it decides where days begin, not which rows are read. `range`
    is the range of the window, such as "the last 7 days"; None for a window of its own.
    """

    window: TimeWindow
    zone: str = "UTC"
    model: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    range: Range | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", known_keys(self.key))
        for dimension in DIMENSIONS:
            object.__setattr__(self, dimension, tuple(sorted(set(getattr(self, dimension)))))

    def previous(self) -> "Filters":
        """The same filters with the window just before."""
        before = self.range and self.range.previous()
        return replace(self, window=self.window.previous(), range=before)

    def within(self, window: TimeWindow) -> "Filters":
        """The same filters with a window of their own."""
        return replace(self, window=window, range=None)

    def without_clock(self) -> tuple[object, ...]:
        """What is viewed, regardless of now: equal for the last 7 days at any moment."""
        dimensions = tuple(getattr(self, dimension) for dimension in DIMENSIONS)
        return self.range or self.window, self.zone, *dimensions

    def chosen(self) -> Mapping[str, tuple[str, ...]]:
        """The dimensions with a filter, and their IDs.

        >>> from datetime import UTC, datetime
        >>> window = TimeWindow(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
        >>> Filters(window, model=("b", "a", "b")).chosen()
        {'model': ('a', 'b')}
        """
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {dimension: named[dimension] for dimension in DIMENSIONS if named[dimension]}

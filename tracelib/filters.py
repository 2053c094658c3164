"""The requests that a person wants to see: one frozen value, equal for equal filters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace

from tracelib.keys import key_identity
from tracelib.ranges import Range
from tracelib.window import TimeWindow

# Means "without one" among the values of a dimension: no user, no team, no provider.
NONE = "(none)"


def known_keys(keys: Iterable[str]) -> tuple[str, ...]:
    """The identities of these keys, sorted. Only a link may contain a key itself.

    >>> known_keys(["None", "litellm-cli"]) == (NONE, "litellm-cli")
    True
    """
    return tuple(sorted({one if one == NONE else key_identity(one) or NONE for one in keys}))


def _dimension(described: str) -> tuple[str, ...]:
    ids: tuple[str, ...] = field(default=(), metadata={"described": described})
    return ids


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenIds:
    """For each dimension the IDs to include, sorted; none includes all.

    A dimension is declared here, with its explanation in the API, and nowhere else: the field is
    also the column of the relation, the parameter of links and of the API, and the heading.
    """

    model: tuple[str, ...] = _dimension("")
    provider: tuple[str, ...] = _dimension("")
    user: tuple[str, ...] = _dimension("IDs. ")
    team: tuple[str, ...] = _dimension("IDs. ")
    key: tuple[str, ...] = _dimension("Hashes, as LiteLLM stores them. ")

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", known_keys(self.key))
        for dimension in DIMENSIONS:
            object.__setattr__(self, dimension, tuple(sorted(set(getattr(self, dimension)))))

    def chosen(self) -> Mapping[str, tuple[str, ...]]:
        """The dimensions with a filter, and their IDs.

        >>> ChosenIds(model=("b", "a", "b")).chosen()
        {'model': ('a', 'b')}
        """
        of_each = {dimension: getattr(self, dimension) for dimension in DIMENSIONS}
        return {dimension: ids for dimension, ids in of_each.items() if ids}


DESCRIBED = {one.name: one.metadata["described"] for one in fields(ChosenIds)}
DIMENSIONS = tuple(DESCRIBED)


@dataclass(frozen=True, slots=True)
class Filters(ChosenIds):
    """A window, and for each dimension the IDs to include.

    `zone` is the viewer's time zone: it decides where days begin, not which rows are read. `range`
    is the range of the window, such as "the last 7 days"; None for a window of its own.
    """

    window: TimeWindow
    zone: str = "UTC"
    range: Range | None = None

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

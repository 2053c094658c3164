"""The choices of a drop-down, as values."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

SHORT = 8


@dataclass(frozen=True, slots=True)
class Facet:
    """One choice: the id that filters go by, the name that people know, and how often of late."""

    id: str
    name: str
    requests: int


@dataclass(frozen=True, slots=True)
class Facets:
    """What each dimension of `filters.DIMENSIONS` offers, the most used first."""

    model: tuple[Facet, ...] = ()
    provider: tuple[Facet, ...] = ()
    user: tuple[Facet, ...] = ()
    team: tuple[Facet, ...] = ()
    key: tuple[Facet, ...] = ()

    @classmethod
    def none(cls) -> "Facets":
        """Which facets are there where nothing is known?"""
        return cls()

    def of(self, dimension: str) -> tuple[Facet, ...]:
        """What does this dimension offer?"""
        offered: tuple[Facet, ...] = getattr(self, dimension)
        return offered

    def names(self, dimension: str) -> dict[str, str]:
        """What is each id of this dimension called? In the order of the facets."""
        return {facet.id: facet.name for facet in self.of(dimension)}


def told_apart(found: Sequence[Facet]) -> tuple[Facet, ...]:
    """Which names can be told apart? Where two ids share a name, each carries its id too.

    >>> twins = (Facet("a1", "Ada", 2), Facet("b2", "Ada", 1), Facet("c3", "Bo", 1))
    >>> [facet.name for facet in told_apart(twins)]
    ['Ada (a1)', 'Ada (b2)', 'Bo']
    """
    shared = {name for name, count in Counter(facet.name for facet in found).items() if count > 1}
    alike = Counter((facet.name, _shortened(facet.id)) for facet in found)
    return tuple(
        replace(facet, name=f"{facet.name} ({_id(facet, alike)})")
        if facet.name in shared
        else facet
        for facet in found
    )


def _id(facet: Facet, alike: Counter[tuple[str, str]]) -> str:
    short = _shortened(facet.id)
    return short if alike[facet.name, short] == 1 else facet.id


def _shortened(identity: str) -> str:
    return identity if len(identity) <= SHORT + 1 else f"{identity[:SHORT]}…"

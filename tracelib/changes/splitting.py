"""How the change of a figure is split among the values of a dimension, so that it adds up."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tracelib.changes.comparing import Comparison
from tracelib.changes.measures import DIMENSIONS, Group, Measure, Sums

MOST_MOVERS = 8


@dataclass(frozen=True, slots=True)
class Mover:
    """A group, or all others, with its part of a change.

    `before` and `now` are its own figure, None for an average over nothing. `change` is what it
    adds to the change of the whole; of an average, `mix` is what its share of the requests adds and
    `rate` what its own average adds: together the change.
    """

    group: Group
    before: Fraction | None
    now: Fraction | None
    change: Fraction
    mix: Fraction | None = None
    rate: Fraction | None = None

    @property
    def is_new(self) -> bool:
        """Has it requests in this window only?"""
        return not self.group.before.requests and bool(self.group.now.requests)

    @property
    def is_gone(self) -> bool:
        """Has it requests in the earlier window only?"""
        return not self.group.now.requests and bool(self.group.before.requests)


@dataclass(frozen=True, slots=True)
class Split:
    """The largest movers of a dimension and `others`, whose changes add up to `change` exactly.

    `others` is None if no requests are left; `others_count` of values, None if unknown.
    """

    dimension: str
    change: Fraction
    movers: tuple[Mover, ...]
    others: Mover | None
    others_count: int | None

    def share(self, mover: Mover) -> float | None:
        """Which share of the whole change is this mover's? Above 1 if others went the other way."""
        return float(mover.change / self.change) if self.change else None


def splits(
    measure: Measure, compared: Comparison, sessions: Sequence[Group] | None
) -> tuple[Split, ...]:
    """How is the change split by each of `DIMENSIONS`? In their order; `sessions` None if unknown.

    Empty for an average that one of the windows does not have.
    """
    whole = (compared.before, compared.now)
    found = [
        split(measure, one, whole, sessions or (), None)
        if one == "session"
        else split(measure, one, whole, compared.of(one), compared.counts.get(one))
        for one in DIMENSIONS
        if one != "session" or sessions is not None
    ]
    return tuple(one for one in found if one is not None)


def split(
    measure: Measure,
    dimension: str,
    whole: tuple[Sums, Sums],
    groups: Sequence[Group],
    count: int | None = None,
) -> Split | None:
    """How much of the change of the whole is that of each group?

    `whole` are the sums before and now, `groups` some of the dimension, `count` how many it has.
    Largest change first, then by ID; groups without a change are among the others. None for an
    average that one of the windows does not have.
    """
    before, now = (measure.value(one) for one in whole)
    if before is None or now is None:
        return None
    movers = [_mover(measure, one, whole) for one in groups]
    movers.sort(key=lambda one: (-abs(one.change), one.group.id or "", one.group.key or ""))
    shown = [one for one in movers if one.change][:MOST_MOVERS]
    left = _without(dimension, whole, [one.group for one in shown])
    others = _mover(measure, left, whole) if left.before != Sums() or left.now != Sums() else None
    rest = None if count is None else count - len(shown)
    return Split(dimension, now - before, tuple(shown), others, rest)


def _without(dimension: str, whole: tuple[Sums, Sums], shown: Sequence[Group]) -> Group:
    before, now = whole
    for one in shown:
        before, now = before.minus(one.before), now.minus(one.now)
    return Group(dimension, None, None, before, now)


def _mover(measure: Measure, group: Group, whole: tuple[Sums, Sums]) -> Mover:
    before, now = measure.value(group.before), measure.value(group.now)
    if measure.of is None:
        change = measure.amount(group.now) - measure.amount(group.before)
        return Mover(group, before, now, change)
    mix, rate = _effects(measure, group, whole)
    return Mover(group, before, now, mix + rate, mix, rate)


def _effects(measure: Measure, group: Group, whole: tuple[Sums, Sums]) -> tuple[Fraction, Fraction]:
    """What a group's share of the requests, and its own average, add to the average of all.

    A share counts by how far the group is above the lower of the two averages of all: so what made
    the higher one higher has the change. Any such level adds up, because shares add up to 1 in both
    windows. A group of one window has no change of its own average.
    """
    share_before, share_now = (
        Fraction(measure.weight(own), measure.weight(every))
        for own, every in zip((group.before, group.now), whole, strict=True)
    )
    before, now = measure.value(group.before), measure.value(group.now)
    level = min(measure.value(one) or Fraction(0) for one in whole)
    own = [one for one in (before, now) if one is not None]
    if not own:
        return Fraction(0), Fraction(0)
    typical = sum(own, Fraction(0)) / len(own) - level
    mix = (share_now - share_before) * typical
    if before is None or now is None:
        return mix, Fraction(0)
    return mix, (now - before) * (share_before + share_now) / 2

"""The classes of a difference, and the parts of one that add up to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from tracelib.ledgers.cells import NONE_USD, Cell, Cells, Sums, rounded

Class = Literal[
    "in_flight",
    "parked",
    "deleted_by_retention",
    "not_kept",
    "same_id_twice",
    "first_hundred_drop",
    "lost_between_writes",
    "changed_later",
    "counted_otherwise",
    "unexplained",
]
CLASSES: tuple[Class, ...] = Class.__args__  # type: ignore[attr-defined]
# Per cell and per request in it: LiteLLM adds up doubles, in any order.
LEAST_USD, NOISE = Decimal("1e-9"), Decimal(2) ** -52


class Amount(NamedTuple):
    """Requests and US dollars: of the log minus the daily table, so signed."""

    requests: int = 0
    usd: Decimal = NONE_USD

    def plus(self, other: "Amount") -> "Amount":
        """Both together."""
        return Amount(self.requests + other.requests, self.usd + other.usd)

    def minus(self, other: "Amount") -> "Amount":
        """What is left without the other."""
        return Amount(self.requests - other.requests, self.usd - other.usd)

    def __bool__(self) -> bool:
        return bool(self.requests or self.usd)


NOTHING = Amount()


@dataclass(slots=True)
class Difference:
    """A cell whose sums differ: what is not explained yet is `rest`, the others are `parts`."""

    cell: Cell
    log: Sums
    daily: Sums
    rest: Amount
    parts: dict[Class, Amount] = field(default_factory=dict)

    @property
    def whole(self) -> Amount:
        """The log minus the daily table."""
        return total([self.rest, *self.parts.values()])

    @property
    def missing_failures(self) -> int:
        """How many failures more does the daily table have than the log?"""
        return max(0, self.daily.failures - self.log.failures)

    def take(self, name: Class, most: Amount) -> None:
        """Explain as much of the rest as this class can: at most these requests, and their money.

        Nothing if the rest has the other sign. The money of only some of the requests is that of
        the rest where it is not more.
        """
        if not most.requests or self.rest.requests * most.requests <= 0:
            return
        if abs(self.rest.requests) > abs(most.requests):
            self._move(name, most)
            return
        covers = abs(self.rest.requests) == abs(most.requests)
        usd = most.usd if covers else _nearer(self.rest.usd, most.usd)
        self._move(name, Amount(self.rest.requests, usd))

    def explain(self, name: Class) -> None:
        """Explain all of the rest."""
        self._move(name, self.rest)

    def _move(self, name: Class, part: Amount) -> None:
        self.parts[name] = self.parts.get(name, NOTHING).plus(part)
        self.rest = self.rest.minus(part)


def _nearer(usd: Decimal, limit: Decimal) -> Decimal:
    """The amount, but not beyond the limit, nor of the other sign."""
    low, high = sorted((NONE_USD, limit))
    return min(max(usd, low), high)


def total(amounts: Iterable[Amount]) -> Amount:
    """The sum of these."""
    whole = NOTHING
    for one in amounts:
        whole = whole.plus(one)
    return whole


def differences(log: Cells, daily: Cells) -> list[Difference]:
    """Which cells differ, in requests or in money by more than the noise of doubles?"""
    found = []
    for cell in log.keys() | daily.keys():
        own, booked = log.get(cell, Sums()), daily.get(cell, Sums())
        rest = Amount(own.requests - booked.requests, without_noise(own, booked))
        if rest:
            found.append(Difference(cell, own, booked, rest))
    return sorted(found, key=lambda one: one.cell)


def without_noise(log: Sums, daily: Sums) -> Decimal:
    """The log's money minus the daily table's; 0 if that is what adding up doubles may leave.

    >>> without_noise(Sums(1, usd=Decimal("0.3")), Sums(1, usd=Decimal("0.30000000000000004")))
    Decimal('0')
    """
    usd = rounded(log.usd - daily.usd)
    requests = max(log.requests, daily.requests, 1)
    noise = LEAST_USD + requests * NOISE * max(abs(log.usd), abs(daily.usd))
    return NONE_USD if abs(usd) <= noise else usd


def by_class(found: Iterable[Difference]) -> Mapping[Class, Amount]:
    """What each class explains of these, in the order of CLASSES; those with nothing are left out.

    All of them add up to the difference.
    """
    sums: dict[Class, Amount] = {}
    for one in found:
        for name, part in (*one.parts.items(), ("unexplained", one.rest)):
            sums[name] = sums.get(name, NOTHING).plus(part)
    return {name: sums[name] for name in CLASSES if sums.get(name)}

"""The figures whose change is decomposed, and the exact sums that they are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction

from tracelib.formatting import Kind, duration, money
from tracelib.spendlogs.figures import FIGURES, Figure

# From the most specific to the least. Each request has one value of each.
DIMENSIONS = ("session", "key", "user", "team", "model", "provider")


@dataclass(frozen=True, slots=True)
class Sums:
    """Exact sums of a set of requests: counts, US dollars, billed tokens, milliseconds."""

    requests: int = 0
    failures: int = 0
    cost_usd: Decimal = Decimal(0)
    tokens: int = 0
    answered: int = 0
    response_ms: int = 0

    def plus(self, other: "Sums") -> "Sums":
        """The sums of both sets together."""
        return Sums(*(getattr(self, name) + getattr(other, name) for name in SUMS))

    def minus(self, part: "Sums") -> "Sums":
        """The sums without those of a part of the set."""
        return Sums(*(getattr(self, name) - getattr(part, name) for name in SUMS))


SUMS = tuple(one.name for one in fields(Sums))


@dataclass(frozen=True, slots=True)
class Group:
    """The requests with one value of a dimension, in the earlier window and in this one.

    `id` is None for the requests without a value. A session has the identity of its key in `key`,
    and the name of that key as its name.
    """

    dimension: str
    id: str | None
    name: str | None
    before: Sums
    now: Sums
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure that is one of the sums, or one divided by another. `figure` is in `FIGURES`."""

    figure: str
    part: str
    of: str | None = None

    @property
    def declared(self) -> Figure:
        """The figure as it is declared: title, definition, kind."""
        return FIGURES[self.figure]

    def amount(self, sums: Sums) -> Fraction:
        """The sum, or the dividend of the average."""
        return Fraction(getattr(sums, self.part))

    def weight(self, sums: Sums) -> int:
        """The divisor of an average: how many requests it is over."""
        return int(getattr(sums, self.of)) if self.of else 0

    def value(self, sums: Sums) -> Fraction | None:
        """The figure, exactly; None for an average over nothing."""
        if self.of is None:
            return self.amount(sums)
        return self.amount(sums) / self.weight(sums) if self.weight(sums) else None

    def written(self, value: Fraction | None) -> str:
        """The figure as text."""
        return self.declared.kind.written(None if value is None else float(value))

    def written_change(self, change: Fraction) -> str:
        """The size of a change as text, without its sign; that of a share in points.

        >>> MEASURES["error_rate"].written_change(Fraction(-21, 1000))
        '2.1 points'
        """
        size = abs(float(change))
        if self.declared.kind is Kind.SHARE:
            points = size * 100
            digits = 1 if points >= 1 else 2
            return f"{points:.{digits}f} points" if points >= 0.005 or not size else "< 0.01 points"
        if self.declared.kind is Kind.MONEY:
            return money(size)
        return duration(size) if self.declared.kind is Kind.DURATION else f"{size:,.0f}"


MEASURES: Mapping[str, Measure] = {
    "cost_usd": Measure("cost_usd", "cost_usd"),
    "requests": Measure("requests", "requests"),
    "response_ms_avg": Measure("response_ms_avg", "response_ms", "answered"),
    "error_rate": Measure("error_rate", "failures", "requests"),
}

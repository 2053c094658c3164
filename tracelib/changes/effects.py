"""What a change of cost is made of: requests, tokens per request, dollars per token.

The product of the three is the cost of a model. Each effect is the average of what its factor adds
over all orders in which the three can change (Shapley): it adds up exactly, also with zeros and
negative amounts, and needs no logarithm.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction

from tracelib.changes.measures import Group, Sums

# As many as the log's amounts have: an effect is rounded to them, and the price takes the rest.
DECIMALS = 15


@dataclass(frozen=True, slots=True)
class CostEffects:
    """What each factor adds to a change of cost, in US dollars; together the change exactly.

    `requests`, `size` and `price` of the models in both windows: more of them, more tokens in each,
    and another price of a token. `new_models` and `gone_models` are the cost of models in only one.
    """

    requests: Fraction = Fraction(0)
    size: Fraction = Fraction(0)
    price: Fraction = Fraction(0)
    new_models: Fraction = Fraction(0)
    gone_models: Fraction = Fraction(0)

    @property
    def total(self) -> Fraction:
        """The whole change."""
        return sum((getattr(self, one.name) for one in fields(self)), Fraction(0))


def cost_effects(whole: tuple[Sums, Sums], models: Sequence[Group]) -> CostEffects:
    """What do requests, tokens per request, price and other models add to the change of cost?

    `models` are groups of models; what is in none of them counts as one model more.
    """
    before, now = whole
    for one in models:
        before, now = before.minus(one.before), now.minus(one.now)
    pairs = [*((one.before, one.now) for one in models), (before, now)]
    return _added(_of_model(*pair) for pair in pairs)


def _added(every: Iterable[CostEffects]) -> CostEffects:
    found = list(every)
    names = [one.name for one in fields(CostEffects)]
    return CostEffects(*(sum((getattr(one, name) for one in found), Fraction(0)) for name in names))


def _of_model(before: Sums, now: Sums) -> CostEffects:
    change = Fraction(now.cost_usd) - Fraction(before.cost_usd)
    if before.requests <= 0:
        return CostEffects(new_models=change)
    if now.requests <= 0:
        return CostEffects(gone_models=change)
    factors = [_factors(one, before.tokens > 0 and now.tokens > 0) for one in (before, now)]
    requests, size, _ = (round(one, DECIMALS) for one in _shapley(*factors))
    return CostEffects(requests, size, change - requests - size)


def _factors(sums: Sums, has_tokens: bool) -> tuple[Fraction, Fraction, Fraction]:
    """Requests, tokens per request, dollars per token; without tokens dollars per request."""
    if not has_tokens:
        return Fraction(sums.requests), Fraction(1), Fraction(sums.cost_usd) / sums.requests
    return (
        Fraction(sums.requests),
        Fraction(sums.tokens, sums.requests),
        Fraction(sums.cost_usd) / sums.tokens,
    )


def _shapley(
    before: tuple[Fraction, Fraction, Fraction], now: tuple[Fraction, Fraction, Fraction]
) -> tuple[Fraction, Fraction, Fraction]:
    (a0, b0, c0), (a1, b1, c1) = before, now
    return (
        (a1 - a0) * _between(b0, b1, c0, c1),
        (b1 - b0) * _between(a0, a1, c0, c1),
        (c1 - c0) * _between(a0, a1, b0, b1),
    )


def _between(x0: Fraction, x1: Fraction, y0: Fraction, y1: Fraction) -> Fraction:
    """The average product of the two other factors, over the orders in which they change."""
    return (x0 * y0 + x1 * y1) / 3 + (x0 * y1 + x1 * y0) / 6

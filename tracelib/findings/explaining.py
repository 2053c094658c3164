"""Why did something cost more? More requests, larger ones, or a higher price per token."""

from collections.abc import Mapping
from math import exp, log

from tracelib import formatting
from tracelib.findings.detection import Episode

# A factor nearer to 1 is not mentioned.
WORTH_MENTIONING = 0.15
FACTORS = ("requests", "size", "price")


def parts_of_excess(one: Episode) -> Mapping[str, float] | None:
    """How much of the excess cost is due to requests, to their size, and to the price of a token?

    They add up to it: the change of a product, split by logarithmic means (B. W. Ang, Energy Policy
    33 (2005), 867). None if any figure is 0, in fact or usually.
    """
    factors = _factors(one)
    if factors is None:
        return None
    actual, expected = one.actual["cost"], one.expected["cost"]
    mean = actual if actual == expected else (actual - expected) / log(actual / expected)
    return {name: mean * log(factor) for name, factor in factors.items()}


def _factors(one: Episode) -> Mapping[str, float] | None:
    """How many times as usual are requests, tokens of each, and cost of each token?"""
    names = ("requests", "tokens", "cost")
    if any(min(one.actual[name], one.expected[name]) <= 0 for name in names):
        return None
    requests, tokens, cost = (one.actual[name] / one.expected[name] for name in names)
    return {"requests": requests, "size": tokens / requests, "price": cost / tokens}


def main_factor(one: Episode) -> str:
    """Which of `FACTORS` has the largest part in the excess? Requests if it is unknown."""
    parts = parts_of_excess(one)
    return max(parts, key=lambda name: parts[name]) if parts else "requests"


def in_words(one: Episode) -> str:
    """The three factors as a sentence, with the money of each."""
    factors, parts = _factors(one), parts_of_excess(one)
    if factors is None or parts is None:
        return "Usually there is next to nothing at this time of the week."
    words = {"requests": "the requests", "size": "the tokens in each", "price": "the price a token"}
    changed = [name for name in FACTORS if abs(log(factors[name])) >= WORTH_MENTIONING]
    if not changed:
        return "Requests, their size and the price are each a little above usual."
    each = [f"{times(factors[name])} {words[name]} ({_money(parts[name])})" for name in changed]
    text = ", ".join(each)
    return f"{text[:1].upper()}{text[1:]}."


def times(factor: float) -> str:
    """
    >>> times(6.12), times(14.8), times(0.52)
    ('6.1 times', '15 times', '0.52 times')
    """
    if factor >= 9.95:
        return f"{formatting.exact(factor)} times"
    return f"{factor:.1f} times" if factor >= 0.95 else f"{factor:.2f} times"


def _money(usd: float) -> str:
    sign = "+" if usd >= 0 else ""
    return f"{sign}{formatting.money(usd)}"


def milliseconds(log_ms: float, timed: float, parts: int) -> float | None:
    """The geometric mean of response times, of the sum of parts of their logarithms."""
    return exp(log_ms / timed / parts) if timed else None

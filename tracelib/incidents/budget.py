"""How fast is an error budget used up?

A burn rate as in *The Site Reliability Workbook*, Google 2018, chapter 5: 1 uses the budget of a
period in that period. It is fast at 14.4 over an hour, 2 % of a month's budget, or at 6 over six
hours, 5 % of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracelib.incidents.values import Recent

PERIOD_DAYS = 30
FAST: Mapping[int, float] = {1: 14.4, 6: 6.0}
# Fewer failures than this use up a budget by chance.
LEAST_FAILURES = 10


@dataclass(frozen=True, slots=True)
class Burn:
    """The use of an error budget in the last `hours`: how many times what would just last.

    `rate` is None without requests. `lasts_days` is how long the budget of 30 days would last; None
    if it is not used.
    """

    hours: int
    requests: int
    failures: int
    rate: float | None
    is_fast: bool

    @property
    def lasts_days(self) -> float | None:
        """How many days would the budget of 30 days last at this rate?"""
        return PERIOD_DAYS / self.rate if self.rate else None


def burns(recent: Sequence[Recent], budget: float | None) -> tuple[Burn, ...]:
    """How fast is this budget, a share of requests, used up? Nothing without a budget.

    >>> burns([Recent(1, 100, 20)], 0.01)[0].rate, burns([Recent(1, 100, 20)], None)
    (20.0, ())
    """
    return () if budget is None else tuple(_burn(one, budget) for one in recent)


def _burn(one: Recent, budget: float) -> Burn:
    rate = one.failures / one.requests / budget if one.requests else None
    is_fast = rate is not None and rate >= FAST[one.hours] and one.failures >= LEAST_FAILURES
    return Burn(one.hours, one.requests, one.failures, rate, is_fast)

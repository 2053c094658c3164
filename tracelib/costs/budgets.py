"""Which budgets run out before they reset, and when?"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import quantiles
from typing import Any, Literal, Protocol

from tracelib.costs.kinds import Kind
from tracelib.costs.limits import Limit, Limits, limits
from tracelib.costs.paces import DAYS, MOST_PACES, Pace, paces
from tracelib.filters import NONE, Filters

State = Literal["spent", "runs_out", "over_soft", "lasts"]
ORDER: tuple[State, ...] = State.__args__  # type: ignore[attr-defined]
HORIZON_DAYS = 366
DAY = timedelta(days=1)
NEVER = datetime.max.replace(tzinfo=UTC)


class Run(Protocol):
    """Runs these (function, argument…) tuples, and returns their values in order."""

    def __call__(self, queries: Sequence[tuple[Any, ...]]) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget, how quickly it is spent, and when it runs out at that pace.

    `limit_usd` includes a temporary increase, None if only a soft limit is set. `pace_usd` is what
    a day of the last seven cost on average, `last_day_usd` what the last 24 hours cost: None if
    that is unknown. `runs_out_at` is None unless it does before it resets; `soonest_at` is the
    same if every day were like the last 24 hours. `state` is that of the pace.
    """

    limit: Limit
    limit_usd: Decimal | None
    state: State
    pace_usd: Decimal | None = None
    last_day_usd: Decimal | None = None
    runs_out_at: datetime | None = None
    soonest_at: datetime | None = None

    @property
    def left_usd(self) -> Decimal | None:
        """What is left of the limit, at least 0."""
        return None if self.limit_usd is None else max(self.limit_usd - self.limit.spent_usd, ZERO)

    @property
    def share(self) -> float | None:
        """The spent share of the limit; None without one above 0."""
        return float(self.limit.spent_usd / self.limit_usd) if self.limit_usd else None


ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Budgets:
    """All budgets, those that run out first in front; what was not read, and what is unknown."""

    rows: tuple[Budget, ...]
    unread: int
    unknown: tuple[str, ...]


def budgets(run: Run, filters: Filters, now: datetime) -> Budgets:
    """Which budgets of these keys, teams and users run out before they reset, and when?

    `run` runs `limits`, which needs PostgreSQL, and then `paces`, which a replica can run. The
    other filters and the range do not apply: a budget is as of now. Raises a TraceError.
    """
    (known,) = run([(limits,)])
    found: tuple[Pace, ...] = ()
    if known.rows:
        (found,) = run([(paces, now, known.kinds)])
    return judged(known, found, filters, now)


def judged(known: Limits, found: Iterable[Pace], filters: Filters, now: datetime) -> Budgets:
    """The budgets with these limits and paces, as of now; those that run out first in front."""
    by_owner = {(one.kind, one.id, one.team_id): one.days for one in found}
    counts = Counter(one.kind for one in found)
    rows = []
    for limit in known.rows:
        # Of very many owners, those with little cost are not read.
        idle = (ZERO,) * DAYS if counts[limit.kind] < MOST_PACES else ()
        if _is_chosen(limit, filters):
            rows.append(_judged(limit, by_owner.get(_owner(limit), idle), now))
    return Budgets(tuple(sorted(rows, key=_place)), known.unread, known.unknown)


def _owner(limit: Limit) -> tuple[Kind, str, str | None]:
    return limit.kind, limit.id, limit.team_id if limit.kind == "member" else None


def _is_chosen(limit: Limit, filters: Filters) -> bool:
    own = {
        "key": limit.id if limit.kind == "key" else None,
        "team": limit.team_id,
        "user": limit.user_id,
    }
    chosen = ((getattr(filters, name), own[name] or NONE) for name in own)
    return all(not ids or one in ids for ids, one in chosen)


def _place(one: Budget) -> tuple[Any, ...]:
    at, soon = (moment or NEVER for moment in (one.runs_out_at, one.soonest_at))
    return ORDER.index(one.state), at, soon, -(one.share or 0), one.limit.kind, one.limit.id


def _judged(limit: Limit, last: Sequence[Decimal], now: datetime) -> Budget:
    is_raised = limit.increase_until is not None and limit.increase_until > now
    raised = (limit.increase_usd or ZERO) if is_raised else ZERO
    whole = None if limit.limit_usd is None else limit.limit_usd + raised
    days = _usual(last) if last else ()
    out = _runs_out(limit, raised, days, now)
    soonest = _runs_out(limit, raised, last[-1:], now)
    return Budget(
        limit=limit,
        limit_usd=whole,
        state=_state(limit, whole, out),
        pace_usd=sum(days, ZERO) / len(days) if days else None,
        last_day_usd=last[-1] if last else None,
        runs_out_at=out,
        soonest_at=soonest,
    )


def _state(limit: Limit, whole: Decimal | None, out: datetime | None) -> State:
    if whole is not None and limit.spent_usd >= whole:
        return "spent"
    if out is not None:
        return "runs_out"
    is_over = limit.soft_usd is not None and limit.spent_usd >= limit.soft_usd
    return "over_soft" if is_over else "lasts"


def _usual(days: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """These days, of which one that is far above the others counts as the highest usual one.

    Tukey's fence: the upper quartile and one and a half times the distance of the quartiles.
    """
    lower, _, upper = quantiles(map(float, days), n=4, method="inclusive")
    fence = Decimal(str(upper + 1.5 * (upper - lower)))
    return tuple(min(one, fence) for one in days)


def _runs_out(
    limit: Limit, raised: Decimal, days: Sequence[Decimal], now: datetime
) -> datetime | None:
    """When is the limit reached if the days repeat in their order? None if it resets before."""
    if limit.limit_usd is None or limit.spent_usd >= limit.limit_usd + raised:
        return None
    at = _reached(limit.limit_usd + raised - limit.spent_usd, days, now)
    until = limit.increase_until
    if raised and until and (at is None or at > until):
        base = _reached(limit.limit_usd - limit.spent_usd, days, now)
        at = max(base, until) if base else None
    is_before = limit.resets_at is None or (at is not None and at < limit.resets_at)
    return at if is_before else None


def _reached(usd: Decimal, days: Sequence[Decimal], now: datetime) -> datetime | None:
    """When have these days, repeated, cost this much? None if not within a year."""
    if usd <= 0:
        return now
    left = usd
    for number in range(HORIZON_DAYS if any(one > 0 for one in days) else 0):
        cost = days[number % len(days)]
        if cost >= left:
            return now + DAY * (number + float(left / cost))
        left -= max(cost, ZERO)
    return None

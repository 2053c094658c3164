"""What costs how much, what this month will cost, and which budgets run out, for programs."""

from collections.abc import Mapping
from decimal import Decimal

from tracelib import costs
from tracelib.api import cost_params, cost_responses
from tracelib.api.caller import Caller
from tracelib.api.cost_responses import GroupCost, MonthEstimate
from tracelib.api.values import window
from tracelib.costs import Budget, Costs, CostTable, DailyCosts, Estimate
from tracelib.costs.budgets import judged
from tracelib.costs.daily import Days, cost_of_month, month_before, reach_of
from tracelib.costs.estimating import in_words
from tracelib.costs.words import headline


def cost_by_group(caller: Caller, given: cost_params.CostsBy) -> cost_responses.Costs:
    """What does each group cost by day, week or month, and what will the month cost?"""
    filters, now = given.filters(caller.now), caller.now
    period = given.chosen_period(filters.window)
    before = filters.within(month_before(now, filters.zone))
    table, known, last_month = caller.query_together(
        (costs.cost_table, filters, given.by, period, given.limit),
        (costs.limits,),
        (costs.whole_cost, before),
    )
    ids = tuple(one.id for one in table.groups)
    reach = filters.within(reach_of(now, filters.zone))
    daily, names, paces = caller.query_together(
        (costs.daily_costs, reach, given.by, ids),
        (costs.other_names, given.by, ids),
        (costs.paces, now, known.kinds),
    )
    budgets = judged(known, paces, filters, now)
    month = costs.month_estimate(daily, daily.total)
    last_usd = cost_of_month(last_month, before)
    sentences = (in_words(month, last_usd), headline(budgets, now, filters.zone))
    return cost_responses.Costs(
        window=window(filters.window),
        previous_window=window(filters.window.previous()),
        by=given.by,
        bucket=period,
        periods=[window(span) for span in table.spans],
        total=_group(table, table.total, None, "total", _month(month)),
        groups=_groups(table, daily, dict(names)),
        others=table.others and _group(table, table.others, None, "others", None),
        other_groups=table.other_groups,
        last_month_usd=last_usd,
        sentence=" ".join(filter(None, sentences)),
        budgets=[_budget(one) for one in budgets.rows],
        budgets_not_listed=budgets.unread,
        unknown=list(budgets.unknown),
    )


def _groups(table: CostTable, daily: DailyCosts, names: Mapping[str, str]) -> list[GroupCost]:
    return [
        _group(
            table,
            one.costs,
            one.id,
            names.get(one.id or "", one.name),
            _estimate(daily, daily.groups.get(one.id)),
        )
        for one in table.groups
    ]


def _estimate(daily: DailyCosts, days: Days | None) -> MonthEstimate:
    return _month(costs.month_estimate(daily, days or (Decimal(0),) * len(daily.total)))


def _group(
    table: CostTable,
    own: Costs,
    identity: str | None,
    name: str | None,
    month: MonthEstimate | None,
) -> GroupCost:
    return GroupCost(
        id=identity,
        name=name,
        cost_usd=float(own.cost_usd),
        share=own.share_of(table.total),
        earlier_cost_usd=float(own.earlier_usd),
        requests=own.requests,
        total_tokens=own.tokens,
        periods=[
            cost_responses.CostOfPeriod(
                cost_usd=float(one.cost_usd), requests=one.requests, total_tokens=one.tokens
            )
            for one in own.by_period
        ],
        month=month,
    )


def _month(one: Estimate) -> MonthEstimate:
    return MonthEstimate(
        month=one.month,
        so_far_usd=one.so_far_usd,
        expected_usd=one.expected_usd,
        low_usd=one.low_usd,
        high_usd=one.high_usd,
        history_days=one.days,
        reason=one.reason,
    )


def _budget(one: Budget) -> cost_responses.Budget:
    limit = one.limit
    return cost_responses.Budget(
        kind=limit.kind,
        id=limit.id,
        name=limit.name,
        team_id=limit.team_id,
        user_id=limit.user_id,
        state=one.state,
        limit_usd=_usd(one.limit_usd),
        soft_limit_usd=_usd(limit.soft_usd),
        increase_usd=_usd(limit.increase_usd),
        increase_until=limit.increase_until,
        spent_usd=float(limit.spent_usd),
        share=one.share,
        pace_usd_a_day=_usd(one.pace_usd),
        last_24_hours_usd=_usd(one.last_day_usd),
        runs_out_at=one.runs_out_at,
        soonest_at=one.soonest_at,
        duration=limit.duration,
        resets_at=limit.resets_at,
    )


def _usd(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)

"""What costs how much, what will this month cost, and which budgets run out?

periods      days, weeks and months of the viewer's calendar
sums         the statements of groups by period
table        the cost table
daily        the days that an estimate is made from
estimating   the month, from those days
kinds        who has a budget, and in which table
limits       the limits, and what is spent of them
paces        how quickly they are spent
budgets      which run out, and when
other_names  names of end users and agents
words        budgets in sentences
"""

from tracelib.costs.budgets import Budget, Budgets, budgets
from tracelib.costs.daily import DailyCosts, daily_costs, whole_cost
from tracelib.costs.estimating import Estimate, month_estimate
from tracelib.costs.limits import Limit, limits
from tracelib.costs.other_names import other_names
from tracelib.costs.paces import paces
from tracelib.costs.table import Costs, CostTable, Group, cost_table

__all__ = [
    "Budget",
    "Budgets",
    "CostTable",
    "Costs",
    "DailyCosts",
    "Estimate",
    "Group",
    "Limit",
    "budgets",
    "cost_table",
    "daily_costs",
    "limits",
    "month_estimate",
    "other_names",
    "paces",
    "whole_cost",
]

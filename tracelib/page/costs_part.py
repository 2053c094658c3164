"""Costs: what costs how much, what will this month cost, and which budgets run out?"""

from collections.abc import Mapping

import streamlit as st

from tracelib import costs, overview
from tracelib import window as windows
from tracelib.costs import Budgets, CostTable, DailyCosts, Estimate
from tracelib.costs.budgets import judged
from tracelib.costs.daily import cost_of_month, month_before, reach_of
from tracelib.costs.estimating import in_words
from tracelib.costs.limits import Limits
from tracelib.costs.paces import Pace
from tracelib.costs.periods import fitting_period, usable_periods
from tracelib.costs.sums import DIMENSIONS
from tracelib.costs.words import headline
from tracelib.filters import Filters
from tracelib.page import budget_card, cost_cards
from tracelib.page.base import address
from tracelib.page.base.captions import NOTHING_HERE, source_caption, stop_without_database
from tracelib.page.base.cards import card, show_empty_state, show_missing_result
from tracelib.page.base.view import View
from tracelib.page.overview_cards import why_no_change
from tracelib.querying.query import Query

# Whole days do not change, and the month need not follow every tick.
MONTH_TICK_S = 600


def draw(view: View) -> None:
    """Draw the costs by group and period, the estimate of the month, and the budgets."""
    filters, month_now = view.filters, windows.ticked(view.now, MONTH_TICK_S)
    by, period = _chosen(filters)
    before = filters.within(month_before(month_now, filters.zone))
    table = view.query(costs.cost_table, filters, by, period)
    limits = view.query(costs.limits)
    last_month = view.request(Query(costs.whole_cost, (before,), month_now))
    log_start = view.query(overview.log_start, filters)
    stop_without_database(table.result)
    found: CostTable = table.result.value  # type: ignore[assignment]

    ids = tuple(sorted((one.id for one in found.groups), key=lambda one: one or ""))
    reach = filters.within(reach_of(month_now, filters.zone))
    daily = view.request(Query(costs.daily_costs, (reach, by, ids), month_now))
    named = view.query(costs.other_names, by, ids)
    kinds = limits.result.value.kinds if limits.result.value else ()
    paces = view.query(costs.paces, view.now, kinds)

    days: DailyCosts | None = daily.result.value
    month = costs.month_estimate(days, days.total) if days else None
    budgets = _budgets(view, limits.result.value, paces.result.value)
    no_change = why_no_change(filters.previous(), log_start.result)
    whole = last_month.result.value
    _sentences(view, month, whole and cost_of_month(whole, before), budgets)
    cost_cards.tiles(found, month, budgets, has_earlier=no_change is None)
    source_caption(view, table.result, daily.result, requests=found.total.requests)
    names = view.facets.names(by) | dict(named.result.value or ())
    _groups(view, found, names, days, no_change)
    if budgets is not None:
        budget_card.draw(view, budgets)
    else:
        with card("Budgets"):
            show_missing_result(limits.result if limits.result.error else paces.result)


def _chosen(filters: Filters) -> tuple[str, str]:
    """By what costs are grouped, and in which periods: as in the URL, if that suits the range."""
    fitting = fitting_period(filters.window).name
    periods = usable_periods(filters.window)
    by = address.one_of(address.BY, DIMENSIONS, "team")
    return by, address.one_of(address.PERIOD, periods, fitting)


def _budgets(view: View, limits: Limits | None, paces: tuple[Pace, ...] | None) -> Budgets | None:
    if limits is None or paces is None:
        return None
    return judged(limits, paces, view.filters, view.now)


def _sentences(
    view: View, month: Estimate | None, before_usd: float | None, budgets: Budgets | None
) -> None:
    parts = [in_words(month, before_usd)] if month else []
    parts += [headline(budgets, view.now, view.filters.zone)] if budgets else []
    if text := " ".join(filter(None, parts)):
        st.text(text)


def _groups(
    view: View,
    found: CostTable,
    names: Mapping[str, str],
    days: DailyCosts | None,
    no_change: str | None,
) -> None:
    """Draw the chart and the table of the groups, and what they are grouped by."""
    _controls(view, found)
    if not found.groups:
        show_empty_state(NOTHING_HERE)
        return
    with card("Cost over time", cost_cards.ABOUT_CHART):
        cost_cards.over_time(view, found, names)
    cost_cards.draw_table(view, found, names, days, no_change)


def _controls(view: View, found: CostTable) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by_key, period_key = "costs by", "costs period"
        st.session_state[by_key], st.session_state[period_key] = found.by, found.period
        st.selectbox(
            "Group by",
            list(DIMENSIONS),
            format_func=lambda one: DIMENSIONS[one][0],
            key=by_key,
            on_change=address.assign_from_widget,
            args=(by_key, address.BY),
            width=180,
        )
        st.segmented_control(
            "One bar is",
            list(usable_periods(view.filters.window)),
            format_func=lambda one: f"1 {one}",
            key=period_key,
            required=True,
            on_change=address.assign_from_widget,
            args=(period_key, address.PERIOD),
            label_visibility="collapsed",
        )

"""The cards of Overview's costs: the tiles, the chart, the table and the budgets."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.charts import costs as charts
from tracelib.charts.costs import Calendar, Series
from tracelib.costs import (
    Budgets,
    Costs,
    CostTable,
    DailyCosts,
    Estimate,
    Group,
    cost_table,
    month_estimate,
    other_names,
)
from tracelib.costs.sums import DIMENSIONS
from tracelib.export import Column
from tracelib.export.focus import costs_csv
from tracelib.files import File
from tracelib.filters import DIMENSIONS as FILTERED
from tracelib.filters import NONE
from tracelib.formatting import Kind
from tracelib.page.base import address, file_button, table
from tracelib.page.base.cards import plot, tile
from tracelib.page.base.view import View
from tracelib.permissions.people import Person
from tracelib.querying.installation import Installation
from tracelib.spendlogs.figures import FIGURES

MOST_EXPORTED = 2_000
RUNS_OUT = (
    "As of now, by LiteLLM’s own totals; the range does not apply. Runs out: before the reset, if "
    "the last seven days repeat, of which one that is far above the others is lowered."
)
TOTAL = "Total"
TABLE = "cost table"
OVERLAP = "A request counts once for each of its tags, so the rows do not add up to the total."
ABOUT_TABLE = (
    "Cost is the sum of the spend that LiteLLM recorded; the total is Overview’s. Before: the time "
    "of equal length just before the range. A click on a row filters by it where that is possible."
)
ABOUT_CHART = (
    "The eight with the highest cost, and all others together. A period that is not wholly in the "
    "range is drawn lighter."
)
ABOUT_ESTIMATE = (
    "What the month has cost, and for each day that is left the median of what its day of the week "
    "cost in the last four weeks. Usually: the same with the lower and upper quartiles. It needs "
    "two weeks of whole days."
)


def tiles(
    found: CostTable, estimate: Estimate | None, budgets: Budgets | None, has_earlier: bool
) -> None:
    """Draw the cost of the range, the month so far, its estimate, and the budgets that run out."""
    figure, cost = FIGURES["cost_usd"], float(found.total.cost_usd)
    earlier = float(found.total.earlier_usd) if has_earlier else None
    with st.container(key="tiles"), st.grid(columns=4, min_column_width=145, gap="small"):
        tokens = f"{formatting.count(found.total.tokens)} tokens"
        money = formatting.exact_money
        tile(
            "Cost of the range", formatting.money(cost), (cost, earlier), money, tokens,
            figure.definition,
        )  # fmt: skip
        if estimate is not None:
            _month(estimate)
        if budgets is not None:
            _budgets_tile(budgets)


def _month(one: Estimate) -> None:
    month = f"{one.month:%B}"
    written, nothing = formatting.exact_money, (None, None)
    whole = "the whole days of four weeks" if one.days >= 28 else f"{one.days} whole days"
    so_far = formatting.money(one.so_far_usd)
    tile(f"{month} so far", so_far, nothing, written, "", "From the start of the month up to now.")
    band = "history too short"
    if one.low_usd is not None:
        band = f"{formatting.money(one.low_usd)} to {formatting.money(one.high_usd)}"
    expected = formatting.money(one.expected_usd)
    tile(
        f"{month}, estimated", expected, nothing, written, band,
        f"{ABOUT_ESTIMATE} Now from {whole}.",
    )  # fmt: skip


def _budgets_tile(budgets: Budgets) -> None:
    counts = Counter(one.state for one in budgets.rows)
    tile(
        "Budgets that run out",
        formatting.exact(counts["runs_out"]),
        (None, None),
        formatting.exact,
        f"{counts['spent']} used up, of {formatting.exact(len(budgets.rows))}",
        RUNS_OUT,
    )


def over_time(view: View, found: CostTable, names: Mapping[str, str]) -> None:
    """Draw what the first eight groups and all others cost in each period."""
    series = [Series(one.id, name_of(one, names), _costs(one.costs)) for one in found.groups]
    if found.others:
        series.append(Series(None, "others", _costs(found.others)))
    calendar = Calendar(found.period, found.edges, found.window, view.filters.zone)
    colours = view.colours if found.by == "model" else {}
    chart = charts.over_time(tuple(series), calendar, colours, found.by != "tag")
    plot("Cost over time", chart)


def _costs(one: Costs) -> list[Any]:
    return [part.cost_usd for part in one.by_period]


def name_of(group: Group, names: Mapping[str, str]) -> str:
    """The name of a group; `names` are those that distinguish IDs that share one."""
    if group.id is None:
        return NONE
    return names.get(group.id, group.name or group.id)


def cost_rows(
    found: CostTable, names: Mapping[str, str], daily: DailyCosts | None, has_earlier: bool
) -> pd.DataFrame:
    """A row for all requests, one for each group, and one for all others together."""
    lines: list[tuple[str, Costs, Any]] = [(TOTAL, found.total, daily and daily.total)]
    for group in found.groups:
        days = daily.groups.get(group.id) if daily else None
        lines.append((name_of(group, names), group.costs, days))
    if found.others:
        others = formatting.counted(found.other_groups, "other")
        lines.append((f"All {others}", found.others, None))
    rows = []
    for name, costs, days in lines:
        month = month_estimate(daily, days) if daily and days else None
        earlier = float(costs.earlier_usd) if has_earlier else None
        cost = float(costs.cost_usd)
        rows.append(
            {
                "group": name,
                "cost": cost,
                "share": costs.share_of(found.total),
                "earlier": earlier,
                "change": cost / earlier - 1 if earlier else None,
                "month": month and month.expected_usd,
                "band": _band(month),
                "requests": costs.requests,
                "tokens": costs.tokens,
            }
        )
    numbers = dict.fromkeys(("cost", "share", "earlier", "change", "month"), "Float64")
    return pd.DataFrame(rows).astype(numbers)


def _band(month: Estimate | None) -> str | None:
    if month is None or month.low_usd is None:
        return None
    return f"{formatting.money(month.low_usd)} to {formatting.money(month.high_usd)}"


def _changed(ratio: float) -> str:
    return formatting.change(1 + ratio, 1) or formatting.UNKNOWN


def columns_of(found: CostTable, month: str) -> dict[str, Column]:
    """The columns of the table, with the name of the group and of the month."""
    return {
        "group": Column(DIMENSIONS[found.by][0], "group"),
        "cost": Column.of("cost_usd", width=92),
        "share": Column("Share", "share_percent", Kind.SHARE),
        "earlier": Column("Before", "earlier_cost_usd", Kind.MONEY, width=92),
        "change": Column("Change", "change_percent", Kind.SHARE, written=_changed),
        "month": Column(f"{month}, estimated", "month_usd", Kind.MONEY, explained=ABOUT_ESTIMATE),
        "band": Column("Usually", "band", alignment="right", explained=ABOUT_ESTIMATE),
        "requests": Column.of("requests"),
        "tokens": Column.of("total_tokens"),
    }


def draw_table(
    view: View,
    found: CostTable,
    names: Mapping[str, str],
    days: DailyCosts | None,
    no_change: str | None,
) -> None:
    """Draw the cost table, whose rows filter the page, and its download."""
    title, several = DIMENSIONS[found.by]
    rows = cost_rows(found, names, days, has_earlier=no_change is None)
    month = f"{days.until.astimezone(ZoneInfo(days.zone)):%B}" if days else "Month"
    with st.container(border=True):
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            st.markdown(f"**Cost by {title.lower()}**", help=ABOUT_TABLE, width="content")
            _download(view, found)
        if caption := " ".join(filter(None, (OVERLAP if found.by == "tag" else None, no_change))):
            st.caption(caption)
        key = table.element_key(f"{TABLE} {found.by}")
        opened = _filter_by(found) if found.by in FILTERED else None
        table.draw(rows, columns_of(found, month), key, height="content", on_open=opened)
        if found.others:
            st.caption(
                f"The {len(found.groups)} with the highest cost; the file has up to "
                f"{MOST_EXPORTED:,} {several}."
            )


def _filter_by(found: CostTable) -> Callable[[], None]:
    """What happens on a click: the page is filtered by the group of that row."""

    def narrow() -> None:
        position = table.clicked_position(f"{TABLE} {found.by}")
        # The first row is the total.
        if position and position <= len(found.groups):
            group = found.groups[position - 1]
            address.change(**{found.by: (group.id or NONE,)})

    return narrow


def _download(view: View, found: CostTable) -> None:
    """A button for the costs as CSV, with up to 2,000 groups and a line for each period."""

    def make(person: Person, installed: Installation) -> Iterable[bytes]:
        current = replace(view, person=person, installed=installed)
        whole = current.query_alone(cost_table, view.filters, found.by, found.period, MOST_EXPORTED)
        ids = tuple(one.id for one in whole.groups)
        return costs_csv(whole, dict(current.query_alone(other_names, found.by, ids)))

    named = f"costs-by-{found.by.replace('_', '-')}-{found.period}-{view.now:%Y%m%d-%H%M}Z.csv"
    of = f"{found.by} {found.period} {view.filters}"
    file = File(named, "text/csv", make)
    file_button.draw("Download CSV (FOCUS)", "csv costs", file, of, is_quiet=True)

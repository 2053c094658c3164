"""The chart of costs: stacked to the cost of all, with a table of its values."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tracelib.charts import palette
from tracelib.charts.costs import Calendar, Series, over_time
from tracelib.charts.values import values
from tracelib.costs.periods import PERIODS
from tracelib.page.base.derived import FinishedFigure
from tracelib.window import TimeWindow

WINDOW = TimeWindow(datetime(2026, 11, 1, 6, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC))


def calendar(period="day"):
    return Calendar(period, PERIODS[period].edges(WINDOW, "UTC"), WINDOW, "UTC")


def series(count):
    return tuple(Series(f"m{n}", f"<b>{n}</b>", [Decimal(n), Decimal(1)]) for n in range(count))


def test_the_ninth_and_later_groups_are_others_and_the_bars_add_up():
    chart = over_time(series(11), calendar(), {"m1": "#123456"})
    assert [bar.name for bar in chart.data][-2:] == ["&lt;b&gt;7&lt;/b&gt;", "others"]
    assert sum(bar.y[0] for bar in chart.data) == sum(range(11))
    assert chart.data[1].marker.color == "#123456"
    assert chart.data[-1].marker.color == palette.OTHERS
    # The first day is only partly in the range.
    assert chart.data[0].marker.opacity == (0.45, 1)


def test_groups_that_overlap_are_lines_without_others():
    chart = over_time(series(11), calendar(), {}, is_stacked=False)
    assert [one.type for one in chart.data] == ["scatter"] * 8


@pytest.mark.parametrize("period", PERIODS)
def test_its_values_can_be_shown_as_a_table(period):
    shown = calendar(period)
    costs = [Decimal("1.5")] * (len(shown.edges) - 1)
    chart = over_time((Series("a", "Team a", costs),), shown, {})
    found = values(FinishedFigure(chart).to_dict(), "UTC")
    assert found.headings[1:] == ("Team a",)
    assert [row[1] for row in found.rows] == ["$1.50"] * len(costs)

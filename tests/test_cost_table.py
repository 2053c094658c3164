"""The cost table adds up to Overview's cost, whatever it is grouped by."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests import rows
from tests.replicas import PLACES
from tests.rows import NOON, key_of, name_key, name_team, spend_log
from tests.sources import source_of
from tracelib import overview
from tracelib.costs import cost_table
from tracelib.costs.sums import DIMENSIONS
from tracelib.costs.table import Part
from tracelib.filters import Filters
from tracelib.window import TimeWindow

DAY = timedelta(days=1)
WEEK = Filters(TimeWindow(NOON - 3 * DAY, NOON + 4 * DAY), zone="UTC")


def costs_of(found):
    return {one.id: one.costs.cost_usd for one in found.groups}


def spent(usd, days=0.0, **changes):
    return spend_log(spend=usd, startTime=NOON + days * DAY, **changes)


def test_groups_have_their_cost_by_day_their_earlier_cost_and_their_name(database):
    made = database(
        rows=[
            spent(0.1, -3, team_id="red", api_key=key_of("a")),
            spent(0.2, -3, team_id="red", api_key=key_of("b")),
            spent(4, 3.5, team_id="blue"),
            spent(8, 3.6, team_id="", cache_hit="True"),
            spent(16, -4, team_id="blue"),
            spent(32, -11, team_id="blue"),
        ]
    )
    name_team(made.engine, "red", "Red team")
    found = cost_table(source_of(made), WEEK, "team", "day")
    none, blue, red = found.groups
    assert [str(one.date()) for one in found.edges[:-1]] == [f"2026-11-{n}" for n in range(20, 28)]
    assert (none.id, none.name, none.costs.cost_usd, none.costs.tokens) == (None, None, 8, 0)
    assert (blue.name, blue.costs.cost_usd, blue.costs.earlier_usd) == ("blue", 4, 16)
    assert (red.id, red.name, red.costs.requests) == ("red", "Red team", 2)
    assert red.costs.by_period == (Part(Decimal("0.3"), 2, 30), *[Part()] * 7)
    assert blue.costs.by_period[-1] == Part(Decimal(4), 1, 15)
    assert (found.total.cost_usd, found.total.earlier_usd) == (Decimal("12.3"), 16)
    assert (found.others, found.other_groups) == (None, 0)
    assert red.costs.share_of(found.total) == pytest.approx(0.3 / 12.3)


def test_groups_beyond_the_limit_are_together(database):
    made = database(rows=[spent(2**n, model_group=f"model {n}") for n in range(6)])
    found = cost_table(source_of(made), WEEK, "model", "month", limit=2)
    assert costs_of(found) == {"model 5": 32, "model 4": 16}
    assert (found.others.cost_usd, found.others.requests, found.other_groups) == (15, 4, 4)
    assert sum(one.cost_usd for one in found.others.by_period) == 15


def test_an_empty_log_has_no_groups(database):
    found = cost_table(source_of(database()), WEEK, "key", "week")
    assert (found.groups, found.others, found.total.cost_usd) == ((), None, 0)
    assert found.total.by_period == (Part(), Part())
    assert found.total.share_of(found.total) is None


def test_tags_overlap_and_the_total_does_not(database):
    made = database(
        rows=[
            spent(1, request_tags=["a", "b", "User-Agent: curl"]),
            spent(2, request_tags=["a", "a"]),
            spent(4, request_tags=[]),
            spent(8, request_tags='"text"'),
        ]
    )
    found = cost_table(source_of(made), WEEK, "tag", "day")
    assert costs_of(found) == {None: 12, "a": 3, "b": 1}
    assert found.total.cost_usd == 15


def test_negative_spend_is_counted(database):
    made = database(rows=[spent(-1, team_id="red"), spent(0.25, team_id="blue")])
    found = cost_table(source_of(made), WEEK, "team", "day")
    assert costs_of(found) == {"blue": Decimal("0.25"), "red": -1}
    assert found.total.cost_usd == Decimal("-0.75")
    assert found.groups[0].costs.share_of(found.total) is None


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Apia"])
def test_days_weeks_and_months_are_those_of_the_viewer(database, zone):
    start, end = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    filters = Filters(TimeWindow(start, end), zone=zone)
    moments = [datetime(2026, 10, 31, 22, 30, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)]
    made = database(rows=[spend_log(spend=1, startTime=one) for one in moments])
    for period, expected in (
        ("day", {"Europe/Berlin": {31: 1, 1: 1}, "Pacific/Apia": {1: 2}}),
        ("month", {"Europe/Berlin": {10: 1, 11: 1}, "Pacific/Apia": {11: 2}}),
    ):
        found = cost_table(source_of(made), filters, "model", period)
        local = [one.astimezone(ZoneInfo(zone)) for one in found.edges[:-1]]
        by = {
            (one.day if period == "day" else one.month): usd
            for one, part in zip(local, found.total.by_period, strict=True)
            if (usd := part.cost_usd)
        }
        assert by == expected[zone]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("by", DIMENSIONS)
def test_of_true_rows_every_grouping_has_overviews_total(database, place, by, server, tmp_path):
    made = database(rows=rows.real_rows())
    name_key(made.engine, key_of("test"), "a key")
    source = source_of(made)
    ((first, last),) = made.execute(
        'SELECT min("startTime"), max("startTime") FROM "LiteLLM_SpendLogs"'
    )
    middle = first.replace(tzinfo=UTC) + (last - first) / 2
    window = TimeWindow(middle, last.replace(tzinfo=UTC) + DAY)
    filters = Filters(window, zone="Asia/Kolkata")
    totals = overview.totals(source, filters)
    with PLACES[place](source, server, tmp_path) as replica:
        for period in ("day", "week", "month"):
            found = cost_table(source, filters, by, period, 3)
            assert float(found.total.cost_usd) == totals.cost_usd
            assert (found.total.requests, found.total.tokens) == (
                totals.requests,
                totals.total_tokens,
            )
            parts = [one.costs for one in found.groups]
            parts += [found.others] if found.others else []
            if by != "tag":
                assert sum(one.cost_usd for one in parts) == found.total.cost_usd
                assert sum(one.earlier_usd for one in parts) == found.total.earlier_usd
            assert cost_table(replica, filters, by, period, 3) == found

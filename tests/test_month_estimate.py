"""The month is estimated from what the same days of the week have cost."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replicas import PLACES
from tests.rows import spend_log
from tests.sources import source_of
from tracelib.costs import DailyCosts, daily_costs, month_estimate, whole_cost
from tracelib.costs.daily import month_before, reach_of
from tracelib.costs.estimating import Estimate, in_words
from tracelib.costs.periods import PERIODS
from tracelib.filters import Filters

DAY = timedelta(days=1)
# A Thursday, noon in Berlin; November has ten more days.
NOW = datetime(2026, 11, 19, 11, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def known_of(cost, now=NOW, zone=BERLIN) -> DailyCosts:
    """Each day with the cost that the function gives it."""
    edges = PERIODS["day"].edges(reach_of(now, zone), zone)
    days = (one.astimezone(ZoneInfo(zone)).date() for one in edges[:-1])
    return DailyCosts(edges, now, zone, tuple(Decimal(str(cost(day))) for day in days))


def estimated(known: DailyCosts) -> Estimate:
    return month_estimate(known, known.total)


def office(day: date) -> int:
    return 0 if day.weekday() >= 5 else 10


def test_equal_weeks_go_on_as_they_were():
    found = estimated(known_of(office))
    # 14 working days with today so far; half of today and 7 working days are left.
    assert (found.so_far_usd, found.expected_usd) == (140, 140 + 5 + 70)
    assert (found.low_usd, found.high_usd, found.days) == (215, 215, 28)
    assert in_words(found) == "November will cost about $215."


def test_the_band_has_the_quartiles_of_each_day_of_the_week():
    costs = dict(enumerate((10, 20, 30, 40, 10), 43))
    found = estimated(known_of(lambda day: costs.get(day.isocalendar().week, 0)))
    # Each day of the week has cost 10, 20, 30 and 40 in the four weeks.
    assert found.expected_usd - found.so_far_usd == pytest.approx(25 * (11 + 0.5))
    assert found.low_usd - found.so_far_usd == pytest.approx(17.5 * (11 + 0.5))
    # The last seven days cost 1.6 times the median of their day of the week, in the median.
    assert found.high_usd - found.so_far_usd == pytest.approx(1.6 * 32.5 * (11 + 0.5))


def test_the_band_reaches_to_the_level_of_the_last_seven_days():
    half = estimated(known_of(lambda day: 5 if day >= date(2026, 11, 12) else 10))
    left = half.expected_usd - half.so_far_usd
    assert half.low_usd - half.so_far_usd == pytest.approx(left * 0.5 * 0.875)
    assert half.high_usd - half.so_far_usd == pytest.approx(left)


def test_a_runaway_day_is_in_the_month_and_not_expected_again():
    calm = estimated(known_of(office))
    wild = estimated(known_of(lambda day: 500 if day == date(2026, 11, 10) else office(day)))
    assert wild.expected_usd - calm.expected_usd == 490


@pytest.mark.parametrize(
    ("first", "days"), [(date(2026, 11, 5), 13), (date(2026, 11, 4), 14), (date(2026, 9, 1), 28)]
)
def test_it_needs_two_weeks_after_the_first_cost(first, days):
    found = estimated(known_of(lambda day: 1 if day >= first else 0))
    assert found.days == days
    assert (found.expected_usd is None) == (days < 14)
    if days < 14:
        assert found.reason == (
            "No estimate for the month: it needs 14 whole days since the first cost, and there "
            "are 13."
        )
        assert in_words(found) == found.reason


def test_without_cost_there_is_none():
    found = estimated(known_of(lambda _: 0))
    assert (found.so_far_usd, found.expected_usd, found.low_usd) == (0, None, None)
    assert in_words(found) == (
        "No estimate for the month: nothing has cost anything in the last four weeks."
    )


def test_on_the_last_day_only_its_rest_is_estimated():
    found = estimated(known_of(lambda _: 24, datetime(2026, 11, 30, 17, tzinfo=UTC)))
    assert found.expected_usd == pytest.approx(30 * 24 + 6)
    assert found.month == date(2026, 11, 1)


def test_in_the_first_hour_of_a_month_its_days_are_those_of_the_viewer():
    now = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    assert estimated(known_of(lambda _: 1, now)).month == date(2026, 11, 1)
    assert estimated(known_of(lambda _: 1, now, "UTC")).month == date(2026, 10, 1)


def test_the_sentence_compares_with_the_month_before():
    one = Estimate(date(2026, 1, 1), 900, 1240, 1100, 1400, 28)
    assert in_words(one, 2000) == (
        "January will cost about $1,240, usually $1,100 to $1,400. December cost $2,000."
    )


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.sampled_from([BERLIN, "UTC", "Pacific/Apia", "America/St_Johns"]),
    st.lists(st.integers(0, 1000), min_size=70, max_size=70),
)
def test_the_band_is_around_the_estimate_and_nothing_is_below_what_was_spent(now, zone, costs):
    known = known_of(lambda day: costs[day.toordinal() % 70], now, zone)
    found = estimated(known)
    if found.expected_usd is None:
        assert found.reason
    else:
        assert found.so_far_usd <= found.low_usd <= found.expected_usd <= found.high_usd


@pytest.mark.parametrize("place", PLACES)
def test_the_days_are_read_in_the_viewers_zone(database, place, server, tmp_path):
    moments = {"2026-11-17T22:59": 1, "2026-11-17T23:00": 2, "2026-11-19T10:59": 4}
    made = database(
        rows=[
            spend_log(startTime=datetime.fromisoformat(f"{at}:00+00:00"), spend=usd, team_id=team)
            for at, usd in moments.items()
            for team in ("red", "")
        ]
    )
    source = source_of(made)
    filters = Filters(reach_of(NOW, BERLIN), zone=BERLIN)
    found = daily_costs(source, filters, "team", ("red", None, "unknown"))
    assert (found.total[-3:], found.until) == ((2, 4, 8), NOW)
    assert {one: days[-3:] for one, days in found.groups.items()} == {
        None: (1, 2, 4),
        "red": (1, 2, 4),
    }
    before = Filters(month_before(datetime(2026, 12, 1, tzinfo=UTC), BERLIN), zone=BERLIN)
    first = datetime(2026, 11, 17, 22, 59, tzinfo=UTC)
    whole = whole_cost(source, before)
    assert (whole.cost_usd, whole.first_at) == (14, first)
    with PLACES[place](source, server, tmp_path) as replica:
        assert daily_costs(replica, filters, "team", ("red", None, "unknown")) == found
        assert whole_cost(replica, before) == whole


def test_an_empty_log_has_days_without_cost(database):
    source = source_of(database())
    filters = Filters(reach_of(NOW, BERLIN), zone=BERLIN)
    found = daily_costs(source, filters, "key", ())
    assert (set(found.total), len(found.total), found.groups) == ({0}, 29, {})
    whole = whole_cost(source, filters)
    assert (whole.cost_usd, whole.first_at) == (0, None)

"""Findings of incidents, budgets and waste: planted ones are found, and nothing in quiet logs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.database import Database
from tests.planted_incidents import CLAUDE, DAY, HOUR, outage, traffic
from tests.planted_keys import plant
from tests.rows import NOON, failure, key_of, spend_log
from tests.sources import source_of
from tests.test_findings import runner
from tracelib.filters import Filters
from tracelib.findings import of_budgets, of_incidents, of_waste
from tracelib.findings.finding import Finding, FindingSource, Found
from tracelib.window import TimeWindow

KEY = key_of("k")
FILTERS = Filters(TimeWindow(NOON - 7 * DAY, NOON))


def found(source: FindingSource, made: Database, filters: Filters = FILTERS) -> Found:
    return source(runner(source_of(made)), filters, NOON)


def without_id(one: Finding) -> Finding:
    return replace(one, id="", evidence=None)


def test_an_incident_is_a_finding_of_the_people_it_hits(database):
    made = database(rows=traffic(outage(CLAUDE, start=NOON - 4 * HOUR, end=NOON - 2 * HOUR)))
    of = found(of_incidents.of_incidents, made)
    (one,) = of.findings
    assert (one.source, one.about) == ("incidents", ("deployment", "anthropic/claude"))
    assert one.headline.startswith("anthropic/claude: ")
    assert one.headline.endswith("failed or were retried, usually 0.7 %")
    assert NOON - 4 * HOUR <= one.since < NOON - 3 * HOUR
    assert NOON - 3 * HOUR < one.until <= NOON - 2 * HOUR
    assert (one.people, one.usd) == (5, None)
    assert of.tested == ("incidents of 6 providers and deployments",)


def test_quiet_traffic_has_no_incident(database):
    assert found(of_incidents.of_incidents, database(rows=traffic())).findings == ()


def spent_daily(usd: float) -> list[dict]:
    return [spend_log(spend=usd, startTime=NOON - (n + 0.5) * DAY, api_key=KEY) for n in range(7)]


def with_budget(made: Database, **columns: object) -> Database:
    plant(made.engine, "k", user_id=None, team_id=None, **columns)
    return made


def test_a_budget_that_runs_out_before_its_reset_is_a_finding(database):
    made = with_budget(
        database(rows=spent_daily(10)),
        max_budget=100.0,
        spend=70.0,
        budget_reset_at=NOON + 13 * DAY,
    )
    of = found(of_budgets.of_budgets, made)
    assert [without_id(one) for one in of.findings] == [
        Finding(
            id="",
            source="budgets",
            about=("key", KEY),
            headline="The budget of key k runs out in about 3 days",
            cause="$70.00 of $100 spent, $10.00 a day; it resets in about 13 days.",
            remedy=of_budgets.REMEDY,
            # Ten days of ten dollars come after it has run out.
            usd=pytest.approx(100.0),
        )
    ]
    assert of.findings[0].evidence.choice.key == (KEY,)
    assert of.tested == ("1 budget",)


def test_a_budget_that_is_used_up_hits_someone(database):
    made = with_budget(database(rows=spent_daily(1)), max_budget=100.0, spend=100.0)
    (one,) = found(of_budgets.of_budgets, made).findings
    assert (one.headline, one.people) == ("The budget of key k is used up", 1)


@pytest.mark.parametrize(
    "columns",
    [
        {"spend": 10.0},  # it lasts for longer than two weeks
        {"spend": 70.0, "budget_reset_at": NOON + 2 * DAY},  # the limit is not reached by then
    ],
)
def test_a_budget_that_lasts_is_no_finding(database, columns):
    made = with_budget(database(rows=spent_daily(5)), max_budget=100.0, **columns)
    assert found(of_budgets.of_budgets, made).findings == ()


def wasteful(usd: float) -> list[dict]:
    """A hundred dollars of successes, and one failure of this cost."""
    rows = [spend_log(spend=1.0, startTime=NOON - n * HOUR, session_id=f"{n}") for n in range(100)]
    return [*rows, failure(spend=usd, startTime=NOON - timedelta(minutes=5))]


def test_a_class_of_waste_is_a_finding_of_its_cost(database):
    of = found(of_waste.of_waste, database(rows=wasteful(25.0)))
    (one,) = of.findings
    assert (one.source, one.about) == ("waste", ("waste", "paid_failures"))
    assert one.headline == "Failures with a cost: 20.2 % of the cost of the last 7 days"
    assert one.cause.startswith("1 request. ")
    assert (one.usd, one.requests, one.people) == (25.0, 1, 0)
    assert one.evidence.query() == {"part": ["savings"]}
    assert of.tested == ("waste of 100 requests",)


@pytest.mark.parametrize("usd", [0.0, 0.99])
def test_what_costs_next_to_nothing_is_no_finding(database, usd):
    assert found(of_waste.of_waste, database(rows=wasteful(usd))).findings == ()


@pytest.mark.parametrize(
    "source", [of_incidents.of_incidents, of_budgets.of_budgets, of_waste.of_waste]
)
def test_an_empty_log_has_no_finding(database, source):
    assert found(source, database()).findings == ()

"""Costs and budgets for programs."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.calling import calls_of, token
from tests.planted_keys import plant
from tests.rows import NOON, key_of, name_team, spend_log
from tracelib.permissions.access import Scope

DAY = timedelta(days=1)
RANGE = {"start": "2026-11-21T00:00:00Z", "end": "2026-11-25T00:00:00Z"}


@pytest.fixture
def made(database):
    found = database(
        rows=[
            spend_log(spend=3, startTime=NOON, team_id="red"),
            spend_log(spend=1, startTime=NOON + DAY, team_id="blue"),
            spend_log(spend=4, startTime=NOON - 4 * DAY, team_id="blue"),
        ]
    )
    name_team(found.engine, "red", "Red team")
    plant(found.engine, "k", max_budget=8.0, spend=8.0)
    found.execute('UPDATE "LiteLLM_TeamTable" SET max_budget = 5, spend = 3')
    return found


def test_groups_have_their_periods_and_the_total_is_overviews(made):
    api = calls_of(made)
    found = api.get("/api/v1/costs", **RANGE, by="team", bucket="day")
    assert [one["start"][:10] for one in found["periods"]] == [f"2026-11-2{n}" for n in range(1, 5)]
    red, blue = found["groups"]
    month = red.pop("month")
    assert month["expected_usd"] is None
    assert month["reason"].startswith("No estimate for the month")
    nothing = {"cost_usd": 0, "requests": 0, "total_tokens": 0}
    assert red == {
        "id": "red",
        "name": "Red team",
        "cost_usd": 3,
        "share": 0.75,
        "earlier_cost_usd": 0,
        "requests": 1,
        "total_tokens": 15,
        "periods": [
            nothing, nothing, {"cost_usd": 3, "requests": 1, "total_tokens": 15}, nothing,
        ],
    }  # fmt: skip
    assert (blue["earlier_cost_usd"], blue["cost_usd"]) == (4, 1)
    overview = api.get("/api/v1/analytics/overview", **RANGE)
    for name in ("cost_usd", "requests", "total_tokens"):
        assert found["total"][name] == overview[name]
    assert found["total"]["earlier_cost_usd"] == overview["previous"]["cost_usd"]
    assert (found["others"], found["other_groups"], found["bucket"]) == (None, 0, "day")


def test_budgets_are_as_of_now_and_those_that_run_out_are_in_front(made):
    found = calls_of(made).get("/api/v1/costs", **RANGE, limit=1)
    key, team = found["budgets"]
    assert (key["kind"], key["id"], key["state"]) == ("key", key_of("k"), "spent")
    assert (team["name"], team["limit_usd"], team["spent_usd"]) == ("Red team", 5, 3)
    assert team["state"] in ("runs_out", "lasts")
    assert "1 budget is used up: key k." in found["sentence"]
    assert (found["others"]["cost_usd"], found["other_groups"]) == (1, 1)
    assert found["unknown"] == []


def test_a_team_sees_its_own_costs_and_budget(made):
    api = calls_of(made, token("red", Scope(teams=("red",))))
    found = api.by("red").get("/api/v1/costs", **RANGE)
    assert [one["id"] for one in found["groups"]] == ["red"]
    assert found["total"]["cost_usd"] == 3
    assert [one["kind"] for one in found["budgets"]] == ["team"]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"by": "colour"}, "by"),
        ({"bucket": "hour"}, "bucket"),
        ({"limit": "0"}, "limit"),
        ({"bucket": "day", "start": "2026-01-01T00:00:00Z"}, "bucket must be one of week, month"),
    ],
)
def test_what_is_not_valid_is_refused(made, given, complaint):
    response = calls_of(made).send("GET", "/api/v1/costs", params=RANGE | given)
    assert response.status_code == 422
    assert complaint in response.text


def test_a_month_of_nothing_is_a_sentence(database):
    found = calls_of(database()).get("/api/v1/costs")
    assert found["groups"] == []
    assert found["total"]["cost_usd"] == 0
    assert found["sentence"] == (
        "No estimate for the month: nothing has cost anything in the last four weeks."
    )
    assert found["total"]["month"]["month"] == f"{datetime.now(UTC):%Y-%m}-01"

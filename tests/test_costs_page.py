"""Overview's costs: tiles, chart, table and budgets, and the file of them."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.page_words import plain, words
from tests.planted_keys import plant
from tests.rows import NOON, key_of, name_team, spend_log
from tests.sources import source_of
from tracelib.costs import cost_table
from tracelib.export.focus import COLUMNS, costs_csv
from tracelib.filters import Filters
from tracelib.window import TimeWindow

DAY = timedelta(days=1)
NOW = datetime.now(UTC)
COSTS = {"part": "costs", "range": "7d", "zone": "UTC"}


@pytest.fixture
def spending(database):
    """Ten dollars a day of one team for 40 days, half as much of another, and two budgets."""
    made = database(
        rows=[
            spend_log(
                spend=usd, startTime=NOW - (n + 0.01) * DAY, team_id=team, api_key=key_of(team)
            )
            for n in range(40)
            for team, usd in (("red", 10), ("blue", 5))
        ]
    )  # fmt: skip
    name_team(made.engine, "red", "Red team")
    plant(made.engine, "red", max_budget=100.0, spend=75.0, budget_reset_at=NOW + 9 * DAY)
    plant(made.engine, "blue", max_budget=9000.0, spend=10.0)
    return made


def test_it_shows_what_costs_how_much_and_which_budget_runs_out(spending, open_page):
    app = open_page("pages/Overview.py", spending.url, **COSTS)
    assert not app.exception
    shown = plain(words(app))
    month = f"{NOW:%B}"
    assert f"{month} will cost about $" in shown
    assert "1 budget runs out before the reset: key red, " in shown
    tiles = {one.label: one.value for one in app.metric}
    assert tiles["Cost of the range"] == "\\$105"
    assert list(tiles) == [
        "Cost of the range", f"{month} so far", f"{month}, estimated", "Budgets that run out",
    ]  # fmt: skip
    assert tiles["Budgets that run out"] == "1"
    costs, budgets = (frame.value for frame in app.dataframe)
    assert costs[["group", "cost", "earlier", "requests"]].values.tolist() == [
        ["Total", 105, 105, 14],
        ["Red team", 70, 70, 7],
        ["blue", 35, 35, 7],
    ]
    assert costs["share"].tolist() == [1, pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert budgets[["owner", "state", "limit", "spent"]].values.tolist() == [
        ["red", "Runs out", 100, 75],
        ["blue", "Lasts", 9000, 10],
    ]


@pytest.mark.parametrize("by", ["user", "key", "model", "provider", "tag", "end_user", "agent"])
def test_every_grouping_can_be_shown(spending, open_page, by):
    app = open_page("pages/Overview.py", spending.url, **COSTS, by=by, period="month")
    assert not app.exception
    costs = app.dataframe[0].value
    assert costs["cost"].iloc[0] == 105


def test_a_choice_is_written_to_the_link(spending, open_page):
    app = open_page("pages/Overview.py", spending.url, **COSTS)
    app.selectbox(key="costs by").select("key").run()
    assert app.query_params["by"] == "key"
    assert list(app.dataframe[0].value["group"]) == ["Total", "red", "blue"]
    app.query_params["by"] = "nonsense"
    assert not app.run().exception


def test_an_empty_log_explains_itself(database, open_page):
    app = open_page("pages/Overview.py", database().url, **COSTS)
    assert not app.exception
    shown = plain(words(app))
    assert "No requests in this time range with these filters." in shown
    assert "nothing has cost anything in the last four weeks" in shown
    assert "No budgets are set for what you may see" in shown


def test_one_row_makes_no_estimate(database, open_page):
    made = database(rows=[spend_log(spend=1, startTime=NOW - DAY)])
    app = open_page("pages/Overview.py", made.url, **COSTS)
    assert not app.exception
    assert "it needs 14 whole days since the first cost" in plain(words(app))


def lines_of(found, names=()):
    text = b"".join(costs_csv(found, dict(names))).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_file_has_focus_columns_and_adds_up(database):
    made = database(
        rows=[
            spend_log(spend=0.1, startTime=NOON, team_id="red"),
            spend_log(spend=0.2, startTime=NOON + DAY, team_id="red"),
            spend_log(spend=4, startTime=NOON + DAY, team_id="=cmd()"),
            spend_log(spend=-1, startTime=NOON + DAY, team_id=""),
        ]
    )
    name_team(made.engine, "red", "Red team")
    filters = Filters(TimeWindow(NOON, NOON + 2 * DAY), zone="UTC")
    found = cost_table(source_of(made), filters, "team", "day", 2)
    lines = lines_of(found)
    assert tuple(lines[0]) == COLUMNS
    assert [(one["SubAccountId"], one["BilledCost"]) for one in lines] == [
        ("'=cmd()", "4"),
        ("red", "0.1"),
        ("red", "0.2"),
        ("", "-1"),
    ]
    assert sum(Decimal(one["BilledCost"]) for one in lines) == found.total.cost_usd
    assert lines[1] == {
        "BilledCost": "0.1",
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ChargeDescription": "Red team",
        "ChargePeriodStart": "2026-11-23T12:00:00Z",
        "ChargePeriodEnd": "2026-11-24T00:00:00Z",
        "ConsumedQuantity": "15",
        "ConsumedUnit": "Tokens",
        "ProviderName": "",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "",
        "SubAccountId": "red",
        "SubAccountName": "Red team",
        "Tags": "",
        "x_GroupBy": "Team",
        "x_GroupId": "red",
        "x_GroupName": "Red team",
        "x_Requests": "1",
    }
    assert lines[3]["x_GroupName"] == "(1 other)"


def test_other_groups_are_tags_in_the_file(database):
    made = database(rows=[spend_log(startTime=NOON, end_user="eve", request_tags=["prod"])])
    filters = Filters(TimeWindow(NOON, NOON + DAY), zone="UTC")

    def line(by):
        (found,) = lines_of(cost_table(source_of(made), filters, by, "day"), [("eve", "Eve")])
        return found

    assert json.loads(line("end_user")["Tags"]) == {"end_user": "Eve"}
    assert json.loads(line("tag")["Tags"]) == {"prod": True}
    assert line("model")["ServiceName"] == "gpt-4o"
    assert line("provider")["ProviderName"] == "openai"


def test_without_rows_the_file_has_its_column_names(database):
    filters = Filters(TimeWindow(NOON, NOON + DAY), zone="UTC")
    assert lines_of(cost_table(source_of(database()), filters, "key", "day")) == []

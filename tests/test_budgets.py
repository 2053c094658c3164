"""Each budget with what is spent of it, and the moment at which it runs out."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests import litellm
from tests.database import role
from tests.planted_keys import insert, plant
from tests.rows import NOON, key_of, name_team, name_user, spend_log
from tests.sources import source_of
from tracelib.costs import budgets, other_names
from tracelib.costs.budgets import judged
from tracelib.costs.limits import Limit, Limits, limits
from tracelib.costs.paces import Pace, paces
from tracelib.costs.words import headline, note
from tracelib.filters import NONE, Filters
from tracelib.permissions.access import Access, Scope
from tracelib.window import TimeWindow

DAY = timedelta(days=1)
FILTERS = Filters(TimeWindow(NOON - DAY, NOON))
USD = Decimal
KEY = key_of("k")


def found(source, filters=FILTERS):
    def run(queries):
        return [function(source, *arguments) for function, *arguments in queries]

    return budgets(run, filters, NOON)


def budget(engine, budget_id, **columns: Any) -> str:
    insert(
        engine, "LiteLLM_BudgetTable", budget_id=budget_id, created_by="a", updated_by="a",
        updated_at=NOON, **columns,
    )  # fmt: skip
    return budget_id


def week_of(usd, **changes) -> list[dict]:
    """A request of this cost in each of the last seven days."""
    return [spend_log(spend=usd, startTime=NOON - (n + 0.5) * DAY, **changes) for n in range(7)]


def limit(spent="0", usd="100", **changes) -> Limit:
    return Limit("key", KEY, "a key", None, None, USD(spent), USD(usd), **changes)


def one(given: Limit, *days) -> Any:
    """This budget, with these costs of the last seven days, or the same each day."""
    costs = days if len(days) == 7 else days * 7
    pace = [Pace("key", KEY, None, tuple(map(USD, costs)))] if days else []
    (row,) = judged(Limits((given,), 0, ()), pace, FILTERS, NOON).rows
    return row


def test_every_kind_of_owner_has_its_budget(database):
    made = database(
        rows=week_of(
            10, api_key=key_of("k"), team_id="red", user="ada", end_user="eve",
            organization_id="org", request_tags=["prod"],
        )
    )  # fmt: skip
    engine = made.engine
    linked = budget(engine, "b", max_budget=50.0, budget_reset_at=NOON + 9 * DAY)
    name_team(engine, "red", "Red team")
    name_user(engine, "ada", "Ada")
    plant(engine, "k", max_budget=100.0, spend=70.0, user_id="ada", team_id="red")
    made.execute(
        'UPDATE "LiteLLM_TeamTable" SET max_budget = 200, soft_budget = 60, spend = 70',
        'UPDATE "LiteLLM_UserTable" SET max_budget = 80, spend = 75',
    )
    member = {"user_id": "ada", "team_id": "red", "spend": 45.0, "budget_id": linked}
    insert(engine, "LiteLLM_TeamMembership", **member)
    insert(engine, "LiteLLM_EndUserTable", user_id="eve", spend=1.0, budget_id=linked)
    organization = {"organization_id": "org", "organization_alias": "Org", "models": []}
    by = {"created_by": "a", "updated_by": "a", "updated_at": NOON}
    insert(engine, "LiteLLM_OrganizationTable", **organization, spend=49.0, budget_id=linked, **by)
    insert(
        engine, "LiteLLM_TagTable", tag_name="prod", models=[], spend=50.0, budget_id=linked,
        updated_at=NOON,
    )  # fmt: skip
    known = found(source_of(made))
    assert known.unknown == ()
    assert [(row.limit.kind, row.limit.name, row.state) for row in known.rows] == [
        ("tag", "prod", "spent"),
        ("organization", "Org", "runs_out"),
        ("user", "Ada", "runs_out"),
        ("member", "Ada in Red team", "runs_out"),
        ("key", "k", "runs_out"),
        ("end_user", "eve", "runs_out"),
        ("team", "Red team", "runs_out"),
    ]
    left = {row.limit.kind: row.left_usd for row in known.rows}
    assert left == {
        "tag": 0, "organization": 1, "user": 5, "member": 5, "key": 30, "end_user": 49, "team": 130,
    }  # fmt: skip
    for row in known.rows:
        assert (row.pace_usd, row.last_day_usd) == (10, 10)
        if row.limit.kind not in ("tag", "team"):
            assert row.runs_out_at == NOON + DAY * float(row.left_usd) / 10


def test_without_budgets_nothing_is_listed_and_the_log_is_not_read(database):
    known = found(source_of(database(rows=week_of(1))))
    assert (known.rows, known.unread) == ((), 0)


@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_in_every_version_what_is_missing_is_a_sentence(database, version):
    made = database(version, rows=week_of(1))
    known = found(source_of(made))
    assert known.rows == ()
    assert (known.unknown == ()) == (version == "latest")


def test_without_grants_nothing_is_read_and_a_sentence_says_so(database):
    made = database(rows=week_of(1))
    plant(made.engine, "k", max_budget=1.0)
    url = role(made, "narrow", ['SELECT ON "LiteLLM_SpendLogs"'])
    known = found(source_of(made, url))
    assert known.rows == ()
    assert "Budgets of keys are unknown: the role may not read LiteLLM_VerificationToken." in (
        known.unknown
    )
    url = role(made, "wider", ['SELECT (token, spend, max_budget) ON "LiteLLM_VerificationToken"'])
    made.execute('GRANT SELECT ON "LiteLLM_SpendLogs" TO wider')
    known = found(source_of(made, url))
    assert [row.limit.limit_usd for row in known.rows] == [1]
    assert any("metadata of LiteLLM_VerificationToken" in one for one in known.unknown)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, 100),
        ({"temp_budget_increase": 50, "temp_budget_expiry": "2026-12-01T00:00:00"}, 150),
        ({"temp_budget_increase": "50", "temp_budget_expiry": "2026-11-01T00:00:00Z"}, 100),
        ({"temp_budget_increase": "much", "temp_budget_expiry": "2026-12-01"}, 100),
        ({"temp_budget_increase": 50, "temp_budget_expiry": "soon"}, 100),
        ({"temp_budget_increase": 50}, 100),
        (["temp_budget_increase"], 100),
    ],
)
def test_a_temporary_increase_counts_until_its_end(database, metadata, expected):
    made = database()
    plant(made.engine, "k", max_budget=100.0, spend=20.0, metadata=json.dumps(metadata))
    (row,) = found(source_of(made)).rows
    assert row.limit_usd == expected


def test_each_window_of_a_key_has_its_limit(database):
    made = database(rows=week_of(2, api_key=key_of("k")))
    stored = [
        {"budget_duration": "24h", "max_budget": 3},
        {"budget_duration": "7d", "max_budget": 15.5},
        {"budget_duration": 7, "max_budget": 1},
        "text",
    ]
    plant(made.engine, "k", max_budget=None, budget_limits=json.dumps(stored))
    window = {"entity_type": "key", "entity_id": key_of("k"), "updated_at": NOON}
    for duration, start, spend in (("24h", NOON - DAY / 2, 2.0), ("7d", NOON - 6 * DAY, 14.0)):
        own = {"window_duration": duration, "window_start": start, "spend": spend}
        insert(made.engine, "LiteLLM_BudgetWindowSpend", **window, **own)
    rows = found(source_of(made)).rows
    assert [(row.limit.duration, row.left_usd, row.limit.resets_at) for row in rows] == [
        ("7d", USD("1.5"), NOON + DAY),
        ("24h", 1, NOON + DAY / 2),
    ]
    # At $2 a day both reach their limit: one before its reset, the other at that moment.
    assert [row.state for row in rows] == ["runs_out", "lasts"]


def test_a_reader_of_a_team_sees_its_own_total_and_members(database):
    made = database()
    for team in ("red", "blue"):
        name_team(made.engine, team, team)
        linked = budget(made.engine, f"of {team}", max_budget=5.0)
        insert(made.engine, "LiteLLM_TeamMembership", user_id="ada", team_id=team, budget_id=linked)
        plant(made.engine, team, max_budget=1.0, team_id=team, user_id="ada")
    made.execute('UPDATE "LiteLLM_TeamTable" SET max_budget = 9')
    source = source_of(made)

    def seen(**ids):
        rows = found(source.seen_by(Access(Scope(**ids), "viewer"))).rows
        return sorted((row.limit.kind, row.limit.team_id) for row in rows)

    assert seen(teams=("red",)) == [("member", "red"), ("team", "red")]
    assert seen(users=("ada",)) == [("member", "blue"), ("member", "red")]
    assert seen(keys=(key_of("blue"),)) == [("key", "blue")]
    assert seen() == []
    # The key of a team may have been another's before.
    assert len(found(source).rows) == 6


def test_filters_narrow_by_key_team_and_user():
    rows = (
        limit(),
        Limit("team", "red", "red", "red", None, USD(1), USD(2)),
        Limit("member", "ada", "ada", "red", "ada", USD(1), USD(2)),
        Limit("tag", "prod", "prod", None, None, USD(1), USD(2)),
    )

    def kinds(**chosen):
        filters = Filters(FILTERS.window, **chosen)
        return {row.limit.kind for row in judged(Limits(rows, 0, ()), (), filters, NOON).rows}

    assert kinds() == {"key", "team", "member", "tag"}
    assert kinds(team=("red",)) == {"team", "member"}
    assert kinds(user=("ada",)) == {"member"}
    assert kinds(key=(key_of("k"),)) == {"key"}
    assert kinds(team=(NONE,)) == {"key", "tag"}
    assert kinds(model=("gpt-4o",)) == {"key", "team", "member", "tag"}


def test_it_runs_out_when_the_same_days_again_have_cost_what_is_left():
    # Nothing at the weekend: ten dollars a day from Monday, noon, to Friday.
    office = one(limit("65"), 10, 10, 10, 10, 10, 0, 0)
    assert office.runs_out_at == NOON + 3.5 * DAY
    assert one(limit("40"), 10, 10, 10, 10, 10, 0, 0).runs_out_at == NOON + 8 * DAY
    assert office.pace_usd.quantize(USD("0.01")) == USD("7.14")
    assert (office.state, office.soonest_at) == ("runs_out", None)


def test_one_day_far_above_the_others_is_not_expected_again():
    calm, spike = one(limit(), 1), one(limit(), 1, 1, 1, 90, 1, 1, 1)
    assert (spike.runs_out_at, spike.pace_usd) == (calm.runs_out_at, calm.pace_usd)
    now = one(limit(), 1, 1, 1, 1, 1, 1, 50)
    assert (now.state, now.soonest_at) == ("runs_out", NOON + 2 * DAY)
    assert now.runs_out_at == NOON + 100 * DAY


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (limit("100"), "spent"),
        (limit("0", "0"), "spent"),
        (limit("60", resets_at=NOON + 4 * DAY), "lasts"),
        (limit("60", resets_at=NOON + 4.1 * DAY), "runs_out"),
        (limit("60", soft_usd=USD(60), resets_at=NOON + DAY), "over_soft"),
        (limit("60", soft_usd=USD(61), resets_at=NOON + DAY), "lasts"),
        (limit("60", resets_at=NOON - DAY), "lasts"),
        (limit("-50", "-1"), "runs_out"),
    ],
)
def test_the_state_of_a_budget(given, state):
    assert one(given, 10).state == state


def test_an_increase_that_ends_first_is_not_counted():
    raised = limit("95", increase_usd=USD(50), increase_until=NOON + 2 * DAY)
    assert one(raised, 10).runs_out_at == NOON + 2 * DAY
    later = limit("95", increase_usd=USD(50), increase_until=NOON + 20 * DAY)
    assert one(later, 10).runs_out_at == NOON + 5.5 * DAY


def test_without_cost_it_lasts_and_its_pace_is_nothing():
    idle = one(limit("99"))
    assert (idle.state, idle.pace_usd, idle.runs_out_at) == ("lasts", 0, None)
    assert one(limit("1", "1e12"), 1).runs_out_at is None


def test_paces_are_read_for_the_wanted_kinds_alone(database):
    source = source_of(database(rows=week_of(1, team_id="red", user="")))
    assert [(p.kind, p.id, p.team_id, sum(p.days)) for p in paces(source, NOON, ("team",))] == [
        ("team", "red", None, 7)
    ]
    assert paces(source, NOON, ("user", "member")) == ()
    assert paces(source, NOON, ()) == ()
    assert limits(source).kinds == ()


def test_names_of_end_users_and_agents_are_for_who_may_see_all(database):
    made = database()
    insert(made.engine, "LiteLLM_EndUserTable", user_id="eve", alias="Eve")
    insert(made.engine, "LiteLLM_EndUserTable", user_id="mallory", alias="")
    by = {"created_by": "a", "updated_by": "a"}
    insert(
        made.engine, "LiteLLM_AgentsTable", agent_id="a-1", agent_name="Gardener",
        agent_card_params="{}", **by,
    )  # fmt: skip
    source = source_of(made)
    assert other_names(source, "end_user", ("eve", "mallory", None, "\0")) == (("eve", "Eve"),)
    assert other_names(source, "agent", ("a-1",)) == (("a-1", "Gardener"),)
    assert other_names(source, "team", ("a-1",)) == ()
    part = source.seen_by(Access(Scope(teams=("red",)), "viewer"))
    assert other_names(part, "agent", ("a-1",)) == ()


def test_a_sentence_names_what_is_used_up_and_what_runs_out_first():
    rows = (limit("100"), limit("60", resets_at=NOON + 9 * DAY), limit("90"))
    days = [Pace("key", KEY, None, (USD(10),) * 7)]
    known = judged(Limits(rows, 0, ()), days, FILTERS, NOON)
    assert headline(known, NOON, "Europe/Berlin") == (
        "1 budget is used up: key a key. 2 budgets run out before the reset: the first is key a "
        "key, on Tue 24 Nov at 13:00."
    )
    lasting = judged(Limits((limit("1"),), 0, ()), (), FILTERS, NOON)
    assert headline(lasting, NOON, "UTC") == "The budget lasts at the pace of the last seven days."
    assert headline(judged(Limits((), 0, ()), (), FILTERS, NOON), NOON, "UTC") == ""


def test_what_else_is_to_be_known_is_noted():
    raised = limit("95", increase_usd=USD(50), increase_until=NOON + 2 * DAY)
    assert note(one(raised, 1, 1, 1, 1, 1, 1, 20), "UTC") == (
        "Includes $50.00 up to 25 Nov 12:00. At the pace of the last 24 hours 25 Nov 12:00."
    )
    assert note(one(limit("1"), 1), "UTC") == ""


def test_of_ten_thousand_budgets_those_nearest_to_their_limit_are_read(database):
    made = database()
    made.execute(
        'INSERT INTO "LiteLLM_VerificationToken" (token, max_budget, spend, models)'
        " SELECT 'k' || n, 100, n % 100, '{}' FROM generate_series(1, 10000) n"
    )
    known = found(source_of(made))
    assert (len(known.rows), known.unread) == (2_000, 8_000)
    assert min(row.limit.spent_usd for row in known.rows) == 80

"""Each finding of the key review appears with its cause and goes with it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests import litellm
from tests.database import Database
from tests.planted_keys import DAY, KEYS, change, grant_tools, insert, plant
from tests.rows import NOON, failure, key_of, name_deleted_key, name_team, name_user, spend_log
from tests.sources import records, source_of
from tracelib.filters import Filters
from tracelib.key_review import FINDINGS, KeyReview, key_review, together
from tracelib.permissions.access import Access, Scope
from tracelib.window import TimeWindow

WEEK = TimeWindow(NOON - 6 * DAY, NOON + DAY)
FILTERS = Filters(WEEK)
END = WEEK.end
MASTER = "litellm_proxy_master_key"


def used(alias: str, days_ago: float = 0, **changes: Any) -> dict:
    """A request of this key so many days before noon."""
    return spend_log(api_key=key_of(alias), startTime=NOON - days_ago * DAY, **changes)


def failed(alias: str, days_ago: float = 0, **changes: Any) -> dict:
    return failure(api_key=key_of(alias), startTime=NOON - days_ago * DAY, **changes)


# So that the log reaches back as far as it is read.
FIRST = used("sound", 96)


def review_of(
    made: Database, filters: Filters = FILTERS, access: Access | None = None
) -> KeyReview:
    source = source_of(made)
    try:
        return key_review(source.seen_by(access) if access else source, filters)
    finally:
        source.engine.dispose()


def found(made: Database, *args: Any) -> dict[str, list[str]]:
    """The findings of each key, by its name."""
    by_name: dict[str, list[str]] = {}
    for row in review_of(made, *args).rows.to_dict("records"):
        by_name.setdefault(row["key_name"], []).append(row["finding"])
    return by_name


def evidence(made: Database, finding: str) -> list[str]:
    rows = review_of(made).rows
    return rows[rows["finding"] == finding]["evidence"].tolist()


@pytest.fixture(scope="module")
def shared(server) -> Iterator[Database]:
    """One database for many tests, with one sound key; each test adds keys of its own."""
    made = Database(server)
    made.insert([FIRST, used("sound")])
    plant(made.engine, "sound")
    yield made
    made.drop()


def test_a_sound_key_has_no_finding(shared):
    assert "sound" not in found(shared)


@pytest.mark.parametrize(
    ("finding", "cause", "remedy"),
    [
        ("no_expiry", {"expires": None}, {"expires": NOON + 30 * DAY}),
        ("no_budget", {"max_budget": None}, {"max_budget": 0.0}),
        ("no_owner", {"user_id": None}, {"user_id": "user-1"}),
        ("no_owner", {"user_id": "", "team_id": ""}, {"team_id": "team-1"}),
        ("never_used", {"last_active": None, "spend": 0.0}, {"last_active": NOON}),
        ("never_used", {"last_active": None, "spend": 0.0}, {"created_at": END - 6 * DAY}),
        ("dormant", {"last_active": END - 91 * DAY}, {"last_active": END - 89 * DAY}),
        ("dormant", {"last_active": None, "spend": 2.0}, {"created_at": END - 89 * DAY}),
        (
            "rotation_overdue",
            {"auto_rotate": True, "key_rotation_at": END - DAY},
            {"key_rotation_at": END + DAY},
        ),
        (
            "rotation_overdue",
            {"auto_rotate": True, "key_rotation_at": END - DAY},
            {"auto_rotate": False},
        ),
        ("no_expiry", {"expires": None}, {"blocked": True}),
    ],
)
def test_a_finding_comes_with_its_cause_and_goes_with_it(shared, request, finding, cause, remedy):
    alias = request.node.callspec.id
    plant(shared.engine, alias, **cause)
    assert found(shared)[alias] == [finding]
    change(shared.engine, alias, **remedy)
    assert alias not in found(shared)


def test_a_blocked_key_is_reported_only_while_it_is_tried(database):
    tried = [failed("tried", 5), used("tried", 3), failed("tried", 1)]
    made = database(rows=[FIRST, used("idle", 3), *tried])
    for alias in ("idle", "tried", "works"):
        plant(made.engine, alias, blocked=True)
    made.insert([failed("works", 2), used("works", 1)])
    assert found(made) == {"tried": ["disabled_but_tried"]}
    assert evidence(made, "disabled_but_tried") == [
        "The key is blocked; 2 failures in the range, the newest after its last success."
    ]
    change(made.engine, "tried", blocked=False)
    assert found(made) == {}


def test_an_expired_key_is_judged_by_what_came_after(database):
    rows = [FIRST, failed("before", 4), used("paid", 1, spend=0.5), failed("tried", 1)]
    made = database(rows=[*rows, used("free", 1, spend=0.0)])
    for alias in ("before", "paid", "tried", "free", "quiet"):
        plant(made.engine, alias, expires=NOON - 2 * DAY)
    assert found(made) == {"paid": ["spend_after_expiry"], "tried": ["disabled_but_tried"]}
    assert evidence(made, "spend_after_expiry") == ["$0.50 in 1 request after it expired."]
    assert evidence(made, "disabled_but_tried") == ["The key is expired; 1 failure since."]
    change(made.engine, "paid", expires=NOON - DAY / 2)
    change(made.engine, "tried", expires=NOON - DAY / 2)
    assert found(made) == {}


def test_networks_and_agents_are_new_if_others_were_known_before(database):
    tags = {name: [f"User-Agent: {name}", f"User-Agent: {name}/2.1"] for name in ("curl", "go")}
    known = {"requester_ip_address": "10.1.2.3", "request_tags": tags["curl"]}
    moved = {"requester_ip_address": "203.0.113.9", "request_tags": tags["go"]}
    near = {"requester_ip_address": "10.1.2.77", "request_tags": ["mine", "User-Agent: curl/9"]}
    made = database(
        rows=[
            *(used("same", days, **known) for days in (30, 1)),
            *(used("near", days, **one) for days, one in ((30, known), (1, near))),
            *(used("moved", days, **one) for days, one in ((30, known), (1, moved), (2, moved))),
            used("begun", 1, **moved),
            *(used("v6", days, requester_ip_address=ip) for days, ip in V6),
        ]
    )
    for alias in ("same", "near", "moved", "begun", "v6"):
        plant(made.engine, alias)
    assert found(made) == {"moved": ["new_network", "new_agent"], "v6": ["new_network"]}
    assert evidence(made, "new_network") == [
        "2 requests from 203.0.113.0/24.",
        "1 request from 2001:db8:7::/48.",
    ]
    assert evidence(made, "new_agent") == ["2 requests by go."]
    rows = records(review_of(made).rows)
    links = [(row["tag"], row["address"], row["link_start"], row["link_end"]) for row in rows]
    assert links == [
        (None, "203.0.113.9", WEEK.start, END),
        (None, "2001:db8:7::1", WEEK.start, END),
        ("User-Agent: go", None, WEEK.start, END),
    ]


V6 = ((30, "2001:db8::1"), (3, "2001:db8:0:5::9"), (2, "2001:DB8:7::1"), (1, "2001:db8:7:9:1::1"))
V6 = (V6[0], V6[1], (2, "2001:db8:7::1"))


def test_models_that_are_granted_and_not_used(database):
    made = database(rows=[FIRST, used("wide", 50), used("wide", 1, model_group="o3")])
    made.insert([used("team", 1), used("new", 1), used("all", 1)])
    name_team(made.engine, "team-1", "Red")
    made.execute("UPDATE \"LiteLLM_TeamTable\" SET models = '{gpt-4o,sonnet}'")
    plant(made.engine, "wide", models=["gpt-4o", "openai/o*", "opus", "haiku"])
    plant(made.engine, "team", team_id="team-1", models=["all-team-models"])
    plant(made.engine, "new", models=["opus"], created_at=END - 2 * DAY)
    plant(made.engine, "all", models=["all-proxy-models"])
    assert found(made) == {"wide": ["unused_models"], "team": ["unused_models"]}
    assert evidence(made, "unused_models") == [
        "1 of 2 models: sonnet.",
        "3 of 4 models: haiku, openai/o*, opus.",
    ]
    change(made.engine, "wide", models=["gpt-4o", "o3"])
    change(made.engine, "team", models=["gpt-4o"])
    assert found(made) == {}


def test_tools_that_are_granted_and_not_used(database):
    made = database(rows=[FIRST, used("agent", 1, mcp_namespaced_tool_name="geo/find")])
    indexed = used("agent", 2)
    made.insert([indexed])
    insert(made.engine, "LiteLLM_MCPServerTable", server_id="s-1", server_name="geo")
    insert(made.engine, "LiteLLM_MCPServerTable", server_id="s-2", server_name="mail")
    insert(made.engine, "LiteLLM_MCPServerTable", server_id="s-3", alias="kv")
    tools = {"s-3": ["get", "put"]}
    granted = grant_tools(made.engine, ["s-1", "s-2", "unknown"], tools)
    plant(made.engine, "agent", object_permission_id=granted)
    assert evidence(made, "unused_tools") == ["3 of 4 servers and tools: mail, kv/get, kv/put."]
    for tool in ("mail-send", "kv-get", "kv/put"):
        insert(
            made.engine,
            "LiteLLM_SpendLogToolIndex",
            request_id=indexed["request_id"],
            tool_name=tool,
            start_time=indexed["startTime"],
        )
    assert found(made) == {}


def test_the_master_key_and_unknown_keys_that_fail(database):
    scan = [failed(f"guess {n}", 1, requester_ip_address="203.0.113.9") for n in range(3)]
    made = database(
        rows=[
            FIRST,
            used("sound"),
            spend_log(api_key=MASTER, startTime=NOON),
            *scan,
            failed("guess 0", 1, requester_ip_address="198.51.100.7"),
            used("gone", 1),
            failed("deleted", 1),
            failed("rotated", 1),
            failed("guess 1", 1) | {"request_id": "clear", "api_key": "sk-in-clear"},
        ]
    )
    plant(made.engine, "sound")
    name_deleted_key(made.engine, key_of("deleted"), "deleted")
    insert(
        made.engine,
        "LiteLLM_DeprecatedVerificationToken",
        id="1",
        token=key_of("rotated"),
        active_token_id=key_of("sound"),
        revoke_at=NOON,
    )
    rows = review_of(made).rows
    assert rows["finding"].tolist() == ["unknown_keys"] * 3 + ["master_key"]
    assert rows["key_name"].tolist()[0] == f"{key_of('guess 0')[:8]}…"
    assert rows["evidence"].tolist()[0] == "2 failures from 2 addresses; 3 unknown keys in all."
    assert rows["evidence"].tolist()[1] == "1 failure from 203.0.113.9; 3 unknown keys in all."
    assert rows["evidence"].tolist()[3] == "1 request in the range."
    assert review_of(made, replace(FILTERS, key=(key_of("sound"),))).rows.empty


def test_the_unknown_keys_of_one_address_are_one_row(database):
    scan = [failed(f"guess {n}", n % 2, requester_ip_address="203.0.113.9") for n in range(53)]
    others = [
        failed("other", 1, requester_ip_address="203.0.113.10"),
        *(failed("moving", 1, requester_ip_address=f"203.0.113.{n}") for n in (9, 11)),
    ]
    made = database(rows=[FIRST, *scan, *others])
    rows = review_of(made).rows
    shown = together(rows)
    assert len(rows) == 55
    assert sorted(
        (row["key_name"], row["requests"], len(row["keys"])) for row in records(shown)
    ) == sorted(
        [
            ("50 unknown keys", 50, 50),
            ("3 unknown keys", 3, 3),
            (f"{key_of('other')[:8]}…", 1, 1),
            (f"{key_of('moving')[:8]}…", 2, 1),
        ]
    )
    whole = next(row for row in records(shown) if len(row["keys"]) == 50)
    assert whole["evidence"] == "50 failures from 203.0.113.9, with these keys."
    assert whole["since"] == rows["since"].min()
    assert {key for row in records(shown) for key in row["keys"]} == {*rows["key"]}
    assert together(rows.head(0)).empty
    assert together(rows.head(2))["keys"].map(len).tolist() == [1, 1]


def test_a_whole_finding_with_names_and_without_hashes(database):
    made = database(rows=[FIRST])
    name_user(made.engine, "u-1", "Ada")
    name_team(made.engine, "team-1", "Red")
    token = plant(made.engine, "", key_name=None, user_id="u-1", team_id="team-1", expires=None)
    review = review_of(made)
    assert records(review.rows) == [
        {
            "finding": "no_expiry",
            "key": token,
            "key_name": f"{token[:8]}…",
            "evidence": "No expiry is set.",
            "user_name": "Ada",
            "team_name": "Red",
            "since": NOON - 200 * DAY,
            "requests": None,
            "link_start": None,
            "link_end": None,
            "failures_only": False,
            "tag": None,
            "address": None,
            "only_address": None,
        }
    ]
    facts = (review.keys, review.reviewed, review.log_from, review.unknown, review.is_readable)
    assert facts == (1, 1, NOON - 96 * DAY, (), True)


def test_budgets_may_be_linked_or_the_teams_or_by_model(database):
    made = database(rows=[FIRST])
    name_team(made.engine, "rich", None)
    name_team(made.engine, "poor", None)
    made.execute("UPDATE \"LiteLLM_TeamTable\" SET max_budget = 9 WHERE team_id = 'rich'")
    for name, budget in (("b-1", 5.0), ("b-2", None)):
        facts = {"max_budget": budget, "created_by": "a", "updated_by": "a"}
        insert(made.engine, "LiteLLM_BudgetTable", budget_id=name, **facts)
    without = {"max_budget": None}
    plant(made.engine, "linked", **without, budget_id="b-1")
    plant(made.engine, "linked to none", **without, budget_id="b-2")
    plant(made.engine, "of a team", **without, team_id="rich")
    plant(made.engine, "of a poor team", **without, team_id="poor")
    plant(made.engine, "by model", **without, model_max_budget='{"gpt-4o": {"max_budget": 1}}')
    plant(made.engine, "by window", **without, budget_limits='[{"max_budget": 1}]')
    plant(made.engine, "of an empty list", **without, budget_limits="[]")
    assert found(made) == {
        name: ["no_budget"] for name in ("linked to none", "of a poor team", "of an empty list")
    }


def test_keys_of_sign_ins_are_no_keys_to_review(database):
    made = database(rows=[FIRST])
    plant(made.engine, "ui", team_id="litellm-dashboard", expires=None, max_budget=None)
    assert (found(made), review_of(made).keys) == ({}, 0)


def test_without_keys_and_without_requests_the_review_is_empty(empty_database):
    review = review_of(empty_database)
    assert (len(review.rows), review.keys, review.log_from, review.unknown) == (0, 0, None, ())
    assert review.is_readable
    assert all(review.count_of(one) == 0 for one in FINDINGS)


def test_the_filters_of_owners_narrow_and_others_do_not(database):
    made = database(rows=[FIRST])
    plant(made.engine, "red", team_id="red", expires=None)
    plant(made.engine, "blue", team_id="blue", user_id="u-2", expires=None)
    plant(made.engine, "alone", user_id=None, expires=None)
    assert set(found(made, replace(FILTERS, team=("red",)))) == {"red"}
    assert set(found(made, replace(FILTERS, team=("red", "(none)")))) == {"red", "alone"}
    assert set(found(made, replace(FILTERS, user=("u-2",)))) == {"blue"}
    assert set(found(made, replace(FILTERS, key=(key_of("blue"),)))) == {"blue"}
    assert set(found(made, replace(FILTERS, model=("none",)))) == {"red", "blue", "alone"}


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (Scope(teams=("red",)), {"red"}),
        (Scope(users=("u-2",)), {"blue"}),
        (Scope(keys=(key_of("alone"),)), {"alone"}),
        (Scope(teams=("red",), keys=(key_of("alone"),)), {"red", "alone"}),
        (Scope(), set()),
    ],
)
def test_a_scope_sees_its_own_keys_alone(database, scope, seen):
    made = database(rows=[FIRST, spend_log(api_key=MASTER, team_id="red"), failed("guess", 1)])
    made.execute("UPDATE \"LiteLLM_SpendLogs\" SET team_id = 'red', \"user\" = 'u-2'")
    plant(made.engine, "red", team_id="red", expires=None)
    plant(made.engine, "blue", team_id="blue", user_id="u-2", expires=None)
    plant(made.engine, "alone", user_id=None, expires=None)
    review = review_of(made, FILTERS, Access(scope, "admin"))
    of_keys = review.rows[~review.rows["finding"].isin(["master_key"])]
    assert (set(of_keys["key_name"]), review.keys) == (seen, len(seen))


ALL_LOGS = 'SELECT ON "LiteLLM_SpendLogs"'


def granted(made: Database, role, *grants: str) -> KeyReview:
    source = source_of(made, role(made, "part", [ALL_LOGS, *grants]))
    try:
        return key_review(source, FILTERS)
    finally:
        source.engine.dispose()


def test_what_may_not_be_read_is_named_and_is_no_finding(database, role):
    made = database(rows=[FIRST])
    plant(made.engine, "bare", **dict.fromkeys(("expires", "max_budget", "user_id", "last_active")))
    assert found(made)["bare"] == ["no_owner", "no_expiry", "no_budget", "dormant"]
    review = granted(made, role, f"SELECT (token, key_alias, expires) ON {KEYS}")
    # The log alone says that it was not used.
    assert review.rows["finding"].tolist() == ["no_expiry", "dormant"]
    assert review.unknown[:3] == (
        "Unknown: blocked keys. The role may not read blocked of LiteLLM_VerificationToken.",
        "Unknown: last activity. The role may not read last_active of LiteLLM_VerificationToken, "
        "or LiteLLM is from before 2026-02-18.",
        "Unknown: spend of a key. The role may not read spend of LiteLLM_VerificationToken.",
    )
    assert len(review.unknown) == 13
    names_only = granted(made, role, f"SELECT (token, key_alias) ON {KEYS}")
    assert names_only.rows["finding"].tolist() == ["dormant"]
    assert names_only.unknown[0] == (
        "Unknown: expiry. The role may not read expires of LiteLLM_VerificationToken."
    )


def test_without_the_table_of_keys_nothing_is_reviewed(database, role):
    made = database(rows=[FIRST, failed("guess", 1)])
    plant(made.engine, "eternal", expires=None)
    review = granted(made, role)
    assert (len(review.rows), review.keys, review.is_readable) == (0, 0, False)
    assert review.unknown == (
        "Keys cannot be reviewed: the role may not read LiteLLM_VerificationToken.",
    )


def test_without_the_budget_of_a_team_its_keys_are_not_said_to_have_none(database, role):
    made = database(rows=[FIRST])
    plant(made.engine, "of a team", team_id="t", max_budget=None)
    plant(made.engine, "linked", budget_id=None, max_budget=None)
    review = granted(made, role, f"SELECT ON {KEYS}")
    assert review.rows["key_name"].tolist() == ["linked"]


@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_every_version_can_be_reviewed(database, version):
    made = database(version, rows=[FIRST])
    plant(made.engine, "eternal", expires=None)
    review = review_of(made)
    assert review.rows[review.rows["finding"] == "no_expiry"]["key_name"].tolist() == ["eternal"]
    assert bool(review.unknown) == (version < "2026")


def test_a_version_without_activity_judges_by_the_log(database):
    made = database("2025-03-26", rows=[FIRST, used("busy", 1)])
    for alias in ("busy", "idle"):
        plant(made.engine, alias, spend=1.0)
    plant(made.engine, "fresh", spend=0.0, created_at=END - 20 * DAY)
    plant(made.engine, "older than the log", spend=0.0, created_at=NOON - 150 * DAY)
    named = found(made)
    assert named == {
        "idle": ["dormant"],
        "fresh": ["never_used"],
        "older than the log": ["dormant"],
    }
    made.execute(f"DELETE FROM \"LiteLLM_SpendLogs\" WHERE api_key = '{key_of('sound')}'")
    # The log no longer reaches back, so nothing is known of those that are not in it.
    assert found(made) == {}


def test_clocks_far_off_make_no_findings_of_their_own(database):
    made = database(rows=[FIRST, used("future", -4000), used("past", 40_000)])
    plant(made.engine, "future", created_at=NOON + 4000 * DAY, last_active=NOON + 4000 * DAY)
    plant(made.engine, "past", created_at=NOON - 40_000 * DAY)
    assert found(made) == {}


def test_odd_values_of_the_tables_are_no_error(database):
    made = database(rows=[FIRST, used("odd", 1, requester_ip_address="unknown, 10.0.0.1")])
    permission = grant_tools(made.engine, ["s"], ["no object"])
    plant(
        made.engine,
        "odd",
        spend=float("nan"),
        models=["", "*"],
        object_permission_id=permission,
        max_budget=float("inf"),
    )
    assert found(made) == {}


def test_ten_thousand_keys_are_reviewed(database):
    made = database(rows=[FIRST])
    made.execute(
        f"""INSERT INTO {KEYS} (token, key_alias, created_at, models)
        SELECT encode(sha256(n::text::bytea), 'hex'), 'key ' || n, '2026-01-01', '{{gpt-4o}}'
        FROM generate_series(1, 10000) AS n"""
    )
    review = review_of(made)
    assert (review.keys, review.reviewed, review.count_of("never_used")) == (10_000, 10_000, 10_000)


def test_more_keys_than_are_read_are_counted(database, monkeypatch):
    monkeypatch.setattr("tracelib.key_review.keys.MOST_KEYS", 2)
    made = database(rows=[FIRST])
    for name in ("a", "b", "c"):
        plant(made.engine, name, expires=None)
    review = review_of(made)
    assert (review.keys, review.reviewed, sorted(found(made))) == (3, 2, ["a", "b"])


def test_a_log_that_takes_too_long_leaves_what_the_keys_say(database):
    made = database(rows=[FIRST])
    plant(made.engine, "eternal", expires=None)
    made.execute(
        'ALTER TABLE "LiteLLM_SpendLogs" RENAME TO whole',
        'CREATE VIEW "LiteLLM_SpendLogs" AS SELECT w.* FROM whole w, pg_sleep(3) AS s',
    )
    source = source_of(made, statement_timeout_s=1.0)
    review = key_review(source, FILTERS)
    source.engine.dispose()
    assert review.rows["finding"].tolist() == ["no_expiry"]
    assert review.unknown == (
        "Unknown: use in the log. It could not be read in time; choose a shorter range.",
    )

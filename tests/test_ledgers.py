"""The true ledgers, and what became of them: each drift is of its class, and classes add up."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tests import litellm, rows
from tests.calling import calls_of
from tests.database import Database
from tests.sources import source_of
from tests.true_ledgers import (
    ALICE,
    CAROL,
    DAY,
    DELIVERIES,
    LOGS,
    NOW,
    SERVICE,
    TrueLedgers,
    classes_of,
    copied,
    filled,
)
from tracelib.ledgers import CLASSES, Amount, Ledgers, ledgers, reconciling, uncounted, words
from tracelib.ledgers.detailing import MOST_DETAILS
from tracelib.ledgers.totals import RunningTotal

OF_ALICE = f"l.api_key = '{ALICE}' AND l.model = 'openai/gpt-4o' AND l.spend > 0"


@pytest.fixture(scope="module")
def clean(server) -> Iterator[Database]:
    with filled(server) as made:
        yield made


@pytest.fixture
def true(clean) -> Iterator[TrueLedgers]:
    """The true ledgers, to be changed."""
    with copied(clean) as made:
        yield made


def whole(found: Ledgers) -> None:
    """Each line's classes add up to its difference, to the last digit."""
    for line in (*found.days, *(one for lines in found.lines.values() for one in lines)):
        parts = line.classes.values()
        assert sum(one.requests for one in parts) == line.log.requests - line.daily.requests
        assert sum((one.usd for one in parts), Decimal(0)) == line.log.usd - line.daily.usd
        assert all(one.requests or one.usd for one in parts)


def test_clean_ledgers_agree_in_everything(true):
    found = true.compared(date(2026, 11, 1), date(2026, 11, 29))
    whole(found)
    assert [words.headline(found), len(found.days), found.largest, found.booked.missing] == [
        "Log and daily totals agree on 1 of 1 day.",
        29,
        [],
        (),
    ]
    (day,) = (one for one in found.days if one.log.requests)
    same = (323, Decimal("0.14122279"), 180030, 4352)
    log, daily = (
        (one.requests, one.usd, one.prompt_tokens, one.completion_tokens)
        for one in (day.log, day.daily)
    )
    assert (day.id, log, daily, day.gateway_requests) == ("2026-11-28", same, same, 323)
    states = {
        (kind, line.name): line.running and words.state(line.running)
        for kind, lines in found.lines.items()
        for line in lines
    }
    assert states == {
        ("key", "alice-key"): "agrees",
        ("key", "bob-key"): "agrees",
        ("key", "red-svc-key"): "agrees",
        ("key", "svc-key"): "agrees",
        ("key", "gone-key"): "agrees",
        ("key", "master key"): None,
        ("key", "carol-key"): "reset",
        ("key", "100ea034…"): None,
        ("team", "Red team"): "agrees",
        ("team", "Blue team"): "agrees",
        ("user", "alice@example.com"): "agrees",
        ("user", "bob@example.com"): "agrees",
        ("user", "(none)"): None,
        ("user", "default_user_id"): "agrees",
        ("user", "carol@example.com"): "agrees",
        ("tag", "batch"): "agrees",
        ("tag", "checkout"): "agrees",
        ("tag", "prod"): "agrees",
        ("tag", "untracked"): None,
    }
    window = found.windows["team", "team-red"][0]
    assert (window.of.start, window.of.is_assumed, window.log_usd, window.of.spend_usd) == (
        datetime(2026, 11, 1, tzinfo=UTC),
        True,
        Decimal("0.07093973"),
        Decimal("0.07093973"),
    )


def test_a_gateway_that_is_killed_between_its_writes_leaves_rows_in_the_log_alone(true):
    true.as_before_deliveries()
    lost = true.unbook(OF_ALICE)
    found = true.compared()
    whole(found)
    expected = {"lost_between_writes": lost}
    assert lost.requests > 10
    assert classes_of(found) == classes_of(found, "key", ALICE) == expected
    assert classes_of(found, "user", "alice") == classes_of(found, "team", "team-red") == expected
    assert classes_of(found, "key") == expected
    assert set(classes_of(found, "tag")) == {"lost_between_writes"}
    assert [one.cell.key for one in found.largest] == [ALICE]


@pytest.mark.parametrize(("state", "name"), [("pending", "in_flight"), ("parked", "parked")])
def test_what_is_delivered_later_is_in_flight_or_parked(true, state, name):
    lost = true.unbook(OF_ALICE)
    true.execute(
        f"UPDATE {DELIVERIES} d SET state = '{state}', applied_at = NULL FROM {LOGS} l"
        f" WHERE l.request_id = d.request_id AND {OF_ALICE}"
    )
    found = true.compared()
    whole(found)
    assert classes_of(found) == classes_of(found, "team", "team-red") == {name: lost}
    assert set(classes_of(found, "tag")) <= {name}
    assert any("all" in one for one in words.notes(found)[:1])


@pytest.mark.parametrize("before", [True, False])
def test_tags_that_were_not_written_are_short_and_nothing_else(true, before):
    if before:
        true.as_before_deliveries()
    where = "l.request_tags ? 'checkout'"
    lost = true.unbook(where, "tag")
    found = true.compared()
    whole(found)
    assert (classes_of(found), classes_of(found, "key"), classes_of(found, "team")) == ({}, {}, {})
    assert classes_of(found, "tag", "checkout") == {"lost_between_writes": lost}


@pytest.mark.parametrize("evidence", ["deliveries", "none"])
def test_an_id_that_came_twice_is_one_row_in_the_log(true, evidence):
    where = f"l.api_key = '{SERVICE}' AND l.model = 'openai/gpt-4o-mini' AND l.status = 'success'"
    more = true.book_again(where)
    if evidence == "none":
        true.as_before_deliveries()
    else:
        true.execute(
            f"INSERT INTO {DELIVERIES} SELECT delivery_id || '-again', d.request_id, d.state,"
            f" accounting_payload, is_batch, attempts, next_attempt_at, applied_at, last_error,"
            f" d.created_at FROM {DELIVERIES} d JOIN {LOGS} l USING (request_id) WHERE {where}"
        )
    found = true.compared()
    whole(found)
    assert more.requests > 0
    expected = {"same_id_twice": Amount(-more.requests, -more.usd)}
    assert classes_of(found) == classes_of(found, "key", SERVICE) == expected


def test_an_id_of_two_keys_is_proven_by_deliveries(true):
    """The log has the row of the first; the second's cell may have no row at all."""
    for table, column in (("User", "user_id"), ("Team", "team_id")):
        true.execute(
            f'INSERT INTO "LiteLLM_Daily{table}Spend" (id, {column}, date, api_key, model,'
            " custom_llm_provider, mcp_namespaced_tool_name, endpoint, spend, api_requests,"
            " successful_requests, updated_at, created_at) VALUES ('x', 'zoe', '2026-11-28', 'k2',"
            " 'm', 'openai', '', '', 0.5, 1, 1, '2026-11-28 11:03', '2026-11-28 11:03')"
        )
    true.execute(
        f"INSERT INTO {DELIVERIES} SELECT 'second', request_id, state, accounting_payload ||"
        """ '{"user": "zoe", "team_id": "zoe", "api_key": "k2", "model": "m","""
        """ "custom_llm_provider": "openai","""
        f""" "spend": 0.5}}', is_batch FROM {DELIVERIES} ORDER BY delivery_id LIMIT 1""",
    )
    found = true.compared()
    whole(found)
    expected = {"same_id_twice": Amount(-1, Decimal("-0.5"))}
    assert classes_of(found) == classes_of(found, "team") == expected


def test_rows_that_were_deleted_by_age_are_from_before_the_log_begins(true):
    true.execute(
        "INSERT INTO \"LiteLLM_DailyUserSpend\" SELECT id || '-1', user_id, '2026-11-27', api_key,"
        " model, model_group, custom_llm_provider, prompt_tokens, completion_tokens, spend,"
        " created_at - interval '1 day', updated_at - interval '1 day', api_requests,"
        ' failed_requests, successful_requests FROM "LiteLLM_DailyUserSpend"',
    )
    edge = "l.\"startTime\" < '2026-11-28 11:03:05'"
    gone = true.sums(edge)
    true.execute(f"DELETE FROM {LOGS} l WHERE {edge}")
    found = true.compared(date(2026, 11, 27))
    whole(found)
    before, day = found.days
    assert before.classes == {"deleted_by_retention": Amount(-323, Decimal("-0.14122279"))}
    assert day.classes == {"deleted_by_retention": Amount(-gone.requests, -gone.usd)}
    assert words.notes(found)[0].startswith("The log begins at 28 Nov")


def test_failures_that_are_not_kept_are_in_the_daily_table_alone(true):
    gone = true.sums("status = 'failure'")
    true.execute(f"DELETE FROM {LOGS} WHERE status = 'failure'")
    found = true.compared()
    whole(found)
    assert gone.requests == 40 or gone.requests > 10
    assert classes_of(found) == {"not_kept": Amount(-gone.requests, -gone.usd)}


def test_requests_of_a_log_that_was_off_for_a_while_are_proven_by_deliveries(true):
    """Each cell still has rows, as if an ID had come twice."""
    some = (
        f'SELECT request_id FROM (SELECT request_id, "startTime", count(*) OVER same AS n,'
        f' row_number() OVER (PARTITION BY "user", api_key, model, custom_llm_provider'
        f' ORDER BY "startTime" DESC) AS nth FROM {LOGS} WINDOW same AS (PARTITION BY "user",'
        f" api_key, model, custom_llm_provider)) each WHERE n > 3 AND nth <= 2"
    )
    gone = true.sums(f"request_id IN ({some})")
    true.execute(f"DELETE FROM {LOGS} WHERE request_id IN ({some})")
    found = true.compared()
    whole(found)
    assert classes_of(found) == {"not_kept": Amount(-gone.requests, -gone.usd)}


def test_a_log_that_is_off_has_no_rows(true):
    true.execute(f"DELETE FROM {LOGS}")
    found = true.compared()
    whole(found)
    assert classes_of(found) == {"not_kept": Amount(-323, Decimal("-0.14122279"))}
    assert words.notes(found)[0] == "The log is empty: it is not kept, or all of it was deleted."


HUNDREDS = f"""
INSERT INTO {LOGS} (request_id, call_type, api_key, spend, total_tokens, prompt_tokens,
  completion_tokens, "startTime", "endTime", model, custom_llm_provider, "user", team_id, status)
SELECT 'many-' || i, 'acompletion', 'k', 0.0001 * (i + 1), 2, 1, 1, at, at,
  'model-' || lpad(i::text, 3, '0'), 'openai', 'u', '', 'success'
FROM (SELECT i, timestamp '2026-11-27 10:00' + interval '1 second' * (i * 37 % 160) AS at
  FROM generate_series(0, 149) i) made;
INSERT INTO "LiteLLM_DailyUserSpend" (id, user_id, date, api_key, model, custom_llm_provider,
  mcp_namespaced_tool_name, endpoint, spend, api_requests, successful_requests, updated_at)
SELECT request_id, "user", '2026-11-27', api_key, model, custom_llm_provider, '', '', spend, 1, 1,
  "startTime" + interval '10 seconds' FROM {LOGS} WHERE request_id LIKE 'many-%'
"""


def test_cells_beyond_the_first_hundred_sort_last(true):
    true.execute(
        HUNDREDS,
        "DELETE FROM \"LiteLLM_DailyUserSpend\" WHERE model >= 'model-100' AND model < 'model-999'",
    )
    found = true.compared(date(2026, 11, 27))
    whole(found)
    usd = sum((Decimal("0.0001") * (n + 1) for n in range(100, 150)), Decimal(0))
    assert classes_of(found) == {"first_hundred_drop": Amount(50, usd)}


def test_as_many_cells_that_do_not_sort_last_are_only_in_the_log(true):
    true.execute(
        HUNDREDS,
        "DELETE FROM \"LiteLLM_DailyUserSpend\" WHERE model LIKE 'model-%'"
        " AND right(model, 1) IN ('0', '3', '6')",
    )
    found = true.compared(date(2026, 11, 27))
    whole(found)
    ((name, part),) = classes_of(found).items()
    assert (name, part.requests) == ("lost_between_writes", 45)


def test_the_last_cells_of_a_gateway_that_was_stopped_are_only_in_the_log(true):
    """They sort last, but nothing was added up after them."""
    true.execute(
        HUNDREDS,
        f'UPDATE {LOGS} SET "startTime" = "startTime" + interval \'1 hour\''
        " WHERE request_id LIKE 'many-%' AND model >= 'model-100'",
        "DELETE FROM \"LiteLLM_DailyUserSpend\" WHERE model >= 'model-100' AND model < 'model-999'",
    )
    found = true.compared(date(2026, 11, 27))
    whole(found)
    assert {name: one.requests for name, one in classes_of(found).items()} == {
        "lost_between_writes": 50
    }


@pytest.mark.parametrize("change", [Decimal("0.25"), Decimal("-0.00005")])
def test_a_row_whose_cost_was_changed_has_the_same_requests(true, change):
    true.execute(
        f"UPDATE {LOGS} SET spend = spend + {change} WHERE request_id ="
        f" (SELECT min(request_id) FROM {LOGS} l WHERE {OF_ALICE})"
    )
    found = true.compared()
    whole(found)
    expected = {"changed_later": Amount(0, change)}
    assert classes_of(found) == classes_of(found, "user", "alice") == expected


@pytest.mark.parametrize(
    "fact", ['{"internal_call_origin": "auto_router"}', '{"billed_retry_attempt": true}']
)
def test_calls_that_litellm_does_not_count_cost_what_they_cost(true, fact):
    where = f"{OF_ALICE} AND l.completion_tokens > 0"
    calls = true.sums(where)
    true.unbook(where, "user")
    true.execute(
        f"UPDATE {LOGS} l SET metadata = metadata || '{fact}' WHERE {where}",
        f"""INSERT INTO "LiteLLM_DailyUserSpend" (id, user_id, date, api_key, model,
          custom_llm_provider, mcp_namespaced_tool_name, endpoint, spend, api_requests, updated_at)
        SELECT 'uncounted', "user", '2026-11-28', api_key, model, custom_llm_provider, '', 'other',
          sum(spend), 0, '2026-11-28 11:04' FROM {LOGS} l WHERE {where} GROUP BY 2, 4, 5, 6""",
    )
    found = true.compared()
    whole(found)
    assert classes_of(found) == {"counted_otherwise": Amount(calls.requests, Decimal(0))}


def test_requests_booked_under_another_user_are_counted_otherwise(true):
    true.execute(
        "UPDATE \"LiteLLM_DailyUserSpend\" SET user_id = 'alice-2' WHERE user_id = 'alice'"
        " AND model = 'openai/gpt-4o-mini'"
    )
    found = true.compared()
    whole(found)
    assert classes_of(found) == {}
    assert set(classes_of(found, "user", "alice")) == {"counted_otherwise"}


@pytest.mark.parametrize("has_deliveries", [True, False])
def test_a_request_of_this_moment_is_in_flight(true, has_deliveries):
    if not has_deliveries:
        true.as_before_deliveries()
    row = rows.spend_log(startTime=datetime.now(UTC), spend=0.5, request_tags=["prod"])
    true.database.insert([row])
    today = datetime.now(UTC).date()
    found = true.compared(today, today, now=datetime.now(UTC))
    whole(found)
    expected = {"in_flight": Amount(1, Decimal("0.5"))}
    assert classes_of(found) == classes_of(found, "tag", "prod") == expected


def test_a_reset_is_explained_and_is_no_difference(true):
    true.execute(
        'UPDATE "LiteLLM_VerificationToken" SET spend = 0',
        "UPDATE \"LiteLLM_TeamTable\" SET spend = 0 WHERE team_id = 'team-red'",
    )
    found = true.compared()
    assert classes_of(found) == {}
    of = {(kind, line.id): line for kind, lines in found.lines.items() for line in lines}
    states = {words.state(of[one].running) for one in (("key", ALICE), ("team", "team-red"))}
    assert states == {"reset"}
    assert words.about_total("key", of["key", CAROL]) == (
        "Its total agrees with all daily totals; its spend began again at a reset."
    )


def test_a_key_that_was_deleted_and_a_tag_without_a_row_have_no_total(true):
    true.execute(
        f"DELETE FROM \"LiteLLM_VerificationToken\" WHERE token = '{ALICE}'",
        "DELETE FROM \"LiteLLM_TagTable\" WHERE tag_name = 'batch'",
        "INSERT INTO \"LiteLLM_TagTable\" (tag_name, spend) VALUES ('someone''s', 7)",
    )
    found = true.compared()
    assert classes_of(found) == {}
    of = {(kind, line.id): line for kind, lines in found.lines.items() for line in lines}
    assert words.about_total("key", of["key", ALICE]) == (
        "No running total: the key was deleted, or is none that LiteLLM stores."
    )
    assert words.about_total("tag", of["tag", "batch"]) == (
        "No running total: there is no row in LiteLLM_TagTable."
    )
    assert ("tag", "someone's") not in of


def test_a_total_that_missed_a_write_says_by_how_much(true):
    true.execute(
        "UPDATE \"LiteLLM_TeamTable\" SET spend = spend - 0.01 WHERE team_id = 'team-blue'",
        "UPDATE \"LiteLLM_UserTable\" SET spend = spend + 1 WHERE user_id = 'bob'",
    )
    found = true.compared()
    of = {(kind, line.id): line for kind, lines in found.lines.items() for line in lines}
    assert words.about_total("team", of["team", "team-blue"]).startswith("$0.01 less than")
    assert words.about_total("user", of["user", "bob"]).startswith("$1.00 more than")


def test_a_stored_window_is_compared_from_its_start(true):
    true.execute(
        'INSERT INTO "LiteLLM_BudgetWindowSpend" (entity_type, entity_id, window_duration,'
        f" window_start, spend, updated_at) VALUES ('key', '{ALICE}', '1d',"
        " '2026-11-28 11:03:00', 0.02, now())"
    )
    (window,) = true.compared().windows["key", ALICE]
    since = true.sums(f"l.api_key = '{ALICE}' AND l.\"startTime\" >= '2026-11-28 11:03:00'")
    assert (window.of.is_assumed, window.of.spend_usd) == (False, Decimal("0.02"))
    assert window.log_usd == since.usd > 0
    # A window that begins before the days is not compared.
    later = true.compared(date(2026, 11, 29), date(2026, 11, 29))
    assert later.windows == {}


def test_windows_that_begin_within_the_days_are_compared_from_their_start(true):
    """At midnight and at noon, each within the days that are read at once."""
    true.database.insert(
        rows.spend_log(
            request_id=f"before-{number}",
            startTime=NOW - timedelta(days=number, hours=number % 7),
            api_key=ALICE,
            spend=0.5 + number,
        )
        for number in range(27)
    )
    starts = {
        "14d": datetime(2026, 11, 15, tzinfo=UTC),
        "9d": datetime(2026, 11, 20, 9, tzinfo=UTC),
    }
    for duration, start in starts.items():
        true.execute(
            'INSERT INTO "LiteLLM_BudgetWindowSpend" (entity_type, entity_id, window_duration,'
            f" window_start, spend, updated_at) VALUES ('key', '{ALICE}', '{duration}',"
            f" '{start:%Y-%m-%d %H:%M}', 0.02, now())"
        )
    found = true.compared(date(2026, 11, 1), date(2026, 11, 29)).windows["key", ALICE]
    assert {one.of.duration: one.log_usd for one in found} == {
        duration: true.sums(f"l.api_key = '{ALICE}' AND l.\"startTime\" >= '{start:%F %T}'").usd
        for duration, start in starts.items()
    }


def test_requests_that_two_users_have_swapped_are_found_though_the_days_sums_agree(true):
    """In a replica and in PostgreSQL: no line but those of the two differs."""
    user = '"LiteLLM_DailyUserSpend"'
    true.execute(
        f"UPDATE {user} SET api_requests = api_requests + 1 WHERE id ="
        f" (SELECT min(id) FROM {user} WHERE user_id = 'alice')",
        f"UPDATE {user} SET api_requests = api_requests - 1 WHERE id ="
        f" (SELECT min(id) FROM {user} WHERE user_id = 'bob' AND api_requests > 1)",
    )
    found = true.compared()
    whole(found)
    differing = {line.id for line in found.lines["user"] if line.classes}
    assert differing == {"alice", "bob"}


@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_tables_that_a_version_lacks_are_named_and_nothing_is_invented(database, version):
    made = TrueLedgers(database(version, rows=[rows.spend_log(startTime=NOW)]))
    found = made.compared(NOW.date(), NOW.date())
    whole(found)
    names = [one.split(" ")[0].removeprefix("LiteLLM_") for one in found.booked.missing]
    lacking = {
        "2025-03-26": ["DailyUserSpend", "DailyTeamSpend", "DailyTagSpend", "TagTable"],
        "2025-05-23": ["TagTable"],
    }
    older = [] if version == "latest" else ["DailyGatewayRequests"]
    windows = [] if version == "latest" else ["BudgetWindowSpend"]
    assert names == [*lacking.get(version, []), *older, "SpendLogDelivery", *windows]
    # The log was filled without the daily table.
    assert set(classes_of(found)) <= {"lost_between_writes"}


def test_without_grants_the_ledgers_are_named_and_the_log_is_shown_elsewhere(true, role):
    url = role(true.database, "bare", ['SELECT ON "LiteLLM_SpendLogs"'])
    found = true.compared(url=url)
    assert (found.days, found.lines, found.days_by, len(found.booked.missing)) == ((), {}, None, 10)
    assert words.headline(found) == "The log cannot be compared with daily totals here."
    assert found.booked.missing[0] == (
        "LiteLLM_DailyUserSpend may not be read as far as needed: "
        "days, keys and users are not compared."
    )


def test_odd_values_are_no_differences(true):
    true.execute(
        'INSERT INTO "LiteLLM_DailyUserSpend" (id, user_id, date, api_key, spend, updated_at)'
        " VALUES ('odd', 'x', '2026-11-28x', 'k', 5, now()), ('nan', 'x', '2026-11-28', 'k', 'NaN',"
        " now())",
    )
    found = true.compared(last=date(2026, 11, 29))
    assert classes_of(found) == {}
    assert words.notes(found)[0] == "Left out 1 group of daily rows, whose date is none."


def test_negative_spend_keeps_its_sign(true):
    true.execute(
        f"UPDATE {LOGS} l SET spend = -0.5 WHERE request_id ="
        f" (SELECT min(request_id) FROM {LOGS} l WHERE {OF_ALICE})"
    )
    found = true.compared()
    whole(found)
    assert set(classes_of(found)) == {"changed_later"}
    assert classes_of(found)["changed_later"].usd < Decimal("-0.5")


def test_a_clock_that_is_ahead_is_said(true):
    ahead = datetime.now(UTC) + timedelta(days=3)
    true.database.insert([rows.spend_log(startTime=ahead)])
    found = true.compared(now=datetime.now(UTC))
    assert classes_of(found) == {}
    assert words.notes(found)[0].startswith("The newest request is in the future")


def test_a_month_of_nothing_is_a_sentence(true):
    found = true.compared(date(2026, 9, 1), date(2026, 9, 30))
    assert (len(found.days), {len(one.classes) for one in found.days}) == (30, {0})
    assert words.headline(found) == (
        "Neither the log nor the daily totals have a request on these days."
    )


def test_one_moment_is_compared(true):
    """A row and its booking that come meanwhile are in neither ledger, or in both."""
    source = replace(true.compared()).booked  # the first use compiles the statements
    assert source.oldest_at is not None
    opened = source_of(true.database)
    with opened.snapshot() as moment:
        before = moment.row(_count(moment))
        true.execute(f"DELETE FROM {LOGS}")
        assert moment.row(_count(moment)) == before
    assert opened.row(_count(opened))[0] == 0
    opened.engine.dispose()


def _count(source):
    import sqlalchemy as sa

    return sa.select(sa.func.count()).select_from(sa.text(LOGS))


def test_all_classes_have_words():
    assert tuple(words.WORDS) == CLASSES


def test_the_api_returns_the_ledgers(true):
    true.as_before_deliveries()
    lost = true.unbook(OF_ALICE)
    answer = calls_of(true.database).get("/api/v1/ledgers", start="2026-11-28", end="2026-11-29")
    (day,) = answer["days"]
    part = {"name": "lost_between_writes", "requests": lost.requests, "usd": float(lost.usd)}
    assert day["classes"] == [part]
    assert (day["date"], day["log_requests"], day["daily_requests"], day["gateway_requests"]) == (
        "2026-11-28",
        323,
        323 - lost.requests,
        323,
    )
    exact = [Decimal(str(day[name])) for name in ("log_usd", "daily_usd", "difference_usd")]
    assert exact == [Decimal("0.14122279"), Decimal("0.14122279") - lost.usd, lost.usd]
    (line,) = (one for one in answer["keys"] if one["id"] == ALICE)
    assert (line["name"], line["classes"], line["running_total"]["state"]) == (
        "alice-key",
        [part],
        "more",
    )
    assert [one["key"] for one in answer["largest"]] == [ALICE]


def test_parked_requests_of_many_days_are_parked_on_each_of_them(true):
    """More days differ than are compared in all columns."""
    true.database.insert(
        [
            rows.spend_log(
                request_id=f"parked-{number}",
                startTime=NOW - timedelta(days=2 + number),
                spend=0.25,
                team_id="team-red",
                request_tags=["prod"],
            )
            for number in range(MOST_DETAILS + 3)
        ]
    )
    true.execute(
        f"INSERT INTO {DELIVERIES} (delivery_id, request_id, state, accounting_payload, is_batch)"
        f" SELECT request_id, request_id, 'parked', '{{}}', false FROM {LOGS}"
        " WHERE request_id LIKE 'parked-%'"
    )
    found = true.compared(date(2026, 11, 1))
    whole(found)
    expected = {"parked": Amount(MOST_DETAILS + 3, Decimal("0.25") * (MOST_DETAILS + 3))}
    assert classes_of(found) == classes_of(found, "team", "team-red") == expected
    assert classes_of(found, "tag", "prod") == expected


def test_a_window_is_compared_only_if_all_of_it_is_in_the_days_and_the_log(true):
    def in_log(first: date, last: date) -> Decimal | None:
        return true.compared(first, last).windows["team", "team-red"][0].log_usd

    month = date(2026, 11, 1), date(2026, 11, 29)
    assert in_log(*month) == Decimal("0.07093973")
    true.database.insert([rows.spend_log(startTime=NOW, team_id="team-red")])
    assert in_log(month[0], DAY) is None  # the log goes on after these days
    assert in_log(*month) > Decimal("0.07093973")
    edge = "l.\"startTime\" < '2026-11-28 11:03:05'"
    true.execute(
        'INSERT INTO "LiteLLM_DailyTeamSpend" (id, team_id, date, api_key, spend, api_requests,'
        " updated_at) VALUES ('old', 'team-red', '2026-11-20', 'k', 1, 1, now())",
        f"DELETE FROM {LOGS} l WHERE {edge}",
    )
    found = true.compared(*month)
    assert found.windows["team", "team-red"][0].log_usd is None
    assert words.about_window(found.windows["team", "team-red"][0]).endswith(
        "; not compared with the log"
    )


def test_totals_of_many_requests_agree_within_the_noise_of_adding_up_doubles():
    total = RunningTotal(Decimal(1000), None, Decimal("1000.0000002"), False)
    assert words.state(total) == "less"
    assert words.state(replace(total, booked_requests=2_000_000)) == "agrees"


def test_amounts_beyond_all_digits_are_compared(true):
    """More digits than Python's own decimals have."""
    true.database.insert(
        [rows.spend_log(startTime=NOW, spend=9e14, request_id=f"huge-{n}") for n in range(30)]
    )
    found = true.compared(NOW.date(), NOW.date())
    assert classes_of(found)["lost_between_writes"].usd == 30 * Decimal("9e14")


def test_metadata_that_takes_too_long_leaves_a_note(true):
    true.as_before_deliveries()
    lost = true.unbook(OF_ALICE)
    source = source_of(true.database)

    def run(queries, are_optional=False):
        if are_optional and uncounted in [function for function, *_ in queries]:
            return [None] * len(queries)
        return [function(source, *arguments) for function, *arguments in queries]

    found = ledgers(run, DAY, DAY, NOW)
    source.engine.dispose()
    assert classes_of(found) == {"lost_between_writes": lost}
    assert found.unread == (DAY,)
    assert any("Too much to read in time on 28 Nov" in one for one in words.notes(found))


def test_a_list_that_is_too_long_says_how_long(true, monkeypatch):
    monkeypatch.setattr(reconciling, "MOST_LINES", 2)
    found = true.compared()
    assert len(found.lines["key"]) == 2
    assert words.notes(found)[0] == "Of 8 keys, the 2 with the largest differences are listed."


def test_before_the_gateway_counts_its_count_is_unknown(true):
    days = true.compared(date(2026, 11, 27)).days
    assert [one.gateway_requests for one in days] == [None, 323]

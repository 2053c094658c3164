"""That made up rows are whole and follow from what is named, and true rows are unchanged."""

from datetime import UTC, datetime, timedelta

import pytest

from tests import rows
from tests.test_fixtures import COLUMNS, COUNT


def test_a_made_up_row_has_a_value_for_every_column(empty_database):
    assert sorted(rows.spend_log()) == sorted(name for (name,) in empty_database.execute(COLUMNS))


def test_a_made_up_row_has_what_true_rows_have():
    [true] = rows.scenario("chat_success", rows.V1_109)
    made = rows.spend_log()
    assert made.keys() - true.keys() == {"created_at", "updated_at"}
    assert true.keys() <= made.keys()


def test_made_up_rows_are_requests_and_sessions_of_their_own():
    first, second = rows.spend_log(), rows.spend_log()
    own = ("request_id", "session_id", "litellm_call_id")
    assert all(first[name] != second[name] for name in own)
    assert {name for name in first if first[name] != second[name]} == set(own)


def test_a_made_up_row_follows_from_what_the_test_names():
    row = rows.spend_log(
        startTime=rows.NOON, request_duration_ms=2500, prompt_tokens=7, model_group="claude"
    )
    end = rows.NOON + timedelta(seconds=2.5)
    expected = {"endTime": end, "completionStartTime": end, "total_tokens": 12}
    assert row == row | expected | {"model": "openai/claude", "request_duration_ms": 2500}


def test_the_duration_follows_from_a_given_end():
    row = rows.spend_log(endTime=rows.NOON + timedelta(milliseconds=40))
    assert row["request_duration_ms"] == 40


def test_a_misspelt_column_is_refused():
    with pytest.raises(AssertionError, match="start_time"):
        rows.spend_log(start_time=rows.NOON)


def test_a_failure_carries_its_error_and_no_cost():
    row = rows.failure("400", "BadRequestError", "no", api_base="")
    assert (row["status"], row["spend"], row["api_base"]) == ("failure", 0.0, "")
    assert row["metadata"]["status"] == "failure"
    assert row["metadata"]["error_information"] == {
        "error_code": "400",
        "error_class": "BadRequestError",
        "error_message": "no",
        "llm_provider": "openai",
        "traceback": "",
    }


def test_times_are_stored_as_utc_whatever_their_zone_and_the_servers(database):
    made = database()
    made.execute(f"ALTER DATABASE {made.name} SET timezone = 'Asia/Seoul'")
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    kinds = (noon, noon.replace(tzinfo=None), "2026-11-23T13:00:00+01:00")
    made.insert([rows.spend_log(startTime=start) for start in kinds])
    found = made.execute('SELECT DISTINCT "startTime" FROM "LiteLLM_SpendLogs"')
    assert found == [(datetime(2026, 11, 23, 12),)]


def test_json_is_stored_as_json(database):
    made = database(rows=[rows.spend_log(metadata={"a": 1}, response='"text"', messages=None)])
    found = made.execute(
        "SELECT jsonb_typeof(metadata), jsonb_typeof(request_tags), jsonb_typeof(response),"
        ' messages FROM "LiteLLM_SpendLogs"'
    )
    assert found == [("object", "array", "string", None)]


def test_true_rows_are_all_there_and_scenarios_find_them(real_rows_database):
    assert real_rows_database.execute(COUNT) == [(130,)]
    assert [len(rows.real_rows(file)) for file in rows.FILES] == [28, 43, 59]
    assert len(rows.scenario("parallel_1_to_3")) == 3
    assert [row["cache_hit"] for row in rows.scenario("cache_hit")] == ["True", "True"]
    assert not any("_scenario" in row for row in rows.real_rows())

"""Which models are used, what they cost and how fast they answer."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests import litellm, rows
from tests.rows import NOON, failure, spend_log
from tests.sources import FILTERS, HOUR, records, source_of
from tracelib import models
from tracelib.filters import NONE, Filters
from tracelib.spendlogs.catalog import REQUIRED
from tracelib.window import BUCKETS, days

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
QUARTER = BUCKETS["15m"]
WHOLE_DAY = Filters(days(date(2026, 11, 23), date(2026, 11, 23), "UTC"))
SHOWN = ("gpt-4o", "claude", "embed")

QUESTIONS = {
    "usage_by_model": models.usage_by_model,
    "deployments": models.deployments,
    "over_time_by_model": lambda source, filters: models.over_time_by_model(
        source, filters, QUARTER, SHOWN
    ),
}


@pytest.fixture(params=QUESTIONS.values(), ids=QUESTIONS.keys())
def question(request):
    """Each question of Models in turn."""
    return request.param


def ordinary() -> list[dict]:
    """Two models: one with a stream, a cache hit and a failure, the other with an answer."""
    return [
        spend_log(request_duration_ms=1000, spend=0.1, completion_tokens=10),
        spend_log(
            startTime=NOON + 20 * MINUTE,
            completionStartTime=NOON + 20 * MINUTE + SECOND,
            request_duration_ms=3000,
            spend=0.2,
            completion_tokens=50,
            custom_llm_provider="azure",
        ),
        spend_log(startTime=NOON + 25 * MINUTE, spend=0.0, cache_hit="True"),
        failure(startTime=NOON + 50 * MINUTE, custom_llm_provider="", model="gpt-4o"),
        spend_log(model_group="claude", custom_llm_provider="anthropic", spend=0.5),
    ]


def test_usage_says_every_figure_of_every_model_dearest_first(database):
    claude = {
        "model": "claude",
        "providers": "anthropic",
        "deployments": 1,
        "requests": 1,
        "failures": 0,
        "error_rate": 0,
        "cache_hits": 0,
        "cache_hit_rate": 0,
        "cost_usd": 0.5,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "replayed_tokens": 0,
        "first_seen": NOON,
        "last_seen": NOON,
        "response_ms_avg": 1000,
        "response_ms_p50": 1000,
        "response_ms_p95": 1000,
        "response_ms_p99": 1000,
        "response_ms_max": 1000,
        "ttft_ms_p50": None,
        "ttft_ms_p95": None,
        "ttft_coverage": 0,
        "tokens_per_second": 5,
        "share": 1 / 5,
        "cost_share": pytest.approx(0.5 / 0.8),
    }
    gpt = {
        "model": "gpt-4o",
        "providers": "azure, openai",
        "deployments": 3,
        "requests": 4,
        "failures": 1,
        "error_rate": 1 / 4,
        "cache_hits": 1,
        "cache_hit_rate": 1 / 4,
        "cost_usd": 0.3,
        "prompt_tokens": 30,
        "completion_tokens": 60,
        "total_tokens": 85 + 5,
        "replayed_tokens": 15,
        "first_seen": NOON,
        "last_seen": NOON + 50 * MINUTE,
        "response_ms_avg": 2000,
        "response_ms_p50": 2000,
        "response_ms_p95": pytest.approx(2900),
        "response_ms_p99": pytest.approx(2980),
        "response_ms_max": 3000,
        "ttft_ms_p50": 1000,
        "ttft_ms_p95": 1000,
        "ttft_coverage": 1 / 2,
        # 60 tokens in the second of the first and the two seconds after a first token.
        "tokens_per_second": 20,
        "share": 4 / 5,
        "cost_share": pytest.approx(0.3 / 0.8),
    }
    made = database(rows=ordinary())
    assert records(models.usage_by_model(source_of(made), FILTERS)) == [claude, gpt]


def test_models_of_equal_cost_go_by_requests_then_name_and_are_limited(database):
    logs = [spend_log(model_group=name, spend=0.0) for name in ("b", "a", "busy", "busy")]
    source = source_of(database(rows=logs))
    assert list(models.usage_by_model(source, FILTERS)["model"]) == ["busy", "a", "b"]
    first = models.usage_by_model(source, FILTERS, limit=1)
    assert records(first[["model", "share", "cost_share"]]) == [
        {"model": "busy", "share": 1 / 2, "cost_share": None}
    ]


def test_a_model_goes_by_its_public_name_and_else_by_what_is_known(database):
    logs = [
        spend_log(model_group="public", model="openai/deployed"),
        spend_log(model_group="", model="openai/deployed"),
        spend_log(model_group=None, model=""),
    ]
    found = models.usage_by_model(source_of(database(rows=logs)), FILTERS)
    assert set(found["model"]) == {"public", "openai/deployed", "unknown"}


def test_only_failures_and_hits_leave_every_time_unknown(database):
    logs = [failure(), spend_log(cache_hit="True")]
    found = models.usage_by_model(source_of(database(rows=logs)), FILTERS)
    unknown = {name for name, value in records(found)[0].items() if value is None}
    assert unknown == {
        *("response_ms_avg", "response_ms_p50", "response_ms_p95", "response_ms_p99"),
        *("response_ms_max", "ttft_ms_p50", "ttft_ms_p95", "ttft_coverage"),
        *("tokens_per_second",),
    }


def test_answers_without_a_completion_say_nothing_about_speed(database):
    logs = [
        spend_log(model_group="embed", completion_tokens=0),
        spend_log(model_group="mixed", completion_tokens=0, request_duration_ms=60_000),
        spend_log(model_group="mixed", completion_tokens=8, request_duration_ms=2_000),
        spend_log(model_group="instant", completion_tokens=8, endTime=NOON),
    ]
    found = models.usage_by_model(source_of(database(rows=logs)), FILTERS)
    speeds = {row["model"]: row["tokens_per_second"] for row in records(found)}
    assert speeds == {"embed": None, "mixed": 4, "instant": None}


def test_deployments_stand_by_model_the_busiest_first(database):
    common = {"error_rate": 0.0, "failures": 0}
    found = models.deployments(source_of(database(rows=ordinary())), FILTERS)
    assert records(found) == [
        {
            "model": "claude",
            "deployment": "anthropic/claude",
            "provider": "anthropic",
            "api_base": "https://api.openai.com/v1/",
            "requests": 1,
            "cost_usd": 0.5,
            "response_ms_p50": 1000,
            "response_ms_p95": 1000,
        }
        | common,
        {
            "model": "gpt-4o",
            "deployment": "openai/gpt-4o",
            "provider": "openai",
            "api_base": "https://api.openai.com/v1/",
            "requests": 2,
            "cost_usd": 0.1,
            "response_ms_p50": 1000,
            "response_ms_p95": 1000,
        }
        | common,
        {
            "model": "gpt-4o",
            "deployment": "azure/gpt-4o",
            "provider": "azure",
            "api_base": "https://api.openai.com/v1/",
            "requests": 1,
            "cost_usd": 0.2,
            "response_ms_p50": 3000,
            "response_ms_p95": 3000,
        }
        | common,
        {
            "model": "gpt-4o",
            "deployment": "gpt-4o",
            "provider": None,
            "api_base": "https://api.openai.com/v1/",
            "requests": 1,
            "failures": 1,
            "error_rate": 1.0,
            "cost_usd": 0.0,
            "response_ms_p50": None,
            "response_ms_p95": None,
        },
    ]


def test_deployments_are_limited(database):
    source = source_of(database(rows=ordinary()))
    assert len(models.deployments(source, FILTERS, limit=2)) == 2


def test_over_time_has_the_named_models_in_the_buckets_they_were_used(database):
    source = source_of(database(rows=ordinary()))
    found = models.over_time_by_model(source, FILTERS, QUARTER, ("gpt-4o", "never used"))
    assert records(found) == [
        {
            "model": "gpt-4o",
            "bucket": NOON,
            "requests": 1,
            "failures": 0,
            "cost_usd": 0.1,
            "total_tokens": 20,
            "response_ms_avg": 1000,
            "response_ms_p95": 1000,
            "response_ms_max": 1000,
        },
        {
            "model": "gpt-4o",
            "bucket": NOON + 15 * MINUTE,
            "requests": 2,
            "failures": 0,
            "cost_usd": 0.2,
            "total_tokens": 60,
            "response_ms_avg": 3000,
            "response_ms_p95": 3000,
            "response_ms_max": 3000,
        },
        {
            "model": "gpt-4o",
            "bucket": NOON + 45 * MINUTE,
            "requests": 1,
            "failures": 1,
            "cost_usd": 0.0,
            "total_tokens": 10,
            "response_ms_avg": None,
            "response_ms_p95": None,
            "response_ms_max": None,
        },
    ]


def test_over_time_goes_by_model_and_then_by_bucket(database):
    logs = [
        spend_log(model_group=name, startTime=NOON + quarter * 15 * MINUTE)
        for quarter in (3, 0)
        for name in ("b", "a")
    ]
    source = source_of(database(rows=logs))
    found = models.over_time_by_model(source, FILTERS, QUARTER, ("b", "a"))
    assert list(zip(found["model"], found["bucket"], strict=True)) == [
        (name, NOON + quarter * 15 * MINUTE) for name in ("a", "b") for quarter in (0, 3)
    ]


def test_no_model_asked_for_is_no_row(database):
    source = source_of(database(rows=ordinary()))
    assert models.over_time_by_model(source, FILTERS, QUARTER, ()).empty


def test_days_over_time_are_the_viewers(database):
    logs = [spend_log(startTime=NOON + hours * HOUR) for hours in (10, 10.5, 11, 35)]
    window = days(date(2026, 11, 23), date(2026, 11, 25), "Europe/Paris")
    found = models.over_time_by_model(
        source_of(database(rows=logs)), Filters(window, "Europe/Paris"), BUCKETS["1d"], ("gpt-4o",)
    )
    starts = [window.start + timedelta(days=day) for day in (0, 1, 2)]
    assert list(zip(found["bucket"], found["requests"], strict=True)) == list(
        zip(starts, (2, 1, 1), strict=True)
    )


def test_nothing_keeps_the_columns_and_dtypes(question, database, empty_database):
    none = question(source_of(empty_database), FILTERS)
    some = question(source_of(database(rows=ordinary())), FILTERS)
    assert none.empty
    assert dict(none.dtypes) == dict(some.dtypes)


def test_the_start_of_the_window_counts_and_its_end_does_not(question, database):
    inside = [spend_log(startTime=NOON), spend_log(startTime=NOON + HOUR - SECOND)]
    outside = [
        spend_log(startTime=NOON - timedelta(milliseconds=1), spend=7.0),
        spend_log(startTime=NOON + HOUR, spend=7.0),
    ]
    alone, among = (source_of(database(rows=logs)) for logs in (inside, inside + outside))
    assert records(question(among, FILTERS)) == records(question(alone, FILTERS))


@pytest.mark.parametrize(
    ("chosen", "passes"),
    [
        ({"user": ("ada",)}, {"user": "ada"}),
        ({"team": (NONE,)}, {"team_id": ""}),
        ({"model": ("claude",)}, {"model_group": "claude"}),
        ({"provider": ("azure", NONE)}, {"custom_llm_provider": ""}),
        ({"key": ("k",)}, {"api_key": "k"}),
    ],
)
def test_a_filter_lets_only_the_chosen_pass(chosen, passes, question, database):
    inside, other = spend_log(**passes), spend_log(spend=7.0)
    alone, among = (source_of(database(rows=logs)) for logs in ([inside], [inside, other]))
    filters = replace(FILTERS, **chosen)
    assert records(question(among, filters)) == records(question(alone, filters)) != []


@pytest.mark.parametrize("partitioned", [False, True], ids=["whole", "partitioned"])
@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_every_version_gives_the_same_figures(
    version, partitioned, question, database, real_rows_database
):
    source = source_of(database(version, rows.real_rows(), partitioned))
    found = question(source, WHOLE_DAY)
    expected = question(source_of(real_rows_database), WHOLE_DAY)
    speeds = [name for name in found if name == "tokens_per_second"]
    times = [name for name in found if "_ms_" in name]
    exact = [name for name in found if name not in (*speeds, *times)]
    assert records(found[exact]) == records(expected[exact])
    # Where the duration is not stored it is end minus start, which may be a millisecond off.
    for name in times:
        assert list(found[name]) == pytest.approx(list(expected[name]), abs=1.0, nan_ok=True)
    for name in speeds:
        assert list(found[name]) == pytest.approx(list(expected[name]), rel=0.02, nan_ok=True)


def test_absurd_rows_break_nothing(question, database):
    end_first = {"endTime": NOON - SECOND, "request_duration_ms": None}
    names = ("model_group", "model", "custom_llm_provider", "api_base", "api_key", "user")
    logs = [
        spend_log(**end_first, completionStartTime=NOON + SECOND),
        spend_log(status=None, spend=-0.5),
        spend_log(metadata=None, cache_hit=None, completionStartTime=None),
        spend_log(metadata="[1]", cache_hit=""),
        spend_log(**dict.fromkeys(names, "")),
    ]
    found = question(source_of(database(rows=logs)), FILTERS)
    gpt = records(found[found["model"] == "gpt-4o"])
    assert sum(row["requests"] for row in gpt) == 4
    assert sum(row["cost_usd"] for row in gpt) == 0.25


def test_a_role_that_may_read_little_still_gets_every_answer(question, database, role):
    made = database(rows=ordinary())
    columns = ", ".join(f'"{name}"' for name in REQUIRED)
    url = role(made, "reader", [f'SELECT ({columns}) ON "LiteLLM_SpendLogs"'])
    found = question(source_of(made, url), replace(FILTERS, model=("openai/gpt-4o",)))
    assert found.empty or set(found["requests"]) == {2}

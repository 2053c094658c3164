"""Every figure of the API against the pages' own questions, and against SQL written by hand."""

import json
from datetime import UTC, datetime

import pytest

from tests.calling import Calls, calls_of, token
from tests.rows import NOON, failure, spend_log
from tests.sources import source_of
from tests.test_figures_independent import (
    ANSWERED,
    FAILED,
    FIGURES,
    FILTERS,
    LOG,
    MODEL,
    RATES,
    SESSION,
    STREAMED,
    TIMES,
    TOOK,
    WHERE,
    close,
    percentile,
)
from tracelib import models, overview, status
from tracelib.window import BUCKETS

DAYS = {"start": "2026-11-22T18:30:00Z", "end": "2026-11-24T18:30:00Z"}
EARLIER = "\"startTime\" >= '2026-11-20 18:30' AND \"startTime\" < '2026-11-22 18:30'"
NOTHING = {
    "requests": 0,
    "unique_sessions": 0,
    "multi_request_sessions": 0,
    "cost_usd": 0.0,
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "total_tokens": 0,
    "latency_ms": dict.fromkeys(("avg", "p50", "p95", "p99", "max")),
    "ttft_ms": dict.fromkeys(("p50", "p95", "coverage")),
    "cache_hit_rate": None,
    "error_rate": None,
}


@pytest.fixture(scope="module")
def api(real_rows_database) -> Calls:
    return calls_of(real_rows_database)


@pytest.fixture(scope="module")
def source(real_rows_database):
    return source_of(real_rows_database)


@pytest.fixture(scope="module")
def ask(real_rows_database):
    """Asks SQL as it stands; the rows as dictionaries of plain values."""

    def asked(sql: str) -> list[dict]:
        document = f"SELECT to_jsonb(answer) FROM ({sql}) AS answer"
        return [row for (row,) in real_rows_database.execute(document)]

    return asked


def of_sql(row: dict) -> dict:
    """The figures of a line of SQL under the names of the API."""
    same = ("requests", "cost_usd", "prompt_tokens", "completion_tokens", "total_tokens")
    return {name: row[name] for name in (*same, "cache_hit_rate", "error_rate")} | {
        "latency_ms": {
            name: row[f"response_ms_{name}"] for name in ("avg", "p50", "p95", "p99", "max")
        },
        "ttft_ms": {
            "p50": row["ttft_ms_p50"],
            "p95": row["ttft_ms_p95"],
            "coverage": row["streamed"] / row["answered"] if row["answered"] else None,
        },
    }


def near(value):
    """The same, but for the last digits of what is no whole number."""
    if isinstance(value, dict):
        return {name: near(one) for name, one in value.items()}
    return pytest.approx(value, rel=1e-12) if isinstance(value, float) else value


COUNTS = f"""count(*) FILTER (WHERE {STREAMED}) AS streamed,
    count(*) FILTER (WHERE {ANSWERED}) AS answered"""


def test_overview(api, ask):
    found = api.get("/api/v1/analytics/overview", **DAYS)
    [figures] = ask(f"SELECT {FIGURES}, {TIMES}, {RATES}, {COUNTS} FROM {LOG} WHERE {WHERE}")
    [sessions] = ask(
        f"""SELECT count(*) AS n, count(*) FILTER (WHERE requests > 1) AS many FROM
        (SELECT count(*) AS requests FROM {LOG} WHERE {WHERE} GROUP BY {SESSION}) AS each"""
    )
    counted = {"unique_sessions": sessions["n"], "multi_request_sessions": sessions["many"]}
    before = {"start": "2026-11-20T18:30:00Z", "end": "2026-11-22T18:30:00Z"}
    assert ask(f"SELECT count(*) AS n FROM {LOG} WHERE {EARLIER}") == [{"n": 0}]
    assert found == {
        "window": DAYS,
        **near(of_sql(figures)),
        **counted,
        "previous": {"window": before, **NOTHING},
    }


def test_overview_is_what_the_page_shows(api, source):
    found = api.get("/api/v1/analytics/overview", **DAYS)
    totals, sessions = overview.totals(source, FILTERS), overview.sessions(source, FILTERS)
    same = ("requests", "cost_usd", "prompt_tokens", "completion_tokens", "total_tokens")
    for name in (*same, "cache_hit_rate", "error_rate"):
        assert found[name] == getattr(totals, name)
    assert found["unique_sessions"] == sessions.unique
    assert found["latency_ms"]["p99"] == totals.response_ms_p99
    assert found["ttft_ms"]["coverage"] == totals.ttft_coverage


def test_the_window_before_has_the_figures_of_that_window(api):
    later = {"start": "2026-11-23T08:51:00Z", "end": "2026-11-23T08:52:00Z"}
    before = {"start": "2026-11-23T08:50:00Z", "end": "2026-11-23T08:51:00Z"}
    found = api.get("/api/v1/analytics/overview", **later)["previous"]
    assert found["requests"] > 0
    expected = api.get("/api/v1/analytics/overview", **before)
    del expected["previous"]
    assert found == expected


def test_models(api, ask, source):
    found = api.get("/api/v1/analytics/models", **DAYS)
    rows = ask(
        f"""SELECT {MODEL} AS model, {FIGURES}, {TIMES}, {RATES}, {COUNTS},
        (SELECT string_agg(p, ', ' ORDER BY p) FROM
          unnest(array_agg(DISTINCT nullif(custom_llm_provider, ''))) AS p) AS provider,
        count(*)::float / (SELECT count(*) FROM {LOG} WHERE {WHERE}) AS share
        FROM {LOG} WHERE {WHERE} GROUP BY 1 ORDER BY sum(spend::numeric) DESC, count(*) DESC, 1"""
    )
    named = [{name: row[name] for name in ("model", "provider", "share")} for row in rows]
    expected = [near(of_sql(row) | name) for row, name in zip(rows, named, strict=True)]
    assert found == {"window": DAYS, "models": expected}
    shown = models.usage_by_model(source, FILTERS)
    assert [one["model"] for one in found["models"]] == list(shown["model"])
    assert [one["cost_usd"] for one in found["models"]] == list(shown["cost_usd"])


METRICS = {
    "requests": "count(*)",
    "failures": f"count(*) FILTER (WHERE {FAILED})",
    "cost_usd": "sum(spend::numeric)",
    "total_tokens": "sum(CASE WHEN cache_hit = 'True' THEN 0 ELSE total_tokens END)",
    "error_rate": f"(count(*) FILTER (WHERE {FAILED}))::float / count(*)",
    "latency_ms_p95": percentile(TOOK, 0.95, ANSWERED),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("bucket", "width"), [("1h", "1 hour"), ("15m", "15 min")])
def test_timeseries(metric, bucket, width, api, ask):
    found = api.get("/api/v1/analytics/timeseries", **DAYS, metric=metric, bucket=bucket)
    of_bucket = f"date_bin('{width}', \"startTime\", '2026-11-22 18:00')"
    rows = ask(
        f"""SELECT to_char({of_bucket}, 'YYYY-MM-DD"T"HH24:MI:SSZ') AS start,
        ({METRICS[metric]})::float AS value FROM {LOG} WHERE {WHERE} GROUP BY 1 ORDER BY 1"""
    )
    points = {point["start"]: point["value"] for point in found.pop("points")}
    assert found == {"window": DAYS, "metric": metric, "bucket": bucket}
    assert len(points) == {"1h": 49, "15m": 192}[bucket]
    for row in rows:
        expected = row["value"]
        assert points.pop(row["start"]) == (expected and pytest.approx(expected, rel=1e-12))
    assert set(points.values()) <= {0.0, None}


def test_days_of_a_zone_are_its_days(api, source):
    india = {**DAYS, "zone": "Asia/Kolkata", "bucket": "1d", "metric": "cost_usd"}
    found = api.get("/api/v1/analytics/timeseries", **india)
    shown = overview.over_time(source, FILTERS, BUCKETS["1d"])
    assert [point["value"] for point in found["points"]] == list(shown["cost_usd"])
    assert found["points"][0]["start"] == "2026-11-22T18:30:00Z"


def test_failures(api, ask, source):
    found = api.get("/api/v1/failures", **DAYS)
    told = "metadata->'error_information'->>"
    rows = ask(
        f"""SELECT coalesce(nullif({told}'error_class', ''), '(none)') AS value,
        count(*) AS failures, count(*)::float / sum(count(*)) OVER () AS share
        FROM {LOG} WHERE {WHERE} AND {FAILED} GROUP BY 1 ORDER BY 2 DESC, 1"""
    )
    moments = [group.pop("newest_at") for group in found["classes"]]
    assert all(datetime.fromisoformat(one).tzinfo == UTC for one in moments)
    assert found["classes"] == close(rows)
    [counted] = ask(
        f"""SELECT count(*) AS requests, count(*) FILTER (WHERE {FAILED}) AS failures
        FROM {LOG} WHERE {WHERE}"""
    )
    assert {name: found[name] for name in counted} == counted
    newest = ask(
        f"""SELECT request_id, {told}'error_class' AS error_class FROM {LOG}
        WHERE {WHERE} AND {FAILED} ORDER BY "startTime" DESC, request_id DESC"""
    )
    assert [{name: one[name] for name in newest[0]} for one in found["newest"]] == newest
    groups = status.failure_groups(source, FILTERS)
    for key, by in {"codes": "code", "providers": "provider", "models": "model"}.items():
        assert [one["value"] for one in found[key]] == list(groups[groups["by"] == by]["value"])


def test_the_newest_failures_are_as_many_as_are_wanted(api):
    whole = api.get("/api/v1/failures", **DAYS)["newest"]
    assert api.get("/api/v1/failures", **DAYS, limit=2)["newest"] == whole[:2]


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        ("recent", 'max("startTime")'),
        ("cost", "sum(spend::numeric)"),
        ("length", "count(*)"),
        ("errors", f"count(*) FILTER (WHERE {FAILED})"),
    ],
)
def test_sessions_page_by_page(sort, value, api, ask):
    expected = ask(
        f"""SELECT CASE WHEN session_id <> '' THEN session_id ELSE request_id END AS session_id,
        count(*) AS requests, count(*) FILTER (WHERE {FAILED}) AS failures,
        sum(spend::numeric) AS cost_usd, array_agg(DISTINCT {MODEL} ORDER BY {MODEL}) AS models,
        max(nullif("user", '')) AS user_id,
        sum(CASE WHEN cache_hit = 'True' THEN 0 ELSE total_tokens END) AS total_tokens,
        extract(epoch FROM max("endTime") - min("startTime"))::float AS duration_s
        FROM {LOG} WHERE {WHERE} GROUP BY 1, api_key ORDER BY {value} DESC"""
    )
    found, cursor = [], None
    while cursor or not found:
        more = {"cursor": cursor} if cursor else {}
        page = api.post("/api/v1/sessions/search", **DAYS, sort=sort, limit=20, **more)
        assert page["scanned"] is None
        found, cursor = [*found, *page["sessions"]], page["next_cursor"]
    assert len(found) == 95
    told = [{name: one[name] for name in expected[0]} for one in found]

    def order(row: dict) -> str:
        return json.dumps([row["session_id"], row["requests"], row["user_id"]])

    assert sorted(told, key=order) == close(sorted(expected, key=order))
    column = {"cost": "cost_usd", "length": "requests", "errors": "failures"}.get(sort)
    if column:
        assert [one[column] for one in told] == sorted((one[column] for one in told), reverse=True)


def test_sessions_are_narrowed(database):
    made = database(
        rows=[
            spend_log(session_id="cheap", user="ada", spend=0.1, model_group="m"),
            spend_log(session_id="dear", user="ada", spend=2.0, model_group="n"),
            spend_log(session_id="bob", user="bob", spend=2.0, model_group="m"),
            failure(session_id="failed", user="ada", model_group="m"),
        ]
    )
    api = calls_of(made)
    hour = {"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T13:00:00Z"}

    def found(**search: object) -> set[str]:
        page = api.post("/api/v1/sessions/search", **hour, **search)
        return {one["session_id"] for one in page["sessions"]}

    assert found() == {"cheap", "dear", "bob", "failed"}
    assert found(user_id="ada") == {"cheap", "dear", "failed"}
    assert found(user_id="ada", model="m") == {"cheap", "failed"}
    assert found(min_cost=0.1) == {"cheap", "dear", "bob"}
    assert found(min_cost=0.1, max_cost=0.1) == {"cheap"}
    assert found(status="with_failures") == {"failed"}
    assert found(status="without_failures", user_id="ada") == {"cheap", "dear"}
    assert found(user_id="nobody") == set()


def test_all_models_of_a_session_are_told(database):
    names = [f"m{number}, {number}" for number in range(8)]
    made = database(rows=[spend_log(session_id="s", model_group=name) for name in names])
    [one] = calls_of(made).post(
        "/api/v1/sessions/search", start="2026-11-23T12:00:00Z", end="2026-11-23T13:00:00Z"
    )["sessions"]
    assert one["models"] == names


def test_the_summary_of_a_session(api, ask):
    [expected] = ask(
        f"""SELECT {FIGURES}, {TIMES}, array_agg(DISTINCT {MODEL}) AS models,
        extract(epoch FROM max("endTime") - min("startTime"))::float AS duration_s
        FROM {LOG} WHERE session_id = 'sess-agent-0140'"""
    )
    found = api.get("/api/v1/sessions/sess-agent-0140/summary")
    same = ("requests", "failures", "cache_hits", "cost_usd", "prompt_tokens", "total_tokens")
    for name in (*same, "completion_tokens", "replayed_tokens", "models", "duration_s"):
        assert found[name] == near(expected[name])
    assert found["latency_ms"] == near(
        {"avg": expected["response_ms_avg"], "p95": expected["response_ms_p95"]}
    )
    assert found["ttft_ms"] == {"p50": near(expected["ttft_ms_p50"])}
    assert (found["user_id"], found["team_id"]) == ("alice@example.com", "team-red")


def test_the_figures_of_messages_add_up_to_those_of_their_session(api):
    session = "/api/v1/sessions/sess-agent-0140"
    summary = api.get(f"{session}/summary")
    messages = api.get(f"{session}/messages", count=200)["messages"]
    for name in ("cost_usd", "prompt_tokens", "completion_tokens"):
        assert sum(one[name] or 0 for one in messages) == near(summary[name])
    answers = [one for one in messages if one["cost_usd"] is not None]
    assert len(answers) == summary["requests"]
    assert sum(one["status"] == "failure" for one in answers) == summary["failures"]


def test_filters_are_the_sidebars(database):
    made = database(
        rows=[
            spend_log(user="ada", team_id="red", model_group="m"),
            spend_log(user="bob", team_id="red", model_group="n", custom_llm_provider="azure"),
            spend_log(user="", team_id="", model_group="m", api_key="other"),
        ]
    )
    api = calls_of(made)
    hour = {"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T13:00:00Z"}

    def counted(**filters: object) -> int:
        return api.get("/api/v1/analytics/overview", **hour, **filters)["requests"]

    assert counted() == 3
    assert counted(user="ada") == 1
    assert counted(user=["ada", "bob"]) == 2
    assert counted(user=["ada", "(none)"]) == 2
    assert counted(team="red", model="n") == 1
    assert counted(provider="azure") == 1
    assert counted(key="other") == 1
    assert counted(key="none such") == 0


RANGES = (
    ({"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T12:00:01Z"}, 1),
    ({"start": "2026-11-23T11:00:00Z", "end": "2026-11-23T12:00:00Z"}, 0),
    ({"start": "2026-11-23T13:00:00+01:00", "end": "2026-11-23T14:00:00+01:00"}, 1),
    ({"start": "2026-11-23T13:00", "end": "2026-11-23T14:00", "zone": "Europe/Paris"}, 1),
    ({"start": "2026-11-23", "end": "2026-11-24"}, 1),
    ({"start": "20261123T12Z", "end": "20261123T13Z"}, 1),
)


def test_a_range_is_from_a_moment_up_to_but_not_including_another(database):
    api = calls_of(database(rows=[spend_log()]))
    found = [api.get("/api/v1/analytics/overview", **query)["requests"] for query, _ in RANGES]
    assert found == [expected for _, expected in RANGES]


def test_without_a_range_the_last_seven_days_are_meant(empty_database):
    api = calls_of(empty_database)
    for query in ({}, {"days": 7}):
        window = api.get("/api/v1/analytics/models", **query)["window"]
        start, end = (datetime.fromisoformat(window[name]) for name in ("start", "end"))
        assert (end - start).days == 7
        assert abs((datetime.now(UTC) - end).total_seconds()) < 60


def test_an_empty_log_has_answers_of_the_same_shape(empty_database):
    api = calls_of(empty_database)
    found = api.get("/api/v1/analytics/overview", **DAYS)
    before = {"start": "2026-11-20T18:30:00Z", "end": "2026-11-22T18:30:00Z"}
    assert found == {
        "window": DAYS,
        **NOTHING,
        "previous": {"window": before, **NOTHING},
    }
    assert api.get("/api/v1/analytics/models", **DAYS) == {"window": DAYS, "models": []}
    assert api.get("/api/v1/failures", **DAYS) == {
        "window": DAYS,
        "requests": 0,
        "failures": 0,
        **{name: [] for name in ("classes", "codes", "providers", "models", "newest")},
    }
    assert api.post("/api/v1/sessions/search", **DAYS) == {
        "window": DAYS,
        "sessions": [],
        "next_cursor": None,
        "scanned": None,
    }
    points = api.get("/api/v1/analytics/timeseries", **DAYS, bucket="6h")["points"]
    assert {point["value"] for point in points} == {0.0}


def test_a_program_is_given_what_a_page_asked_at_the_same_tick(database):
    """One cache for both: an answer may be a tick old, and is the same for everybody."""
    made = database(rows=[spend_log()])
    api = calls_of(made, token("all"), token("other"), refresh="5m")
    hour = {"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T13:00:00Z"}
    first = api.get("/api/v1/analytics/overview", **hour)
    made.insert([spend_log(startTime=NOON)])
    assert api.by("other").get("/api/v1/analytics/overview", **hour) == first

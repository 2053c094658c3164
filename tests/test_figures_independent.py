"""Every figure of Overview and Models against SQL written by hand on LiteLLM's own table.

Nothing here knows `spendlogs`: what a hit, a failure, a session and a response time are is
said a second time, so that a mistake in one place shows.
"""

from dataclasses import asdict
from datetime import UTC, date

import pytest

from tests.sources import records, source_of
from tracelib import models, overview
from tracelib.filters import Filters
from tracelib.window import BUCKETS, days

ZONE = "Asia/Kolkata"
FILTERS = Filters(days(date(2026, 11, 23), date(2026, 11, 24), ZONE), ZONE)
LOG = '"LiteLLM_SpendLogs"'
WHERE = "\"startTime\" >= '2026-11-22 18:30' AND \"startTime\" < '2026-11-24 18:30'"
HIT = "cache_hit = 'True'"
MISS = "(cache_hit IS NULL OR cache_hit <> 'True')"
FAILED = "status = 'failure'"
ANSWERED = f"(status IS NULL OR status = 'success') AND {MISS}"
MODEL = (
    "CASE WHEN model_group <> '' THEN model_group WHEN model <> '' THEN model ELSE 'unknown' END"
)
TOOK = (
    "CASE WHEN request_duration_ms IS NOT NULL THEN request_duration_ms::float"
    ' ELSE (1000 * extract(epoch FROM "endTime" - "startTime"))::float END'
)
WAITED = '(1000 * extract(epoch FROM "completionStartTime" - "startTime"))::float'
STREAMED = f'{ANSWERED} AND "completionStartTime" < "endTime"'
SESSION = "(CASE WHEN session_id <> '' THEN session_id ELSE request_id END, api_key)"

FIGURES = f"""
    count(*) AS requests,
    sum(CASE WHEN {FAILED} THEN 1 ELSE 0 END) AS failures,
    sum(CASE WHEN {HIT} THEN 1 ELSE 0 END) AS cache_hits,
    sum(spend::numeric) AS cost_usd,
    sum(CASE WHEN {MISS} THEN prompt_tokens ELSE 0 END) AS prompt_tokens,
    sum(CASE WHEN {MISS} THEN completion_tokens ELSE 0 END) AS completion_tokens,
    sum(CASE WHEN {MISS} THEN total_tokens ELSE 0 END) AS total_tokens,
    sum(CASE WHEN {HIT} THEN total_tokens ELSE 0 END) AS replayed_tokens
"""


def percentile(value: str, fraction: float, rows: str) -> str:
    return f"(percentile_cont({fraction}) WITHIN GROUP (ORDER BY {value}) FILTER (WHERE {rows}))"


TIMES = f"""
    (avg({TOOK}) FILTER (WHERE {ANSWERED}))::float AS response_ms_avg,
    {percentile(TOOK, 0.5, ANSWERED)} AS response_ms_p50,
    {percentile(TOOK, 0.95, ANSWERED)} AS response_ms_p95,
    {percentile(TOOK, 0.99, ANSWERED)} AS response_ms_p99,
    max({TOOK}) FILTER (WHERE {ANSWERED}) AS response_ms_max,
    {percentile(WAITED, 0.5, STREAMED)} AS ttft_ms_p50,
    {percentile(WAITED, 0.95, STREAMED)} AS ttft_ms_p95
"""
RATES = f"""
    (count(*) FILTER (WHERE {FAILED}))::float / count(*) AS error_rate,
    (count(*) FILTER (WHERE {HIT}))::float / count(*) AS cache_hit_rate
"""


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


def close(expected: list[dict]) -> list[dict]:
    """Floats may differ in the last digits, counts and texts not at all."""
    return [
        {
            name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in expected
    ]


def only(found: list[dict], expected: list[dict]) -> list[dict]:
    """The same columns, so that none is left unchecked unawares."""
    return [{name: row[name] for name in expected[0]} for row in found]


def test_the_true_rows_have_something_of_everything(source):
    found = overview.totals(source, FILTERS)
    assert found.requests == 130
    assert min(found.failures, found.cache_hits, found.replayed_tokens, found.ttft_known) > 0


def test_totals(source, ask):
    expected = ask(
        f"""SELECT {FIGURES}, {TIMES}, {RATES}, count(*) FILTER (WHERE {ANSWERED}) AS answered,
            (count(*) FILTER (WHERE {STREAMED}))::float
                / count(*) FILTER (WHERE {ANSWERED}) AS ttft_coverage,
        count(*) FILTER (WHERE {STREAMED}) AS ttft_known FROM {LOG} WHERE {WHERE}"""
    )
    found = asdict(overview.totals(source, FILTERS))
    newest = found.pop("newest_at")
    assert [found] == close(expected)
    [row] = ask(f'SELECT max("startTime") AS newest FROM {LOG} WHERE {WHERE}')
    assert newest.astimezone(UTC).replace(tzinfo=None).isoformat() == row["newest"].ljust(26, "0")


def test_the_rates_of_the_totals(source, ask):
    [expected] = ask(f"SELECT {RATES} FROM {LOG} WHERE {WHERE}")
    found = overview.totals(source, FILTERS)
    assert found.error_rate == pytest.approx(expected["error_rate"])
    assert found.cache_hit_rate == pytest.approx(expected["cache_hit_rate"])


def test_the_cost_is_the_exact_sum_rounded_once(source, real_rows_database):
    sql = f"SELECT sum(spend::numeric) FROM {LOG} WHERE {WHERE}"
    [(exact,)] = real_rows_database.execute(sql)
    assert overview.totals(source, FILTERS).cost_usd == float(exact)


def test_sessions(source, ask):
    [expected] = ask(f"SELECT count(DISTINCT {SESSION}) AS n FROM {LOG} WHERE {WHERE}")
    [many] = ask(
        f"SELECT count(*) AS n FROM (SELECT {SESSION} FROM {LOG} WHERE {WHERE}"
        f" GROUP BY {SESSION} HAVING count(*) > 1) AS sessions"
    )
    assert asdict(overview.sessions(source, FILTERS)) == {
        "unique": expected["n"],
        "with_many_requests": many["n"],
    }


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("1d", "date_trunc('day', \"startTime\" + interval '5:30') - interval '5:30'"),
        ("1h", "date_trunc('hour', \"startTime\" + interval '30 min') - interval '30 min'"),
        ("15m", "date_bin('15 min', \"startTime\", '2026-11-22 18:30')"),
        ("1m", "date_trunc('minute', \"startTime\")"),
    ],
)
def test_over_time(name, sql, source, ask):
    expected = ask(
        f"""SELECT to_char({sql}, 'YYYY-MM-DD HH24:MI:SS') AS bucket, {FIGURES}, {TIMES}, {RATES}
        FROM {LOG} WHERE {WHERE} GROUP BY {sql} ORDER BY {sql}"""
    )
    for row in expected:
        for column in ("response_ms_p99", "response_ms_max", "ttft_ms_p50", "ttft_ms_p95"):
            del row[column]
    frame = overview.over_time(source, FILTERS, BUCKETS[name])
    found = records(frame[frame["requests"] > 0])
    for row in found:
        row["bucket"] = f"{row['bucket']:%Y-%m-%d %H:%M:%S}"
    assert found == close(expected)
    assert not frame[frame["requests"] == 0].select_dtypes("number").fillna(0).any(axis=None)


def test_new_sessions(source, ask):
    expected = ask(
        f"""SELECT date_trunc('minute', began) AS minute, count(*) AS new_sessions,
        sum((requests > 1)::int) AS continued_sessions FROM
        (SELECT min("startTime") AS began, count(*) AS requests FROM {LOG} WHERE {WHERE}
        GROUP BY {SESSION}) AS each GROUP BY 1 ORDER BY 1"""
    )
    frame = overview.new_sessions(source, FILTERS, BUCKETS["1m"])
    found = frame[frame["new_sessions"] > 0]
    assert [f"{one:%Y-%m-%dT%H:%M:%S}" for one in found["bucket"]] == [
        row["minute"] for row in expected
    ]
    for name in ("new_sessions", "continued_sessions"):
        assert list(found[name]) == [row[name] for row in expected]


@pytest.mark.parametrize(
    ("dimension", "column"), [("user", '"user"'), ("team", "team_id"), ("key", "api_key")]
)
def test_cost_by_owner(dimension, column, source, ask):
    expected = ask(
        f"""SELECT CASE WHEN {column} <> '' THEN {column} END AS id, count(*) AS requests,
        sum(CASE WHEN {FAILED} THEN 1 ELSE 0 END) AS failures, sum(spend::numeric) AS cost_usd,
        sum(CASE WHEN {MISS} THEN total_tokens ELSE 0 END) AS total_tokens,
        (sum(spend) / (SELECT sum(spend) FROM {LOG} WHERE {WHERE}))::float AS share
        FROM {LOG} WHERE {WHERE} GROUP BY 1 ORDER BY sum(spend::numeric) DESC, 1 LIMIT 10"""
    )
    frame = overview.cost_by_owner(source, FILTERS)
    found = records(frame[frame["dimension"] == dimension])
    assert [row["rank"] for row in found] == list(range(1, len(expected) + 1))
    assert only(found, expected) == close(expected)


def test_cost_by_tag(source, ask):
    expected = ask(
        f"""SELECT tag, count(*) AS requests, sum(spend::numeric) AS cost_usd,
        sum(CASE WHEN {MISS} THEN total_tokens ELSE 0 END) AS total_tokens FROM {LOG},
        (VALUES ('prod'), ('checkout'), ('litellm-internal-health-check')) AS known (tag)
        WHERE {WHERE} AND request_tags ? tag GROUP BY tag ORDER BY 3 DESC, 1"""
    )
    assert records(overview.cost_by_tag(source, FILTERS)) == close(expected)


def test_cache_savings(source, ask):
    expected = ask(
        f"""SELECT sum(hits) AS hits, sum(replayed) AS replayed_tokens,
        (sum(replayed * cost / billed) FILTER (WHERE hits > 0))::float AS saved_usd_estimate FROM
        (SELECT count(*) FILTER (WHERE {HIT}) AS hits, sum(spend) AS cost,
        sum(CASE WHEN {HIT} THEN total_tokens ELSE 0 END) AS replayed,
        nullif(sum(CASE WHEN {MISS} THEN total_tokens ELSE 0 END), 0) AS billed
        FROM {LOG} WHERE {WHERE} GROUP BY {MODEL}) AS models"""
    )
    assert [asdict(overview.cache_savings(source, FILTERS))] == close(expected)


def test_prompt_caching(source, ask):
    usage = "(metadata->'additional_usage_values')"
    cached = (
        f"CASE WHEN {usage}->>'cache_read_input_tokens' IS NOT NULL"
        f" THEN ({usage}->>'cache_read_input_tokens')::int"
        f" WHEN {usage}->'prompt_tokens_details'->>'cached_tokens' IS NOT NULL"
        f" THEN ({usage}->'prompt_tokens_details'->>'cached_tokens')::int"
        f" ELSE ({usage}->'input_tokens_details'->>'cached_tokens')::int END"
    )
    expected = ask(
        f"""SELECT count(*) AS requests_read, count(*) AS requests,
        sum(CASE WHEN {MISS} THEN prompt_tokens END) AS prompt_tokens,
        sum(CASE WHEN {MISS} THEN {cached} END) AS cached_prompt_tokens,
        sum(CASE WHEN {MISS} THEN ({usage}->>'cache_creation_input_tokens')::int END)
        AS cache_write_tokens FROM {LOG} WHERE {WHERE}"""
    )
    assert [asdict(overview.prompt_caching(source, FILTERS))] == expected


def test_busy_hours(source, ask):
    local = "(\"startTime\" + interval '5:30')"
    expected = ask(
        f"""SELECT extract(isodow FROM {local})::int - 1 AS weekday,
        extract(hour FROM {local})::int AS hour, count(*) AS requests,
        sum(spend::numeric) AS cost_usd FROM {LOG} WHERE {WHERE} GROUP BY 1, 2 ORDER BY 1, 2"""
    )
    frame = overview.busy_hours(source, FILTERS)
    assert records(frame[frame["requests"] > 0]) == close(expected)


def test_usage_by_model(source, ask):
    generated = f"{ANSWERED} AND completion_tokens > 0"
    generation_s = (
        f'CASE WHEN "completionStartTime" < "endTime"'
        f" THEN ({TOOK} - {WAITED}) / 1000 ELSE ({TOOK}) / 1000 END"
    )
    expected = ask(
        f"""SELECT {MODEL} AS model, {FIGURES}, {TIMES}, {RATES},
        (SELECT string_agg(p, ', ' ORDER BY p) FROM
          unnest(array_agg(DISTINCT nullif(custom_llm_provider, ''))) AS p) AS providers,
        count(DISTINCT nullif(model, '')) AS deployments,
        count(*)::float / (SELECT count(*) FROM {LOG} WHERE {WHERE}) AS share,
        (sum(spend) / (SELECT sum(spend) FROM {LOG} WHERE {WHERE}))::float AS cost_share,
        (count(*) FILTER (WHERE {STREAMED}))::float
          / nullif(count(*) FILTER (WHERE {ANSWERED}), 0) AS ttft_coverage,
        (sum(completion_tokens) FILTER (WHERE {generated}))
          / nullif(sum({generation_s}) FILTER (WHERE {generated}), 0) AS tokens_per_second,
        to_char(min("startTime"), 'HH24:MI:SS.MS') AS first_seen,
        to_char(max("startTime"), 'HH24:MI:SS.MS') AS last_seen
        FROM {LOG} WHERE {WHERE} GROUP BY 1 ORDER BY sum(spend::numeric) DESC, count(*) DESC, 1"""
    )
    found = records(models.usage_by_model(source, FILTERS))
    for row in found:
        for seen in ("first_seen", "last_seen"):
            row[seen] = f"{row[seen]:%H:%M:%S.%f}"[:-3]
    assert found == close(expected)


def test_deployments(source, ask):
    expected = ask(
        f"""SELECT {MODEL} AS model, nullif(model, '') AS deployment,
        nullif(custom_llm_provider, '') AS provider, nullif(api_base, '') AS api_base,
        count(*) AS requests, sum(CASE WHEN {FAILED} THEN 1 ELSE 0 END) AS failures,
        (count(*) FILTER (WHERE {FAILED}))::float / count(*) AS error_rate,
        sum(spend::numeric) AS cost_usd, {percentile(TOOK, 0.5, ANSWERED)} AS response_ms_p50,
        {percentile(TOOK, 0.95, ANSWERED)} AS response_ms_p95
        FROM {LOG} WHERE {WHERE} GROUP BY 1, 2, 3, 4 ORDER BY 1, 5 DESC, 2, 3, 4"""
    )
    assert records(models.deployments(source, FILTERS)) == close(expected)


def test_over_time_by_model(source, ask):
    bucket = "date_bin('15 min', \"startTime\", '2026-11-22 18:30')"
    shown = ("gpt-4o", "claude", "rate-limited")
    expected = ask(
        f"""SELECT {MODEL} AS model, to_char({bucket}, 'YYYY-MM-DD HH24:MI') AS bucket,
        count(*) AS requests, sum(CASE WHEN {FAILED} THEN 1 ELSE 0 END) AS failures,
        sum(spend::numeric) AS cost_usd,
        sum(CASE WHEN {MISS} THEN total_tokens ELSE 0 END) AS total_tokens,
        (avg({TOOK}) FILTER (WHERE {ANSWERED}))::float AS response_ms_avg,
        {percentile(TOOK, 0.95, ANSWERED)} AS response_ms_p95,
        max({TOOK}) FILTER (WHERE {ANSWERED}) AS response_ms_max
        FROM {LOG} WHERE {WHERE} AND {MODEL} IN {shown} GROUP BY 1, 2 ORDER BY 1, 2"""
    )
    found = records(models.over_time_by_model(source, FILTERS, BUCKETS["15m"], shown))
    for row in found:
        row["bucket"] = f"{row['bucket']:%Y-%m-%d %H:%M}"
    assert found == close(expected)

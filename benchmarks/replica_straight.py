"""The rows of `benchmarks.replica_rows` written straight into a replica, without a log."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from sqlalchemy.schema import CreateTable

from benchmarks.replica_rows import DAY_S, Size
from tracelib.replica import manifest as manifests
from tracelib.replica import spans
from tracelib.replica.dialect import DIALECT
from tracelib.replica.layout import DAY_HOURS, day_start, hour_at, to_join
from tracelib.replica.manifest import Manifest, Span
from tracelib.replica.settings import ReplicaSettings
from tracelib.spendlogs.replicated import stored_table
from tracelib.window import HOUR_S

# The rows of a span, as a replica holds them.
STRAIGHT = """
INSERT INTO made.requests BY NAME
SELECT (md5_number_lower(session_id || ':' || "key") >> 1)::BIGINT AS session_number, * FROM (
    SELECT CASE WHEN s % 10 >= 4 THEN md5(s::VARCHAR)::UUID::VARCHAR
            ELSE 'chatcmpl-' || uuid()::VARCHAR END AS session_id,
        CASE WHEN failed THEN 'chatcmpl-' || uuid()::VARCHAR END AS failed_request_id,
        md5(k::VARCHAR) || md5('key ' || k) AS "key", 'user-' || u AS "user",
        'team-' || k % 40 AS team, CASE WHEN u % 3 = 0 THEN 'end-' || u END AS end_user,
        CASE WHEN u % 5 = 0 THEN 'agent-' || u % 20 END AS agent, start_order, ms AS elapsed_ms,
        CASE WHEN NOT failed AND NOT hit THEN ms END AS response_ms,
        CASE WHEN failed OR hit THEN ms END AS other_ms,
        CASE WHEN i % 2 = 0 AND NOT hit THEN (ms * 0.3)::INT END AS ttft_ms,
        'model-' || m % 20 AS model, 'openai/model-' || m AS deployment,
        ['openai', 'anthropic', 'azure', 'vertex_ai'][m % 4 + 1] AS provider,
        'https://api-' || m % 4 || '.example' AS api_base, 'acompletion' AS call_type,
        hit AS is_cache_hit, failed AS is_failure,
        (ms * 0.00000123 + prompt * 0.00000015)::DECIMAL(38, 15) AS spend_usd,
        prompt AS prompt_tokens, ms // 20 AS completion_tokens, prompt + ms // 20 AS total_tokens,
        CASE u % 4 WHEN 0 THEN 'batch' WHEN 1 THEN 'prod' || chr(31) || 'tag-' || u % 30 END
            AS request_tags,
        CASE WHEN failed THEN ['RateLimitError', 'Timeout', 'BadRequestError',
            'APIConnectionError'][m % 4 + 1] END AS error_class,
        CASE WHEN failed THEN ['429', '408', '400', '500'][m % 4 + 1] END AS error_code,
        CASE WHEN failed THEN 'The provider refused this: ' || m END AS error_message,
        'client/1.' || u % 30 AS agent_version,
        prompt // 2 AS cached_prompt_tokens, 0 AS attempted_retries, 0 AS attempted_fallbacks,
        'key ' || k AS key_alias, 'Team ' || k % 40 AS team_alias,
        CASE WHEN has_body THEN (hash(i // 20 * 19 + i % 19) % 4294967295)::BIGINT - 2147483648 END
            AS request_hash,
        CASE WHEN has_body THEN (hash(i, 1) % 4294967295)::BIGINT - 2147483648 END AS messages_hash,
        CASE WHEN has_body THEN (hash(i, 2) % 4294967295)::BIGINT - 2147483648 END AS history_hash,
        CASE WHEN has_body THEN (hash(s) % 4294967295)::BIGINT - 2147483648 END AS opening_hash,
        CASE WHEN has_body THEN k % 90 END AS system_hash, k % 80 AS system_shape,
        CASE WHEN has_body AND k % 3 = 0 THEN k % 70 END AS tools_hash,
        CASE WHEN has_body AND k % 3 = 0 THEN (hash(i, 3) % 4294967295)::BIGINT - 2147483648 END
            AS call_hash,
        CASE WHEN has_body THEN i % 900 END AS fixed_share,
        CASE WHEN has_body THEN i % 4 = 0 END AS wants_cache,
        CASE WHEN has_body THEN ['length', 'tool_calls', 'stop'][least(i % 24, 2) + 1] END
            AS finish_reason,
        CASE WHEN has_body AND k % 3 = 0 THEN 'read' || chr(30) || '80' || chr(31) || 'edit_' || k
            % 70 || chr(30) || '300' END AS tools_offered,
        CASE WHEN has_body AND k % 3 = 0 AND i % 2 = 0 THEN 'read' END AS tools_called,
        CASE WHEN has_body AND i % 17 = 1 THEN i % 90000000 END AS repeated_after_ms,
        CASE WHEN has_body AND i % 17 = 1 THEN i % 3 = 0 END AS repeats_session,
        CASE WHEN has_body AND i % 101 = 0 THEN true END AS is_loop,
        CASE WHEN has_body AND i % 2 = 0 THEN prompt * 4 // 5 END AS resent_tokens,
        CASE WHEN has_body AND i % 6 = 0 THEN ['too_short', 'expired', 'clock', 'unknown',
            'other_deployment'][i // 6 % 5 + 1] END AS miss,
        CASE WHEN has_body AND i % 6 = 0 THEN prompt // 2 END AS missed_tokens
    FROM (SELECT *, NOT failed AND i % 10 < 7 AS has_body FROM (
        SELECT *, u % 500 AS k, floor(60 * liked * liked)::INT AS m,
            NOT failed AND i % 17 = 0 AS hit
        FROM (
            SELECT *, floor(2000 * chance * chance)::INT AS u,
                CASE WHEN random() < 0.8 THEN chance ELSE random() END AS liked
            FROM (
                SELECT *, (hash(s) & 1048575) / 1048576.0 AS chance
                FROM (
                    SELECT i, (i // $half_hour * ($half_hour // 10)
                            + floor(random() * ($half_hour // 10)))::BIGINT AS s,
                        $starts::TIMESTAMP + to_milliseconds((i * $row_ms)::BIGINT)
                            AS start_order,
                        floor(50 - ln(1 - random()) * 1500)::INT AS ms,
                        floor(random() * 8000)::INT AS prompt, random() < 0.02 AS failed
                    FROM range($first::BIGINT, $last::BIGINT) AS drawn(i)
                )
            )
        )
    ))
) ORDER BY date_trunc('hour', start_order), session_number
"""


def straight(settings: ReplicaSettings, size: Size) -> float:
    """Write a replica of that size without a log; the moment at which it ends."""
    shutil.rmtree(settings.folder, ignore_errors=True)
    settings.folder.mkdir(parents=True, mode=0o700)
    end = day_start(hour_at(time.time()))
    starts = [end - DAY_HOURS * (size.days - n) for n in range(size.days)]
    made, rows = list[Span](), 0
    for span in _joined(starts, size):
        made.append(_written(settings.folder, size, span, starts[0], rows))
        rows += span.rows
    teams = [("team", f"team-{k}", f"Team {k}", f"Team {k}") for k in range(40)]
    manifest = Manifest(
        identity="straight",
        spans=tuple(made),
        as_of=time.time(),
        names_file=spans.build_names(settings, [*_keys(), *teams]),
        columns=manifests.shape(),
        reads_bodies=True,
    )
    manifests.publish(settings.folder, manifest)
    return float(end * HOUR_S)


def _joined(starts: Sequence[int], size: Size) -> list[Span]:
    """The spans of days that start in these hours, joined as the writer joins them.

    Nothing is before the first, and rows may still come into the last.
    """
    rows = size.rows // size.days
    found = [Span("", start, start + DAY_HOURS, rows, 0) for start in starts]
    found = [replace(found[0], start=None), *found[1:-1], replace(found[-1], end=None)]
    while places := to_join(found):
        first, last = places
        joined = replace(
            found[first], end=found[last - 1].end, rows=sum(one.rows for one in found[first:last])
        )
        found[first:last] = [joined]
    return found


def _keys() -> list[tuple[str, str, str, str]]:
    text = "SELECT 'key', md5(k::VARCHAR) || md5('key ' || k), 'key ' || k, 'key ' || k"
    with duckdb.connect() as database:
        return database.execute(f"{text} FROM range(500) AS keys(k)").fetchall()


def _written(folder: Path, size: Size, span: Span, begins: int, first: int) -> Span:
    """The span with its file, whose rows have the numbers from `first`.

    The row with the number 0 starts in the hour `begins`.
    """
    file = f"span-{begins}-{first:012x}.duckdb"
    table = stored_table("requests", "made")
    values = {
        "half_hour": size.half_hour,
        "starts": datetime.fromtimestamp(begins * HOUR_S, UTC).replace(tzinfo=None),
        "first": first,
        "last": first + span.rows,
        "row_ms": DAY_S * 1000 / (size.rows // size.days),
    }
    room = {"memory_limit": "6GB", "threads": "2", "temp_directory": str(folder / spans.SPILLED)}
    with duckdb.connect(config=room) as database:
        database.execute(f"ATTACH '{folder / file}' AS made (STORAGE_VERSION '{spans.STORAGE}')")
        database.execute(str(CreateTable(table).compile(dialect=DIALECT)))
        database.execute(STRAIGHT, values)
        database.execute(spans.SESSIONS)
        database.execute(f"CREATE TABLE made.models AS {spans.MODELS}")
        added = spans.add_sums(database)
        database.execute("DETACH made")
    return replace(span, file=file, bytes=(folder / file).stat().st_size, sums=added)

"""How long do the review of keys and the evidence of a range take?

    python -m benchmarks.keys [--rows 1000000] [--keys 10000]

Makes a database of its own with LiteLLM's schema, fills it in SQL (97 days, three models, four
addresses and two programs per key, small bodies), and prints the median of three runs; a file is
made once.
"""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

from tests.database import Database
from tests.server import running
from tests.sources import source_of
from tracelib.evidence import Signatory, evidence, evidence_file
from tracelib.filters import Filters
from tracelib.key_review import key_review
from tracelib.key_review.keys import keys_of
from tracelib.key_review.usage import usage_of_keys
from tracelib.permissions.access import FULL
from tracelib.window import TimeWindow

NOW = datetime(2026, 11, 24, tzinfo=UTC)
WEEK = Filters(TimeWindow(NOW - timedelta(days=7), NOW))
QUARTER = Filters(TimeWindow(NOW - timedelta(days=97), NOW))
KEYS = """
INSERT INTO "LiteLLM_VerificationToken"
  (token, key_alias, team_id, created_at, last_active, expires, max_budget, models, spend)
SELECT encode(sha256(n::text::bytea), 'hex'), 'key ' || n, 'team-' || n % 50,
  timestamp '2026-01-01', CASE WHEN n % 10 > 0 THEN timestamp '2026-11-20' END,
  CASE WHEN n % 3 > 0 THEN timestamp '2027-01-01' END, CASE WHEN n % 4 > 0 THEN 10 END,
  '{gpt-4o,o3,sonnet,opus}', n % 10
FROM generate_series(1, :keys) AS n
"""
ROWS = """
INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, spend, total_tokens,
  prompt_tokens, completion_tokens, "startTime", "endTime", model, model_group, "user", team_id,
  cache_hit, request_tags, session_id, status, requester_ip_address, metadata,
  proxy_server_request, response)
SELECT 'chatcmpl-' || n, 'acompletion',
  encode(sha256((n::bigint * 7919 % :keys + 1)::text::bytea), 'hex'),
  0.001, 15, 10, 5, at, at + interval '1 second', 'openai/' || model, model, 'u-' || n % 200,
  'team-' || n % 50, 'None', agents[n % 2 + 1]::jsonb, 's-' || n / 4,
  CASE WHEN n % 40 = 0 THEN 'failure' ELSE 'success' END, '10.' || n % 4 || '.2.3',
  jsonb_build_object('filler', repeat(md5(n::text), 30)),
  jsonb_build_object('messages', repeat(md5(n::text), 12)),
  jsonb_build_object('choices', repeat(md5(n::text), 12))
FROM (SELECT n, (ARRAY['gpt-4o', 'o3', 'sonnet'])[n % 3 + 1] AS model,
    ARRAY['["User-Agent: curl", "User-Agent: curl/8"]', '["User-Agent: go", "a"]'] AS agents,
    timestamp '2026-08-19' + n * (interval '97 days' / :rows) AS at
  FROM generate_series(1, :rows - 1) AS n) AS rows
"""


def main() -> None:
    """Fill the database and print how long each takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, default=10_000)
    given = parser.parse_args()
    with running() as server:
        made = Database(server)
        made.execute(
            *(_with(statement, given.rows, given.keys) for statement in (KEYS, ROWS)),
            'VACUUM ANALYZE "LiteLLM_SpendLogs"',
            'VACUUM ANALYZE "LiteLLM_VerificationToken"',
        )
        source = source_of(made, statement_timeout_s=60.0)
        signatory = Signatory("ada@example.com", FULL)
        timed("keys alone", lambda: keys_of(source, WEEK))
        timed("use of keys in the log, 97 days", lambda: usage_of_keys(source, WEEK))
        timed("review of keys, 97 days", lambda: key_review(source, WEEK))
        timed("evidence, 7 days", lambda: evidence(source, WEEK))
        timed("evidence, 97 days", lambda: evidence(source, QUARTER))
        for bodies in (False, True):
            what = "with messages" if bodies else "without messages"
            timed(
                f"file of 97 days, {what}",
                lambda bodies=bodies: evidence_file(source, QUARTER, signatory, NOW, bodies),
                times=1,
            )
        review = key_review(source, WEEK)
        print(f"{len(review.rows)} findings of {review.keys} keys")
        source.engine.dispose()


def _with(statement: str, rows: int, keys: int) -> str:
    return statement.replace(":rows", str(rows)).replace(":keys", str(keys))


def timed(name: str, run: Callable[[], object], times: int = 3) -> None:
    """Print the median of these runs."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        took.append(time.perf_counter() - began)
    print(f"{name:40} {median(took):6.2f} s   {' '.join(f'{one:.2f}' for one in took)}", flush=True)


if __name__ == "__main__":
    main()

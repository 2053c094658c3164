"""How well are conversations found again when no client sends a session id?

`python -m benchmarks.stitching [--json FILE] [--days N]` makes the sample traffic in an
embedded PostgreSQL of its own, hides its session ids as LiteLLM does where clients send none
(each request gets an id of its own, the body names none), joins the requests of each key by
what they say, and compares with what was hidden.

The truth is the stored session; requests of the Responses API that name one another are one
session too, as LiteLLM's own replay has it. Two measures:

    pairs    over all pairs of requests of one key. Precision is the share of the joined pairs
             that are of one true session, recall the share of the pairs of one true session
             that are joined. A session of n requests weighs n * (n - 1) / 2.
    request  over all requests (B-cubed): the share of a request's conversation that is of its
             true session, and the share of its true session that is in its conversation, each
             the mean over requests. A session of n requests weighs n.

Both are given for all requests; for those whose words are stored, since nothing tells where a
redacted prompt or one that was never stored belongs; and for these in sessions of at most 100
requests, so that the one agent that ran for a night does not speak for all. Then some requests
are opened as a person would, and the conversation around each is searched as the page does.
"""

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, timedelta
from pathlib import Path
from statistics import mean, median
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from tracelib import demo
from tracelib.conversation.requests import StoredRequest
from tracelib.conversation.session_rows import stored_in_batches
from tracelib.conversation.threading.history import Reader
from tracelib.database_url import read_address
from tracelib.selection import RowId, Selection
from tracelib.settings import Settings
from tracelib.source import Postgres, connect
from tracelib.stitching import conversation_around, joined
from tracelib.stitching.fingerprint import fingerprint

PRECISION_BAR, RECALL_BAR = 0.99, 0.95
LARGE_SESSION = 100
OPENED = 60
LOGS = sa.table(
    "LiteLLM_SpendLogs",
    *(sa.column(name, sa.Text()) for name in ("request_id", "api_key", "session_id")),
    sa.column("litellm_call_id", sa.Text()),
    sa.column("startTime", sa.DateTime()),
    sa.column("proxy_server_request", JSONB()),
)
# Where a stored body repeats the session id.
NAMES_SESSION = (
    ("litellm_session_id",),
    ("litellm_trace_id",),
    ("metadata", "user_id"),
    ("litellm_metadata", "user_id"),
)


Truth = Mapping[RowId, tuple[str, str]]
"""Of each request its key and the session it was of before ids were hidden."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--days", type=int, default=30, help="of the sample, the newest (1 to 30)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracelib-benchmark-") as folder:
        source, truth = hidden(demo.start(Path(folder)).url, asked.days)
        figures = measured(source, truth) | opened(source, truth)
        source.engine.dispose()
    _print(figures)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")


def hidden(url: str, days: int | None = None) -> tuple[Postgres, Truth]:
    """The database with its session ids hidden, and what they were; older days are deleted."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        if days:
            newest = sa.select(sa.func.max(LOGS.c.startTime)).scalar_subquery()
            reach = newest - sa.literal(timedelta(days=days), sa.Interval())
            connection.execute(LOGS.delete().where(LOGS.c.startTime < reach))
        truth = _truth(connection)
        body = LOGS.c.proxy_server_request
        for path in NAMES_SESSION:
            body = body.op("#-")(sa.literal(list(path), ARRAY(sa.Text())))
        connection.execute(
            LOGS.update().values(session_id=LOGS.c.litellm_call_id, proxy_server_request=body)
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text('VACUUM ANALYZE "LiteLLM_SpendLogs"'))
    engine.dispose()
    return connect(Settings(statement_timeout_s=60), read_address(url)), truth


def _truth(connection: sa.Connection) -> Truth:
    session = sa.func.coalesce(sa.func.nullif(LOGS.c.session_id, ""), LOGS.c.request_id)
    before = LOGS.c.proxy_server_request.op("->>")("_litellm_addressed_response_id")
    rows = connection.execute(
        sa.select(LOGS.c.request_id, LOGS.c.startTime, LOGS.c.api_key, session, before).order_by(
            LOGS.c.startTime, LOGS.c.request_id
        )
    )
    truth: dict[RowId, tuple[str, str]] = {}
    named: dict[str, tuple[str, str]] = {}
    for request_id, start, api_key, session_id, previous_id in rows:
        conversation = named.get(previous_id, (api_key, session_id))
        named[request_id] = conversation
        truth[RowId(request_id, start.replace(tzinfo=UTC))] = conversation
    return truth


def measured(source: Postgres, truth: Truth) -> dict[str, object]:
    """The measures over the whole database, and how many links of each kind were right or wrong."""
    readable: set[RowId] = set()
    found: dict[RowId, RowId] = {}
    right, wrong = Counter[str](), Counter[str]()
    started = time.perf_counter()
    for api_key, ids in _rows_by_key(truth).items():
        requests = stored_in_batches(source, Selection(api_key), [(row,) for row in ids])
        told = joined(_noted(requests, readable))
        found |= {one: group[0] for group in told.conversations for one in group}
        for link in told.links:
            is_right = truth[link.row] == truth[link.other]
            (right if is_right else wrong)[link.reason] += 1
    sizes = Counter(truth.values())
    return {
        "sessions": len(sizes),
        "sessions_of_several": sum(size > 1 for size in sizes.values()),
        "all": _measure(truth, found, truth),
        "words stored": _measure(truth, found, readable),
        "words stored, small": _measure(
            truth, found, {one for one in readable if sizes[truth[one]] <= LARGE_SESSION}
        ),
        "links_right": dict(right),
        "links_wrong": dict(wrong),
        "seconds": round(time.perf_counter() - started, 2),
    }


def opened(source: Postgres, truth: Truth, count: int = OPENED) -> dict[str, object]:
    """How well the conversation around some requests is found, as the page searches it."""
    members: dict[tuple[str, str], set[RowId]] = {}
    for row, session in truth.items():
        members.setdefault(session, set()).add(row)
    several = sorted(one for one, session in truth.items() if len(members[session]) > 1)
    precisions, recalls, seconds = [], [], []
    for row in random.Random(7).sample(several, min(count, len(several))):
        started = time.perf_counter()
        api_key, _ = session = truth[row]
        told = conversation_around(source, Selection(api_key, rows=(row,)))
        seconds.append(time.perf_counter() - started)
        around, whole = set(told.selection.rows or (row,)), members[session]
        precisions.append(len(around & whole) / len(around))
        recalls.append(len(around & whole) / len(whole))
    return {
        "opened": len(seconds),
        "opened_precision": round(mean(precisions), 4),
        "opened_recall": round(mean(recalls), 4),
        "opened_s_median": round(median(seconds), 3),
        "opened_s_most": round(max(seconds), 3),
    }


def _rows_by_key(truth: Truth) -> dict[str, list[RowId]]:
    by_key: dict[str, list[RowId]] = {}
    for row, (api_key, _) in truth.items():
        by_key.setdefault(api_key, []).append(row)
    return by_key


def _noted(requests: Iterable[StoredRequest], readable: set[RowId]) -> Iterator[StoredRequest]:
    """The requests, while noting those of which it is known what was said or named."""
    for request in requests:
        one = fingerprint(request, Reader())
        if one.history or one.previous_ids:
            readable.add(request.row)
        yield request


def _measure(
    truth: Truth, found: Mapping[RowId, RowId], among: Collection[RowId]
) -> dict[str, float]:
    true = Counter(truth[one] for one in among)
    joins = Counter((truth[one][0], found[one]) for one in among)
    both = Counter((truth[one], found[one]) for one in among)
    right = _pairs(both)
    shares = [
        (size * size / joins[session[0], group], size * size / true[session])
        for (session, group), size in both.items()
    ]
    return {
        "requests": len(among),
        "true_pairs": _pairs(true),
        "joined_pairs": _pairs(joins),
        "pair_precision": round(right / max(_pairs(joins), 1), 5),
        "pair_recall": round(right / max(_pairs(true), 1), 5),
        "request_precision": round(sum(share for share, _ in shares) / len(among), 5),
        "request_recall": round(sum(share for _, share in shares) / len(among), 5),
    }


def _pairs(counted: Counter[Any]) -> int:
    return sum(size * (size - 1) // 2 for size in counted.values())


def _print(figures: dict[str, Any]) -> None:
    print(
        f"{figures['sessions']:,} true sessions, {figures['sessions_of_several']:,} of several "
        f"requests; joined in {figures['seconds']} s"
    )
    print(
        f"{'':22}{'requests':>10}{'true pairs':>12}{'pairs P':>9}{'R':>8}{'request P':>11}{'R':>8}"
    )
    for name in ("all", "words stored", "words stored, small"):
        row = figures[name]
        print(
            f"{name:22}{row['requests']:>10,}{row['true_pairs']:>12,}"
            f"{row['pair_precision']:>9.4f}{row['pair_recall']:>8.4f}"
            f"{row['request_precision']:>11.4f}{row['request_recall']:>8.4f}"
        )
    print(f"links right: {figures['links_right']}, wrong: {figures['links_wrong']}")
    print(
        f"{figures['opened']} requests opened: precision {figures['opened_precision']}, recall "
        f"{figures['opened_recall']}, {figures['opened_s_median']} s "
        f"(at most {figures['opened_s_most']} s)"
    )
    is_met = _is_met(figures)
    print(f"bar (precision {PRECISION_BAR}, recall {RECALL_BAR}): {'met' if is_met else 'MISSED'}")


def _is_met(figures: dict[str, Any]) -> bool:
    """Both measures, over all pairs and over all requests, words stored or not."""
    row = figures["all"]
    precise = min(row["pair_precision"], row["request_precision"]) >= PRECISION_BAR
    return precise and min(row["pair_recall"], row["request_recall"]) >= RECALL_BAR


if __name__ == "__main__":
    main()

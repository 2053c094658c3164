"""A log with the rows of `tests.fuzz` of one seed, and what its queries are given.

By default one fixed seed runs; with TRACELIB_FUZZ_EXAMPLES=200 so many, from TRACELIB_FUZZ_SEED on.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from random import Random
from typing import Any

from tests.database import Database
from tests.fuzz import HITS, INTEGERS, KEYS, SPENDS, STATUSES, Fuzz, Row, fill
from tests.rows import KEY, NOON, failure, spend_log
from tests.sources import source_of
from tracelib import sessions
from tracelib.filters import NONE, Filters
from tracelib.selection import RowId, Selection, row_ids, session
from tracelib.sessions import SessionSearch
from tracelib.source import Postgres
from tracelib.window import TimeWindow

COUNT = int(os.environ.get("TRACELIB_FUZZ_EXAMPLES", "1"))
FIRST = int(os.environ.get("TRACELIB_FUZZ_SEED", "0"))
SEEDS = range(FIRST, FIRST + COUNT)
ROWS = 25
MOST_SESSIONS = 4
CLEAN = [spend_log(session_id="clean", request_id=f"clean-{n}", startTime=NOON) for n in range(3)]
# Every odd value of the columns that totals are made of, whatever the seed.
ODD = [
    spend_log(session_id="odd", **({"total_tokens": 15} | {name: value}))
    for name, values in {
        "spend": map(float, SPENDS),
        "cache_hit": HITS,
        "status": STATUSES,
        "api_key": KEYS,
        "prompt_tokens": map(int, INTEGERS),
    }.items()
    for value in values
]
# What random rows have found, always among them.
FOUND = [
    spend_log(session_id="no amount", spend=float("nan"), startTime=NOON),
    failure(session_id="no amount", spend=float("inf"), startTime=NOON + timedelta(seconds=1)),
    spend_log(
        session_id="no amount",
        call_type="aget_responses",
        spend=float("nan"),
        startTime=NOON + timedelta(seconds=2),
    ),
]
HOUR = timedelta(hours=1)
DAY = Filters(TimeWindow(NOON - HOUR, NOON + 23 * HOUR), zone="Asia/Kolkata")
# A start before 2000 counts at its edge in a replica, and some queries read 800 days further back.
ALL_TIME = TimeWindow(datetime(2003, 1, 1, tzinfo=UTC), datetime(2027, 12, 31, tzinfo=UTC))
SEARCHES = (
    *(SessionSearch(sort=one) for one in ("recent", "cost", "duration")),
    SessionSearch(sort="tokens", text="a", min_cost_usd=-1.0, max_models=3),
    SessionSearch(tag="a", min_error_share=0.1, status="with failures"),
    SessionSearch(end_user="%", call_type="acompletion", many_requests_only=True),
)

PLAIN = (
    *("request_id", "session_id", "api_key", "spend", "prompt_tokens", "completion_tokens"),
    *("total_tokens", "startTime", "endTime", "request_duration_ms", "cache_hit", "status"),
    *("model", "model_group", "custom_llm_provider", "user", "team_id"),
)
DIMENSIONS = {
    "model": "model_group",
    "provider": "custom_llm_provider",
    "user": "user",
    "team": "team_id",
    "key": "api_key",
}


@dataclass(frozen=True)
class Case:
    """A log of one seed, and what its queries are given."""

    seed: int
    database: Database
    source: Postgres

    @cached_property
    def random(self) -> Random:
        return Random(self.seed)

    @cached_property
    def stored(self) -> list[dict[str, Any]]:
        """The rows as they are stored, without documents."""
        columns = [f'"{name}"::text AS "{name}"' for name in PLAIN]
        found = self.database.execute(f'SELECT {", ".join(columns)} FROM "LiteLLM_SpendLogs"')
        return [dict(zip(PLAIN, one, strict=True)) for one in found]

    @cached_property
    def looks(self) -> list[Filters]:
        """A day, all of time, and a part of either."""
        found = [DAY, Filters(ALL_TIME)]
        for _ in range(1):
            start = NOON + timedelta(milliseconds=self.random.randrange(-(10**6), 10**7))
            window = TimeWindow(
                start, start + timedelta(milliseconds=1 + 2 ** self.random.randrange(36))
            )
            chosen = {self.random.choice(tuple(DIMENSIONS)): tuple(self._ids()) for _ in range(2)}
            found.append(replace(DAY, window=window, **chosen))
        return found

    def _ids(self) -> Iterable[str]:
        ids = sorted({row[name] or NONE for row in self.stored for name in DIMENSIONS.values()})
        return [*self.random.sample([one for one in ids if len(one.encode()) < 64], 12), NONE]

    @cached_property
    def selections(self) -> list[Selection]:
        """The sessions of all of time, and some requests read together."""
        found = sessions.found_sessions(self.source, Filters(ALL_TIME), SessionSearch(), limit=300)
        chosen = [
            session(*one)
            for one in zip(found.rows["session_id"], found.rows["api_key"], strict=True)
        ]
        chosen = self.random.sample(chosen, min(len(chosen), MOST_SESSIONS))
        chosen.append(session("no amount", KEY))
        rows = row_ids(sessions.requests_of(self.source, chosen[0]))
        return [*chosen, Selection(chosen[0].api_key, rows=tuple(rows[:3]))]

    @cached_property
    def rows(self) -> list[RowId]:
        frames = [sessions.requests_of(self.source, one) for one in self.selections[:6]]
        return [row for frame in frames for row in row_ids(frame)]

    @property
    def keys(self) -> list[tuple[str, str]]:
        return [
            (f"{one.session_ids[0]}:{one.api_key}", one.session_ids[0])
            for one in self.selections[:-1]
        ]


@contextmanager
def filled(server: Any, seed: int, rows: list[Row] | None = None) -> Iterator[Case]:
    """A log with the rows of this seed, or these, and some clean ones."""
    database = Database(server)
    try:
        fuzz = Fuzz(seed)
        made = fuzz.rows(ROWS) if rows is None else rows
        database.insert([*CLEAN, *ODD, *FOUND])
        fill(database, made, fuzz.names(made))
        source = source_of(database)
        yield Case(seed, database, source)
        source.engine.dispose()
    finally:
        database.drop()


def failing(run: Any) -> list[str]:
    """What goes wrong in each of the runs, by its name: all of it, so that one look shows all."""
    found = []
    for name, one in run:
        try:
            one()
        except Exception as error:  # noqa: BLE001 - any of them is a finding
            found.append(f"{name}: {type(error).__name__}: {str(error)[:600]}")
    return list(dict.fromkeys(found))

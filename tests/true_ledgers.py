"""The ledgers of 323 requests as LiteLLM 1.110.2 wrote them, and what a gateway does to them.

All requests are of one minute of 28 November 2026. A database with them is a copy of one that
was filled once.
"""

import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.database import Database
from tests.replicas import opened, seen, written
from tests.server import Server
from tests.sources import source_of
from tracelib import ledgers
from tracelib.ledgers import Amount, Ledgers
from tracelib.ledgers.windows import Run
from tracelib.permissions.access import FULL, Access
from tracelib.querying.dispatch import is_portable
from tracelib.replica.reader import Replica
from tracelib.source import Postgres

FILE = Path(__file__).parent / "data" / "clean_ledgers.sql.gz"
NEWER_TABLES = Path(__file__).parent / "live" / "missing_tables.sql"
DAY = date(2026, 11, 28)
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ALICE = "a5530b57976d6eaab832d3fe76613fbf0d1b0e4d09f14fac32a98105e3d94463"
SERVICE = "97c4d5ccbd611e4e9e7fd8e11f8569460c0a56ad3c0c1c04fc40b355e609b941"
CAROL = "e41b986952e6e5917e58c251c6cf7e0634ec06ab6e8491286ede9a92b16d5428"
LOGS = '"LiteLLM_SpendLogs"'
DELIVERIES = '"LiteLLM_SpendLogDelivery"'
TABLES = {
    "user": ('"LiteLLM_DailyUserSpend"', "user_id", "coalesce(l.\"user\", '')"),
    "team": ('"LiteLLM_DailyTeamSpend"', "team_id", "coalesce(l.team_id, '')"),
    "tag": ('"LiteLLM_DailyTagSpend"', "tag", None),
}
_numbers = count(1)


@dataclass
class TrueLedgers:
    """A database with ledgers, and what happens to it."""

    database: Database

    def execute(self, *statements: str) -> list[tuple]:
        """Run statements as the owner; the rows of the last one."""
        return self.database.execute(*statements)

    def sums(self, where: str) -> Amount:
        """What these rows of the log add up to."""
        query = f"SELECT count(*), coalesce(sum(spend::numeric), 0) FROM {LOGS} l WHERE {where}"
        ((requests, usd),) = self.execute(query)
        return Amount(requests, Decimal(usd))

    def unbook(self, where: str, *owners: str) -> Amount:
        """Take these rows of the log out of the daily tables; what they add up to."""
        for owner in owners or TABLES:
            self._add(where, owner, -1)
        return self.sums(where)

    def book_again(self, where: str) -> Amount:
        """Add these rows of the log to the daily tables once more; what they add up to."""
        for owner in TABLES:
            self._add(where, owner, 1)
        return self.sums(where)

    def _add(self, where: str, owner: str, times: int) -> None:
        table, column, own = TABLES[owner]
        own = own or "t.tag"
        tags = (
            "CROSS JOIN jsonb_array_elements_text(l.request_tags) t(tag)" if owner == "tag" else ""
        )
        is_failure = "(l.status = 'failure')::int"
        self.execute(
            f"""CREATE TEMP TABLE moved AS SELECT {own} AS own, l.api_key, l.model,
              coalesce(l.custom_llm_provider, '') AS provider,
              coalesce(l.mcp_namespaced_tool_name, '') AS tool, count(*) AS n,
              sum({is_failure}) AS failed, sum(l.spend) AS spend, sum(l.prompt_tokens) AS prompt,
              sum(l.completion_tokens) AS completion
            FROM {LOGS} l {tags} WHERE {where} GROUP BY 1, 2, 3, 4, 5;
            UPDATE {table} d SET api_requests = d.api_requests + {times} * m.n,
              failed_requests = d.failed_requests + {times} * m.failed,
              successful_requests = d.successful_requests + {times} * (m.n - m.failed),
              spend = d.spend + {times} * m.spend,
              prompt_tokens = d.prompt_tokens + {times} * m.prompt,
              completion_tokens = d.completion_tokens + {times} * m.completion
            FROM moved m WHERE d.ctid = (SELECT ctid FROM {table} x
              WHERE (x.{column}, x.api_key, x.model, x.custom_llm_provider,
                x.mcp_namespaced_tool_name) = (m.own, m.api_key, m.model, m.provider, m.tool)
              ORDER BY x.api_requests DESC, x.endpoint LIMIT 1);
            DELETE FROM {table} WHERE api_requests = 0; DROP TABLE moved"""
        )

    def as_before_deliveries(self) -> None:
        """Let it be of a version that has no deliveries."""
        self.execute(f"DROP TABLE {DELIVERIES}")

    def compared(
        self,
        first: date = DAY,
        last: date = DAY,
        access: Access = FULL,
        now: datetime = NOW,
        url: str | None = None,
    ) -> Ledgers:
        """The comparison of these days, which is the same with a replica of the log."""
        source = source_of(self.database, url).seen_by(access)
        try:
            found = ledgers.ledgers(run_on(source), first, last, now)
            if url is None:
                assert shown(self.with_replica(first, last, access, now)) == shown(found)
            return found
        finally:
            source.engine.dispose()

    def with_replica(self, first: date, last: date, access: Access, now: datetime) -> Ledgers:
        """The comparison, the log of finished days from a replica in files."""
        source = source_of(self.database)
        try:
            with (
                TemporaryDirectory() as folder,
                opened(written(source, Path(folder))) as files,
            ):
                run = run_on(source.seen_by(access), seen(files, access))
                return ledgers.ledgers(run, first, last, now)
        finally:
            source.engine.dispose()


def run_on(source: Postgres, replica: Replica | None = None) -> Run:
    """Runs queries on the log, or those on its replica that it can run."""

    def run(queries: Sequence[tuple[Any, ...]], are_optional: bool = False) -> list[Any]:
        return [
            function(replica if replica and is_portable(function) else source, *arguments)
            for function, *arguments in queries
        ]

    return run


def shown(found: Ledgers) -> dict[str, Any]:
    """All of a comparison that is shown, but what is read of the ledgers alone."""
    return {one.name: getattr(found, one.name) for one in fields(found) if one.name != "booked"}


@contextmanager
def filled(server: Server) -> Iterator[Database]:
    """A database with the true ledgers, to be copied."""
    made = Database(server, name=f"true_ledgers_{next(_numbers)}")
    try:
        made.execute(NEWER_TABLES.read_text(), gzip.decompress(FILE.read_bytes()).decode())
        yield made
    finally:
        made.drop()


@contextmanager
def copied(of: Database) -> Iterator[TrueLedgers]:
    """A copy that may be changed, of a database that no one else has opened."""
    made = Database(of.server, name=f"{of.name}_{next(_numbers)}", copy_of=of.name)
    try:
        yield TrueLedgers(made)
    finally:
        made.drop()


def classes_of(found: Ledgers, kind: str = "days", own: str | None = None) -> dict[str, Amount]:
    """The classes of all days, or of one key, team, user or tag."""
    lines = found.days if kind == "days" else found.lines[kind]
    classes: dict[str, Amount] = {}
    for line in lines:
        if own is None or line.id == own:
            for name, part in line.classes.items():
                classes[name] = classes.get(name, Amount()).plus(part)
    return classes

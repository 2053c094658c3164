"""A proxy at work: its database as the app asks it, and all that it was sent."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.database import Database
from tests.live import traffic
from tests.live.answers import Json
from tests.live.client import Client, Exchange
from tests.live.ledger import Ledger
from tests.live.proxy import FLUSH_S, MASTER_KEY, PATIENCE_S, Proxy
from tests.live.vendor import Vendor
from tests.sources import source_of
from tracelib.filters import Filters
from tracelib.selection import Selection, session
from tracelib.source import Postgres
from tracelib.window import days

MISSING_TABLES = Path(__file__).parent / "missing_tables.sql"
LOGGED = 'SELECT count(*) FROM "LiteLLM_SpendLogs"'
DAILY = {
    "LiteLLM_DailyUserSpend": LOGGED,
    "LiteLLM_DailyTeamSpend": LOGGED,
    "LiteLLM_DailyEndUserSpend": f"{LOGGED} WHERE end_user <> ''",
    "LiteLLM_DailyTagSpend": f"{LOGGED}, jsonb_array_elements(request_tags)",
}
"""The tables of days, and how many requests of the log each should count."""


@dataclass
class Live:
    """A running proxy, those who talk to it, and its database. `source` asks as the app does."""

    proxy: Proxy
    vendor: Vendor
    client: Client
    database: Database
    source: Postgres

    @property
    def filters(self) -> Filters:
        """All that was sent, today or by a clock that was put back by some days."""
        today = datetime.now(UTC).date()
        return Filters(days(today - timedelta(7), today + timedelta(1), "UTC"))

    @property
    def ledger(self) -> Ledger:
        """LiteLLM's own view of the same days."""
        window = self.filters.window
        return Ledger(self.proxy, window.start.date(), window.end.date() - timedelta(1))

    def stored_key(self, alias: str) -> str:
        """A key as LiteLLM stores it."""
        if alias == "master":
            return "litellm_proxy_master_key"
        secret = self.client.keys.get(alias, alias)
        return hashlib.sha256(secret.encode()).hexdigest()

    def session(self, session_id: str, alias: str) -> Selection:
        """The requests of a session of a key."""
        return session(session_id, self.stored_key(alias))

    def sent_in(self, session_id: str) -> list[Exchange]:
        """What a client sent in the session to which it gave this id."""
        return [one for one in self.client.exchanges if one.request.session == session_id]

    def session_of(self, row: Json) -> Selection:
        """The session of a row of the log."""
        return session(row["session_id"], row["api_key"])

    def sessions(self) -> dict[Selection, list[Exchange]]:
        """The sessions that LiteLLM put the requests into, each with what was sent in it.

        A request that was turned away at the door is told no call id, so it is in none here.
        """
        sql = 'SELECT litellm_call_id, session_id, api_key FROM "LiteLLM_SpendLogs"'
        stored = {call_id: session(*one) for call_id, *one in self.database.execute(sql)}
        found: dict[Selection, list[Exchange]] = {}
        for exchange in filter(lambda one: one.call_id, self.client.exchanges):
            found.setdefault(stored[exchange.call_id], []).append(exchange)
        return found

    def wait_until_written(self) -> None:
        """Wait until the log has a row of each request, and the tables of days have them, too."""
        wait_for(lambda: not self._behind(), lambda: f"written and expected: {self._behind()}")

    def _behind(self) -> dict[str, tuple[int, int]]:
        """The tables that lack requests: how many they have, and how many there should be."""
        counts = {"LiteLLM_SpendLogs": (self._number(LOGGED), len(self.client.exchanges))}
        for table, logged in DAILY.items():
            added_up = f'SELECT coalesce(sum(api_requests), 0)::int FROM "{table}"'
            counts[table] = (self._number(added_up), self._number(logged))
        return {table: pair for table, pair in counts.items() if pair[0] != pair[1]}

    def _number(self, sql: str) -> int:
        return self.database.execute(sql)[0][0]


def wait_for(holds: Callable[[], bool], words: Callable[[], str]) -> None:
    """Wait until this holds; an AssertionError with these words if it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, words()
        time.sleep(0.2)


@contextmanager
def living(
    version: str,
    tcp_server,
    folder: Path,
    variables: Mapping[str, str] | None = None,
    flush_s: int = FLUSH_S,
) -> Iterator[Live]:
    """A proxy of this version on a database of its own, with teams, users and keys."""
    database = Database(tcp_server.server, name=f"litellm_{version.replace('.', '_')}")
    database.server.run_scripts(database.name, [MISSING_TABLES.read_text()])
    source = source_of(database)
    with Vendor().running() as vendor:
        url = tcp_server.url(database.name)
        proxy = Proxy(version, url, vendor, folder, variables or {}, flush_s)
        with proxy.running():
            client = Client(proxy.url, traffic.make_entities(proxy) | {"master": MASTER_KEY})
            yield Live(proxy, vendor, client, database, source)
            client.close()
    source.engine.dispose()
    database.drop()

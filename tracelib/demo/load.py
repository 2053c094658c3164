"""Fills the sample database, and brings it up to date when it is opened again."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2

from tracelib.demo import moves
from tracelib.demo.cast import User, cast
from tracelib.demo.gateway import DAYS, scene
from tracelib.demo.limits import limit
from tracelib.demo.rows import Row, moment
from tracelib.demo.story import SEED, requests

COLUMNS = (
    '"request_id", "call_type", "api_key", "spend", "total_tokens", "prompt_tokens", '
    '"completion_tokens", "startTime", "endTime", "completionStartTime", "model", "model_id", '
    '"model_group", "custom_llm_provider", "api_base", "user", "metadata", "cache_hit", '
    '"cache_key", "request_tags", "team_id", "end_user", "requester_ip_address", "messages", '
    '"response", "proxy_server_request", "session_id", "status", "mcp_namespaced_tool_name", '
    '"organization_id", "agent_id", "request_duration_ms", "created_at", "updated_at", '
    '"litellm_call_id", "billing_agent_id"'
)
_ORDER = tuple(name.strip(' "') for name in COLUMNS.split(","))
# Frozen rows need no vacuum before an index-only scan.
_COPY = f'COPY "LiteLLM_SpendLogs" ({COLUMNS}) FROM STDIN (FREEZE)'
_COPY_ARRIVING = f"COPY arriving ({COLUMNS}) FROM STDIN"
_TAKE_ARRIVING = 'INSERT INTO "LiteLLM_SpendLogs" SELECT * FROM arriving ON CONFLICT DO NOTHING'


def create(cursor: Any) -> None:
    """Create the tables, without the indexes of the request log."""
    names = ("spend_logs", "names", "ledger_tables", "budget_tables", "moves")
    for name in (f"{one}.sql" for one in names):
        cursor.execute(_script(name))


def add_indexes(cursor: Any) -> None:
    """Create the request log's indexes; after the rows this is faster."""
    cursor.execute(_script("indexes.sql"))


def drop(cursor: Any) -> None:
    """Remove everything that the sample has created."""
    cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def copy(cursor: Any, rows: Iterable[Row]) -> None:
    """Write rows into the empty log, in the transaction that has created it."""
    cursor.copy_expert(_COPY, Lines(rows), size=1 << 20)


def add(cursor: Any, rows: Iterable[Row]) -> int:
    """Write rows into the log, without those it has already. Returns how many were new."""
    cursor.execute('CREATE TEMP TABLE arriving (LIKE "LiteLLM_SpendLogs") ON COMMIT DROP')
    cursor.copy_expert(_COPY_ARRIVING, Lines(rows), size=1 << 20)
    cursor.execute(_TAKE_ARRIVING)
    added: int = cursor.rowcount
    return added


def book(cursor: Any) -> None:
    """Make ledgers and budgets of the log as it is now; the story must be remembered already."""
    cursor.execute(_script("ledgers.sql"))
    cursor.execute(_script("budgets.sql"))


def add_names(cursor: Any, deleted_at: datetime, now: datetime) -> None:
    """Write teams, users and keys as they are at `now`. One key has been deleted since."""
    people = cast()
    organization = (people.organization_id, people.organization_alias)
    cursor.execute('INSERT INTO "LiteLLM_OrganizationTable" VALUES (%s, %s)', organization)
    teams = [(team.id, team.alias, people.organization_id) for team in people.teams]
    cursor.executemany('INSERT INTO "LiteLLM_TeamTable" VALUES (%s, %s, %s)', teams)
    users = [_user(user, people.organization_id) for user in people.users]
    cursor.executemany('INSERT INTO "LiteLLM_UserTable" VALUES (%s, %s, %s, %s)', users)
    customers = [(f"customer-{number:04d}", None) for number in range(1, 161)]
    cursor.executemany('INSERT INTO "LiteLLM_EndUserTable" VALUES (%s, %s)', customers)
    _add_keys(cursor, deleted_at, now)


def _user(user: User, organization_id: str) -> tuple[str, ...]:
    return (user.id, user.alias, organization_id, user.email)


def _add_keys(cursor: Any, deleted_at: datetime, now: datetime) -> None:
    organization_id = cast().organization_id
    for key in (*cast().keys, *cast().idle_keys):
        name = f"sk-...{key.token[-4:]}"
        facts = (key.token, name, key.alias, key.user.id, key.team.id, organization_id)
        if key.is_deleted:
            cursor.execute(
                'INSERT INTO "LiteLLM_DeletedVerificationToken" '
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (f"deleted-{key.alias}", *facts, deleted_at),
            )
        else:
            cursor.execute(
                'INSERT INTO "LiteLLM_VerificationToken" VALUES (%s, %s, %s, %s, %s, %s, %s)',
                (*facts, key.agent),
            )
            limit(cursor, key, now)


class Lines:
    """Rows as a file in COPY's text format, made while PostgreSQL reads them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._lines: Iterator[bytes] = (_line(row) for row in rows)

    def read(self, size: int) -> bytes:
        """About `size` bytes, whole lines; b"" at the end."""
        taken: list[bytes] = []
        length = 0
        for line in self._lines:
            taken.append(line)
            length += len(line)
            if length >= size:
                break
        return b"".join(taken)


def _line(row: Row) -> bytes:
    return ("\t".join([_cell(row[name]) for name in _ORDER]) + "\n").encode()


def _cell(value: object) -> str:
    if value is None:
        return r"\N"
    text = str(value)
    # JSON text has no raw control characters, so only its backslashes need escaping.
    return text.replace("\\", r"\\") if "\\" in text else text


def _script(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


VERSION = 7
"""Of the story; a database with another version is filled again."""

_LONGEST_GAP = timedelta(days=10)

_REMEMBER = """
CREATE SCHEMA IF NOT EXISTS sample;
DROP TABLE IF EXISTS sample.story;
CREATE TABLE sample.story (version INTEGER, seed BIGINT, anchor TIMESTAMP);
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of the story a database has. Times are aware."""

    seed: int
    anchor: datetime
    until: datetime


def bring_up_to(connection: Any, now: datetime) -> None:
    """Make the database contain the story up to `now` (aware), whatever it contained before."""
    known = progress(connection)
    if known is None or now - known.until > _LONGEST_GAP or now < known.until - _LONGEST_GAP:
        _fill(connection, now)
    else:
        _continue(connection, known, now)


def progress(connection: Any) -> Progress | None:
    """How much of the story does it have? None if it has none, or one of another version."""
    with _transaction(connection) as cursor:
        cursor.execute("SELECT to_regclass('sample.story') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return None
        cursor.execute(
            'SELECT seed, anchor, (SELECT max("created_at") FROM "LiteLLM_SpendLogs")'
            " FROM sample.story WHERE version = %s",
            (VERSION,),
        )
        found = cursor.fetchone()
    if found is None or found[2] is None:
        return None
    return Progress(found[0], found[1].replace(tzinfo=UTC), found[2].replace(tzinfo=UTC))


def _fill(connection: Any, now: datetime) -> None:
    with _transaction(connection) as cursor:
        drop(cursor)
        create(cursor)
        copy(cursor, requests(SEED, now - timedelta(days=DAYS), now))
        add_indexes(cursor)
        add_names(cursor, moment(scene(now).newcomer_from), now)
        moves.record(cursor, scene(now), now)
        cursor.execute(_REMEMBER)
        cursor.execute(
            "INSERT INTO sample.story VALUES (%s, %s, %s)", (VERSION, SEED, _stored(now))
        )
        book(cursor)
    _tidy(connection, "ANALYZE")


def _continue(connection: Any, known: Progress, now: datetime) -> None:
    since = known.until + timedelta(milliseconds=1)
    with _transaction(connection) as cursor:
        cursor.execute('DELETE FROM "LiteLLM_SpendLogs" WHERE "created_at" > %s', (_stored(now),))
        cursor.execute(
            'DELETE FROM "LiteLLM_SpendLogs" WHERE "startTime" < %s',
            (_stored(now - timedelta(days=DAYS)),),
        )
        add(cursor, requests(known.seed, since, now, anchor=known.anchor))
        book(cursor)
    _tidy(connection, 'VACUUM (ANALYZE) "LiteLLM_SpendLogs"')


def _tidy(connection: Any, statement: str) -> None:
    """Statistics for the planner, and the visibility map that index-only scans need."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.autocommit = False


def _stored(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


@contextmanager
def _transaction(connection: Any) -> Iterator[Any]:
    with connection, connection.cursor() as cursor:
        yield cursor


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """A connection of psycopg2's, closed after the block. Raises psycopg2.Error."""
    plain = url.replace("postgresql+psycopg2://", "postgresql://")
    with closing(psycopg2.connect(plain, options="-c timezone=UTC")) as connection:
        yield connection

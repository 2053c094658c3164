"""What the tests run on: a real PostgreSQL with LiteLLM's real schema."""

import os
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
import streamlit as st
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy.util import LRUCache
from streamlit.testing.v1 import AppTest

from tests import litellm, rows
from tests.database import Database
from tests.database import role as make_role
from tests.pooler import PROGRAM, PgBouncer, pooling
from tests.server import Server, free_port, running
from tracelib import files
from tracelib.database_url import read_address
from tracelib.querying import installation, runner
from tracelib.querying.breaker import Breaker
from tracelib.querying.store import Store
from tracelib.settings import Settings
from tracelib.source import Postgres, connect

# Speed is measured by benchmarks. A busy machine must not fail a property.
hypothesis_settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("untimed")
# Each test that needs a replica says so: otherwise every database of a test would be weighed.
os.environ["TRACELIB_REPLICA"] = "off"
# Figures of another test are none of this one's.
os.environ["TRACELIB_KEEP_RESULTS"] = "no"


class CompiledStatements(LRUCache):
    """The compiled statements of all engines: equal for equal dialects of equal servers.

    SQLAlchemy keeps them for each engine, and each test has an engine of its own: compiling its
    statements again would take longer than the database takes to answer them. An engine whose
    options name a `compiled_cache`, or None, keeps to that.
    """

    def get(self, key: tuple[Hashable, ...], default: object = None) -> object:
        return super().get(_by_kind(key), default)

    def __setitem__(self, key: tuple[Hashable, ...], compiled: object) -> None:
        super().__setitem__(_by_kind(key), compiled)


def _by_kind(key: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    """The key of a statement with the kind of its dialect in place of the dialect."""
    dialect, *statement = key
    return type(dialect), dialect.server_version_info, *statement


COMPILED = CompiledStatements(500)


@sa.event.listens_for(sa.Engine, "engine_connect")
def _share_compiled_statements(connection: sa.Connection) -> None:
    if "compiled_cache" not in connection.get_execution_options():
        connection.execution_options(compiled_cache=COMPILED)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A running PostgreSQL of this session's own, with the templates of all versions."""
    with running() as server:
        yield server


@pytest.fixture
def spare_server() -> Iterator[Server]:
    """A server like `server` which the test may stop, start and reconfigure."""
    with running() as server:
        yield server


@pytest.fixture
def database(server: Server) -> Iterator[Callable[..., Database]]:
    """Makes databases for one test: `database(version, rows, partitioned)`.

    Each has LiteLLM's schema of that version and those rows; with `partitioned` its spend log
    has a partition for each day of the rows and its neighbours.
    """
    with ExitStack() as made:

        def make(
            version: str = "latest", rows: Iterable[dict] | None = None, partitioned: bool = False
        ) -> Database:
            new = Database(server, version)
            made.callback(new.drop)
            return _filled(new, list(rows or ()), partitioned)

        yield make


def _filled(new: Database, spend_logs: list[dict], partitioned: bool) -> Database:
    if partitioned:
        litellm.partition(new.engine, rows.days(spend_logs or [rows.spend_log()]))
    new.insert(spend_logs)
    return new


@pytest.fixture(scope="session")
def real_rows_database(server: Server) -> Iterator[Database]:
    """The latest schema with all true rows, shared by the session: to be read only."""
    shared = Database(server, name="real_rows")
    shared.insert(rows.real_rows())
    yield shared
    shared.drop()


@pytest.fixture(scope="session")
def empty_database(server: Server) -> Iterator[Database]:
    """The latest schema without a row, shared by the session: to be read only."""
    shared = Database(server, name="no_rows")
    yield shared
    shared.drop()


@pytest.fixture
def role() -> Callable[..., str]:
    """Makes roles: `role(database, name, grants)` is a URL that signs in with those grants."""
    return make_role


@dataclass(frozen=True)
class TcpServer:
    """Where a server listens on 127.0.0.1, and a role that signs in with a password."""

    server: Server
    host: str
    port: int
    user: str
    password: str

    def url(self, database: str = "postgres", password: str | None = None) -> str:
        """The URL of a database over TCP, with the right password unless given another."""
        secret = password or self.password
        return f"postgresql://{self.user}:{secret}@{self.host}:{self.port}/{database}"


@pytest.fixture(scope="session")
def tcp_server() -> Iterator[TcpServer]:
    """A second server, which listens on 127.0.0.1 and asks for a password (SCRAM)."""
    with running(port=free_port()) as server:
        server.execute("CREATE ROLE visitor LOGIN SUPERUSER PASSWORD 'correct-horse'")
        yield TcpServer(server, "127.0.0.1", server.port, "visitor", "correct-horse")


@pytest.fixture(scope="session")
def pgbouncer(server: Server) -> Iterator[PgBouncer]:
    """A PgBouncer in transaction mode before `server`: `pgbouncer.url(database)`."""
    if PROGRAM is None:
        pytest.skip("PgBouncer is not installed (Debian: apt install pgbouncer)")
    with pooling(server) as pooler:
        yield pooler


@pytest.fixture(autouse=True)
def no_path_of_files(monkeypatch) -> None:
    """A page that is run alone has no path to fetch files from, whatever another test served."""
    monkeypatch.setattr(files.OFFERS, "is_served", False)


@pytest.fixture
def fresh_caches(monkeypatch) -> Iterator[None]:
    """Nothing that another test has asked for: what is kept outlives a run of AppTest."""
    monkeypatch.setattr(runner, "STORE", Store())
    monkeypatch.setattr(runner, "BREAKER", Breaker())
    installation._REREAD_AT.clear()
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def open_page(fresh_caches, monkeypatch) -> Callable[..., AppTest]:
    """Opens a page on a database: `open_page(path, url, **query)`."""

    def opened(path: str, url: str, **query: str | list[str]) -> AppTest:
        monkeypatch.setenv("DATABASE_URL", url)
        app = AppTest.from_file("../Home.py", default_timeout=60)
        if path != "Home.py":
            app.switch_page(path)
        app.query_params.update({"refresh": "off"} | query)
        return app.run()

    return opened


@pytest.fixture
def open_source() -> Iterator[Callable[..., Postgres]]:
    """Makes sources: `open_source(url, **settings)`; their pools are closed after the test."""
    with ExitStack() as opened:

        def make(url: str, **settings: object) -> Postgres:
            source = connect(Settings(**settings), read_address(url))
            opened.callback(source.engine.dispose)
            return source

        yield make

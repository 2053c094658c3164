"""Statements for commands of PostgreSQL that take no parameters."""

from typing import Any

from sqlalchemy import Engine, Select
from sqlalchemy.dialects.postgresql.base import PGDialect


def with_values(statement: Select[Any], engine: Engine) -> str:
    """The statement with its values in it: COPY and EXPLAIN take no parameters."""
    # As another dialect of the same server: psycopg2's doubles each percent sign.
    dialect = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]
    dialect.server_version_info = engine.dialect.server_version_info
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))

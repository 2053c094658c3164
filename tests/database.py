"""One database of a test, with LiteLLM's schema; and the roles that may sign in to it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

import sqlalchemy as sa

from tests import litellm, rows
from tests.server import Server

_numbers = count(1)


@dataclass
class Database:
    """A copy of one version's template.

    `url` is what a user would paste, for the owner; `engine` writes; `insert` adds spend log
    rows. `roles` are those made for it, which go when it goes. `copy_of` names another database,
    which no one has open, to be copied in place of the template.
    """

    server: Server
    version: str = "latest"
    name: str = field(default_factory=lambda: f"test_{next(_numbers)}")
    roles: list[str] = field(default_factory=list)
    copy_of: str = ""

    def __post_init__(self) -> None:
        assert self.version in litellm.VERSIONS, f"{self.version} is none of {litellm.VERSIONS}"
        template = self.copy_of or litellm.template(self.version)
        self.server.execute(f"CREATE DATABASE {self.name} TEMPLATE {template} STRATEGY file_copy")

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    @cached_property
    def engine(self) -> sa.Engine:
        address = self.url.replace("postgresql://", "postgresql+psycopg2://")
        return sa.create_engine(address)

    def insert(self, spend_logs: Iterable[dict]) -> None:
        rows.insert(self.engine, spend_logs)

    def execute(self, *statements: str) -> list[tuple]:
        """Run statements one by one as the owner; the rows of the last one."""
        return self.server.execute(*statements, database=self.name)

    def drop(self) -> None:
        """Remove it and its roles, whoever is still connected."""
        self.engine.dispose()
        self.server.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
        for name in self.roles:
            self.server.execute(f'DROP ROLE IF EXISTS "{name}"')


def role(
    database: Database, name: str, grants: Iterable[str] = (), password: str | None = None
) -> str:
    """Make a role that may sign in and do what `grants` say; the URL that signs in as it.

    A grant is what stands between GRANT and TO: `'SELECT ON "LiteLLM_SpendLogs"'` or
    `'SELECT (request_id, spend) ON "LiteLLM_SpendLogs"'`. A role of the same name made before
    for this database is replaced. The password counts only over TCP.
    """
    if name in database.roles:
        database.execute(f'DROP OWNED BY "{name}"', f'DROP ROLE "{name}"')
    else:
        database.roles.append(name)
    secret = f"PASSWORD '{password}'" if password else ""
    database.execute(f'CREATE ROLE "{name}" LOGIN NOINHERIT {secret}')
    for grant in grants:
        database.execute(f'GRANT {grant} TO "{name}"')
    return database.server.url(database.name, user=name)

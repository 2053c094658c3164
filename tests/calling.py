"""The API of a database of a test, called as a program calls it: `Calls` with a token."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.database import Database
from tracelib import api
from tracelib.database_url import read_address
from tracelib.permissions.access import EVERYONE, Access, Role, Scope
from tracelib.permissions.tokens import Token
from tracelib.querying.installation import Installation
from tracelib.settings import Settings


def token(name: str, scope: Scope = EVERYONE, role: Role = "auditor") -> Token:
    """A token whose secret is `secret-of-` and its name."""
    return Token(name, hashlib.sha256(f"secret-of-{name}".encode()).digest(), Access(scope, role))


@dataclass(frozen=True)
class Calls:
    """An API, and the name of the token that is sent; None sends none."""

    client: TestClient
    name: str | None

    def by(self, name: str | None) -> "Calls":
        """The same API, called with another token."""
        return Calls(self.client, name)

    def send(self, method: str, path: str, headers: Any = None, **of: Any):
        """The response, whatever it is."""
        own = {"Authorization": f"Bearer secret-of-{self.name}"} if self.name else {}
        return self.client.request(method, path, headers=own if headers is None else headers, **of)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The answer, where there is one."""
        return _answer(self.send("GET", path, params=query))

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """The answer to this JSON, where there is one."""
        return _answer(self.send("POST", path, json=body))


def _answer(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    return response.json()


def place_of(url: str, tokens: Sequence[Token], **settings: object) -> Installation:
    """An installation that shows this database to these tokens."""
    known = Settings(api_tokens=tuple(tokens), **settings)
    return Installation(known, read_address(url), is_sample=False)


def calls(url: str, tokens: Sequence[Token], **settings: object) -> Calls:
    """The API of this database, called with the first of these tokens."""
    place = place_of(url, tokens, **settings)
    # Raised errors are answers, too.
    app = Starlette(routes=api.routes(lambda: place))
    client = TestClient(app, raise_server_exceptions=False)
    return Calls(client, tokens[0].name if tokens else None)


def calls_of(database: Database, *tokens: Token, **settings: object) -> Calls:
    """The same, of a database of a test; by a token that may see all, unless others are given."""
    return calls(database.url, tokens or [token("all")], **settings)

"""Virtual keys, each with one thing to find, or nothing: rows of LiteLLM's tables of keys."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count

import sqlalchemy as sa

from tests.rows import NOON, key_of

KEYS = '"LiteLLM_VerificationToken"'
DAY = timedelta(days=1)
# A key without a finding: an owner, an expiry, a budget, and use an hour ago.
SOUND = {
    "user_id": "user-1",
    "team_id": None,
    "created_at": NOON - 200 * DAY,
    "expires": NOON + 100 * DAY,
    "max_budget": 50.0,
    "last_active": NOON,
    "spend": 1.0,
    "models": [],
}
_numbers = count(1)


def plant(engine: sa.Engine, alias: str, **changes: object) -> str:
    """Add a key that is sound but for these changes; its hash."""
    token = str(changes.pop("token", key_of(alias)))
    insert(engine, "LiteLLM_VerificationToken", token=token, key_alias=alias, **SOUND | changes)
    return token


def insert(engine: sa.Engine, table: str, **values: object) -> None:
    """Add a row to this table, without the columns that its version lacks."""
    with engine.begin() as connection:
        found = sa.inspect(connection).get_columns(table)
        known = {column["name"]: column for column in found}
        row = {name: _stored(value) for name, value in values.items() if name in known}
        for name in ("created_at", "updated_at"):
            if name in known and name not in row and not known[name]["nullable"]:
                row[name] = _stored(NOON)
        columns = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join(_mark(name, known[name]) for name in row)
        statement = sa.text(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})')
        connection.execute(statement, row)


def change(engine: sa.Engine, alias: str, **changes: object) -> None:
    """Change this key."""
    assigned = ", ".join(f'"{name}" = :{name}' for name in changes)
    values = {name: _stored(value) for name, value in changes.items()}
    with engine.begin() as connection:
        statement = sa.text(f"UPDATE {KEYS} SET {assigned} WHERE key_alias = :alias")
        connection.execute(statement, values | {"alias": alias})


def grant_tools(engine: sa.Engine, servers: Iterable[str], tools: object = None) -> str:
    """Add a permission for these MCP servers and tools; its ID."""
    identity = f"permission-{next(_numbers)}"
    insert(
        engine,
        "LiteLLM_ObjectPermissionTable",
        object_permission_id=identity,
        mcp_servers=list(servers),
        mcp_tool_permissions=json.dumps(tools) if tools is not None else None,
    )
    return identity


def _mark(name: str, column: dict) -> str:
    return f"CAST(:{name} AS jsonb)" if isinstance(column["type"], sa.JSON) else f":{name}"


def _stored(value: object) -> object:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value

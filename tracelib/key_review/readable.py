"""Which facts of keys this database has and the role may read, and what is unknown without."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import FromClause, column, literal, null, select, table
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Boolean, DateTime, Float, Text, TypeEngine

from tracelib.schema import Schema

KEYS = "LiteLLM_VerificationToken"
TEAMS = "LiteLLM_TeamTable"
BUDGETS = "LiteLLM_BudgetTable"
RIGHTS = "LiteLLM_ObjectPermissionTable"
SERVERS = "LiteLLM_MCPServerTable"

Types = Mapping[str, type[TypeEngine[Any]] | TypeEngine[Any]]
# A table of the statement -> LiteLLM's table, and its columns that are read.
COLUMNS: Mapping[str, tuple[str, Types]] = {
    "key": (
        KEYS,
        {
            **dict.fromkeys(("token", "key_alias", "key_name", "user_id", "team_id"), Text),
            **dict.fromkeys(("budget_id", "object_permission_id"), Text),
            **dict.fromkeys(("created_at", "expires", "last_active", "key_rotation_at"), DateTime),
            **dict.fromkeys(("max_budget", "spend", "total_spend"), Float),
            **dict.fromkeys(("blocked", "auto_rotate"), Boolean),
            **dict.fromkeys(("budget_limits", "model_max_budget"), JSONB),
            "models": ARRAY(Text()),
        },
    ),
    "team": (TEAMS, {"team_id": Text, "max_budget": Float, "models": ARRAY(Text())}),
    "budget": (BUDGETS, {"budget_id": Text, "max_budget": Float}),
    "rights": (
        RIGHTS,
        {
            "object_permission_id": Text,
            "mcp_servers": ARRAY(Text()),
            "mcp_tool_permissions": JSONB,
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of keys by some columns, and since when LiteLLM has them."""

    name: str
    table: str
    columns: tuple[str, ...]
    since: str | None = None


FACTS = (
    Fact("expiry", KEYS, ("expires",)),
    Fact("blocked keys", KEYS, ("blocked",)),
    Fact("last activity", KEYS, ("last_active",), "2026-02-18"),
    Fact("spend of a key", KEYS, ("spend",)),
    Fact("creation", KEYS, ("created_at",)),
    Fact("owner", KEYS, ("user_id", "team_id")),
    Fact("budget of a key", KEYS, ("max_budget",)),
    Fact("linked budget", BUDGETS, ("budget_id", "max_budget")),
    Fact("budget of a team", TEAMS, ("team_id", "max_budget")),
    Fact("rotation", KEYS, ("auto_rotate", "key_rotation_at"), "2025-09-26"),
    Fact("granted models", KEYS, ("models",)),
    Fact("models of a team", TEAMS, ("team_id", "models")),
    Fact("granted tools", KEYS, ("object_permission_id",), "2025-05-07"),
    Fact("granted tools", RIGHTS, ("object_permission_id", "mcp_servers"), "2025-05-07"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """The tables of the statement, with NULL for what may not be read, and what is readable.

    `reads` has a truth value for each of `FACTS`; `unknown` a sentence for each that is not.
    """

    tables: Mapping[str, FromClause]
    reads: Mapping[str, bool]
    unknown: tuple[str, ...]


def parts_of(schema: Schema) -> Part:
    """Which facts of keys can be read here?"""
    tables = {name: _table(schema, name) for name in COLUMNS}
    reads = dict.fromkeys((fact.name for fact in FACTS), True)
    for fact in FACTS:
        reads[fact.name] &= _is_readable(schema, fact)
    return Part(tables, reads, tuple(_sentences(schema)))


def _is_readable(schema: Schema, fact: Fact) -> bool:
    return schema.reads(fact.table, *fact.columns)


def _sentences(schema: Schema) -> list[str]:
    if not schema.reads(KEYS, "token"):
        return [f"Keys cannot be reviewed: the role may not read {KEYS}."]
    lacking = [fact for fact in FACTS if not _is_readable(schema, fact)]
    found = [f"Unknown: {fact.name}. {_reason(schema, fact)}" for fact in lacking]
    if not schema.has("requester_ip_address"):
        found.append("Unknown: networks. The role may not read requester_ip_address.")
    if not schema.has("request_tags"):
        found.append("Unknown: user agents. The role may not read request_tags.")
    return found


def _reason(schema: Schema, fact: Fact) -> str:
    if not schema.exists(fact.table):
        return f"This version of LiteLLM has no table {fact.table}."
    lacking = [one for one in fact.columns if not schema.reads(fact.table, one)]
    where = f"{' and '.join(lacking)} of {fact.table}"
    if fact.since:
        return f"The role may not read {where}, or LiteLLM is from before {fact.since}."
    return f"The role may not read {where}."


def _table(schema: Schema, name: str) -> FromClause:
    """The table with typed NULLs for what may not be read; without rows if it has no readable ID.

    The first column is the one by which it is joined.
    """
    stored, types = COLUMNS[name]
    readable = [one for one in types if schema.reads(stored, one)]
    is_joined = next(iter(types)) in readable
    own = table(stored, *(column(one, _type(types[one])) for one in readable), schema=schema.name)
    values = [
        (own.c[one] if is_joined and one in readable else null().cast(_type(kind))).label(one)
        for one, kind in types.items()
    ]
    if is_joined:
        return select(*values).subquery(name)
    return select(*values).where(literal(False)).subquery(name)


def _type(kind: type[TypeEngine[Any]] | TypeEngine[Any]) -> TypeEngine[Any]:
    return kind() if isinstance(kind, type) else kind

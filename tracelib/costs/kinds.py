"""Who has a budget in LiteLLM: keys, teams and others, and the tables that hold them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import FromClause, column, literal, null, select, table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import DateTime, Float, Text, TypeEngine

from tracelib.schema import Schema

Kind = Literal["key", "team", "user", "member", "end_user", "organization", "tag"]
BUDGETS = "LiteLLM_BudgetTable"
OWN_BUDGET = ("max_budget", "budget_duration", "budget_reset_at")
TYPES: Mapping[str, type[TypeEngine[Any]]] = {
    **dict.fromkeys(("spend", "max_budget", "soft_budget", "temp_budget_increase"), Float),
    **dict.fromkeys(("budget_reset_at", "temp_budget_expiry"), DateTime),
    **dict.fromkeys(("metadata", "budget_limits"), JSONB),
}


@dataclass(frozen=True, slots=True)
class Owners:
    """A table of owners of budgets: its columns with their ID, their name, and their limits.

    `needed` must be readable; what is lost without one of `optional` is in a sentence.
    """

    table: str
    id: str
    title: str
    names: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    optional: tuple[str, ...] = ("budget_id",)


KINDS: Mapping[Kind, Owners] = {
    "key": Owners(
        "LiteLLM_VerificationToken",
        "token",
        "Key",
        ("key_alias", "key_name"),
        ("user_id", "team_id"),
        ("budget_id", *OWN_BUDGET, "budget_limits", "metadata"),
    ),
    "team": Owners(
        "LiteLLM_TeamTable",
        "team_id",
        "Team",
        ("team_alias",),
        (),
        (*OWN_BUDGET, "soft_budget", "budget_limits"),
    ),
    "user": Owners(
        "LiteLLM_UserTable", "user_id", "User", ("user_alias", "user_email"), (), OWN_BUDGET
    ),
    "member": Owners("LiteLLM_TeamMembership", "user_id", "Team member", (), ("team_id",)),
    "end_user": Owners("LiteLLM_EndUserTable", "user_id", "End user", ("alias",)),
    "organization": Owners(
        "LiteLLM_OrganizationTable", "organization_id", "Organization", ("organization_alias",)
    ),
    "tag": Owners("LiteLLM_TagTable", "tag_name", "Tag"),
}
LINKED = (*OWN_BUDGET, "soft_budget", "temp_budget_increase", "temp_budget_expiry")
# What is lost if a column cannot be read.
LOST: Mapping[str, str] = {
    "max_budget": "limits are unknown",
    "soft_budget": "soft limits are unknown",
    "budget_duration": "how long a budget lasts is unknown",
    "budget_reset_at": "resets are unknown",
    "budget_limits": "budgets of several windows are unknown",
    "budget_id": "linked budgets are unknown",
    "metadata": "temporary increases are unknown",
    "temp_budget_increase": "temporary increases of linked budgets are unknown",
}


def owners_of(schema: Schema, kind: Kind) -> FromClause | None:
    """The table of this kind, with NULL for what may not be read; None without ID or spend."""
    owners = KINDS[kind]
    if not schema.reads(owners.table, owners.id, "spend"):
        return None
    every = dict.fromkeys((owners.id, "spend", *owners.names, *owners.others, *owners.optional))
    return _readable(schema, owners.table, (*every, *(one for one in LINKED if one not in every)))


def linked_budgets(schema: Schema) -> FromClause:
    """The table of budgets that are linked; without rows if it may not be read."""
    found = _readable(schema, BUDGETS, ("budget_id", *LINKED))
    if schema.reads(BUDGETS, "budget_id"):
        return found
    return select(*found.c).where(literal(False)).subquery("no_budgets")


def _readable(schema: Schema, name: str, columns: tuple[str, ...]) -> FromClause:
    types = {one: TYPES.get(one, Text)() for one in columns}
    there = {one: kind for one, kind in types.items() if schema.reads(name, one)}
    stored = table(name, *(column(*one) for one in there.items()), schema=schema.name)
    values = [
        (stored.c[one] if one in there else null().cast(kind)).label(one)
        for one, kind in types.items()
    ]
    if there:
        return select(*values).select_from(stored).subquery()
    return select(*values).subquery()


def unreadable(schema: Schema) -> Iterator[str]:
    """What of budgets is unknown here, in a sentence each? It is not there, or not granted."""
    for owners in KINDS.values():
        what = f"{owners.title.lower()}s"
        if not schema.exists(owners.table):
            yield f"Budgets of {what} are unknown: LiteLLM has no {owners.table} here."
        elif not schema.reads(owners.table, owners.id, "spend"):
            yield f"Budgets of {what} are unknown: the role may not read {owners.table}."
        else:
            yield from _columns(schema, owners.table, owners.optional)
    if schema.exists(BUDGETS):
        yield from _columns(schema, BUDGETS, ("budget_id", *LINKED))
    else:
        yield f"Linked budgets are unknown: LiteLLM has no {BUDGETS} here."


def _columns(schema: Schema, name: str, columns: tuple[str, ...]) -> Iterator[str]:
    for one in columns:
        if one in LOST and not schema.reads(name, one):
            yield f"{LOST[one].capitalize()}: {one} of {name} may not be read, or is not there."

"""The keys of a viewer, as LiteLLM's tables have them, and what of them cannot be read."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.types import Boolean, Float, Text

from tracelib.filters import NONE, Filters
from tracelib.key_review.readable import KEYS, Part, parts_of
from tracelib.permissions.access import Scope
from tracelib.source import Postgres
from tracelib.spendlogs import names
from tracelib.spendlogs.conditions import can_be_stored, is_key_of, shown_key
from tracelib.spendlogs.types import utc

MOST_KEYS = 20_000
# The team of the short-lived keys with which people are signed in to LiteLLM's own interface.
OF_SIGN_INS = "litellm-dashboard"
# Whether None means that there is none, rather than that it may not be read.
KNOWN = {"knows_expiry": "expiry", "knows_owner": "owner", "knows_last_use": "last activity"}
EMPTY_JSON = ("null", "[]", "{}", '""')


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys, how many there are in all, and which of their facts cannot be read.

    `rows` has a row per key, by name, at most `MOST_KEYS`; None if the table may not be read:

        key                     text       the identity, for filters
        key_name, user_name, team_name     text, None without one
        user_id, team_id        text       None without one
        created_at, expires_at, last_active_at, rotation_at     aware UTC
        is_blocked, has_budget, rotates    bool; None if unknown
        knows_expiry, knows_owner, knows_last_use    bool, whether it may be read
        spend_usd               double     since the last reset, or in all if that is known
        models, team_models     list of text
        mcp_servers             list of text
        mcp_tools               JSON: tools by server
    """

    rows: pd.DataFrame | None
    total: int
    unknown: tuple[str, ...]


def keys_of(source: Postgres, filters: Filters) -> Keys:
    """Which keys are there, of the chosen keys, teams and users?"""
    schema = source.schema
    part = parts_of(schema)
    if not schema.reads(KEYS, "token"):
        return Keys(None, 0, part.unknown)
    found = source.frame(_statement(source, part, filters))
    total = int(found["total"].iloc[0]) if len(found) else 0
    return Keys(found.drop(columns="total"), total, part.unknown)


def _statement(source: Postgres, part: Part, filters: Filters) -> Select[Any]:
    schema = source.schema
    keys, team, budget, rights = (part.tables[name] for name in ("key", "team", "budget", "rights"))
    joined = (
        keys.outerjoin(team, _same(keys.c.team_id, team.c.team_id))
        .outerjoin(budget, _same(keys.c.budget_id, budget.c.budget_id))
        .outerjoin(rights, _same(keys.c.object_permission_id, rights.c.object_permission_id))
    )
    name = _name(keys)
    return (
        select(
            shown_key(keys.c.token).label("key"),
            name.label("key_name"),
            *_owners(source, keys),
            *_dates(keys),
            keys.c.blocked.label("is_blocked"),
            _has_budget(part, keys, team, budget).label("has_budget"),
            keys.c.auto_rotate.label("rotates"),
            func.greatest(keys.c.spend, keys.c.total_spend, type_=Float()).label("spend_usd"),
            *(literal(part.reads[fact]).label(name) for name, fact in KNOWN.items()),
            keys.c.models,
            team.c.models.label("team_models"),
            rights.c.mcp_servers,
            rights.c.mcp_tool_permissions.label("mcp_tools"),
            func.count().over().label("total"),
        )
        .select_from(joined)
        .where(*_chosen(keys, filters), _is_within(keys, schema.scope))
        .order_by(func.lower(name).collate("C"), keys.c.token.collate("C"))
        .limit(MOST_KEYS)
    )


def _same(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[bool]:
    return one == other


def _name(keys: FromClause) -> ColumnElement[str]:
    known = [func.nullif(keys.c[one], "", type_=Text()) for one in ("key_alias", "key_name")]
    return names.shown_as("key", shown_key(keys.c.token), *known)


def _owners(source: Postgres, keys: FromClause) -> list[ColumnElement[Any]]:
    found: list[ColumnElement[Any]] = []
    for dimension in ("user", "team"):
        owner = func.nullif(keys.c[f"{dimension}_id"], "", type_=Text())
        found.append(owner.label(f"{dimension}_id"))
        named = source.name_of(dimension, owner, null().cast(Text()))
        found.append(named.label(f"{dimension}_name"))
    return found


def _dates(keys: FromClause) -> list[ColumnElement[Any]]:
    shown = {
        "created_at": "created_at",
        "expires": "expires_at",
        "last_active": "last_active_at",
        "key_rotation_at": "rotation_at",
    }
    return [utc(keys.c[stored]).label(name) for stored, name in shown.items()]


def _has_budget(
    part: Part, keys: FromClause, team: FromClause, budget: FromClause
) -> ColumnElement[bool | None]:
    """Is a limit known? None if there is none that may be read, and another may be there."""
    limits = [keys.c.max_budget, budget.c.max_budget, team.c.max_budget]
    by_model = [
        cast(keys.c[one], Text()).not_in(EMPTY_JSON)
        for one in ("budget_limits", "model_max_budget")
    ]
    has_one = or_(*(limit.is_not(None) for limit in limits), *map(_known, by_model))
    may_be_hidden = or_(
        literal(not part.reads["budget of a key"]),
        and_(literal(not part.reads["linked budget"]), keys.c.budget_id.is_not(None)),
        and_(literal(not part.reads["budget of a team"]), keys.c.team_id.is_not(None)),
    )
    return case((has_one, true()), (may_be_hidden, null().cast(Boolean())), else_=false())


def _known(condition: ColumnElement[Any]) -> ColumnElement[bool]:
    return func.coalesce(condition, False, type_=Boolean())


def _chosen(keys: FromClause, filters: Filters) -> list[ColumnElement[bool]]:
    """The keys, teams and users in the filters; those of sign-ins are left out."""
    of_sign_ins = _known(keys.c.team_id == OF_SIGN_INS)
    conditions: list[ColumnElement[bool]] = [not_(of_sign_ins)]
    if filters.key:
        conditions.append(is_key_of(keys.c.token, [one for one in filters.key if one != NONE]))
    for dimension, ids in (("team", filters.team), ("user", filters.user)):
        if ids:
            owner = func.nullif(keys.c[f"{dimension}_id"], "", type_=Text())
            named = owner.in_([one for one in ids if one != NONE and can_be_stored(one)])
            conditions.append(or_(named, owner.is_(None)) if NONE in ids else named)
    return conditions


def _is_within(keys: FromClause, scope: Scope) -> ColumnElement[bool]:
    """Which keys belong to this scope: named in it, or of its teams and users?"""
    if scope.is_all:
        return true()
    owned = [
        keys.c[name].in_([one for one in ids if can_be_stored(one)])
        for name, ids in (("team_id", scope.teams), ("user_id", scope.users))
        if ids
    ]
    return or_(is_key_of(keys.c.token, [one for one in scope.keys if one]), *owned)

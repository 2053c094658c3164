"""Names for IDs: LiteLLM's aliases and e-mails, or shortened hashes."""

import re
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    column,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    table,
    type_coerce,
)
from sqlalchemy.types import DateTime, Integer, Text

from tracelib.keys import HIDDEN
from tracelib.keys import NAMES as KEYS
from tracelib.schema import NAMED_BY, Schema
from tracelib.spendlogs.conditions import HASH_LENGTH, shown_key, spend_logs, stored
from tracelib.spendlogs.documents import decoded
from tracelib.spendlogs.measures import last_of
from tracelib.spendlogs.types import BETWEEN

LONG_HASH = "([0-9a-fA-F]{8})[0-9a-fA-F]{8,}$"
KEY_TABLE = "LiteLLM_VerificationToken"
# Of keys that were deleted, and of hashes that a rotation has replaced.
OLD_KEY_TABLES = ("LiteLLM_DeletedVerificationToken", "LiteLLM_DeprecatedVerificationToken")
JWT = "hashed-jwt-"
IN_METADATA = {"key": "user_api_key_alias", "team": "user_api_key_team_alias"}


def name_of(
    schema: Schema,
    dimension: str,
    identity: ColumnElement[str],
    sample_request_id: ColumnElement[str],
) -> ColumnElement[str]:
    """What is the name of this ID? For few rows: it looks up each ID by primary key.

    The name table's alias, else the alias in the row `sample_request_id` (IDs outlive the tables),
    else the ID itself, a key's hash shortened. None stays None.
    """
    if dimension not in NAMED_BY:
        return identity
    looked_up = [_looked_up(schema, place, identity) for place in NAMED_BY[dimension]]
    known = [name for names in looked_up for name in names]
    carried = _carried(schema, dimension, identity, sample_request_id)
    return shown_as(dimension, identity, *known, *carried)


def shown_as(
    dimension: str, identity: ColumnElement[str], *names: ColumnElement[str]
) -> ColumnElement[str]:
    """The first of these names that is known, else the ID; a key's hash is shortened."""
    named = func.coalesce(*names, _shortened(dimension, identity), type_=Text())
    # Old failures have the alias of a key without the key: no ID, no name.
    known_id = case((identity.is_not(None), named))
    if dimension != "key":
        return type_coerce(known_id, Text())
    return type_coerce(case(KEYS, value=identity, else_=known_id), Text())


def is_unnamed(identity: ColumnElement[str], name: ColumnElement[str]) -> ColumnElement[bool]:
    """Which of these keys have no name, and are shown by their hash? `name` is that of `name_of`.

    JSON web tokens and LiteLLM's own keys have none by nature, and are not meant.
    """
    length: ColumnElement[int] = func.length(identity, type_=Integer())
    is_hidden = and_(identity.startswith(HIDDEN), not_(identity.startswith(JWT)))
    return and_(or_(length == HASH_LENGTH, is_hidden), name == shown_as("key", identity))


def all_names(schema: Schema) -> list[Select[Any]]:
    """Which names do the name tables have? A statement per table that may be read.

    A row per ID: dimension, `place` of the table in the order of preference, id, its name, None if
    it is empty, and all of its names in one text.
    """
    return [
        select(
            literal(dimension, Text()).label("dimension"),
            literal(place).label("place"),
            ids.label("id"),
            last_of(func.coalesce(*names, type_=Text())).label("name"),
            func.string_agg(func.concat_ws(BETWEEN, *names), BETWEEN).label("searched"),
        ).group_by(ids)
        for dimension, tables in NAMED_BY.items()
        for place, one in enumerate(tables)
        for ids, names in _readable(schema, one)
    ]


def known_keys(schema: Schema) -> FromClause | None:
    """The tokens of all keys that are or were known, with their expiry; None if unreadable.

    Also those that were deleted, or replaced at a rotation with a grace period.
    """
    if not schema.reads(KEY_TABLE, "token"):
        return None
    expires = null().cast(DateTime())
    keys = table(
        KEY_TABLE, column("token", Text()), column("expires", DateTime()), schema=schema.name
    )
    own = keys.c.expires if schema.reads(KEY_TABLE, "expires") else expires
    found = [select(keys.c.token, own.label("expires"))]
    for name in OLD_KEY_TABLES:
        if schema.reads(name, "token"):
            old = table(name, column("token", Text()), schema=schema.name)
            found.append(select(old.c.token, expires.label("expires")))
    every = found[0].union_all(*found[1:]).subquery("every")
    expiry = func.max(every.c.expires, type_=DateTime()).label("expires")
    return select(every.c.token, expiry).group_by(every.c.token).subquery("known")


def ids_called(schema: Schema, dimension: str, text: str) -> list[Select[Any]]:
    """Which IDs of a dimension have this text in a name? A statement per name table.

    Case is ignored; `%` and `_` are literal.
    """
    return [
        select(ids).where(or_(*(name.icontains(text, autoescape=True) for name in names)))
        for place in NAMED_BY[dimension]
        for ids, names in _readable(schema, place)
    ]


def _looked_up(
    schema: Schema, place: tuple[str, str, tuple[str, ...]], identity: ColumnElement[str]
) -> list[ColumnElement[str]]:
    # A deleted key may be there twice, so a maximum rather than a single row.
    return [
        select(last_of(func.coalesce(*names, type_=Text())))
        .where(ids == identity)
        .scalar_subquery()
        for ids, names in _readable(schema, place)
    ]


def _readable(
    schema: Schema, place: tuple[str, str, tuple[str, ...]]
) -> list[tuple[ColumnElement[str], list[ColumnElement[str]]]]:
    """The ID column of a name table and its readable names; empty if there are none."""
    name, id_column, name_columns = place
    readable = [one for one in name_columns if schema.reads(name, id_column, one)]
    if not readable:
        return []
    source = table(
        name,
        column(id_column, Text()),
        *(column(one, Text()) for one in readable),
        schema=schema.name,
    )
    return [
        (source.c[id_column], [func.nullif(source.c[one], "", type_=Text()) for one in readable])
    ]


def _carried(
    schema: Schema,
    dimension: str,
    identity: ColumnElement[str],
    sample_request_id: ColumnElement[str],
) -> list[ColumnElement[str]]:
    if dimension not in IN_METADATA or not schema.has("metadata"):
        return []
    logs = spend_logs(schema).alias("sample")
    facts = decoded(logs.c.metadata, "object")
    alias = facts.op("->>", return_type=Text())(IN_METADATA[dimension])
    alias_text = last_of(func.nullif(alias, "", type_=Text()))
    # In a partitioned log, rows of other keys and teams may have the same request ID.
    own = shown_key(logs.c.api_key) if dimension == "key" else stored(logs, "team_id")
    same = (logs.c.request_id == sample_request_id, own == identity)
    return [select(alias_text).where(*same).scalar_subquery()]


def shortened(key: str) -> str:
    """The identity of a key as it is shown without a name: the start of a hash.

    >>> shortened("0123456789abcdef" * 4), shortened("litellm-cli")
    ('01234567…', 'litellm-cli')
    """
    return re.sub(LONG_HASH, r"\1…", key)


def _shortened(dimension: str, identity: ColumnElement[str]) -> ColumnElement[str]:
    """The ID; a hash of 64 digits is shortened to eight, which still distinguish two keys."""
    if dimension != "key":
        return identity
    return func.regexp_replace(identity, LONG_HASH, r"\1…", type_=Text())

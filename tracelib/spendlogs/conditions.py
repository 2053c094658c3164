"""LiteLLM's table as it is stored, what of it may be shown, and the filters as conditions on it."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Subquery,
    and_,
    bindparam,
    case,
    column,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import BYTEA, JSONB
from sqlalchemy.types import Boolean, DateTime, Float, Integer, Text, TypeEngine

from tracelib.filters import DIMENSIONS, NONE, Filters
from tracelib.keys import (
    CLI_SESSION,
    CLI_TOKEN,
    DIGITS,
    HASHED_JWT,
    HIDDEN,
    NAMES,
    NO_KEY,
    is_stored_so,
    key_identity,
)
from tracelib.permissions.access import Scope
from tracelib.schema import Schema
from tracelib.spendlogs.types import Identity
from tracelib.window import TimeWindow

HASH_LENGTH = 64
# Any shorter name is shown; a longer one has no white space, unless it is an MCP tool's.
SHORT_NAME, LONGEST_NAME = 64, 200
ONE_WORD = "^(MCP: )?[^[:space:][:cntrl:]]+$"
LONG_NAME = "long-name-"


def shown_key(key: ColumnElement[str]) -> ColumnElement[str]:
    """The identity of a stored key, as `keys.key_identity` defines it; empty for no key."""
    if isinstance(key.type, Identity):
        return key
    is_named = or_(
        key.in_(list(NAMES)),
        key.regexp_match(f"^{HASHED_JWT}$"),
        and_(
            key.startswith(CLI_SESSION, autoescape=True), not_(key.regexp_match(f"^{CLI_TOKEN}$"))
        ),
    )
    return case(
        (_is_hash(key), key),
        (key.in_(NO_KEY), ""),
        (is_named, key),
        else_=_hashed(HIDDEN, key),
    )


def key_or_none(key: ColumnElement[str]) -> ColumnElement[str]:
    """The same, NULL for no key."""
    return func.nullif(shown_key(key), "", type_=Text())


def is_key_of(key: ColumnElement[str], identities: Iterable[str]) -> ColumnElement[bool]:
    """Which rows have a stored key with one of these identities?

    The key itself is accepted as its identity, as in an old link. Hashes are compared with the
    column as it is, so that its index is used.
    """
    known = [key_identity(one) for one in identities]
    stored = [one for one in known if is_stored_so(one)]
    stored += NO_KEY if "" in known else ()
    others = [one for one in known if can_be_stored(one) and not is_stored_so(one)]
    found = [key.in_(stored)] if stored else []
    found += [shown_key(key).in_(others)] if others else []
    return or_(false(), *found)


def shown_name(name: ColumnElement[str]) -> ColumnElement[str]:
    """The model name as it is shown: itself, unless it is too long to be a name.

    Clients have sent their prompts as the model; such a text is replaced by a short hash.
    """
    length: ColumnElement[int] = func.octet_length(name, type_=Integer())
    is_name = and_(length <= LONGEST_NAME, name.regexp_match(ONE_WORD))
    return case(
        (length <= SHORT_NAME, name), (is_name, name), (name.is_not(None), _hashed(LONG_NAME, name))
    )


def _is_hash(key: ColumnElement[str]) -> ColumnElement[bool]:
    # A pattern of 64 digits takes PostgreSQL twenty times as long.
    length: ColumnElement[int] = func.octet_length(key, type_=Integer())
    return and_(length == HASH_LENGTH, not_(key.regexp_match("[^0-9a-fA-F]")))


def _hashed(beginning: str, text: ColumnElement[str]) -> ColumnElement[str]:
    digest = func.sha256(func.convert_to(text, "UTF8", type_=BYTEA()), type_=BYTEA())
    return func.concat(beginning, func.left(func.encode(digest, "hex"), DIGITS), type_=Text())


STORED: dict[str, type[TypeEngine[Any]]] = {
    "request_id": Text,
    "call_type": Text,
    "api_key": Text,
    "spend": Float,
    "total_tokens": Integer,
    "prompt_tokens": Integer,
    "completion_tokens": Integer,
    "startTime": DateTime,
    "endTime": DateTime,
    "completionStartTime": DateTime,
    "model": Text,
    "model_group": Text,
    "model_id": Text,
    "custom_llm_provider": Text,
    "api_base": Text,
    "user": Text,
    "end_user": Text,
    "team_id": Text,
    "cache_hit": Text,
    "request_tags": JSONB,
    "metadata": JSONB,
    "messages": JSONB,
    "response": JSONB,
    "proxy_server_request": JSONB,
    "session_id": Text,
    "status": Text,
    "mcp_namespaced_tool_name": Text,
    "organization_id": Text,
    "agent_id": Text,
    "request_duration_ms": Integer,
    "created_at": DateTime,
    "litellm_call_id": Text,
    "requester_ip_address": Text,
}
# Of `{}`, `[]`, `""` or `null` as jsonb.
EMPTY_BYTES = 12
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


# The parts of a query are the same each time, and take milliseconds to build.
@lru_cache(maxsize=64)
def spend_logs(schema: Schema) -> FromClause:
    """The table of requests, with only the columns and rows that may be read.

    All queries of the log select from this, so that none can read outside a scope.
    """
    readable = [column(name, kind()) for name, kind in STORED.items() if schema.has(name)]
    logs = table(schema.table, *readable, schema=schema.name)
    if schema.scope.is_all:
        return logs
    return select(logs).where(_is_within(logs, schema.scope)).subquery("own_logs")


def _is_within(logs: FromClause, scope: Scope) -> ColumnElement[bool]:
    named = {"team_id": scope.teams, "user": scope.users}
    keys = [one for one in map(key_identity, _storable(scope.keys)) if one]
    return or_(
        is_key_of(logs.c.api_key, keys),
        *(stored(logs, name).in_(_storable(ids)) for name, ids in named.items() if ids),
    )


def _storable(ids: Iterable[str]) -> list[str]:
    return [one for one in ids if can_be_stored(one)]


def stored(logs: FromClause, name: str) -> ColumnElement[Any]:
    """The column with LiteLLM's name. A typed NULL if it is missing."""
    if name in logs.c:
        return logs.c[name]
    return null().cast(STORED[name]())


def has_body(logs: FromClause, name: str) -> ColumnElement[bool]:
    """Is there more in this column than an empty JSON value? None if it may not be read.

    By its size, for which PostgreSQL reads nothing of the document.
    """
    return case((literal(name in logs.c), is_filled(stored(logs, name))))


def is_filled(document: ColumnElement[Any]) -> ColumnElement[bool]:
    """Is there more in this JSON value than an empty one? By its size; False for NULL."""
    size: ColumnElement[int] = func.pg_column_size(document, type_=Integer())
    return func.coalesce(size > EMPTY_BYTES, False, type_=Boolean())


def can_be_stored(text: str) -> bool:
    """Can PostgreSQL store this text as an ID? It refuses NUL and lone surrogates.

    >>> can_be_stored("chatcmpl-1"), can_be_stored(""), can_be_stored("\\0")
    (True, False, False)
    """
    return bool(text) and not UNSTORABLE.search(text)


def in_window(logs: FromClause, window: TimeWindow) -> tuple[ColumnElement[bool], ...]:
    """Which rows start in the window? On the bare column, so that its index is used."""
    return (
        logs.c.startTime >= _stored_utc("window_start", window.start),
        logs.c.startTime < _stored_utc("window_end", window.end),
    )


def chosen_ids(
    clean: Mapping[str, ColumnElement[Any]], filters: Filters
) -> list[ColumnElement[bool]]:
    """Which rows match each filtered dimension? `NONE` selects the rows without a value."""
    return [
        _is_key(clean["stored_key"], ids)
        if dimension == "key"
        else _is_one_of(clean[dimension], ids)
        for dimension, ids in filters.chosen().items()
    ]


def passes(requests: FromClause, filters: Filters) -> tuple[ColumnElement[bool], ...]:
    """Which rows that were found by an ID also match the filters?"""
    clean = {name: requests.c[name] for name in (*DIMENSIONS, "stored_key")}
    return (
        requests.c.started_at >= filters.window.start,
        requests.c.started_at < filters.window.end,
        *chosen_ids(clean, filters),
    )


def of_key(requests: Subquery, api_key: str) -> ColumnElement[bool]:
    """Which rows have the key with this identity?"""
    return is_key_of(requests.c.stored_key, [api_key])


def _is_key(key: ColumnElement[str], ids: tuple[str, ...]) -> ColumnElement[bool]:
    return is_key_of(key, ["" if one == NONE else one for one in ids])


def _is_one_of(value: ColumnElement[Any], ids: tuple[str, ...]) -> ColumnElement[bool]:
    named = value.in_([one for one in ids if one != NONE and can_be_stored(one)])
    return or_(named, value.is_(None)) if NONE in ids else named


def _stored_utc(name: str, moment: object) -> ColumnElement[Any]:
    """The moment in UTC: the session's time zone must not shift a column without a zone."""
    bound = bindparam(name, moment, DateTime(timezone=True), unique=True)
    return func.timezone("UTC", bound, type_=DateTime())

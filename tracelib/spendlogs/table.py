"""SpendLogs as it lies in the database: the columns we read, by LiteLLM's own names."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, FromClause, column, null, or_, select, table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import DateTime, Float, Integer, Text, TypeEngine

from tracelib.access import Scope
from tracelib.keys import key_identity
from tracelib.schema import Schema
from tracelib.spendlogs.shown import is_key_of

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
}
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


# What a question is built of is the same each time, and takes milliseconds to build.
@lru_cache(maxsize=64)
def spend_logs(schema: Schema) -> FromClause:
    """Which rows hold the requests? Only columns and rows that whoever asks may read.

    Everything that is asked of the log is asked of this, so that nothing reaches past a scope.
    """
    readable = [column(name, kind()) for name, kind in STORED.items() if schema.has(name)]
    logs = table(schema.table, *readable, schema=schema.name)
    if schema.scope.is_all:
        return logs
    return select(logs).where(_is_within(logs, schema.scope)).subquery("own_logs")


def _is_within(logs: FromClause, scope: Scope) -> ColumnElement[bool]:
    named = {"team_id": scope.teams, "user": scope.users}
    somebody = [one for one in map(key_identity, _storable(scope.keys)) if one]
    return or_(
        is_key_of(logs.c.api_key, somebody),
        *(stored(logs, name).in_(_storable(ids)) for name, ids in named.items() if ids),
    )


def _storable(ids: Iterable[str]) -> list[str]:
    return [one for one in ids if can_be_stored(one)]


def stored(logs: FromClause, name: str) -> ColumnElement[Any]:
    """What does the row hold under LiteLLM's name? A typed NULL where the column is missing."""
    if name in logs.c:
        return logs.c[name]
    return null().cast(STORED[name]())


def can_be_stored(text: str) -> bool:
    """May PostgreSQL hold this as somebody's id? NUL and half characters it refuses.

    >>> can_be_stored("chatcmpl-1"), can_be_stored(""), can_be_stored("\\0")
    (True, False, False)
    """
    return bool(text) and not UNSTORABLE.search(text)

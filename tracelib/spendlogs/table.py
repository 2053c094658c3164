"""SpendLogs as it lies in the database: the columns we read, by LiteLLM's own names."""

import re
from typing import Any

from sqlalchemy import ColumnElement, TableClause, column, null, table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import DateTime, Float, Integer, Text, TypeEngine

from tracelib.schema import Schema

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


def spend_logs(schema: Schema) -> TableClause:
    """Which table holds the requests? Only columns that this database lets us read."""
    readable = [column(name, kind()) for name, kind in STORED.items() if schema.has(name)]
    return table(schema.table, *readable, schema=schema.name)


def stored(logs: TableClause, name: str) -> ColumnElement[Any]:
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

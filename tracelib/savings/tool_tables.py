"""Tools that LiteLLM has seen and no request has called, by LiteLLM's own tables: no body is read.

LiteLLM_ToolTable has each tool that was ever offered or called, LiteLLM_SpendLogToolIndex each
call.
"""

from datetime import UTC
from typing import Any

from sqlalchemy import Select, and_, column, exists, literal, select, table
from sqlalchemy.types import DateTime, Text

from tracelib.filters import Filters
from tracelib.source import Postgres
from tracelib.spendlogs.measures import alphabetical

TOOLS, CALLS = "LiteLLM_ToolTable", "LiteLLM_SpendLogToolIndex"
MOST = 200


def tools_without_calls(source: Postgres, filters: Filters) -> tuple[str, ...] | None:
    """Which tools were last seen in this range or later, and not called in it? In order, 200.

    Of the whole installation: other filters do not apply. None if a table may not be read, or for a
    viewer who sees only a part of the requests.
    """
    schema = source.schema
    are_readable = schema.reads(TOOLS, "tool_name", "last_used_at") and schema.reads(
        CALLS, "tool_name", "start_time"
    )
    if not are_readable or not schema.scope.is_all:
        return None
    return tuple(one.tool_name for one in source.rows(_without_calls(source, filters)))


def _without_calls(source: Postgres, filters: Filters) -> Select[Any]:
    name, seen, start = (
        column("tool_name", Text()),
        column("last_used_at", DateTime()),
        column("start_time", DateTime()),
    )
    tools = table(TOOLS, name, seen, schema=source.schema.name)
    calls = table(CALLS, column("tool_name", Text()), start, schema=source.schema.name)
    first, end = (
        literal(one.astimezone(UTC).replace(tzinfo=None), DateTime())
        for one in (filters.window.start, filters.window.end)
    )
    is_called = exists().where(
        and_(
            calls.c.tool_name == tools.c.tool_name,
            calls.c.start_time >= first,
            calls.c.start_time < end,
        )
    )
    order = alphabetical(tools.c.tool_name)
    seen_then = select(tools.c.tool_name).where(tools.c.last_used_at >= first, ~is_called)
    return seen_then.order_by(order).limit(MOST)

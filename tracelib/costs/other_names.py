"""Names of end users and agents, which have tables of their own."""

from collections.abc import Mapping

from sqlalchemy import column, func, select, table
from sqlalchemy.types import Text

from tracelib.source import Postgres
from tracelib.spendlogs.conditions import can_be_stored

# The table, its column with the ID, and that with the name.
NAMED_IN: Mapping[str, tuple[str, str, str]] = {
    "end_user": ("LiteLLM_EndUserTable", "user_id", "alias"),
    "agent": ("LiteLLM_AgentsTable", "agent_id", "agent_name"),
}


def other_names(
    source: Postgres, by: str, ids: tuple[str | None, ...]
) -> tuple[tuple[str, str], ...]:
    """What are the names of these end users or agents? Pairs of ID and name.

    Empty for any other dimension, if the names may not be read, or for a viewer of a part: an ID
    could be another's.
    """
    known = [one for one in ids if one and can_be_stored(one)]
    if by not in NAMED_IN or not known or not source.schema.scope.is_all:
        return ()
    name, own, called = NAMED_IN[by]
    if not source.schema.reads(name, own, called):
        return ()
    rows = table(name, column(own, Text()), column(called, Text()), schema=source.schema.name)
    shown = func.nullif(rows.c[called], "", type_=Text())
    found = (
        select(rows.c[own].label("id"), shown.label("name"))
        .where(rows.c[own].in_(known), shown.is_not(None))
        .order_by(rows.c[own].collate("C"))
    )
    return tuple((row.id, row.name) for row in source.rows(found))

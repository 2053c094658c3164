"""Single fields of a stored request, taken out where the row lies."""

from typing import Any

from sqlalchemy import ColumnElement, TableValuedAlias, column, func
from sqlalchemy.types import TypeEngine

from tracelib.spendlogs.documents import decoded


def body_fields(body: ColumnElement[Any], kind: TypeEngine[Any], *names: str) -> TableValuedAlias:
    """Which values do these fields of a body have? One row of a column each, to join laterally.

    `kind` is JSONB or Text. NULL where a field is missing; a body that is no object has none.
    """
    return (
        func.jsonb_to_record(decoded(body, "object"))
        .table_valued(*(column(name, kind) for name in names), name="fields")
        .render_derived(with_types=True)
    )

"""Single fields of a stored request, taken out where the row lies."""

from typing import Any

from sqlalchemy import ColumnElement, TableValuedAlias, case, column, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine


def body_fields(body: ColumnElement[Any], kind: TypeEngine[Any], *names: str) -> TableValuedAlias:
    """Which values do these fields of a body have? One row of a column each, to join laterally.

    `kind` is JSONB or Text. NULL where a field is missing; a body that is no object has none.
    """
    is_object = func.jsonb_typeof(body) == "object"
    document = case((is_object, body), else_=func.jsonb_build_object(type_=JSONB()))
    return (
        func.jsonb_to_record(document)
        .table_valued(*(column(name, kind) for name in names), name="fields")
        .render_derived(with_types=True)
    )

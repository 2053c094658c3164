"""The tags that clients sent, out of a JSON list that LiteLLM adds its own to."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, case, column, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import Text

# LiteLLM tags each request with its user agent, twice.
AUTOMATIC_TAG = "User-Agent:"


def client_tags(request_tags: ColumnElement[Any]) -> FromClause:
    """Which tags did the client send with this row? Each once, in a column `tag`.

    Anything but a list says nothing; neither do empty tags and LiteLLM's automatic ones.
    """
    is_list = func.jsonb_typeof(request_tags) == "array"
    listed = case((is_list, request_tags), else_=func.jsonb_build_array(type_=JSONB()))
    one = (
        func.jsonb_array_elements_text(listed)
        .table_valued(column("tag", Text()), name="listed")
        .render_derived()
    )
    sent = (one.c.tag != "", one.c.tag.not_like(f"{AUTOMATIC_TAG}%"))
    return select(one.c.tag).where(*sent).distinct().lateral("tags")

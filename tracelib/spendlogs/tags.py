"""The tags that clients sent, out of a JSON list that LiteLLM adds its own to."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, column, func, select
from sqlalchemy.types import Text

from tracelib.spendlogs.json_text import decoded

# LiteLLM tags each request with its user agent, twice.
AUTOMATIC_TAG = "User-Agent:"


def client_tags(request_tags: ColumnElement[Any]) -> FromClause:
    """Which tags did the client send with this row? Each once, in a column `tag`.

    Anything but a list says nothing; neither do empty tags and LiteLLM's automatic ones.
    """
    one = (
        func.jsonb_array_elements_text(decoded(request_tags, "array"))
        .table_valued(column("tag", Text()), name="listed")
        .render_derived()
    )
    sent = (one.c.tag != "", one.c.tag.not_like(f"{AUTOMATIC_TAG}%"))
    return select(one.c.tag).where(*sent).distinct().lateral("tags")


def is_tagged(request_tags: ColumnElement[Any], tag: str) -> ColumnElement[bool]:
    """Which rows carry this tag, whole? NULL where the tags are no list."""
    return decoded(request_tags, "array").contains([tag])

"""How the documents of a request are stored: as text, as a stream, and with which fields."""

from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, case, cast, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONPATH
from sqlalchemy.types import Boolean, Text

from tracelib.spendlogs.conditions import is_filled
from tracelib.spendlogs.documents import decoded
from tracelib.spendlogs.facts import NO_VALUES

DOCUMENTS = ("metadata", "request_tags", "request_body", "response_body", "messages_body")
IS_STREAMED = "strict $.stream ? (@ == true)"


def has_text(requests: Subquery) -> ColumnElement[bool]:
    """Which requests have a document that is stored as a text with JSON in it?"""
    return or_(*(_is_text(requests.c[name]) for name in DOCUMENTS))


def _is_text(document: ColumnElement[Any]) -> ColumnElement[bool]:
    is_json = decoded(document, "object", "array").is_not(None)
    held = and_(func.jsonb_typeof(document) == "string", is_json)
    return case((is_filled(document), func.coalesce(held, False)), else_=False)


def is_streamed(requests: Subquery) -> ColumnElement[bool]:
    """Which requests were sent as streams? By their bodies."""
    body = decoded(requests.c.request_body, "object")
    path = cast(IS_STREAMED, JSONPATH)
    found = func.jsonb_path_exists(body, path, NO_VALUES, True, type_=Boolean())
    return func.coalesce(found, False, type_=Boolean())


def fields(requests: Subquery) -> ColumnElement[Any]:
    """Which fields has the body of each request? A list of their names; NULL for none."""
    body = decoded(requests.c.request_body, "object")
    names = func.jsonb_object_keys(body).table_valued("field", name="named").render_derived()
    return select(func.array_agg(names.c.field, type_=ARRAY(Text()))).scalar_subquery()

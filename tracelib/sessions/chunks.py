"""The requests whose documents meet a search: the next few along the log, or all by an index."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Subquery,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.types import DateTime, Text

from tracelib import errors
from tracelib.filters import Filters
from tracelib.sessions.search import SessionSearch
from tracelib.source import Source
from tracelib.spendlogs import documents

# So many are worked through in one statement; of a text that is more common some are soon met.
MOST_BY_INDEX = 2_000
# An index of trigrams leads to nothing shorter.
INDEXED_WORD = re.compile(r"[^\W_]{3}")


def next_requests(
    source: Source,
    filters: Filters,
    search: SessionSearch,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Select[Any]:
    """Which of the next requests meet a condition on documents? The newest first.

    `after` is the place of the last one read: its start as it is stored, and its id. At most
    `limit` are read. A row for each that meets any, and one for the last, to know the place:

        session_key, session_id, request_id, start_order, started_at
        met         int, a bit for each condition of `search.in_documents`
        position    int, from 1 on
        requests    int, how many were read
    """
    newest = _along_the_log(source.requests(filters), after, limit)
    met: ColumnElement[int] = literal(0)
    for bit, condition in enumerate(_conditions(newest, search)):
        met = met + case((condition, 1 << bit), else_=0)
    order = (newest.c.start_order.desc(), newest.c.request_id.desc())
    read = select(
        newest.c.session_key,
        newest.c.session_id,
        newest.c.request_id,
        newest.c.start_order,
        newest.c.started_at,
        met.label("met"),
        func.row_number().over(order_by=order).label("position"),
        func.count().over().label("requests"),
    ).subquery("read")
    is_last = read.c.position == read.c.requests
    return select(read).where(or_(read.c.met > 0, is_last)).order_by(read.c.position)


def requests_by_index(
    source: Source, filters: Filters, search: SessionSearch
) -> Sequence[Row[Any]] | None:
    """Which requests say the text that is sought, where an index of the database leads to them?

    Rows of session_key, session_id, request_id and started_at, the newest first. None where
    no index does, where other conditions need a scan all the same, and where the text is
    common or too short.
    """
    if search.in_documents != ("said",) or not INDEXED_WORD.search(search.said):
        return None
    if not documents.are_indexed(source.schema):
        return None
    requests = source.requests(filters)
    some = select(*requests.c).where(documents.says(requests, search.said))
    found = some.limit(MOST_BY_INDEX + 1).subquery("found")
    newest = (found.c.start_order.desc(), found.c.request_id.desc())
    told = select(found.c.session_key, found.c.session_id, found.c.request_id, found.c.started_at)
    try:
        read = source.rows(told.order_by(*newest))
    except errors.QuestionTooSlow:
        return None
    return read if len(read) <= MOST_BY_INDEX else None


def _along_the_log(requests: Subquery, after: tuple[datetime, str] | None, limit: int) -> Subquery:
    """Along the index on the start; the documents are searched of these alone."""
    order = (requests.c.start_order.desc(), requests.c.request_id.desc())
    newest = select(*requests.c).order_by(*order).limit(limit)
    if after:
        place = tuple_(requests.c.start_order, requests.c.request_id)
        last = tuple_(literal(after[0], DateTime()), literal(after[1], Text()))
        newest = newest.where(place < last)
    return newest.subquery("newest")


def _conditions(requests: Subquery, search: SessionSearch) -> list[ColumnElement[bool]]:
    """The conditions on documents that are asked, in the order of `search.in_documents`."""
    conditions = {
        "said": documents.says(requests, search.said),
        "tool": documents.calls(requests, search.tool),
        "error_class": documents.failed_with(requests, search.error_class),
        "metadata_key": documents.notes(requests, search.metadata_key, search.metadata_value),
        "has_tool_calls": documents.calls_any_tool(requests),
        "used_fallback": documents.fell_back(requests),
    }
    return [conditions[name] for name in search.in_documents]

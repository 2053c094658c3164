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
from tracelib.conversation.unknown import OWN_FIELDS
from tracelib.conversation.visible import anchors
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
    """Which of the next requests meet a condition on documents, or may? The newest first.

    `after` is the place of the last one read: its start as it is stored, and its id. At most
    `limit` are read. A row for each that meets any or may, and one for the last, to know the place:

        session_key, session_id, request_id, start_order, started_at
        met         int, a bit for each condition of `search.in_documents` that it meets
        may_meet    int, a bit for each that `documents.may_say` and its like leave open
        position    int, from 1 on
        requests    int, how many were read
    """
    newest = _along_the_log(source.requests(filters), after, limit)
    met = _bits(_conditions(newest, search))
    may_meet = _bits(_open_conditions(newest, search))
    order = (newest.c.start_order.desc(), newest.c.request_id.desc())
    read = select(
        newest.c.session_key,
        newest.c.session_id,
        newest.c.request_id,
        newest.c.start_order,
        newest.c.started_at,
        met.label("met"),
        may_meet.label("may_meet"),
        func.row_number().over(order_by=order).label("position"),
        func.count().over().label("requests"),
    ).subquery("read")
    is_last = read.c.position == read.c.requests
    is_wanted = or_(read.c.met > 0, read.c.may_meet > 0, is_last)
    return select(read).where(is_wanted).order_by(read.c.position)


def requests_by_index(
    source: Source, filters: Filters, search: SessionSearch
) -> Sequence[Row[Any]] | None:
    """Which requests may say the text that is sought, where an index of the database leads to them?

    Rows as those of `next_requests`, the newest first. None where no index does, where other
    conditions need a scan all the same, and where the text is common or too short.
    """
    words = anchors(search.said)
    if search.in_documents != ("said",) or not any(map(INDEXED_WORD.search, words)):
        return None
    if not documents.are_indexed(source.schema):
        return None
    requests = source.requests(filters)
    some = select(*requests.c).where(documents.may_say(requests, words, OWN_FIELDS))
    found = some.limit(MOST_BY_INDEX + 1).subquery("found")
    newest = (found.c.start_order.desc(), found.c.request_id.desc())
    told = select(
        *(found.c[name] for name in ("session_key", "session_id", "request_id")),
        *(found.c[name] for name in ("start_order", "started_at")),
        func.row_number().over(order_by=newest).label("position"),
        literal(0).label("met"),
        literal(1).label("may_meet"),
    )
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


def _bits(conditions: Sequence[ColumnElement[bool] | None]) -> ColumnElement[int]:
    bits: ColumnElement[int] = literal(0)
    for bit, condition in enumerate(conditions):
        if condition is not None:
            bits = bits + case((condition, 1 << bit), else_=0)
    return bits


def _conditions(requests: Subquery, search: SessionSearch) -> list[ColumnElement[bool] | None]:
    """What the database can tell of each condition that is asked, in their order."""
    conditions = {
        "tool": documents.called_by_mcp(requests, search.tool),
        "error_class": documents.failed_with(requests, search.error_class),
        "metadata_key": documents.notes(requests, search.metadata_key, search.metadata_value),
        "has_tool_calls": documents.called_by_mcp(requests, ""),
        "used_fallback": documents.fell_back(requests),
    }
    return [conditions.get(name) for name in search.in_documents]


def _open_conditions(requests: Subquery, search: SessionSearch) -> list[ColumnElement[bool] | None]:
    """Which conditions may be met, as only who reads the documents can tell, in their order."""
    conditions = {
        "said": documents.may_say(requests, anchors(search.said), OWN_FIELDS),
        "tool": documents.may_call(requests, anchors(search.tool)),
        "has_tool_calls": documents.may_call(requests, ()),
    }
    return [conditions.get(name) for name in search.in_documents]

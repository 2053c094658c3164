"""Whether a request contains the text or tool call searched for, as its page would show it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from time import monotonic
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Subquery,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.types import DateTime, Text

from tracelib import errors
from tracelib.conversation.bodies.unknown_shapes import OWN_FIELDS
from tracelib.conversation.shown_text import Bodies, anchors, called_tools, shows
from tracelib.filters import Filters
from tracelib.selection import RowId
from tracelib.sessions.search import SessionSearch
from tracelib.source import Postgres
from tracelib.spendlogs import documents

# Bodies are of any size: the size of a batch follows from the batches before.
FIRST_BATCH = 10
LARGEST_BATCH = 200
BATCH_CHARACTERS = 4_000_000
SECONDS_A_WALK = 1.0

Position = tuple[datetime, str]


class Walk(NamedTuple):
    """How far some requests were processed, and which sessions have met every condition by then."""

    complete: Sequence[Row[Any]]
    met: Mapping[str, int]
    last: Row[Any] | None
    is_whole: bool


def walked(
    source: Postgres, search: SessionSearch, read: Sequence[Row[Any]], met_before: Mapping[str, int]
) -> Walk:
    """Which sessions have met every condition now, and what has each met so far?

    If the documents of many have to be read, not all of them are processed at once.
    """
    began, judge = monotonic(), DocumentReader(source, search)
    every = (1 << len(search.in_documents)) - 1
    met, complete = dict(met_before), list[Row[Any]]()
    for at, row in enumerate(read):
        before = met.get(row.session_key, 0)
        now = before | row.met
        if left := still_open(row, met):
            following = (other for other in islice(read, at + 1, None) if still_open(other, met))
            now |= judge.met(row, following) & left
        if now != before:
            met[row.session_key] = now
            if now == every:
                complete.append(row)
        if monotonic() - began > SECONDS_A_WALK and row is not read[-1]:
            return Walk(complete, met, row, is_whole=False)
    return Walk(complete, met, read[-1] if read else None, is_whole=True)


class DocumentReader:
    """Reads the documents of requests, some at a time, and decides which conditions they meet."""

    def __init__(self, source: Postgres, search: SessionSearch) -> None:
        self._source = source
        self._search = search
        self._batch = FIRST_BATCH
        self._judged: dict[Position, int] = {}

    def met(self, row: Row[Any], following: Iterable[Row[Any]]) -> int:
        """Which conditions does this request meet, one bit each?

        If it is not read yet, some of the following ones are read with it.
        """
        place = position_of(row)
        if place not in self._judged:
            batch = [row, *islice(following, self._batch - 1)]
            self._judged = dict.fromkeys(map(position_of, batch), 0) | dict(self._read(batch))
        return self._judged[place]

    def _read(self, batch: Sequence[Row[Any]]) -> Iterator[tuple[Position, int]]:
        rows_to_read = {position_of(row) for row in batch}
        requests = self._source.by_rows([RowId(row.request_id, row.started_at) for row in batch])
        texts = [cast(requests.c[name], Text()).label(name) for name in Bodies._fields[1:]]
        statement = (
            select(requests.c.start_order, requests.c.request_id, requests.c.call_type, *texts)
            .order_by(requests.c.start_order, requests.c.request_id)
            .limit(len(batch))
        )
        size = 0
        for row in self._source.rows(statement):
            bodies = Bodies(row.call_type, row.request_body, row.messages_body, row.response_body)
            size += sum(len(body or "") for body in bodies[1:])
            if position_of(row) in rows_to_read:
                yield position_of(row), self._bits(bodies)
        fitting = BATCH_CHARACTERS * len(batch) // (size + 1)
        self._batch = min(max(fitting, 1), LARGEST_BATCH)

    def _bits(self, bodies: Bodies) -> int:
        tests = {
            "said": lambda: shows(bodies, self._search.said),
            "tool": lambda: self._search.tool in called_tools(bodies),
            "has_tool_calls": lambda: bool(called_tools(bodies)),
        }
        conditions = enumerate(self._search.in_documents)
        return sum(1 << bit for bit, name in conditions if name in tests and tests[name]())


def position_of(row: Row[Any]) -> Position:
    """The position of this request in the log: its start as it is stored, and its ID."""
    return row.start_order, row.request_id


def still_open(row: Row[Any], met: Mapping[str, int]) -> int:
    """Which conditions may this request meet that its session has not met, one bit each?"""
    return int(row.may_meet & ~(met.get(row.session_key, 0) | row.met))


# The most matches for one statement; of a more frequent text some are found soon by scanning.
MOST_BY_INDEX = 2_000
# A trigram index cannot find anything shorter.
INDEXED_WORD = re.compile(r"[^\W_]{3}")


def next_requests(
    source: Postgres,
    filters: Filters,
    search: SessionSearch,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Select[Any]:
    """Which of the next requests meet a condition on documents, or may? The newest first.

    `after` is the position of the last one read: its start as it is stored, and its ID. At most
    `limit` are read. A row for each that meets any or may, and one for the last, whose position is
    needed:

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
    source: Postgres, filters: Filters, search: SessionSearch
) -> Sequence[Row[Any]] | None:
    """Which requests may contain the text, if an index of the database leads to them?

    Rows as those of `next_requests`, the newest first. None if there is no such index, if other
    conditions need a scan anyway, or if the text is frequent or too short.
    """
    words = anchors(search.said)
    if search.in_documents != ("said",) or not any(map(INDEXED_WORD.search, words)):
        return None
    if not documents.are_indexed(source.schema):
        return None
    requests = source.requests(filters)
    some = select(*requests.c).where(documents.may_show(requests, words, OWN_FIELDS))
    found = some.limit(MOST_BY_INDEX + 1).subquery("found")
    newest = (found.c.start_order.desc(), found.c.request_id.desc())
    matches = select(
        *(found.c[name] for name in ("session_key", "session_id", "request_id")),
        *(found.c[name] for name in ("start_order", "started_at")),
        func.row_number().over(order_by=newest).label("position"),
        literal(0).label("met"),
        literal(1).label("may_meet"),
    )
    try:
        read = source.rows(matches.order_by(*newest))
    except errors.QuestionTooSlow:
        return None
    return read if len(read) <= MOST_BY_INDEX else None


def _along_the_log(requests: Subquery, after: tuple[datetime, str] | None, limit: int) -> Subquery:
    """The next requests by the index on the start; only their documents are searched."""
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
    """What the database can decide of each condition of the search, in their order."""
    conditions = {
        "tool": documents.called_by_mcp(requests, search.tool),
        "error_class": documents.failed_with(requests, search.error_class),
        "metadata_key": documents.has_metadata(
            requests, search.metadata_key, search.metadata_value
        ),
        "has_tool_calls": documents.called_by_mcp(requests, ""),
        "used_fallback": documents.fell_back(requests),
    }
    return [conditions.get(name) for name in search.in_documents]


def _open_conditions(requests: Subquery, search: SessionSearch) -> list[ColumnElement[bool] | None]:
    """Which conditions can only be decided by reading the documents, in their order?"""
    conditions = {
        "said": documents.may_show(requests, anchors(search.said), OWN_FIELDS),
        "tool": documents.may_call(requests, anchors(search.tool)),
        "has_tool_calls": documents.may_call(requests, ()),
    }
    return [conditions.get(name) for name in search.in_documents]

"""Requests that may say or call what is sought: whether they do, as the reader shows them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from time import monotonic
from typing import Any, NamedTuple

from sqlalchemy import Row, cast, select
from sqlalchemy.types import Text

from tracelib.conversation.visible import Bodies, called, says
from tracelib.selection import RowId
from tracelib.sessions.search import SessionSearch
from tracelib.source import Source

# Bodies are of any size: how many come at once follows from those before.
FIRST_BATCH = 10
LARGEST_BATCH = 200
BATCH_CHARACTERS = 4_000_000
SECONDS_A_WALK = 1.0

Place = tuple[datetime, str]


class Walk(NamedTuple):
    """How far some requests were walked through, and which sessions have met everything there."""

    complete: Sequence[Row[Any]]
    met: Mapping[str, int]
    last: Row[Any] | None
    is_whole: bool


def walked(
    source: Source, search: SessionSearch, read: Sequence[Row[Any]], met_before: Mapping[str, int]
) -> Walk:
    """Which sessions have met every condition now, and what has each met so far?

    Where the documents of many have to be read, not all of them are walked through at once.
    """
    began, judge = monotonic(), Judge(source, search)
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


class Judge:
    """Reads the documents of requests, some at a time, and tells which conditions they meet."""

    def __init__(self, source: Source, search: SessionSearch) -> None:
        self._source = source
        self._search = search
        self._batch = FIRST_BATCH
        self._told: dict[Place, int] = {}

    def met(self, row: Row[Any], following: Iterable[Row[Any]]) -> int:
        """Which conditions does this request meet, a bit for each?

        Where it is not read yet, some of those that follow are read with it.
        """
        place = place_of(row)
        if place not in self._told:
            batch = [row, *islice(following, self._batch - 1)]
            self._told = dict.fromkeys(map(place_of, batch), 0) | dict(self._read(batch))
        return self._told[place]

    def _read(self, batch: Sequence[Row[Any]]) -> Iterator[tuple[Place, int]]:
        wanted = {place_of(row) for row in batch}
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
            if place_of(row) in wanted:
                yield place_of(row), self._bits(bodies)
        fitting = BATCH_CHARACTERS * len(batch) // (size + 1)
        self._batch = min(max(fitting, 1), LARGEST_BATCH)

    def _bits(self, bodies: Bodies) -> int:
        tells = {
            "said": lambda: says(bodies, self._search.said),
            "tool": lambda: self._search.tool in called(bodies),
            "has_tool_calls": lambda: bool(called(bodies)),
        }
        asked = enumerate(self._search.in_documents)
        return sum(1 << bit for bit, name in asked if name in tells and tells[name]())


def place_of(row: Row[Any]) -> Place:
    """Where does this request stand along the log? Its start as it is stored, and its id."""
    return row.start_order, row.request_id


def still_open(row: Row[Any], met: Mapping[str, int]) -> int:
    """Which conditions may this request meet that its session has not met, a bit for each?"""
    return int(row.may_meet & ~(met.get(row.session_key, 0) | row.met))

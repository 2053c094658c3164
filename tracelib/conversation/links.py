"""Sessions that continue one another: a chain of responses has one session per turn.

A turn names the response it continues in `previous_response_id`; newer versions of LiteLLM add
their own name for it. A request that only fetches a background response names that one. Earlier
turns are looked up by ID, later ones found by reading the requests that follow.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Subquery, func, or_, select, true
from sqlalchemy.types import Text

from tracelib.conversation.attempts import body_fields, started_between
from tracelib.conversation.requests import CLOCKS_APART, spellings
from tracelib.selection import RowId, Selection
from tracelib.source import Postgres
from tracelib.spendlogs.conditions import of_key
from tracelib.spendlogs.relation import all_requests

MOST_STEPS = 50
MOST_WALKED = 20_000
MOST_RESPONSES = 2_000
READ_ON = timedelta(hours=24)
LINKS = ("_litellm_addressed_response_id", "previous_response_id")
# The fields that name another response; a request that fetches one has `background_id`.
NAMES = (*LINKS, "background_id")
KEPT = ("session_id", "api_key", "request_id", "started_at", "model")

Period = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class LinkedSession:
    """A session of a chain, identified by its first request in the chain."""

    session_id: str
    api_key: str
    request_id: str
    started_at: datetime
    model: str

    @property
    def row(self) -> RowId:
        """Which row of the log its first request in the chain is."""
        return RowId(self.request_id, self.started_at)


@dataclass(frozen=True, slots=True)
class Links:
    """The other sessions of a chain, by start, each once.

    `is_earlier_complete` is False if a continued response is not in the log, or is more than 50
    turns back. `later_until` is the start up to which later requests were read; None if the
    selection has no responses to continue.
    """

    earlier: tuple[LinkedSession, ...]
    later: tuple[LinkedSession, ...]
    is_earlier_complete: bool
    later_until: datetime | None


@dataclass(frozen=True, slots=True)
class _Turn:
    """A request to the Responses API, with the IDs it may be named by and those it names.

    A request that fetches a background response names it, and continues no other.
    """

    session: LinkedSession
    ids: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Chain:
    """The turns of a selection, those they continue, and those that continue any of these."""

    own: Sequence[_Turn]
    above: Sequence[_Turn]
    below: Sequence[_Turn]
    read_until: datetime


def linked_sessions(source: Postgres, selection: Selection) -> Links:
    """Which sessions of the key do these requests continue, and which continue them?

    `earlier` are the continued ones, of the last 50 turns. `later` are all others of the chain,
    including branches, that start until 24 hours after the last of these requests. At most 20,000
    requests are read for them (of this key if it has an index, else of all keys) and at most 2,000
    responses. Sessions of the selection itself are in neither.
    """
    chain = _chain(source, selection)
    if chain is None:
        return Links((), (), True, None)
    own = {*selection.session_ids, *(one.session_id for one in _sessions(chain.own))}
    earlier = _sessions(chain.above, own)
    later = _sessions(chain.below, own | {one.session_id for one in earlier})
    is_complete = _is_resolved((*chain.above, *chain.own))
    return Links(earlier, later, is_complete, chain.read_until)


def chained(source: Postgres, selection: Selection) -> Selection:
    """Which sessions are read as one conversation with these, in the order they started?

    The selection itself if nothing is linked to it, or if it names its requests one by one.
    Searched within the bounds of `linked_sessions`.
    """
    chain = None if selection.rows else _chain(source, selection)
    if chain is None:
        return selection
    linked = _sessions((*chain.above, *chain.own, *chain.below))
    ids = dict.fromkeys((*(one.session_id for one in linked), *selection.session_ids))
    return Selection(selection.api_key, tuple(ids))


def _chain(source: Postgres, selection: Selection) -> _Chain | None:
    own = _turns(source, _first_responses(source.selected(selection)))
    if not own:
        return None
    above = _above(source, selection.api_key, own)
    start = min(turn.session.started_at for turn in (*above, *own)) - CLOCKS_APART
    end = own[-1].session.started_at + READ_ON
    below, until = _below(source, selection.api_key, (*above, *own), (start, end))
    return _Chain(own, above, below, until)


def _turns(source: Postgres, statement: Select[Any]) -> list[_Turn]:
    """The rows of a statement that starts with `_with_links`, as turns, by start."""
    turns = [
        _Turn(
            LinkedSession(*(row._mapping[name] for name in KEPT)),
            _ids(row),
            frozenset(name for link in NAMES for name in spellings(row._mapping[link] or "")),
        )
        for row in source.rows(statement)
    ]
    return sorted(turns, key=lambda turn: _order(turn.session))


def _ids(row: Row[Any]) -> frozenset[str]:
    """By which IDs may others name this response? A request that only fetches one has none."""
    return frozenset() if row.background_id else spellings(row.request_id)


def _order(one: LinkedSession) -> tuple[datetime, str]:
    return one.started_at, one.request_id


def _first_responses(requests: Subquery) -> Select[Any]:
    first = (
        select(*requests.c)
        .where(_is_response(requests))
        .order_by(requests.c.start_order, requests.c.request_id)
        .limit(MOST_RESPONSES)
        .subquery("first")
    )
    return _with_links(first)


def _is_response(requests: Subquery) -> ColumnElement[bool]:
    # Versions before 1.85 do not log the call type of a failure.
    return or_(requests.c.call_type.is_(None), requests.c.call_type.contains("responses"))


def _with_links(requests: Subquery) -> Select[Any]:
    fields = body_fields(requests.c.request_body, Text(), *LINKS)
    return select(
        *(requests.c[name] for name in (*KEPT, "background_id")),
        *(fields.c[link] for link in LINKS),
    ).select_from(requests.outerjoin(fields, true()))


def _above(source: Postgres, api_key: str, own: Sequence[_Turn]) -> list[_Turn]:
    """The turns that these continue, by their IDs, and the turns that those continue in turn."""
    found: list[_Turn] = []
    newest, known = own, {name for turn in own for name in turn.ids}
    while len(found) < MOST_STEPS:
        missing = {name for turn in newest for name in turn.names} - known
        if not missing:
            break
        turns = _turns(source, _upwards(source, api_key, missing, MOST_STEPS - len(found)))
        newest = _continued_by(newest, turns)
        known |= missing | {name for turn in newest for name in turn.ids}
        found += newest
    return found


def _continued_by(turns: Sequence[_Turn], others: Sequence[_Turn]) -> list[_Turn]:
    """Which of the turns that were read do these continue, directly or indirectly?

    If several have one ID, as in a partitioned log, the newest before the turn counts.
    """
    found: dict[RowId, _Turn] = {}
    waiting = list(turns)
    while waiting:
        turn = waiting.pop()
        latest = turn.session.started_at + CLOCKS_APART
        for name in turn.names:
            named = [one for one in others if name in one.ids]
            before = [one for one in named if one.session.started_at <= latest]
            for one in before[-1:] or named[-1:]:
                if one.session.row not in found:
                    found[one.session.row] = one
                    waiting.append(one)
    return sorted(found.values(), key=lambda one: _order(one.session))


def _upwards(source: Postgres, api_key: str, ids: Collection[str], limit: int) -> Select[Any]:
    """The turns with these IDs, and those they continue as far as the log has the exact IDs.

    A UNION keeps each turn once, so that a cycle ends; the nearest come first.
    """
    every = all_requests(source.schema)
    ours = select(*every.c).where(of_key(every, api_key), _is_response(every)).subquery("ours")
    named = _with_links(ours).where(ours.c.request_id.in_(sorted(ids)))
    chain = named.cte("chain", recursive=True)
    is_named = ours.c.request_id.in_([chain.c[link] for link in LINKS])
    above = chain.union(_with_links(ours).join(chain, is_named))
    return select(*above.c).limit(limit)


def _is_resolved(turns: Sequence[_Turn]) -> bool:
    """Is every response known that one of these continues? One of its names is enough."""
    known = {name for turn in turns for name in turn.ids}
    return all(turn.names & known for turn in turns if turn.names)


def _below(
    source: Postgres, api_key: str, chain: Sequence[_Turn], period: Period
) -> tuple[list[_Turn], datetime]:
    """The turns that continue a chain, and the start up to which they were searched for."""
    until = _reach(source, api_key, period)
    every = _started(source, (period[0], until))
    ours = select(*every.c).where(of_key(every, api_key)).subquery("ours")
    read = _turns(source, _first_responses(ours))
    known = {name for turn in chain for name in turn.ids}
    members = {turn.session.row for turn in chain}
    others = [turn for turn in read if turn.session.row not in members]
    found = _named_from(others, known)
    # If clocks differ, a turn may start before the one that it continues, so repeat.
    while new := _named_from([turn for turn in others if turn not in found], known):
        found += new
    return found, read[-1].session.started_at if len(read) == MOST_RESPONSES else until


def _named_from(turns: Iterable[_Turn], known: set[str]) -> list[_Turn]:
    """Which of these turns continue a known response, or one of these? Adds their IDs."""
    found = []
    for turn in turns:
        if turn.names & known:
            found.append(turn)
            known |= turn.ids
    return found


def _reach(source: Postgres, api_key: str, period: Period) -> datetime:
    """Up to which start does the allowed number of requests reach?"""
    every = _started(source, period)
    # Without an index on the key, requests of other keys are read too.
    keys = [of_key(every, api_key)] if source.schema.is_indexed("api_key") else []
    walked = (
        select(every.c.started_at)
        .where(*keys)
        .order_by(every.c.start_order)
        .limit(MOST_WALKED)
        .subquery("walked")
    )
    figures: list[ColumnElement[Any]] = [
        func.count().label("requests"),
        func.max(walked.c.started_at).label("reach"),
    ]
    row = source.row(select(*figures))
    return row.reach if row.requests == MOST_WALKED else period[1]


def _started(source: Postgres, period: Period) -> Subquery:
    every = all_requests(source.schema)
    return select(*every.c).where(started_between(every, *period)).subquery("started")


def _sessions(turns: Iterable[_Turn], apart: Collection[str] = ()) -> tuple[LinkedSession, ...]:
    """The distinct sessions of these turns by start, without `apart`."""
    found: dict[str, LinkedSession] = {}
    for one in sorted((turn.session for turn in turns), key=_order):
        if one.session_id not in apart:
            found.setdefault(one.session_id, one)
    return tuple(found.values())

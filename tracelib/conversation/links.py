"""Sessions that go on from one another: a chain of responses has one session for each turn.

A turn names the response it goes on from in `previous_response_id`, newer versions of LiteLLM
its own name for it beside that. A request that only fetches a background response names that one.
Earlier turns are found by their ids; later ones by reading on.
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
from tracelib.source import Source
from tracelib.spendlogs.conditions import of_key
from tracelib.spendlogs.relation import all_requests

MOST_STEPS = 50
MOST_WALKED = 20_000
MOST_RESPONSES = 2_000
READ_ON = timedelta(hours=24)
LINKS = ("_litellm_addressed_response_id", "previous_response_id")
# What names another response: of a request that fetches one, `background_id` does.
NAMES = (*LINKS, "background_id")
KEPT = ("session_id", "api_key", "request_id", "started_at", "model")

Period = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class LinkedSession:
    """A session of a chain, by its first request there."""

    session_id: str
    api_key: str
    request_id: str
    started_at: datetime
    model: str

    @property
    def row(self) -> RowId:
        """Which row of the log its first request there is."""
        return RowId(self.request_id, self.started_at)


@dataclass(frozen=True, slots=True)
class Links:
    """The other sessions of a chain, by start, each once.

    `is_earlier_complete` is False where a response that was gone on from is not in the log, or
    lies further back than 50 turns. `later_until` says up to which start later requests were read;
    None where the selection has no responses to go on from.
    """

    earlier: tuple[LinkedSession, ...]
    later: tuple[LinkedSession, ...]
    is_earlier_complete: bool
    later_until: datetime | None


@dataclass(frozen=True, slots=True)
class _Turn:
    """A request to the Responses API, with the ids it may be named by and those it names.

    One that fetches a background response names it, and goes on from nothing else.
    """

    session: LinkedSession
    ids: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Chain:
    """The turns of a selection, those they go on from, and those that go on from any of them."""

    own: Sequence[_Turn]
    above: Sequence[_Turn]
    below: Sequence[_Turn]
    read_until: datetime


def linked_sessions(source: Source, selection: Selection) -> Links:
    """Which sessions of the key do these requests go on from, and which go on from them?

    `earlier` are those gone on from, of the last 50 turns. `later` are all others of the chain,
    branches too, that start until 24 hours after the last of these requests: at most 20,000
    requests are read on for them (of this key where there is an index on it, else of all) and
    at most 2,000 responses. Sessions of the selection itself are in neither.
    """
    chain = _chain(source, selection)
    if chain is None:
        return Links((), (), True, None)
    own = {*selection.session_ids, *(one.session_id for one in _sessions(chain.own))}
    earlier = _sessions(chain.above, own)
    later = _sessions(chain.below, own | {one.session_id for one in earlier})
    is_complete = _is_resolved((*chain.above, *chain.own))
    return Links(earlier, later, is_complete, chain.read_until)


def chained(source: Source, selection: Selection) -> Selection:
    """Which sessions are read as one conversation with these, in the order they started?

    The selection itself where nothing is linked to it, or where its requests are named one by
    one: then they alone choose. Found within the bounds of `linked_sessions`.
    """
    chain = None if selection.rows else _chain(source, selection)
    if chain is None:
        return selection
    linked = _sessions((*chain.above, *chain.own, *chain.below))
    ids = dict.fromkeys((*(one.session_id for one in linked), *selection.session_ids))
    return Selection(selection.api_key, tuple(ids))


def _chain(source: Source, selection: Selection) -> _Chain | None:
    own = _turns(source, _first_responses(source.selected(selection)))
    if not own:
        return None
    above = _above(source, selection.api_key, own)
    start = min(turn.session.started_at for turn in (*above, *own)) - CLOCKS_APART
    end = own[-1].session.started_at + READ_ON
    below, until = _below(source, selection.api_key, (*above, *own), (start, end))
    return _Chain(own, above, below, until)


def _turns(source: Source, statement: Select[Any]) -> list[_Turn]:
    """The rows of a statement that `_with_links` has begun, as turns, in the order of start."""
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
    """By which ids may others name this response? What only fetches one is no response itself."""
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
    # Versions before 1.85 do not say of a failure what was called.
    return or_(requests.c.call_type.is_(None), requests.c.call_type.contains("responses"))


def _with_links(requests: Subquery) -> Select[Any]:
    fields = body_fields(requests.c.request_body, Text(), *LINKS)
    return select(
        *(requests.c[name] for name in (*KEPT, "background_id")),
        *(fields.c[link] for link in LINKS),
    ).select_from(requests.outerjoin(fields, true()))


def _above(source: Source, api_key: str, own: Sequence[_Turn]) -> list[_Turn]:
    """The turns that these go on from, by their ids, and those that these go on from in turn."""
    found: list[_Turn] = []
    newest, known = own, {name for turn in own for name in turn.ids}
    while len(found) < MOST_STEPS:
        wanted = {name for turn in newest for name in turn.names} - known
        if not wanted:
            break
        met = _turns(source, _upwards(source, api_key, wanted, MOST_STEPS - len(found)))
        newest = _gone_on_from(newest, met)
        known |= wanted | {name for turn in newest for name in turn.ids}
        found += newest
    return found


def _gone_on_from(turns: Sequence[_Turn], met: Sequence[_Turn]) -> list[_Turn]:
    """Which of the turns that were met do these go on from, step by step?

    Of several of one id, as a partitioned log may hold them, the newest before the turn.
    """
    found: dict[RowId, _Turn] = {}
    waiting = list(turns)
    while waiting:
        turn = waiting.pop()
        latest = turn.session.started_at + CLOCKS_APART
        for name in turn.names:
            named = [one for one in met if name in one.ids]
            before = [one for one in named if one.session.started_at <= latest]
            for one in before[-1:] or named[-1:]:
                if one.session.row not in found:
                    found[one.session.row] = one
                    waiting.append(one)
    return sorted(found.values(), key=lambda one: _order(one.session))


def _upwards(source: Source, api_key: str, ids: Collection[str], limit: int) -> Select[Any]:
    """The turns of these ids, and upwards as far as the log has the very ids that they name.

    A UNION keeps each turn once, so that a circle of names ends; the nearest come first.
    """
    every = all_requests(source.schema)
    ours = select(*every.c).where(of_key(every, api_key), _is_response(every)).subquery("ours")
    named = _with_links(ours).where(ours.c.request_id.in_(sorted(ids)))
    chain = named.cte("chain", recursive=True)
    is_named = ours.c.request_id.in_([chain.c[link] for link in LINKS])
    above = chain.union(_with_links(ours).join(chain, is_named))
    return select(*above.c).limit(limit)


def _is_resolved(turns: Sequence[_Turn]) -> bool:
    """Is every response there that one of these goes on from? One of its names is enough."""
    known = {name for turn in turns for name in turn.ids}
    return all(turn.names & known for turn in turns if turn.names)


def _below(
    source: Source, api_key: str, chain: Sequence[_Turn], period: Period
) -> tuple[list[_Turn], datetime]:
    """The turns that go on from a chain, and up to which start they were looked for."""
    until = _reach(source, api_key, period)
    every = _started(source, (period[0], until))
    ours = select(*every.c).where(of_key(every, api_key)).subquery("ours")
    read = _turns(source, _first_responses(ours))
    known = {name for turn in chain for name in turn.ids}
    members = {turn.session.row for turn in chain}
    others = [turn for turn in read if turn.session.row not in members]
    found = _named_from(others, known)
    # Where clocks differ, a turn may start before the one that it goes on from: once more.
    while new := _named_from([turn for turn in others if turn not in found], known):
        found += new
    return found, read[-1].session.started_at if len(read) == MOST_RESPONSES else until


def _named_from(turns: Iterable[_Turn], known: set[str]) -> list[_Turn]:
    """Which of these turns go on from a known response, or from one of these? Adds their ids."""
    found = []
    for turn in turns:
        if turn.names & known:
            found.append(turn)
            known |= turn.ids
    return found


def _reach(source: Source, api_key: str, period: Period) -> datetime:
    """How far do the most requests reach that may be read?"""
    every = _started(source, period)
    # Without an index on the key, requests of other keys are read on the way.
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


def _started(source: Source, period: Period) -> Subquery:
    every = all_requests(source.schema)
    return select(*every.c).where(started_between(every, *period)).subquery("started")


def _sessions(turns: Iterable[_Turn], apart: Collection[str] = ()) -> tuple[LinkedSession, ...]:
    """The sessions of these turns by start, each once, but for some."""
    found: dict[str, LinkedSession] = {}
    for one in sorted((turn.session for turn in turns), key=_order):
        if one.session_id not in apart:
            found.setdefault(one.session_id, one)
    return tuple(found.values())

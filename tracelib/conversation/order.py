"""The order of a conversation's turns: by start, as far as clocks can be trusted.

The clocks of two replicas may differ by seconds, so a request may seem to start before the one
whose response it quotes. Two requests are read to check whether one continues the other only if
tokens and times allow it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import Row, Select, select

from tracelib.conversation.bodies.request_messages import CHAT
from tracelib.conversation.requests import (
    CLOCKS_APART,
    Light,
    StoredRequest,
    TurnRows,
    by_turn,
    row_id,
)
from tracelib.conversation.session_rows import stored_in_batches
from tracelib.conversation.threading.history import History, ReadTurn, read_turn
from tracelib.selection import Selection, row_ids
from tracelib.source import Postgres

MOST_TURNS = 20_000
# If more requests of a session would have to be read, all are ordered by start.
MOST_IN_DOUBT = 40
LIGHT = (
    *("request_id", "started_at", "ended_at", "is_failure", "call_type", "call_id"),
    *("background_id", "prompt_tokens", "total_tokens"),
)
COUNTED = (
    *("prompt_tokens", "completion_tokens", "total_tokens", "cached_prompt_tokens"),
    *("reasoning_tokens", "max_input_tokens", "input_cost_usd", "cached_input_cost_usd"),
    "input_cost_per_token",
)

Read = Callable[[Sequence[TurnRows]], Iterable[StoredRequest]]


class TurnStart(NamedTuple):
    """The facts of one turn that its order depends on."""

    request_id: str
    started_at: datetime
    is_failure: bool
    rows: TurnRows


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """An order of turns that was queried before. Equal ones have the same short `repr`."""

    turns: tuple[TurnRows, ...]

    def __repr__(self) -> str:
        return f"KnownOrder({hash(self.turns)})"


def turn_order(source: Postgres, selection: Selection) -> pd.DataFrame:
    """Which turns does this conversation have, in order?

        request_id  text         of the client's own request
        started_at  aware UTC
        is_failure  bool         whether any of its rows failed
        rows        the rows of the turn, that of the client's own request first

    By start, ties by request ID, from at most `MOST_TURNS` rows; but a request that quotes a
    response comes after it, whatever the two clocks say. The first row is turn 1. An empty
    selection gives no rows.
    """
    turns = [_start(rows) for rows in _in_order(source, selection)]
    frame = pd.DataFrame(turns, columns=list(TurnStart._fields))
    return frame.astype({"started_at": "datetime64[us, UTC]", "is_failure": "boolean"})


def turns_in_order(source: Postgres, selection: Selection) -> list[TurnRows]:
    """Which rows make up each turn of this conversation, in the order of its turns?"""
    return [_row_ids(rows) for rows in _in_order(source, selection)]


def _start(rows: Sequence[Row[Any]]) -> TurnStart:
    first = rows[0]
    is_failure = any(row.is_failure for row in rows)
    return TurnStart(first.request_id, first.started_at, is_failure, _row_ids(rows))


def _row_ids(rows: Sequence[Row[Any]]) -> TurnRows:
    return tuple([row_id(row) for row in rows])


def _in_order(source: Postgres, selection: Selection) -> list[tuple[Row[Any], ...]]:
    turns = by_turn(source.rows(_light(source, selection)))
    places = after_responses(turns, lambda some: stored_in_batches(source, selection, some))
    return [turns[place] for place in places]


def _light(source: Postgres, selection: Selection) -> Select[Any]:
    requests = source.selected(selection)
    return (
        select(*(requests.c[name] for name in LIGHT))
        .order_by(requests.c.started_at, requests.c.request_id)
        .limit(MOST_TURNS)
    )


def after_responses(turns: Sequence[Sequence[Light]], read: Read) -> list[int]:
    """The positions of these turns, which come by start, each after the responses that it quotes.

    `read` returns the turns of these rows, in any order; deleted ones are left out.
    """
    doubted = {place: found for place in range(len(turns)) if (found := _in_doubt(turns, place))}
    as_started = list(range(len(turns)))
    if not 0 < len(doubted) <= MOST_IN_DOUBT:
        return as_started
    rivals = {place: _as_long(turns, place, found) for place, found in doubted.items()}
    wanted = {*doubted, *chain(*doubted.values(), *rivals.values())}
    if len(wanted) > MOST_IN_DOUBT:
        return as_started
    requests = read([tuple(map(row_id, turns[place])) for place in sorted(wanted)])
    there = {request.row: read_turn(request) for request in requests}
    known = {place: there[row] for place in wanted if (row := row_id(turns[place][0])) in there}
    behind = {
        place: _quoted(place, found, rivals[place], known) for place, found in doubted.items()
    }
    order: dict[int, None] = {}
    for place in as_started:
        _put(place, behind, order)
    return list(order)


def _in_doubt(turns: Sequence[Sequence[Light]], place: int) -> list[int]:
    """Which turns may this one continue although they seem to start later?

    Those that were over by then, as far as clocks agree, and whose prompt is not longer.
    """
    own, found = turns[place][0], list[int]()
    latest = own.started_at + CLOCKS_APART
    for other in range(place + 1, len(turns)):
        one = turns[other][0]
        if one.started_at > latest:
            break
        if one.ended_at <= latest and 0 < one.prompt_tokens <= own.prompt_tokens:
            found.append(other)
    return found


def _as_long(turns: Sequence[Sequence[Light]], place: int, later: Sequence[int]) -> list[int]:
    """Which earlier turns have a prompt as long as one of these? It may be the same prompt."""
    lengths = {turns[other][0].prompt_tokens for other in later}
    return [other for other in range(place) if turns[other][0].prompt_tokens in lengths]


def _quoted(
    place: int, later: Sequence[int], earlier: Sequence[int], known: Mapping[int, ReadTurn]
) -> list[int]:
    """Which of the later turns does this one quote, unless it quotes an earlier one?"""
    if place not in known:
        return []
    request, found = known[place], list[int]()
    for other in (one for one in later if one in known and _quotes(request, known[one])):
        length = len(known[other].question.messages)
        rivals = (known[one] for one in (*earlier, *found) if one in known)
        alike = (one for one in rivals if len(one.question.messages) == length)
        if not any(_quotes(request, one) for one in alike):
            found.append(other)
    return found


def _quotes(request: ReadTurn, earlier: ReadTurn) -> bool:
    """Does this request begin with all messages of the other and its response, or name it?"""
    if request.question.kind != CHAT or not any(one.parts for one in earlier.responses):
        return False
    length = len(earlier.question.messages)
    history = History()
    history.add(earlier)
    place = history.placed(history.add(request)).place
    if place.parent != 0 or place.starts_line:
        return False
    is_whole = not place.changes and all(position > length for position, _ in place.fresh)
    return is_whole or bool(request.question.previous_ids)


def _put(place: int, behind: Mapping[int, Sequence[int]], order: dict[int, None]) -> None:
    """Put a turn next, after those whose responses it quotes and those that these quote."""
    waiting = [place]
    while waiting:
        missing = [one for one in behind.get(waiting[-1], ()) if one not in (*order, *waiting)]
        if missing:
            waiting.append(missing[0])
        else:
            order.setdefault(waiting.pop())


def turn_frame(requests: pd.DataFrame, order: pd.DataFrame) -> pd.DataFrame:
    """Which turns are these light rows? A row per turn, with the columns of `sessions.requests_of`.

    In the order of `turn_order`. Each is the row of the client's own request, with the cost of all
    rows of the turn, and with the tokens of the first of them that has any: a response that is
    fetched repeatedly counts its tokens each time. A row that `order` does not have is a turn at
    the end.
    """
    places = {row: place for place, row in enumerate(row_ids(requests))}
    known = [[places.pop(row) for row in rows if row in places] for rows in order["rows"]]
    turns = [some for some in known if some]
    turns += [[place] for place in places.values()]
    tokens = requests["total_tokens"].fillna(0).tolist()
    costs = requests["cost_usd"].fillna(0).tolist()
    counted = [next((place for place in some if tokens[place]), some[0]) for some in turns]
    counted_rows = requests.iloc[counted].reset_index(drop=True)[list(COUNTED)]
    found = requests.iloc[[some[0] for some in turns]].reset_index(drop=True)
    return found.assign(
        cost_usd=[sum(costs[place] for place in some) for some in turns],
        **{name: counted_rows[name] for name in COUNTED},
    )

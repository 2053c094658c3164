"""In which order the turns of a conversation come, told without reading a word of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import Row, Select, select

from tracelib.conversation.turn_rows import TurnRows, by_turn, row_id
from tracelib.selection import Selection
from tracelib.source import Source

MOST_TURNS = 20_000
LIGHT = (
    *("request_id", "started_at", "ended_at", "is_failure", "call_type", "call_id"),
    *("background_id", "total_tokens"),
)


class TurnStart(NamedTuple):
    """Of one turn, what its place in the order needs."""

    request_id: str
    started_at: datetime
    is_failure: bool
    rows: TurnRows


def turn_order(source: Source, selection: Selection) -> pd.DataFrame:
    """Which turns does this conversation have, in their order?

        request_id  text         of the client's own request
        started_at  aware UTC
        is_failure  bool         whether any of its rows failed
        rows        the rows of the turn, that of the client's own request first

    By start, ties by request id, out of at most `MOST_TURNS` rows. The first row is turn 1. A
    selection of nothing gives no rows.
    """
    turns = [_start(rows) for rows in _by_turn(source, selection)]
    frame = pd.DataFrame(turns, columns=list(TurnStart._fields))
    return frame.astype({"started_at": "datetime64[us, UTC]", "is_failure": "boolean"})


def turns_in_order(source: Source, selection: Selection) -> list[TurnRows]:
    """Which rows is each turn of this conversation made of, in the order of its turns?"""
    return [_start(rows).rows for rows in _by_turn(source, selection)]


def _start(rows: Sequence[Row[Any]]) -> TurnStart:
    first = rows[0]
    is_failure = any(row.is_failure for row in rows)
    return TurnStart(first.request_id, first.started_at, is_failure, tuple(map(row_id, rows)))


def _by_turn(source: Source, selection: Selection) -> list[tuple[Row[Any], ...]]:
    return by_turn(source.rows(_in_order(source, selection)))


def _in_order(source: Source, selection: Selection) -> Select[Any]:
    requests = source.selected(selection)
    return (
        select(*(requests.c[name] for name in LIGHT))
        .order_by(requests.c.started_at, requests.c.request_id)
        .limit(MOST_TURNS)
    )

"""In which order the turns of a conversation come, told without reading a word of it."""

from typing import Any

import pandas as pd
from sqlalchemy import Select, select

from tracelib.selection import Selection
from tracelib.source import Source

MOST_TURNS = 20_000


def turn_order(source: Source, selection: Selection) -> pd.DataFrame:
    """Which requests does this conversation hold, in the order of its turns?

        request_id  text
        started_at  aware UTC
        is_failure  bool

    By start, ties by request id; at most `MOST_TURNS`. The first row is turn 1. A selection of
    nothing gives no rows.
    """
    return source.frame(_in_order(source, selection))


def turn_number_of(source: Source, selection: Selection, request_id: str) -> int | None:
    """Which turn of this conversation is this request, counted from 1? None where it is none."""
    ids = turn_order(source, selection)["request_id"]
    found = ids.index[ids == request_id]
    return int(found[0]) + 1 if len(found) else None


def _in_order(source: Source, selection: Selection) -> Select[Any]:
    requests = source.selected(selection)
    return (
        select(requests.c.request_id, requests.c.started_at, requests.c.is_failure)
        .order_by(requests.c.started_at, requests.c.request_id)
        .limit(MOST_TURNS)
    )

"""In which order the turns of a conversation come, told without reading a word of it."""

from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Select, select

from tracelib.selection import Selection
from tracelib.source import Source

MOST_TURNS = 20_000

Start = tuple[str, datetime]
"""A request's id, and when it started."""


def turn_order(source: Source, selection: Selection) -> pd.DataFrame:
    """Which requests does this conversation hold, in the order of its turns?

        request_id  text
        started_at  aware UTC
        is_failure  bool

    By start, ties by request id; at most `MOST_TURNS`. The first row is turn 1. A selection of
    nothing gives no rows.
    """
    return source.frame(_in_order(source, selection))


def starts(source: Source, selection: Selection) -> list[Start]:
    """Ids and starts of these requests, aware UTC, in the order of their turns."""
    return [(row.request_id, row.started_at) for row in source.rows(_in_order(source, selection))]


def _in_order(source: Source, selection: Selection) -> Select[Any]:
    requests = source.selected(selection)
    return (
        select(requests.c.request_id, requests.c.started_at, requests.c.is_failure)
        .order_by(requests.c.started_at, requests.c.request_id)
        .limit(MOST_TURNS)
    )

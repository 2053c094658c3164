"""Which sessions are there?"""

import pandas as pd

from tracelib import sessions
from tracelib.api import answered_sessions, asked, text_search
from tracelib.api.caller import Caller
from tracelib.api.problems import refused
from tracelib.api.values import records, seconds, window
from tracelib.filters import Filters
from tracelib.sessions.cursor import read_cursor
from tracelib.sessions.figures import models_of

SAME = ("session_id", "requests", "failures", "cost_usd", "total_tokens", "started_at", "ended_at")


def found(caller: Caller, said: asked.Search) -> answered_sessions.Sessions:
    """Which sessions match this search, from the cursor on?"""
    filters = said.filters(caller.now)
    if said.text:
        return _said(caller, said, filters)
    if read_cursor(said.cursor, said.sort)[1]:
        raise refused("Invalid cursor: it must come from a search with the same order.")
    page = caller.ask(
        sessions.found_sessions, filters, said.search(), said.cursor or None, said.limit
    )
    return answered_sessions.Sessions(
        window=window(filters.window),
        sessions=_listed(caller, filters, page.rows),
        next_cursor=page.next,
        scanned=None,
    )


def _said(caller: Caller, said: asked.Search, filters: Filters) -> answered_sessions.Sessions:
    found = text_search.page(caller, said, filters)
    return answered_sessions.Sessions(
        window=window(filters.window),
        sessions=_listed(caller, filters, found.rows),
        next_cursor=found.next.written() if found.next else None,
        scanned=found.progress,
    )


def _listed(
    caller: Caller, filters: Filters, rows: pd.DataFrame
) -> list[answered_sessions.FoundSession]:
    """The list of a page shows some models of a session; a program is given all of them."""
    keys = tuple(zip(rows["session_key"], rows["session_id"], strict=True))
    models = caller.ask(models_of, filters, keys) if keys else {}
    return [
        answered_sessions.FoundSession(
            **{name: row[name] for name in SAME},
            api_key_alias=row["key_name"],
            user_id=row["user"],
            models=list(models.get(row["session_key"], ())),
            duration_s=seconds(row["duration_ms"]),
        )
        for row in records(rows)
    ]

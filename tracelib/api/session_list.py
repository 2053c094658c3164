"""Which sessions are there?"""

from dataclasses import replace
from datetime import timedelta

import pandas as pd

from tracelib import sessions
from tracelib.api import answered_sessions, asked
from tracelib.api.caller import Caller
from tracelib.api.problems import forbidden, refused
from tracelib.api.values import records, seconds, window
from tracelib.filters import Filters
from tracelib.sessions import Scan
from tracelib.sessions.cursor import read_cursor
from tracelib.sessions.figures import models_of

# A program waits for one answer, and asks on from where it came.
SCAN_S = 5.0
SAME = ("session_id", "requests", "failures", "cost_usd", "total_tokens", "started_at", "ended_at")


def found(caller: Caller, said: asked.Search) -> answered_sessions.Sessions:
    """Which sessions are found, from where the page before ended?"""
    filters = said.filters(caller.now)
    if said.text:
        return _scanned(caller, said, filters)
    if read_cursor(said.cursor, said.sort)[1]:
        raise refused("The cursor is none that a search in this order gave.")
    page = caller.ask(
        sessions.found_sessions, filters, said.search(), said.cursor or None, said.limit
    )
    return answered_sessions.Sessions(
        window=window(filters.window),
        sessions=_listed(caller, filters, page.rows),
        next_cursor=page.next,
        scanned=None,
    )


def _scanned(caller: Caller, said: asked.Search, filters: Filters) -> answered_sessions.Sessions:
    if not caller.token.access.reads_messages:
        raise forbidden("Only an auditor may search what was said.")
    search = said.search()
    caller.note("searched", sought=said.text)
    scan: Scan = caller.ask(sessions.scan, filters, search, None, SCAN_S)
    scan = replace(scan, most=min(said.limit, scan.most))
    rows = caller.ask(sessions.scanned_sessions, filters, search, scan)
    return answered_sessions.Sessions(
        window=window(filters.window),
        sessions=_listed(caller, filters, rows),
        next_cursor=None,
        scanned=_progress(scan),
    )


def _progress(scan: Scan) -> answered_sessions.Scanned:
    reached = scan.reached
    if reached and not scan.is_finished:
        # Others that began at that very moment may not be read: they come next.
        reached += timedelta(microseconds=1)
    return answered_sessions.Scanned(
        requests_read=scan.requests_read, reached=reached, is_finished=scan.is_finished
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

"""The list of sessions and the search in texts, for programs."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b

import pandas as pd

from tracelib import sessions
from tracelib.api import params, session_responses
from tracelib.api.caller import Caller
from tracelib.api.problems import forbidden, refused
from tracelib.api.values import records, seconds, window
from tracelib.filters import Filters
from tracelib.querying import permissions
from tracelib.sessions import Scan
from tracelib.sessions.cursor import LONGEST, read_cursor
from tracelib.sessions.figures import models_of
from tracelib.sessions.scanning import Match
from tracelib.spendlogs.conditions import UNSTORABLE

SCAN_S = 5.0
MARK_BYTES = 8
# As many as fit into a cursor; an earlier one may be returned again.
MOST_MARKS = 1_000


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the last request that was read or shown, and the sessions returned.

    `at` is its start as it is stored, `marks` are marks of the sessions.
    """

    at: datetime
    request_id: str
    marks: tuple[bytes, ...] = ()

    @property
    def order(self) -> tuple[datetime, str]:
        """The position in the log: earlier requests are still to be read."""
        return self.at, self.request_id

    def as_cursor(self) -> str:
        """The position as a cursor."""
        head = json.dumps([self.at.isoformat(), self.request_id]).encode()
        return base64.urlsafe_b64encode(head + b"\n" + b"".join(self.marks)).decode()


@dataclass(frozen=True, slots=True)
class Page:
    """The sessions found, where to continue if there are more, and how far the search has read."""

    rows: pd.DataFrame
    next: Position | None
    progress: session_responses.Scanned


def search_page(caller: Caller, given: params.Search, filters: Filters) -> Page:
    """Which sessions match, from the end of the page before? Raises a Problem or TraceError."""
    place, search = read_position(given.cursor), given.search()
    if permissions.refusal(sessions.scan, (search,), caller.installed.access):
        raise forbidden("Message search needs the auditor role.")
    caller.note("searched", search_text=search.said)
    begun = Scan(last=place.order) if place else None
    scan: Scan = caller.query(sessions.scan, filters, search, begun, SCAN_S)
    seen = place.marks if place else ()
    new = [one for one in scan.found if _mark(one) not in seen]
    shown = new[: given.limit]
    rows: pd.DataFrame = caller.query(
        sessions.scanned_sessions,
        filters,
        search,
        replace(scan, found=tuple(shown), most=len(shown)),
    )
    after = _after(scan, new, shown, place)
    reached = after.at.replace(tzinfo=UTC) if after else filters.window.start
    progress = session_responses.Scanned(
        requests_read=scan.requests_read, reached=reached, is_finished=after is None
    )
    return Page(rows, after, progress)


def read_position(cursor: str | None) -> Position | None:
    """Which position is in this cursor? Raises a Problem if it is not valid."""
    if not cursor:
        return None
    try:
        plain = base64.b64decode(cursor[:LONGEST], altchars=b"-_", validate=True)
        head, _, marks = plain.partition(b"\n")
        at, request_id = json.loads(head)
        moment = datetime.fromisoformat(at)
    except (binascii.Error, TypeError, ValueError, RecursionError):
        raise _forged() from None
    if moment.tzinfo or not isinstance(request_id, str) or UNSTORABLE.search(request_id):
        raise _forged()
    if len(marks) % MARK_BYTES:
        raise _forged()
    seen = (marks[start : start + MARK_BYTES] for start in range(0, len(marks), MARK_BYTES))
    return Position(moment, request_id, tuple(seen))


def _after(
    scan: Scan, new: Sequence[Match], shown: Sequence[Match], before: Position | None
) -> Position | None:
    """Where does the next page begin? None if everything is read and shown."""
    seen = (*(before.marks if before else ()), *map(_mark, shown))[-MOST_MARKS:]
    if len(new) > len(shown):
        return Position(shown[-1].at.replace(tzinfo=None), shown[-1].request_id, seen)
    if scan.is_read or scan.last is None:
        return None
    return Position(*scan.last, seen)


def _mark(one: Match) -> bytes:
    return blake2b(one.session_key.encode(), digest_size=MARK_BYTES).digest()


def _forged() -> Exception:
    return refused("Invalid cursor: it must come from a search for the same text.")


SAME = ("session_id", "requests", "failures", "cost_usd", "total_tokens", "started_at", "ended_at")


def found(caller: Caller, given: params.Search) -> session_responses.Sessions:
    """Which sessions match this search, from the cursor on?"""
    filters = given.filters(caller.now)
    if given.text:
        return _searched(caller, given, filters)
    if read_cursor(given.cursor, given.sort)[1]:
        raise refused("Invalid cursor: it must come from a search with the same order.")
    page = caller.query(
        sessions.found_sessions, filters, given.search(), given.cursor or None, given.limit
    )
    return session_responses.Sessions(
        window=window(filters.window),
        sessions=_listed(caller, filters, page.rows),
        next_cursor=page.next,
        scanned=None,
    )


def _searched(caller: Caller, given: params.Search, filters: Filters) -> session_responses.Sessions:
    found = search_page(caller, given, filters)
    return session_responses.Sessions(
        window=window(filters.window),
        sessions=_listed(caller, filters, found.rows),
        next_cursor=found.next.as_cursor() if found.next else None,
        scanned=found.progress,
    )


def _listed(
    caller: Caller, filters: Filters, rows: pd.DataFrame
) -> list[session_responses.FoundSession]:
    """The sessions of a list, each with all of its models; the list on a page shows some."""
    keys = tuple(zip(rows["session_key"], rows["session_id"], strict=True))
    models = caller.query(models_of, filters, keys) if keys else {}
    return [
        session_responses.FoundSession(
            **{name: row[name] for name in SAME},
            api_key_alias=row["key_name"],
            user_id=row["user"],
            models=list(models.get(row["session_key"], ())),
            duration_s=seconds(row["duration_ms"]),
        )
        for row in records(rows)
    ]

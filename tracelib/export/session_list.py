"""The list of sessions as files: CSV for spreadsheets, JSON lines for programs."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import pandas as pd

from tracelib import sessions
from tracelib.export.document import masked_name
from tracelib.export.files import BYTE_ORDER_MARK, csv_lines, iso_utc
from tracelib.filters import Filters
from tracelib.redaction import Redaction
from tracelib.sessions import SessionSearch
from tracelib.source import Postgres

# Name of the column, and of the key in JSON -> its heading in CSV.
COLUMNS = {
    "last_started_at": "Last activity (UTC)",
    "user_name": "User",
    "team_name": "Team",
    "key_name": "Key",
    "agent": "Agent",
    "end_user": "End user",
    "models": "Models",
    "cost_usd": "Cost (USD)",
    "requests": "Requests",
    "failures": "Errors",
    "cache_hits": "Cache hits",
    "total_tokens": "Tokens",
    "duration_ms": "Duration (ms)",
    "started_at": "First activity (UTC)",
    "ended_at": "Ended (UTC)",
    "goes_on": "Continues outside the range",
    "session_id": "Session",
}
PAGE_LENGTH = 5_000  # each page aggregates the window again
MOST_SESSIONS = 100_000
CUT = "The list is longer: this file contains the first {:,} sessions."
Record = dict[str, Any]


def listed_sessions(
    source: Postgres, filters: Filters, search: SessionSearch
) -> Iterator[pd.DataFrame]:
    """Which sessions match, page after page, in the order of the list?

    A search in documents gives one page, once all of the window is read, of at most the 200
    sessions that such a search finds. Raises a TraceError.
    """
    if search.needs_scan:
        scan = sessions.scan(source, filters, search, for_seconds=float("inf"))
        yield sessions.scanned_sessions(source, filters, search, scan)
        return
    after = None
    while True:
        page = sessions.found_sessions(source, filters, search, after, PAGE_LENGTH)
        yield page.rows
        after = page.next
        if after is None:
            return


def sessions_csv(
    pages: Iterable[pd.DataFrame], redaction: Redaction, most: int = MOST_SESSIONS
) -> Iterator[bytes]:
    """This list as CSV, page by page.

    A heading, a line per session, UTF-8 with a byte order mark, times ISO 8601 in UTC; unknown is
    empty. Text that a spreadsheet would take for a formula has an apostrophe before it. After
    `most` sessions a line says that there are more.
    """
    yield BYTE_ORDER_MARK + csv_lines([COLUMNS.values()])
    for records in _pages(pages, redaction, most):
        if records is None:
            yield csv_lines([[CUT.format(most)]])
        else:
            yield csv_lines(record.values() for record in records)


def sessions_jsonl(
    pages: Iterable[pd.DataFrame], redaction: Redaction, most: int = MOST_SESSIONS
) -> Iterator[bytes]:
    """This list as JSON lines, one per session, page by page.

    Times ISO 8601 in UTC; unknown is null. After `most` sessions a line with one key, "note", says
    that there are more.
    """
    for records in _pages(pages, redaction, most):
        lines = [{"note": CUT.format(most)}] if records is None else records
        written = (json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        yield "".join(written).encode()


def _pages(
    pages: Iterable[pd.DataFrame], redaction: Redaction, most: int
) -> Iterator[list[Record] | None]:
    """The records of each page; None if the rest is left out."""
    left = most
    for page in pages:
        yield _records(page.head(left), redaction)
        if len(page) > left:
            yield None
            return
        left -= len(page)


def _records(page: pd.DataFrame, redaction: Redaction) -> list[Record]:
    known = page[list(COLUMNS)].astype(object).where(page[list(COLUMNS)].notna(), None)
    return [
        {name: _value(value, redaction) for name, value in zip(COLUMNS, row, strict=True)}
        for row in known.itertuples(index=False)
    ]


def _value(value: Any, redaction: Redaction) -> Any:
    if isinstance(value, str):
        return masked_name(value, redaction)[0]
    if isinstance(value, datetime):
        return iso_utc(value)
    return value

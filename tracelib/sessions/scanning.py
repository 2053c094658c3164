"""Search in the JSON documents: the newest requests first, a little at a time, until told to stop.

A document must be taken out whole to be searched, some 50 µs each, so that a window of a
million requests takes a minute. Nobody waits for that in front of one statement: `scan` reads
on for about as long as it may, in short statements, and says how far it has come.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from tracelib.filters import Filters
from tracelib.sessions.search import SessionSearch
from tracelib.source import Source

MOST_FOUND = 200


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """How far the search has come, and all that it takes to go on.

    `keys` are the sessions found, pairs of session key and session id, in the order in which
    they were: those with newer requests first. Everything from `reached` on is read; None
    where nothing is yet. `requests_in_window` is None where they are more than 1,000,000.
    `is_capped` says that it stopped at 200 sessions, `is_finished` that all is read.
    """

    keys: tuple[tuple[str, str], ...] = ()
    requests_read: int = 0
    requests_in_window: int | None = None
    reached: datetime | None = None
    seconds: float = 0.0
    is_finished: bool = False
    is_capped: bool = False
    uses_index: bool = False
    last: tuple[datetime, str] | None = None
    chunk: int = 200
    met: Mapping[str, int] = field(default_factory=dict, repr=False)


def scan(
    source: Source,
    filters: Filters,
    search: SessionSearch,
    so_far: Scan | None = None,
    for_seconds: float = 1.0,
) -> Scan:
    """Which sessions are found, after reading for about so many seconds more?"""
    raise NotImplementedError


def scanned_sessions(
    source: Source, filters: Filters, search: SessionSearch, scan: Scan
) -> pd.DataFrame:
    """What do the sessions hold that were found so far? The columns of `SessionPage.rows`."""
    raise NotImplementedError

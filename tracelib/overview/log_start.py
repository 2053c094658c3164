"""Whether there is anything to compare a window with."""

from datetime import datetime

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import extent
from tracelib.window import LONGEST, TimeWindow

# The window that one of the longest is compared with begins after that.
REACH = 2 * LONGEST


def log_start(source: Source, filters: Filters) -> datetime | None:
    """When did the oldest request of the log start, up to the end of this window?

    Aware UTC; None where there is none. Requests count whatever else the filters choose. It is
    looked for by the index on the start, and not among those that are older than any window
    that this one is compared with.
    """
    window = TimeWindow(filters.window.start - REACH, filters.window.end)
    first: datetime | None = source.row(extent.first_start(source.schema, window)).first
    return first

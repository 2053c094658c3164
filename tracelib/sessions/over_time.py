"""The strip above the list: when the sessions found were last active."""

import pandas as pd

from tracelib.filters import Filters
from tracelib.sessions.search import SessionSearch
from tracelib.source import Source
from tracelib.window import Bucket


def sessions_over_time(
    source: Source, filters: Filters, search: SessionSearch, bucket: Bucket
) -> pd.DataFrame:
    """How many sessions are found, and when were they last active?

    A row a bucket of `window.bucket_starts`, in order, none missing, 0 where none:

        bucket           its start, aware UTC
        sessions         int, those whose newest request in the window lies in the bucket
        with_failures    int, those of them with a failed request

    The sum over the buckets is `session_counts`, without its limit.
    """
    raise NotImplementedError

"""Everything Streamlit: the frame of a page, its state in the URL, its cache, its cards."""

from tracelib.page.cards import chart
from tracelib.page.frame import end_page
from tracelib.page.ground import (
    FIRST_TOKEN,
    NO_TAGS,
    RESPONSE_TIME,
    TAGS,
    TOKENS,
    TOKENS_PER_SECOND,
    choose_bucket,
    foot,
    rows_or_stop,
    stop_without_database,
    stop_without_requests,
)
from tracelib.page.view import View, begin

__all__ = [
    "FIRST_TOKEN",
    "NO_TAGS",
    "RESPONSE_TIME",
    "TAGS",
    "TOKENS",
    "TOKENS_PER_SECOND",
    "View",
    "begin",
    "chart",
    "choose_bucket",
    "end_page",
    "foot",
    "rows_or_stop",
    "stop_without_database",
    "stop_without_requests",
]

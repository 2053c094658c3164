"""Everything with Streamlit: the frame of a page, its state in the URL, its cards."""

from tracelib.page.base.captions import (
    FIRST_TOKEN,
    RESPONSE_TIME,
    TOKENS,
    choose_bucket,
    rows_or_stop,
    source_caption,
    stop_without_database,
    stop_without_requests,
)
from tracelib.page.base.cards import chart, figure_chart
from tracelib.page.base.change_marks import marked_axis
from tracelib.page.base.frame import end_page, let_first_screen_draw
from tracelib.page.base.view import View, begin

__all__ = [
    "FIRST_TOKEN",
    "RESPONSE_TIME",
    "TOKENS",
    "View",
    "begin",
    "chart",
    "choose_bucket",
    "end_page",
    "figure_chart",
    "let_first_screen_draw",
    "marked_axis",
    "rows_or_stop",
    "source_caption",
    "stop_without_database",
    "stop_without_requests",
]

"""A search for message text: it reads on second by second, and shows what it has found so far.

The filters are those of its start: the page's clock moves on, and a search that restarted at each
tick would never finish.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import errors, formatting, sessions
from tracelib.charts.base import TimeAxis
from tracelib.filters import Filters
from tracelib.page.base import downloads
from tracelib.page.base.cards import show_error
from tracelib.page.base.view import View
from tracelib.page.listing import sessions_table, toolbar
from tracelib.page.listing.snippets import TextMatches
from tracelib.querying import permissions
from tracelib.selection import RowId
from tracelib.sessions import Scan, SessionSearch
from tracelib.sessions.scanning import MOST_FOUND
from tracelib.window import TimeWindow

RUNNING = "running scan"
STEP_S = 1.0
WITHOUT_STREAMLITS_STOP = "<style>[data-testid=stStatusWidget] { visibility: hidden; }</style>"


@dataclass
class RunningScan:
    """A search under way in one browser: its conditions, its start, and its progress.

    `rows` are the sessions found, as they were looked up for `rows_of`: keys and order; `passages`
    are the snippets around the text, by request.
    """

    of: tuple[Any, ...]
    filters: Filters
    whole: TimeAxis
    began_at: datetime
    scan: Scan | None = None
    rows: pd.DataFrame | None = None
    rows_of: tuple[Any, ...] | None = None
    passages: dict[RowId, str] = field(default_factory=dict)
    error: errors.TraceError | None = None
    is_stopped: bool = False

    @property
    def so_far(self) -> Scan:
        return self.scan or Scan()

    @property
    def is_running(self) -> bool:
        is_over = self.so_far.is_finished or self.so_far.is_capped
        return not (is_over or self.is_stopped or self.error)


def show(view: View, search: SessionSearch) -> None:
    """Draw the sessions whose messages match. Reads on while the page is open."""
    running = _running_scan(view, search)
    with toolbar.line():
        toolbar.sentence(view, search)
    _draw(view, search, running)
    if running.is_running:
        _step(view, search, running)
        st.rerun()


def _step(view: View, search: SessionSearch, running: RunningScan) -> None:
    """Read on for a while; a click meanwhile is handled as soon as it is over.

    The page runs again by itself, and not by a timer of the browser's: that would send the URL from
    before a click, and undo the click.
    """
    # Streamlit's own button would stop a step of the search, and leave it unfinished.
    st.html(WITHOUT_STREAMLITS_STOP)
    with _keeping_errors(running):
        running.scan = view.query_alone(
            sessions.scan, running.filters, search, running.scan, STEP_S
        )


def _running_scan(view: View, search: SessionSearch) -> RunningScan:
    """The current search, or a new one if the conditions have changed."""
    choice = replace(view.choice, refresh=None, bucket=None)
    of = (replace(search, sort="recent"), choice, hash(view.installed))
    running: RunningScan | None = st.session_state.get(RUNNING)
    if running is None or running.of != of:
        whole = toolbar.whole(view).axis
        running = RunningScan(of, view.filters, whole, datetime.now(UTC))
        st.session_state[RUNNING] = running
    return running


def _draw(view: View, search: SessionSearch, running: RunningScan) -> None:
    with _keeping_errors(running):
        _look_up(view, search, running)
    _progress(running)
    if running.error:
        show_error(permissions.for_access(running.error, view.installed.access))
    if running.rows is not None and not running.rows.empty:
        _strip(view, running, running.rows)
        found_in = {one.session_key: one.row for one in running.so_far.found}
        sessions_table.show(
            view,
            running.filters,
            running.rows,
            "sessions found",
            search.is_of_failures,
            TextMatches(search.said, found_in, running.passages),
            offer_files=lambda: _offer_files(view, search, running),
        )
    elif running.so_far.is_finished:
        sessions_table.show_empty(view, search, running.so_far.requests_read)


def _offer_files(view: View, search: SessionSearch, running: RunningScan) -> None:
    if not running.is_running:
        downloads.list_buttons(view, running.filters, search, running.rows)


def _look_up(view: View, search: SessionSearch, running: RunningScan) -> None:
    """Look up the figures of the sessions. Only if others are found or the order has changed."""
    needed = (running.so_far.keys, search.sort)
    if running.so_far.keys and running.rows_of != needed:
        running.rows = view.query_alone(
            sessions.scanned_sessions, running.filters, search, running.so_far
        )
        running.rows_of = needed


@contextmanager
def _keeping_errors(running: RunningScan) -> Iterator[None]:
    try:
        yield
    except errors.TraceError as error:
        running.error = error


def _strip(view: View, running: RunningScan, rows: pd.DataFrame) -> None:
    """Bars come as the search goes back in time; what is not read yet is under a veil."""
    axis = replace(running.whole, now=running.began_at)
    unread = None if running.so_far.is_finished else running.so_far.reached
    spread = toolbar.spread_of(rows, axis)
    toolbar.show(spread, axis, toolbar.part(view), unread, is_final=not running.is_running)


def _progress(running: RunningScan) -> None:
    text = in_words(running.so_far, running.filters.zone)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{_how_many(running)}**", width="content")
        if running.is_running:
            st.progress(share_read(running.so_far, running.filters.window), text)
            st.button("Stop", key="stop", icon=":material/stop:", on_click=_stop, args=(running,))
            return
        st.caption(f"{_end(running)} {text}")
        if running.so_far.is_capped:
            st.button(f"Find {MOST_FOUND} more", key="find more", on_click=_more, args=(running,))
        if running.is_stopped or running.error:
            st.button("Continue", key="continue", on_click=_resume, args=(running,))
        st.button("Search again", key="search again", on_click=_restart)


def share_read(scan: Scan, window: TimeWindow) -> float:
    """How much of the window is read, from 0 to 1? By time if its requests are not counted."""
    if scan.requests_in_window:
        return min(scan.requests_read / scan.requests_in_window, 1.0)
    if scan.reached is None:
        return 0.0
    return max(0.0, min((window.end - scan.reached) / window.length, 1.0))


def in_words(scan: Scan, zone: str) -> str:
    """How far has it come, and in how much time, as text?

    >>> in_words(Scan(requests_read=12_400, requests_in_window=98_000, seconds=3.24), "UTC")
    'Read 12,400 of 98,000 requests in 3.2 s.'
    """
    if scan.reached is None and not scan.requests_read:
        return "Counting requests…"
    most = scan.requests_in_window
    of = "more than 1,000,000" if most is None else formatting.exact(most)
    back = ""
    if scan.reached is not None and not (scan.is_finished or scan.is_capped):
        back = f", back to {toolbar.minute(scan.reached, zone)},"
    took = formatting.duration(scan.seconds * 1_000)
    return f"Read {formatting.exact(scan.requests_read)} of {of} requests{back} in {took}."


def _how_many(running: RunningScan) -> str:
    found = toolbar.counted(len(running.so_far.keys))
    if running.so_far.is_capped:
        return f"The newest {found}"
    return found if running.so_far.is_finished else f"{found} so far"


def _end(running: RunningScan) -> str:
    """Why has the search ended?"""
    if running.error:
        return "Search interrupted."
    if running.so_far.is_capped:
        return f"Complete back to {_back_to(running)}."
    if running.is_stopped and not running.so_far.is_finished:
        return "Stopped."
    at = formatting.clock(running.began_at, running.filters.zone)[-8:]
    return f"Searched everything logged up to {at}."


def _back_to(running: RunningScan) -> str:
    """To the second, as in the table: one minute may have many sessions."""
    reached = running.so_far.reached or running.began_at
    return formatting.clock(reached, running.filters.zone)


def _stop(running: RunningScan) -> None:
    running.is_stopped = True


def _resume(running: RunningScan) -> None:
    running.is_stopped, running.error = False, None


def _more(running: RunningScan) -> None:
    running.scan = running.so_far.with_more()


def _restart() -> None:
    st.session_state.pop(RUNNING, None)

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
from tracelib.filters import Filters
from tracelib.page.base import downloads
from tracelib.page.base.cards import failed
from tracelib.page.base.view import View
from tracelib.page.listing import sessions_table, toolbar
from tracelib.page.listing.snippets import Sought
from tracelib.querying import permissions
from tracelib.selection import RowId
from tracelib.sessions import Scan, SessionSearch
from tracelib.sessions.scanning import MOST_FOUND
from tracelib.window import TimeWindow

READING = "reading"
STEP_S = 1.0
WITHOUT_STREAMLITS_STOP = "<style>[data-testid=stStatusWidget] { visibility: hidden; }</style>"


@dataclass
class Reading:
    """A search under way in one browser: its conditions, its start, and its progress.

    `rows` are the sessions found, as they were looked up for `rows_of`: keys and order; `passages`
    are the snippets around the text, by request.
    """

    of: tuple[Any, ...]
    filters: Filters
    whole: TimeWindow
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
    def is_going_on(self) -> bool:
        is_over = self.so_far.is_finished or self.so_far.is_capped
        return not (is_over or self.is_stopped or self.error)


def show(view: View, search: SessionSearch, part: TimeWindow | None) -> None:
    """Draw the sessions whose messages match. Reads on while the page is open."""
    reading = _reading(view, search, part)
    with toolbar.line():
        toolbar.sentence(view, search, part)
    _draw(view, search, part, reading)
    if reading.is_going_on:
        _step(view, search, reading)
        st.rerun()


def _step(view: View, search: SessionSearch, reading: Reading) -> None:
    """Read on for a while; a click meanwhile is handled as soon as it is over.

    The page runs again by itself, and not by a timer of the browser's: that would send the URL from
    before a click, and undo the click.
    """
    # Streamlit's own button would stop a step of the search, and leave it unfinished.
    st.html(WITHOUT_STREAMLITS_STOP)
    with _noted(reading):
        reading.scan = view.ask_alone(sessions.scan, reading.filters, search, reading.scan, STEP_S)


def _reading(view: View, search: SessionSearch, part: TimeWindow | None) -> Reading:
    """The current search, or a new one if the conditions have changed."""
    choice = replace(view.choice, refresh=None, bucket=None)
    of = (replace(search, sort="recent"), part, choice, hash(view.installed))
    kept: Reading | None = st.session_state.get(READING)
    if kept is None or kept.of != of:
        filters = toolbar.narrowed(view.filters, part)
        kept = Reading(of, filters, view.filters.window, datetime.now(UTC))
        st.session_state[READING] = kept
    return kept


def _draw(view: View, search: SessionSearch, part: TimeWindow | None, reading: Reading) -> None:
    with _noted(reading):
        _look_up(view, search, reading)
    _progress(reading)
    if reading.error:
        failed(permissions.told(reading.error, view.installed.access))
    if reading.rows is not None and not reading.rows.empty:
        _strip(view, part, reading, reading.rows)
        found_in = {one.session_key: one.row for one in reading.so_far.found}
        sessions_table.show(
            view,
            reading.filters,
            reading.rows,
            "sessions found",
            search.is_of_failures,
            Sought(search.said, found_in, reading.passages),
            offer_files=lambda: _offer_files(view, search, reading),
        )
    elif reading.so_far.is_finished:
        sessions_table.show_empty(view, search, part, reading.so_far.requests_read)


def _offer_files(view: View, search: SessionSearch, reading: Reading) -> None:
    if not reading.is_going_on:
        downloads.list_buttons(view, reading.filters, search, reading.rows)


def _look_up(view: View, search: SessionSearch, reading: Reading) -> None:
    """Look up the figures of the sessions. Only if others are found or the order has changed."""
    wanted = (reading.so_far.keys, search.sort)
    if reading.so_far.keys and reading.rows_of != wanted:
        reading.rows = view.ask_alone(
            sessions.scanned_sessions, reading.filters, search, reading.so_far
        )
        reading.rows_of = wanted


@contextmanager
def _noted(reading: Reading) -> Iterator[None]:
    try:
        yield
    except errors.TraceError as error:
        reading.error = error


def _strip(view: View, part: TimeWindow | None, reading: Reading, rows: pd.DataFrame) -> None:
    """Bars come as the search goes back in time; what is not read yet is under a veil."""
    axis = replace(view.axis, window=reading.whole, now=reading.began_at)
    unread = None if reading.so_far.is_finished else reading.so_far.reached
    spread = toolbar.spread_of(rows, axis)
    toolbar.show(spread, axis, part, unread, is_still=not reading.is_going_on)


def _progress(reading: Reading) -> None:
    told = in_words(reading.so_far, reading.filters.zone)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{_how_many(reading)}**", width="content")
        if reading.is_going_on:
            st.progress(share_read(reading.so_far, reading.filters.window), told)
            st.button("Stop", key="stop", icon=":material/stop:", on_click=_stop, args=(reading,))
            return
        st.caption(f"{_end(reading)} {told}")
        if reading.so_far.is_capped:
            st.button(f"Find {MOST_FOUND} more", key="find more", on_click=_more, args=(reading,))
        if reading.is_stopped or reading.error:
            st.button("Continue", key="continue", on_click=_go_on, args=(reading,))
        st.button("Search again", key="search again", on_click=_forget)


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


def _how_many(reading: Reading) -> str:
    found = toolbar.counted(len(reading.so_far.keys))
    if reading.so_far.is_capped:
        return f"The newest {found}"
    return found if reading.so_far.is_finished else f"{found} so far"


def _end(reading: Reading) -> str:
    """Why has the search ended?"""
    if reading.error:
        return "Search interrupted."
    if reading.so_far.is_capped:
        return f"Complete back to {_back_to(reading)}."
    if reading.is_stopped and not reading.so_far.is_finished:
        return "Stopped."
    at = formatting.clock(reading.began_at, reading.filters.zone)[-8:]
    return f"Searched everything logged up to {at}."


def _back_to(reading: Reading) -> str:
    """To the second, as in the table: one minute may have many sessions."""
    reached = reading.so_far.reached or reading.began_at
    return formatting.clock(reached, reading.filters.zone)


def _stop(reading: Reading) -> None:
    reading.is_stopped = True


def _go_on(reading: Reading) -> None:
    reading.is_stopped, reading.error = False, None


def _more(reading: Reading) -> None:
    reading.scan = reading.so_far.with_more()


def _forget() -> None:
    st.session_state.pop(READING, None)

"""The frame of a page: what it waits for, when it was updated, and when it is refreshed.

A refresh never interrupts a run that still waits for the database: Streamlit starts the timer of a
fragment after a run has ended, and the page runs again only some time after that.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit import runtime
from streamlit.delta_generator import DeltaGenerator

from tracelib import formatting
from tracelib.facets import Facets
from tracelib.querying.installation import Installation
from tracelib.querying.query import Query
from tracelib.querying.runner import release, run_together
from tracelib.querying.store import QueryRun, Result
from tracelib.querying.workers import Who

T = TypeVar("T")
SHOWN = "page shown"
FINISHED = "page finished"
LATE = "tick of late results"
WARNED = "what was wrong"
# How long a page that is drawn waits for what is still running.
PATIENCE_S = 600.0
# After this long a page says that its figures are older than they should be.
WARN_AFTER_S = 4.0
SKELETON_PX = 560
MOST_NAMED = 4
FIRST_SCREEN_S = 0.25

PageAddress = tuple[str, dict[str, list[str]]]  # a page by its name, and the parameters of its URL


class Shown(NamedTuple):
    """What a tab shows: which page, and updated when by the viewer's clock."""

    page: PageAddress
    at: str


class Pending(Generic[T]):
    """A query that a page has requested; `wait` runs it and all other pending ones."""

    def __init__(self, query: Query, wait: Callable[[], None]) -> None:
        self.query = query
        self._wait = wait
        self._result: Result[T] | None = None

    @property
    def result(self) -> Result[T]:
        """The result; waits for it."""
        if self._result is None:
            self._wait()
        if self._result is None:
            raise RuntimeError("no result arrived")  # a run of a page that was ended
        return self._result

    def set_result(self, result: Result[T]) -> None:
        """Take the result."""
        self._result = result


@dataclass
class Frame:
    """The placeholders around one run of a page that are filled as results arrive.

    `facets` are None until their result is there; `pending` are the queries without a result;
    `has_failed` if one had an error that may be gone soon, `has_warned` if old figures are shown;
    `late` are those that still ran when the page was drawn, with what stood in for their results;
    `held` are their runs, which go on meanwhile.
    """

    page: PageAddress
    notice: DeltaGenerator
    dimensions: DeltaGenerator
    chips: DeltaGenerator
    status: DeltaGenerator
    facets: Facets | None = None
    pending: list[Pending[Any]] = field(default_factory=list)
    has_failed: bool = False
    has_warned: bool = False
    held: list[QueryRun] = field(default_factory=list)
    late: list[tuple[Query, Result[Any]]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _line: DeltaGenerator | None = None

    def note(self, queries: Sequence[Query], results: Sequence[Result[Any]]) -> None:
        """Note which of these queries are late, and whether one has failed for now.

        The warning of the run before stays until there are new figures.
        """
        # The last result may be that of the drop-downs, which no one waits for.
        both = [*zip(queries, results, strict=False)]
        is_well = not self.has_warned and all(result.error is None for _, result in both)
        if is_well and st.session_state.pop(WARNED, None):
            self.notice.empty()
        self.late += [(query, result) for query, result in both if result.is_late]
        self.has_failed |= any(one.error and one.error.is_passing for one in results)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Let late queries run on until the page has been drawn."""
        try:
            yield
        finally:
            release(self.held)

    def show_status(self, status: str) -> None:
        """Show in the sidebar how fresh the page is, replacing the previous text."""
        self._line = (self._line or self.status).caption(status)

    def finish(self, zone: str, every_s: int) -> None:
        """Show when the page was updated, and run it again in this many seconds; never for 0."""
        updated_at = min([datetime.now(UTC), *(result.computed_at for _, result in self.late)])
        at = f"{updated_at.astimezone(ZoneInfo(zone)):%H:%M:%S}"
        st.session_state[SHOWN] = Shown(self.page, at)
        self.show_status(f"Updated {at}")
        if every_s:
            run_again_in(every_s)

    def await_late(self, installed: Installation, now: datetime, zone: str, who: Who) -> None:
        """Wait for what still ran when the page was drawn, and draw it again with that."""
        stale = [result for _, result in self.late if result.is_stale]

        def show(_: list[Query]) -> None:
            self.show_waiting()
            if stale and time.monotonic() - self.began > WARN_AFTER_S:
                self.warn_of_age(stale, zone)
                stale.clear()

        queries = [query for query, _ in self.late]
        results = run_together(installed, now, queries, PATIENCE_S, show, who=who)
        if not any(result.is_late for result in results):
            # The results are those of this tick, which may have passed.
            st.session_state[LATE] = now
            st.rerun()

    def warn_of_age(self, stale: Sequence[Result[Any]], zone: str) -> None:
        """Say why these figures are older than the page, and how old."""
        at = formatting.clock(min(one.computed_at for one in stale), zone)
        sentence = next((one.error.sentence for one in stale if one.error), "")
        self.has_warned = True
        st.session_state[WARNED] = f"{sentence} The figures are those of {at}."
        self.warn_as_before()

    def warn_as_before(self) -> None:
        """Show the warning of the run before, if there was one."""
        if warning := st.session_state.get(WARNED):
            self.notice.warning(warning)

    def show_waiting(self) -> None:
        """Show for how long the page has been waiting, and when what it shows was updated."""
        shown: Shown | None = st.session_state.get(SHOWN)
        earlier = shown if shown and shown.page[0] == self.page[0] else None
        self.show_status(_status(time.monotonic() - self.began, earlier and earlier.at))


class PageEndError(Exception):
    """Raised when a page is complete before its last line."""


def end_page() -> NoReturn:
    """End a page before its last line. `st.stop` would also end what follows the page."""
    raise PageEndError


def let_first_screen_draw() -> None:
    """Give the browser a moment for what was sent, before charts keep it busy. Once per tab.

    The first chart makes it load a library of megabytes, and until then nothing is drawn.
    """
    if runtime.exists() and SHOWN not in st.session_state:
        time.sleep(FIRST_SCREEN_S)


class Waiting:
    """Shows what is being loaded: in the sidebar, and in place of the figures on a new page.

    Called several times a second while a page waits. At each call, Streamlit can end a run whose
    viewer has chosen something else or has left.
    """

    def __init__(self, frame: Frame, placeholder: DeltaGenerator) -> None:
        self._frame, self._placeholder = frame, placeholder
        self._line: DeltaGenerator | None = None

    def __call__(self, pending: Sequence[Query]) -> None:
        shown: Shown | None = st.session_state.get(SHOWN)
        earlier = shown if shown and shown.page[0] == self._frame.page[0] else None
        self._frame.show_waiting()
        if earlier and earlier.page == self._frame.page:
            return
        if self._line is None:
            self._line = self._begin(is_first=earlier is None)
        self._line.caption(in_words(pending))

    def _begin(self, is_first: bool) -> DeltaGenerator:
        """Keep what the page showed for another URL; reserve a place on a first load."""
        with self._placeholder.container():
            line = st.empty()
            if is_first:
                st.skeleton(SKELETON_PX)
        return line

    def end(self) -> None:
        """Make room for the results."""
        if self._line is not None:
            self._placeholder.empty()


def is_shown(page: PageAddress) -> bool:
    """Does this tab show this page of this URL? Then it stays until there is a newer one."""
    shown: Shown | None = st.session_state.get(SHOWN)
    return shown is not None and shown.page == page


def in_words(pending: Sequence[Query]) -> str:
    """What a page waits for, as text.

    >>> in_words([Query(in_words, ())])
    'Waiting for the database: in words.'
    """
    names = list(dict.fromkeys(query.description for query in pending))
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"Waiting for the database: {', '.join(names[:MOST_NAMED])}{more}."


def _status(seconds: float, updated: str | None) -> str:
    """
    >>> _status(3.4, None), _status(141, "12:05:10")
    ('Waiting for 3 s', 'Updated 12:05:10, waiting for 2 min 21 s')
    """
    length = f"{seconds:.0f} s" if seconds < 59 else formatting.duration(seconds * 1_000)
    waiting = f"waiting for {length}"
    return f"Updated {updated}, {waiting}" if updated else waiting.capitalize()


def run_again_in(every_s: int) -> None:
    """Run the page again in this many seconds."""
    st.session_state[FINISHED] = time.monotonic()
    with st.sidebar:
        st.fragment(_run_again, run_every=every_s)(every_s)


def _run_again(every_s: int) -> None:
    """Run the page again, unless its last run has only just finished."""
    if time.monotonic() - st.session_state[FINISHED] >= every_s / 2:
        st.rerun()

"""The beginning and end of every page: its choice, its database, its viewer."""

import gc
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import RerunException

from tracelib import errors, facets
from tracelib import window as windows
from tracelib.charts.base import TimeAxis
from tracelib.charts.palette import model_colours
from tracelib.choice import Choice
from tracelib.facets import Facets
from tracelib.filters import Filters
from tracelib.page.base import address, cards, chart_range, controls, frame, head, identity
from tracelib.page.base.frame import Frame, Pending, Waiting
from tracelib.permissions.people import ANYONE, Person
from tracelib.querying import replication
from tracelib.querying.installation import Installation, installation, log_once, reread_schema
from tracelib.querying.query import Query
from tracelib.querying.runner import KNOWN_S, expire_results, run_alone, run_together
from tracelib.querying.store import Result
from tracelib.querying.workers import Who
from tracelib.settings import TICKS
from tracelib.source import Postgres

T = TypeVar("T")
P = ParamSpec("P")
ICON = Path(__file__).with_name("icon.png")
# Drop-downs and colours need not follow every tick.
FACETS_TICK_S = 300
# How long a page waits for results that no stored one can replace.
PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows, and to whom: the choice, its current filters, and the frame around it."""

    name: str
    choice: Choice
    filters: Filters
    now: datetime
    installed: Installation
    frame: Frame
    person: Person = ANYONE

    @property
    def who(self) -> Who:
        """For whom do queries run? The person, or on an open app the tab."""
        return Who(self.person.who or identity.tab())

    @property
    def usable_buckets(self) -> Mapping[str, windows.Bucket]:
        """Which buckets give a chart of this range a readable number of points, finest first?"""
        usable = windows.usable_buckets(self.filters.window, windows.MOST_POINTS)
        return {bucket.name: bucket for bucket in usable}

    @property
    def bucket(self) -> windows.Bucket:
        """Which bucket do all charts over time here have? The chosen one if it fits."""
        usable = self.usable_buckets
        return usable.get(self.choice.bucket or "") or windows.fitting_bucket(self.filters.window)

    @property
    def axis(self) -> TimeAxis:
        """The time axis that all charts of this page share."""
        return TimeAxis(self.filters.window, self.filters.zone, self.bucket, self.now)

    @property
    def facets(self) -> Facets:
        """The values to filter by. They come with the first results of the page."""
        if self.frame.facets is None:
            self._run_pending()
        return self.frame.facets or Facets()

    @property
    def colours(self) -> Mapping[str, str]:
        """The colour of each model: as it was given, or by its rank over the whole log."""
        ranked = (facet.id for facet in self.facets.of("model"))
        return model_colours(replication.with_known_models(self.installed, ranked))

    def query(
        self,
        function: Callable[Concatenate[Postgres, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> Pending[T]:
        """Request a query. Returns at once; `.result` of the returned value waits.

        All queries requested before the first result is read run in parallel.
        """
        if named:
            raise TypeError("arguments of a query are positional")
        return self.request(Query(function, arguments))

    def request(self, query: Query) -> Pending[Any]:
        """Request a query that may have a tick of its own; as `query` does."""
        pending: Pending[Any] = Pending(query, self._run_pending)
        self.frame.pending.append(pending)
        return pending

    def query_alone(
        self,
        function: Callable[Concatenate[Postgres, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """Run a query at once, for this viewer only; its result is not stored.

        Raises a TraceError.
        """
        if named:
            raise TypeError("arguments of a query are positional")
        value: T = run_alone(self.installed, Query(function, arguments), self.who)
        return value

    def query_optional(
        self, function: Callable[[Postgres, Filters], T], every_s: int, patience_s: float
    ) -> T | None:
        """Run a query with the filters of a longer tick; None if it takes too long.

        Then the page waits for it at its end, and runs again.
        """
        tick = windows.ticked(self.now, every_s)
        query = Query(function, (self.choice.filters(tick, self.filters.zone),), tick)
        held = self.frame.held
        (result,) = run_together(self.installed, tick, [query], patience_s, held=held, who=self.who)
        self.frame.note([query], [result])
        value: T | None = result.value
        return value

    def _run_pending(self) -> None:
        """Run all requested queries, and show what is loading; the first time including facets."""
        pending, self.frame.pending = self.frame.pending, []
        is_first = self.frame.facets is None
        queries = [one.query for one in pending]
        waiting = Waiting(self.frame, st.empty())
        results = run_together(
            self.installed,
            self.now,
            [*queries, _facets_query(self.now)] if is_first else queries,
            PATIENCE_S,
            waiting,
            KNOWN_S,
            self.frame.held,
            self.who,
        )
        waiting.end()
        self.frame.note(queries, results)
        if is_first:
            _name_choices(self, results.pop().value or Facets())
        self._warn_if_stale(results)
        for one, result in zip(pending, results, strict=True):
            one.set_result(self._in_zone(result))

    def _warn_if_stale(self, results: list[Result[Any]]) -> None:
        stale = [result for result in results if result.is_outdated]
        if stale:
            self.frame.warn_of_age(stale, self.filters.zone)

    def _in_zone(self, result: Result[Any]) -> Result[Any]:
        """A stale result with its time in the viewer's zone; any other as it is."""
        zone = ZoneInfo(self.filters.zone)
        at = result.computed_at.astimezone(zone)
        return replace(result, computed_at=at) if result.is_stale else result


@contextmanager
def begin(name: str, others: Collection[str] | None = ()) -> Iterator[View]:
    """Draw the frame of a page, and show when the page has finished.

    The URL holds the choice and, of other parameters, those in `others`, or all for None. If there
    is no database, or the viewer has no access, shows a sentence and stops the page.
    """
    st.set_page_config(page_title=f"{name} · LLM traceability", page_icon=str(ICON), layout="wide")
    view = _opened(name, others)
    is_finished = True
    with view.frame.holding():
        try:
            with suppress(frame.PageEndError):
                yield view
        except RerunException:
            is_finished = False  # the next run has begun already
            raise
        finally:
            if is_finished:
                _finish(view)


def _opened(name: str, others: Collection[str] | None) -> View:
    choice, complaints = address.read(is_again=frame.LATE in st.session_state)
    shown = (name, address.parameters_with(choice, others))
    head.apply(is_refresh=frame.is_shown(shown))
    person, installed = _installation(choice)
    now = _tick(choice, installed)
    viewer_zone = identity.time_zone()
    filters = choice.filters(now, viewer_zone)
    with st.sidebar:
        dimensions, status = _sidebar(choice, installed, now, viewer_zone)
        identity.who(person, installed)
    address.write(choice, others)
    with st.container():
        head.title(name, choice, filters, installed.is_sample, complaints)
        notice, chips = st.empty(), head.chip_row(choice, filters)
    around = Frame(shown, notice, dimensions, chips, status)
    around.warn_as_before()
    return View(name, choice, filters, now, installed, around, person)


def _finish(view: View) -> None:
    _ = view.facets  # a page without queries has its drop-downs, too
    chart_range.listen()
    every_s = TICKS[_refresh(view.choice, view.installed)]
    if view.frame.has_failed:
        every_s = min(every_s, TICKS["10s"])
    view.frame.finish(view.filters.zone, every_s)
    _freeze_loaded_objects()
    if view.frame.late:
        view.frame.await_late(view.installed, view.now, view.filters.zone, view.who)


@cache
def _freeze_loaded_objects() -> None:
    """Exclude loaded objects from garbage collection, which took a fifth of a run."""
    gc.freeze()


def _installation(choice: Choice) -> tuple[Person, Installation]:
    """Who is the viewer, and which database may they see?"""
    try:
        identity.check_host()
        return identity.identify(installation())
    except errors.TraceError as error:
        with st.sidebar:
            controls.menu(choice)
        st.header("Nothing can be shown yet", anchor=False)
        cards.show_error(error if identity.is_open() else _without_detail(error))
        frame.run_again_in(TICKS["10s"])  # a setting may have been corrected
        st.stop()


def _without_detail(error: errors.TraceError) -> errors.TraceError:
    """The error without its detail, which may name people: the viewer is still unknown."""
    log_once(error.detail or error.sentence)
    return type(error)()


def _refresh(choice: Choice, installed: Installation) -> str:
    return choice.refresh or installed.settings.refresh


def _tick(choice: Choice, installed: Installation) -> datetime:
    every_s = TICKS[_refresh(choice, installed)] or TICKS["30s"]
    late: datetime | None = st.session_state.pop(frame.LATE, None)
    return late or windows.ticked(datetime.now(UTC), every_s)


def _facets_query(now: datetime) -> Query:
    tick = windows.ticked(now, FACETS_TICK_S)
    return Query(facets.facets, (tick,), tick)


def _name_choices(view: View, values: Facets) -> None:
    """Draw what needs names: the drop-downs, and the active filters."""
    view.frame.facets = values
    with view.frame.dimensions:
        controls.dimensions(view.choice, values)
    with view.frame.chips:
        head.chips(view.filters.chosen(), values)


def _sidebar(
    choice: Choice, installed: Installation, now: datetime, viewer_zone: str
) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Draw the controls; returns the places of the drop-downs, and of the time of the update."""
    controls.menu(choice)
    controls.time_range(choice, now, viewer_zone)
    dimensions = st.container()
    controls.refresh(choice, installed.settings.refresh)
    status = st.container()
    st.button("Refresh now", on_click=refresh_now, key="refresh now", width="stretch")
    return dimensions, status


def refresh_now() -> None:
    """Run all queries again, and read the schema again."""
    expire_results()
    reread_schema()

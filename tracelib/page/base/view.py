"""The beginning and end of every page: its choice, its database, its viewer."""

import gc
from collections.abc import Callable, Iterator, Mapping
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

from tracelib import errors, facets, formatting
from tracelib import window as windows
from tracelib.charts.base import TimeAxis
from tracelib.charts.palette import model_colours
from tracelib.choice import Choice
from tracelib.facets import Facets
from tracelib.filters import Filters
from tracelib.page.base import address, cards, controls, frame, head, identity
from tracelib.page.base.frame import Frame, Pending, Waiting
from tracelib.permissions.people import ANYONE, Person
from tracelib.querying.installation import Installation, installation, look_again, note_once
from tracelib.querying.runner import Question, answers, ask_alone, forget_answers
from tracelib.querying.store import Answer
from tracelib.settings import TICKS
from tracelib.source import Source

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
    def bucket(self) -> windows.Bucket:
        """Which bucket do all charts over time here have? The chosen one if it fits."""
        usable = {bucket.name: bucket for bucket in windows.usable_buckets(self.filters.window)}
        return usable.get(self.choice.bucket or "") or windows.fitting_bucket(self.filters.window)

    @property
    def axis(self) -> TimeAxis:
        """The time axis that all charts of this page share."""
        return TimeAxis(self.filters.window, self.filters.zone, self.bucket, self.now)

    @property
    def facets(self) -> Facets:
        """The values to filter by. They come with the first results of the page."""
        if self.frame.facets is None:
            self._answer()
        return self.frame.facets or Facets.none()

    @property
    def colours(self) -> Mapping[str, str]:
        """The colour of each model, by its rank over the whole log."""
        return model_colours(facet.id for facet in self.facets.of("model"))

    def ask(
        self,
        question: Callable[Concatenate[Source, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> Pending[T]:
        """Request a query. Returns at once; `.answer` of the returned value waits.

        All queries requested before the first result is read run in parallel.
        """
        if named:
            raise TypeError("arguments of a question go by their place")
        pending: Pending[T] = Pending(Question(question, arguments), self._answer)
        self.frame.pending.append(pending)
        return pending

    def ask_alone(
        self,
        question: Callable[Concatenate[Source, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """Run a query at once, for this viewer only; its result is not stored.

        Raises a TraceError.
        """
        if named:
            raise TypeError("arguments of a question go by their place")
        value: T = ask_alone(self.installed, Question(question, arguments))
        return value

    def ask_aside(
        self, question: Callable[[Source, Filters], T], every_s: int, patience_s: float
    ) -> T | None:
        """Run a query with the filters of a longer tick; None if it takes too long."""
        tick = windows.ticked(self.now, every_s)
        filters = self.choice.filters(tick, self.filters.zone)
        (given,) = answers(self.installed, tick, [Question(question, (filters,))], patience_s)
        value: T | None = given.value
        return value

    def _answer(self) -> None:
        """Run all requested queries, and show what is loading; the first time including facets."""
        asked, self.frame.pending = self.frame.pending, []
        is_first = self.frame.facets is None
        questions = [one.question for one in asked]
        waiting = Waiting(self.frame, st.empty())
        given = answers(
            self.installed,
            self.now,
            [*questions, _facets_question(self.now)] if is_first else questions,
            PATIENCE_S,
            waiting,
        )
        waiting.end()
        if is_first:
            _name_choices(self, given.pop().value or Facets.none())
        self._note_stale(given)
        for one, answer in zip(asked, given, strict=True):
            one.settle(self._in_zone(answer))

    def _note_stale(self, given: list[Answer[Any]]) -> None:
        stale = [answer for answer in given if answer.is_stale]
        if stale and stale[0].error:
            at = formatting.clock(min(one.asked_at for one in stale), self.filters.zone)
            self.frame.notice.warning(f"{stale[0].error.sentence} The figures are those of {at}.")

    def _in_zone(self, answer: Answer[Any]) -> Answer[Any]:
        """A stale result with its time in the viewer's zone; any other as it is."""
        zone = ZoneInfo(self.filters.zone)
        at = answer.asked_at.astimezone(zone)
        return replace(answer, asked_at=at) if answer.is_stale else answer


@contextmanager
def begin(name: str, has_parameters: bool = False) -> Iterator[View]:
    """Draw the frame of a page, and show when the page has finished.

    The URL holds the choice, and nothing else unless the page has parameters of its own. If there
    is no database, or the viewer has no access, shows a sentence and stops the page.
    """
    st.set_page_config(page_title=f"{name} · LLM traceability", page_icon=str(ICON), layout="wide")
    view = _begun(name, has_parameters)
    is_finished = True
    try:
        with suppress(frame.PageEndError):
            yield view
    except RerunException:
        is_finished = False  # the next run has begun already
        raise
    finally:
        if is_finished:
            _finish(view)


def _begun(name: str, has_parameters: bool) -> View:
    choice, complaints = address.read()
    shown = (name, address.whole(choice, has_parameters))
    head.apply(is_refresh=frame.is_shown(shown))
    person, installed = _installation(choice)
    now = _tick(choice, installed)
    viewer_zone = _viewer_zone()
    filters = choice.filters(now, viewer_zone)
    with st.sidebar:
        dimensions, status = _sidebar(choice, installed, now, viewer_zone)
        identity.who(person, installed)
    address.write(choice, has_parameters)
    with st.container():
        head.title(name, choice.in_words(filters), installed.is_sample, complaints)
        notice, chips = st.empty(), st.container()
    around = Frame(shown, notice, dimensions, chips, status)
    return View(name, choice, filters, now, installed, around, person)


def _finish(view: View) -> None:
    _ = view.facets  # a page without queries has its drop-downs, too
    every_s = TICKS[_refresh(view.choice, view.installed)]
    view.frame.finish(view.filters.zone, every_s)
    _keep_what_is_loaded()


@cache
def _keep_what_is_loaded() -> None:
    """Exclude loaded objects from garbage collection, which took a fifth of a run."""
    gc.freeze()


def _installation(choice: Choice) -> tuple[Person, Installation]:
    """Who is the viewer, and which database may they see?"""
    try:
        return identity.let_in(installation())
    except errors.TraceError as error:
        with st.sidebar:
            controls.menu(choice)
        st.header("Nothing can be shown yet", anchor=False)
        cards.failed(error if identity.is_open() else _without_detail(error))
        st.stop()


def _without_detail(error: errors.TraceError) -> errors.TraceError:
    """The error without its detail, which may name people: the viewer is still unknown."""
    note_once(str(error))
    return type(error)()


def _refresh(choice: Choice, installed: Installation) -> str:
    return choice.refresh or installed.settings.refresh


def _tick(choice: Choice, installed: Installation) -> datetime:
    every_s = TICKS[_refresh(choice, installed)] or TICKS["30s"]
    return windows.ticked(datetime.now(UTC), every_s)


def _viewer_zone() -> str:
    zone = st.context.timezone or "UTC"
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return "UTC"
    return zone


def _facets_question(now: datetime) -> Question:
    tick = windows.ticked(now, FACETS_TICK_S)
    return Question(facets.facets, (tick,), tick)


def _name_choices(view: View, known: Facets) -> None:
    """Draw what needs names: the drop-downs, and the active filters."""
    view.frame.facets = known
    with view.frame.dimensions:
        controls.dimensions(view.choice, known)
    with view.frame.chips:
        head.chips(view.filters.chosen(), known)


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
    forget_answers()
    look_again()

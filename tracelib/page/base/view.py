"""How every page begins and ends: what is chosen, which database, who is who."""

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
from tracelib.people import ANYONE, Person
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
# A page waits so long for answers that nothing can stand in for.
PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows, to whom: the choice, the filters it means now, and the frame around it."""

    name: str
    choice: Choice
    filters: Filters
    now: datetime
    installed: Installation
    frame: Frame
    person: Person = ANYONE

    @property
    def bucket(self) -> windows.Bucket:
        """Which buckets has every chart over time here? The chosen ones where they fit."""
        usable = {bucket.name: bucket for bucket in windows.usable_buckets(self.filters.window)}
        return usable.get(self.choice.bucket or "") or windows.fitting_bucket(self.filters.window)

    @property
    def axis(self) -> TimeAxis:
        """Which time axis do all charts of this page share?"""
        return TimeAxis(self.filters.window, self.filters.zone, self.bucket, self.now)

    @property
    def facets(self) -> Facets:
        """What there is to choose from, by name. Comes with the first answers of the page."""
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
        """Ask the database. Returns at once; `.answer` of what is returned waits.

        All that is asked before the first answer is read is asked side by side.
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
        """Ask at once, for this viewer alone; nothing is kept. Raises a TraceError."""
        if named:
            raise TypeError("arguments of a question go by their place")
        value: T = ask_alone(self.installed, Question(question, arguments))
        return value

    def ask_aside(
        self, question: Callable[[Source, Filters], T], every_s: int, patience_s: float
    ) -> T | None:
        """Ask about the filters of a tick of so many seconds; None where it takes too long."""
        tick = windows.ticked(self.now, every_s)
        filters = self.choice.filters(tick, self.filters.zone)
        (given,) = answers(self.installed, tick, [Question(question, (filters,))], patience_s)
        value: T | None = given.value
        return value

    def _answer(self) -> None:
        """Wait for all that is asked, and show what is awaited; the first time for facets, too."""
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
        """A stale answer with its time in the viewer's zone; any other as it is."""
        zone = ZoneInfo(self.filters.zone)
        at = answer.asked_at.astimezone(zone)
        return replace(answer, asked_at=at) if answer.is_stale else answer


@contextmanager
def begin(name: str, has_parameters: bool = False) -> Iterator[View]:
    """Draw the frame of a page, and when the page has finished say so.

    The URL says what is chosen, and nothing else unless the page has parameters of its own.
    Where there is no database to ask, or nobody may look who does, it says so in a sentence and
    stops the page.
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
    _ = view.facets  # a page that asks nothing has its drop-downs all the same
    every_s = TICKS[_refresh(view.choice, view.installed)]
    view.frame.finish(view.filters.zone, every_s)
    _keep_what_is_loaded()


@cache
def _keep_what_is_loaded() -> None:
    """Leave what is loaded by now out of the search for garbage, which took a fifth of a run."""
    gc.freeze()


def _installation(choice: Choice) -> tuple[Person, Installation]:
    """Who looks, and at what of which database?"""
    try:
        return identity.let_in(installation())
    except errors.TraceError as error:
        with st.sidebar:
            controls.menu(choice)
        st.header("Nothing can be shown yet", anchor=False)
        cards.failed(error if identity.is_open() else _without_detail(error))
        st.stop()


def _without_detail(error: errors.TraceError) -> errors.TraceError:
    """It is not known yet who looks, and a detail may name people: it stands in the log."""
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
    """Draw what goes by names: the drop-downs, and the filters that are on."""
    view.frame.facets = known
    with view.frame.dimensions:
        controls.dimensions(view.choice, known)
    with view.frame.chips:
        head.chips(view.filters.chosen(), known)


def _sidebar(
    choice: Choice, installed: Installation, now: datetime, viewer_zone: str
) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Draw the controls; the places of the drop-downs, and of when the page was updated."""
    controls.menu(choice)
    controls.time_range(choice, now, viewer_zone)
    dimensions = st.container()
    controls.refresh(choice, installed.settings.refresh)
    status = st.container()
    st.button("Refresh now", on_click=refresh_now, key="refresh now", width="stretch")
    return dimensions, status


def refresh_now() -> None:
    """Ask everything again, and what the database has."""
    forget_answers()
    look_again()

"""How every page begins: what is chosen, which database, who is who."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib import errors, facets, formatting
from tracelib import window as windows
from tracelib.asking.answers import Question, answers, are_known, forget_answers
from tracelib.asking.installation import Installation, installation, look_again, note_once
from tracelib.asking.memory import Answer
from tracelib.charts.base import TimeAxis
from tracelib.charts.palette import model_colours
from tracelib.choice import Choice
from tracelib.facets import Facets
from tracelib.filters import DIMENSIONS, Filters
from tracelib.page import address, cards, identity, sidebar, style
from tracelib.page.safe import label
from tracelib.people import ANYONE, Person
from tracelib.settings import TICKS

ICON = Path(__file__).with_name("icon.png")
# Drop-downs and colours need not follow every tick.
FACETS_TICK_S = 300
# Only the first load shows it; a refresh changes figures in place.
SKELETON_PX = 560


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows, to whom: the choice, the filters it means now, names and colours."""

    name: str
    choice: Choice
    filters: Filters
    now: datetime
    installed: Installation
    facets: Facets
    colours: Mapping[str, str]
    notice: DeltaGenerator
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

    def ask(self, *questions: tuple[Any, ...]) -> list[Answer[Any]]:
        """What does the database say to these (question, argument…) tuples, asked side by side?"""
        asked = [Question(ask, tuple(arguments)) for ask, *arguments in questions]
        place = st.empty()
        is_first = not st.session_state.get(f"seen {self.name}")
        is_waiting = is_first and not are_known(self.installed, self.now, asked)
        if is_waiting:
            place.skeleton(SKELETON_PX)
        given = answers(self.installed, self.now, asked)
        if is_waiting:
            place.empty()
        st.session_state[f"seen {self.name}"] = True
        self._say_if_stale(given)
        return given

    def _say_if_stale(self, given: list[Answer[Any]]) -> None:
        """The last good figures stay while the database is away, and the page says so."""
        stale = [answer for answer in given if answer.is_stale]
        if stale and stale[0].error:
            at = formatting.clock(min(one.asked_at for one in stale), self.filters.zone)
            self.notice.warning(f"{stale[0].error.sentence} The figures are those of {at}.")


def begin(name: str) -> View:
    """What is chosen and who is who? Draws the sidebar and the head of the page.

    Where there is no database to ask, or nobody may look who does, it says so in a sentence and
    stops the page.
    """
    st.set_page_config(page_title=f"{name} · LLM traceability", page_icon=str(ICON), layout="wide")
    style.apply()
    choice, complaints = address.read()
    person, installed = _installation(choice)
    now = _tick(choice, installed)
    viewer_zone = _viewer_zone()
    known = _facets(installed, now)
    _sidebar(name, choice, installed, known, now, viewer_zone)
    with st.sidebar:
        identity.who(person, installed)
    address.write(choice)
    filters = choice.filters(now, viewer_zone)
    colours = model_colours(facet.id for facet in known.of("model"))
    _head(name, choice, filters, installed, complaints)
    view = View(name, choice, filters, now, installed, known, colours, st.empty(), person)
    _chips(view)
    return view


def _installation(choice: Choice) -> tuple[Person, Installation]:
    """Who looks, and at what of which database?"""
    try:
        return identity.let_in(installation())
    except errors.TraceError as error:
        with st.sidebar:
            sidebar.menu(choice)
        st.header("Nothing can be shown yet", anchor=False)
        cards.failed(error if identity.is_open() else _without_detail(error))
        st.stop()


def _without_detail(error: errors.TraceError) -> errors.TraceError:
    """It is not known yet who looks, and a detail may name people: it stands in the log."""
    note_once(str(error))
    return type(error)()


def _tick(choice: Choice, installed: Installation) -> datetime:
    every = TICKS[choice.refresh or installed.settings.refresh] or TICKS["30s"]
    return windows.ticked(datetime.now(UTC), every)


def _viewer_zone() -> str:
    zone = st.context.timezone or "UTC"
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return "UTC"
    return zone


def _facets(installed: Installation, now: datetime) -> Facets:
    tick = windows.ticked(now, FACETS_TICK_S)
    answer = answers(installed, tick, [Question(facets.facets, (tick,))])[0]
    if answer.value is None:
        # A failure is worth asking again at the next refresh, not in five minutes.
        answer = answers(installed, now, [Question(facets.facets, (now,))])[0]
    return answer.value or Facets.none()


def _sidebar(
    name: str,
    choice: Choice,
    installed: Installation,
    known: Facets,
    now: datetime,
    viewer_zone: str,
) -> None:
    zone = choice.zone or viewer_zone
    with st.sidebar:
        sidebar.menu(choice)
        sidebar.time_range(choice, now, viewer_zone)
        sidebar.dimensions(choice, known)
        sidebar.refresh(choice, installed.settings.refresh, name)
        at = datetime.now(UTC).astimezone(ZoneInfo(zone))
        st.caption(f"Updated {at:%H:%M:%S}")
        st.button("Refresh now", on_click=refresh_now, key="refresh now", width="stretch")


def refresh_now() -> None:
    """Ask everything anew, and what the database has."""
    forget_answers()
    look_again()


def _head(
    name: str,
    choice: Choice,
    filters: Filters,
    installed: Installation,
    complaints: tuple[str, ...],
) -> None:
    st.header(name, anchor=False)
    st.caption(label(choice.in_words(filters), 200))
    if installed.is_sample:
        st.info(
            "This is sample traffic, made up for trying the dashboard out. Set DATABASE_URL to "
            "see your own.",
            icon=":material/science:",
        )
    for complaint in complaints:
        st.warning(label(complaint, 200))


def _chips(view: View) -> None:
    chosen = view.filters.chosen()
    if not chosen:
        return
    with st.container(horizontal=True, gap="xsmall"):
        for dimension, ids in chosen.items():
            names = view.facets.names(dimension)
            for one in ids:
                st.button(
                    f"{dimension.capitalize()}: {label(names.get(one, one), 40)}",
                    key=f"chip {dimension} {one}",
                    icon=":material/close:",
                    help="Remove this filter",
                    on_click=_without(dimension, one, ids),
                )
        st.button("Clear all", key="chip all", type="tertiary", on_click=_without_any)


def _without(dimension: str, one: str, ids: tuple[str, ...]) -> Callable[[], None]:
    rest = tuple(other for other in ids if other != one)
    return lambda: address.change(**{dimension: rest})


def _without_any() -> None:
    address.change(**dict.fromkeys(DIMENSIONS, ()))

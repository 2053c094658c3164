"""The sidebar of every page: menu, time range, filters, refresh."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from math import ceil
from typing import Any

import streamlit as st

from tracelib import ranges
from tracelib import window as windows
from tracelib.choice import Choice
from tracelib.facets import Facets
from tracelib.filters import DIMENSIONS
from tracelib.page.base import address
from tracelib.ranges import CALENDAR, CUSTOM, DAY, Between, Calendar, Last, NamedRange
from tracelib.signs import one_line
from tracelib.window import SPANS

# From the shortest to the longest.
LASTS = tuple(Last(length // timedelta(hours=1)) for length in SPANS.values())
NAMED = (*LASTS, *map(Calendar, CALENDAR))
LIST = "filter span"
# Which form is open, and what is wrong with the last input applied in it.
FORM, WRONG = "range form", "range complaint"
LAST, BETWEEN = "own last", "own between"
FORMS = {LAST: "Last … hours or days", BETWEEN: "Custom range …"}
COUNT, UNIT = "range count", "range unit"
FIRST_DAY, FIRST_TIME = "range first day", "range first time"
LAST_DAY, LAST_TIME = "range last day", "range last time"
UNITS = {"hours": 1, "days": 24}
# A day more on both sides than a range may have: the last one of UTC is another one elsewhere.
EARLIEST, LATEST = date(1999, 12, 31), date(2201, 1, 1)


def show(choice: Choice, now: datetime, zone: str) -> None:
    """Draw the time range: one of the list, or the form below it."""
    unlisted = () if choice.range in NAMED else (choice.range,)
    titles = {_code(one): one.title for one in (*unlisted, *NAMED)} | FORMS
    opened = st.session_state.get(FORM)
    st.session_state[LIST] = opened or _code(choice.range)
    st.selectbox(
        "Time range",
        list(titles),
        format_func=titles.__getitem__,
        key=LIST,
        on_change=_apply_selection,
    )
    if opened == LAST:
        _fill_in(_count_of(choice.range, now, zone))
        _last_form()
    elif opened == BETWEEN:
        _fill_in(_ends_of(choice.range, now, zone))
        _between_form(zone)


def _code(chosen: NamedRange) -> str:
    return chosen.query()["range"]


def _apply_selection() -> None:
    """Take over the selection in the list, or open its form."""
    chosen = st.session_state[LIST]
    _close()
    if chosen in FORMS:
        st.session_state[FORM] = chosen
    elif chosen != CUSTOM:
        address.change(range=ranges.read_range(chosen, None, None)[0])


def _close() -> None:
    for key in (FORM, WRONG, COUNT, UNIT, FIRST_DAY, FIRST_TIME, LAST_DAY, LAST_TIME):
        st.session_state.pop(key, None)


def _fill_in(fields: dict[str, Any]) -> None:
    for key, value in fields.items():
        st.session_state.setdefault(key, value)


def _count_of(current: NamedRange, now: datetime, zone: str) -> dict[str, Any]:
    """How many hours or days does the current range have?"""
    hours = ceil(current.window(now, zone).length.total_seconds() / 3_600)
    count, unit = Last(min(hours, ranges.LONGEST_H)).count_and_unit()
    return {COUNT: count, UNIT: unit}


def _ends_of(current: NamedRange, now: datetime, zone: str) -> dict[str, Any]:
    """The first and the last day of the current range, and its times if it has any.

    A range of days has no times here, so that changing its days gives whole days again.
    """
    start, end = current.local_ends(now, zone)
    if current.is_of_days:
        last = (end - timedelta(microseconds=1)).date()
        return {FIRST_DAY: start.date(), FIRST_TIME: None, LAST_DAY: last, LAST_TIME: None}
    return {
        FIRST_DAY: start.date(),
        FIRST_TIME: start.time().replace(second=0, microsecond=0),
        LAST_DAY: end.date(),
        LAST_TIME: end.time().replace(second=0, microsecond=0),
    }


def _last_form() -> None:
    with st.form(LAST, border=False):
        left, right = st.columns(2)
        left.number_input("Last", 1, ranges.LONGEST_H, key=COUNT)
        right.selectbox("Unit", list(UNITS), key=UNIT)
        _buttons(_apply_last)


def _between_form(zone: str) -> None:
    with st.form(BETWEEN, border=False):
        for title, day, at, at_key in (
            ("First day", FIRST_DAY, "From", FIRST_TIME),
            ("Last day", LAST_DAY, "Until", LAST_TIME),
        ):
            left, right = st.columns([3, 2])
            left.date_input(title, "today", EARLIEST, LATEST, key=day, format="YYYY-MM-DD")
            right.time_input(at, None, key=at_key, step=60)
        st.caption(f"Times of {zone}; without them, whole days.")
        _buttons(_apply_between)


def _buttons(apply: Callable[[], None]) -> None:
    if wrong := st.session_state.get(WRONG):
        st.error(wrong)
    with st.container(horizontal=True, gap="small"):
        st.form_submit_button("Apply", type="primary", on_click=apply)
        st.form_submit_button("Cancel", on_click=_close)


def _apply_last() -> None:
    hours = (st.session_state[COUNT] or 0) * UNITS[st.session_state[UNIT]]
    if wrong := ranges.hours_complaint(hours):
        st.session_state[WRONG] = wrong
    else:
        _apply(Last(hours))


def _apply_between() -> None:
    """Take over the days and times; one day alone is a range, too."""
    first = st.session_state[FIRST_DAY] or st.session_state[LAST_DAY]
    last = st.session_state[LAST_DAY] or first
    if first is None:
        st.session_state[WRONG] = "Choose a day."
        return
    start = datetime.combine(first, st.session_state[FIRST_TIME] or time())
    until = st.session_state[LAST_TIME]
    end = datetime.combine(last, time()) + DAY if until is None else datetime.combine(last, until)
    if wrong := ranges.complaint(start, end):
        st.session_state[WRONG] = wrong
    else:
        _apply(Between(start, end))


def _apply(chosen: NamedRange) -> None:
    _close()
    address.change(range=chosen)


PAGES = (
    ("Home.py", "Home", ":material/home:"),
    ("pages/Overview.py", "Overview", ":material/monitoring:"),
    ("pages/Models.py", "Models", ":material/deployed_code:"),
    ("pages/Sessions.py", "Sessions", ":material/forum:"),
    ("pages/Status.py", "Status", ":material/vital_signs:"),
)
REFRESH = {"off": "Off", "10s": "10 s", "30s": "30 s", "1m": "1 min", "5m": "5 min"}
BROWSER = "browser"


def menu(choice: Choice) -> None:
    """Draw the name of the product and the links to the five pages, with the choice."""
    st.markdown("**LLM traceability**")
    for path, title, icon in PAGES:
        if title == "Sessions" and address.SESSION in st.query_params:
            st.button(
                title,
                icon=icon,
                type="tertiary",
                key="menu-sessions",
                width="stretch",
                on_click=address.close_session,
            )
        else:
            st.page_link(path, label=title, icon=icon, query_params=address.parameters_of(choice))


def time_range(choice: Choice, now: datetime, viewer_zone: str) -> None:
    """Draw the time range and its zone."""
    show(choice, now, choice.zone or viewer_zone)
    zones = [BROWSER, *windows.zones()]
    _select(
        "Time zone",
        "zone",
        zones,
        choice.zone or BROWSER,
        lambda zone: f"Browser ({viewer_zone})" if zone == BROWSER else zone,
        lambda zone: None if zone == BROWSER else zone,
    )


def dimensions(choice: Choice, facets: Facets) -> None:
    """Draw the filters: models, providers, users, teams and keys by name, from the recent log."""
    for dimension in DIMENSIONS:
        names = facets.names(dimension)
        chosen = list(getattr(choice, dimension))
        key = f"filter {dimension}"
        st.session_state[key] = chosen
        st.multiselect(
            dimension.capitalize(),
            [*names, *(one for one in chosen if one not in names)],
            format_func=_named_by(names),
            key=key,
            placeholder="All",
            on_change=address.from_widget,
            args=(key, dimension, lambda ids: tuple(sorted(ids))),
        )


def _named_by(names: Mapping[str, str]) -> Callable[[str], str]:
    return lambda one: one_line(names.get(one, one))


def refresh(choice: Choice, default: str) -> None:
    """Draw how often the page is refreshed."""
    current = choice.refresh or default
    _select(
        "Auto-refresh",
        "refresh",
        list(REFRESH),
        current,
        REFRESH.__getitem__,
        lambda every: None if every == default else every,
    )


def _select(
    title: str,
    field: str,
    options: list[str],
    current: str,
    written: Any,
    read_value: Any = lambda value: value,
) -> None:
    key = f"filter {field}"
    st.session_state[key] = current
    st.selectbox(
        title,
        options,
        format_func=written,
        key=key,
        on_change=address.from_widget,
        args=(key, field, read_value),
    )

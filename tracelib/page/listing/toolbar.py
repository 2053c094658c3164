"""The strip above the list: sessions over time, and the part of it that narrows the list.

The part is the list's own; the range of the page stays the same, so that the strip shows all of it
and another drag chooses another part.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib import formatting
from tracelib.charts import strip
from tracelib.charts.base import TimeAxis
from tracelib.filters import Filters
from tracelib.page.base import address
from tracelib.page.base.view import View
from tracelib.page.listing import search_form
from tracelib.page.listing.search_form import CONDITIONS, SORTS
from tracelib.page.text.markdown_escape import label
from tracelib.sessions import SessionSearch, in_words
from tracelib.window import TimeWindow, bucket_edges, bucket_starts

SINCE, UNTIL = "since", "until"
KEY = "session strip"
CONFIG = {"displayModeBar": False, "scrollZoom": False, "showTips": False}
COMPLAINT = "The selected part in the link {why}; showing the whole range."


def part(window: TimeWindow) -> tuple[TimeWindow | None, str | None]:
    """Which part of this range does the URL choose, and what is wrong with it, if anything?"""
    return read_part(st.query_params.get(SINCE), st.query_params.get(UNTIL), window)


def read_part(
    since: str | None, until: str | None, window: TimeWindow
) -> tuple[TimeWindow | None, str | None]:
    """Which part of the range is between these times as text, and what is wrong with them?

    >>> from datetime import timedelta
    >>> noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    >>> read_part("now", None, TimeWindow(noon, noon + timedelta(hours=3)))
    (None, 'The selected part in the link is not valid; showing the whole range.')
    """
    if since is None and until is None:
        return None, None
    try:
        chosen = TimeWindow(_moment(since), _moment(until))
    except (ValueError, OverflowError):
        return None, COMPLAINT.format(why="is not valid")
    if chosen.end <= window.start or chosen.start >= window.end:
        return None, COMPLAINT.format(why="is outside the time range")
    return chosen, None


def narrowed(filters: Filters, chosen: TimeWindow | None) -> Filters:
    """The filters for that part only."""
    if chosen is None:
        return filters
    window = filters.window
    inside = TimeWindow(max(chosen.start, window.start), min(chosen.end, window.end))
    return filters.within(inside)


def range_in_words(chosen: TimeWindow, zone: str) -> str:
    """The start and end on the viewer's clock, as text."""
    start, end = (minute(moment, zone) for moment in (chosen.start, chosen.end))
    is_one_day = start[:-6] == end[:-6]
    return f"{start} to {end[-5:] if is_one_day else end}"


def minute(moment: datetime, zone: str) -> str:
    """The moment on the viewer's clock, as text without the year.

    >>> minute(datetime(2026, 11, 23, 12, 5, 9, tzinfo=UTC), "Europe/Paris")
    '23 Nov 13:05'
    """
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %H:%M}"


def choose_whole() -> None:
    """Use the whole range for the list again; for callbacks."""
    search_form.replace_parameters((SINCE, UNTIL), {})


def show(
    spread: pd.DataFrame,
    axis: TimeAxis,
    chosen: TimeWindow | None,
    unread_until: datetime | None = None,
    is_final: bool = True,
) -> None:
    """Draw the sessions over time. A drag over bars narrows the list to them.

    A strip that is not final is drawn again every second, and a drag on it would be lost.
    """
    figure = strip.sessions(spread, axis, chosen, unread_until)
    st.plotly_chart(
        figure,
        key=KEY if is_final else f"{KEY} moving",
        config=CONFIG,
        alt="Sessions over time",
        on_select=_narrow_by(axis) if is_final else "ignore",
        selection_mode="box",
    )


def spread_of(rows: pd.DataFrame, axis: TimeAxis) -> pd.DataFrame:
    """The number of sessions per bucket of the axis, each at its last activity."""
    starts = pd.Series(
        bucket_starts(axis.window, axis.bucket, axis.zone), dtype="datetime64[us, UTC]"
    )
    position = starts.searchsorted(rows["last_started_at"], side="right") - 1
    has_failures = rows["failures"] > 0
    counts = {
        "sessions": pd.Series(position).value_counts(),
        "with_failures": pd.Series(position[has_failures.to_numpy()]).value_counts(),
    }
    spread = pd.DataFrame(counts).reindex(range(len(starts))).fillna(0)
    return spread.assign(bucket=starts)


def bars_between(axis: TimeAxis, first: pd.Timestamp, last: pd.Timestamp) -> TimeWindow:
    """Which buckets have the middle of their bar between these moments of the axis's clock?

    If there is none, the one bucket whose bar is nearest.
    """
    starts = bucket_starts(axis.window, axis.bucket, axis.zone)
    middles = axis.local(pd.Series(starts, dtype="datetime64[us, UTC]"))
    inside = [position for position, middle in enumerate(middles) if first <= middle <= last]
    inside = inside or [int((middles - first).abs().argmin())]
    edges = bucket_edges(axis.window, axis.bucket, axis.zone)
    return TimeWindow(edges[inside[0]], edges[inside[-1] + 1])


def _narrow_by(axis: TimeAxis) -> Callable[[], None]:
    return lambda: _narrow(axis)


def _narrow(axis: TimeAxis) -> None:
    """Take over the bars that were dragged over."""
    boxes = st.session_state[KEY]["selection"]["box"]
    if not boxes:
        return
    chosen = bars_between(axis, *sorted(pd.Timestamp(end) for end in boxes[0]["x"]))
    since, until = _written(chosen.start), _written(chosen.end)
    search_form.replace_parameters((SINCE, UNTIL), {SINCE: [since], UNTIL: [until]})


def _moment(written: str | None) -> datetime:
    moment = datetime.fromisoformat(written or "")
    if moment.tzinfo is None:
        raise ValueError("a moment needs a zone")
    return moment.astimezone(UTC)


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


NAME = "name"
LONGEST_NAME = 80
# The position in the list is not part of a search.
LEFT_OUT = (NAME, address.AFTER)


def heading() -> None:
    """Draw the name of the saved search, also in the browser's tab; nothing without one."""
    name = _name()
    if not name:
        return
    st.set_page_config(page_title=f"{name} · LLM traceability")
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.subheader(label(name, LONGEST_NAME), anchor=False, width="content")
        st.button(
            "Close",
            key="remove the name",
            icon=":material/close:",
            type="tertiary",
            help="Remove the name, keep the search",
            on_click=address.close,
            args=(NAME,),
        )


def save_search(view: View) -> None:
    """Draw the button that saves this search under a name and a link."""
    with st.popover("Save search", icon=":material/bookmark:", type="tertiary"):
        name = st.text_input(
            "Name",
            _name(),
            max_chars=LONGEST_NAME,
            key="name to save",
            placeholder="e.g. Refunds this week",
        ).strip()
        st.caption(
            "This link stores the search, its time range and filters, and the name as the title of "
            "the list. Bookmark or share it."
        )
        st.code(_link(name, view), language=None, wrap_lines=True)


def _name() -> str:
    return " ".join(st.query_params.get(NAME, "").split())[:LONGEST_NAME]


def _link(name: str, view: View) -> str:
    query = {
        parameter: st.query_params.get_all(parameter)
        for parameter in st.query_params
        if parameter not in LEFT_OUT
    }
    if SINCE in query:
        # A part has fixed times: the range it was chosen from must not move on without it.
        query |= view.choice.held(view.filters).to_query()
    named = {NAME: [name]} if name else {}
    address_of_page = (st.context.url or "").split("?")[0]
    return f"{address_of_page}?{urlencode(named | query, doseq=True)}"


def line() -> DeltaGenerator:
    """The line of the toolbar, next to the number of sessions if it is known."""
    return st.container(horizontal=True, vertical_alignment="center", gap="xsmall")


def sentence(view: View, search: SessionSearch, part: TimeWindow | None) -> None:
    """Draw the search as a sentence: time, conditions and order."""
    if part is not None and not search.id:
        words = range_in_words(part, view.filters.zone)
        _chip(words, "part", "Show the whole range", choose_whole)
    for fields in CONDITIONS:
        if search_form.is_set(search, fields):
            words = ", ".join(in_words(search_form.only(search, fields)))
            _chip(words, fields[0], "Remove this condition", _remover(search, fields))
    st.caption(f"{_range(view, search, part)}{SORTS[search.sort].lower()} first")
    save_search(view)


def counted(count: int) -> str:
    """
    >>> counted(0), counted(1), counted(1_200)
    ('0 sessions', '1 session', '1,200 sessions')
    """
    return formatting.counted(count, "session")


def _range(view: View, search: SessionSearch, part: TimeWindow | None) -> str:
    """The time range in a few words, unless a chip shows it; the head of the page has all of it."""
    if search.id:
        return "At any time, "
    if part is not None:
        return ""
    return f"{view.choice.range.title}, "


def _chip(words: str, key: str, what: str, remove: Callable[[], None]) -> None:
    st.button(
        label(words, 60),
        key=f"condition {key}",
        icon=":material/close:",
        help=what,
        on_click=remove,
    )


def _remover(search: SessionSearch, fields: tuple[str, ...]) -> Callable[[], None]:
    return lambda: search_form.write(search_form.without(search, fields))

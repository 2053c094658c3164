"""The timeline of a session: when its requests ran, what they sent, and where time was spent."""

from collections.abc import Callable, Mapping

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from tracelib import formatting
from tracelib.charts import context, strip, waterfall
from tracelib.conversation import TurnPage
from tracelib.page.base import chart_table
from tracelib.page.base.cards import (
    CONFIG,
    card,
    escaped_figure,
    show_empty_state,
    show_missing_result,
)
from tracelib.page.base.derived import derived, figure
from tracelib.page.base.view import View
from tracelib.querying.store import Result
from tracelib.sessions.lookup import MOST_REQUESTS
from tracelib.timeline import NEAR_LIMIT, Timeline, drawn, timeline
from tracelib.timeline import activity as busy_bins

# A session that idles for a larger share of its time is drawn without idle time.
IDLE_FROM = 0.5
MAP = (
    "Each bar is a request, in order of start. Its length is the response time: LiteLLM’s own "
    "time, the wait for the first token and the generation, where known. Click a bar to see its "
    "messages."
)
PARENTS_KNOWN = "Parent requests are known from the messages."
PARENTS_ASSUMED = (
    "Some parent requests are unknown; for those the nearest earlier response of the same model "
    "is assumed."
)
RESENT = (
    "Estimated from token counts: the part of a prompt that the previous request of its thread "
    "had sent or received. Reasoning is not resent."
)
KEY = "timeline"  # of the element that holds it


def show(
    view: View,
    requests: Result[pd.DataFrame],
    page: Result[TurnPage],
    on_open: Callable[[str], None],
    opened: str | None = None,
) -> None:
    """Draw when each request of this session ran, and the cost of resent context.

    `requests` are turns, as `turn_frame` makes them from `sessions.requests_of`; `page` is that of
    the transcript, which may know which request each continues. A click on a request calls
    `on_open` with its row, as text; the `opened` one is marked.
    """
    if requests.value is None:
        with card("Timeline", key=KEY):
            show_missing_result(requests)
        return
    whole = timeline_of(requests, page)
    data = whole.value
    if data is None or data.turns.empty:
        return
    with card("Timeline", MAP, key=KEY):
        if len(data.turns) >= MOST_REQUESTS:
            st.caption(f"Only the first {MOST_REQUESTS:,} requests are shown here.")
        if len(data.turns) > 1:
            _figures(data)
        _map(view, whole, data, on_open, opened)
    if len(data.turns) > 1:
        known = set(_parents(page.value) or ())
        how = PARENTS_KNOWN if known.issuperset(data.turns["row"]) else PARENTS_ASSUMED
        left, right = st.columns([3, 2])
        with left, card("What each request sent, tokens", f"{RESENT} {how}"):
            _context(whole, data, on_open)
        with right, card("Cost so far"):
            _plot("cost so far", figure(whole, _cost_so_far), data, on_open)


def timeline_of(requests: Result[pd.DataFrame], page: Result[TurnPage]) -> Result[Timeline]:
    """The timeline of these turns, with what the page of the transcript knows of them."""
    return derived(requests, _timeline_with, page)


def _timeline_with(requests: pd.DataFrame, page: TurnPage | None) -> Timeline:
    return timeline(requests, _parents(page), _repeated_shares(page))


def _parents(page: TurnPage | None) -> dict[str, str | None] | None:
    """Which request continues which, if the page of the transcript has them all?

    All by `RowId.written`. A request without stored messages has an unknown parent, and is left
    out.
    """
    if page is None or len(page.turns) < page.total:
        return None
    return {
        turn.request.row.written(): turn.parent.written() if turn.parent else None
        for turn in page.turns
        if turn.parent or turn.new_messages
    }


def _repeated_shares(page: TurnPage | None) -> dict[str, float]:
    """For requests whose client changed the history, the share of it that was sent before."""
    turns = page.turns if page else ()
    return {turn.request.row.written(): turn.repeated_share for turn in turns if turn.changes}


def _cost_so_far(data: Timeline) -> go.Figure:
    return context.cost_so_far(data.turns)


def _figures(data: Timeline) -> None:
    resent = _ratio(data.repeated_tokens, data.prompt_tokens)
    with st.grid(columns=5, min_column_width=130, gap="small"):
        _figure("Model time", formatting.duration(data.model_ms), _at_once(data))
        _figure("Idle time", formatting.duration(data.idle_ms), _of_all(data))
        _figure("Longest gap", formatting.duration(data.longest_gap_ms), _after(data))
        _figure(
            "Cost of resent context",
            formatting.money(data.resending_usd),
            f"{formatting.share(resent)} of prompt tokens",
            "Estimated: what the prompt tokens cost that an earlier request of the conversation "
            "had sent. Cached tokens count at their own price.",
        )
        _figure("Peak context use", formatting.share(data.fullest_share), _fullest(data))


def _figure(title: str, value: str, secondary: str, definition: str | None = None) -> None:
    with st.container(gap="xxsmall"):
        st.metric(title, escaped_figure(value), help=definition)
        st.caption(escaped_figure(secondary))


def _at_once(data: Timeline) -> str:
    if data.overlap_ms:
        return f"up to {data.most_at_once} requests at once"
    return "one request at a time"


def _of_all(data: Timeline) -> str:
    share = _ratio(data.idle_ms, data.wall_ms)
    return f"{formatting.share(share)} of {formatting.duration(data.wall_ms)}"


def _after(data: Timeline) -> str:
    """Which request came before the longest gap?"""
    if data.gaps.empty:
        return "no idle gaps"
    (start,) = data.gaps.nlargest(1, "length_ms")["start_ms"]
    return f"after request {(data.turns['start_ms'] <= start).sum()}"


def _fullest(data: Timeline) -> str:
    if data.fullest_share is None:
        return "the model’s limit is unknown"
    if data.near_limit:
        requests = formatting.counted(data.near_limit, "request")
        return f"{requests} at {NEAR_LIMIT * 100:.0f} % or more"
    (request,) = data.turns.nlargest(1, "context_share")["number"]
    return f"of the limit, request {request}"


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _map(
    view: View,
    whole: Result[Timeline],
    data: Timeline,
    on_open: Callable[[str], None],
    opened: str | None,
) -> None:
    start, stop = _shown(whole, data, opened)
    skips_idle = _skips_idle(data)
    chart = figure(whole, _waterfall, start, stop, skips_idle, dict(view.colours), opened)
    _plot("waterfall", chart, data, on_open)


def _waterfall(
    data: Timeline,
    start: int,
    stop: int,
    skips_idle: bool,
    colours: Mapping[str, str],
    opened: str | None,
) -> go.Figure:
    placed, cuts = drawn(data.turns.iloc[start:stop], skips_idle=skips_idle)
    return waterfall.waterfall(placed, cuts, colours, opened)


def _shown(whole: Result[Timeline], data: Timeline, opened: str | None) -> tuple[int, int]:
    """Which requests has the chart, from and to? In a long session a page, under a strip of all."""
    turns, rows = data.turns, waterfall.ROWS_SHOWN
    if len(turns) <= rows:
        return 0, len(turns)
    pages = -(-len(turns) // rows)
    found = turns.loc[turns["row"] == opened, "number"]
    default = (int(found.iloc[0]) - 1) // rows + 1 if len(found) else 1
    key = f"timeline page of {turns['row'].iloc[0]} {opened}"
    page = min(max(int(st.session_state.get(key, default)), 1), pages)
    start, stop = (page - 1) * rows, page * rows
    shown = turns.iloc[start:stop]
    _strip(whole, shown, key)
    numbers = f"Requests {shown['number'].iloc[0]:,} to {shown['number'].iloc[-1]:,}"
    st.caption(f"{numbers} of {len(turns):,} below; the strip shows the whole session.")
    st.pagination(pages, default=default, key=key)
    return start, stop


def _strip(whole: Result[Timeline], shown: pd.DataFrame, key: str) -> None:
    reaches = float(shown["start_ms"].min()), float(shown["end_ms"].max())
    chart = figure(whole, _activity, reaches)
    name = "activity"

    def turn_to() -> None:
        if isinstance(number := _clicked(name), int):
            st.session_state[key] = (number - 1) // waterfall.ROWS_SHOWN + 1

    st.plotly_chart(
        chart,
        key=name,
        config=CONFIG,
        alt="When the session was busy",
        on_select=turn_to,
        selection_mode="points",
    )


def _activity(data: Timeline, reaches: tuple[float, float]) -> go.Figure:
    return strip.strip(busy_bins(data.turns), reaches)


def _skips_idle(data: Timeline) -> bool:
    if data.gaps.empty:
        return False
    is_mostly_idle = data.idle_ms > IDLE_FROM * data.wall_ms
    return st.toggle(
        "Skip idle time",
        value=is_mostly_idle,
        key=f"skip idle time of {data.turns['row'].iloc[0]}",
        help="Grey bands are idle time.",
    )


def _context(whole: Result[Timeline], data: Timeline, on_open: Callable[[str], None]) -> None:
    if not data.prompt_tokens:
        show_empty_state("No request of this session sent a prompt to a model.")
        return
    _plot("context", figure(whole, _context_chart), data, on_open)


def _context_chart(data: Timeline) -> go.Figure:
    return context.context(data.turns, NEAR_LIMIT)


def _plot(name: str, chart: go.Figure, data: Timeline, on_open: Callable[[str], None]) -> None:
    """A chart in which a click on a request opens it."""
    last = f"last click on {name} of {data.turns['row'].iloc[0]}"

    def open_clicked() -> None:
        # A second click on the same request clears the selection, and opens it all the same.
        row = _clicked(name) or st.session_state.get(last)
        if isinstance(row, str):
            st.session_state[last] = row
            on_open(row)

    st.plotly_chart(
        chart,
        key=name,
        config=CONFIG,
        alt=name.capitalize(),
        on_select=open_clicked,
        selection_mode="points",
    )
    chart_table.offer(name.capitalize(), chart)


def _clicked(name: str) -> object:
    points = st.session_state[name]["selection"]["points"]
    return points[0].get("customdata") if points else None

"""The timeline of a session: when its requests ran, what they sent, and where time was spent."""

from collections.abc import Callable, Mapping

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from tracelib import formatting
from tracelib.charts import context, strip, waterfall
from tracelib.page.base.cards import CONFIG, card, literal, nothing, unanswered
from tracelib.page.base.view import View
from tracelib.querying.store import Answer
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
KNOWN = "Parent requests are known from the messages."
GUESSED = (
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
    requests: Answer[pd.DataFrame],
    parents: Mapping[str, str | None] | None,
    on_open: Callable[[str], None],
    opened: str | None = None,
    shares: Mapping[str, float] | None = None,
) -> None:
    """Draw when each request of this session ran, and the cost of resent context.

    `requests` are turns, as `turn_frame` makes them from `sessions.requests_of`; `parents`, if the
    transcript knows them, are the requests that each continues, and `shares` how much of a changed
    history was sent before, all by `RowId.written`. A click on a request calls `on_open` with its
    row, as text; the `opened` one is marked.
    """
    if requests.value is None:
        with card("Timeline", key=KEY):
            unanswered(requests)
        return
    if requests.value.empty:
        return
    told = timeline(requests.value, parents, shares)
    with card("Timeline", MAP, key=KEY):
        if len(told.turns) >= MOST_REQUESTS:
            st.caption(f"Only the first {MOST_REQUESTS:,} requests are shown here.")
        if len(told.turns) > 1:
            _figures(told)
        _map(view, told, on_open, opened)
    if len(told.turns) > 1:
        how = KNOWN if set(told.turns["row"]) <= set(parents or ()) else GUESSED
        left, right = st.columns([3, 2])
        with left, card("What each request sent, tokens", f"{RESENT} {how}"):
            _context(told, on_open)
        with right, card("Cost so far"):
            _drawn("cost so far", context.cost_so_far(told.turns), told, on_open)


def _figures(told: Timeline) -> None:
    resent = _ratio(told.repeated_tokens, told.prompt_tokens)
    with st.grid(columns=5, min_column_width=130, gap="small"):
        _figure("Model time", formatting.duration(told.model_ms), _at_once(told))
        _figure("Idle time", formatting.duration(told.idle_ms), _of_all(told))
        _figure("Longest gap", formatting.duration(told.longest_gap_ms), _after(told))
        _figure(
            "Cost of resent context",
            formatting.money(told.resending_usd),
            f"{formatting.share(resent)} of prompt tokens",
            "Estimated: what the prompt tokens cost that an earlier request of the conversation "
            "had sent. Cached tokens count at their own price.",
        )
        _figure("Peak context use", formatting.share(told.fullest_share), _fullest(told))


def _figure(title: str, value: str, beside: str, definition: str | None = None) -> None:
    with st.container(gap="xxsmall"):
        st.metric(title, literal(value), help=definition)
        st.caption(literal(beside))


def _at_once(told: Timeline) -> str:
    if told.overlap_ms:
        return f"up to {told.most_at_once} requests at once"
    return "one request at a time"


def _of_all(told: Timeline) -> str:
    share = _ratio(told.idle_ms, told.wall_ms)
    return f"{formatting.share(share)} of {formatting.duration(told.wall_ms)}"


def _after(told: Timeline) -> str:
    """Which request came before the longest gap?"""
    if told.gaps.empty:
        return "no idle gaps"
    (begins,) = told.gaps.nlargest(1, "length_ms")["start_ms"]
    return f"after request {(told.turns['start_ms'] <= begins).sum()}"


def _fullest(told: Timeline) -> str:
    if told.fullest_share is None:
        return "the model’s limit is unknown"
    if told.near_limit:
        requests = formatting.counted(told.near_limit, "request")
        return f"{requests} at {NEAR_LIMIT * 100:.0f} % or more"
    (request,) = told.turns.nlargest(1, "context_share")["number"]
    return f"of the limit, request {request}"


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _map(view: View, told: Timeline, on_open: Callable[[str], None], opened: str | None) -> None:
    turns = _shown(told, opened)
    placed, cuts = drawn(turns, skips_idle=_skips_idle(told))
    chart = waterfall.waterfall(placed, cuts, view.colours, opened)
    _drawn("waterfall", chart, told, on_open)


def _shown(told: Timeline, opened: str | None) -> pd.DataFrame:
    """The requests of one chart: in a long session a page, under a strip of the whole."""
    turns, rows = told.turns, waterfall.ROWS_SHOWN
    if len(turns) <= rows:
        return turns
    pages = -(-len(turns) // rows)
    found = turns.loc[turns["row"] == opened, "number"]
    default = (int(found.iloc[0]) - 1) // rows + 1 if len(found) else 1
    key = f"timeline page of {turns['row'].iloc[0]} {opened}"
    page = min(max(int(st.session_state.get(key, default)), 1), pages)
    shown = turns.iloc[(page - 1) * rows : page * rows]
    _strip(told, shown, key)
    numbers = f"Requests {shown['number'].iloc[0]:,} to {shown['number'].iloc[-1]:,}"
    st.caption(f"{numbers} of {len(turns):,} below; the strip shows the whole session.")
    st.pagination(pages, default=default, key=key)
    return shown


def _strip(told: Timeline, shown: pd.DataFrame, key: str) -> None:
    reaches = float(shown["start_ms"].min()), float(shown["end_ms"].max())
    chart = strip.strip(busy_bins(told.turns), reaches)
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


def _skips_idle(told: Timeline) -> bool:
    if told.gaps.empty:
        return False
    is_mostly_idle = told.idle_ms > IDLE_FROM * told.wall_ms
    return st.toggle(
        "Skip idle time",
        value=is_mostly_idle,
        key=f"skip idle time of {told.turns['row'].iloc[0]}",
        help="Grey bands are idle time.",
    )


def _context(told: Timeline, on_open: Callable[[str], None]) -> None:
    if not told.prompt_tokens:
        nothing("No request of this session sent a prompt to a model.")
        return
    _drawn("context", context.context(told.turns, NEAR_LIMIT), told, on_open)


def _drawn(name: str, chart: go.Figure, told: Timeline, on_open: Callable[[str], None]) -> None:
    """A chart in which a click on a request opens it."""
    last = f"last click on {name} of {told.turns['row'].iloc[0]}"

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


def _clicked(name: str) -> object:
    points = st.session_state[name]["selection"]["points"]
    return points[0].get("customdata") if points else None

"""The state of this app itself: a card on Status, which needs no database."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib import formatting
from tracelib.page.base.cards import card, show_facts
from tracelib.page.base.view import View
from tracelib.querying import replication
from tracelib.querying.app_state import AppState, Tick, app_state
from tracelib.querying.breaker import Outage
from tracelib.querying.replication import ReplicaState

ABOUT = (
    "The process that serves this page; other processes have figures of their own. A program "
    "finds the same at /metrics."
)
NO_ERRORS = "No errors in the last hour."
MOST_ERRORS = 8


def draw(view: View, position: DeltaGenerator) -> None:
    """Draw the connections, queries, memory and errors of this process."""
    state = app_state(view.installed)
    zone = view.filters.zone
    with position.container(), card("This app", ABOUT):
        with st.grid(columns=3, min_column_width=280, gap="medium"):
            with st.container():
                _source(view, state)
            with st.container():
                _queries(state, zone)
            with st.container():
                _process(state)
        if state.outage:
            show_facts(("Queries are paused", _pause(state.outage, zone)))
        _errors(state, zone)


def _source(view: View, state: AppState) -> None:
    used = state.connections
    show_facts(
        ("Database", view.installed.in_words()),
        ("Connections", f"{used.in_use} of {used.most} in use, {used.open} open"),
        ("Last successful query", _ago(state.last_good_at)),
        ("Circuit breaker", "open" if state.outage else "closed", state.outage is None),
        ("Replica", _replica(replication.state(view.installed))),
    )


def _queries(state: AppState, zone: str) -> None:
    store = state.store
    stored = f"{formatting.size(store.bytes)} of {formatting.size(store.most_bytes)}"
    show_facts(
        ("Last refresh", _tick(state.tick, zone)),
        ("Its slowest query", _slowest(state.tick)),
        ("Queries now", f"{store.running} running, {store.waiting} waiting"),
        ("Stored results", f"{formatting.exact(store.results)}, {stored}"),
    )


def _process(state: AppState) -> None:
    running_ms = (datetime.now(UTC) - state.started_at).total_seconds() * 1_000
    show_facts(
        ("Memory", formatting.size(state.memory_bytes)),
        ("Threads", formatting.exact(state.threads)),
        ("Viewers connected", _tabs(state.viewers)),
        ("Running for", formatting.duration(running_ms)),
    )


def _errors(state: AppState, zone: str) -> None:
    if not state.errors:
        st.caption(NO_ERRORS)
        return
    st.markdown("**Errors of the last hour**")
    show_facts(
        *(
            (
                one.sentence,
                f"{formatting.counted(one.count, 'time')}, last at {_time(one.last_at, zone)}",
            )
            for one in state.errors[:MOST_ERRORS]
        )
    )


def _pause(outage: Outage, zone: str) -> str:
    """Since when are queries paused, until when, and why?"""
    left = f"in {formatting.duration(outage.left_s * 1_000)}" if outage.left_s else "now"
    return f"since {_time(outage.since, zone)}, next try {left}: {outage.error.sentence}"


def _replica(state: ReplicaState) -> str:
    if state.mode == "off":
        return "off"
    if not state.is_wanted:
        return "not used"
    if state.manifest is None:
        return "not there yet"
    return f"compared {_ago(datetime.fromtimestamp(state.manifest.as_of, UTC))}"


def _tick(tick: Tick | None, zone: str) -> str:
    if tick is None:
        return "no query yet"
    return f"{_time(tick.at, zone)}, {formatting.counted(tick.queries, 'query', 'queries')}"


def _slowest(tick: Tick | None) -> str:
    if tick is None:
        return formatting.UNKNOWN
    name = tick.slowest.name.rpartition(".")[2].strip("_").replace("_", " ")
    return f"{name}, {formatting.duration(tick.slowest.seconds * 1_000)}"


def _tabs(viewers: int | None) -> str:
    return formatting.UNKNOWN if viewers is None else formatting.counted(viewers, "browser tab")


def _ago(moment: datetime | None) -> str:
    return formatting.age(moment, datetime.now(UTC)) if moment else formatting.UNKNOWN


def _time(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%H:%M:%S}"

"""The state of the replica: a card on Status, and a line on Home while history is copied."""

from datetime import UTC, datetime

import streamlit as st

from tracelib import errors, formatting
from tracelib.page.base.cards import card, show_empty_state, show_facts
from tracelib.page.base.view import View
from tracelib.querying import replication
from tracelib.querying.replication import ReplicaState
from tracelib.replica.manifest import Manifest
from tracelib.window import HOUR_S

ABOUT = (
    "A copy of the log, without messages, for figures of any range. LiteLLM’s database is read "
    "once for each row."
)
OFF = "Off. Set TRACELIB_REPLICA to auto or on to use it."
UNKNOWN_YET = "Reading how large the log is."
TOO_SMALL = (
    "Not used: there are too few requests for it to be worth its disk. Set TRACELIB_REPLICA to on "
    "to use it anyway."
)
STARTING = "Starting: the newest requests are copied first."


def status_card(view: View) -> None:
    """Draw how far the replica is, and what is wrong with it."""
    state = replication.state(view.installed)
    with card("Replica", ABOUT):
        if reason := _unused(state):
            show_empty_state(reason)
        if state.manifest is not None and state.is_wanted:
            _facts(view, state, state.manifest)
            _progress(view, state, state.manifest)
            _pause_button(view, state.manifest)
        if state.sentence:
            st.text(state.sentence)


def progress_line(view: View) -> None:
    """Draw how far history is copied; nothing once all of it is, or if there is no replica."""
    state = replication.state(view.installed)
    if state.is_wanted and state.manifest is not None:
        _progress(view, state, state.manifest)


def _unused(state: ReplicaState) -> str:
    if state.mode == "off":
        return OFF
    if state.is_wanted is None:
        return UNKNOWN_YET
    if not state.is_wanted:
        return TOO_SMALL
    return STARTING if state.manifest is None and not state.sentence else ""


def _facts(view: View, state: ReplicaState, manifest: Manifest) -> None:
    zone = view.filters.zone
    begins = manifest.complete_from
    since = "all" if begins is None else f"from {formatting.clock(_moment(begins), zone)}"
    only_here = manifest.kept_before
    facts = [
        ("Compared with the log", formatting.age(_at(manifest.as_of), view.now)),
        ("Requests", formatting.exact(manifest.rows)),
        ("History", since),
        ("Size", formatting.size(manifest.bytes)),
    ]
    if view.installed.access.sees_installation:
        facts.append(("Kept in", state.database or "files on this machine"))
    if only_here is not None:
        facts.append(("Only here, before", formatting.clock(_moment(only_here), zone)))
    if manifest.is_disk_full:
        facts.append(("Limit", "TRACELIB_REPLICA_DISK_MB is reached: older requests are left out"))
    show_facts(*facts)


def _progress(view: View, state: ReplicaState, manifest: Manifest) -> None:
    """How many requests the log has is not for everyone."""
    if manifest.complete_from is None or manifest.is_disk_full:
        return
    whole = max(manifest.rows_total_estimate or 0, manifest.rows, 1)
    share = manifest.rows / whole
    words = f"Copying history: {formatting.share(share)}"
    if view.installed.access.sees_installation:
        words += f" of {formatting.count(whole)} requests"
    st.progress(share, f"{words}{_time_left(state, manifest, whole)}. Older ranges take longer.")


def _time_left(state: ReplicaState, manifest: Manifest, whole: int) -> str:
    if manifest.is_paused:
        return ", paused"
    if not manifest.rows_per_s:
        return ""
    seconds = (whole - manifest.rows) / (manifest.rows_per_s * state.settings.duty)
    return f", {formatting.duration(seconds * 1_000)} left"


def _pause_button(view: View, manifest: Manifest) -> None:
    if not view.installed.access.sees_installation:
        return
    words = "Continue" if manifest.is_paused else "Pause"
    arguments = (view, not manifest.is_paused)
    st.button(words, key="pause the replica", on_click=_set_paused, args=arguments)


def _set_paused(view: View, is_paused: bool) -> None:
    try:
        replication.set_paused(view.installed, is_paused)
    except errors.TraceError as error:
        st.toast(f"{error.sentence} {error.remedy}")


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _moment(hour: int) -> datetime:
    return _at(hour * HOUR_S)

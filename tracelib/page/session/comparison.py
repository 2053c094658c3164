"""The comparison of two sessions, and the difference between two requests."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from tracelib import conversation, formatting, sessions
from tracelib.conversation.transcript import ROLES
from tracelib.conversation.turn_diff import (
    Fate,
    Line,
    LineKind,
    MessageDiff,
    SettingDiff,
    TurnDiff,
    diff_between,
)
from tracelib.export import Column, redacted
from tracelib.page.base import address, auditing, table
from tracelib.page.base.cards import show_empty_state, show_missing_result
from tracelib.page.base.view import View
from tracelib.page.session import session_conversation, transcript
from tracelib.page.session.link_target import only_key
from tracelib.page.session.session_conversation import Position, named_row, number_of
from tracelib.page.text import message
from tracelib.page.text.markdown_escape import label
from tracelib.page.text.message import Look
from tracelib.selection import RowId, Selection, session
from tracelib.sessions import SessionSummary

SIDES = ("left-", "right-")
EXACT = {
    "figure": Column("", "figure", width="medium"),
    "left": Column("First", "first", alignment="right"),
    "right": Column("Second", "second", alignment="right"),
}
COMPARED = EXACT | {"change": Column("Change", "change", alignment="right")}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of both sessions: its name, in a file too, and its format."""

    name: str
    exported: str
    of: Callable[[SessionSummary], float | None]
    written: Callable[[float | None], str]


FIGURES = (
    Figure("Cost", "cost_usd", lambda one: one.cost_usd, formatting.money),
    Figure("Requests", "requests", lambda one: one.requests, formatting.exact),
    Figure("Failures", "failures", lambda one: one.failures, formatting.exact),
    Figure("Cache hits", "cache_hits", lambda one: one.cache_hits, formatting.exact),
    Figure("Prompt tokens", "prompt_tokens", lambda one: one.prompt_tokens, formatting.exact),
    Figure(
        "Completion tokens",
        "completion_tokens",
        lambda one: one.completion_tokens,
        formatting.exact,
    ),
    Figure("Duration", "duration_ms", lambda one: one.duration_ms, formatting.duration),
    Figure("Time in models", "time_in_models_ms", lambda one: one.model_ms, formatting.duration),
    Figure(
        "Average response time",
        "response_time_avg_ms",
        lambda one: one.response_ms_avg,
        formatting.duration,
    ),
    Figure(
        "Time to first token, p50",
        "time_to_first_token_p50_ms",
        lambda one: one.ttft_ms_p50,
        formatting.duration,
    ),
)


def show(view: View, first: Selection, second_id: str, second_key: str | None, look: Look) -> None:
    """Draw the differences of these two sessions, and their messages."""
    if second_key is None:
        second_key = only_key(view, second_id, look.redaction, address.open_second)
    second = session(second_id, second_key)
    both = view.query(sessions.summary, first), view.query(sessions.summary, second)
    left, right = (one.result for one in both)
    if left.value is None or right.value is None:
        show_missing_result(left if left.value is None else right)
        return
    first_one, _ = redacted(left.value, look.redaction)
    second_one, _ = redacted(right.value, look.redaction)
    _figures(first_one, second_one)
    sides = zip(SIDES, (first, second), (first_one, second_one), strict=True)
    for column, (side, selection, summary) in zip(st.columns(2, gap="medium"), sides, strict=True):
        with column:
            _conversation(view, selection, summary, look, side)
    if not view.installed.access.reads_messages:
        show_empty_state(session_conversation.WITHHELD)


def compared(left: SessionSummary, right: SessionSummary) -> pd.DataFrame:
    """How do the figures of two sessions differ?

    A row per figure: figure, left, right and change, all as text; change is None if one of them is
    unknown or the first is 0. The models of both come last.
    """
    rows = [
        (
            one.name,
            one.written(one.of(left)),
            one.written(one.of(right)),
            formatting.change(one.of(right), one.of(left)),
        )
        for one in FIGURES
    ]
    rows.append(("Models", ", ".join(left.models), ", ".join(right.models), None))
    return pd.DataFrame(rows, columns=["figure", "left", "right", "change"])


def exact(left: SessionSummary, right: SessionSummary) -> pd.DataFrame:
    """The same figures unformatted: figure (its name in a file), left and right."""
    rows = [(one.exported, one.of(left), one.of(right)) for one in FIGURES]
    models = ("models", ", ".join(left.models), ", ".join(right.models))
    return pd.DataFrame([*rows, models], columns=["figure", "left", "right"], dtype=object)


def _figures(left: SessionSummary, right: SessionSummary) -> None:
    explained = "Change: the second session compared with the first."
    with table.card("Both sessions", exact(left, right), EXACT, explained):
        table.draw(compared(left, right), COMPARED, "both sessions", height="content")


def _conversation(
    view: View, selection: Selection, summary: SessionSummary, look: Look, side: str
) -> None:
    """Draw one of the two; both turn their pages together, and the shorter one ends first."""
    st.code(summary.session_id, language=None)
    who = summary.user_name or summary.key_name or summary.end_user
    st.caption(f"{label(who)}, {formatting.clock(summary.started_at, look.zone)}")
    if not view.installed.access.reads_messages:
        return
    order = view.query(conversation.turn_order, selection).result
    if order.value is None:
        show_missing_result(order)
        return
    position = session_conversation.position_in_url(order.value)
    at = Position(position.page, position.pages, None)
    messages = session_conversation.read(view, selection, order.value, at, look, "compared")
    if messages.value is None:
        show_missing_result(messages)
        return
    page = messages.value
    index = session_conversation.chosen_section(page, at, side)
    transcript.show(page, index, replace(look, side=side))
    session_conversation.pager(at, side)


MOST_MESSAGES = 60
GONE = "One of the two requests is no longer in the log."
LINE_PREFIXES: dict[LineKind, str] = {"added": "+", "removed": "-", "same": " ", "gap": "@@"}
FATES: dict[Fate, str] = {
    "added": "Added",
    "removed": "Removed",
    "changed": "Changed",
    "kept": "Kept",
}


def show_changes(view: View, selection: Selection, order: pd.DataFrame, look: Look) -> None:
    """Draw the changes between the two requests in the URL. `order` is the conversation's."""
    rows = st.query_params.get_all(address.DIFF)
    if len(rows) == 2:
        before, after = (named_row(order, row) for row in rows)
        _dialog(view, selection, order, look, before, after)


@st.dialog("What changed", width="large", on_dismiss=lambda: address.close(address.DIFF))
def _dialog(
    view: View,
    selection: Selection,
    order: pd.DataFrame,
    look: Look,
    before: RowId | None,
    after: RowId | None,
) -> None:
    if before is None or after is None:
        show_empty_state(GONE)
        return
    compared = replace(selection, rows=(before, after))
    record = auditing.record_of(view, "compared", compared, look.redaction)
    found = auditing.query(view, record, diff_between, selection, before, after, look.redaction)
    if found.error:
        show_missing_result(found)
    elif found.value is None:
        show_empty_state(GONE)
    else:
        diff, _ = redacted(found.value, look.redaction)
        _between(order, before, after)
        _changes(diff, look)


def _between(order: pd.DataFrame, before: RowId, after: RowId) -> None:
    """Name the two requests by their numbers in the conversation."""
    numbers = [number_of(order, row) for row in (before, after)]
    st.markdown("**Request {:,} → request {:,}**".format(*numbers))


def _changes(diff: TurnDiff, look: Look) -> None:
    counts = Counter(one.fate for one in diff.messages)
    parts = [f"{FATES[fate].lower()} {counts[fate]}" for fate in FATES if counts[fate]]
    st.caption(f"Messages of the request: {', '.join(parts) or 'none is stored'}.")
    if diff.is_redacted:
        st.info("LiteLLM redacted prompts here: different messages may look the same.")
    if diff.is_system_changed:
        st.warning("The system prompt changed.", icon=":material/edit_note:")
    for setting in diff.settings:
        _setting(setting)
    called = _called(diff.messages)
    differing = [_naming(one, called) for one in diff.messages if one.fate != "kept"]
    for position, one in enumerate(differing[:MOST_MESSAGES]):
        _message(one, look, position)
    if len(differing) > MOST_MESSAGES:
        st.caption(f"The first {MOST_MESSAGES} of {len(differing):,} are shown.")


def _called(messages: Sequence[MessageDiff]) -> dict[str, str]:
    """The call IDs in these messages -> the names of their tools."""
    return {
        part.call_id: part.name
        for one in messages
        for part in one.message.parts
        if part.kind == "tool_call" and part.call_id and part.name
    }


def _naming(one: MessageDiff, called: Mapping[str, str]) -> MessageDiff:
    """The same, each result with the name of the tool that was called."""
    parts = tuple(
        replace(part, name=part.name or called.get(part.call_id or ""))
        if part.kind == "tool_result"
        else part
        for part in one.message.parts
    )
    return replace(one, message=replace(one.message, parts=parts))


def _setting(setting: SettingDiff) -> None:
    before, after = (label(value or "–", 300) for value in (setting.before, setting.after))
    st.caption(f"**{label(setting.name)}**: {before} → {after}")


def _message(one: MessageDiff, look: Look, position: int) -> None:
    with st.container(key=f"change-{one.fate}-{position}", gap="xxsmall"):
        role = ROLES.get(one.message.role, label(one.message.role.capitalize()))
        st.caption(f"**{FATES[one.fate]}** {role}")
        if one.fate != "changed":
            for part in one.message.parts:
                message.show_part(part, look)
            return
        if not one.lines:
            st.caption("No visible difference: the change is masked or is not text.")
            return
        message.whole(_written(one.lines), _as_diff)
        if one.is_cut:
            st.caption("Too many differences to show them all.")


def _written(lines: tuple[Line, ...]) -> str:
    return "\n".join(f"{LINE_PREFIXES[kind]} {text}" for kind, text in lines)


def _as_diff(text: str) -> None:
    st.code(text, language="diff", wrap_lines=True)

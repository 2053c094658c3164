"""What one request said that the one before it did not, over the page while the URL names both."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

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
from tracelib.handover import redacted
from tracelib.page import address, audited, message
from tracelib.page.cards import nothing, unanswered
from tracelib.page.message import Look
from tracelib.page.safe import label
from tracelib.page.session_conversation import named_row, number_of
from tracelib.page.view import View
from tracelib.selection import RowId, Selection

MOST_MESSAGES = 60
GONE = "One of the two requests is no longer in the log."
SIGNS: dict[LineKind, str] = {"added": "+", "removed": "-", "same": " ", "gap": "@@"}
FATES: dict[Fate, str] = {
    "added": "Added",
    "removed": "Removed",
    "changed": "Changed",
    "kept": "Kept",
}


def show_changes(view: View, selection: Selection, order: pd.DataFrame, look: Look) -> None:
    """What changed between the two requests that the URL names? `order` is the conversation's."""
    asked = st.query_params.get_all(address.DIFF)
    if len(asked) == 2:
        before, after = (named_row(order, one) for one in asked)
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
        nothing(GONE)
        return
    compared = replace(selection, rows=(before, after))
    noted = audited.of(view, "compared", compared, look.redaction)
    found = audited.ask(view, noted, diff_between, selection, before, after, look.redaction)
    if found.error:
        unanswered(found)
    elif found.value is None:
        nothing(GONE)
    else:
        diff, _ = redacted(found.value, look.redaction)
        _between(order, before, after)
        _changes(diff, look)


def _between(order: pd.DataFrame, before: RowId, after: RowId) -> None:
    """Name the two that are compared as the conversation numbers them."""
    numbers = [number_of(order, row) for row in (before, after)]
    st.markdown("**Request {:,} → request {:,}**".format(*numbers))


def _changes(diff: TurnDiff, look: Look) -> None:
    counts = Counter(one.fate for one in diff.messages)
    said = [f"{FATES[fate].lower()} {counts[fate]}" for fate in FATES if counts[fate]]
    st.caption(f"Messages of the request: {', '.join(said) or 'none is stored'}.")
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
    """Which tool does the id of each call among these messages stand for?"""
    return {
        part.call_id: part.name
        for one in messages
        for part in one.message.parts
        if part.kind == "tool_call" and part.call_id and part.name
    }


def _naming(one: MessageDiff, called: Mapping[str, str]) -> MessageDiff:
    """The same, with each result by the name of the tool that was called."""
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
    return "\n".join(f"{SIGNS[kind]} {text}" for kind, text in lines)


def _as_diff(text: str) -> None:
    st.code(text, language="diff", wrap_lines=True)

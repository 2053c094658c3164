"""What was said in the sessions of a list, a line of each: only where somebody asks for it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import conversation, errors, formatting
from tracelib.asking.answers import Question, answers
from tracelib.filters import Filters
from tracelib.handover import redacted
from tracelib.page import address, audited, session_export
from tracelib.page.cards import failed
from tracelib.page.view import View
from tracelib.selection import RowId, Selection
from tracelib.signs import visible

LONGEST = 120
# So much of a line stands before the words that are sought.
BEFORE = 40
EXPLAINED = (
    "Shows a line of what was said in each session: where it says what is searched for, or what "
    "it began with. Off until it is wanted: it may be private."
)


@dataclass(frozen=True, slots=True)
class Sought:
    """What is searched for in what was said, and by session key which request says it."""

    text: str = ""
    requests: Mapping[str, RowId] = field(default_factory=dict)

    @property
    def heading(self) -> str:
        """What is a line of each session called?"""
        return "Said" if self.text else "Began with"


NOTHING = Sought()


def switch(view: View) -> None:
    """Are the words wanted? Nothing for those who may not read what was said."""
    if not view.installed.access.reads_messages:
        return
    key = f"switch {address.WORDS}"
    st.session_state[key] = address.is_said(address.WORDS)
    st.toggle(
        "What was said",
        key=key,
        help=EXPLAINED,
        on_change=lambda: address.say(address.WORDS, st.session_state[key]),
    )


def of(view: View, filters: Filters, rows: pd.DataFrame, sought: Sought) -> "pd.Series[str] | None":
    """What was said in each of these sessions? In the order of the rows, None where unknown.

    The text around what is sought; where nothing is, or it cannot be shown so, what the session
    began with. None at all where it is not wanted, may not be read, or cannot be told: why is
    then said.
    """
    if not (address.is_said(address.WORDS) and view.installed.access.reads_messages):
        return None
    try:
        _note(view, rows)
        began = _asked(view, conversation.openings, filters, _keys(rows))
        said = _said(view, sought, rows)
    except errors.TraceError as error:
        failed(error)
        return None
    lines = {one: _shown(view, words, "") for one, words in began.items()}
    lines |= {one: _shown(view, words, sought.text) for one, words in said.items()}
    return rows["session_key"].map(lines)


def _keys(rows: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    return tuple(zip(rows["session_key"], rows["session_id"], strict=True))


def _note(view: View, rows: pd.DataFrame) -> None:
    """Whoever reads a line of each is noted as who opens them is. Raises AuditFailed."""
    listed = Selection("", tuple(rows["session_id"]))
    audited.once(view, audited.of(view, "listed", listed, session_export.shown(view)))


def _said(view: View, sought: Sought, rows: pd.DataFrame) -> dict[str, str]:
    """By session key, the text around what is sought."""
    if not sought.text:
        return {}
    requests = {one: sought.requests[one] for one in rows["session_key"] if one in sought.requests}
    found = _asked(view, conversation.passages, tuple(requests.values()), sought.text)
    return {one: found[request] for one, request in requests.items() if request in found}


def _asked(view: View, ask: Callable[..., Any], *arguments: Any) -> dict[Any, str]:
    (answer,) = answers(view.installed, view.now, [Question(ask, arguments)])
    if answer.value is None and answer.error:
        raise answer.error
    return answer.value or {}


def _shown(view: View, words: str, sought: str) -> str:
    """Masked before it is cut: a pattern does not find half of what it looks for."""
    masked, _ = redacted(words, session_export.shown(view))
    place = re.search(re.escape(sought), masked, re.IGNORECASE)
    start = max(0, place.start() - BEFORE) if place else 0
    return formatting.shortened(visible(f"{'…' if start else ''}{masked[start:]}"), LONGEST)

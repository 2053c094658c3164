"""What the sessions of the list began with: shown where somebody asks for it, as it may be read."""

import pandas as pd
import streamlit as st

from tracelib import conversation, errors, formatting
from tracelib.filters import Filters
from tracelib.handover import redacted
from tracelib.page import address, audited, session_export
from tracelib.page.answers import Question, answers
from tracelib.page.cards import failed
from tracelib.page.safe import visible
from tracelib.page.view import View
from tracelib.selection import Selection

LONGEST = 120
EXPLAINED = "Shows what each session began with. Off until it is wanted: it may be private."


def switch(view: View) -> None:
    """Are the first words wanted? Nothing for those who may not read what was said."""
    if not view.installed.access.reads_messages:
        return
    key = f"switch {address.WORDS}"
    st.session_state[key] = address.is_said(address.WORDS)
    st.toggle(
        "First words",
        key=key,
        help=EXPLAINED,
        on_change=lambda: address.say(address.WORDS, st.session_state[key]),
    )


def of(view: View, filters: Filters, rows: pd.DataFrame) -> "pd.Series[str] | None":
    """What did each of these sessions begin with? In the order of the rows, None where unknown.

    None at all where it is not wanted, may not be read, or cannot be told: why is then said.
    """
    if not (address.is_said(address.WORDS) and view.installed.access.reads_messages):
        return None
    keys = tuple(zip(rows["session_key"], rows["session_id"], strict=True))
    question = Question(conversation.openings, (filters, keys))
    try:
        _note(view, rows)
    except errors.AuditFailed as error:
        failed(error)
        return None
    (said,) = answers(view.installed, view.now, [question])
    if said.value is None:
        if said.error:
            failed(said.error)
        return None
    return rows["session_key"].map(said.value).map(lambda words: _shown(view, words), "ignore")


def _note(view: View, rows: pd.DataFrame) -> None:
    """Whoever reads a line of each is noted as who opens them is. Raises AuditFailed."""
    listed = Selection("", tuple(rows["session_id"]))
    audited.once(view, audited.of(view, "listed", listed, session_export.shown(view)))


def _shown(view: View, words: str) -> str:
    """Masked before it is cut: a pattern does not find half of what it looks for."""
    masked, _ = redacted(words, session_export.shown(view))
    return formatting.shortened(visible(masked), LONGEST)

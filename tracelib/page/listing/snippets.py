"""A line of the matching messages of each session in a list."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import conversation, errors, formatting
from tracelib.export import redacted
from tracelib.filters import Filters
from tracelib.page.base import address, audited, downloads
from tracelib.page.base.cards import failed
from tracelib.page.base.view import View
from tracelib.redaction import Redaction
from tracelib.selection import RowId, Selection
from tracelib.signs import visible

LONGEST = 120
# The number of characters before the match.
BEFORE = 40
NOTED = "listed in this tab"
EXPLAINED = (
    "Shows the first message of each session. Off by default for privacy. A message search "
    "always shows its matches."
)


@dataclass(frozen=True, slots=True)
class Sought:
    """The searched text, and by session key which request contains it.

    `passages` are the snippets by request, as far as they were read; more are added.
    """

    text: str = ""
    requests: Mapping[str, RowId] = field(default_factory=dict)
    passages: dict[RowId, str] = field(default_factory=dict)

    @property
    def heading(self) -> str:
        """The heading of the column of snippets."""
        return "Said" if self.text else "Began with"


NOTHING = Sought()


def switch(view: View, sought: Sought) -> None:
    """Draw the switch for snippets. Nothing if they are shown, or may not be read."""
    if sought.text or not view.installed.access.reads_messages:
        return
    key = f"switch {address.WORDS}"
    st.session_state[key] = address.is_said(address.WORDS)
    st.toggle(
        "Message snippets",
        key=key,
        help=EXPLAINED,
        on_change=lambda: address.say(address.WORDS, st.session_state[key]),
    )


def of(view: View, filters: Filters, rows: pd.DataFrame, sought: Sought) -> "pd.Series[str] | None":
    """The snippet of each of these sessions. In the order of the rows, None if unknown.

    The text around the match; without a match, or if it cannot be shown, the first user message.
    None at all if snippets are off, may not be read, or the query failed: the reason is then shown.
    """
    is_shown = bool(sought.text) or address.is_said(address.WORDS)
    if not (is_shown and view.installed.access.reads_messages):
        return None
    try:
        _note(view, rows)
        said = _said(view, sought, rows)
        others = rows[~rows["session_key"].isin(said)]
        began = (
            _asked(view, conversation.first_lines, filters, _keys(others)) if len(others) else {}
        )
    except errors.TraceError as error:
        failed(error)
        return None
    lines = {one: _shown(view, words, "") for one, words in began.items()}
    lines |= {one: _shown(view, words, sought.text) for one, words in said.items()}
    return rows["session_key"].map(lines)


def _keys(rows: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    return tuple(zip(rows["session_key"], rows["session_id"], strict=True))


def _note(view: View, rows: pd.DataFrame) -> None:
    """Record who reads a snippet of each, as for opening them. Raises AuditFailed.

    Each session once per tab and masking: a search that reads on finds them step by step.
    """
    redaction = downloads.shown(view)
    noted: set[tuple[Redaction, str]] = st.session_state.setdefault(NOTED, set())
    new = tuple(one for one in rows["session_id"] if (redaction, one) not in noted)
    if new:
        audited.once(view, audited.of(view, "listed", Selection("", new), redaction))
        noted.update((redaction, one) for one in new)


def _said(view: View, sought: Sought, rows: pd.DataFrame) -> dict[str, str]:
    """By session key, the text around the match. Each request is read once."""
    if not sought.text:
        return {}
    requests = {one: sought.requests[one] for one in rows["session_key"] if one in sought.requests}
    new = tuple(one for one in requests.values() if one not in sought.passages)
    if new:
        found = _asked(view, conversation.snippets, new, sought.text)
        sought.passages.update((one, found.get(one, "")) for one in new)
    return {one: words for one in requests if (words := sought.passages[requests[one]])}


def _asked(view: View, ask: Callable[..., Any], *arguments: Any) -> dict[Any, str]:
    answer = view.ask(ask, *arguments).answer
    if answer.value is None and answer.error:
        raise answer.error
    return answer.value or {}


def _shown(view: View, words: str, sought: str) -> str:
    """Masked before it is cut: a pattern does not match half of a value."""
    masked, _ = redacted(words, downloads.shown(view))
    place = re.search(re.escape(sought), masked, re.IGNORECASE)
    start = max(0, place.start() - BEFORE) if place else 0
    return formatting.shortened(visible(f"{'…' if start else ''}{masked[start:]}"), LONGEST)

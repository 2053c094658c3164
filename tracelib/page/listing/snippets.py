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
from tracelib.page.base import address, auditing, downloads
from tracelib.page.base.cards import show_error
from tracelib.page.base.view import View
from tracelib.redaction import Redaction
from tracelib.selection import RowId, Selection
from tracelib.signs import visible

LONGEST = 120
# The number of characters before the match.
BEFORE = 40
RECORDED = "snippets recorded in this tab"
EXPLAINED = (
    "Shows the first message of each session. Off by default for privacy. A message search "
    "always shows its matches."
)


@dataclass(frozen=True, slots=True)
class TextMatches:
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


NO_MATCHES = TextMatches()


def switch(view: View, matches: TextMatches) -> None:
    """Draw the switch for snippets. Nothing if they are shown, or may not be read."""
    if matches.text or not view.installed.access.reads_messages:
        return
    key = f"switch {address.SNIPPETS}"
    st.session_state[key] = address.is_on(address.SNIPPETS)
    st.toggle(
        "Message snippets",
        key=key,
        help=EXPLAINED,
        on_change=lambda: address.switch(address.SNIPPETS, st.session_state[key]),
    )


def snippets_of(
    view: View, filters: Filters, rows: pd.DataFrame, matches: TextMatches
) -> "pd.Series[str] | None":
    """The snippet of each of these sessions. In the order of the rows, None if unknown.

    The text around the match; without a match, or if it cannot be shown, the first user message.
    None at all if snippets are off, may not be read, or the query failed: the reason is then shown.
    """
    is_shown = bool(matches.text) or address.is_on(address.SNIPPETS)
    if not (is_shown and view.installed.access.reads_messages):
        return None
    try:
        _record(view, rows)
        matching = _matching_snippets(view, matches, rows)
        others = rows[~rows["session_key"].isin(matching)]
        first_lines = (
            _query(view, conversation.first_lines, filters, _keys(others)) if len(others) else {}
        )
    except errors.TraceError as error:
        show_error(error)
        return None
    lines = {one: _masked_snippet(view, words, "") for one, words in first_lines.items()}
    lines |= {one: _masked_snippet(view, words, matches.text) for one, words in matching.items()}
    return rows["session_key"].map(lines)


def _keys(rows: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    return tuple(zip(rows["session_key"], rows["session_id"], strict=True))


def _record(view: View, rows: pd.DataFrame) -> None:
    """Record who reads a snippet of each, as for opening them. Raises AuditFailed.

    Each session once per tab and masking: a search that reads on finds them step by step.
    """
    redaction = downloads.shown(view)
    recorded: set[tuple[Redaction, str]] = st.session_state.setdefault(RECORDED, set())
    new = tuple(one for one in rows["session_id"] if (redaction, one) not in recorded)
    if new:
        auditing.record_once(
            view, auditing.record_of(view, "listed", Selection("", new), redaction)
        )
        recorded.update((redaction, one) for one in new)


def _matching_snippets(view: View, matches: TextMatches, rows: pd.DataFrame) -> dict[str, str]:
    """By session key, the text around the match. Each request is read once."""
    if not matches.text:
        return {}
    requests = {
        one: matches.requests[one] for one in rows["session_key"] if one in matches.requests
    }
    new = tuple(one for one in requests.values() if one not in matches.passages)
    if new:
        found = _query(view, conversation.snippets, new, matches.text)
        matches.passages.update((one, found.get(one, "")) for one in new)
    return {one: words for one in requests if (words := matches.passages[requests[one]])}


def _query(view: View, function: Callable[..., Any], *arguments: Any) -> dict[Any, str]:
    result = view.query(function, *arguments).result
    if result.value is None and result.error:
        raise result.error
    return result.value or {}


def _masked_snippet(view: View, words: str, text: str) -> str:
    """Masked before it is cut: a pattern does not match half of a value."""
    masked, _ = redacted(words, downloads.shown(view))
    match = re.search(re.escape(text), masked, re.IGNORECASE)
    start = max(0, match.start() - BEFORE) if match else 0
    return formatting.shortened(visible(f"{'…' if start else ''}{masked[start:]}"), LONGEST)

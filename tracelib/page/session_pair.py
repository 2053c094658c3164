"""Two sessions side by side: their figures with the difference, and both conversations."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from tracelib import conversation, formatting, sessions
from tracelib.handover import Column, redacted
from tracelib.page import address, session_conversation, table, transcript
from tracelib.page.cards import nothing, unanswered
from tracelib.page.message import Look
from tracelib.page.safe import label
from tracelib.page.session_conversation import Place
from tracelib.page.view import View
from tracelib.page.whose_session import only_key
from tracelib.selection import Selection, session
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
    """A figure that both sessions have: its name, in a file too, and how it is written."""

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
    """How do these two sessions differ, and what was said in each?"""
    if second_key is None:
        second_key = only_key(view, second_id, look.redaction, address.open_beside)
    second = session(second_id, second_key)
    both = view.ask(sessions.summary, first), view.ask(sessions.summary, second)
    left, right = (one.answer for one in both)
    if left.value is None or right.value is None:
        unanswered(left if left.value is None else right)
        return
    first_one, _ = redacted(left.value, look.redaction)
    second_one, _ = redacted(right.value, look.redaction)
    _figures(first_one, second_one)
    sides = zip(SIDES, (first, second), (first_one, second_one), strict=True)
    for column, (side, selection, summary) in zip(st.columns(2, gap="medium"), sides, strict=True):
        with column:
            _conversation(view, selection, summary, look, side)
    if not view.installed.access.reads_messages:
        nothing(session_conversation.WITHHELD)


def compared(left: SessionSummary, right: SessionSummary) -> pd.DataFrame:
    """How do the figures of two sessions differ?

    A row a figure: figure, left, right and change, all as text; change is None where one of
    them is unknown or the first is 0. The models of both come last.
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
    """The same figures as they are: figure (its name in a file), left and right."""
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
    """One of the two; both turn their pages together, and the shorter one ends first."""
    st.code(summary.session_id, language=None)
    who = summary.user_name or summary.key_name or summary.end_user
    st.caption(f"{label(who)}, {formatting.clock(summary.started_at, look.zone)}")
    if not view.installed.access.reads_messages:
        return
    order = view.ask(conversation.turn_order, selection).answer
    if order.value is None:
        unanswered(order)
        return
    said = session_conversation.place(order.value)
    at = Place(said.page, said.pages, None)
    told = session_conversation.read(view, selection, order.value, at, look, "compared")
    if told.value is None:
        unanswered(told)
        return
    page, _ = redacted(told.value, look.redaction)
    transcript.show(page, replace(look, side=side))
    session_conversation.pager(at, side)

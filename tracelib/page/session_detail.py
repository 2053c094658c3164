"""One session: its figures, when its requests ran, and its whole conversation in order."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib import conversation, errors, sessions
from tracelib.asking.memory import Answer, rewritten
from tracelib.conversation import TurnPage
from tracelib.conversation.order import turn_frame
from tracelib.handover import redacted
from tracelib.page import (
    address,
    attempts,
    chain,
    opened_before,
    session_bar,
    session_conversation,
    session_export,
    session_figures,
    session_pair,
    session_timeline,
    turn_changes,
)
from tracelib.page.cards import unanswered
from tracelib.page.message import Look
from tracelib.page.view import View
from tracelib.page.whose_session import also_called, not_there, only_key
from tracelib.redaction import NONE, Redaction
from tracelib.selection import Selection, session
from tracelib.sessions import SessionSummary
from tracelib.sessions.lookup import requests_of

# What a chart may say of a request: clients name models, and providers' errors quote them.
CHOSEN_BY_CLIENTS = ("model", "deployment", "asked_model", "error_class", "error_message")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page asks of a selection before it asks for the words."""

    summary: Answer[SessionSummary]
    order: Answer[pd.DataFrame]
    requests: Answer[pd.DataFrame]


def show(view: View, session_id: str, api_key: str | None) -> None:
    """What happened in this session? Says so where it does not exist or is not the only one."""
    bar = session_bar.begin()
    with bar:
        look = session_bar.chosen_look(view)
    if api_key is None:
        api_key = only_key(view, session_id, look.redaction, address.open_session)
    stored = session(session_id, api_key)
    with bar:
        session_bar.compare(session_id, api_key, look)
    if beside := st.query_params.get(address.WITH):
        session_pair.show(view, stored, beside, st.query_params.get(address.WITH_OF), look)
    else:
        _alone(view, stored, look, bar)


def _alone(view: View, stored: Selection, look: Look, bar: DeltaGenerator) -> None:
    known = _asked(view, stored)
    if isinstance(known.summary.error, errors.NoSuchSession):
        not_there(stored.session_ids[0])
        return
    if known.summary.value is None:
        unanswered(known.summary)
        return
    opened_before.remember(known.summary.value)
    selection = stored
    if view.installed.access.reads_messages:
        selection = chain.joined(view, stored, known.summary.value, look)
        with bar:
            session_export.session_buttons(view, selection)
    if selection != stored:
        known = _asked(view, selection)
    _whole(view, selection, known, look)


def _asked(view: View, selection: Selection) -> Asked:
    summary = view.ask(sessions.summary, selection)
    order = view.ask(conversation.turn_order, selection)
    requests = view.ask(requests_of, selection)
    return Asked(summary.answer, order.answer, requests.answer)


def _whole(view: View, selection: Selection, known: Asked, look: Look) -> None:
    if known.summary.value is None:
        unanswered(known.summary)
        return
    summary, _ = redacted(known.summary.value, look.redaction)
    session_figures.show_figures(summary, look.zone, _title(selection))
    if known.order.value is None:
        unanswered(known.order)
        return
    place = session_conversation.place(known.order.value)
    if place.by_id:
        also_called(view, place.by_id)
    page = session_conversation.read(view, selection, known.order.value, place, look)
    opened = place.row.written() if place.row else None
    order = known.order.value
    by_turn = rewritten(known.requests, lambda frame: turn_frame(frame, order))
    named = _without_names(by_turn, look.redaction)
    session_timeline.show(
        view, named, _parents(page), address.open_request, opened, _repeated_shares(page)
    )
    attempts.show(view, selection, known.requests, known.order.value, look)
    session_conversation.show(page, known.order.value, place, look)
    turn_changes.show_changes(view, selection, known.order.value, look)


def _title(selection: Selection) -> str:
    if selection.rows:
        return "Requests combined into one conversation"
    several = len(selection.session_ids)
    return f"{several:,} sessions shown as one conversation" if several > 1 else "Session"


def _without_names(requests: Answer[pd.DataFrame], redaction: Redaction) -> Answer[pd.DataFrame]:
    """The same requests, with the names that clients chose as the rest of the page writes them."""
    if redaction == NONE:
        return requests
    return rewritten(
        requests,
        lambda frame: frame.assign(
            **{
                name: frame[name].map(lambda said: redacted(said, redaction)[0])
                for name in CHOSEN_BY_CLIENTS
            }
        ),
    )


def _parents(page: Answer[TurnPage]) -> dict[str, str | None] | None:
    """Which request goes on from which, where the page of the transcript holds them all?

    One of which nothing is stored goes on from nobody knows which, and is left out.
    """
    if page.value is None or len(page.value.turns) < page.value.total:
        return None
    return {
        turn.request.row.written(): turn.parent.written() if turn.parent else None
        for turn in page.value.turns
        if turn.parent or turn.asked
    }


def _repeated_shares(page: Answer[TurnPage]) -> dict[str, float]:
    """Of requests whose client changed the history, the share of it that was sent before."""
    turns = page.value.turns if page.value else ()
    return {turn.request.row.written(): turn.repeated_share for turn in turns if turn.changes}

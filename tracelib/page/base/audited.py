"""Writes to the audit log who reads messages, before they are read."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Concatenate, ParamSpec, TypeVar

import streamlit as st

from tracelib import audit, errors, export
from tracelib.audit import Record
from tracelib.page.base.view import View
from tracelib.querying import permissions
from tracelib.querying.store import Answer
from tracelib.redaction import NONE, Redaction
from tracelib.selection import Selection
from tracelib.source import Source

T = TypeVar("T")
P = ParamSpec("P")
NOTED = "noted in this tab"


def of(view: View, what: audit.What, selection: Selection, redaction: Redaction = NONE) -> Record:
    """The audit record of this viewer reading these requests."""
    return Record(
        who=view.person.who,
        role=view.installed.access.role,
        what=what,
        origin="page",
        api_key=selection.api_key,
        session_ids=selection.session_ids,
        request_ids=selection.request_ids,
        request_starts=tuple(row.started_at for row in selection.rows),
        redaction=redaction.names(),
    )


def ask(
    view: View,
    noted: Record,
    question: Callable[Concatenate[Source, P], T],
    *arguments: P.args,
    **named: P.kwargs,
) -> Answer[T]:
    """Run a query for messages, after the audit record is written.

    If the record cannot be written, that is the result, and no query is run. A refused query is not
    recorded either.
    """
    try:
        if view.installed.access.reads_messages:
            once(view, noted)
    except errors.AuditFailed as error:
        return Answer(None, error, datetime.now(UTC), 0.0)
    return view.ask(question, *arguments, **named).answer


def once(view: View, noted: Record) -> None:
    """Write the record once per browser tab: a page runs again with each tick.

    Raises AuditFailed.
    """
    done: set[Record] = st.session_state.setdefault(NOTED, set())
    if noted not in done:
        audit.record(view.installed.settings, noted)
        done.add(noted)


def searched(view: View, words: str) -> None:
    """Record a search for this text in messages; nothing for an empty text. As `once`."""
    if words:
        once(view, replace(of(view, "searched", Selection("")), api_key=None, sought=words))


def handed_on(view: View, selection: Selection, redaction: Redaction, file_format: str) -> None:
    """Record the export of a session before the file is made: each time, because each is a copy.

    Raises NotForThisRole or AuditFailed, and then it must not be made.
    """
    if refused := permissions.refusal(export.session_document, view.installed.access):
        raise refused
    noted = replace(of(view, "exported", selection, redaction), format=file_format)
    audit.record(view.installed.settings, noted)

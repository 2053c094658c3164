"""Writes to the audit log who reads messages, before they are read."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Concatenate, ParamSpec, TypeVar

import streamlit as st

from tracelib import audit, errors, export
from tracelib.audit import Record
from tracelib.filters import Filters
from tracelib.page.base.view import View
from tracelib.querying import permissions
from tracelib.querying.store import Result
from tracelib.redaction import NONE, Redaction
from tracelib.selection import Selection
from tracelib.sessions import SessionSearch, scan
from tracelib.source import Postgres

T = TypeVar("T")
P = ParamSpec("P")
RECORDED = "accesses recorded in this tab"


def record_of(
    view: View, what: audit.What, selection: Selection, redaction: Redaction = NONE
) -> Record:
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


def query(
    view: View,
    record: Record,
    function: Callable[Concatenate[Postgres, P], T],
    *arguments: P.args,
    **named: P.kwargs,
) -> Result[T]:
    """Run a query for messages, after the audit record is written.

    If the record cannot be written, that is the result, and no query is run. A refused query is not
    recorded either.
    """
    try:
        if view.installed.access.reads_messages:
            record_once(view, record)
    except errors.AuditFailed as error:
        return Result(None, error, datetime.now(UTC), 0.0)
    return view.query(function, *arguments, **named).result


def record_once(view: View, record: Record) -> None:
    """Write the record once per browser tab: a page runs again with each tick.

    Raises AuditFailed.
    """
    done: set[Record] = st.session_state.setdefault(RECORDED, set())
    if record not in done:
        audit.record(view.installed.settings, record)
        done.add(record)


def record_search(view: View, search: SessionSearch) -> None:
    """Record a search for text in messages, as `record_once`; nothing for another search.

    Raises NotForThisRole, as the query would, or AuditFailed.
    """
    if refused := permissions.refusal(scan, (search,), view.installed.access):
        raise refused
    if search.said:
        record = record_of(view, "searched", Selection(""))
        record_once(view, replace(record, api_key=None, search_text=search.said))


def record_evidence(view: View, filters: Filters) -> None:
    """Record the export of the evidence of a range before the file is made: each time.

    Raises AuditFailed, and then it must not be made.
    """
    record = replace(
        record_of(view, "exported", Selection("")),
        api_key=None,
        format="evidence",
        range=(filters.window.start, filters.window.end),
    )
    audit.record(view.installed.settings, record)


def record_export(view: View, selection: Selection, redaction: Redaction, file_format: str) -> None:
    """Record the export of a session before the file is made: each time, because each is a copy.

    Raises NotForThisRole or AuditFailed, and then it must not be made.
    """
    if refused := permissions.refusal(export.session_document, (), view.installed.access):
        raise refused
    record = replace(record_of(view, "exported", selection, redaction), format=file_format)
    audit.record(view.installed.settings, record)

"""Evidence: is the log of the range complete, what does it lack, and who read it?"""

from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from tracelib import audit, formatting
from tracelib.audit import Reads
from tracelib.evidence import (
    Evidence,
    Signatory,
    evidence,
    evidence_file,
    printable,
    statement_of,
)
from tracelib.export import Column
from tracelib.files import File
from tracelib.filters import Filters
from tracelib.formatting import Kind
from tracelib.page.base import auditing, file_button, table
from tracelib.page.base.cards import card, show_empty_state, show_facts, show_missing_result
from tracelib.page.base.view import View
from tracelib.permissions.people import Person
from tracelib.querying.installation import Installation

NO_REQUESTS = "No requests in this time range."
EXPLAINED = (
    "Read from LiteLLM’s own log. What was never written there, or was deleted without a trace, "
    "cannot be counted."
)
FILE = (
    "JSON with this statement, all counts, and a chained SHA-256 of the rows of each hour and day. "
    "docs/evidence.md describes how to verify it. To print has the same as a page."
)
DAYS = {
    "day": Column("Day (UTC)", "day_utc"),
    "requests": Column("Requests", "requests", Kind.COUNT),
    "failures": Column("Failures", "failures", Kind.COUNT),
    "with_prompt": Column("With prompt", "with_prompt", Kind.COUNT),
    "with_response": Column("With response", "with_response", Kind.COUNT),
    "without_key": Column("Without key", "without_key", Kind.COUNT),
    "gateway_requests": Column(
        "At the gateway",
        "gateway_requests",
        Kind.COUNT,
        explained="What LiteLLM’s gateway counted on this whole day, refused requests included.",
    ),
    "daily_requests": Column(
        "In daily totals",
        "daily_requests",
        Kind.COUNT,
        explained="What LiteLLM has added up on this whole day. Ledgers compares it with the log.",
    ),
}
CLIENTS = {
    "address": Column("Address", "address"),
    "user_agent": Column("User agent", "user_agent"),
    "requests": Column("Requests", "requests", Kind.COUNT),
    "failures": Column("Failures", "failures", Kind.COUNT),
    "newest_at": Column("Newest", "newest_at_utc", Kind.MOMENT),
}


def draw(view: View) -> None:
    """Draw the statement, the file, the days, and who read messages."""
    result = view.query(evidence, view.filters).result
    if result.value is None:
        show_missing_result(result)
        return
    found = result.value
    _statement(view, found)
    _days(found)
    _clients(view, found)
    if view.installed.access.sees_installation:
        _reads(view)


def _statement(view: View, found: Evidence) -> None:
    statement = statement_of(found)
    with card("Completeness", EXPLAINED):
        st.text(statement.complete)
        groups = (
            ("Missing from the log", statement.missing),
            ("Logged, but not whole", statement.not_stored),
            ("Unknown", statement.unknown),
        )
        for title, sentences in groups:
            if sentences:
                st.caption(title)
            for sentence in sentences:
                st.text(_capital(sentence.removeprefix(f"{title}: ")))
        st.caption("Signed-off file", help=FILE)
        with st.container(horizontal=True):
            _button(view, with_bodies=False)
            if view.installed.access.reads_messages and found.knows_bodies:
                _button(view, with_bodies=True)
            _button(view, with_bodies=False, to_print=True)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _button(view: View, with_bodies: bool, to_print: bool = False) -> None:
    filters = view.filters
    label = "To print" if to_print else "With messages" if with_bodies else "Without messages"

    def make(person: Person, installed: Installation) -> list[bytes]:
        current = replace(view, person=person, installed=installed)
        auditing.record_evidence(current, filters)
        signatory = Signatory(person.who, installed.access)
        now = datetime.now(UTC)
        made = current.query_alone(evidence_file, filters, signatory, now, with_bodies)
        return [printable(made) if to_print else made]

    kind, ending = ("text/html", "html") if to_print else ("application/json", "json")
    name = f"evidence-{_days_of(filters)}{'-with-messages' if with_bodies else ''}.{ending}"
    of = f"{filters.window} {filters.chosen()}"
    file_button.draw(label, f"evidence {label}", File(name, kind, make), of)


def _days_of(filters: Filters) -> str:
    start, end = filters.window.start, filters.window.end
    return f"{start:%Y%m%d-%H%M}Z-{end:%Y%m%d-%H%M}Z"


def _days(found: Evidence) -> None:
    known = {"gateway_requests": found.knows_gateway, "daily_requests": found.knows_daily}
    columns = {name: one for name, one in DAYS.items() if known.get(name, True)}
    with table.card("By day", found.days, columns, name="evidence by day"):
        if found.days.empty:
            show_empty_state(NO_REQUESTS)
        else:
            table.draw(found.days, columns, "evidence by day")


def _clients(view: View, found: Evidence) -> None:
    if found.clients.empty:
        return
    explained = "Requests that LiteLLM logged without a key: it did not ask for one, or got none."
    with table.card("Without a key", found.clients, CLIENTS, explained):
        table.draw(found.clients, CLIENTS, "without a key", zone=view.filters.zone)


READERS = {
    "who": Column("Who", "who"),
    "origin": Column("From", "from"),
    "what": Column("What", "what"),
    "sessions": Column("Sessions", "sessions", Kind.COUNT),
    "newest_at": Column("Newest", "newest_at_utc", Kind.MOMENT),
}
NOT_SIGNED_IN = "(not signed in)"
WHERE = "Reading, searching and exporting messages is recorded in {}, one line each."
NOWHERE = "Who reads messages here is not recorded: set TRACELIB_AUDIT_LOG."
ELSEWHERE = "This process cannot read the audit log, so it is not counted here."


def _reads(view: View) -> None:
    """Draw where reads are recorded, and how many were in the time of the range."""
    log = view.installed.settings.audit_log
    with card("Who read messages", "Counted by the time of reading, not of the request."):
        st.text(NOWHERE if log is None else WHERE.format(log))
        if log is None:
            return
        window = view.filters.window
        reads = _recorded(log, window.start, window.end, view.now, view)
        if reads is None:
            st.text(ELSEWHERE)
            return
        facts = [(what.capitalize(), formatting.exact(count)) for what, count in reads.by_what]
        show_facts(("People and programs", formatting.exact(reads.people)), *facts)
        _readers(view, reads)
        if not reads.is_whole:
            st.caption("The log is long: only its newest 64 MB were read.")


def _readers(view: View, reads: Reads) -> None:
    """Draw who has read how much; which sessions is in the log itself."""
    if not reads.readers:
        return
    rows = pd.DataFrame(
        [
            {
                "who": one.who or NOT_SIGNED_IN,
                "origin": one.origin,
                "what": ", ".join(f"{what} {count:,}" for what, count in one.by_what),
                "sessions": one.sessions,
                "newest_at": one.newest_at,
            }
            for one in reads.readers
        ]
    )
    rows["newest_at"] = pd.to_datetime(rows["newest_at"], utc=True)
    table.download("who read messages", rows, READERS)
    table.draw(rows, READERS, "who read messages", zone=view.filters.zone)


@st.cache_data(ttl="1m", max_entries=8, show_spinner=False)
def _recorded(
    log: str,  # noqa: ARG001 - part of the key
    start: datetime,
    end: datetime,
    now: datetime,  # noqa: ARG001 - read once a tick
    _view: View,
) -> Reads | None:
    return audit.reads(_view.installed.settings, start, end)

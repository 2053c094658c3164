"""Export: what is masked, and the files of a session and of the list.

A file is made when its button is clicked, for the access that its viewer has then: the page may
have been drawn hours ago.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from tracelib import errors, export
from tracelib.export import SessionDocument
from tracelib.files import File
from tracelib.filters import Filters
from tracelib.page.base import address, auditing, file_button
from tracelib.page.base.view import View
from tracelib.permissions.people import Person
from tracelib.querying.installation import Installation
from tracelib.redaction import KINDS, NONE, Redaction, masked
from tracelib.selection import Selection
from tracelib.sessions import SessionSearch

TITLES = {
    "e-mail": "E-mail addresses",
    "key": "Keys and passwords",
    "card": "Card numbers",
    "phone": "Telephone numbers",
    "iban": "Bank account numbers (IBAN)",
    "ssn": "US social security numbers",
}
EXPLAINED = (
    "Masked in messages, names, tags and errors. Patterns can miss things: review the file "
    "before sharing it."
)
SHORT = 12  # characters of a session ID in the name of a file


def shown(view: View) -> Redaction:
    """What is masked on the page itself? Everything if the URL says so, else nothing."""
    return _everything(view) if address.is_on(address.REDACTED) else NONE


def session_buttons(view: View, selection: Selection) -> None:
    """Draw the export buttons of this session: HTML and JSON."""
    with st.popover("Export", icon=":material/ios_share:"):
        redaction = _choose(view, "session")
        named = _name("session", selection, redaction, view.now)
        zone = view.filters.zone

        def document(kind: str, person: Person, installed: Installation) -> SessionDocument:
            current = replace(view, person=person, installed=installed)
            auditing.record_export(current, selection, redaction, kind)
            now = datetime.now(UTC)
            return current.query_alone(export.session_document, selection, redaction, now)

        def html(person: Person, installed: Installation) -> Iterable[bytes]:
            pieces = export.as_html(document("html", person, installed), zone)
            return (piece.encode() for piece in pieces)

        def data(person: Person, installed: Installation) -> Iterable[bytes]:
            pieces = export.as_json(document("json", person, installed))
            return (piece.encode() for piece in pieces)

        of = f"{selection.api_key} {selection.session_ids} {selection.rows}"
        page_file = File(f"{named}.html", "text/html", html)
        file_button.draw("One HTML file", "session html", page_file, of)
        data_file = File(f"{named}.json", "application/json", data)
        file_button.draw("JSON", "session json", data_file, of)


def list_buttons(
    view: View, filters: Filters, search: SessionSearch, found: pd.DataFrame | None = None
) -> None:
    """Draw the export buttons of the list: CSV and JSON lines.

    All sessions within the filters; with `found` only those, which a search in documents has found
    so far.
    """
    with st.popover("Download", icon=":material/download:"):
        redaction = _choose(view, "list")
        named = _name("sessions", Selection(""), redaction, view.now)

        def pages(person: Person, installed: Installation) -> Iterable[pd.DataFrame]:
            current = replace(view, person=person, installed=installed)
            if found is None:
                return current.query_alone(export.listed_sessions, filters, search)
            # They were found with the access of that time, and are not searched for again.
            if installed.access != view.installed.access:
                raise errors.NotForThisRole()
            return [found]

        def table(person: Person, installed: Installation) -> Iterable[bytes]:
            return export.sessions_csv(pages(person, installed), redaction)

        def lines(person: Person, installed: Installation) -> Iterable[bytes]:
            return export.sessions_jsonl(pages(person, installed), redaction)

        file_button.draw("CSV", "list csv", File(f"{named}.csv", "text/csv", table))
        lines_file = File(f"{named}.jsonl", "application/jsonl", lines)
        file_button.draw("JSON lines", "list jsonl", lines_file)


def _everything(view: View) -> Redaction:
    return Redaction(frozenset(KINDS), view.installed.settings.redact)


def _choose(view: View, of: str) -> Redaction:
    """Draw what is masked in the file: everything by default."""
    st.caption("Mask", help=EXPLAINED)
    custom = view.installed.settings.redact
    kinds = [kind for kind, title in TITLES.items() if _is_on(title, f"mask {of} {kind}")]
    chosen = [one for one in custom if _is_on(one.name, f"mask {of} own {one.name}")]
    return Redaction(frozenset(kinds), tuple(chosen))


def _is_on(title: str, key: str) -> bool:
    return bool(st.toggle(title, value=True, key=key))


def _name(what: str, selection: Selection, redaction: Redaction, now: datetime) -> str:
    """The name of the file. It tells if nothing is masked in it; the time is UTC.

    >>> _name("session", Selection("", ("0a1b2c3d-4e5f",)), NONE, datetime(2026, 11, 23, 9, 5))
    'session-0a1b2c3d-4e5-20261123-0905Z-unmasked'
    """
    ids = (*selection.session_ids, *selection.request_ids)
    plain = re.sub(r"[^A-Za-z0-9-]", "", masked("".join(ids[:1]), redaction)[0])
    parts = (what, plain[:SHORT], f"{now:%Y%m%d-%H%M}Z", "unmasked" if redaction == NONE else "")
    return "-".join(part for part in parts if part)

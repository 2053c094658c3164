"""Export: what is masked, and the files of a session and of the list.

A file is made when its button is clicked, not when the page is drawn. Streamlit holds it in memory
until the page is left, so `export` bounds its length.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from tracelib import errors, export
from tracelib.export import SessionDocument
from tracelib.filters import Filters
from tracelib.page.base import address, auditing, identity
from tracelib.page.base.view import View
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


@dataclass(frozen=True, slots=True)
class File:
    """A file to download. `make` is called on a click, and returns its pieces."""

    label: str
    name: str
    kind: str
    make: Callable[[], Iterable[bytes]]


def shown(view: View) -> Redaction:
    """What is masked on the page itself? Everything if the URL says so, else nothing."""
    return _everything(view) if address.is_on(address.REDACTED) else NONE


def session_buttons(view: View, selection: Selection) -> None:
    """Draw the export buttons of this session: HTML and JSON."""
    with st.popover("Export", icon=":material/ios_share:"):
        redaction = _choose(view, "session")
        named = _name("session", selection, redaction, view.now)
        zone = view.filters.zone

        def document(kind: str) -> SessionDocument:
            current = _with_current_access(view)
            auditing.record_export(current, selection, redaction, kind)
            now = datetime.now(UTC)
            return current.query_alone(export.session_document, selection, redaction, now)

        def html() -> Iterable[bytes]:
            return (piece.encode() for piece in export.as_html(document("html"), zone))

        def data() -> Iterable[bytes]:
            return [export.as_json(document("json")).encode()]

        _button(File("One HTML file", f"{named}.html", "text/html", html))
        _button(File("JSON", f"{named}.json", "application/json", data))


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

        def pages() -> Iterable[pd.DataFrame]:
            current = _with_current_access(view)
            if found is None:
                return current.query_alone(export.listed_sessions, filters, search)
            # They were found with the access of that time, and are not searched for again.
            if current.installed.access != view.installed.access:
                raise errors.NotForThisRole()
            return [found]

        def table() -> Iterable[bytes]:
            return export.sessions_csv(pages(), redaction)

        def lines() -> Iterable[bytes]:
            return export.sessions_jsonl(pages(), redaction)

        _button(File("CSV", f"{named}.csv", "text/csv", table))
        _button(File("JSON lines", f"{named}.jsonl", "application/jsonl", lines))


def _with_current_access(view: View) -> View:
    """The view with the viewer's current access: the page may have been drawn hours ago."""
    return replace(view, installed=identity.with_current_access(view.person, view.installed))


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


def _button(file: File) -> None:
    st.download_button(
        file.label,
        lambda: b"".join(file.make()),
        file_name=file.name,
        mime=file.kind,
        key=f"download {file.label}",
        on_click="ignore",
        icon=":material/download:",
        width="stretch",
    )

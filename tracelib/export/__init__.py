"""Self-contained files of a session or of the list, for people without access.

    document      a session as it is exported: figures, transcript, rows, what was masked
    files         the document as one HTML file or as JSON; a table as CSV
    session_list  the list of sessions as CSV and as JSON lines

docs/exports.md describes the files for their recipients.
"""

from tracelib.export.document import (
    SessionDocument,
    redacted,
    row_line,
    rows_sha256,
    session_document,
)
from tracelib.export.files import Column, as_html, as_json, table_csv
from tracelib.export.session_list import listed_sessions, sessions_csv, sessions_jsonl

__all__ = [
    "Column",
    "SessionDocument",
    "as_html",
    "as_json",
    "listed_sessions",
    "redacted",
    "row_line",
    "rows_sha256",
    "session_document",
    "sessions_csv",
    "sessions_jsonl",
    "table_csv",
]

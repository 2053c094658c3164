"""A session or a list handed to someone without access: files that stand on their own.

    document      a session as it is handed on: figures, transcript, rows, what was masked
    html_file     it as one HTML file that needs nothing else
    json_file     it as JSON, with keys that stay
    csv_file      a table as CSV
    session_list  the list of sessions as CSV and as JSON lines

Below them: `redacted` masks a conversation, `rows` adds up what the files were made from.
docs/exports.md describes the files for those who get them.
"""

from tracelib.handover.document import (
    SessionDocument,
    redacted,
    row_line,
    rows_sha256,
    session_document,
)
from tracelib.handover.files import Column, Kind, as_html, as_json, table_csv
from tracelib.handover.session_list import listed_sessions, sessions_csv, sessions_jsonl

__all__ = [
    "Column",
    "Kind",
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

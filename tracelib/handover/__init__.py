"""A session or a list handed to someone without access: files that stand on their own.

    document      a session as it is handed on: figures, transcript, rows, what was masked
    html_file     it as one HTML file that needs nothing else
    json_file     it as JSON, with keys that stay
    csv_file      a table as CSV
    session_list  the list of sessions as CSV and as JSON lines

Below them: `redacted` masks a conversation, `rows` adds up what the files were made from.
docs/exports.md describes the files for those who get them.
"""

from tracelib.handover.csv_file import Column, Kind, table_csv
from tracelib.handover.document import SessionDocument, session_document
from tracelib.handover.html_file import as_html
from tracelib.handover.json_file import as_json
from tracelib.handover.redacted import redacted
from tracelib.handover.rows import row_line, rows_sha256
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

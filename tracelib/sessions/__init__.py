"""Sessions: the list of sessions, searches, and the figures of each.

A session is what LiteLLM groups: requests of one key with the same session ID.
"""

from tracelib.sessions.figures import SessionSummary, summary
from tracelib.sessions.listing import (
    SessionPage,
    found_sessions,
    session_counts,
    sessions_over_time,
)
from tracelib.sessions.lookup import keys_of, requests_called, requests_of, session_of_request
from tracelib.sessions.scanning import Scan, scan, scanned_sessions
from tracelib.sessions.search import SessionSearch, read_search
from tracelib.sessions.search_fields import in_words, suggestions

__all__ = [
    "Scan",
    "SessionPage",
    "SessionSearch",
    "SessionSummary",
    "found_sessions",
    "in_words",
    "keys_of",
    "read_search",
    "requests_called",
    "requests_of",
    "scan",
    "scanned_sessions",
    "session_counts",
    "session_of_request",
    "sessions_over_time",
    "suggestions",
    "summary",
]

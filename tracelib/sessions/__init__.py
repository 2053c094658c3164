"""Which sessions were there, and what did each cost, take and hold?

A session is what LiteLLM groups: requests of one key that carry the same session id.
"""

from tracelib.sessions.found import SessionPage, found_sessions, session_counts
from tracelib.sessions.lookup import keys_of, requests_of, session_of_request
from tracelib.sessions.search import SessionSearch, read_search
from tracelib.sessions.whole import SessionSummary, summary

__all__ = [
    "SessionPage",
    "SessionSearch",
    "SessionSummary",
    "found_sessions",
    "keys_of",
    "read_search",
    "requests_of",
    "session_counts",
    "session_of_request",
    "summary",
]

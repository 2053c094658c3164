"""Checks for which this database, or this viewer, lacks a column."""

from tracelib.source import Postgres

NEEDS = {
    "no_prompt": ("proxy_server_request",),
    "single_request_sessions": ("session_id",),
    "unpriced": ("cache_hit",),
    "no_first_token": ("completionStartTime",),
    "streams_without_first_token": ("proxy_server_request", "completionStartTime"),
    "shared_sessions": ("session_id",),
    "facts_as_text": ("metadata",),
    "unknown_call_types": ("call_type",),
    "unknown_fields": ("proxy_server_request",),
}


def unreadable(source: Postgres) -> tuple[tuple[str, str], ...]:
    """Which checks need a column that is missing, not granted or not for this viewer?

    Pairs of check and column. Runs no query: it is known from the first connection.
    """
    return tuple(
        (name, column)
        for name, columns in NEEDS.items()
        for column in columns
        if not source.schema.has(column)
    )

"""Runs statements on PostgreSQL: read only, in UTC, with a time limit, on a bounded pool."""

from tracelib.source.postgres import Source, connect, pool, source_over

__all__ = ["Source", "connect", "pool", "source_over"]

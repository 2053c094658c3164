"""Runs statements on PostgreSQL: read only, in UTC, with a time limit, on a bounded pool."""

from tracelib.source.postgres import Source, connect, met, pool

__all__ = ["Source", "connect", "met", "pool"]

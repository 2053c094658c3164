"""Asks a statement of PostgreSQL: read only, in UTC, within a time limit, on a bounded pool."""

from tracelib.source.postgres import Source, connect, met, pool

__all__ = ["Source", "connect", "met", "pool"]

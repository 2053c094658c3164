"""Runs statements: on PostgreSQL read only, in UTC, with a time limit, on a bounded pool."""

from tracelib.source.postgres import Postgres, connect, pool, source_over
from tracelib.source.protocol import Source

__all__ = ["Postgres", "Source", "connect", "pool", "source_over"]

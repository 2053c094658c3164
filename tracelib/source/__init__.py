"""Runs statements: on PostgreSQL read only, in UTC, with a time limit, on a bounded pool."""

from tracelib.source.postgres import Postgres, connect, pool, source_over
from tracelib.source.protocol import NotHeld, Source

__all__ = ["NotHeld", "Postgres", "Source", "connect", "pool", "source_over"]

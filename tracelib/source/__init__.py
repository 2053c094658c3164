"""Runs statements: on PostgreSQL read only, in UTC, with a time limit, on a bounded pool."""

from tracelib.source.postgres import Postgres, connect, pool, reading, source_over
from tracelib.source.protocol import NotHeld, Numbered, Source

__all__ = ["NotHeld", "Numbered", "Postgres", "Source", "connect", "pool", "reading", "source_over"]

"""The health of the database: how fresh and large is the log, what is missing, what fails?"""

from tracelib.status.database import Freshness, ServerFacts, Size, freshness, missing, server, size
from tracelib.status.failures import (
    Losses,
    failure_groups,
    failures_over_time,
    losses,
    newest_failures,
)
from tracelib.status.proxy import ProxyHealth, proxy_health
from tracelib.status.retention import Retention, retention

__all__ = [
    "Freshness",
    "Losses",
    "ProxyHealth",
    "Retention",
    "ServerFacts",
    "Size",
    "failure_groups",
    "failures_over_time",
    "freshness",
    "losses",
    "missing",
    "newest_failures",
    "proxy_health",
    "retention",
    "server",
    "size",
]

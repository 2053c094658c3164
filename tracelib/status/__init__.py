"""Is the database well, how fresh and large is the log, what is missing, and what fails?"""

from tracelib.status.failed_requests import newest_failures
from tracelib.status.failures import failure_groups, failures_over_time
from tracelib.status.gaps import missing
from tracelib.status.ingest import Freshness, freshness
from tracelib.status.losses import Losses, losses
from tracelib.status.proxy import ProxyHealth, proxy_health
from tracelib.status.role import ServerFacts, server
from tracelib.status.storage import Size, size

__all__ = [
    "Freshness",
    "Losses",
    "ProxyHealth",
    "ServerFacts",
    "Size",
    "failure_groups",
    "failures_over_time",
    "freshness",
    "losses",
    "missing",
    "newest_failures",
    "proxy_health",
    "server",
    "size",
]

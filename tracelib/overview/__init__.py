"""Overview's queries: what did the traffic do, what did it cost, and who sent it?"""

from tracelib.overview.costs import (
    CacheSavings,
    PromptCaching,
    cache_savings,
    cost_by_owner,
    cost_by_tag,
    prompt_caching,
)
from tracelib.overview.over_time import busy_hours, new_sessions, over_time, sessions_in
from tracelib.overview.totals import SessionCounts, Totals, log_start, sessions, totals

__all__ = [
    "CacheSavings",
    "PromptCaching",
    "SessionCounts",
    "Totals",
    "busy_hours",
    "cache_savings",
    "cost_by_owner",
    "cost_by_tag",
    "log_start",
    "new_sessions",
    "over_time",
    "prompt_caching",
    "sessions",
    "sessions_in",
    "totals",
]

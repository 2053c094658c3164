"""Overview's questions: what did the traffic do, what did it cost, and who asked?"""

from tracelib.overview.caches import CacheSavings, PromptCaching, cache_savings, prompt_caching
from tracelib.overview.log_start import log_start
from tracelib.overview.over_time import busy_hours, over_time
from tracelib.overview.spenders import cost_by_owner, cost_by_tag
from tracelib.overview.totals import SessionCounts, Totals, sessions, totals

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
    "over_time",
    "prompt_caching",
    "sessions",
    "totals",
]

"""When a session's requests ran, what each sent again, and what that cost.

Pure: frames in, frames out. The rows are those of `sessions.requests_of`.

    phases    the time of each request in phases, idle periods, context, cost
    whole     all of it as one value, and the same time prepared for charts
    verdict   what is notable in it
"""

from tracelib.timeline.whole import NEAR_LIMIT, Timeline, activity, drawn, timeline

__all__ = ["NEAR_LIMIT", "Timeline", "activity", "drawn", "timeline"]

"""When a session's requests ran, what each sent again, and what that cost.

Pure: frames in, frames out. The rows are those of `sessions.requests_of`.

    phases    where the time of each request went
    periods   when anything ran at all, and when nothing did
    context   what of each prompt had been sent before, and how full the model was
    money     what it had cost by then, and what sending again cost
    whole     all of it, as one value
    drawing   the same time with idle stretches cut short, to be drawn
"""

from tracelib.timeline.whole import NEAR_LIMIT, Timeline, activity, drawn, timeline

__all__ = ["NEAR_LIMIT", "Timeline", "activity", "drawn", "timeline"]

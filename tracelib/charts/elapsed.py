"""Axes of time since something began: where the ticks stand, and what they say."""

from collections.abc import Sequence
from math import ceil

from tracelib.formatting import duration

SECOND, MINUTE, HOUR, DAY = 1e3, 6e4, 3.6e6, 8.64e7  # milliseconds
STEPS_MS = (
    *(digit * 10.0**power for power in range(-1, 4) for digit in (1, 2, 5)),
    *(15 * SECOND, 30 * SECOND),
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * DAY for days in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)),
)
TICKS = 6


def ticks(start_ms: float, end_ms: float) -> list[float]:
    """Which round moments stand on an axis from here to there? About six.

    >>> ticks(0, 6_745), ticks(90_000, 300_000)
    ([0.0, 2000.0, 4000.0, 6000.0], [120000.0, 180000.0, 240000.0, 300000.0])
    """
    least = (end_ms - start_ms) / TICKS
    step = next((step for step in STEPS_MS if step >= least), STEPS_MS[-1])
    first = ceil(start_ms / step)
    return [(first + place) * step for place in range(int((end_ms / step) - first) + 1)]


def written(moments_ms: Sequence[float], end_ms: float) -> list[str]:
    """How do moments read on an axis that reaches so far? Alike all along it.

    >>> written([0, 250], 900), written([0, 2_500], 6_745), written([0, 151_000], 1_800_000)
    (['0 ms', '250 ms'], ['0 s', '2.5 s'], ['0:00', '2:31'])
    >>> written([0, 10_935_000], 2e7), written([0, 90_000_000], 2e8)
    (['0:00:00', '3:02:15'], ['0 h', '1 d 1 h'])
    """
    if end_ms < SECOND:
        return [f"{moment:.3g} ms" for moment in moments_ms]
    if end_ms < MINUTE:
        return [f"{moment / SECOND:.3g} s" for moment in moments_ms]
    if end_ms < DAY:
        return [_clock(moment, has_hours=end_ms >= HOUR) for moment in moments_ms]
    return [
        duration(moment) if moment >= DAY else f"{moment / HOUR:.3g} h" for moment in moments_ms
    ]


def unit(end_ms: float) -> str:
    """What must be said of the ticks of an axis that reaches so far?

    >>> unit(6_745), unit(1_800_000)
    ('Since the first request', 'Since the first request, min:s')
    """
    spelt = {MINUTE <= end_ms < HOUR: ", min:s", HOUR <= end_ms < DAY: ", h:min:s"}
    return "Since the first request" + spelt.get(True, "")


def _clock(moment_ms: float, *, has_hours: bool) -> str:
    minutes, seconds = divmod(round(moment_ms / SECOND), 60)
    if not has_hours:
        return f"{minutes}:{seconds:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"

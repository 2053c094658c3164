"""Colours and their meanings, the same on every page, and names that a chart can show."""

import html
import zlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tracelib.formatting import shortened
from tracelib.signs import one_line

CATEGORICAL = (
    "#4C6EF5",
    "#F59F00",
    "#12B886",
    "#AE3EC9",
    "#1098AD",
    "#F76707",
    "#7950F2",
    "#74B816",
    "#D6336C",
)
# Of models beyond those nine: as different from them, from red and from one another as possible.
FURTHER = (
    *("#73A03D", "#9E0AE3", "#338A73", "#B18F06", "#5853D3", "#04900F", "#EA5DBC", "#0569A9"),
    *("#618732", "#BF6CFF", "#29715E", "#957904", "#8884FF", "#02760B", "#C74E9F"),
)
DARKER = 0.8  # of the previous colour, after all have been used
# For everything without a colour of its own; no model and no class of failure has it.
OTHERS = "#868E96"
# Failures; nothing else is red.
FAILURE = "#E03131"

REQUESTS = "#4C6EF5"
COST = "#12B886"
TOKENS_IN = "#7950F2"
TOKENS_OUT = "#F59F00"
FROM_CACHE = "#1098AD"
TYPICAL = "#4C6EF5"
SLOW = "#F76707"

# Distinguishable from their backgrounds, light and dark, and from one another for all kinds of
# colour vision.
CLASS_HUES = ("#3B7DE8", "#B07300", "#1F8A62", "#8E4BC4", "#C2479B")
# Of LiteLLM's exceptions, the most frequent first: these have the plain hues.
KNOWN_CLASSES = (
    *("RateLimitError", "Timeout", "InternalServerError", "APIConnectionError"),
    *("AuthenticationError", "BadRequestError", "ContextWindowExceededError"),
    *("ContentPolicyViolationError", "ServiceUnavailableError", "NotFoundError"),
    *("BudgetExceededError", "PermissionDeniedError", "APIError", "ProxyException"),
    "UnprocessableEntityError",
)
KNOWN_PATTERNS = ("", "/", ".")
OTHER_PATTERNS = ("x", "|", "-", "+")


class Mark(NamedTuple):
    """The fill of a class of failure: a colour, and a pattern or none."""

    colour: str
    pattern: str


def model_colours(ranked: Iterable[str]) -> Mapping[str, str]:
    """Which colour does each model have, the most used first? All are different.

    >>> model_colours(["gpt-4o", "claude"])
    {'gpt-4o': '#4C6EF5', 'claude': '#F59F00'}
    """
    colours = (*CATEGORICAL, *FURTHER)
    return {
        model: _darker(colours[rank % len(colours)], rank // len(colours))
        for rank, model in enumerate(ranked)
    }


def class_marks(classes: Iterable[str]) -> Mapping[str, Mark]:
    """Which fill do the bars of each of these classes have? All different for at most 20.

    A class has the same mark whatever else failed. Only if the names of two unknown classes lead to
    the same one, the later in the alphabet has another.
    """
    marks: dict[str, Mark] = {}
    for name in sorted(classes):
        mark = class_mark(name)
        hues = (mark.colour, *CLASS_HUES)
        others = (Mark(hue, pattern) for hue in hues for pattern in OTHER_PATTERNS)
        taken = marks.values()
        marks[name] = next((one for one in (mark, *others) if one not in taken), mark)
    return marks


def class_mark(name: str) -> Mark:
    """Which fill do the bars of this class have? It depends on the name alone.

    >>> class_mark("RateLimitError"), class_mark("BadRequestError")
    (Mark(colour='#3B7DE8', pattern=''), Mark(colour='#3B7DE8', pattern='/'))
    """
    if name in KNOWN_CLASSES:
        row, place = divmod(KNOWN_CLASSES.index(name), len(CLASS_HUES))
        return Mark(CLASS_HUES[place], KNOWN_PATTERNS[row])
    row, place = divmod(zlib.crc32(name.encode()), len(CLASS_HUES))
    return Mark(CLASS_HUES[place], OTHER_PATTERNS[row % len(OTHER_PATTERNS)])


def tint(colour: str, opacity: float) -> str:
    """This colour with an opacity.

    >>> tint("#4C6EF5", 0.12)
    'rgba(76,110,245,0.12)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _darker(colour: str, times: int) -> str:
    channels = (int(colour[i : i + 2], 16) * DARKER**times for i in (1, 3, 5))
    return "#" + "".join(f"{round(channel):02X}" for channel in channels)


LONGEST = 34


def plain(text: object, length: int = LONGEST) -> str:
    """This name in a chart: shortened, tags shown as text.

    >>> plain("<a href='x'>me</a>"), plain(None)
    ("&lt;a href='x'&gt;me&lt;/a&gt;", '(none)')
    """
    if not isinstance(text, str):
        return "(none)"
    return html.escape(shortened(one_line(text), length), quote=False)


def within(text: object, length: int) -> str:
    """The same, shortened in its middle: names that begin alike often differ at the end.

    >>> within("Customer Support (team-support)", 26)
    'Customer Sup…team-support)'
    """
    if not isinstance(text, str) or len(line := one_line(text)) <= length:
        return plain(text, length)
    tail = length // 2
    return html.escape(f"{line[: length - tail - 1]}…{line[-tail:]}", quote=False)

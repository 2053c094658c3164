"""Text from the database, made harmless for Plotly, which reads HTML tags in labels."""

import html

from tracelib.formatting import shortened
from tracelib.signs import one_line

LONGEST = 34


def plain(text: object, length: int = LONGEST) -> str:
    """How does this name read in a chart? Shortened, tags shown as text.

    >>> plain("<a href='x'>me</a>"), plain(None)
    ("&lt;a href='x'&gt;me&lt;/a&gt;", '(none)')
    """
    if not isinstance(text, str):
        return "(none)"
    return html.escape(shortened(one_line(text), length), quote=False)


def within(text: object, length: int) -> str:
    """The same, shortened in its middle: names that begin alike are told apart by their ends.

    >>> within("Customer Support (team-support)", 26)
    'Customer Sup…team-support)'
    """
    if not isinstance(text, str) or len(line := one_line(text)) <= length:
        return plain(text, length)
    tail = length // 2
    return html.escape(f"{line[: length - tail - 1]}…{line[-tail:]}", quote=False)

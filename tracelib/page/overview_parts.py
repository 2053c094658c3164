"""The parts of the Overview page."""

from tracelib.page import traffic_part
from tracelib.page.base import parts
from tracelib.page.base.view import View

PARTS: parts.Parts = {"Traffic": traffic_part.draw}


def draw(view: View) -> None:
    """Draw the part that the URL names."""
    parts.draw(view, PARTS)

"""The parts of the Overview page."""

from tracelib.page import changes_part, costs_part, savings_part, traffic_part
from tracelib.page.base import parts
from tracelib.page.base.view import View

PARTS: parts.Parts = {
    "Traffic": traffic_part.draw,
    "What changed": changes_part.draw,
    "Costs": costs_part.draw,
    "Savings": savings_part.draw,
}


def draw(view: View) -> None:
    """Draw the part that the URL names."""
    parts.draw(view, PARTS)

"""The parts of the Status page."""

from tracelib.page import evidence_part, health_part, keys_part, ledgers_part, quality_part
from tracelib.page.base import parts
from tracelib.page.base.view import View

PARTS: parts.Parts = {
    "Health": health_part.draw,
    "Ledgers": ledgers_part.draw,
    "Data quality": quality_part.draw,
    "Keys": keys_part.draw,
    "Evidence": evidence_part.draw,
}


def draw(view: View) -> None:
    """Draw the part that the URL names."""
    parts.draw(view, PARTS)

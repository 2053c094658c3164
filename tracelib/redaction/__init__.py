"""Private facts in text, masked before anyone sees them: addresses, keys, cards, numbers.

    choice   what is to be masked: kinds, and patterns of an installation's own
    masking  a text with what was found in it replaced

Below them: `emails`, `keys`, `cards` and `phones` find one kind each, with `patterns` that
need time that grows as the text does.
"""

from tracelib.redaction.choice import ALL, KINDS, NONE, OwnPattern, Redaction, read_own_patterns
from tracelib.redaction.masking import masked

__all__ = [
    "ALL",
    "KINDS",
    "NONE",
    "OwnPattern",
    "Redaction",
    "masked",
    "read_own_patterns",
]

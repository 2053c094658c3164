"""Private data in text, masked before it is shown or exported.

    masking    a text with its finds replaced
    documents  JSON in the text, so that it stays JSON
    patterns   what to mask, and regular expressions in linear time

Below `masking` one module per way to find something: `emails`, `phones`, and for secrets `keys`
(by shape or place) and `named` (by name). Their data: `words.toml` and `key_prefixes.tsv`.
"""

from tracelib.redaction.masking import masked
from tracelib.redaction.patterns import ALL, KINDS, NONE, OwnPattern, Redaction, read_own_patterns

__all__ = [
    "ALL",
    "KINDS",
    "NONE",
    "OwnPattern",
    "Redaction",
    "masked",
    "read_own_patterns",
]

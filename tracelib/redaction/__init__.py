"""Private data in text, masked before it is shown or exported.

    choice     what to mask: kinds, and an installation's own patterns
    masking    a text with what was found in it replaced
    documents  JSON in the text, so that it stays JSON
    patterns   regular expressions in linear time; values: what can be a secret

Below `masking` one module per way to find something: `emails`, `numbers` (cards, IBANs, social
security numbers), `phones`, and for secrets `keys` (by shape or place), `named` (by name) and
`commands` (in headers and arguments). Their data: `words.toml` and `key_prefixes.tsv`.
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

"""E-mail addresses in text."""

from collections.abc import Iterator

from tracelib.redaction.patterns import WORD_BEGINS, compiled, finds

_WORD = r"\pL\pN_"
# The last label must begin with a letter: react@18.2.0 is a package.
_ADDRESS = compiled(rf"{WORD_BEGINS}([{_WORD}.+-]+(?:@|%40)(?:[{_WORD}-]+\.)+\pL[{_WORD}-]+)")


def emails(text: str) -> Iterator[tuple[int, int]]:
    """Where are the e-mail addresses of this text?

    >>> [text[slice(*span)] for text in ["(ada@example.org), x@1.2"] for span in emails(text)]
    ['ada@example.org']
    """
    return finds(_ADDRESS, text)

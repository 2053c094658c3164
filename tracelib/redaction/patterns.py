"""Regular expressions that need time that grows as the text does, whatever is written in them.

They are RE2's: it never goes back in the text, so neither a pattern of ours or of an
installation nor a text made for it can keep the server busy. It has no look-around.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import re2

# What is quoted in a tool's result often holds \\n as two signs: the n is no part of the word
# behind it, and must not hide that a word begins there.
_ESCAPE = r"\\[nrtbf]|\\u[0-9a-fA-F]{4}"
WORD_BEGINS = rf"(?:{_ESCAPE}|\b)"

PatternError: type[Exception] = re2.error


@lru_cache(maxsize=100)
def compiled(pattern: str) -> Any:
    """The pattern, ready to use. Raises PatternError."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def finds(pattern: Any, text: str) -> Iterator[tuple[int, int]]:
    """Where does this text hold what the pattern's one group stands for?"""
    return (found.span(1) for found in pattern.finditer(text))

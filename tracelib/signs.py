"""Invisible characters in text from the database: escaped, or removed."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

HIDDEN = {
    *range(0x20),
    *range(0x7F, 0xA0),
    *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029),
    *range(0x202A, 0x202F),  # bidirectional embeddings and overrides
    *range(0x2066, 0x206A),  # bidirectional isolates
    *range(0xD800, 0xE000),  # surrogates, which cannot be sent
    *range(0xE0000, 0xE0080),  # tags: a whole alphabet that is not drawn
}
SPACES = {*map(ord, "\t\n\r\u2028\u2029")}
# Right-to-left scripts need the marks that only set a direction.
MARKS = {0x061C, 0x200E, 0x200F}
NAMED = {sign: f"⟨U+{sign:04X}⟩" for sign in HIDDEN - SPACES - MARKS}
# A flag of a part of a country: a black flag, its region spelled in tags, and their end. Tags
# anywhere else are hidden text.
FLAG = re.compile("(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)")
# Stacked marks are at most this many per letter; more would cover the lines around.
MOST_MARKS = 4


def visible(text: str) -> str:
    """The same text with invisible characters replaced by their code points.

    >>> visible("a\u202eb")
    'a⟨U+202E⟩b'
    """
    return thinned(_but_flags(text, lambda one: one.translate(NAMED)))


def one_line(text: str) -> str:
    """The same text on one line, without invisible characters.

    >>> one_line("a\u202eb  c\\n")
    'a b c'
    """
    return " ".join(thinned(_but_flags(text, _without_hidden)).split())


def _without_hidden(text: str) -> str:
    return "".join(" " if ord(one) in HIDDEN else one for one in text)


def _but_flags(text: str, change: Callable[[str], str]) -> str:
    """The text changed, except for the flags in it."""
    if "\U0001f3f4" not in text:
        return change(text)
    pieces = FLAG.split(text)  # every second one is a flag
    return "".join(one if at % 2 else change(one) for at, one in enumerate(pieces))


def thinned(text: str) -> str:
    """The same text with no more marks on a letter than a script needs."""
    return text if text.isascii() else _stacked_marks().sub(r"\1", text)


@cache
def _stacked_marks() -> re.Pattern[str]:
    marks = "".join(
        sign
        for sign in map(chr, range(0x300, 0x20000))
        if unicodedata.category(sign) in ("Mn", "Me")
    )
    return re.compile(f"([{marks}]{{{MOST_MARKS}}})[{marks}]+")

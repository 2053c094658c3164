"""Text from the database where Streamlit would read Markdown: labels, captions, help.

Every sign that could mean something is written as an entity, so that it is shown and means
nothing. Streamlit also looks for addresses, e-mails, icons, emoji and arrows in what entities
stand for; those are broken by a sign without width. Elsewhere untrusted text goes through
st.text, st.code or a data frame's cells.
"""

import re
import string
import unicodedata
from functools import cache

from tracelib.formatting import shortened

WORD_JOINER = "\u2060"
ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in string.punctuation}
HIDDEN = {
    *range(0x20),
    *range(0x7F, 0xA0),
    *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029),
    *range(0x202A, 0x202F),  # bidirectional embeddings and overrides
    *range(0x2066, 0x206A),  # bidirectional isolates
    *range(0xD800, 0xE000),  # halves of signs, which cannot be sent
    *range(0xE0000, 0xE0080),  # tags: a whole alphabet that is not drawn
}
SPACES = {*map(ord, "\t\n\r\u2028\u2029")}
# Right-to-left scripts need the marks that only tell a direction.
MARKS = {0x061C, 0x200E, 0x200F}
NAMED = {sign: f"⟨U+{sign:04X}⟩" for sign in HIDDEN - SPACES - MARKS}
# Written marks stand at most this deep on one letter; more would cover the lines around.
MOST_MARKS = 4
# `:name:` is an icon or an emoji; an arrow is drawn where it stands alone.
FOUND_BY_STREAMLIT = re.compile(
    r"/(?=/)|(?<=www)(?=\.)|(?=@)|:(?=[\w+-]+:)|(?<!\S)[-<>~](?=(?:->|[->=])(?!\S))",
    re.IGNORECASE,
)


def label(text: object, length: int = 60) -> str:
    """How does this text stand in a label, literally and on one line?

    >>> label("![x](http://a.b)"), label("a*b"), label(None)
    ('&#33;&#91;x&#93;&#40;http&#58;&#47;\u2060&#47;a&#46;b&#41;', 'a&#42;b', '–')
    """
    if not isinstance(text, str):
        return "–"
    one_line = "".join(" " if ord(sign) in HIDDEN else sign for sign in text)
    return literal(shortened(" ".join(thinned(one_line).split()), length))


def literal(text: str) -> str:
    """How is this text written in Markdown so that it means itself and nothing else?

    Line breaks are the caller's affair.

    >>> literal("# a_b")
    '&#35; a&#95;b'
    """
    broken = FOUND_BY_STREAMLIT.sub(lambda found: found[0] + WORD_JOINER, text)
    return broken.translate(ENTITIES)


def visible(text: str) -> str:
    """The same text with the signs that act without being seen written out by their number.

    >>> visible("a\u202eb")
    'a⟨U+202E⟩b'
    """
    return thinned(text.translate(NAMED))


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

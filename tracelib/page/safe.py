"""Text from the database where Streamlit would read Markdown: labels, captions, help.

Every sign that could mean something is written as an entity, so that it is shown and means
nothing. Streamlit also looks for addresses, e-mails, icons, emoji and arrows in what entities
stand for; those are broken by a sign without width. Elsewhere untrusted text goes through
st.text, st.code or a data frame's cells.
"""

import re
import string

from tracelib import signs
from tracelib.formatting import shortened

WORD_JOINER = "\u2060"
ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in string.punctuation}
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
    return literal(shortened(signs.one_line(text), length))


def literal(text: str) -> str:
    """How is this text written in Markdown so that it means itself and nothing else?

    Line breaks are the caller's affair.

    >>> literal("# a_b")
    '&#35; a&#95;b'
    """
    broken = FOUND_BY_STREAMLIT.sub(lambda found: found[0] + WORD_JOINER, text)
    return broken.translate(ENTITIES)

"""Text from the database where Streamlit would read Markdown: labels, captions, help.

Every sign that could mean something is written as an entity, so that it is shown and means
nothing. Elsewhere untrusted text goes through st.text, st.code or a data frame's cells.
"""

import string

from tracelib.formatting import shortened

WORD_JOINER = "\u2060"
HIDDEN = {*range(0x20), 0x7F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F}
ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in string.punctuation}


def label(text: object, length: int = 60) -> str:
    """How does this text stand in a label, literally and on one line?

    >>> label("![x](http://a.b)"), label("a*b"), label(None)
    ('&#33;&#91;x&#93;&#40;http\u2060&#58;&#47;&#47;a&#46;b&#41;', 'a&#42;b', '–')
    """
    if not isinstance(text, str):
        return "–"
    visible = "".join(" " if ord(sign) in HIDDEN else sign for sign in text)
    short = shortened(" ".join(visible.split()), length)
    # A renderer that looks for addresses after decoding entities must not find one.
    broken = short.replace("://", f"{WORD_JOINER}://").replace("www.", f"www{WORD_JOINER}.")
    return broken.replace("@", f"{WORD_JOINER}@").translate(ENTITIES)

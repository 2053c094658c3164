"""Text from the database where Streamlit would read Markdown: labels, captions, help.

Every character that could have a meaning is written as an entity, so that it is shown literally.
Streamlit also looks for addresses, e-mails, icons, emoji and arrows in decoded entities; those are
broken by a zero-width character. Elsewhere untrusted text goes through st.text, st.code or a data
frame's cells.
"""

import re
import string
from collections.abc import Callable

from markdown_it.tree import SyntaxTreeNode

from tracelib import signs
from tracelib.formatting import shortened
from tracelib.signs import SPACES, visible

WORD_JOINER = "\u2060"
ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in string.punctuation}
# `:name:` is an icon or an emoji; an arrow is drawn if it has spaces around it.
FOUND_BY_STREAMLIT = re.compile(
    r"/(?=/)|(?<=www)(?=\.)|(?=@)|:(?=[\w+-]+:)|(?<!\S)[-<>~](?=(?:->|[->=])(?!\S))",
    re.IGNORECASE,
)


def label(text: object, length: int = 60) -> str:
    """This text for a label, literally and on one line.

    >>> label("![x](http://a.b)"), label("a*b"), label(None)
    ('&#33;&#91;x&#93;&#40;http&#58;&#47;\u2060&#47;a&#46;b&#41;', 'a&#42;b', '–')
    """
    if not isinstance(text, str):
        return "–"
    return literal(shortened(signs.one_line(text), length))


def literal(text: str) -> str:
    """This text as Markdown that shows it literally.

    Line breaks are the caller's responsibility.

    >>> literal("# a_b")
    '&#35; a&#95;b'
    """
    broken = FOUND_BY_STREAMLIT.sub(lambda found: found[0] + WORD_JOINER, text)
    return broken.translate(ENTITIES)


# To be copied whole, without quotes around it or the full stop of a sentence.
ADDRESS = re.compile(
    r"((?:\b[a-z]{2,12}://|\bwww\.)(?:[!#-&(-;=?-_a-~]*[\w/])?)", re.ASCII | re.IGNORECASE
)
LONGEST_ADDRESS = 300  # an image may be included whole in its own address
NEW_LINE = "\\\n"


def one_line(node: SyntaxTreeNode) -> str:
    """The text of a heading or a cell, on one line."""
    return inline(node).replace(NEW_LINE, " ").strip(" ")


def inline(node: SyntaxTreeNode) -> str:
    """The text of this node in safe Markdown, with its line breaks."""
    return "".join(INLINE.get(child.type, _text)(child) for child in node.children)


def _text(node: SyntaxTreeNode) -> str:
    """Text as it is; addresses in it as code."""
    parts = enumerate(ADDRESS.split(node.content))
    return "".join(
        _code_span(part) if position % 2 else literal_line(part) for position, part in parts
    )


def literal_line(text: str) -> str:
    """This text as Markdown that shows it literally, on one line.

    The parser has decoded entities: invisible characters are searched for again.
    """
    return literal(visible(text).translate(dict.fromkeys(SPACES, " ")))


def _new_line(_: SyntaxTreeNode) -> str:
    return NEW_LINE


def _emphasis(node: SyntaxTreeNode) -> str:
    """Emphasis that would be read as the beginning of a list or of code is left out."""
    words = inline(node)
    if words != words.strip() or words.startswith("~"):
        return words
    return f"{node.markup}{words}{node.markup}"


def _link(node: SyntaxTreeNode) -> str:
    """The text of a link, and its target. Never joined with the text before it."""
    if node.info == "auto":
        return _code_span(node.children[0].content)
    return f"{WORD_JOINER}{inline(node)} {_target_of(node, 'href')}"


def _image(node: SyntaxTreeNode) -> str:
    return f"Image {inline(node)} {_target_of(node, 'src')}"


def _target_of(node: SyntaxTreeNode, attribute: str) -> str:
    address = _code_span(shortened(str(node.attrs[attribute]), LONGEST_ADDRESS))
    title = literal_line(str(node.attrs.get("title", "")))
    return f"&#40;{address}{title and ' '}{title}&#41;"


def _code_of(node: SyntaxTreeNode) -> str:
    return _code_span(node.content)


def _code_span(code: str) -> str:
    """As code, set apart: adjacent spans would be read as one without an end."""
    if not code:
        return ""
    fence = "`" * (longest_run(code) + 1)
    needs_room = code.strip(" ") and (code[0] in "` " or code[-1] in "` ")
    room = " " if needs_room else ""
    return f"{WORD_JOINER}{fence}{room}{iconless(code)}{room}{fence}{WORD_JOINER}"


def iconless(code: str) -> str:
    """The same code without what Streamlit takes for an icon even there."""
    return code.replace(":material/", f":{WORD_JOINER}material/")


def longest_run(text: str) -> int:
    """How many consecutive backticks does this text have, at most? A longer run encloses it."""
    return max(map(len, re.findall("`+", text)), default=0)


INLINE: dict[str, Callable[[SyntaxTreeNode], str]] = {
    "softbreak": _new_line,
    "hardbreak": _new_line,
    "code_inline": _code_of,
    "em": _emphasis,
    "strong": _emphasis,
    "s": _emphasis,
    "link": _link,
    "image": _image,
}

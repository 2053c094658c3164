"""Markdown that somebody wrote, written anew so that a browser can only show it.

The text is parsed, and of what the parser found only headings, lists, tables, quotes, emphasis
and code are written out again. All else becomes literal text: HTML, formulas, footnotes,
Streamlit's own signs. Links and images become their words and, as code, their address, so that
nothing is fetched and nothing leads away.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from tracelib.formatting import shortened
from tracelib.page.safe import SPACES, WORD_JOINER, literal, visible

LONGEST = 60_000
# What a browser still lays out in a moment: levels of quotes, lists (two each) and emphasis; and
# all that is opened, closed or said, of which a long answer has some hundreds.
DEEPEST = 14
MOST_PARTS = 4_000
LONGEST_COLOURED = 5_000  # of one block of code
# Definitions of links would vanish from the text: whoever reads it shall see them.
# The parser leaves out what is nested deeper than its own limit, which must not be met first.
PARSER = (
    MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST + 4})
    .enable(["table", "strikethrough"])
    .disable("reference")
)
# Of others, `math` and `mermaid` would be drawn.
LANGUAGES = {
    *("bash", "c", "cpp", "csharp", "css", "diff", "go", "html", "java", "javascript", "json"),
    *("jsx", "kotlin", "php", "python", "ruby", "rust", "sh", "sql", "swift", "toml", "tsx"),
    *("typescript", "xml", "yaml"),
}
# To be copied whole; neither quotes around it nor the full stop of a sentence are part of it.
ADDRESS = re.compile(
    r"((?:\b[a-z]{2,12}://|\bwww\.)(?:[!#-&(-;=?-_a-~]*[\w/])?)", re.ASCII | re.IGNORECASE
)
LONGEST_ADDRESS = 300  # an image may be written out whole as its own address
EDGES = {"text-align:left": ":--", "text-align:center": ":-:", "text-align:right": "--:"}
LISTS = ("bullet_list", "ordered_list")
NEW_LINE = "\\\n"
FIRST_LETTER = re.compile(r"^((?:&#\d+;|[^\w&]|_)*[^\W_])")


def defused(markdown: str) -> str:
    """How is this text written so that st.markdown lays it out and does nothing else?

    Line breaks stay. What is longer than 60,000 signs, or nested more deeply or of more parts
    than a browser can take, stays as it was written: one block of code under a sentence that
    says so. To be shown with `anchors=False`, else each heading gets a link.

    >>> print(defused("# Hi\\n\\n![x](http://a.b/c) *really*"))
    #### H\u2060i
    <BLANKLINE>
    Image x &#40;\u2060`http://a.b/c`\u2060&#41; *really*
    """
    text = visible(markdown)
    if len(text) > LONGEST:
        return _as_written(text, f"Longer than {LONGEST:,} characters")
    tokens = PARSER.parse(text)
    if _depth(tokens) > DEEPEST or _parts(tokens) > MOST_PARTS:
        return _as_written(text, "Laid out too richly")
    return "\n".join(_blocks(SyntaxTreeNode(tokens)))


def _as_written(text: str, why: str) -> str:
    return "\n".join([f"*{why}: shown as it was written.*", "", *_fenced(text, "")])


def _depth(tokens: list[Token]) -> int:
    return max((token.level + _depth(token.children or []) for token in tokens), default=0)


def _parts(tokens: list[Token]) -> int:
    return sum(1 + _parts(token.children or []) for token in tokens)


def _blocks(parent: SyntaxTreeNode) -> list[str]:
    """The lines of what stands in a document, a quote or an item of a list."""
    lines: list[str] = []
    before: SyntaxTreeNode | None = None
    for node in parent.children:
        if before and not _follows_closely(before, node):
            lines.append("")
        lines += BLOCKS[node.type](node)
        before = node
    return lines


def _follows_closely(before: SyntaxTreeNode, node: SyntaxTreeNode) -> bool:
    """Whether this is a list that goes on right under its line, as most do.

    Only one that counts from 1 may: another would be read as part of the line.
    """
    return before.hidden and node.type in LISTS and node.attrs.get("start", 1) == 1


def _paragraph(node: SyntaxTreeNode) -> list[str]:
    return [line.strip(" ") for line in _inline(node.children[0]).split("\n")]


def _heading(node: SyntaxTreeNode) -> list[str]:
    """Below the page's own headings, and never with an id that the page or a chart looks for.

    Streamlit makes the id of the words; a sign without width after the first letter parts them.
    """
    words = FIRST_LETTER.sub(rf"\1{WORD_JOINER}", _one_line(node.children[0]), count=1)
    return [f"{'#' * min(int(node.tag[1:]) + 3, 6)} {words}"]


def _quote(node: SyntaxTreeNode) -> list[str]:
    return [f"> {line}" if line else ">" for line in _blocks(node)]


def _list(node: SyntaxTreeNode) -> list[str]:
    lines: list[str] = []
    for marker, item in _items(node):
        first, *rest = _blocks(item) or [WORD_JOINER]
        if lines and not _is_tight(item):
            lines.append("")
        lines.append(marker + first)
        lines += [" " * len(marker) + line if line else "" for line in rest]
    return lines


def _items(node: SyntaxTreeNode) -> Iterator[tuple[str, SyntaxTreeNode]]:
    """The items with their markers: those that were written, which tell lists apart."""
    is_ordered = node.type == "ordered_list"
    for number, item in enumerate(node.children, start=int(node.attrs.get("start", 1))):
        yield f"{number if is_ordered else ''}{item.markup} ", item


def _is_tight(item: SyntaxTreeNode) -> bool:
    return all(child.hidden for child in item.children if child.type == "paragraph")


def _code(node: SyntaxTreeNode) -> list[str]:
    language = node.info.strip().lower()
    is_coloured = language in LANGUAGES and len(node.content) <= LONGEST_COLOURED
    return _fenced(node.content.removesuffix("\n"), language if is_coloured else "")


def _fenced(text: str, language: str) -> list[str]:
    fence = "`" * max(3, _longest_run(text) + 1)
    # Streamlit takes this for an icon wherever it stands.
    return [fence + language, *_iconless(text).split("\n"), fence]


def _iconless(code: str) -> str:
    return code.replace(":material/", f":{WORD_JOINER}material/")


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _rule(_: SyntaxTreeNode) -> list[str]:
    return ["___"]


def _table(node: SyntaxTreeNode) -> list[str]:
    head, *rows = [row for part in node.children for row in part.children]
    edges = [EDGES.get(str(cell.attrs.get("style")), "---") for cell in head.children]
    return [
        _row(map(_cell, head.children)),
        _row(edges),
        *(_row(map(_cell, r.children)) for r in rows),
    ]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(node: SyntaxTreeNode) -> str:
    """A bar in code would end the cell, and leave the code open: then as it was written."""
    (inline,) = node.children
    words = _one_line(inline)
    return _words(inline.content) if "|" in words else words


def _one_line(node: SyntaxTreeNode) -> str:
    return _inline(node).replace(NEW_LINE, " ").strip(" ")


def _inline(node: SyntaxTreeNode) -> str:
    return "".join(INLINE.get(child.type, _text)(child) for child in node.children)


def _text(node: SyntaxTreeNode) -> str:
    """Words as they are; addresses in them as code."""
    parts = enumerate(ADDRESS.split(node.content))
    return "".join(_code_span(part) if position % 2 else _words(part) for position, part in parts)


def _words(text: str) -> str:
    """Literally, on one line; the parser has put signs in the place of entities."""
    return literal(visible(text).translate(dict.fromkeys(SPACES, " ")))


def _new_line(_: SyntaxTreeNode) -> str:
    return NEW_LINE


def _emphasis(node: SyntaxTreeNode) -> str:
    """Emphasis that would be read as the beginning of a list or of code is left out."""
    words = _inline(node)
    if words != words.strip() or words.startswith("~"):
        return words
    return f"{node.markup}{words}{node.markup}"


def _link(node: SyntaxTreeNode) -> str:
    """The words, and where they would have led. They never join what stands before them."""
    if node.info == "auto":
        return _code_span(node.children[0].content)
    return f"{WORD_JOINER}{_inline(node)} {_led_to(node, 'href')}"


def _image(node: SyntaxTreeNode) -> str:
    return f"Image {_inline(node)} {_led_to(node, 'src')}"


def _led_to(node: SyntaxTreeNode, attribute: str) -> str:
    address = _code_span(shortened(str(node.attrs[attribute]), LONGEST_ADDRESS))
    title = _words(str(node.attrs.get("title", "")))
    return f"&#40;{address}{title and ' '}{title}&#41;"


def _code_of(node: SyntaxTreeNode) -> str:
    return _code_span(node.content)


def _code_span(code: str) -> str:
    """As code, set apart: spans that touch would be read as one that never ends."""
    if not code:
        return ""
    fence = "`" * (_longest_run(code) + 1)
    needs_room = code.strip(" ") and (code[0] in "` " or code[-1] in "` ")
    room = " " if needs_room else ""
    return f"{WORD_JOINER}{fence}{room}{_iconless(code)}{room}{fence}{WORD_JOINER}"


BLOCKS: dict[str, Callable[[SyntaxTreeNode], list[str]]] = {
    "paragraph": _paragraph,
    "heading": _heading,
    "blockquote": _quote,
    "bullet_list": _list,
    "ordered_list": _list,
    "fence": _code,
    "code_block": _code,
    "hr": _rule,
    "table": _table,
}
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

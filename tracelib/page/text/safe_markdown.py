"""Untrusted Markdown, rewritten so that a browser can only show it.

The text is parsed, and of what the parser found only headings, lists, tables, quotes, emphasis and
code are written out again. All else becomes literal text: HTML, formulas, footnotes, Streamlit's
own markup. Links and images become their text and, as code, their address, so that nothing is
loaded and nothing can be followed.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from tracelib.page.text.markdown_escape import (
    WORD_JOINER,
    iconless,
    inline,
    literal_line,
    longest_run,
    one_line,
)
from tracelib.signs import visible

LONGEST = 60_000
# What a browser can lay out in a moment: levels of quotes, lists (two each) and emphasis; and the
# number of elements, of which a long response has some hundreds.
DEEPEST = 14
MOST_PARTS = 4_000
LONGEST_COLOURED = 5_000  # of one block of code
# Of others, `math` and `mermaid` would be drawn.
LANGUAGES = {
    *("bash", "c", "cpp", "csharp", "css", "diff", "go", "html", "java", "javascript", "json"),
    *("jsx", "kotlin", "php", "python", "ruby", "rust", "sh", "sql", "swift", "toml", "tsx"),
    *("typescript", "xml", "yaml"),
}
EDGES = {"text-align:left": ":--", "text-align:center": ":-:", "text-align:right": "--:"}
LISTS = ("bullet_list", "ordered_list")
FIRST_LETTER = re.compile(r"^((?:&#\d+;|[^\w&]|_)*[^\W_])")


def _parser() -> MarkdownIt:
    """A parser that reads no HTML and no link definitions, which would vanish from the text.

    It leaves out what is nested deeper than its own limit, so ours must be lower.
    """
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST + 4})
    parser.enable(["table", "strikethrough"]).disable("reference")
    # It sorts its rules at the first text; after that, threads must not share it.
    parser.parse("a")
    return parser


PARSER = _parser()


def safe_markdown(markdown: str) -> str:
    """This text as Markdown that st.markdown formats without any effects.

    Line breaks stay. A text of more than 60,000 characters, or with more levels or parts than a
    browser can take, stays as it was: one block of code under a sentence with the reason. To be
    shown with `anchors=False`, else each heading gets a link.

    >>> print(safe_markdown("# Hi\\n\\n![x](http://a.b/c) *really*"))
    #### H\u2060i
    <BLANKLINE>
    Image x &#40;\u2060`http://a.b/c`\u2060&#41; *really*
    """
    text = visible(markdown)
    if len(text) > LONGEST:
        return _as_written(text, f"Longer than {LONGEST:,} characters")
    tokens = PARSER.parse(text)
    if _depth(tokens) > DEEPEST or _parts(tokens) > MOST_PARTS:
        return _as_written(text, "Too complex to format")
    return "\n".join(_blocks(SyntaxTreeNode(tokens)))


def _as_written(text: str, why: str) -> str:
    return "\n".join([f"*{why}: shown as plain text.*", "", *_fenced(text, "")])


def _depth(tokens: list[Token]) -> int:
    return max((token.level + _depth(token.children or []) for token in tokens), default=0)


def _parts(tokens: list[Token]) -> int:
    return sum(1 + _parts(token.children or []) for token in tokens)


def _blocks(parent: SyntaxTreeNode) -> list[str]:
    """The lines of the contents of a document, a quote or an item of a list."""
    lines: list[str] = []
    before: SyntaxTreeNode | None = None
    for node in parent.children:
        if before and not _follows_closely(before, node):
            lines.append("")
        lines += BLOCKS[node.type](node)
        before = node
    return lines


def _follows_closely(before: SyntaxTreeNode, node: SyntaxTreeNode) -> bool:
    """Whether this is a list that follows directly under its line, as most do.

    Only one that counts from 1 may: another would be read as part of the line.
    """
    return before.hidden and node.type in LISTS and node.attrs.get("start", 1) == 1


def _paragraph(node: SyntaxTreeNode) -> list[str]:
    return [line.strip(" ") for line in inline(node.children[0]).split("\n")]


def _heading(node: SyntaxTreeNode) -> list[str]:
    """Below the page's own headings, and never with an ID that the page or a chart uses.

    Streamlit derives the ID from the text; a zero-width character after the first letter changes
    it.
    """
    words = FIRST_LETTER.sub(rf"\1{WORD_JOINER}", one_line(node.children[0]), count=1)
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
    """The items with their original markers, which distinguish lists."""
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
    fence = "`" * max(3, longest_run(text) + 1)
    return [fence + language, *iconless(text).split("\n"), fence]


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
    """A cell; with a bar in its code, which would end the cell, as it was written."""
    (line,) = node.children
    words = one_line(line)
    return literal_line(line.content) if "|" in words else words


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

"""The formatted view: what Markdown may still be after it was defused.

The same parser reads the result, with HTML allowed; the marks that Streamlit looks for in plain
words are those of its own bundle. What a real browser makes of it is in test_hostile_browser.
"""

import re
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tracelib.page.text.markdown_escape import WORD_JOINER
from tracelib.page.text.safe_markdown import LONGEST, MOST_PARTS, safe_markdown
from tracelib.signs import HIDDEN, SPACES

READER = MarkdownIt("commonmark", {"html": True, "maxNesting": 100}).enable(
    ["table", "strikethrough"]
)
ALLOWED = {
    *("paragraph", "heading", "blockquote", "bullet_list", "ordered_list", "list_item"),
    *("table", "thead", "tbody", "tr", "th", "td", "em", "strong", "s"),
    *("inline", "text", "fence", "code_inline", "hr", "hardbreak", "softbreak"),
}
# What remark-gfm, remark-emoji and Streamlit find in words, whatever they were written as.
FOUND_IN_WORDS = re.compile(
    r"https?://|www\.|[-.\w+]@[-\w]|:[\w+-]+:|(?:^|\s)(?:<->|->|<-|--|>=|<=|~=)(?:\s|$)",
    re.IGNORECASE | re.ASCII,
)
PIECES = [
    *("![", "](", "]", "[", "http://canary.invalid/a", "<img src='http://canary.invalid'>"),
    *("<script>", "</p>", "<!--", "<a@b.c>", "<http://canary.invalid>", "www.canary.invalid"),
    *("a@b.c", ":red[", ":smile:", ":material/home:", ":material_home:", ":streamlit:", "$x$"),
    *("$$", "`", "``", "```", "~~~", "~~", "*", "**", "_", "***", "# ", "- ", "1. ", "7) ", "+ "),
    *("> ", "|", "|-|-|", "---", "===", "\n", "\n\n", "    ", "\t", " ", "\\", "\\|", "&#60;"),
    *("&lt;", "&#10;", "&#x202e;", "\u202e", "[^1]", "[^1]: ", "[a]: http://canary.invalid"),
    *(
        "(",
        ")",
        '"',
        "'",
        "a",
        "b",
        "word",
        "é\u0301\u0301\u0301\u0301\u0301",
        "\x00",
        "//",
        "http:",
    ),
    *("```mermaid\n", "```math\n", "```python\n", "{{", "-->", "->", ">=", "\u2028"),
]
markdown = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40).map("".join)


def parts(tokens: list[Token]) -> list[Token]:
    return [part for token in tokens for part in (token, *parts(token.children or []))]


def read(text: str) -> list[Token]:
    return parts(READER.parse(safe_markdown(text)))


def shown(text: str) -> str:
    """The words and code that a reader sees, in order."""
    kinds = ("text", "code_inline", "fence")
    return " ".join(part.content for part in read(text) if part.type in kinds)


@settings(max_examples=250, deadline=None)
@given(markdown)
@example("http:[//canary.invalid](x)")
@example("www[.canary.invalid](x)")
@example("``a`b```c``d`` `x` ![i](http://canary.invalid)")
@example("|a|\n|-|\n|`![i](http://canary.invalid)\\|`|")
@example("a ~~~~x~~~~ ![i](http://canary.invalid)")
@example("- - -\n- ***\n")
def test_nothing_is_left_that_could_act(text):
    for part in read(text):
        kind = part.type.removesuffix("_open").removesuffix("_close")
        assert kind in ALLOWED, part
        if part.type == "text":
            assert not FOUND_IN_WORDS.search(part.content), part
        if part.type == "fence":
            assert part.info in ("", "python")
        if part.type != "inline":
            assert not {ord(sign) for sign in part.content} & (HIDDEN - SPACES)


@settings(max_examples=100, deadline=None)
@given(markdown)
def test_words_are_written_without_any_sign_that_means_something(text):
    for part in read(text):
        if part.type == "inline":
            assert set(words_of(part)) & set(string.punctuation) <= set("&#;*_~\\")


def words_of(inline: Token) -> str:
    """How all of it is written that is not code."""
    written = inline.content
    for child in inline.children:
        if child.type == "code_inline":
            room = " " if f"{child.markup} {child.content} {child.markup}" in written else ""
            code = f"{child.markup}{room}{child.content}{room}{child.markup}"
            assert code in written
            written = written.replace(code, "", 1)
    return written


@settings(max_examples=30, deadline=None)
@given(markdown)
def test_no_icon_is_made_of_what_stands_in_code(text):
    assert ":material/" not in safe_markdown(text + "`:material/home:`")


plain_words = st.lists(
    st.text(string.ascii_lowercase, min_size=1, max_size=8), min_size=1, max_size=12
)
between = st.sampled_from(
    [" ", "\n", "\n\n", " *", "* ", "** ", "\n- ", "\n> ", "\n# ", " | ", " `"]
)


@settings(max_examples=100, deadline=None)
@given(plain_words, st.data())
def test_words_stay_in_their_order(said, data):
    text = said[0] + "".join(data.draw(between) + word for word in said[1:])
    assert re.findall(r"[a-z]+", shown(text).replace(WORD_JOINER, "")) == said


@settings(max_examples=50, deadline=None)
@given(plain_words, st.data())
def test_defused_twice_says_the_same(said, data):
    text = said[0] + "".join(data.draw(between) + word for word in said[1:])
    once = shown(text).replace(WORD_JOINER, "")
    assert shown(safe_markdown(text)).replace(WORD_JOINER, "") == once


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", ""),
        ("a\nb  \nc\n\nd", "a\\\nb\\\nc\n\nd"),
        ("# Big\n###### Small", "#### B|ig\n\n###### S|mall"),
        ("Title\n=====", "#### T|itle"),
        ("# `root`", "#### |`r|oot`|"),
        ("**a** _b_ ~~c~~", "**a** _b_ ~~c~~"),
        ("- a\n- b\n  - c\n\n7. d\n8. e", "- a\n- b\n  - c\n\n7. d\n8. e"),
        ("- a\n  2. b", "- a\\\n  2&#46; b"),
        ("- a\n\n- b", "- a\n\n- b"),
        ("-\n- b", "- |\n- b"),
        ("> a\n> > b", "> a\n>\n> > b"),
        ("***", "___"),
        ("~~~python\nx = 1\n\n~~~", "```python\nx = 1\n\n```"),
        ("    ```\n    x", "````\n```\nx\n````"),
        ("```mermaid\ngraph\n```", "```\ngraph\n```"),
        ("| a | b |\n|:-|-:|\n| *x* | `y` |", "| a | b |\n| :-- | --: |\n| *x* | |`y`| |"),
        ("|a|\n|-|\n|`x\\|y`|", "| a |\n| --- |\n| &#96;x&#124;y&#96; |"),
        ("[x](http://a.b)", "|x &#40;|`http://a.b`|&#41;"),
        ('[x](u "t*")', "|x &#40;|`u`| t&#42;&#41;"),
        ("![x](http://a.b)", "Image x &#40;|`http://a.b`|&#41;"),
        ("<http://a.b>", "|`http://a.b`|"),
        ("see http://a.b/c_d.", "see |`http://a.b/c_d`|&#46;"),
        ("<a href='http://a.b'>", "&#60;a href&#61;&#39;|`http://a.b`|&#39;&#62;"),
        ("[x]: http://a.b", "&#91;x&#93;&#58; |`http://a.b`|"),
        ("<b>x</b>", "&#60;b&#62;x&#60;&#47;b&#62;"),
        ("<script>\n# x", "&#60;script&#62;\n\n#### x|"),
        ("$x$ :red[y]", "&#36;x&#36; &#58;red&#91;y&#93;"),
        (":smile: a -> b", "&#58;|smile&#58; a &#45;|&#62; b"),
        ("a@b.c", "a|&#64;b&#46;c"),
        ("a\x00\u202eb", "a⟨U&#43;0000⟩⟨U&#43;202E⟩b"),
        ("&#x202e;b", "⟨U&#43;202E⟩b"),
        ("e" + "\u0301" * 99, "e" + "\u0301" * 4),
    ],
)
def test_what_is_written(text, written):
    assert safe_markdown(text).replace(WORD_JOINER, "|") == written


def test_too_long_a_text_stays_as_it_was_written():
    text = "# a\n" + "b" * LONGEST
    first = "*Longer than 60,000 characters: shown as plain text.*"
    assert safe_markdown(text) == f"{first}\n\n```\n{text}\n```"


@pytest.mark.parametrize(
    "text", [">" * 30 + " a", "- " * 30 + "a", "*a **b " * 20 + "c** d*" * 20, "# a\n" * MOST_PARTS]
)
def test_too_rich_a_text_stays_as_it_was_written(text):
    first = "*Too complex to format: shown as plain text.*"
    assert safe_markdown(text) == f"{first}\n\n```\n{text}\n```"


def test_long_code_is_not_coloured():
    assert safe_markdown("```python\n" + "x\n" * 9_000 + "```").startswith("```\nx\n")


def test_an_image_written_out_as_its_own_address_is_cut():
    assert len(safe_markdown(f"![x](data:image/png;base64,{'A' * 9_000})")) < 400

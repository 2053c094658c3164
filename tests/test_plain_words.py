"""What users and programmers read is plain English: the glossary's terms, and none of these."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tracelib.api.openapi import document

ROOT = Path(__file__).parent.parent
CODE = (
    *sorted((ROOT / "tracelib").rglob("*.py")),
    *sorted((ROOT / "pages").glob("*.py")),
    ROOT / "Home.py",
    ROOT / "asgi.py",
)
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
# Files that an operator edits: their comments are read.
EDITED = (
    ROOT / "Dockerfile",
    *sorted((ROOT / "deploy").iterdir()),
    ROOT / ".streamlit" / "config.toml",
    ROOT / ".streamlit" / "secrets.toml.example",
)
# Names in the program, quotations, and examples with their results.
NO_EXPLANATION = re.compile(r"`[^`]*`|\"[^\"\n]*\"|^ *>>>.*?(?=^ *$|\Z)", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"^\s*(?:#|--)(.*)$", re.MULTILINE)
TEMPLATES = tuple(sorted((ROOT / "tracelib").rglob("*.html")))
# A word or phrase that is not used -> what is written instead.
INSTEAD = {
    r"what (?:was|is) said": "messages",
    r"(?:re)?told|untold": "shown, listed, reported",
    r"sought": "searched for",
    r"asked|asks|asking": "requested, sent, queried",
    r"answer(?:s|ed|ing)?": "response, result; respond, return",
    r"noted": "recorded",
    r"stands?|stood": "is, means, appears",
    r"lies|lay": "is",
    r"beside": "next to",
    r"goes? on|went on|going on|gone on": "continues",
    r"hand(?:s|ed|ing)? on": "export",
    r"hung up|hangs? up": "disconnected",
    r"br(?:o|ea)k(?:e|s|en)? off": "was interrupted",
    r"leaves the house": "before sharing",
    r"anew": "again",
    r"of before": "previous, earlier",
    r"but for": "except",
    r"(?:of|last|at most) so many": "the number of",
    r"makes? no sense": "is not valid",
    r"dearest": "highest cost",
    r"paid for": "billed",
    r"whoever|who(?:m|se)ever": "anyone who, people who",
    r"whenever|wherever": "at any time, if",
    r"nobody|somebody|anybody": "no one, people, a person",
    r"(?-i:ids?)": "ID, IDs",
}
# The same for docstrings and comments: only what is never right in them.
INSTEAD_IN_CODE = {
    r"what (?:was|is) said": "messages",
    r"(?:re)?told|untold": "shown, listed, reported",
    r"sought": "searched for",
    r"(?:goes?|going|gone|went) on (?:from|in)": "continues",
    r"hand(?:s|ed|ing)? on": "export, return, pass",
    r"vouch(?:es|ed)?(?: for)?": "identifies, verifies",
    r"hung up|hangs? up": "disconnected",
    r"br(?:o|ea)k(?:e|s|en)? off": "was interrupted",
    r"anew": "again",
    r"of before": "previous, earlier",
    r"of late": "recent",
    r"beside": "next to, in addition to",
    r"but for": "except",
    r"worked out": "computed",
    r"(?:an? )?(?:row|line|bar|column) an? \w+": "a row per",
    r"(?:of|for|at most|at least) so (?:many|much|long)": "this many, the number of",
    r"makes? (?:no )?sense": "is valid",
    r"dearest": "highest cost",
    r"paid for": "billed",
    r"whoever|who(?:m|se)ever": "the viewer, the caller, people who",
    r"nobody|somebody|anybody|everybody": "no one, a person, everyone",
}

# The same for names of functions, classes, arguments, variables, fields and modules.
INSTEAD_IN_NAMES = {
    r"said|told|untold|heard": "text, message, shown",
    r"ask|asks|asked|asking": "query, request, submit",
    r"answers?|answered|answering|unanswered": "result, response; respond",
    r"sought": "matches, target",
    r"noted|noting": "recorded",
    r"beside": "next to, second, suffix",
    r"goes on|going on|go on": "continues, is running",
    r"hand(?:s|ed)? on": "export",
    r"stands?|standing|stood": "is, matches, shown",
    r"vouch(?:es|ed)?": "identify",
    r"anew|dearest|shelf|doors?|flights?": "a word of the field",
    r"whoever|nobody|somebody|anybody": "the viewer, no one",
}
# The same where the words of a page and of the store have one meaning each.
INSTEAD_ON_PAGES = INSTEAD_IN_NAMES | {
    r"given": "arguments, results, parameters",
    r"kept": "stored, others",
    r"places?|ground|arriving|following": "position, captions, navigation",
    r"away": "unavailable",
    r"questions?": "query",
}
# Names that others see, or that are of another file's format.
NAMES_AS_THEY_ARE = {
    "said": "a parameter of the URL, whose fields have its name",
    "asked_model": "a column of CSV files and of the relation of requests",
    "answered": "a figure: requests whose response time is known",
    "answered_in": "a field of the JSON export",
}
ON_PAGES = (
    *sorted((ROOT / "tracelib" / "page").rglob("*.py")),
    *sorted((ROOT / "tracelib" / "querying").rglob("*.py")),
    *sorted((ROOT / "pages").glob("*.py")),
    ROOT / "Home.py",
)


def pattern_of(phrases: Iterable[str]) -> re.Pattern[str]:
    """A pattern of these phrases as whole words, in any case."""
    return re.compile(rf"(?<![\w-])(?:{'|'.join(phrases)})(?![\w-])", re.IGNORECASE)


STRAIGHT = re.compile(r"(?<=[A-Za-z])'(?=(?:s|t|re|ll|ve)\b)|(?<=s)'(?= [a-z])")
# Style sheets, tags, and what is filled into templates and formats.
NO_PROSE = re.compile(
    r"<style.*?</style>|[^{}]*\{\s*[\w-]+:[^}]*;?\s*\}|\{[{%].*?[%}]\}|\{[^{} ]*\}|<[^>]*>",
    re.DOTALL,
)
NO_PROSE_IN_MARKDOWN = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|<!--.*?-->", re.DOTALL)


def prose(source: str) -> Iterator[str]:
    """The strings of a module that are text: of several words, and not names in the program.

    Docstrings are for programmers. The keys of widgets and of the session state, and the values
    of a `Literal` of any module, are names. What is filled in is an ellipsis.
    """
    tree = ast.parse(source)
    names = _state_keys(tree) | _literals(tree) | literals_of_all()
    for node in _outermost_strings(tree):
        text = NO_PROSE.sub(" ", _text(node))
        if " " in text.strip() and text not in names:
            yield text


@cache
def literals_of_all() -> frozenset[str]:
    """The values of every `Literal` of the app."""
    return frozenset(one for path in CODE for one in _literals(ast.parse(path.read_text())))


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values)


def _outermost_strings(node: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Expr(value=ast.Constant()) | ast.keyword(arg="key"):
                continue
            case ast.Constant(value=str()):
                yield child
            case ast.JoinedStr():
                yield child
                for filled_in in child.values:
                    if isinstance(filled_in, ast.FormattedValue):
                        yield from _outermost_strings(filled_in)
            case _:
                yield from _outermost_strings(child)


def _literals(tree: ast.Module) -> set[str]:
    return {
        value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") == "Literal"
        for value in _strings(node.slice)
    }


def _state_keys(tree: ast.Module) -> set[str]:
    """The keys of widgets and of the session state, written out or by way of a constant."""
    places: list[ast.expr] = []
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="key", value=key):
                places.append(key)
            case ast.Subscript(value=ast.Attribute(attr="session_state"), slice=key):
                places.append(key)
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="session_state"))):
                places += node.args
    constants = {one.id for key in places for one in ast.walk(key) if isinstance(one, ast.Name)}
    for node in tree.body:
        if isinstance(node, ast.Assign) and constants & {one.id for one in _targets(node)}:
            places.append(node.value)
    return {value for place in places for value in _strings(place)}


def _strings(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def _targets(node: ast.Assign) -> Iterator[ast.Name]:
    for target in node.targets:
        yield from (one for one in ast.walk(target) if isinstance(one, ast.Name))


def explanations(source: str) -> Iterator[str]:
    """The docstrings and comments of a module, without the names and examples in them."""
    for node in ast.walk(ast.parse(source)):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                yield NO_EXPLANATION.sub(" ", str(child.value.value))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield NO_EXPLANATION.sub(" ", token.string)


def names(source: str) -> Iterator[str]:
    """The names that a module gives: to what it defines, imports, takes and assigns."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.arg():
                yield node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr
            case ast.alias(asname=str()):
                yield node.asname
            case (
                ast.ExceptHandler(name=str()) | ast.MatchAs(name=str()) | ast.MatchStar(name=str())
            ):
                yield node.name


def words_of(name: str) -> str:
    """The words of a name, in small letters.

    >>> words_of("_was_HTTPAnswer2"), words_of("st.key")
    ('was http answer 2', 'st key')
    """
    return " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)).lower()


def old_names(found: Iterable[str], instead: Mapping[str, str]) -> list[str]:
    """Those of these names that have an old word, each with the remedy."""
    return [
        f"{name}: write {_remedy(old[0], instead)}"
        for name in found
        if name not in NAMES_AS_THEY_ARE
        for old in pattern_of(instead).finditer(words_of(name))
    ]


def old_words(text: str, instead: Mapping[str, str] = INSTEAD) -> list[str]:
    """The phrases of this text that are not used, each with what is around it and the remedy."""
    return [
        f"“{text[max(0, old.start() - 30) : old.end() + 30]}”: write {_remedy(old[0], instead)}"
        for old in pattern_of(instead).finditer(text)
    ]


def _remedy(phrase: str, instead: Mapping[str, str]) -> str:
    return next(plain for old, plain in instead.items() if re.fullmatch(old, phrase, re.IGNORECASE))


def described(part: object) -> Iterator[str]:
    """The summaries and descriptions of an OpenAPI document."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in ("summary", "description") and isinstance(value, str):
                yield NO_PROSE_IN_MARKDOWN.sub(" ", value)
            else:
                yield from described(value)
    elif isinstance(part, list):
        for value in part:
            yield from described(value)


# The sample's conversations are written by made up people and models.
@pytest.mark.parametrize(
    "path",
    [path for path in CODE if "demo" not in path.parts],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_app_speaks_plain_english(path):
    texts = [NO_PROSE_IN_MARKDOWN.sub(" ", text) for text in prose(path.read_text())]
    assert [old for text in texts for old in old_words(text)] == []
    assert [text for text in texts if STRAIGHT.search(text)] == []


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_and_comments_are_in_plain_english(path):
    texts = [" ".join(text.split()) for text in explanations(path.read_text())]
    assert [old for text in texts for old in old_words(text, INSTEAD_IN_CODE)] == []


# The sample's clients ask and are answered.
@pytest.mark.parametrize(
    "path",
    [path for path in CODE if "demo" not in path.parts],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_names_are_plain_english(path):
    instead = INSTEAD_ON_PAGES if path in ON_PAGES else INSTEAD_IN_NAMES
    module = path.relative_to(ROOT).with_suffix("").parts
    assert old_names([*module, *names(path.read_text())], instead) == []


def test_each_exception_is_a_name_of_the_code():
    found = {name for path in CODE for name in names(path.read_text())}
    assert NAMES_AS_THEY_ARE.keys() - found == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_is_in_plain_english(path):
    assert old_words(NO_PROSE_IN_MARKDOWN.sub(" ", path.read_text())) == []


@pytest.mark.parametrize("path", EDITED, ids=lambda path: path.name)
def test_a_comment_in_a_file_to_edit_is_in_plain_english(path):
    assert old_words("\n".join(COMMENT.findall(path.read_text()))) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_an_exported_file_is_in_plain_english(path):
    assert old_words(NO_PROSE.sub(" ", path.read_text())) == []


def test_the_api_is_described_in_plain_english():
    texts = list(described(document()))
    assert len(texts) > 50
    assert [old for text in texts for old in old_words(text)] == []


MODULE = '''
"""Whoever reads this docstring is a programmer."""
from typing import Literal
import streamlit as st
OPENED = "opened beside this one"
Kind = Literal["begins anew"]
def show(beside, where):
    """Nobody asked."""
    kind = "begins anew"
    st.button("Hand on", key="what was told")
    st.session_state[OPENED] = st.session_state.get("said and told", kind)
    st.caption(f"{where} stands in request {beside}")
    st.badge(f"Found {'and handed on' if where else ''}")
    st.html("<style>/* What lies beside it. */ .beside { color: red }</style>")
    st.text("A standard answering machine" " that nobody sought")
'''


def test_only_what_is_read_counts():
    assert list(prose(MODULE)) == [
        "Hand on",
        "… stands in request …",
        "Found …",
        "and handed on",
        "A standard answering machine that nobody sought",
    ]


def test_a_phrase_is_found_with_what_to_write():
    response = INSTEAD["answer(?:s|ed|ing)?"]
    found = [old for text in prose(MODULE) for old in old_words(text)]
    assert found == [
        "“Hand on”: write export",
        "“… stands in request …”: write is, means, appears",
        "“and handed on”: write export",
        f"“A standard answering machine that nobody sought”: write {response}",
        "“andard answering machine that nobody sought”: write no one, people, a person",
        "“answering machine that nobody sought”: write searched for",
    ]


@pytest.mark.parametrize(
    "text", ["An identity", "Valid IDs", "a standard", "without `ids`", "lays"]
)
def test_plain_words_are_no_old_ones(text):
    assert old_words(NO_PROSE_IN_MARKDOWN.sub(" ", text)) == []


def test_phrases_of_several_forms_are_found():
    examples = ["What was said", "told", "goes on", "handed on", "broke off", "ids", "Whoever"]
    assert [len(old_words(f"It is {text} here.")) for text in examples] == [1] * len(examples)


@pytest.mark.parametrize("text", ["LiteLLM's cache", "don't", "the keys' names"])
def test_a_straight_apostrophe_is_found(text):
    assert STRAIGHT.search(text)
    assert not STRAIGHT.search(text.replace("'", "’"))


EXPLAINED = '''
"""Whoever reads this, `nobody` else, and "what was told" to them."""
WHERE = "beside"  # dearest first
def show():
    """Hands on the rows.

    >>> sought("anew")
    'told'

    A row a key, sorted anew.
    """
'''


def test_an_old_word_is_found_in_docstrings_and_comments_but_not_in_names_or_examples():
    found = [old for text in explanations(EXPLAINED) for old in old_words(text, INSTEAD_IN_CODE)]
    assert [old.rpartition(": write ")[2] for old in found] == [
        "the viewer, the caller, people who",
        "export, return, pass",
        "a row per",
        "again",
        "highest cost",
    ]


NAMED = '''
"""What was told."""
import tracelib.answers
from tracelib.asking import told as heard
class Answer(Told):
    kept: int = 0
    def is_going_on(self, asked_at, *, asked_model=None):
        self.place, standard = asked_at, [said for said in answers]
        try:
            with shelf as (doors, key):
                return ask(question)
        except Told as sought:
            match key:
                case {"asked": noted}:
                    pass
'''


def test_an_old_word_is_found_in_names_that_a_module_gives():
    found = [old.partition(":")[0] for old in old_names(names(NAMED), INSTEAD_IN_NAMES)]
    assert sorted(found) == [
        "Answer",
        "asked_at",
        "doors",
        "heard",
        "is_going_on",
        "noted",
        "sought",
    ]
    on_pages = [old.partition(":")[0] for old in old_names(names(NAMED), INSTEAD_ON_PAGES)]
    assert sorted(set(on_pages) - set(found)) == ["kept", "place"]


@pytest.mark.parametrize("name", ["standard", "task", "mask_keys", "Placeholder", "displaced"])
def test_a_name_of_plain_words_is_none(name):
    assert old_names([name], INSTEAD_ON_PAGES) == []

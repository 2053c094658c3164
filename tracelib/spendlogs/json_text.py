"""JSON columns that hold a text in which the JSON is, as a side-car writes them.

LiteLLM itself stores objects and arrays. A process that writes the log in its place may hand
over JSON that is text already: the column then holds one JSON string, and no JSON operator
reaches into it. This is the one place that reads such texts in the database.

PostgreSQL only: every engine has its own way to try a cast.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, cast, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, JSONPATH
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Text

# The parser calls itself for each open bracket, and fails where the server's stack ends.
MOST_BRACKETS = 6_000
# The first version of PostgreSQL that can tell whether a text may be cast.
CHECKS_TEXT = (16,)
# Before it, texts of more levels count as malformed: each level is another pass over the text.
DEEPEST = 24

_STRING = r'"(?:[^"\\\u0001-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
_SCALAR = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?|true|false|null"
_A_STRING, _A_SCALAR = '"', "0"
# An object or array in which each string is one quote, and every other value one 0.
_FLAT = r'\{(?:":[0"](?:,":[0"])*)?\}|\[(?:[0"](?:,[0"])*)?\]'
# JSON that jsonb refuses. Pairs of surrogates, which it takes, are refused here too.
_REFUSED = r"\\u(?:0000|[dD][89a-fA-F])"


class _JsonOfText(FunctionElement[Any]):
    """The JSON that a text holds; NULL where it holds none."""

    type = JSONB()
    inherit_cache = True


def decoded(document: ColumnElement[Any], *kinds: str) -> ColumnElement[Any]:
    """Which value does a JSON column hold, itself or as a text? Of these kinds only.

    `kinds` are JSON's own names, as object and array. NULL for any other value and for a
    malformed text, never an error. A column that holds such a value itself is decompressed
    once, so that ordinary rows pay nothing for the others.
    """
    is_wanted = " || ".join(f'@.type() == "{kind}"' for kind in kinds)
    path = cast(f"strict $ ? ({is_wanted})", JSONPATH)
    found = (
        func.jsonb_path_query_first(one, path, type_=JSONB()) for one in (document, _held(document))
    )
    return func.coalesce(*found, type_=JSONB())


def decoded_body(body: ColumnElement[Any]) -> ColumnElement[Any]:
    """What does a body hold? The object or array in its text, else just what is stored."""
    return func.coalesce(decoded(body, "object", "array"), body, type_=JSONB())


def _held(document: ColumnElement[Any]) -> ColumnElement[Any]:
    """The JSON within the text of a document that is one text."""
    text = document.op("#>>", return_type=Text())(cast([], ARRAY(Text())))
    is_text = func.jsonb_typeof(document) == "string"
    brackets = func.length(text) - func.length(func.replace(func.replace(text, "[", ""), "{", ""))
    return case((and_(is_text, brackets <= MOST_BRACKETS), _JsonOfText(text)))


@compiles(_JsonOfText)
def _written(element: _JsonOfText, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    version = getattr(compiler.dialect, "server_version_info", None) or ()
    is_json = _is_valid(text) if version >= CHECKS_TEXT else _is_well_formed(text)
    return f"CASE WHEN {is_json} THEN CAST({text} AS JSONB) END"


def _is_valid(text: str) -> str:
    return f"pg_input_is_valid({text}, 'jsonb')"


def _is_well_formed(text: str) -> str:
    """Values are replaced from the inside out, until one is left of a text that is JSON."""
    left = _replaced(_replaced(text, _STRING, _A_STRING), _SCALAR, _A_SCALAR)
    left = f"translate({left}, E' \\t\\n\\r', '')"
    for _ in range(DEEPEST):
        left = _replaced(left, _FLAT, _A_SCALAR)
    return f"{text} !~ $_${_REFUSED}$_$ AND {left} IN ('{_A_STRING}', '{_A_SCALAR}')"


def _replaced(text: str, pattern: str, by: str) -> str:
    return f"regexp_replace({text}, $_${pattern}$_$, '{by}', 'g')"

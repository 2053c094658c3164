"""The contents of a request's JSON columns, also if they hold JSON as a text.

Conditions on rows that are read one by one, never for an aggregate: each extracts a whole document.
For message text they only narrow down which documents may contain it: documents have many shapes,
and much in them is never shown, so their reader decides.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Subquery,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    or_,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, JSONPATH
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Boolean, Text

from tracelib.schema import Schema

# The parser is recursive in open brackets, and fails at the server's stack limit.
MOST_BRACKETS = 6_000
# The first version of PostgreSQL that can check whether a text may be cast.
CHECKS_TEXT = (16,)
# Before it, deeper texts count as malformed: each level is another pass over the text.
DEEPEST = 24

_STRING = r'"(?:[^"\\\u0001-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
_SCALAR = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?|true|false|null"
# What no JSON contains as it is, neither in a string nor outside, and what is a value by itself.
_A_STRING, _A_SCALAR = r"E'\x01'", "'0'"
# An object or array in which each string is one such character, and every other value one 0.
_FLAT = r"\{(?:\x01:[0\x01](?:,\x01:[0\x01])*)?\}|\[(?:[0\x01](?:,[0\x01])*)?\]"
# JSON that jsonb refuses, and that character. Surrogate pairs, which it accepts, are refused too.
_REFUSED = r"\\u(?:0000|[dD][89a-fA-F])|\x01"


class _JsonOfText(FunctionElement[Any]):
    """The JSON that a text holds; NULL if it holds none."""

    type = JSONB()
    inherit_cache = True


def decoded(document: ColumnElement[Any], *kinds: str) -> ColumnElement[Any]:
    """The value of a JSON column, itself or parsed from a text, if it is of these kinds.

    `kinds` are JSON's own names, such as object and array. NULL for any other value and for
    malformed text, never an error. A column that holds such a value itself is decompressed only
    once, so ordinary rows do not pay for the others.
    """
    is_wanted = " || ".join(f'@.type() == "{kind}"' for kind in kinds)
    path = cast(f"strict $ ? ({is_wanted})", JSONPATH)
    found = (
        func.jsonb_path_query_first(one, path, type_=JSONB()) for one in (document, _held(document))
    )
    return func.coalesce(*found, type_=JSONB())


def decoded_body(body: ColumnElement[Any]) -> ColumnElement[Any]:
    """What does a body hold? The object or array in its text, else the stored value."""
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
    """Is this text well-formed JSON? Values are replaced from the inside out, until one is left."""
    left = _replaced(_replaced(text, _STRING, _A_STRING), _SCALAR, _A_SCALAR)
    left = f"translate({left}, E' \\t\\n\\r', '')"
    for _ in range(DEEPEST):
        left = _replaced(left, _FLAT, _A_SCALAR)
    return f"{text} !~ $_${_REFUSED}$_$ AND {left} IN ({_A_STRING}, {_A_SCALAR})"


def _replaced(text: str, pattern: str, by: str) -> str:
    return f"regexp_replace({text}, $_${pattern}$_$, {by}, 'g')"


CALLED_ITEMS = '@.type like_regex "_call$"'
NAMED_ITEM = f"({CALLED_ITEMS} && exists(@.name))"
UNNAMED_ITEM = f"({CALLED_ITEMS} && !exists(@.name))"
OUTPUTS = ("@.output[*]", "@.outputs[*]", "@.steps[*]", "@.results[*].response.output[*]")
# Where a response names a tool that it calls: chat, Responses, Messages, realtime, Gemini, Bedrock.
CALLED = (
    "@.choices[*].message.tool_calls[*].*.name",
    "@.choices[*].message.function_call.name",
    *(f"{output} ? {NAMED_ITEM}.name" for output in OUTPUTS),
    *(f"{output} ? {UNNAMED_ITEM}.type" for output in OUTPUTS),
    '@.content[*] ? (@.type like_regex "tool_use$").name',
    "@.candidates[*].content.parts[*].functionCall.name",
    "@.output.message.content[*].toolUse.name",
)
# Text in the JSON of any response that calls a tool, also if that is JSON in a text.
MAY_CALL = (
    r'tool_calls\\*": ?(?:\[[^\]]|\{)|(?:[cC]all|toolUse|xecutable_?[cC]ode)\\*": ?\{'
    r'|: ?\\*"(?:[a-z_]*_call|[a-z_]*tool_use|program)\\*"'
)
# Text in the JSON of a stream that was stored as it arrived: its words are split.
IN_PIECES = (
    r'data: ?\{|delta\\*":|contentBlockDelta|\\"candidates\\"|, \{"candidates": |\\"artifact'
    r'|"done\\*":|"text_completion"'
)
# An escaped letter in JSON within a text: two backslashes, doubled for LIKE.
NUMBERED_LETTERS = r"%\\\\u%"
FELL_BACK = (
    "$ ? (@.attempted_fallbacks > 0 || "
    '@.original_model_group like_regex "." && @.original_model_group != $model)'
)
CLIENT_NOTES = "spend_logs_metadata"


def may_show(
    requests: Subquery, words: Sequence[str], private: Collection[str]
) -> ColumnElement[bool]:
    """Which requests may show a text that contains these words, whatever their case?

    A document that shows it contains each of them somewhere, but much of it is never shown, so the
    reader of the document decides. Of a request's body the `private` fields are left out. Without
    words every request may show it, and so may a stream that was stored in pieces.
    """
    if not words:
        return _is_stored(requests)
    body, response = requests.c.request_body, cast(requests.c.response_body, Text())
    return or_(  # plain, so that each of these can use a trigram index
        and_(_has_all(cast(body, Text()), words), _has_all(_without(body, private), words)),
        _has_all(response, words),
        response.regexp_match(IN_PIECES),
        _has_all(cast(requests.c.messages_body, Text()), words),
    )


def _is_stored(requests: Subquery) -> ColumnElement[bool]:
    columns = (requests.c[name] for name in ("request_body", "response_body", "messages_body"))
    return or_(*(column.is_not(None) for column in columns))


def _has_all(text: ColumnElement[str], words: Sequence[str]) -> ColumnElement[bool]:
    return and_(True, *(_has_word(text, word) for word in words))


def _has_word(text: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """Does this text contain this word, whatever its case?

    JSON in a text may escape letters other than English ones, and a database may not know their
    upper case.
    """
    found = text.icontains(word, autoescape=True)
    if word.isascii():
        return found
    others = (text.contains(one, autoescape=True) for one in (word.upper(), word.capitalize()))
    return or_(found, *others, text.like(NUMBERED_LETTERS))


def _without(body: ColumnElement[Any], private: Collection[str]) -> ColumnElement[str]:
    """The text of this document without some fields, if it is an object."""
    left = body.op("-", return_type=JSONB())(cast(sorted(private), ARRAY(Text())))
    is_object = func.jsonb_typeof(body) == "object"
    return cast(case((is_object, left), else_=body), Text())


def are_indexed(schema: Schema) -> bool:
    """Can a trigram index find any text in these documents?"""
    columns = ("proxy_server_request", "response", "messages")
    return all(name in schema.searchable or not schema.has(name) for name in columns)


def called_by_mcp(requests: Subquery, tool: str) -> ColumnElement[bool]:
    """Which requests called this tool over MCP?

    By its own name or with its server's; without a name, any tool.
    """
    if not tool:
        called = or_(requests.c.tool.is_not(None), requests.c.call_type == "call_mcp_tool")
    else:
        called = or_(
            requests.c.tool == tool,
            requests.c.tool.endswith(f"/{tool}", autoescape=True),
            requests.c.deployment == f"MCP: {tool}",
        )
    return func.coalesce(called, False, type_=Boolean())


def may_call(requests: Subquery, words: Sequence[str]) -> ColumnElement[bool]:
    """Which requests may have a response that calls a tool with these words in its name?

    The reader of the response decides; without words, any tool.
    """
    response = cast(requests.c.response_body, Text())
    called = and_(response.regexp_match(MAY_CALL), _has_all(response, words))
    return func.coalesce(called, False, type_=Boolean())


def called_tools(response: ColumnElement[Any]) -> FromClause:
    """Which tools did the model call in this response?

    A row per call, its name in a column `tool`.
    """
    body = decoded_body(response)
    no_values = func.jsonb_build_object(type_=JSONB())
    named: ColumnElement[Any] = func.jsonb_build_array(type_=JSONB())
    for place in CALLED:
        path = cast(place.replace("@", "$", 1), JSONPATH)
        found = func.jsonb_path_query_array(body, path, no_values, True, type_=JSONB())
        named = named.concat(found)
    return (
        func.jsonb_array_elements_text(named)
        .table_valued(column("tool", Text()), name="called")
        .render_derived()
        .lateral()
    )


def failed_with(requests: Subquery, error_class: str) -> ColumnElement[bool]:
    """Which requests failed with an error of this class, whatever its case?"""
    error = _facts(requests).op("->", return_type=JSONB())("error_information")
    named = func.lower(error.op("->>", return_type=Text())("error_class"))
    is_named = named == func.lower(literal(error_class, Text()))
    # Only the metadata of failures is extracted.
    return case((requests.c.is_failure, func.coalesce(is_named, False)), else_=False)


def has_metadata(requests: Subquery, key: str, value: str) -> ColumnElement[bool]:
    """Which requests have this in their metadata? Without a value: anything under the key.

    The key is one of LiteLLM's or of the client's, and the value is whole; a number or a truth
    value is written as in JSON.
    """
    facts = _facts(requests)
    own = facts.op("->>", return_type=Text())(key)
    sent = facts.op("->", return_type=JSONB())(CLIENT_NOTES)
    values = [func.nullif(one, "") for one in (own, sent.op("->>", return_type=Text())(key))]
    is_present = [one == value if value else one.is_not(None) for one in values]
    return func.coalesce(or_(*is_present), False, type_=Boolean())


def fell_back(requests: Subquery) -> ColumnElement[bool]:
    """Which requests tried another model group than the requested one?"""
    return _has(_facts(requests), FELL_BACK, model=requests.c.model)


def _facts(requests: Subquery) -> ColumnElement[Any]:
    return decoded(requests.c.metadata, "object")


def _has(
    document: ColumnElement[object], path: str, **values: ColumnElement[str]
) -> ColumnElement[bool]:
    """Does the document have a value at this JSON path? False if it has another shape."""
    named = func.jsonb_build_object(
        *(part for name, value in values.items() for part in (literal(name, Text()), value)),
        type_=JSONB(),
    )
    found = func.jsonb_path_exists(document, cast(path, JSONPATH), named, True, type_=Boolean())
    return func.coalesce(found, False, type_=Boolean())

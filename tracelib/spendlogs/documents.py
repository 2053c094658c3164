"""What the JSON documents of a request say: what was said, called, refused and noted.

Conditions on rows that are read one by one, never for an aggregate: each takes a whole document
out. A document is first searched as one text, which is quick and finds too much, and only then
in the places that count: of a request's body most is headers, keys and addresses.
"""

import json
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
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.types import Boolean, Text

from tracelib.schema import Schema
from tracelib.spendlogs.json_text import decoded, decoded_body

ASKED = (
    *("messages", "input", "prompt", "system", "instructions", "contents"),
    *("systemInstruction", "system_instruction", "query", "documents"),
)
ANSWERED = (
    *("choices", "output", "candidates", "content", "data", "results", "text"),
    *("response", "completion", "structured_content", "structuredContent"),
)
# What stands beside the words in a message: kinds, ids, addresses and bytes.
BESIDE = (
    *("role", "type", "object", "model", "status", "finish_reason", "name", "id", "call_id"),
    *("tool_call_id", "tool_use_id", "item_id", "event_id", "previous_item_id", "response_id"),
    *("url", "image_url", "file_id", "file_data", "data", "b64_json", "media_type", "mime_type"),
    *("mimeType", "format", "detail", "signature", "thoughtSignature", "encrypted_content"),
)
# What a tool was given is an object of any keys.
GIVEN = ("input", "args", "arguments")


def _one_of(keys: tuple[str, ...]) -> str:
    return " || ".join(f'@.key == "{key}"' for key in keys)


# Document -> the places in it that hold what was said.
SAID = {
    "request_body": (f"$.keyvalue() ? ({_one_of(ASKED)}).value", "$.arguments.**"),
    "response_body": (f"$.keyvalue() ? ({_one_of(ANSWERED)}).value", '$ ? (@.type() == "string")'),
    "messages_body": ("$",),
}
CALLED_ITEMS = ("function_call", "custom_tool_call", "mcp_call")
ITEM = "({})".format(" || ".join(f'@.type == "{kind}"' for kind in CALLED_ITEMS))
# Where an answer names a tool that it calls: chat, Responses, Messages, realtime, Gemini.
CALLED = (
    "@.choices[*].message.tool_calls[*].*.name",
    "@.choices[*].message.function_call.name",
    f"@.output[*] ? {ITEM}.name",
    '@.content[*] ? (@.type == "tool_use").name',
    f"@.results[*].response.output[*] ? {ITEM}.name",
    "@.candidates[*].content.parts[*].functionCall.name",
)
FELL_BACK = (
    "$ ? (@.attempted_fallbacks > 0 || "
    '@.original_model_group like_regex "." && @.original_model_group != $model)'
)
CLIENT_NOTES = "spend_logs_metadata"


def says(requests: Subquery, text: str) -> ColumnElement[bool]:
    """Which requests have this text in their prompt or answer, whatever its case?

    Arguments and results of tools count; names of tools, roles and ids do not. What LiteLLM
    cut out of a long text cannot be found. The stored column is searched as one text first, for
    which it may have an index.
    """
    spelled = _spellings(text)
    return or_(*(_says(requests.c[name], places, spelled) for name, places in SAID.items()))


def are_indexed(schema: Schema) -> bool:
    """Does an index of trigrams lead to what these documents say, each as one text?"""
    columns = ("proxy_server_request", "response", "messages")
    return all(name in schema.searchable or not schema.has(name) for name in columns)


def calls(requests: Subquery, tool: str) -> ColumnElement[bool]:
    """Which requests called the tool of this name, through the model or as an MCP tool?

    An MCP tool goes by its own name, too, without that of its server.
    """
    is_called = " || ".join(f"{place} == $tool" for place in CALLED)
    answer = decoded_body(requests.c.response_body)
    named = _has(answer, f"$ ? ({is_called})", tool=literal(tool))
    mcp = or_(
        requests.c.tool == tool,
        requests.c.tool.endswith(f"/{tool}", autoescape=True),
        requests.c.deployment == f"MCP: {tool}",
    )
    return func.coalesce(or_(mcp, named), False, type_=Boolean())


def calls_any_tool(requests: Subquery) -> ColumnElement[bool]:
    """Which requests called a tool, whichever it was?"""
    is_called = " || ".join(f"exists({place})" for place in CALLED)
    named = _has(decoded_body(requests.c.response_body), f"$ ? ({is_called})")
    mcp = or_(requests.c.tool.is_not(None), requests.c.call_type == "call_mcp_tool")
    return func.coalesce(or_(mcp, named), False, type_=Boolean())


def called_tools(response: ColumnElement[Any]) -> FromClause:
    """Which tools did the model call in this answer? A row a call, its name in a column `tool`."""
    answer = decoded_body(response)
    no_values = func.jsonb_build_object(type_=JSONB())
    named: ColumnElement[Any] = func.jsonb_build_array(type_=JSONB())
    for place in CALLED:
        path = cast(place.replace("@", "$", 1), JSONPATH)
        found = func.jsonb_path_query_array(answer, path, no_values, True, type_=JSONB())
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
    # Only the metadata of failures is taken out.
    return case((requests.c.is_failure, func.coalesce(is_named, False)), else_=False)


def notes(requests: Subquery, key: str, value: str) -> ColumnElement[bool]:
    """Which requests carry this in their metadata? Without a value: anything under the key.

    The key is one of LiteLLM's own or of the client's, and the value whole; a number or a
    truth value goes by how JSON writes it.
    """
    facts = _facts(requests)
    own = facts.op("->>", return_type=Text())(key)
    sent = facts.op("->", return_type=JSONB())(CLIENT_NOTES)
    noted = [func.nullif(one, "") for one in (own, sent.op("->>", return_type=Text())(key))]
    is_noted = [one == value if value else one.is_not(None) for one in noted]
    return func.coalesce(or_(*is_noted), False, type_=Boolean())


def fell_back(requests: Subquery) -> ColumnElement[bool]:
    """Which requests tried another model group than the one asked for?"""
    return _has(_facts(requests), FELL_BACK, model=requests.c.model)


def _facts(requests: Subquery) -> ColumnElement[Any]:
    return decoded(requests.c.metadata, "object")


def _says(
    document: ColumnElement[object], places: tuple[str, ...], spelled: list[str]
) -> ColumnElement[bool]:
    whole = cast(document, Text)
    is_somewhere = or_(*(whole.icontains(one, autoescape=True) for one in _as_stored(spelled)))
    is_it = " || ".join(f'@ like_regex "{_quoted(one)}" flag "iq"' for one in spelled)
    texts = [text for place in places for text in _texts(place)]
    body = decoded_body(document)
    is_said = or_(*(_has(body, f"{text} ? ({is_it})") for text in texts))
    return and_(is_somewhere, is_said)


def _as_stored(spelled: list[str]) -> list[str]:
    """How do these texts stand in a document, and in one that is stored as a text?

    >>> print(*_as_stored(["plain", 'a "b"']), sep=", ")
    plain, a \\"b\\", a \\\\\\"b\\\\\\"
    """
    quoted = [_quoted(one) for one in spelled]
    return list(dict.fromkeys([*quoted, *(_quoted(one) for one in quoted)]))


def _texts(place: str) -> tuple[str, ...]:
    """Where are the texts of a place: it itself, what its objects hold, what tools were given,
    documents sent as text?
    """
    held = f'{place}.** ? (@.type() == "object").keyvalue()'
    given = f'{held} ? ({_one_of(GIVEN)}).value ? (@.type() == "object").**'
    document = f'{place}.** ? (@.type == "text").data'
    return place, f"{held} ? (!({_one_of(BESIDE)})).value", given, document


def _spellings(text: str) -> list[str]:
    """A text as it stands, and as it stands in JSON within a text, as arguments of tools do."""
    escaped = [_quoted(text), _quoted(text, is_ascii=True)]
    return list(dict.fromkeys([text, *escaped]))


def _quoted(text: str, is_ascii: bool = False) -> str:
    """
    >>> _quoted('say "é"'), _quoted("é", is_ascii=True)
    ('say \\\\"é\\\\"', '\\\\u00e9')
    """
    return json.dumps(text, ensure_ascii=is_ascii)[1:-1]


def _has(
    document: ColumnElement[object], path: str, **values: ColumnElement[str]
) -> ColumnElement[bool]:
    """Does the document have something at this JSON path? False where it has another shape."""
    named = func.jsonb_build_object(
        *(part for name, value in values.items() for part in (literal(name, Text()), value)),
        type_=JSONB(),
    )
    found = func.jsonb_path_exists(document, cast(path, JSONPATH), named, True, type_=Boolean())
    return func.coalesce(found, False, type_=Boolean())

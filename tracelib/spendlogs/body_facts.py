"""Facts of bodies: hashes by which requests are compared, tools, and why a response ended.

A hash has 32 bits. It shows whether two requests of one installation are alike, and nothing of what
they contain. Bodies are read in one pass, and none that is larger than `MOST_BYTES`.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Subquery,
    TableValuedAlias,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, JSONPATH, aggregate_order_by
from sqlalchemy.types import Boolean, Integer, Text, TypeEngine

from tracelib.spendlogs.conditions import is_filled
from tracelib.spendlogs.documents import decoded
from tracelib.spendlogs.facts import NO_VALUES
from tracelib.spendlogs.measures import alphabetical
from tracelib.spendlogs.types import BETWEEN

# `messages` and `history`, those before the last response, are without system prompts.
FACTS: Mapping[str, TypeEngine[Any]] = {
    "request_hash": Integer(),
    "messages_hash": Integer(),
    "history_hash": Integer(),
    "opening_hash": Integer(),
    "system_hash": Integer(),
    "system_shape": Integer(),
    "tools_hash": Integer(),
    "call_hash": Integer(),
    "fixed_share": Integer(),
    "wants_cache": Boolean(),
    "finish_reason": Text(),
    "tools_offered": Text(),
    "tools_called": Text(),
}
# Compressed, as it is stored.
MOST_BYTES = 1_000_000
LONGEST_NAMES = 8_000
LONGEST_SYSTEM = 20_000
LONGEST_REASON = 32
PER_MILLE = 1_000
# Between the name of a tool and its size.
SIZED = "\x1e"
# Clients move this mark to their newest message with each request.
CACHE_CONTROL = '"cache_control"'
REDACTED = "redacted-by-litellm"
CUT_OFF = "length"
# What providers call a response that was cut off at the maximum of tokens.
CUT_OFFS = ("length", "max_tokens", "max_output_tokens", "MAX_TOKENS")
SYSTEM_ROLES = ("system", "developer")
REPLIES = ("function_call", "reasoning", "custom_tool_call")
# Times, counters and random IDs; the names of days and months.
CHANGING = (
    "[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]+|mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun"
    "|jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?"
    "|sep(tember)?|oct(ober)?|nov(ember)?|dec(ember)?"
)
# Of a request, what a response depends on, in addition to messages and tools.
COMPARED = (
    *("model", "input", "prompt", "tool_choice", "temperature", "top_p", "max_tokens"),
    *("max_completion_tokens", "max_output_tokens", "response_format", "seed", "stop", "n"),
    *("previous_response_id", "dimensions", "thinking", "reasoning", "reasoning_effort"),
)
CHAT_CALLS = "$[*].message.tool_calls[*].function"
CONTENT_CALLS = '$[*] ? (@.type == "tool_use")'
OUTPUT_CALLS = '$[*] ? (@.type == "function_call")'


def no_facts() -> list[ColumnElement[Any]]:
    """The columns of `FACTS`, all unknown."""
    return [null().cast(kind).label(name) for name, kind in FACTS.items()]


def body_facts(rows: FromClause) -> tuple[list[FromClause], list[ColumnElement[Any]]]:
    """What do the bodies of these rows show? The columns of `FACTS`, and what to join for them.

    Each is to be joined in its order, to the left, on true. `rows` has request_body and
    response_body. NULL for a request without a body, or with one that is too large.
    """
    body = _record(
        rows.c.request_body,
        "body",
        *("messages", "system", "instructions", "tools", *COMPARED),
    )
    sent, offered = _sent(body), _offered(body)
    reply = _record(
        rows.c.response_body,
        "reply",
        *("choices", "content", "output", "stop_reason", "incomplete_details"),
    )
    known = {**_of_request(body, sent, offered), **_of_response(reply)}
    return [body, sent, offered, reply], [
        cast(known[name], kind).label(name) for name, kind in FACTS.items()
    ]


def _record(document: ColumnElement[Any], name: str, *fields: str) -> TableValuedAlias:
    size: ColumnElement[int] = func.pg_column_size(document, type_=Integer())
    read = case((and_(is_filled(document), size <= MOST_BYTES), document))
    columns = [column(one, JSONB()) for one in fields]
    record = func.jsonb_to_record(decoded(read, "object")).table_valued(*columns, name=name)
    return record.render_derived(with_types=True)


def _listed(*documents: ColumnElement[Any]) -> ColumnElement[Any]:
    """The first of these that is an array."""
    return case(*((func.jsonb_typeof(one) == "array", one) for one in documents))


def _text(document: ColumnElement[Any], key: str) -> ColumnElement[str]:
    return document.op("->>", return_type=Text())(key)


def _hash(text: ColumnElement[Any]) -> ColumnElement[int]:
    return func.hashtext(text, type_=Integer())


def _unmarked(text: ColumnElement[str]) -> ColumnElement[str]:
    """The text of a document without marks for the cache."""
    has_mark = func.strpos(text, CACHE_CONTROL) > 0
    without = func.regexp_replace(text, r', "cache_control": \{[^}]*\}', "", "g", type_=Text())
    return case((has_mark, without), else_=text)


def _sent(body: TableValuedAlias) -> FromClause:
    """The messages of a request in one row."""
    one = (
        func.jsonb_array_elements(_listed(body.c.messages, body.c.input))
        .table_valued(column("message", JSONB()), with_ordinality="n", name="one")
        .render_derived()
    )
    role, text = _text(one.c.message, "role"), cast(one.c.message, Text)
    is_reply = or_(role == "assistant", _text(one.c.message, "type").in_(REPLIES))
    each = select(
        one.c.n,
        func.coalesce(role.in_(SYSTEM_ROLES), False).label("is_system"),
        func.coalesce(is_reply, False).label("is_reply"),
        (func.strpos(text, CACHE_CONTROL) > 0).label("is_marked"),
        _unmarked(text).label("text"),
    ).offset(0)
    return _summed(_placed(each.subquery("each")))


def _placed(each: Subquery) -> Subquery:
    """Each message with the places of the opening and of the last response in the list."""
    after_reply = func.lag(each.c.is_reply, 1, False).over(order_by=each.c.n)
    begins = select(
        *each.c,
        _hash(each.c.text).label("hash"),
        and_(each.c.is_reply, ~after_reply).label("begins"),
    ).subquery("begins")
    is_opening = and_(~begins.c.is_system, ~begins.c.is_reply)
    return select(
        *begins.c,
        func.min(begins.c.n).filter(is_opening).over().label("opening"),
        func.max(begins.c.n).filter(begins.c.begins).over().label("last_reply"),
    ).subquery("placed")


def _summed(placed: Subquery) -> FromClause:
    own = ~placed.c.is_system
    size: ColumnElement[int] = func.octet_length(placed.c.text, type_=Integer())
    return select(
        _hash(_joined(placed)).label("all_hash"),
        _hash(_joined(placed, own)).label("messages_hash"),
        _hash(_joined(placed, and_(own, placed.c.n < placed.c.last_reply))).label("history_hash"),
        func.max(placed.c.hash).filter(placed.c.n == placed.c.opening).label("opening_hash"),
        func.string_agg(placed.c.text, aggregate_order_by(literal(""), placed.c.n))
        .filter(placed.c.is_system)
        .label("system"),
        func.sum(size).label("bytes"),
        func.sum(size).filter(placed.c.is_system).label("system_bytes"),
        func.bool_or(placed.c.is_marked).label("is_marked"),
        func.bool_or(func.strpos(placed.c.text, REDACTED) > 0).label("is_redacted"),
    ).lateral("sent")


def _joined(placed: Subquery, *chosen: ColumnElement[bool]) -> ColumnElement[str]:
    hashes = func.string_agg(
        cast(placed.c.hash, Text), aggregate_order_by(literal(","), placed.c.n), type_=Text()
    )
    return hashes.filter(*chosen) if chosen else hashes


def _offered(body: TableValuedAlias) -> FromClause:
    """The tools that a request offers, each its name and its size in bytes, in one row."""
    one = (
        func.jsonb_array_elements(_listed(body.c.tools))
        .table_valued(column("tool", JSONB()), name="one_tool")
        .render_derived()
    )
    function = one.c.tool.op("->", return_type=JSONB())("function")
    name = func.coalesce(_text(function, "name"), _text(one.c.tool, "name"), type_=Text())
    size = func.octet_length(cast(one.c.tool, Text), type_=Integer())
    entry = func.concat(name, SIZED, size, type_=Text())
    named = select(entry.label("name")).where(name.is_not(None)).distinct().subquery("named")
    return select(_names(named.c.name).label("names")).lateral("offered")


def _names(name: ColumnElement[str]) -> ColumnElement[str]:
    order = aggregate_order_by(literal(BETWEEN), alphabetical(name))
    return func.left(func.string_agg(name, order), LONGEST_NAMES, type_=Text())


def _of_request(
    body: TableValuedAlias, sent: FromClause, offered: FromClause
) -> dict[str, ColumnElement[Any]]:
    tools = _unmarked(cast(_listed(body.c.tools), Text))
    parts = (cast(body.c[name], Text) for name in ("system", "instructions"))
    raw_system = func.nullif(func.concat(*parts), "", type_=Text())
    system = func.nullif(
        func.concat(_unmarked(raw_system), func.coalesce(sent.c.system, "")), "", type_=Text()
    )
    shape = func.regexp_replace(
        func.lower(func.left(system, LONGEST_SYSTEM)), CHANGING, "#", "g", type_=Text()
    )
    tools_bytes = func.coalesce(func.octet_length(tools), 0, type_=Integer())
    own_bytes = func.coalesce(func.octet_length(raw_system), 0, type_=Integer())
    fixed = tools_bytes + own_bytes + func.coalesce(sent.c.system_bytes, 0)
    whole = tools_bytes + own_bytes + func.coalesce(sent.c.bytes, 0)
    compared = (func.coalesce(cast(body.c[name], Text), "") for name in COMPARED)
    request = func.concat_ws(
        "|", *compared, func.coalesce(sent.c.all_hash, 0), system, tools, type_=Text()
    )
    is_sent = or_(*(one.is_not(None) for one in (sent.c.all_hash, body.c.input, body.c.prompt)))
    is_read = and_(is_sent, func.coalesce(sent.c.is_redacted, False).is_(False))
    marks = (
        func.coalesce(sent.c.is_marked, False),
        func.strpos(func.coalesce(raw_system, ""), CACHE_CONTROL) > 0,
        func.strpos(func.coalesce(cast(body.c.tools, Text), ""), CACHE_CONTROL) > 0,
    )
    return {
        "request_hash": case((is_read, _hash(request))),
        "messages_hash": case((is_read, sent.c.messages_hash)),
        "history_hash": case((is_read, sent.c.history_hash)),
        "opening_hash": case((is_read, sent.c.opening_hash)),
        "system_hash": case((is_read, _hash(system))),
        "system_shape": case((is_read, _hash(shape))),
        "tools_hash": _hash(tools),
        "fixed_share": case((and_(is_read, whole > 0), fixed * PER_MILLE / whole)),
        "wants_cache": case((is_sent, or_(*marks))),
        "tools_offered": offered.c.names,
    }


def _of_response(reply: TableValuedAlias) -> dict[str, ColumnElement[Any]]:
    first = reply.c.choices.op("->", return_type=JSONB())(literal(0, Integer()))
    reason = func.coalesce(
        _text(first, "finish_reason"),
        reply.c.stop_reason.op("#>>", return_type=Text())(cast([], ARRAY(Text()))),
        _text(reply.c.incomplete_details, "reason"),
        type_=Text(),
    )
    places = (
        (reply.c.choices, CHAT_CALLS, ".name", ""),
        (reply.c.content, CONTENT_CALLS, ".name", ".input"),
        (reply.c.output, OUTPUT_CALLS, ".name", ".arguments"),
    )
    names = [_found(document, path + name) for document, path, name, _ in places]
    arguments = [_found(document, path + more) for document, path, _, more in places]
    called = names[0].concat(names[1]).concat(names[2])
    has_calls = func.jsonb_array_length(called) > 0
    return {
        "finish_reason": case(
            (reason.in_(CUT_OFFS), CUT_OFF), else_=func.left(reason, LONGEST_REASON, type_=Text())
        ),
        "call_hash": case(
            (has_calls, _hash(func.concat(*(cast(one, Text) for one in (*names, *arguments)))))
        ),
        "tools_called": case((has_calls, _called(called))),
    }


def _found(document: ColumnElement[Any], path: str) -> ColumnElement[Any]:
    found = func.jsonb_path_query_array(document, cast(path, JSONPATH), NO_VALUES, True)
    return func.coalesce(found, func.jsonb_build_array(), type_=JSONB())


def _called(names: ColumnElement[Any]) -> ColumnElement[str]:
    one = (
        func.jsonb_array_elements_text(names)
        .table_valued(column("name", Text()), name="called")
        .render_derived()
    )
    named = select(one.c.name).distinct().lateral("named_calls")
    return select(_names(named.c.name)).select_from(named).scalar_subquery()

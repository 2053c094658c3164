"""A search as text, and suggestions for its fields."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    func,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.types import BigInteger, Text

from tracelib.filters import Filters
from tracelib.formatting import shortened
from tracelib.sessions.search import BOUNDS, Bounds, SessionSearch
from tracelib.source import Postgres
from tracelib.spendlogs import documents
from tracelib.spendlogs.facts import with_facts
from tracelib.spendlogs.measures import client_tags

LONGEST = 80
TEXTS = {
    "text": "named “{}”",
    "said": "contains “{}”",
    "tool": "calls the tool “{}”",
    "error_class": "fails with “{}”",
    "tag": "tagged “{}”",
    "end_user": "end user “{}”",
    "agent": "agent “{}”",
    "call_type": "call type “{}”",
}
FLAGS = {
    "many_requests_only": "more than one request",
    "has_tool_calls": "calls a tool",
    "used_fallback": "uses a fallback model",
}


def _plain(number: float) -> str:
    """
    >>> _plain(1_000_000), _plain(0.1), _plain(1e-7), _plain(90.0)
    ('1,000,000', '0.1', '0.0000001', '90')
    """
    text = f"{Decimal(repr(number)):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _dollars(amount: float) -> str:
    """
    >>> _dollars(0.5), _dollars(2), _dollars(-0.00028), _dollars(1_234.0)
    ('$0.50', '$2', '-$0.00028', '$1,234')
    """
    whole, _, fraction = _plain(abs(amount)).partition(".")
    sign = "-" if amount < 0 else ""
    return f"{sign}${whole}.{fraction.ljust(2, '0')}" if fraction else f"{sign}${whole}"


def _percent(share: float) -> str:
    """
    >>> _percent(0.5), _percent(0.007)
    ('50 %', '0.7 %')
    """
    return f"{_plain(float(Decimal(repr(share)) * 100))} %"


def _seconds(seconds: float) -> str:
    return f"{_plain(seconds)} s"


# A figure -> the name and the format of its limits.
LIMITED: dict[str, tuple[str, Callable[[float], str]]] = {
    "cost_usd": ("cost {}", _dollars),
    "requests": ("{} requests", _plain),
    "error_share": ("failures {}", _percent),
    "duration_s": ("duration {}", _seconds),
    "tokens": ("{} tokens", _plain),
    "models": ("{} models", _plain),
}


def in_words(search: SessionSearch) -> tuple[str, ...]:
    """Which conditions must a session meet? A phrase each; empty if every session matches.

    They hold what a person typed, shortened: to be shown as text, never as Markdown.

    >>> in_words(SessionSearch(said="refund", min_cost_usd=0.5, max_cost_usd=2, min_requests=3))
    ('contains “refund”', 'cost from $0.50 to $2', 'at least 3 requests')
    """
    if search.id:
        return (f"session, request or call ID “{shortened(search.id, LONGEST)}”",)
    texts = [(phrase, getattr(search, name)) for name, phrase in TEXTS.items()]
    phrases = [phrase.format(shortened(text, LONGEST)) for phrase, text in texts if text]
    phrases += [_metadata(search)] if search.metadata_key else []
    phrases += [phrase for name, phrase in FLAGS.items() if getattr(search, name)]
    phrases += [search.status] if search.status != "any" else []
    phrases += [phrase for one in BOUNDS if (phrase := _limits(search, one))]
    return tuple(phrases)


def _metadata(search: SessionSearch) -> str:
    key, value = (shortened(one, LONGEST) for one in (search.metadata_key, search.metadata_value))
    return f"metadata {key} = {value}" if value else f"metadata {key}"


def _limits(search: SessionSearch, one: Bounds) -> str | None:
    least, most = (getattr(search, name) for name in one.fields)
    phrase, format_value = LIMITED[one.figure]
    between = _between(least, most, format_value)
    if between is None:
        return None
    text = phrase.format(between)
    is_one = phrase.endswith("s") and (least if most is None else most) == 1
    return text.removesuffix("s") if is_one else text


def _between(
    least: float | None, most: float | None, format_value: Callable[[float], str]
) -> str | None:
    if least is not None and most is not None:
        is_same = least == most
        return (
            format_value(least)
            if is_same
            else f"from {format_value(least)} to {format_value(most)}"
        )
    if least is not None:
        return f"at least {format_value(least)}"
    return f"at most {format_value(most)}" if most is not None else None


NEWEST = 20_000
# Their documents are extracted, at some 50 µs each.
NEWEST_FAILURES = 500
NEWEST_RESPONSES = 200
MOST = 200
IN_COLUMNS = ("call_type", "end_user", "agent", "tool")
FIELDS = ("tool", "error_class", "tag", "end_user", "agent", "call_type")

Suggestions = dict[str, tuple[str, ...]]


def suggestions(source: Postgres, filters: Filters) -> Suggestions:
    """Which tools, error classes, tags, end users, agents and call types are recent?

    By the field of `SessionSearch`, for each of `FIELDS` at most 200, the most frequent first, ties
    by name. From the newest 20,000 requests within the filters; error classes from the newest 500
    failures among these, tools that models called from the newest 200.
    """
    requests = source.requests(filters)
    arms = [*_of_columns(requests), *_of_documents(requests)]
    found = union_all(*arms).subquery("found")
    requests_of = func.sum(found.c.requests)
    ranked = (
        select(
            found.c.field,
            found.c.name,
            func.row_number(type_=BigInteger())
            .over(partition_by=found.c.field, order_by=(requests_of.desc(), found.c.name))
            .label("rank"),
        )
        .group_by(found.c.field, found.c.name)
        .subquery("ranked")
    )
    order = (ranked.c.field, ranked.c.rank)
    rows = source.rows(select(*ranked.c).where(ranked.c.rank <= MOST).order_by(*order))
    return {field: tuple(row.name for row in rows if row.field == field) for field in FIELDS}


def _of_columns(requests: Subquery) -> list[Select[Any]]:
    """The newest requests are read once for everything that has its own column."""
    newest = _newest(requests, NEWEST, *IN_COLUMNS, "request_tags").cte("newest")
    tags = client_tags(newest.c.request_tags)
    return [
        *(_counted(newest, name, newest.c[name]) for name in IN_COLUMNS),
        _counted(newest.join(tags, true()), "tag", tags.c.tag),
    ]


def _of_documents(requests: Subquery) -> list[Select[Any]]:
    newest = _newest(requests, NEWEST, "is_failure", "metadata").subquery("newest_of_all")
    failures = select(newest.c.metadata).where(newest.c.is_failure).limit(NEWEST_FAILURES)
    failed = with_facts(failures.subquery("failures")).subquery("failed")
    responses = _newest(requests, NEWEST_RESPONSES, "response_body").subquery("answers")
    called = documents.called_tools(responses.c.response_body)
    return [
        _counted(failed, "error_class", failed.c.error_class),
        _counted(responses.join(called, true()), "tool", called.c.tool),
    ]


def _newest(requests: Subquery, limit: int, *columns: str) -> Select[Any]:
    kept = (requests.c[name] for name in columns)
    return select(*kept).order_by(requests.c.start_order.desc()).limit(limit)


def _counted(read: CTE | FromClause, field: str, name: ColumnElement[Any]) -> Select[Any]:
    return (
        select(
            literal(field, Text()).label("field"),
            name.label("name"),
            func.count().label("requests"),
        )
        .select_from(read)
        .where(name != "")
        .group_by(name)
    )

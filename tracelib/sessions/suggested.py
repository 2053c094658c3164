"""What there is to search for by its whole name, so that nobody needs to know it by heart."""

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
from tracelib.source import Source
from tracelib.spendlogs import documents
from tracelib.spendlogs.facts import with_facts
from tracelib.spendlogs.tags import client_tags

NEWEST = 20_000
# Their documents are taken out, each of some 50 µs.
NEWEST_FAILURES = 500
NEWEST_ANSWERS = 200
MOST = 200
IN_COLUMNS = ("call_type", "end_user", "agent", "tool")
FIELDS = ("tool", "error_class", "tag", "end_user", "agent", "call_type")

Suggestions = dict[str, tuple[str, ...]]


def suggestions(source: Source, filters: Filters) -> Suggestions:
    """Which tools, error classes, tags, end users, agents and call types were there of late?

    By the field of `SessionSearch`, for each of `FIELDS` at most 200, the most frequent first,
    ties by name. Out of the newest 20,000 requests that the filters choose; error classes out
    of the newest 500 failures among these, tools that models called out of the newest 200.
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
    """The newest requests are read once for all that stands in columns of their own."""
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
    answers = _newest(requests, NEWEST_ANSWERS, "response_body").subquery("answers")
    called = documents.called_tools(answers.c.response_body)
    return [
        _counted(failed, "error_class", failed.c.error_class),
        _counted(answers.join(called, true()), "tool", called.c.tool),
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

"""Defects that documents and IDs show, in the newest requests of a window."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Subquery, and_, case, func, not_, or_, select
from sqlalchemy.types import Boolean

from tracelib.conversation.bodies.known_fields import is_known_field
from tracelib.filters import Filters
from tracelib.quality.findings import Finding, Findings, counted, findings, shown
from tracelib.source import Postgres
from tracelib.spendlogs import stored_as
from tracelib.spendlogs.defects import has_no_first_token
from tracelib.spendlogs.measures import alphabetical
from tracelib.spendlogs.relation import BILLED_APART

NEWEST, NEWEST_DOCUMENTS = 10_000, 1_000
NO_PROMPT, DUPLICATED = "no_prompt", "duplicated_ids"
AS_TEXT, STREAMS, FIELDS = "facts_as_text", "streams_without_first_token", "unknown_fields"
OF_DOCUMENTS = (AS_TEXT, STREAMS)
KEPT = (
    *("request_id", "call_id", "start_order", "response_ms", "ttft_ms", "completion_tokens"),
    "has_prompt",
    *stored_as.DOCUMENTS,
)


def sampled(
    source: Postgres,
    filters: Filters,
    newest: int = NEWEST,
    newest_documents: int = NEWEST_DOCUMENTS,
) -> Findings:
    """How many of the newest requests have a defect in their documents or IDs?

    Findings of `NO_PROMPT` and `DUPLICATED`, of the `newest` requests of the window, then of
    `AS_TEXT`, `STREAMS` and `FIELDS`, of fewer, as documents are read for them. What needs a
    column that may not be read is left out by `unreadable`. No request gives zeros.
    """
    requests = source.requests(filters)
    rows = source.row(_of_ids(_newest(requests, newest)))
    groups = source.rows(_of_documents(_newest(requests, newest_documents)))
    return (*findings(rows, (NO_PROMPT, DUPLICATED)), *_of_groups(groups))


def _newest(requests: Subquery, limit: int) -> Subquery:
    order = (requests.c.start_order.desc(), alphabetical(requests.c.request_id))
    kept = (requests.c[name] for name in KEPT)
    return select(*kept).order_by(*order).limit(limit).subquery("newest")


def _of_ids(newest: Subquery) -> Select[Any]:
    flags = select(
        newest.c.start_order,
        not_(newest.c.has_prompt).label(NO_PROMPT),
        is_repeated(newest).label(DUPLICATED),
    ).subquery("flags")
    count = func.count().label("requests")
    found = select(count, *counted(flags, NO_PROMPT, DUPLICATED)).subquery("found")
    return select(found.c.requests, *shown(found, NO_PROMPT, DUPLICATED))


def is_repeated(newest: Subquery) -> ColumnElement[bool]:
    """Does an earlier one of these have the same ID, or the same call ID and is no bill of it?"""
    request_id, call_id = newest.c.request_id, newest.c.call_id
    is_bill = or_(*(request_id.contains(mark, autoescape=True) for mark in BILLED_APART))
    return or_(
        _number_of(newest, request_id) > 1,
        and_(call_id.is_not(None), ~is_bill, _number_of(newest, call_id, case((is_bill, 1))) > 1),
    )


def _number_of(newest: Subquery, *same: ColumnElement[Any]) -> ColumnElement[int]:
    order = (newest.c.start_order, alphabetical(newest.c.request_id))
    return func.row_number().over(partition_by=same, order_by=order)


def _of_documents(newest: Subquery) -> Select[Any]:
    """The same counts for each set of fields: there are few, and which are known is not in SQL."""
    is_lost = and_(stored_as.is_streamed(newest), has_no_first_token(newest))
    flags = select(
        newest.c.start_order,
        stored_as.fields(newest).label("fields"),
        stored_as.has_text(newest).label(AS_TEXT),
        func.coalesce(is_lost, False, type_=Boolean()).label(STREAMS),
        (newest.c.start_order.is_not(None)).label(FIELDS),
    ).subquery("flags")
    names = (*OF_DOCUMENTS, FIELDS)
    groups = select(flags.c.fields, *counted(flags, *names)).group_by(flags.c.fields)
    found = groups.subquery("found")
    return select(found.c.fields, *shown(found, *names))


def _of_groups(groups: Sequence[Row[Any]]) -> Findings:
    read = sum(group._mapping[f"{FIELDS}_rows"] for group in groups)
    unknown = [one for one in groups if not all(map(is_known_field, one.fields or ()))]
    return (
        *(_summed(name, groups, read) for name in OF_DOCUMENTS),
        _summed(FIELDS, unknown, read),
    )


def _summed(name: str, groups: Sequence[Row[Any]], of: int) -> Finding:
    rows = sum(group._mapping[f"{name}_rows"] for group in groups)
    starts: list[datetime | None] = [group._mapping[f"{name}_since"] for group in groups]
    return Finding(name, rows, of, min((one for one in starts if one), default=None))

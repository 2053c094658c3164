"""Requests that sent the same prompt at about the time when another had failed."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Subquery,
    case,
    cast,
    false,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import Text

from tracelib.conversation.body_fields import body_fields
from tracelib.conversation.started import started_between
from tracelib.conversation.turn_rows import row_id
from tracelib.selection import RowId, Selection
from tracelib.source import Source
from tracelib.spendlogs.conditions import of_key
from tracelib.spendlogs.facts import with_facts
from tracelib.spendlogs.relation import all_requests

MOST_FAILURES = 200
MOST_NEIGHBOURS = 1_000
NEAR = timedelta(seconds=10)
# A failure may last until a timeout; no longer than this is looked for what came after it.
LONGEST_FAILURE = timedelta(minutes=1)
PROMPT = ("messages", "input", "prompt", "contents")
BESIDE_PROMPT = ("system", "instructions", "systemInstruction", "previous_response_id")
EMPTY = ("null", '""', "[]", "{}")
REDACTED = "redacted-by-litellm"
KEPT = (
    *("request_id", "call_id", "session_id", "api_key", "started_at", "ended_at", "latency_ms"),
    *("model", "deployment", "provider", "is_failure", "is_cache_hit"),
)
FACTS = (
    *("error_class", "error_message", "asked_model"),
    *("attempted_retries", "attempted_fallbacks"),
)

Period = tuple[datetime, datetime]


def same_prompt_neighbours(source: Source, selection: Selection) -> pd.DataFrame:
    """Which requests of the key may have tried failed ones of this selection again, anywhere?

    For the first 200 failures: requests that started from 10 s before one until 10 s after its
    end (70 s after its start at most), at most 1,000, and of them those with the same stored
    prompt or the same call id as another that failed, itself among them. A row a request, by
    start, ties by request id:

        request_id, call_id, session_id, api_key, model, deployment, provider   text
        started_at, ended_at                      aware UTC
        latency_ms                                double
        is_failure, is_cache_hit                  bool
        cost_usd                                  US dollars
        error_class, error_message, asked_model   text
        attempted_retries, attempted_fallbacks    int
        prompt_md5                                text, equal for equal prompts

    Prompts that are empty, not stored or redacted are equal to none. No failure gives no rows.
    """
    failures = source.rows(_failures(source, selection))
    periods = _periods(failures)
    found = source.frame(_hashed(_near(source, selection.api_key, periods)))
    failed_rows = {row_id(row) for row in failures}
    rows = zip(found["request_id"], found["started_at"], strict=True)
    is_failed = pd.Series([RowId(*row) in failed_rows for row in rows], found.index, dtype=bool)
    failed = found[is_failed]
    is_alike = found["prompt_md5"].isin(failed["prompt_md5"].dropna())
    shared = found["call_id"].duplicated(keep=False)
    is_alike |= shared & found["call_id"].isin(failed["call_id"].dropna())
    return found[is_alike].reset_index(drop=True)


def _failures(source: Source, selection: Selection) -> Select[Any]:
    requests = source.selected(selection)
    return (
        select(requests.c.request_id, requests.c.started_at, requests.c.ended_at)
        .where(requests.c.is_failure)
        .order_by(requests.c.started_at, requests.c.request_id)
        .limit(MOST_FAILURES)
    )


def _periods(failures: Iterable[Row[Any]]) -> Sequence[Period]:
    """When would a neighbour have started? Periods that overlap are one."""
    periods: list[Period] = []
    for row in failures:
        end = min(max(row.started_at, row.ended_at), row.started_at + LONGEST_FAILURE) + NEAR
        start = row.started_at - NEAR
        if periods and start <= periods[-1][1]:
            start, end = periods[-1][0], max(end, periods.pop()[1])
        periods.append((start, end))
    return periods


def _near(source: Source, api_key: str, periods: Iterable[Period]) -> Subquery:
    every = all_requests(source.schema)
    near = (started_between(every, start, end) for start, end in periods)
    names = (*KEPT, "spend_usd", "metadata", "request_body")
    return (
        select(*(every.c[name] for name in names))
        .where(of_key(every, api_key), or_(false(), *near))
        .order_by(every.c.start_order, every.c.request_id)
        .limit(MOST_NEIGHBOURS)
        .subquery("near")
    )


def _hashed(near: Subquery) -> Select[Any]:
    known = with_facts(near, *KEPT, "spend_usd", "request_body").subquery("known")
    fields = body_fields(known.c.request_body, JSONB(), *PROMPT, *BESIDE_PROMPT)
    return (
        select(
            *(known.c[name] for name in (*KEPT, *FACTS)),
            known.c.spend_usd.label("cost_usd"),
            _md5(fields.c).label("prompt_md5"),
        )
        .select_from(known.outerjoin(fields, true()))
        .order_by(known.c.started_at, known.c.request_id)
    )


def _md5(fields: Any) -> ColumnElement[str]:
    """PostgreSQL writes equal JSON as equal text, whatever its spacing and the order of keys."""
    whole = cast(func.jsonb_build_array(*fields, type_=JSONB()), Text)
    is_sent = or_(*(cast(fields[name], Text).not_in(EMPTY) for name in PROMPT))
    is_readable = whole.not_like(f"%{REDACTED}%")
    return case((is_sent & is_readable, func.md5(whole, type_=Text())))

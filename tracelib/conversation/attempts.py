"""Requests with the attempts that providers billed, and neighbours with the same prompt."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Subquery,
    TableValuedAlias,
    case,
    cast,
    column,
    false,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import DateTime, Text, TypeEngine

from tracelib.conversation.requests import row_id
from tracelib.selection import RowId, Selection
from tracelib.source import Postgres
from tracelib.spendlogs.conditions import of_key
from tracelib.spendlogs.documents import decoded
from tracelib.spendlogs.facts import with_facts
from tracelib.spendlogs.relation import all_requests

# LiteLLM numbers the rows of earlier billed attempts, after the ID of the request.
_BILLED = re.compile(r"(.+)-attempt-\d+", re.DOTALL)
# All attempts of a call are logged with about the same start.
LONGEST_CALL = timedelta(minutes=30)

Call = tuple[str, str]  # a key, and a call ID


@dataclass(frozen=True, slots=True)
class Light:
    """A light row of a request; unknown values are None."""

    request_id: str
    call_id: str | None
    api_key: str
    started_at: datetime
    ended_at: datetime
    model: str
    deployment: str | None
    is_failure: bool
    cost_usd: float | None
    error_class: str | None
    asked_model: str | None
    attempted_retries: int | None
    attempted_fallbacks: int | None
    prompt_md5: str | None = None

    @property
    def id(self) -> RowId:
        """Which row of the log this is."""
        return RowId(self.request_id, self.started_at)


@dataclass(frozen=True, slots=True)
class Attempted:
    """A request: its own row, and one for each earlier attempt that was billed."""

    row: Light
    billed: tuple[Light, ...] = ()

    @property
    def rows(self) -> tuple[RowId, ...]:
        return tuple(row.id for row in (*self.billed, self.row))

    @property
    def failed_before(self) -> int:
        """How many attempts failed before the one in the row, at least?

        LiteLLM counts retries from 0 again after a fallback, so there may have been more.
        """
        counted = (self.row.attempted_retries or 0) + (self.row.attempted_fallbacks or 0)
        return max(counted, len(self.billed))

    @property
    def reasons(self) -> tuple[str | None, ...]:
        """Why each attempt failed.

        The row of a billed attempt repeats the last error, so it is None.
        """
        own = (self.row.error_class,) if self.row.is_failure else ()
        return (*(None for _ in range(self.failed_before)), *own)

    @property
    def lost_usd(self) -> float:
        """The cost of the failed attempts that have a row, in US dollars."""
        own = (self.row,) if self.row.is_failure else ()
        return sum(row.cost_usd or 0.0 for row in (*own, *self.billed))


def attempted_requests(
    requests: pd.DataFrame, same_prompt: pd.DataFrame | None = None
) -> tuple[Attempted, ...]:
    """Which of these requests may be more than one attempt? Each once, with its billed attempts.

    By start, ties by request ID. A billed attempt whose request is missing is an entry of its own.
    A request that neither failed nor shares a call or a prompt with a failed one is left out.
    """
    known = [requests] if same_prompt is None else [requests, same_prompt]
    rows = {row.id: row for frame in _in_question(known) for row in _rows(frame)}
    ordered = sorted(rows.values(), key=lambda row: (row.started_at, row.request_id))
    called: dict[Call, list[Light]] = defaultdict(list)
    for row in ordered:
        called[row.api_key, row.call_id or row.request_id].append(row)
    own: list[Light] = []
    billed: dict[RowId, list[Light]] = defaultdict(list)
    for row in ordered:
        owner = _nearest(row, called.get((row.api_key, _billed_for(row)), ()))
        (own if owner is None else billed[owner.id]).append(row)
    return tuple(Attempted(row, tuple(billed[row.id])) for row in own)


def _in_question(known: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Rows of each frame that failed, were retried, or share a call or prompt with such a row."""
    failed = [frame[frame["is_failure"].astype("bool")] for frame in known]
    calls = {call for frame in failed for call in _calls(frame)}
    calls |= {found[1] for call in calls if (found := _BILLED.fullmatch(call))}
    prompts = {
        md5 for frame in failed if "prompt_md5" in frame for md5 in frame["prompt_md5"].dropna()
    }
    return [frame[_is_in_question(frame, calls, prompts)] for frame in known]


def _is_in_question(frame: pd.DataFrame, calls: set[str], prompts: set[str]) -> "pd.Series[bool]":
    tried = frame[["attempted_retries", "attempted_fallbacks"]].fillna(0).gt(0).any(axis="columns")
    found = tried | _calls(frame).isin(calls)
    if "prompt_md5" in frame:
        found |= frame["prompt_md5"].isin(prompts)
    return found


def _calls(frame: pd.DataFrame) -> "pd.Series[str]":
    """The call of each request; its own ID if it has no call ID."""
    named = frame["call_id"]
    return named.where(named.notna() & (named != ""), frame["request_id"])


def _nearest(attempt: Light, requests: Iterable[Light]) -> Light | None:
    """The request under whose call ID an attempt was made; a client may use one ID repeatedly."""
    near = (one for one in requests if abs(one.started_at - attempt.started_at) <= LONGEST_CALL)
    return min(near, key=lambda one: abs(one.started_at - attempt.started_at), default=None)


def _billed_for(row: Light) -> str:
    """The call whose earlier attempt this row is; empty for a request's own row."""
    found = _BILLED.fullmatch(row.call_id or row.request_id)
    return found[1] if found and row.is_failure else ""


def _rows(frame: pd.DataFrame) -> Iterator[Light]:
    known = [field.name for field in fields(Light) if field.name in frame]
    plain = frame[known].astype(object).where(frame[known].notna(), None)
    return (Light(*values) for values in plain.itertuples(index=False, name=None))


def started_between(requests: Subquery, start: datetime, end: datetime) -> ColumnElement[bool]:
    """Which requests started in this period, both ends included?"""
    return requests.c.start_order.between(_stored(start), _stored(end))


def _stored(moment: datetime) -> ColumnElement[Any]:
    return func.timezone("UTC", literal(moment, DateTime(timezone=True)), type_=DateTime())


def body_fields(body: ColumnElement[Any], kind: TypeEngine[Any], *names: str) -> TableValuedAlias:
    """Which values do these fields of a body have? One row with a column each, for a lateral join.

    `kind` is JSONB or Text. NULL for a missing field; all NULL for a body that is not an object.
    """
    return (
        func.jsonb_to_record(decoded(body, "object"))
        .table_valued(*(column(name, kind) for name in names), name="fields")
        .render_derived(with_types=True)
    )


MOST_FAILURES = 200
MOST_NEIGHBOURS = 1_000
NEAR = timedelta(seconds=10)
# A failure may last until a timeout; retries are searched for up to this long after its start.
LONGEST_FAILURE = timedelta(minutes=1)
PROMPT = ("messages", "input", "prompt", "contents")
WITH_PROMPT = ("system", "instructions", "systemInstruction", "previous_response_id")
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


def same_prompt_neighbours(source: Postgres, selection: Selection) -> pd.DataFrame:
    """Which requests of the key may be retries of failed ones of this selection, in any session?

    For the first 200 failures: requests that started from 10 s before one until 10 s after its end
    (at most 70 s after its start), at most 1,000, and of those the ones with the same stored prompt
    or the same call ID as another request that failed, including the failures themselves. A row per
    request, by start, ties by request ID:

        request_id, call_id, session_id, api_key, model, deployment, provider   text
        started_at, ended_at                      aware UTC
        latency_ms                                double
        is_failure, is_cache_hit                  bool
        cost_usd                                  US dollars
        error_class, error_message, asked_model   text
        attempted_retries, attempted_fallbacks    int
        prompt_md5                                text, equal for equal prompts

    A prompt that is empty, not stored or redacted equals no other. No failures give no rows.
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


def _failures(source: Postgres, selection: Selection) -> Select[Any]:
    requests = source.selected(selection)
    return (
        select(requests.c.request_id, requests.c.started_at, requests.c.ended_at)
        .where(requests.c.is_failure)
        .order_by(requests.c.started_at, requests.c.request_id)
        .limit(MOST_FAILURES)
    )


def _periods(failures: Iterable[Row[Any]]) -> Sequence[Period]:
    """When would a neighbour have started? Overlapping periods are merged."""
    periods: list[Period] = []
    for row in failures:
        end = min(max(row.started_at, row.ended_at), row.started_at + LONGEST_FAILURE) + NEAR
        start = row.started_at - NEAR
        if periods and start <= periods[-1][1]:
            start, end = periods[-1][0], max(end, periods.pop()[1])
        periods.append((start, end))
    return periods


def _near(source: Postgres, api_key: str, periods: Iterable[Period]) -> Subquery:
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
    fields = body_fields(known.c.request_body, JSONB(), *PROMPT, *WITH_PROMPT)
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

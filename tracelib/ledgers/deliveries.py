"""LiteLLM's own record of what is not added up yet, and of IDs that came twice."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    case,
    cast,
    column,
    exists,
    func,
    literal,
    null,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import Boolean, DateTime, Double, Text

from tracelib.filters import Filters
from tracelib.ledgers.cells import LogRow, sums_of
from tracelib.ledgers.daily import money_sum
from tracelib.ledgers.logged import Logged, log_of, window_of
from tracelib.schema import Schema
from tracelib.source import Postgres
from tracelib.spendlogs.conditions import shown_key, shown_name
from tracelib.spendlogs.types import utc
from tracelib.window import TimeWindow

TABLE = "LiteLLM_SpendLogDelivery"
NEEDED = ("request_id", "state", "created_at")
PAYLOAD = "accounting_payload"
PENDING, PARKED, APPLIED = "pending", "parked", "applied"
# More are read in part, and the rest has no explanation.
MOST_IDS = 200_000
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Requests in the log that LiteLLM has not added up: `requests` by cell and tag.

    `deliveries` are all in this state, also those without a row in the log, and `oldest_at` is the
    time of the first, aware UTC; 0 and None for a viewer of a part.
    """

    requests: Logged = field(default_factory=Logged)
    deliveries: int = 0
    oldest_at: datetime | None = None


def is_known(schema: Schema) -> bool:
    """Does this version of LiteLLM record what it has not added up, and may that be read?"""
    return schema.reads(TABLE, *NEEDED)


def undelivered(source: Postgres, state: str, window: TimeWindow) -> Undelivered:
    """Which requests of the window are in the log with a delivery in this state, and none applied?

    None if this version of LiteLLM has no deliveries.
    """
    if not is_known(source.schema):
        return Undelivered()
    waiting = _deliveries(source.schema)
    count = source.row(
        select(
            func.count().label("deliveries"),
            utc(func.min(waiting.c.created_at, type_=DateTime())).label("oldest_at"),
        ).where(waiting.c.state == state)
    )
    if not count.deliveries:
        return Undelivered()
    ids = [row.request_id for row in source.rows(_ids(source.schema, state))]
    found = _log_of_ids(source, ids, window)
    # Of everyone's: not for a viewer of a part.
    if not source.schema.scope.is_all:
        return Undelivered(found)
    return Undelivered(found, count.deliveries, count.oldest_at)


def _ids(schema: Schema, state: str) -> Select[Any]:
    waiting, others = _deliveries(schema), _deliveries(schema).alias("others")
    states = (APPLIED,) if state == PENDING else (APPLIED, PENDING)
    is_other = (others.c.request_id == waiting.c.request_id, others.c.state.in_(states))
    return (
        select(waiting.c.request_id)
        .where(waiting.c.state == state, ~exists().where(*is_other))
        .distinct()
        .limit(MOST_IDS)
    )


def _log_of_ids(source: Postgres, ids: Sequence[str], window: TimeWindow) -> Logged:
    """What the requests of the window with these IDs add up to; found by their index."""
    found = Logged()
    for start in range(0, len(ids), AT_ONCE):
        found = found.plus(log_of(source, _within(source, ids[start : start + AT_ONCE], window)))
    return found


def _within(source: Postgres, ids: Sequence[str], window: TimeWindow) -> Subquery:
    every = source.by_id("request_id", ids)
    is_within = (every.c.started_at >= window.start, every.c.started_at < window.end)
    return select(*every.c).where(*is_within).subquery("of_ids")


def are_recorded(source: Postgres) -> bool:
    """Does LiteLLM record here what is to be added up? Not if there is no delivery at all."""
    if not is_known(source.schema):
        return False
    return bool(source.rows(select(_deliveries(source.schema).c.request_id).limit(1)))


def repeated(source: Postgres, window: TimeWindow) -> Logged:
    """What has LiteLLM added up of IDs that came more than once, and what has the log of them?

    LiteLLM keeps one row for each ID and adds up each request: those are negative here, so that the
    sum of a cell is what the log lacks. Only of deliveries that LiteLLM still has, which is a day.
    Nothing for a viewer of a part: the others of an ID may not be theirs.
    """
    if not _reads_payload(source.schema):
        return Logged()
    twice = [row.request_id for row in source.rows(_twice(source.schema))]
    stored = _log_of_ids(source, twice, window).rows
    charged: list[LogRow] = []
    for start in range(0, len(twice), AT_ONCE):
        charged += _charged(source, _with_ids(twice[start : start + AT_ONCE]))
    return Logged((*charged, *stored))


def _twice(schema: Schema) -> Select[Any]:
    every = _deliveries(schema)
    return (
        select(every.c.request_id)
        .where(every.c.state == APPLIED, ~every.c.is_batch)
        .group_by(every.c.request_id)
        .having(func.count() > 1)
        .limit(MOST_IDS)
    )


def unlogged(source: Postgres, day: date, oldest: str) -> Logged:
    """Which requests of a UTC day has LiteLLM added up without a row in the log? Negative sums.

    Of deliveries that LiteLLM still has, which is a day, and of requests that started after the
    `oldest` of the log, in ISO 8601. Nothing for a viewer of a part.
    """
    if not _reads_payload(source.schema):
        return Logged()
    requests = source.requests(Filters(window_of(day, day)))

    def is_without_row(every: FromClause) -> list[ColumnElement[bool]]:
        started = every.c[PAYLOAD].op("->>", return_type=Text())("startTime")
        has_row = exists().where(requests.c.request_id == every.c.request_id)
        return [started.startswith(day.isoformat()), started >= oldest, ~has_row]

    return Logged(tuple(_charged(source, is_without_row)))


def _reads_payload(schema: Schema) -> bool:
    return schema.scope.is_all and schema.reads(TABLE, *NEEDED, "is_batch", PAYLOAD)


Chosen = Callable[[FromClause], list[ColumnElement[bool]]]


def _with_ids(ids: Sequence[str]) -> Chosen:
    return lambda every: [every.c.request_id.in_(ids)]


def _charged(source: Postgres, chosen: Chosen) -> Iterator[LogRow]:
    """What these applied deliveries have added up, by cell; negative sums, as the log lacks it."""
    for row in source.rows(_sums_of_payloads(source.schema, chosen)):
        one = _payload_row(row)
        if one is not None:
            less = one.sums._replace(requests=-one.sums.requests, usd=-one.sums.usd)
            yield one._replace(sums=less)


def _sums_of_payloads(schema: Schema, chosen: Chosen) -> Select[Any]:
    every = _deliveries(schema)
    payload = every.c[PAYLOAD]

    def text(name: str) -> ColumnElement[str]:
        return func.coalesce(payload.op("->>", return_type=Text())(name), "", type_=Text())

    spend: ColumnElement[Any] = payload.op("->", return_type=JSONB())("spend")
    is_number = func.jsonb_typeof(spend) == "number"
    amount = case((is_number, cast(spend, Double)))
    by = [
        func.left(text("startTime"), 10, type_=Text()),
        text("user"),
        text("team_id"),
        text("api_key"),
        text("model"),
        text("custom_llm_provider"),
        text("mcp_namespaced_tool_name"),
    ]
    named = select(
        *(one.label(f"c{number}") for number, one in enumerate(by)), amount.label("amount")
    )
    applied = (every.c.state == APPLIED, ~every.c.is_batch)
    rows = named.where(*applied, *chosen(every)).subquery("charged")
    day, user, team, key, model, provider, tool = (rows.c[f"c{n}"] for n in range(len(by)))
    return select(
        day,
        user,
        team,
        shown_key(key),
        shown_name(model),
        provider,
        tool,
        func.count(),
        literal(0),
        money_sum(rows.c.amount),
        literal(0),
        literal(0),
        cast(null(), DateTime()),
        cast(null(), DateTime()),
    ).group_by(*list(rows.c)[:-1])


def _payload_row(row: Sequence[Any]) -> LogRow | None:
    try:
        day = date.fromisoformat(row[0])
    except ValueError:
        return None
    user, team, key, model, provider, tool = row[1:7]
    return LogRow(day, user, team, key, model, provider, tool, sums_of(row[7:]))


def _deliveries(schema: Schema) -> FromClause:
    return table(
        TABLE,
        column("request_id", Text()),
        column("state", Text()),
        column("created_at", DateTime()),
        column("is_batch", Boolean()),
        column(PAYLOAD, JSONB()),
        schema=schema.name,
    )

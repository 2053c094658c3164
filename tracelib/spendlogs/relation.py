"""The one relation for all queries: a row per request, with plain names and types."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    and_,
    case,
    cast,
    extract,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.types import BigInteger, DateTime, Double, Text

from tracelib.filters import Filters
from tracelib.keys import NO_KEY
from tracelib.schema import Schema
from tracelib.selection import RowId, Selection
from tracelib.spendlogs.conditions import (
    UNSTORABLE,
    can_be_stored,
    chosen_ids,
    has_body,
    in_window,
    key_or_none,
    of_key,
    shown_key,
    shown_name,
    spend_logs,
    stored,
)
from tracelib.spendlogs.documents import decoded
from tracelib.spendlogs.measures import user_agent, user_agent_version
from tracelib.spendlogs.types import BELIEVABLE, GREATEST_AMOUNT, MONEY, believable, utc

# LiteLLM's call types for fetching a background response, and for its cost.
FETCHES = ("aget_responses", "get_responses")
BACKGROUND_COST = "_background_cost"
# In the ID of a row that has only the cost of a call, or that of one of its attempts.
BILLED_APART = (BACKGROUND_COST, "_batch_cost", "-attempt-")


def requests(schema: Schema, filters: Filters) -> Subquery:
    """Which requests match the filters?

    A row per request, including failures:

        request_id, call_id, call_type          text
        background_id text         of a request that only fetches or bills a background response,
                                   the ID of that response
        session_id    text         the client's, else the request's own ID
        session_key   text         session and key in one value: identifies a session
        api_key       text         the identity of the key, empty for no key
        stored_key    text         the key as it is stored, to compare by its index
        key_group, session_group   text, the same as api_key and session_key to group by: cheaper
                                   to compute, and like stored_key never to be shown
        key, user, team, end_user      text; None if empty
        requester_ip, user_agent, agent_version    text; as stored, without and with version
        started_at, ended_at, created_at        aware UTC
        start_order, end_order     timestamp, as stored, to sort by: the start has an index
        latency_ms    double       request_duration_ms, else end - start in whole milliseconds;
                                   None if negative
        response_ms   double       latency_ms of successes that were not cache hits
        ttft_ms       double       start to first token, if it is really known
        model, deployment, provider, api_base   model is the public name, never None
        spend_usd     numeric      exact in sums, US dollars; None if it is no possible amount
        spend_order   double       the same, to sort by: cheaper to add up
        prompt_tokens, completion_tokens, total_tokens   int
        is_cache_hit, is_failure                bool, never None
        has_prompt, has_response   bool, a body is stored; None if it may not be read
        request_tags, metadata, request_body, response_body, messages_body   jsonb

    PostgreSQL inlines the subquery, so columns that are not read cost nothing.
    """
    logs = spend_logs(schema)
    chosen = [*in_window(logs, filters.window), *chosen_ids(clean(logs), filters)]
    return _relation(logs).where(*chosen).subquery("requests")


def by_id(schema: Schema, column: str, ids: Sequence[str]) -> Subquery:
    """Which requests have one of these IDs, in any time range?

    `column` is request_id, session_id or call_id: the three that LiteLLM indexes, so no scan is
    needed. Same columns as `requests`; no rows if an old version lacks the column. A request
    without a session ID is a session by its own request ID.
    """
    logs = spend_logs(schema)
    name = {"call_id": "litellm_call_id"}.get(column, column)
    storable = [one for one in ids if can_be_stored(one)]
    # A row may have neither a session ID nor a request ID of its own.
    own_session = logs.c.request_id.in_([*storable, *([""] if "" in ids else [])])
    if column != "session_id":
        return _relation(logs).where(stored(logs, name).in_(storable)).subquery("requests")
    if column not in logs.c:
        return _relation(logs).where(own_session).subquery("requests")
    # Two branches rather than an OR, so that each is sure to use its own index.
    return union_all(
        _relation(logs).where(logs.c.session_id.in_(storable)),
        _relation(logs).where(own_session, filled(logs, "session_id").is_(None)),
    ).subquery("requests")


def by_rows(schema: Schema, rows: Sequence[RowId]) -> Subquery:
    """Which requests are these rows? Same columns as `requests`.

    Found by their IDs, and within their time, so that in a partitioned log only the partitions of
    those days are read.
    """
    logs = spend_logs(schema)
    storable = [row for row in rows if not UNSTORABLE.search(row.request_id)]
    ids = sorted({row.request_id for row in storable})
    found = _relation(logs).where(logs.c.request_id.in_(ids), *_within(logs, storable))
    known = found.subquery("found")
    is_one = tuple_(known.c.request_id, known.c.started_at).in_(storable)
    return select(*known.c).where(is_one).subquery("rows")


def _within(logs: FromClause, rows: Sequence[RowId]) -> list[ColumnElement[bool]]:
    """From the first start of these rows to the last; open if a start is not believable."""
    starts, bounds = [row.started_at.astimezone(UTC).replace(tzinfo=None) for row in rows], []
    if starts and min(starts) > BELIEVABLE[0]:
        bounds.append(logs.c.startTime >= literal(min(starts), DateTime()))
    if starts and max(starts) < BELIEVABLE[1]:
        bounds.append(logs.c.startTime <= literal(max(starts), DateTime()))
    return bounds


def selected(schema: Schema, selection: Selection) -> Subquery:
    """Which requests are selected, in any time range? Same columns as `requests`."""
    if selection.rows:
        found = by_rows(schema, selection.rows)
    else:
        found = by_id(schema, "session_id", selection.session_ids)
    return select(*found.c).where(of_key(found, selection.api_key)).subquery("selected")


def all_requests(schema: Schema) -> Subquery:
    """Which requests does the log have? Only to be read along an index, with a limit."""
    return _relation(spend_logs(schema)).subquery("requests")


@lru_cache(maxsize=64)
def _relation(logs: FromClause) -> Select[Any]:
    return select(*(value.label(name) for name, value in clean(logs).items()))


@lru_cache(maxsize=64)
def clean(logs: FromClause) -> Mapping[str, ColumnElement[Any]]:
    """The columns of the relation, computed from those of LiteLLM's table."""
    return (
        _identity(logs) | _who(logs) | _times(logs) | _what(logs) | _amounts(logs) | _bodies(logs)
    )


def _identity(logs: FromClause) -> dict[str, ColumnElement[Any]]:
    session_id = func.coalesce(filled(logs, "session_id"), logs.c.request_id)
    key_group = case((logs.c.api_key.in_(NO_KEY), ""), else_=logs.c.api_key)
    return {
        "request_id": logs.c.request_id,
        "call_id": filled(logs, "litellm_call_id"),
        "call_type": filled(logs, "call_type"),
        "background_id": _background_id(logs),
        "session_id": session_id,
        "session_key": session_id.concat(":").concat(shown_key(logs.c.api_key)),
        "session_group": session_id.concat(":").concat(key_group),
        "api_key": shown_key(logs.c.api_key),
        "key_group": key_group,
        "stored_key": logs.c.api_key,
    }


def _background_id(logs: FromClause) -> ColumnElement[str]:
    """The background response that a row fetches: clients poll, and LiteLLM logs each time."""
    request_id = logs.c.request_id
    is_bill = request_id.endswith(BACKGROUND_COST, autoescape=True)
    body, response = (
        decoded(stored(logs, name), "object").op("->>", return_type=Text())
        for name in ("proxy_server_request", "response")
    )
    named = func.coalesce(body("response_id"), response("id"), request_id, type_=Text())
    return case(
        (is_bill, func.left(request_id, -len(BACKGROUND_COST), type_=Text())),
        (stored(logs, "call_type").in_(FETCHES), named),
    )


def _who(logs: FromClause) -> dict[str, ColumnElement[Any]]:
    return {
        "key": key_or_none(logs.c.api_key),
        "user": filled(logs, "user"),
        "team": filled(logs, "team_id"),
        "end_user": filled(logs, "end_user"),
        "organization": filled(logs, "organization_id"),
        "agent": filled(logs, "agent_id"),
        "requester_ip": filled(logs, "requester_ip_address"),
        "user_agent": user_agent(stored(logs, "request_tags")),
        "agent_version": user_agent_version(stored(logs, "request_tags")),
    }


def _times(logs: FromClause) -> dict[str, ColumnElement[Any]]:
    latency = _latency_ms(logs)
    is_response = and_(~is_failure(logs), ~is_cache_hit(logs))
    first_token = stored(logs, "completionStartTime")
    # Old versions log the first token of some streams at the end, or a moment after it.
    known = and_(first_token < logs.c.endTime, first_token >= logs.c.startTime, is_response)
    return {
        "started_at": utc(logs.c.startTime),
        "start_order": logs.c.startTime,
        "end_order": logs.c.endTime,
        "ended_at": utc(logs.c.endTime),
        "created_at": utc(stored(logs, "created_at")),
        "latency_ms": latency,
        "response_ms": case((is_response, latency)),
        "ttft_ms": case((known, _elapsed_ms(logs.c.startTime, first_token))),
    }


def _what(logs: FromClause) -> dict[str, ColumnElement[Any]]:
    return {
        "model": func.coalesce(
            shown_name(filled(logs, "model_group")),
            shown_name(filled(logs, "model")),
            "unknown",
            type_=Text(),
        ),
        "deployment": shown_name(filled(logs, "model")),
        "deployment_id": filled(logs, "model_id"),
        "provider": filled(logs, "custom_llm_provider"),
        "api_base": filled(logs, "api_base"),
        "tool": filled(logs, "mcp_namespaced_tool_name"),
        "is_cache_hit": is_cache_hit(logs),
        "is_failure": is_failure(logs),
    }


def _amounts(logs: FromClause) -> dict[str, ColumnElement[Any]]:
    is_amount = logs.c.spend.between(-GREATEST_AMOUNT, GREATEST_AMOUNT)
    spend = case((is_amount, logs.c.spend))
    return {
        # Sums of floats depend on their order; LiteLLM's users compare digits.
        "spend_usd": cast(spend, MONEY),
        "spend_order": spend,
        "prompt_tokens": logs.c.prompt_tokens,
        "completion_tokens": logs.c.completion_tokens,
        "total_tokens": logs.c.total_tokens,
    }


def _bodies(logs: FromClause) -> dict[str, ColumnElement[Any]]:
    return {
        "request_tags": stored(logs, "request_tags"),
        "metadata": stored(logs, "metadata"),
        "request_body": stored(logs, "proxy_server_request"),
        "response_body": stored(logs, "response"),
        "messages_body": stored(logs, "messages"),
        "has_prompt": or_(has_body(logs, "proxy_server_request"), has_body(logs, "messages")),
        "has_response": has_body(logs, "response"),
    }


def filled(logs: FromClause, name: str) -> ColumnElement[str]:
    """The column as text; NULL for the empty string, which LiteLLM writes for no value."""
    return func.nullif(stored(logs, name), "", type_=Text())


def is_cache_hit(logs: FromClause) -> ColumnElement[bool]:
    """Was it a cache hit? The column is text: True, False, None, empty or NULL."""
    text = stored(logs, "cache_hit").collate("C")
    return func.coalesce(func.lower(text), "") == "true"


def is_failure(logs: FromClause) -> ColumnElement[bool]:
    """Was it a failure? No status means success; before 2025-05-08 it was in the metadata only."""
    in_metadata = decoded(stored(logs, "metadata"), "object").op("->>")("status")
    status = logs.c.status if "status" in logs.c else in_metadata
    return func.coalesce(status, "success") == "failure"


def _latency_ms(logs: FromClause) -> ColumnElement[float]:
    elapsed = _elapsed_ms(logs.c.startTime, logs.c.endTime)
    measured = cast(stored(logs, "request_duration_ms"), Double)
    latency = func.coalesce(measured, elapsed) if "request_duration_ms" in logs.c else elapsed
    return case((latency >= 0, latency))


def _elapsed_ms(start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[float]:
    elapsed = extract("epoch", believable(end) - believable(start)) * 1000
    return cast(cast(elapsed, BigInteger), Double)

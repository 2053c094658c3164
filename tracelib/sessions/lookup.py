"""From an ID to its session, from a session to its requests, and the newest sessions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Row, Select, func, literal, select, union_all
from sqlalchemy.types import DateTime, Text

from tracelib.filters import Filters
from tracelib.selection import RowId, Selection
from tracelib.sessions.cursor import Cursor, Listed
from tracelib.source import Postgres
from tracelib.spendlogs import conditions, measures
from tracelib.spendlogs.facts import with_run_facts
from tracelib.spendlogs.measures import alphabetical, first_of, last_of
from tracelib.spendlogs.types import believable

MOST_KEYS = 1_000
MOST_CALLED = 20
MOST_REQUESTS = 5_000
TIMELINE = (
    "request_id",
    "session_id",
    "api_key",
    "call_id",
    "background_id",
    "started_at",
    "ended_at",
    "latency_ms",
    "response_ms",
    "ttft_ms",
    "model",
    "deployment",
    "provider",
    "call_type",
    "is_failure",
    "is_cache_hit",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
)
FACTS = (
    "error_class",
    "error_message",
    "attempted_retries",
    "attempted_fallbacks",
    "cached_prompt_tokens",
    "overhead_ms",
    "max_input_tokens",
    "input_cost_usd",
    "cached_input_cost_usd",
    "input_cost_per_token",
    "reasoning_tokens",
)


@dataclass(frozen=True, slots=True)
class FoundRequest:
    """A request, and the session that it is stored in."""

    row: RowId
    session_id: str
    api_key: str


def keys_of(source: Postgres, session_id: str) -> pd.DataFrame:
    """Which keys have a session with this ID? Clients choose IDs, so two keys may choose the same.

    A row per key, the one that began first on top, at most 1,000:

        api_key      text    the identity of the key, empty for no key
        key_name     text    its name, None for no key
        requests     int     how many it has in the session
        started_at   aware UTC, its first
    """
    requests = source.by_id("session_id", [session_id])
    one = (
        select(
            requests.c.api_key,
            last_of(requests.c.key).label("key"),
            measures.sample(requests),
            func.count().label("requests"),
            func.min(requests.c.started_at).label("started_at"),
        )
        .group_by(requests.c.api_key)
        .order_by(func.min(requests.c.started_at), requests.c.api_key)
        .limit(MOST_KEYS)
        .subquery("keys")
    )
    return source.frame(
        select(
            one.c.api_key,
            source.name_of("key", one.c.key, one.c.sample).label("key_name"),
            one.c.requests,
            one.c.started_at,
        ).order_by(one.c.started_at, one.c.api_key)
    )


def requests_called(source: Postgres, some_id: str) -> tuple[FoundRequest, ...]:
    """Which requests have this ID? Several may, in a partitioned log or if clients choose IDs.

    First those with the request ID, then those with the call ID that LiteLLM returns to clients, if
    the database has an index on it; of each the newest first, ties by session and key; at most 20.
    """
    searched = [(1, source.by_id("request_id", [some_id]))]
    if source.schema.is_indexed("litellm_call_id"):
        searched.append((2, source.by_id("call_id", [some_id])))
    found = union_all(
        *(
            select(
                *(one.c[name] for name in ("request_id", "started_at", "session_id", "api_key")),
                literal(choice, literal_execute=True).label("choice"),
            )
            for choice, one in searched
        )
    ).subquery("found")
    order = (found.c.choice, found.c.started_at.desc(), found.c.session_id, found.c.api_key)
    rows = source.rows(select(*found.c).order_by(*order).limit(MOST_CALLED))
    return tuple(
        FoundRequest(RowId(row.request_id, row.started_at), row.session_id, row.api_key)
        for row in rows
    )


def session_of_request(source: Postgres, request_id: str) -> tuple[str, str] | None:
    """Which session does this request belong to? Its session ID and key; None for no request.

    Of several requests with this ID, the first of `requests_called` counts.
    """
    found = requests_called(source, request_id)
    return (found[0].session_id, found[0].api_key) if found else None


def requests_of(source: Postgres, selection: Selection, limit: int = MOST_REQUESTS) -> pd.DataFrame:
    """Which requests does this selection have, when, and how did each run? Light rows, no bodies.

    A row per request, the first on top, ties by request_id, at most `limit`:

        request_id, session_id, api_key, call_id     text
        background_id              text, the background response that it only fetches or bills
        model, deployment, provider, call_type       text
        started_at, ended_at                         aware UTC
        latency_ms, ttft_ms, overhead_ms             double, None where unknown
        response_ms                                  latency_ms of responses by models
        is_failure, is_cache_hit                     bool
        error_class, error_message                   text, of a failure
        asked_model                text, the requested group if another responded
        attempted_retries, attempted_fallbacks       int, None before LiteLLM 1.85
        prompt_tokens, completion_tokens, total_tokens, cached_prompt_tokens   int
        reasoning_tokens                             int, of the completion
        max_input_tokens                             int, the model's limit
        cost_usd, input_cost_usd, cached_input_cost_usd, input_cost_per_token  US dollars

    No request gives the same columns without rows.
    """
    requests = source.selected(selection)
    page = (
        select(*requests.c)
        .order_by(requests.c.started_at, requests.c.request_id)
        .limit(limit)
        .subquery("page")
    )
    known = with_run_facts(page, *TIMELINE, "spend_usd").subquery("known")
    return source.frame(
        select(
            *(known.c[name] for name in (*TIMELINE, *FACTS)),
            func.nullif(known.c.asked_model, known.c.model, type_=Text()).label("asked_model"),
            known.c.spend_usd.label("cost_usd"),
        ).order_by(known.c.started_at, known.c.request_id)
    )


REQUESTS_A_SESSION = 20


def newest_sessions(
    source: Postgres, filters: Filters, cursor: Cursor | None, limit: int
) -> Sequence[Listed] | None:
    """Which sessions had the latest requests, from the cursor on? None if a few do not decide it.

    The newest first, ties by key. Reads the whole window if long sessions fill the newest requests.
    """
    if cursor and source.of_sessions([]) is None:
        return None
    most = limit * REQUESTS_A_SESSION
    read = source.rows(_among_newest(source, filters, cursor, most))
    is_all = sum(row.requests for row in read) < most
    # The oldest moment may be incomplete; everything after it is complete.
    reach = min((row.oldest for row in read), default=None)
    complete = [row for row in read if is_all or row.sort_value > reach]
    seen = _seen_before(source, filters, cursor, complete) if cursor else set()
    found = [
        Listed(row.session_key, row.session_id, row.sort_value, row.last_start)
        for row in complete
        if row.session_key not in seen
    ]
    return found[:limit] if is_all or len(found) >= limit else None


def _among_newest(
    source: Postgres, filters: Filters, cursor: Cursor | None, most: int
) -> Select[Any]:
    requests = source.requests(filters)
    columns = ("session_key", "session_id", "started_at", "start_order")
    newest = select(*(requests.c[name] for name in columns))
    if cursor:
        newest = newest.where(requests.c.start_order <= literal(cursor.last_start, DateTime()))
    some = newest.order_by(requests.c.start_order.desc()).limit(most).subquery("newest")
    last_start = func.max(some.c.started_at)
    statement = select(
        some.c.session_key,
        first_of(some.c.session_id).label("session_id"),
        last_start.label("sort_value"),
        believable(func.max(some.c.start_order)).label("last_start"),
        func.min(some.c.started_at).label("oldest"),
        func.count().label("requests"),
    ).group_by(some.c.session_key)
    return statement.order_by(last_start.desc(), measures.alphabetical(some.c.session_key))


def _seen_before(
    source: Postgres, filters: Filters, cursor: Cursor, sessions: Sequence[Row[Any]]
) -> set[str]:
    """Which of these were on an earlier page, for a newer request or an earlier key?"""
    requests = source.of_sessions([(row.session_key, row.session_id) for row in sessions])
    if requests is None:
        return set()
    last_start = func.max(requests.c.started_at)
    last_stored = believable(func.max(requests.c.start_order))
    listed = (
        select(requests.c.session_key)
        .where(*conditions.passes(requests, filters))
        .group_by(requests.c.session_key)
        .having(~cursor.is_before(last_start, last_stored, alphabetical(requests.c.session_key)))
    )
    return {row.session_key for row in source.rows(listed)}

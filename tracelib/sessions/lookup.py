"""From an id to its session, and from a session to its requests."""

import pandas as pd
from sqlalchemy import func, literal, select, union_all

from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.conditions import of_key
from tracelib.spendlogs.names import name_of

MOST_KEYS = 1_000
TIMELINE = (
    "request_id",
    "started_at",
    "ended_at",
    "latency_ms",
    "ttft_ms",
    "model",
    "deployment",
    "call_type",
    "is_failure",
    "is_cache_hit",
    "prompt_tokens",
    "completion_tokens",
)


def keys_of(source: Source, session_id: str) -> pd.DataFrame:
    """Which keys have a session of this id? Clients choose ids, so two keys may choose one.

    A row a key, the one that began first on top, at most 1,000:

        api_key      text    as it is stored, empty where nobody signed in
        key_name     text    its name, None where nobody signed in
        requests     int     how many it has in the session
        started_at   aware UTC, its first
    """
    requests = source.by_id("session_id", [session_id])
    one = (
        select(
            requests.c.api_key,
            func.max(requests.c.key).label("key"),
            func.max(requests.c.request_id).label("sample_request_id"),
            measures.requests_count().label("requests"),
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
            name_of(source.schema, "key", one.c.key, one.c.sample_request_id).label("key_name"),
            one.c.requests,
            one.c.started_at,
        ).order_by(one.c.started_at, one.c.api_key)
    )


def session_of_request(source: Source, request_id: str) -> tuple[str, str] | None:
    """Which session does this request belong to? Its session id and key; None for no request.

    A call id, as LiteLLM gives it to clients, does too where the database has an index on
    it. Where an id stands twice, as it may in a partitioned log, the newest request counts.
    """
    searched = [(1, source.by_id("request_id", [request_id]))]
    if source.schema.is_indexed("litellm_call_id"):
        searched.append((2, source.by_id("call_id", [request_id])))
    found = union_all(
        *(
            select(
                one.c.session_id,
                one.c.api_key,
                one.c.started_at,
                literal(choice, literal_execute=True).label("choice"),
            )
            for choice, one in searched
        )
    ).subquery("found")
    best = select(found.c.session_id, found.c.api_key).order_by(
        found.c.choice, found.c.started_at.desc(), found.c.session_id, found.c.api_key
    )
    rows = source.rows(best.limit(1))
    return (rows[0].session_id, rows[0].api_key) if rows else None


def requests_of(source: Source, session_id: str, api_key: str, limit: int = 5_000) -> pd.DataFrame:
    """Which requests did this session make, and when? Light rows, without a body.

    A row a request, the first on top, ties by request_id, at most `limit`:

        request_id, model, deployment, call_type   text
        started_at, ended_at                       aware UTC
        latency_ms, ttft_ms                        double, None where unknown
        is_failure, is_cache_hit                   bool
        prompt_tokens, completion_tokens           int
        cost_usd                                   US dollars

    No session gives the same columns without rows.
    """
    requests = source.by_id("session_id", [session_id])
    return source.frame(
        select(*(requests.c[name] for name in TIMELINE), requests.c.spend_usd.label("cost_usd"))
        .where(of_key(requests, api_key))
        .order_by(requests.c.started_at, requests.c.request_id)
        .limit(limit)
    )

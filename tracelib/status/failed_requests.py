"""Which requests failed, and with which words?"""

from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Select, Subquery, and_, or_, select

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs.facts import with_facts
from tracelib.spendlogs.names import name_of


def newest_failures(
    source: Source,
    filters: Filters,
    limit: int = 100,
    after: tuple[datetime, str] | None = None,
) -> pd.DataFrame:
    """Which requests failed last, whose were they, and what did they say?

    A row a failure, the newest first, ties by request_id, at most `limit`; `after` is the
    start and id of the last one of the page before:

        request_id, session_id, api_key, key_name, user_name, team_name    text
        started_at                          aware UTC
        model, deployment, provider         text
        error_class, error_code, error_message    text, None where it is not said
        latency_ms                          double
        cost_usd                            US dollars: a stream that broke off may cost some

    No failure gives the same columns without rows.
    """
    requests = source.requests(filters)
    newest = (
        select(*requests.c)
        .where(requests.c.is_failure, *_before(requests, after))
        # By the stored start: it has an index, so that the window is not sorted.
        .order_by(requests.c.start_order.desc(), requests.c.request_id.desc())
        .limit(limit)
        .subquery("newest")
    )
    names = [
        name_of(source.schema, one, newest.c[one], newest.c.request_id).label(f"{one}_name")
        for one in ("key", "user", "team")
    ]
    told = with_facts(
        newest,
        *("request_id", "session_id", "api_key", "started_at"),
        *("model", "deployment", "provider", "latency_ms", "spend_usd"),
    ).add_columns(*names)
    return source.frame(_in_reading_order(told.subquery("told")))


def _in_reading_order(told: Subquery) -> Select[Any]:
    columns = (
        *("request_id", "session_id", "api_key", "key_name", "user_name", "team_name"),
        *("started_at", "model", "deployment", "provider"),
        *("error_class", "error_code", "error_message", "latency_ms"),
    )
    cost = told.c.spend_usd.label("cost_usd")
    return select(*(told.c[name] for name in columns), cost).order_by(
        told.c.started_at.desc(), told.c.request_id.desc()
    )


def _before(requests: Subquery, after: tuple[datetime, str] | None) -> list[ColumnElement[bool]]:
    if after is None:
        return []
    moment, request_id = after
    same = and_(requests.c.started_at == moment, requests.c.request_id < request_id)
    return [or_(requests.c.started_at < moment, same)]

"""The figures of a few sessions, read by their ids rather than out of the window again."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Select, Subquery, and_, func, literal, not_, null, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Boolean, Text

from tracelib.filters import Filters
from tracelib.schema import Schema
from tracelib.source import Source
from tracelib.spendlogs import conditions, measures
from tracelib.spendlogs.names import name_of

MODELS_SHOWN = 5


def figures(
    source: Source, filters: Filters | None, keys: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """What do these sessions hold, of what the filters choose? In the order of `keys`.

    A key is a pair of session key and session id. Without filters the whole sessions.
    """
    session_keys = [session_key for session_key, _ in keys]
    chosen, goes_on = _chosen(source, filters, keys)
    frame = source.frame(_named(source.schema, _figures(chosen, session_keys), goes_on))
    frame["models"] = pd.Series([_few(models) for models in frame["models"]], dtype="str")
    order = {session_key: position for position, session_key in enumerate(session_keys)}
    return frame.sort_values("session_key", key=lambda one: one.map(order), ignore_index=True)


def models_of(
    source: Source, filters: Filters, keys: Sequence[tuple[str, str]]
) -> Mapping[str, tuple[str, ...]]:
    """Which models did each of these sessions use, of what the filters choose?

    A key is a pair of session key and session id; the answer is by session key, in order of
    name. A session without such a request is not in it.
    """
    chosen, _ = _chosen(source, filters, keys)
    used = (
        select(chosen.c.session_key, chosen.c.model)
        .where(chosen.c.session_key.in_([session_key for session_key, _ in keys]))
        .distinct()
        .order_by(chosen.c.session_key, chosen.c.model)
    )
    models: dict[str, tuple[str, ...]] = {}
    for row in source.rows(used):
        models[row.session_key] = (*models.get(row.session_key, ()), row.model)
    return models


def _chosen(
    source: Source, filters: Filters | None, keys: Sequence[tuple[str, str]]
) -> tuple[Subquery, Select[Any] | None]:
    """The requests to count, and the session keys that have others outside the window."""
    whole = source.by_id("session_id", sorted({session_id for _, session_id in keys}))
    if filters is None:
        return whole, select(whole.c.session_key).where(literal(False))
    if source.schema.has("session_id") and not source.schema.is_indexed("session_id"):
        return source.requests(filters), None
    chosen = select(*whole.c).where(*conditions.passes(whole, filters)).subquery("chosen")
    is_inside = and_(*conditions.passes(whole, Filters(filters.window)))
    outside = select(whole.c.session_key).where(not_(is_inside))
    return chosen, outside


def _figures(chosen: Subquery, session_keys: Sequence[str]) -> Subquery:
    models = func.array_agg(chosen.c.model.distinct(), type_=ARRAY(Text()))
    return (
        select(
            chosen.c.session_key,
            func.min(chosen.c.session_id).label("session_id"),
            func.min(chosen.c.api_key).label("api_key"),
            *(func.max(chosen.c[name]).label(name) for name in ("key", "user", "team")),
            *(func.max(chosen.c[name]).label(name) for name in ("agent", "end_user")),
            models.label("models"),
            func.max(chosen.c.request_id).label("sample_request_id"),
            func.min(chosen.c.started_at).label("started_at"),
            func.max(chosen.c.started_at).label("last_started_at"),
            func.max(chosen.c.ended_at).label("ended_at"),
            measures.requests_count().label("requests"),
            measures.failures(chosen).label("failures"),
            measures.hits(chosen).label("cache_hits"),
            measures.billed(chosen, "total_tokens").label("total_tokens"),
            measures.cost_usd(chosen).label("cost_usd"),
        )
        .where(chosen.c.session_key.in_(session_keys))
        .group_by(chosen.c.session_key)
        .subquery("figures")
    )


def _named(schema: Schema, one: Subquery, outside: Select[Any] | None) -> Select[Any]:
    """Names are looked up here, once for each session, and not for each request."""
    return select(
        one.c.session_key,
        one.c.session_id,
        one.c.api_key,
        name_of(schema, "key", one.c.key, one.c.sample_request_id).label("key_name"),
        one.c.user,
        name_of(schema, "user", one.c.user, one.c.sample_request_id).label("user_name"),
        one.c.team,
        name_of(schema, "team", one.c.team, one.c.sample_request_id).label("team_name"),
        one.c.models,
        one.c.agent,
        one.c.end_user,
        one.c.started_at,
        one.c.last_started_at,
        one.c.ended_at,
        one.c.requests,
        one.c.failures,
        one.c.cache_hits,
        one.c.total_tokens,
        one.c.cost_usd,
        measures.elapsed_ms(one.c.started_at, one.c.ended_at).label("duration_ms"),
        _goes_on(one.c.session_key, outside).label("goes_on"),
    )


def _goes_on(session_key: ColumnElement[str], outside: Select[Any] | None) -> ColumnElement[Any]:
    return null().cast(Boolean()) if outside is None else session_key.in_(outside)


def _few(models: Sequence[str]) -> str:
    """
    >>> _few(["gpt-4o", "claude"]), _few(list("gfedcba"))
    ('claude, gpt-4o', 'a, b, c, d, e +2')
    """
    more = len(models) - MODELS_SHOWN
    return ", ".join(sorted(models)[:MODELS_SHOWN]) + (f" +{more}" if more > 0 else "")

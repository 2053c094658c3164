"""The figures of some sessions by their IDs, and the summary of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    func,
    literal,
    not_,
    null,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Boolean, Text

from tracelib import errors
from tracelib.filters import DIMENSIONS, Filters
from tracelib.selection import Selection
from tracelib.source import Numbered, Postgres, Source
from tracelib.spendlogs import conditions, measures
from tracelib.spendlogs.figures import FIGURES, chosen
from tracelib.spendlogs.measures import (
    Relation,
    alphabetical,
    client_tags,
    first_of,
    last_of,
)

MODELS_SHOWN = 5
USED = (
    *("request_id", "session_id", "session_key", "api_key", "stored_key"),
    *("started_at", "ended_at", "is_failure", "is_cache_hit", "total_tokens", "spend_usd"),
    *dict.fromkeys(("key", "user", "team", "agent", "end_user", "model", *DIMENSIONS)),
)
OF_LISTED = ("requests", "failures", "cache_hits", "total_tokens", "cost_usd")


def figures(
    source: Source, filters: Filters | None, keys: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """What are the figures of these sessions, within the filters? In the order of `keys`.

    A key is a pair of session key and session ID. Without filters, of the whole sessions.
    """
    requests, outside = _chosen(source, filters, keys)
    return in_order(_frame(source, requests, outside), [session_key for session_key, _ in keys])


def figures_by_number(source: Numbered, filters: Filters, numbers: Sequence[int]) -> pd.DataFrame:
    """What are the figures of the sessions with these numbers, within the filters?

    The rows of `figures` in any order, none for a session without such a request.
    """
    found = source.numbered(numbers)
    if found is not None:
        return _frame(source, *_within(found, filters))
    every = source.requests(filters)
    is_one = every.c.session_group.in_(numbers)
    return _frame(source, select(*every.c).where(is_one).subquery("scanned"), None)


def in_order(sessions: pd.DataFrame, session_keys: Sequence[str]) -> pd.DataFrame:
    """The rows of these sessions, in this order; those that are gone by now are left out."""
    places = {session_key: place for place, session_key in enumerate(session_keys)}
    shown = sessions[sessions["session_key"].isin(places)]
    return shown.sort_values("session_key", key=lambda one: one.map(places), ignore_index=True)


def models_of(
    source: Source, filters: Filters, keys: Sequence[tuple[str, str]]
) -> Mapping[str, tuple[str, ...]]:
    """Which models did each of these sessions use, within the filters?

    A key is a pair of session key and session ID. By session key, models by name. A session without
    such a request is left out.
    """
    requests, _ = _chosen(source, filters, keys)
    used = (
        select(requests.c.session_key, requests.c.model)
        .group_by(requests.c.session_key, requests.c.model)
        .order_by(alphabetical(requests.c.session_key), alphabetical(requests.c.model))
    )
    models: dict[str, tuple[str, ...]] = {}
    for row in source.rows(used):
        models[row.session_key] = (*models.get(row.session_key, ()), row.model)
    return models


def _chosen(
    source: Source, filters: Filters | None, keys: Sequence[tuple[str, str]]
) -> tuple[Relation, Select[Any] | None]:
    """The requests to count, and the session keys that have others outside the window."""
    found = source.of_sessions(keys)
    return (_scanned(source, filters, keys), None) if found is None else _within(found, filters)


def _within(found: Subquery, filters: Filters | None) -> tuple[Relation, Select[Any]]:
    """The requests of whole sessions to count, and the session keys that have others, too."""
    # Read once for both uses; only what is used, as the other columns are expensive.
    whole = select(*(found.c[name] for name in USED)).cte("whole")
    if filters is None:
        return whole, select(whole.c.session_key).where(literal(False))
    requests = select(*whole.c).where(*conditions.passes(whole, filters)).subquery("chosen")
    is_inside = and_(*conditions.passes(whole, Filters(filters.window)))
    outside = select(whole.c.session_key).where(not_(is_inside))
    return requests, outside


def _scanned(source: Source, filters: Filters | None, keys: Sequence[tuple[str, str]]) -> Subquery:
    if filters is None:
        found = source.by_id("session_id", sorted({session_id for _, session_id in keys}))
    else:
        found = source.requests(filters)
    is_one = found.c.session_key.in_([session_key for session_key, _ in keys])
    return select(*found.c).where(is_one).subquery("scanned")


def _frame(source: Source, requests: Relation, outside: Select[Any] | None) -> pd.DataFrame:
    frame = source.frame(_named(source, _figures(requests), outside))
    frame["models"] = pd.Series([_few(models) for models in frame["models"]], dtype="str")
    return frame


def _figures(requests: Relation) -> Subquery:
    models = func.array_agg(requests.c.model.distinct(), type_=ARRAY(Text()))
    return (
        select(
            requests.c.session_key,
            first_of(requests.c.session_id).label("session_id"),
            first_of(requests.c.api_key).label("api_key"),
            *(last_of(requests.c[name]).label(name) for name in ("key", "user", "team")),
            *(last_of(requests.c[name]).label(name) for name in ("agent", "end_user")),
            models.label("models"),
            measures.sample(requests),
            func.min(requests.c.started_at).label("started_at"),
            func.max(requests.c.started_at).label("last_started_at"),
            func.max(requests.c.ended_at).label("ended_at"),
            *chosen(requests, *OF_LISTED),
        )
        .group_by(requests.c.session_key)
        .subquery("figures")
    )


def _named(source: Source, one: Subquery, outside: Select[Any] | None) -> Select[Any]:
    """Look up names here, once per session instead of once per request."""
    return select(
        one.c.session_key,
        one.c.session_id,
        one.c.api_key,
        source.name_of("key", one.c.key, one.c.sample).label("key_name"),
        one.c.user,
        source.name_of("user", one.c.user, one.c.sample).label("user_name"),
        one.c.team,
        source.name_of("team", one.c.team, one.c.sample).label("team_name"),
        one.c.models,
        one.c.agent,
        one.c.end_user,
        one.c.started_at,
        one.c.last_started_at,
        one.c.ended_at,
        *(one.c[name] for name in OF_LISTED),
        measures.elapsed_ms(one.c.started_at, one.c.ended_at).label("duration_ms"),
        _continues_outside(one.c.session_key, outside).label("goes_on"),
    )


def _continues_outside(
    session_key: ColumnElement[str], outside: Select[Any] | None
) -> ColumnElement[Any]:
    return null().cast(Boolean()) if outside is None else session_key.in_(outside)


def _few(models: Sequence[str]) -> str:
    """
    >>> _few(["gpt-4o", "claude"]), _few(list("gfedcba"))
    ('claude, gpt-4o', 'a, b, c, d, e +2')
    """
    more = len(models) - MODELS_SHOWN
    return ", ".join(sorted(models)[:MODELS_SHOWN]) + (f" +{more}" if more > 0 else "")


MOST_TAGS = 20


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session's figures. Times aware UTC, costs US dollars, durations ms, absent is None.

    `session_id` is that of the session, or of the first of several joined sessions; requests that
    were joined one by one have no common ID, so it is the ID of the first. Tokens are those billed;
    what LiteLLM's cache repeated is in `replayed_tokens`. `duration_ms` is from the first start to
    the last end, `model_ms` the time of all requests.
    """

    session_id: str
    api_key: str
    key_name: str | None
    user: str | None
    user_name: str | None
    team: str | None
    team_name: str | None
    agent: str | None
    end_user: str | None
    models: tuple[str, ...]
    providers: tuple[str, ...]
    started_at: datetime
    ended_at: datetime
    duration_ms: float | None
    model_ms: float | None
    requests: int
    failures: int
    cache_hits: int
    cost_usd: float
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    replayed_tokens: int
    response_ms_avg: float | None
    response_ms_p95: float | None
    ttft_ms_p50: float | None
    tags: tuple[str, ...]


OF_SUMMARY = tuple(field.name for field in fields(SessionSummary) if field.name in FIGURES)


def summary(source: Postgres, selection: Selection) -> SessionSummary:
    """What are the figures of this session, from its first request to its last?

    Raises NoSuchSession if none of its rows is left.
    """
    requests = source.selected(selection)
    row = source.row(_with_names(source, _summed(requests), _tags(requests)))._asdict()
    if not row["requests"]:
        raise errors.NoSuchSession()
    row |= {
        "session_id": (*selection.session_ids, *selection.request_ids)[0],
        "api_key": selection.api_key,
        "models": tuple(sorted(row["models"])),
        "providers": tuple(sorted(row["providers"] or ())),
        "cost_usd": float(row["cost_usd"]),
        "tags": tuple(row["tags"]),
    }
    return SessionSummary(**row)


def _summed(requests: Subquery) -> Subquery:
    return select(
        *(last_of(requests.c[name]).label(name) for name in ("key", "user", "team")),
        *(last_of(requests.c[name]).label(name) for name in ("agent", "end_user")),
        measures.sample(requests),
        _all_of(requests, "model").label("models"),
        _all_of(requests, "provider").label("providers"),
        func.min(requests.c.started_at).label("started_at"),
        func.max(requests.c.ended_at).label("ended_at"),
        func.sum(requests.c.latency_ms).label("model_ms"),
        *chosen(requests, *OF_SUMMARY),
    ).subquery("figures")


def _all_of(requests: Subquery, name: str) -> Any:
    value = requests.c[name]
    return func.array_agg(value.distinct(), type_=ARRAY(Text())).filter(value.is_not(None))


def _with_names(source: Postgres, one: Subquery, tags: ColumnElement[Any]) -> Select[Any]:
    hidden = ("key", "sample")
    return select(
        *(column for column in one.c if column.name not in hidden),
        *(
            source.name_of(dimension, one.c[dimension], one.c.sample).label(f"{dimension}_name")
            for dimension in ("key", "user", "team")
        ),
        measures.elapsed_ms(one.c.started_at, one.c.ended_at).label("duration_ms"),
        tags.label("tags"),
    )


def _tags(requests: Subquery) -> ColumnElement[Any]:
    """The client's own tags, the most frequent first, as one value: this saves a statement."""
    tag = client_tags(requests.c.request_tags)
    most_used = (
        select(tag.c.tag)
        .select_from(requests.join(tag, true()))
        .group_by(tag.c.tag)
        .order_by(func.count().desc(), alphabetical(tag.c.tag))
        .limit(MOST_TAGS)
    )
    return func.array(most_used.scalar_subquery(), type_=ARRAY(Text()))

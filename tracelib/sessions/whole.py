"""One session as a whole, whatever the time range shows of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from tracelib import errors
from tracelib.schema import Schema
from tracelib.selection import Selection
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.names import name_of
from tracelib.spendlogs.tags import client_tags

MOST_TAGS = 20


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session's figures. Times aware UTC, costs US dollars, durations ms, absent is None.

    `session_id` is that of the session, or of the first that was joined to it; requests that
    were joined one by one have none in common, so theirs is the id of the first request.
    Tokens are those billed; what LiteLLM's cache repeated is in `replayed_tokens`.
    `duration_ms` is from the first start to the last end, `model_ms` the time of all requests.
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


def summary(source: Source, selection: Selection) -> SessionSummary:
    """What did this session do, cost and take, from its first request to its last?

    Raises NoSuchSession where no row is left of it.
    """
    requests = source.selected(selection)
    row = source.row(_with_names(source.schema, _summed(requests), _tags(requests)))._asdict()
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
        *(func.max(requests.c[name]).label(name) for name in ("key", "user", "team")),
        *(func.max(requests.c[name]).label(name) for name in ("agent", "end_user")),
        func.max(requests.c.request_id).label("sample_request_id"),
        _all_of(requests, "model").label("models"),
        _all_of(requests, "provider").label("providers"),
        func.min(requests.c.started_at).label("started_at"),
        func.max(requests.c.ended_at).label("ended_at"),
        func.sum(requests.c.latency_ms).label("model_ms"),
        measures.requests_count().label("requests"),
        measures.failures(requests).label("failures"),
        measures.hits(requests).label("cache_hits"),
        measures.cost_usd(requests).label("cost_usd"),
        measures.billed(requests, "prompt_tokens").label("prompt_tokens"),
        measures.billed(requests, "completion_tokens").label("completion_tokens"),
        measures.billed(requests, "total_tokens").label("total_tokens"),
        measures.replayed(requests, "total_tokens").label("replayed_tokens"),
        measures.average(requests.c.response_ms).label("response_ms_avg"),
        measures.percentile(requests.c.response_ms, 0.95).label("response_ms_p95"),
        measures.percentile(requests.c.ttft_ms, 0.5).label("ttft_ms_p50"),
    ).subquery("figures")


def _all_of(requests: Subquery, name: str) -> Any:
    value = requests.c[name]
    return func.array_agg(value.distinct(), type_=ARRAY(Text())).filter(value.is_not(None))


def _with_names(schema: Schema, one: Subquery, tags: ColumnElement[Any]) -> Select[Any]:
    hidden = ("key", "sample_request_id")
    return select(
        *(column for column in one.c if column.name not in hidden),
        *(
            name_of(schema, dimension, one.c[dimension], one.c.sample_request_id).label(
                f"{dimension}_name"
            )
            for dimension in ("key", "user", "team")
        ),
        measures.elapsed_ms(one.c.started_at, one.c.ended_at).label("duration_ms"),
        tags.label("tags"),
    )


def _tags(requests: Subquery) -> ColumnElement[Any]:
    """The client's own tags, those on most requests first, as one value: a statement fewer."""
    tag = client_tags(requests.c.request_tags)
    most_used = (
        select(tag.c.tag)
        .select_from(requests.join(tag, true()))
        .group_by(tag.c.tag)
        .order_by(func.count().desc(), tag.c.tag)
        .limit(MOST_TAGS)
    )
    return func.array(most_used.scalar_subquery(), type_=ARRAY(Text()))

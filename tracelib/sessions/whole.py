"""One session as a whole, whatever the time range shows of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Subquery, case, column, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Text

from tracelib import errors
from tracelib.schema import Schema
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.conditions import of_key
from tracelib.spendlogs.names import name_of

MOST_TAGS = 20
# LiteLLM adds two of these to what the client tagged.
AUTOMATIC_TAG = "User-Agent:"


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session's figures. Times aware UTC, costs US dollars, durations ms, absent is None.

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


def summary(source: Source, session_id: str, api_key: str) -> SessionSummary:
    """What did this session do, cost and take, from its first request to its last?

    Raises NoSuchSession where no row is left of it.
    """
    requests = _requests(source, session_id, api_key)
    row = source.row(_named(source.schema, _figures(requests)))._asdict()
    if not row["requests"]:
        raise errors.NoSuchSession()
    row |= {
        "session_id": session_id,
        "api_key": api_key,
        "models": tuple(sorted(row["models"])),
        "providers": tuple(sorted(row["providers"] or ())),
        "cost_usd": float(row["cost_usd"]),
        "tags": tuple(tag for (tag,) in source.rows(_tags(requests))),
    }
    return SessionSummary(**row)


def _requests(source: Source, session_id: str, api_key: str) -> Subquery:
    found = source.by_id("session_id", [session_id])
    return select(*found.c).where(of_key(found, api_key)).subquery("session")


def _figures(requests: Subquery) -> Subquery:
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


def _named(schema: Schema, one: Subquery) -> Select[Any]:
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
    )


def _tags(requests: Subquery) -> Select[Any]:
    """The client's own tags, those on most requests first."""
    listed = case(
        (func.jsonb_typeof(requests.c.request_tags) == "array", requests.c.request_tags),
        else_=func.jsonb_build_array(type_=JSONB()),
    )
    tags = (
        func.jsonb_array_elements_text(listed)
        .table_valued(column("tag", Text()), name="tags")
        .render_derived()
    )
    tag = tags.c.tag
    return (
        select(tag)
        .select_from(requests.join(tags, true()))
        .where(tag != "", tag.not_like(f"{AUTOMATIC_TAG}%"))
        .group_by(tag)
        .order_by(func.count().desc(), tag)
        .limit(MOST_TAGS)
    )

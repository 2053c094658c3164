"""The response models: every field by name, in order, with its unit. `null`: unknown, 0: none."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SHARE = "0 to 1; null when there is nothing to divide by."
BILLED = "Excludes tokens served from LiteLLM’s cache."


class ResponseModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(ResponseModel):
    """From `start` up to, but not including, `end`."""

    start: datetime
    end: datetime


class Latency(ResponseModel):
    """Milliseconds from request to last token, over successes that were not cache hits."""

    avg: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


class FirstToken(ResponseModel):
    """Milliseconds to the first token, and the share of responses for which it is known."""

    p50: float | None
    p95: float | None
    coverage: float | None = Field(description=SHARE)


class Figures(ResponseModel):
    """The figures of the requests in a window."""

    window: Window
    requests: int
    unique_sessions: int
    multi_request_sessions: int
    cost_usd: float
    prompt_tokens: int = Field(description=BILLED)
    completion_tokens: int = Field(description=BILLED)
    total_tokens: int = Field(description=BILLED)
    latency_ms: Latency
    ttft_ms: FirstToken
    cache_hit_rate: float | None = Field(description=SHARE)
    error_rate: float | None = Field(description=SHARE)


class Overview(Figures):
    """The figures of a window, and of the window of equal length before it."""

    previous: Figures


class ModelUsage(ResponseModel):
    """The figures of one model."""

    model: str
    provider: str | None = Field(description="Comma-separated if there are several.")
    requests: int
    share: float = Field(description="Share of all requests in the window, 0 to 1.")
    cost_usd: float
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    latency_ms: Latency
    ttft_ms: FirstToken
    cache_hit_rate: float
    error_rate: float


class Models(ResponseModel):
    """The models that were used, highest cost first, at most 200."""

    window: Window
    models: list[ModelUsage]


class Point(ResponseModel):
    start: datetime
    value: float | None = Field(description="null when no request has this figure.")


class Timeseries(ResponseModel):
    """A figure over time: one point for every bucket that touches the window."""

    window: Window
    metric: str
    bucket: str
    points: list[Point]


class FailureGroup(ResponseModel):
    value: str = Field(description="`(none)` if unknown.")
    failures: int
    share: float = Field(description="Share of all failures, 0 to 1.")
    newest_at: datetime


class FailedRequest(ResponseModel):
    request_id: str
    session_id: str
    api_key_alias: str | None
    user_name: str | None
    team_name: str | None
    started_at: datetime
    model: str
    deployment: str | None
    provider: str | None
    error_class: str | None
    error_code: str | None
    error_message: str | None
    latency_ms: float | None
    cost_usd: float | None = Field(
        description="Usually 0; above 0 mostly for interrupted streams; null if no possible amount "
        "is stored."
    )


class Failures(ResponseModel):
    """Failures in groups, most frequent first, at most 50 of each; and the newest, newest first."""

    window: Window
    requests: int
    failures: int
    classes: list[FailureGroup]
    codes: list[FailureGroup]
    providers: list[FailureGroup]
    models: list[FailureGroup]
    newest: list[FailedRequest]


class QualityCheck(ResponseModel):
    """What one check found."""

    name: str
    title: str
    rows: int | None = Field(description="null when a column for it cannot be read.")
    of: int | None = Field(description="The requests that were read for it.")
    share: float | None = Field(description=SHARE)
    since: datetime | None = Field(description="The first of them in the window; null for none.")
    without: str = Field(description="Why `rows` is unknown; empty if it is known.")
    effect: str
    remedy: str


class Retention(ResponseModel):
    """The horizon and the growth of the whole log; null is unknown."""

    oldest_request_at: datetime | None
    rows: int | None = Field(description="Estimated, of a large log.")
    bytes: int = Field(description="With indexes and out-of-line values.")
    rows_a_day: float | None = Field(description="Of the last week.")
    bytes_a_day: float | None
    deleted_rows: int = Field(description="Since PostgreSQL began to count.")
    kept_days: int | None = Field(
        description="After about so many days requests are deleted; null if that is not evident."
    )
    gone_at: datetime | None = Field(description="When a request of now is deleted then.")
    bytes_in_30_days: float | None = Field(description="null if requests are deleted.")
    bytes_in_90_days: float | None = Field(description="null if requests are deleted.")


class DataQuality(ResponseModel):
    """The checks of the log, the most important first."""

    window: Window
    requests: int
    checks: list[QualityCheck]
    retention: Retention | None = Field(description="null for a scope that is not everyone.")


class Database(ResponseModel):
    reachable: bool
    round_trip_ms: float | None
    version: str | None
    read_only: bool | None = Field(
        description="Whether PostgreSQL itself prevents this role from writing."
    )


class Health(ResponseModel):
    """The health of the app; without a token only `status`."""

    status: Literal["ok", "degraded", "down"]
    database: Database | None = None
    newest_request_at: datetime | None = None
    ingest_lag_s: float | None = None

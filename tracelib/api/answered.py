"""What is answered: every key by name, in order, with its unit. `null` is unknown, 0 is none."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SHARE = "0 to 1; null where it is over nothing."
BILLED = "Without those served from LiteLLM's cache."


class Answered(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(Answered):
    """From `start` up to, but not including, `end`."""

    start: datetime
    end: datetime


class Latency(Answered):
    """Milliseconds from request to last token, over successes that were not cache hits."""

    avg: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


class FirstToken(Answered):
    """Milliseconds to the first token, and of which share of the answers it is known."""

    p50: float | None
    p95: float | None
    coverage: float | None = Field(description=SHARE)


class Figures(Answered):
    """What the requests of a window come to."""

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
    """The figures of a window, and of the window of equal length just before."""

    previous: Figures


class ModelUsage(Answered):
    """What a model was used for."""

    model: str
    provider: str | None = Field(description="Comma-joined where there are several.")
    requests: int
    share: float = Field(description="Of all requests of the window, 0 to 1.")
    cost_usd: float
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    latency_ms: Latency
    ttft_ms: FirstToken
    cache_hit_rate: float
    error_rate: float


class Models(Answered):
    """The models that were used, dearest first, at most 200."""

    window: Window
    models: list[ModelUsage]


class Point(Answered):
    start: datetime
    value: float | None = Field(description="null where there was nothing to tell it by.")


class Timeseries(Answered):
    """A figure over time: every bucket that touches the window, none missing."""

    window: Window
    metric: str
    bucket: str
    points: list[Point]


class FailureGroup(Answered):
    value: str = Field(description="`(none)` where the failures do not say.")
    failures: int
    share: float = Field(description="Of all failures, 0 to 1.")
    newest_at: datetime


class FailedRequest(Answered):
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
    cost_usd: float = Field(description="Above 0 mostly where a stream broke off.")


class Failures(Answered):
    """What failed, most frequent first, at most 50 of each; and the newest, newest first."""

    window: Window
    requests: int
    failures: int
    classes: list[FailureGroup]
    codes: list[FailureGroup]
    providers: list[FailureGroup]
    models: list[FailureGroup]
    newest: list[FailedRequest]


class Database(Answered):
    reachable: bool
    round_trip_ms: float | None
    version: str | None
    read_only: bool | None = Field(
        description="Whether PostgreSQL itself refuses this role to write."
    )


class Health(Answered):
    """Is all well? Without a token no more than the status."""

    status: Literal["ok", "degraded", "down"]
    database: Database | None = None
    newest_request_at: datetime | None = None
    ingest_lag_s: float | None = None

"""The responses about incidents."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from tracelib.api.responses import SHARE, ResponseModel, Window


class IncidentEntity(ResponseModel):
    """All traffic, a provider, or a deployment; `provider` is null for all, or if unknown."""

    level: Literal["all", "provider", "deployment"]
    provider: str | None
    deployment: str | None


class IncidentHit(ResponseModel):
    """A team, user or key with faults. `id` is null for requests without one."""

    id: str | None
    name: str | None
    failures: int
    hidden: int


class IncidentError(ResponseModel):
    """Equal errors: the message without numbers and IDs."""

    error_class: str | None
    error_code: str | None
    signature: str | None
    failures: int
    first_at: datetime
    last_at: datetime
    is_new: bool = Field(description="Whether no earlier failure had it, of those that were read.")


class IncidentSession(ResponseModel):
    """A session with faults, and its newest failed request; null if all faults are hidden."""

    session_id: str
    api_key: str
    api_key_alias: str | None
    model: str
    faults: int
    failed_request_id: str | None


class IncidentResponse(ResponseModel):
    """A stretch of time in which an entity had more faults than usual."""

    entity: IncidentEntity
    sentence: str = Field(description="The incident in words; times in `zone`.")
    since: datetime = Field(description="Start of the first fault.")
    last_at: datetime = Field(description="Start of the last fault.")
    ongoing: bool
    requests: int
    failures: int
    hidden: int | None = Field(
        description="Successes after retries or fallbacks; null if too many to read."
    )
    rate: float = Field(description="The share of requests that were faults, 0 to 1.")
    usual: float = Field(description="The same before it.")
    usual_of: IncidentEntity = Field(description="Of a new deployment, its provider or all.")
    parts: list[IncidentEntity] = Field(description="What had more faults than usual within it.")
    team_count: int
    user_count: int
    key_count: int
    session_count: int
    teams: list[IncidentHit] = Field(description="The five with the most faults.")
    users: list[IncidentHit]
    keys: list[IncidentHit]
    errors: list[IncidentError] = Field(description="The eight most frequent ones.")
    sessions: list[IncidentSession] = Field(description="Three of them.")


class BudgetBurn(ResponseModel):
    """How fast the error budget is used up: 1 just lasts."""

    hours: int
    requests: int
    failures: int
    rate: float | None = Field(description="null without requests.")
    is_fast: bool


class FoundIncidents(ResponseModel):
    """The incidents of a range, ongoing ones first, then the newest; at most ten."""

    window: Window
    sentence: str
    compared: Window = Field(description="What was counted, with the time before the range.")
    requests: int
    tested: int = Field(description="All traffic, providers and deployments that were tested.")
    counts_hidden: bool = Field(description="Whether hidden faults count in the test.")
    incidents: list[IncidentResponse]
    more: int
    error_budget: float | None = Field(description=SHARE)
    burn: list[BudgetBurn]

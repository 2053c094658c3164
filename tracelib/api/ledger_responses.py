"""The response models of the ledgers. Differences are the log minus the daily table."""

from datetime import date, datetime

from pydantic import Field

from tracelib.api.responses import ResponseModel
from tracelib.ledgers import Class
from tracelib.ledgers.words import State

SIGNED = "The log minus the daily table: below 0 if the daily table has more."


class ClassPart(ResponseModel):
    """What one class explains of a difference. All of them add up to it."""

    name: Class
    requests: int = Field(description=SIGNED)
    usd: float = Field(description=SIGNED)


class Compared(ResponseModel):
    """A figure of both ledgers. Exact decimals; tokens include those of cache hits."""

    log_requests: int
    daily_requests: int
    log_usd: float
    daily_usd: float
    difference_requests: int = Field(description=SIGNED)
    difference_usd: float = Field(description=SIGNED)
    log_prompt_tokens: int
    daily_prompt_tokens: int
    log_completion_tokens: int
    daily_completion_tokens: int
    classes: list[ClassPart]


class ComparedDay(Compared):
    """A UTC day, by the start of its requests."""

    date: date
    gateway_requests: int | None = Field(
        description="What the gateway has counted at the end of requests, also of those that it "
        "refused before the log; it is not expected to equal the log. null if unknown."
    )


class BudgetWindow(ResponseModel):
    """The current budget window of a running total."""

    duration: str
    start: datetime
    is_assumed: bool = Field(
        description="Whether the start is computed from the next reset: it is not stored then."
    )
    spend_usd: float
    log_usd: float | None = Field(
        description="null if not all of the window is in the range and the log, or too many begin "
        "at different times."
    )


class RunningTotal(ResponseModel):
    """The total that LiteLLM keeps, at any time."""

    spend_usd: float = Field(description="Since the last reset of the budget.")
    total_usd: float | None = Field(description="Never reset; null where LiteLLM has none.")
    daily_usd: float | None = Field(description="All daily totals together; null if unreadable.")
    state: State
    sentence: str
    windows: list[BudgetWindow]


class ComparedOwner(Compared):
    """A key, team, user or tag over all days."""

    id: str = Field(description="Empty for requests without one.")
    name: str
    running_total: RunningTotal | None = Field(description="null if LiteLLM keeps none for it.")


class ComparedCell(ResponseModel):
    """Requests of one day, owner, key, model, provider and MCP tool, which differ."""

    date: date
    user: str | None = Field(description="null if the comparison is by team.")
    team: str | None = Field(description="null if the comparison is by user.")
    key: str
    model: str
    provider: str
    tool: str
    log_requests: int
    daily_requests: int
    log_usd: float
    daily_usd: float
    difference_requests: int = Field(description=SIGNED)
    difference_usd: float = Field(description=SIGNED)
    classes: list[ClassPart]


class Ledgers(ResponseModel):
    """The log next to LiteLLM’s daily tables and running totals.

    Keys, teams, users and tags have the largest difference first; a list is empty if it cannot be
    compared, and `missing` says why.
    """

    first: date
    last: date
    sentence: str
    days: list[ComparedDay]
    keys: list[ComparedOwner]
    teams: list[ComparedOwner]
    users: list[ComparedOwner]
    tags: list[ComparedOwner]
    largest: list[ComparedCell]
    missing: list[str]
    notes: list[str]

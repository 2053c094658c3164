"""The response about what needs attention."""

from datetime import datetime

from pydantic import Field

from tracelib.api.responses import ResponseModel


class Finding(ResponseModel):
    """One finding. `id` is the same as long as it lasts."""

    id: str
    source: str = Field(description="incidents, loops, anomalies, budgets, ledgers or keys.")
    headline: str
    cause: str
    what_to_do: str
    usd: float | None = Field(description="Beyond what is usual, up to now; null without money.")
    users_hit: int | None = Field(description="null if it hits no one, or it is unknown.")
    requests: int | None
    since: datetime | None
    until: datetime | None = Field(description="null while it lasts.")
    evidence: str | None = Field(
        description="The page of the dashboard with exactly these requests: its path and query."
    )


class FailedSource(ResponseModel):
    """A source of findings that could not be read."""

    source: str
    reason: str


class Findings(ResponseModel):
    """What needs attention: at most ten findings, by `rule`, and those that ended within a day."""

    as_of: datetime
    findings: list[Finding]
    ended: list[Finding]
    total: int = Field(description="How many there are, with those beyond the first ten.")
    tested: list[str]
    not_tested: list[str]
    failed: list[FailedSource]
    rule: str
    false_alarms: str

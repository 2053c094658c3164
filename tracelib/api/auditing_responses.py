"""The response models of the key review and of the evidence of a range."""

from datetime import datetime

from pydantic import Field

from tracelib.api.responses import ResponseModel, Window


class Shown(ResponseModel):
    """The requests that are the evidence of a finding: those of the key in this window."""

    requests: int
    window: Window
    failures_only: bool
    tag: str | None = Field(description="The tag that they share, if they share one.")
    address: str | None = Field(description="The address that they share, if they share one.")


class KeyFinding(ResponseModel):
    """A finding of a key: since when, its evidence, and what to do."""

    finding: str
    since: datetime | None
    evidence: str
    remedy: str
    shown_by: Shown | None = Field(description="null if it is no request.")


class ReviewedKey(ResponseModel):
    """A key with findings. Its hash is never given."""

    key_name: str = Field(description="Its alias, else the start of its hash.")
    user_name: str | None
    team_name: str | None
    findings: list[KeyFinding]


class FindingCount(ResponseModel):
    finding: str
    title: str
    meaning: str
    remedy: str
    keys: int


class Keys(ResponseModel):
    """The keys with findings, gravest finding first, as of the end of the window."""

    window: Window
    keys: int = Field(description="All keys in the scope and filters.")
    reviewed: int
    keys_with_findings: int = Field(description="Those that match, on all pages.")
    log_from: datetime | None = Field(description="The oldest request that was read.")
    unknown: list[str] = Field(description="What could not be judged, and why.")
    counts: list[FindingCount]
    found: list[ReviewedKey]
    next_first: int | None = Field(description="null on the last page.")


class EvidenceDay(ResponseModel):
    """A UTC day with requests."""

    date: str
    requests: int
    failures: int
    with_prompt: int | None
    with_response: int | None
    without_key: int
    cost_usd: float
    gateway_requests: int | None = Field(
        description="What the gateway counted on this whole day; null if it is unknown."
    )
    daily_requests: int | None = Field(
        description="What LiteLLM has added up on this whole day; null if it is unknown."
    )


class Marked(ResponseModel):
    """What LiteLLM did not store whole, among the newest `read` requests."""

    read: int
    truncated: int | None
    redacted: int | None
    in_cold_storage: int | None


class Evidence(ResponseModel):
    """What the log holds of a range, and what it lacks. `null` is unknown."""

    window: Window
    is_complete: bool = Field(description="Nothing of the range is known to be missing.")
    complete: str
    missing: list[str]
    not_stored: list[str]
    unknown: list[str]
    requests: int
    failures: int
    with_prompt: int | None
    with_response: int | None
    without_key: int
    unresolved_requests: int | None = Field(description="By keys that are in no table of keys.")
    unresolved_keys: int | None
    refused_before_logging_at_least: int | None
    in_daily_totals_only_at_least: int | None
    among_newest: Marked
    oldest_in_log: datetime | None
    newest_in_log: datetime | None
    days: list[EvidenceDay]

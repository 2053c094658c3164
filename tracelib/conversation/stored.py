"""One request as LiteLLM stored it, before anything is made of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tracelib.selection import RowId


class Stored(Protocol):
    """What readers of messages need of a stored request: its API, and its bodies."""

    @property
    def call_type(self) -> str | None: ...
    @property
    def request_body(self) -> object: ...
    @property
    def messages_body(self) -> object: ...
    @property
    def response_body(self) -> object: ...


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """One SpendLogs row of a session: its facts, and its three bodies just as they came.

    Times are aware UTC, `spend_usd` is US dollars, absent is None. A body is whatever the
    JSON column held: object, array, text (holding JSON or not), number or None.
    """

    request_id: str
    call_type: str | None
    started_at: datetime
    ended_at: datetime
    model: str
    deployment: str | None
    provider: str | None
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_prompt_tokens: int | None  # read from the provider's prompt cache
    spend_usd: float
    latency_ms: float | None
    ttft_ms: float | None
    is_cache_hit: bool
    is_failure: bool
    error_class: str | None
    error_code: str | None
    error_message: str | None
    asked_model: str | None  # the model group asked for, where a fallback answered
    attempted_retries: int | None
    attempted_fallbacks: int | None
    cold_storage_key: str | None
    request_body: object  # proxy_server_request
    response_body: object  # response
    messages_body: object  # messages
    is_withheld: bool = False  # whether there are bodies that may not be read
    call_id: str | None = None
    background_id: str | None = None  # the background response that it only fetches or bills
    rest: tuple["StoredRequest", ...] = ()  # the other rows of its turn, as they started

    @property
    def row(self) -> RowId:
        """Which row of the log it is."""
        return RowId(self.request_id, self.started_at)

    @property
    def rows(self) -> tuple["StoredRequest", ...]:
        """All rows of its turn, it itself first."""
        return (self, *self.rest)

    @property
    def row_ids(self) -> tuple[RowId, ...]:
        """Which rows of the log its turn is made of, it itself first."""
        return tuple(one.row for one in self.rows)

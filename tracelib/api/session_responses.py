"""The response models of sessions: every field by name, in order, with its unit."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from tracelib.api.responses import BILLED, ResponseModel, Window


class FoundSession(ResponseModel):
    """A session, with the figures of its requests that match the window and filters."""

    session_id: str
    api_key_alias: str | None
    user_id: str | None
    models: list[str]
    requests: int
    failures: int
    cost_usd: float
    total_tokens: int
    duration_s: float | None
    started_at: datetime
    ended_at: datetime


class Scanned(ResponseModel):
    """The progress of a search for text."""

    requests_read: int
    reached: datetime | None = Field(description="Everything from this time on has been searched.")
    is_finished: bool = Field(
        description="Whether the whole window was searched and all matches were returned."
    )


class Sessions(ResponseModel):
    """The sessions that match."""

    window: Window
    sessions: list[FoundSession]
    next_cursor: str | None = Field(description="null on the last page.")
    scanned: Scanned | None = Field(description="null if `text` was not given.")


class SessionLatency(ResponseModel):
    avg: float | None
    p95: float | None


class SessionFirstToken(ResponseModel):
    p50: float | None


class Summary(ResponseModel):
    """The figures of a session, from its first request to its last."""

    session_id: str
    api_key_alias: str | None
    user_id: str | None
    user_name: str | None
    team_id: str | None
    team_name: str | None
    agent: str | None
    end_user: str | None
    tags: list[str]
    models: list[str]
    providers: list[str]
    requests: int
    failures: int
    cache_hits: int
    cost_usd: float
    prompt_tokens: int = Field(description=BILLED)
    completion_tokens: int = Field(description=BILLED)
    total_tokens: int = Field(description=BILLED)
    replayed_tokens: int = Field(description="Served from LiteLLM’s cache.")
    latency_ms: SessionLatency
    ttft_ms: SessionFirstToken
    duration_s: float | None = Field(description="From the first start to the last end.")
    started_at: datetime
    ended_at: datetime


class ToolCall(ResponseModel):
    id: str | None
    name: str | None
    arguments: str = Field(description="As sent, usually JSON.")


class Citation(ResponseModel):
    """A source that a response cites."""

    title: str | None
    text: str = Field(description="Its URL, then the cited text, if known.")


class Change(ResponseModel):
    """A difference between the history in a request and the conversation before it."""

    sentence: str
    content: list[str] = Field(description="The changed messages as they are now.")


class SessionMessage(ResponseModel):
    """A message. Each tool result is a separate message. The figures are those of the turn, and are
    given on one message per turn.
    """

    role: str
    name: str | None
    content: str | None = Field(description="Text; other content is described.")
    reasoning: str | None
    tool_calls: list[ToolCall]
    tool_call_id: str | None = Field(description="The call that this is the result of.")
    is_error: bool = Field(description="Whether the tool reported a failure.")
    citations: list[Citation]
    ending: str | None = Field(
        description="How a response ended, in words; null if it ended normally."
    )
    choice: int | None = Field(
        description="Which of several choices, from 1; null if there is one."
    )
    request_id: str
    started_at: datetime = Field(
        description="The start of its request; with `request_id` it identifies the row of the log."
    )
    model: str
    status: Literal["success", "failure"]
    error: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    latency_ms: float | None
    ttft_ms: float | None
    cache_hit: bool
    changes: list[Change] = Field(
        description="Differences between the history in its request and the conversation before it."
    )
    notes: list[str] = Field(
        description="Limits of what is shown of its request, such as truncated text."
    )


class SessionMessages(ResponseModel):
    """A part of a conversation, each message once."""

    session_id: str
    requests: int = Field(
        description="The number of turns in the session: its requests without those that only "
        "fetch the response of another, and without second rows of the same call."
    )
    first: int
    next_first: int | None = Field(description="`first` for the next part; null at the end.")
    is_compared: bool = Field(
        description="Whether messages of earlier parts are left out; else they may repeat."
    )
    redaction: list[str] = Field(description="The kinds of data that are masked.")
    notes: list[str] = Field(description="Limits of what is shown of the whole part.")
    messages: list[SessionMessage]

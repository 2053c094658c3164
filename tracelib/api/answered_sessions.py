"""What is answered of sessions: every key by name, in order, with its unit."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from tracelib.api.answered import BILLED, Answered, Window


class FoundSession(Answered):
    """A session: the figures of its requests in the window that pass the filters."""

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


class Scanned(Answered):
    """How far a search for text came."""

    requests_read: int
    reached: datetime | None = Field(description="All that was said from here on is searched.")
    is_finished: bool = Field(description="Whether all of the window is read, and all found told.")


class Sessions(Answered):
    """The sessions found."""

    window: Window
    sessions: list[FoundSession]
    next_cursor: str | None = Field(description="null on the last page.")
    scanned: Scanned | None = Field(description="null where no text was sought.")


class SessionLatency(Answered):
    avg: float | None
    p95: float | None


class SessionFirstToken(Answered):
    p50: float | None


class Summary(Answered):
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
    replayed_tokens: int = Field(description="Served from LiteLLM's cache.")
    latency_ms: SessionLatency
    ttft_ms: SessionFirstToken
    duration_s: float | None = Field(description="From the first start to the last end.")
    started_at: datetime
    ended_at: datetime


class ToolCall(Answered):
    id: str | None
    name: str | None
    arguments: str = Field(description="As it was sent: JSON, mostly.")


class Citation(Answered):
    """What an answer refers to."""

    title: str | None
    text: str = Field(description="Its address, then the words that are cited, where known.")


class Change(Answered):
    """How the history that a request sent differs from the conversation before it."""

    sentence: str
    content: list[str] = Field(description="What the changed messages say now.")


class SessionMessage(Answered):
    """A message. Each result of a tool is a message of its own, also where one message held it
    with others. The figures are those of its turn, and stand on one message of each.
    """

    role: str
    name: str | None
    content: str | None = Field(description="Text; what is no text is described.")
    reasoning: str | None
    tool_calls: list[ToolCall]
    tool_call_id: str | None = Field(description="Which call this is the result of.")
    is_error: bool = Field(description="Whether the tool reported that it failed.")
    citations: list[Citation]
    ending: str | None = Field(
        description="How an answer ended, in words; null where it ended normally."
    )
    choice: int | None = Field(description="Which of several answers, from 1; else null.")
    request_id: str
    started_at: datetime = Field(
        description="When its request began; with `request_id` it names the row of the log."
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
        description="How the history of its request differs from the conversation before it."
    )
    notes: list[str] = Field(description="What must be known to read its request rightly.")


class SessionMessages(Answered):
    """Some of a conversation, each message once."""

    session_id: str
    requests: int = Field(
        description="How many turns the session has: each a request, but for what only fetches "
        "the answer of another, or is logged twice."
    )
    first: int
    next_first: int | None = Field(description="`first` of the part after it; null at the end.")
    is_compared: bool = Field(
        description="Whether what the part before said is left out; else it may be said again."
    )
    redaction: list[str] = Field(description="What is masked.")
    notes: list[str] = Field(description="What must be known to read all of this rightly.")
    messages: list[SessionMessage]

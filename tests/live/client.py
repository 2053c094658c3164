"""Sends requests to a proxy as programs do, and keeps what was sent and what came back."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import httpx

from tests.live import answers
from tests.live.answers import Answer, Json

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
RESPONSES = "/v1/responses"
EMBEDDINGS = "/v1/embeddings"

SESSION = "x-litellm-session-id"
AT_ONCE = 4

WHOLE = {
    CHAT: answers.received_by_chat,
    MESSAGES: answers.received_by_messages,
    RESPONSES: answers.received_by_responses,
}
STREAMED = {
    CHAT: answers.streamed_chat,
    MESSAGES: answers.streamed_messages,
    RESPONSES: answers.streamed_responses,
}


@dataclass(frozen=True)
class Request:
    """What a client sends. `key` is the alias of a key, or a key; `session` goes in a header."""

    path: str
    body: Json
    key: str
    session: str | None = None


@dataclass(frozen=True)
class Exchange:
    """A request and what it was answered: JSON, or the text of a stream."""

    request: Request
    status: int
    received: Any
    call_id: str

    @property
    def failed(self) -> bool:
        """Whether it was refused, or its stream ended with an error."""
        if self.status == 200 and self.request.body.get("stream"):
            return any("error" in event for event in answers.events(self.received))
        return self.status != 200

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What the client understood, one for each choice; none where the request failed."""
        if self.failed:
            return ()
        read = STREAMED if self.request.body.get("stream") else WHOLE
        return read[self.request.path](self.received)


@dataclass
class Client:
    """Sends to the proxy at `url`; `keys` are the secrets by alias. Threads may share it."""

    url: str
    keys: Mapping[str, str]
    exchanges: list[Exchange] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._http = httpx.Client(base_url=self.url, timeout=60)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def send(self, request: Request) -> Exchange:
        """Send it, wait for the whole answer, and keep both."""
        secret = self.keys.get(request.key, request.key)
        headers = {"authorization": f"Bearer {secret}", "anthropic-version": "2023-06-01"}
        if request.session:
            headers[SESSION] = request.session
        answer = self._http.post(request.path, json=request.body, headers=headers)
        is_json = answer.headers["content-type"].startswith("application/json")
        received = answer.json() if is_json else answer.text
        call_id = answer.headers.get("x-litellm-call-id", "")
        exchange = Exchange(request, answer.status_code, received, call_id)
        with self._lock:
            self.exchanges.append(exchange)
        return exchange

    def send_all(self, requests: list[Request]) -> None:
        """Send these, a few at a time."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(self.send, requests))

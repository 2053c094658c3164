"""Stands in for OpenAI and Anthropic behind the proxy: answers as told, or says something itself.

What a request is answered follows from the name of its model, first of all: some names fail.
Else it gets the next answer of the script, and where that is empty an echo of its question.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.live import wire
from tests.live.answers import Answer, Call

Json = dict[str, Any]

REFUSALS = {
    "refuses-the-key": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key."),
    "limits-the-rate": (429, "tokens", "rate_limit_exceeded", "Rate limit reached."),
    "is-broken": (500, "server_error", None, "The server had an error."),
    "knows-short-prompts": (
        *(400, "invalid_request_error", "context_length_exceeded"),
        "This model's maximum context length is 128000 tokens.",
    ),
}
"""The models that always refuse: status, type, code and message of the error."""

SLOW = "is-slow"
SLOW_S = 1.5
BREAKS = "breaks-off"
REPEATS = "repeats-its-id"
"""A model that is too slow for the proxy, one whose streams end after three words, and one whose
answers all have the same id."""

CACHED_PREFIX = "cached prefix "
CACHED_TOKENS = 1024
"""A prompt with these words was seen before: so many of its tokens are cheaper."""

FORMATS = {
    "/chat/completions": (wire.chat, wire.chat_events),
    "/messages": (wire.message, wire.message_events),
    "/responses": (wire.response, wire.response_events),
}


class Vendor:
    """One server on a free port of this machine; `url` is its address."""

    def __init__(self) -> None:
        self._script: deque[Sequence[Answer]] = deque()
        self._may_answer = threading.Event()
        self._may_answer.set()
        self._arrived = threading.Semaphore(0)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.vendor = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["Vendor"]:
        """Serve until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def will_answer(self, *choices: Answer) -> None:
        """Answer the next request that is not answered yet with these choices."""
        self._script.append(choices)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Answer nobody before the end of the block."""
        while self._arrived.acquire(blocking=False):
            pass
        self._may_answer.clear()
        try:
            yield
        finally:
            self._may_answer.set()

    def wait_for_request(self, or_until: Callable[[], bool]) -> None:
        """Wait until one more request has come since answers are held back, or until this."""
        while not self._arrived.acquire(timeout=0.05) and not or_until():
            pass

    def forget_answers(self) -> None:
        """Forget the answers that nobody was given."""
        self._script.clear()

    def choices_for(self, body: Json) -> Sequence[Answer]:
        """What this request is answered, once it may be."""
        choices = self._script.popleft() if self._script else (echo(body),)
        self._arrived.release()
        self._may_answer.wait()
        return choices


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    vendor: Vendor


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError):  # a proxy that has waited long enough hangs up
            super().handle()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        path = self.path.partition("?")[0].removeprefix("/v1")
        if body["model"] in REFUSALS:
            self._refuse(*REFUSALS[body["model"]])
        elif path == "/embeddings":
            self._send(200, _embeddings(body))
        elif body["model"] == SLOW:
            time.sleep(SLOW_S)  # who asked has given up by then: there is nobody to answer
            self.close_connection = True
        else:
            self._answer(path, body)

    def _answer(self, path: str, body: Json) -> None:
        whole, events = FORMATS[path]
        prompt, cached = _prompt_tokens(body)
        given = (body, self.server.vendor.choices_for(body), prompt, cached)
        if body.get("stream"):
            self._stream(events(*given), breaks=body["model"] == BREAKS)
        else:
            own = {"id": "chatcmpl-again"} if body["model"] == REPEATS else {}
            self._send(200, whole(*given) | own)

    def _refuse(self, status: int, kind: str, code: str | None, words: str) -> None:
        error = {"message": words, "type": kind, "param": None, "code": code}
        self._send(status, {"error": error})

    def _send(self, status: int, content: Json) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, events: Iterator[wire.Event], breaks: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, (name, event) in enumerate(events):
            if breaks and number > 3:
                self.close_connection = True
                return
            line = f"event: {name}\n" if name else ""
            self._chunk(f"{line}data: {json.dumps(event)}\n\n")
        if not name:
            self._chunk("data: [DONE]\n\n")
        self._chunk("")

    def _chunk(self, text: str) -> None:
        """An empty one ends the answer."""
        content = text.encode()
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self.wfile.flush()


def _prompt_tokens(body: Json) -> tuple[int, int]:
    """The tokens of a prompt, and how many of them were cached."""
    prompt = [body.get(name, "") for name in ("system", "instructions", "messages", "input")]
    is_cached = CACHED_PREFIX in json.dumps(prompt)
    return wire.tokens(prompt) + 8, CACHED_TOKENS if is_cached else 0


def echo(body: Json) -> Answer:
    """What a request is answered that the script has no answer for."""
    last = body.get("messages") or body.get("input")
    last = last if isinstance(last, str) else last[-1]
    tools = body.get("tools")
    is_result = isinstance(last, dict) and "tool" in json.dumps(last)
    if tools and not is_result:
        name = tools[0].get("name") or tools[0]["function"]["name"]
        return Answer("", (Call(name, '{"city": "Paris"}', wire.new_id("call_")),))
    return Answer(f"You said: {_text(last)[:60]}")


def _text(message: Json | str) -> str:
    content = message if isinstance(message, str) else message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(block.get("text", "") for block in content)


def _embeddings(body: Json) -> Json:
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vectors = [
        {"object": "embedding", "index": index, "embedding": [0.01] * 8}
        for index, _ in enumerate(inputs)
    ]
    count = 7 * len(inputs)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": vectors, "model": body["model"], "usage": usage}

"""What a proxy says of its health, asked of real HTTP servers, good and bad ones."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.server import free_port
from tracelib.status import ProxyHealth, proxy_health

Answer = Callable[[BaseHTTPRequestHandler], None]
READINESS = {"status": "healthy", "db": "connected", "litellm_version": "1.109.1", "cache": None}


def saying(status: int, body: object, **headers: str) -> Answer:
    """An answer of this status, JSON unless the body is bytes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


ALIVE = saying(200, "I'm alive!")


@contextmanager
def serving(answers: dict[str, Answer], asked: list) -> Iterator[str]:
    """A server on 127.0.0.1 with these answers by path; `asked` gets each request's headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            answers.get(self.path, saying(404, {"detail": "Not Found"}))(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def straight(monkeypatch) -> None:
    """Whatever web proxy this machine uses, our own servers are asked directly."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def proxy() -> Iterator[Callable[..., str]]:
    """Makes servers: `proxy(liveliness, readiness, **other paths)` is the URL of one."""
    with ExitStack() as running:

        def make(alive: Answer = ALIVE, ready: Answer | None = None, asked=None, **other) -> str:
            answers = {"/health/liveliness": alive} | {f"/{path}": other[path] for path in other}
            if ready:
                answers["/health/readiness"] = ready
            return running.enter_context(serving(answers, [] if asked is None else asked))

        yield make


def test_a_proxy_that_is_well_says_its_version_and_that_its_database_is_there(proxy):
    url = proxy(ready=saying(200, READINESS))
    expected = ProxyHealth(True, True, "connected", "1.109.1", "")
    assert proxy_health(url) == proxy_health(url + "/") == expected


def test_a_proxy_that_says_little_is_still_ready(proxy):
    url = proxy(ready=saying(200, {"status": "healthy"}))
    assert proxy_health(url) == ProxyHealth(True, True, None, None, "")


def test_a_proxy_without_its_database_is_said_so(proxy):
    health = proxy_health(proxy(ready=saying(200, READINESS | {"db": "Not connected"})))
    assert (health.ready, health.database) == (True, "Not connected")
    assert health.sentence == "The proxy is ready but reports that its database is not connected."


def test_a_proxy_that_is_not_ready_is_alive_all_the_same(proxy):
    health = proxy_health(proxy(ready=saying(503, {"detail": "Service Unhealthy"})))
    sentence = "The proxy is alive but not ready: it returned status 503."
    assert health == ProxyHealth(True, False, None, None, sentence)


def test_a_proxy_that_shuts_down_is_not_alive(proxy):
    health = proxy_health(proxy(alive=saying(503, {"status": "shutting_down"})))
    sentence = "The proxy is not healthy: it returned status 503."
    assert health == ProxyHealth(False, False, None, None, sentence)


def test_no_key_and_no_cookie_is_sent(proxy):
    asked: list = []
    proxy_health(proxy(ready=saying(200, READINESS), asked=asked))
    assert [path for path, _ in asked] == ["/health/liveliness", "/health/readiness"]
    for _, headers in asked:
        assert set(headers) <= {"Accept", "Accept-Encoding", "Host", "User-Agent", "Connection"}


def test_a_redirect_to_another_host_is_not_followed(proxy):
    elsewhere: list = []
    other = proxy(ready=saying(200, READINESS), asked=elsewhere)
    url = proxy(alive=saying(302, "", Location=f"{other}/health/liveliness"))
    health = proxy_health(url)
    assert (health.alive, elsewhere) == (False, [])
    assert health.sentence == "The proxy is not responding: it redirects to another host."


def test_a_redirect_within_the_host_is_followed(proxy):
    url = proxy(alive=saying(307, "", Location="/moved"), ready=saying(200, READINESS), moved=ALIVE)
    assert proxy_health(url).ready


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"[1]", b'"text"', b"null", b"[" * 50_000, b"<html>", b"9" * 5_000],
    ids=lambda body: repr(body[:8]),
)
def test_an_answer_that_is_no_object_says_nothing(proxy, body):
    assert proxy_health(proxy(ready=saying(200, body))) == ProxyHealth(True, True, None, None, "")


def test_values_that_are_no_texts_say_nothing_and_long_ones_are_cut(proxy):
    said = {"db": {"a": 1}, "litellm_version": "1" * 9_000}
    health = proxy_health(proxy(ready=saying(200, said)))
    assert (health.database, health.version) == (None, "1" * 200)


def test_nobody_there_is_a_sentence(proxy):
    health = proxy_health(f"http://127.0.0.1:{free_port()}", timeout_s=1)
    assert health.sentence == "The proxy is not responding: Connection refused."


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1:4000", "", "http://", "http://[::1"),
        *(
            "http://127.0.0.1:port",
            "http://127.0.0.1:99999",
            "http://a b/",
            "http://\n/",
            "http://é\0",
        ),
        *("http://nosuchhost.invalid", "https://127.0.0.1:1", "http://user:pass@127.0.0.1:1"),
    ],
)
def test_an_address_that_cannot_be_asked_is_a_sentence(url):
    health = proxy_health(url, timeout_s=1)
    assert not health.alive
    assert health.sentence.startswith("The proxy is not responding: ")
    assert "pass" not in health.sentence.replace("passwd", "")


def test_an_https_address_of_a_plain_server_is_a_sentence(proxy):
    health = proxy_health(proxy().replace("http:", "https:"), timeout_s=1)
    assert health.sentence.startswith("The proxy is not responding: ")


def test_a_server_that_never_answers_does_not_hold_us_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        health = proxy_health(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.2)
    assert not health.alive
    assert time.monotonic() - started < 2


def test_a_server_that_drips_does_not_hold_us_up(proxy):
    def dripping(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return
            time.sleep(0.05)

    started = time.monotonic()
    health = proxy_health(proxy(ready=dripping), timeout_s=0.3)
    assert time.monotonic() - started < 2
    assert health.sentence == "The proxy is not responding: the response took too long."


def test_a_server_that_speaks_no_http_is_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as odd:

        def answer() -> None:
            client, _ = odd.accept()
            with client:
                client.recv(1_000)
                client.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        health = proxy_health(f"http://127.0.0.1:{odd.getsockname()[1]}", timeout_s=1)
        thread.join()
    assert health.sentence.startswith("The proxy is not responding: ")

"""By which names the app may be opened: a page of another site cannot pass for it."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from tracelib import errors, hosts
from tracelib.hosts import HostNames
from tracelib.querying.installation import host_names
from tracelib.settings import read_settings

OURS = HostNames(("traces.example.com", "*.example.org"), ("known.example.com",))
NOTHING_SET = HostNames(known=("known.example.com",))
ANYTHING = HostNames(("*",))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        (" , ", ()),
        ("*", ("*",)),
        ("Traces.example.com,*.Example.org ,a", ("traces.example.com", "*.example.org", "a")),
    ],
)
def test_names_are_set_with_commas(text, names):
    assert read_settings({"TRACELIB_ALLOWED_HOSTS": text}).allowed_hosts == names


@pytest.mark.parametrize(
    "text", ["https://a.example", "a:8501", "a/b", "a b", "*a.example", "a.*", "ada@a", "*.", "[::"]
)
def test_what_is_no_name_is_refused_in_a_sentence(text):
    with pytest.raises(errors.BadSetting, match=r"TRACELIB_ALLOWED_HOSTS: .* is not a host name;"):
        read_settings({"TRACELIB_ALLOWED_HOSTS": text})


@pytest.mark.parametrize(
    ("host", "by_default", "where_set"),
    [
        *((one, True, True) for one in ("localhost", "LOCALHOST:8501", "app.localhost:1", None)),
        *((one, True, True) for one in ("127.0.0.1:8501", "[::1]:8501", "10.0.0.7", "[fe80::1]")),
        ("known.example.com", True, True),
        *((one, False, True) for one in ("traces.example.com:8501", "TRACES.example.com.")),
        *((one, False, True) for one in ("a.example.org", "a.b.example.org:443")),
        *((one, False, False) for one in ("example.org", "evilexample.org", "evil.example", "")),
        *(
            (one, False, False)
            for one in ("traces.example.com.evil.example", "localhost.evil.example")
        ),
        *((one, False, False) for one in ("ada@localhost", "localhost/a", "localhost:a", "[::1")),
        *((one, False, False) for one in ("127.0.0.1.evil.example", "local host", "a" * 300)),
    ],
)
def test_which_hosts_are_ours(host, by_default, where_set):
    assert NOTHING_SET.allow(host, is_local=True) is by_default
    assert [OURS.allow(host, is_local) for is_local in (True, False)] == [where_set] * 2
    assert NOTHING_SET.allow(host, is_local=False)


def test_everything_may_be_allowed():
    assert ANYTHING.allow("evil.example", is_local=True)
    assert not ANYTHING.allow("a b", is_local=True)
    assert not ANYTHING.allow_origin("http://evil.example", "localhost")


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://localhost:8501", "localhost:8501", True),
        ("https://elsewhere.example", "Elsewhere.example", True),
        ("https://traces.example.com", "internal:8501", True),
        ("https://a.example.org:8443", None, True),
        ("http://localhost:9999", "localhost:8501", False),
        ("http://127.0.0.1:9999", "127.0.0.1:8501", False),
        ("http://localhost:8501", "127.0.0.1:8501", False),
        ("https://evil.example", "traces.example.com", False),
        ("https://traces.example.com@evil.example", "traces.example.com", False),
        *((one, "localhost", False) for one in ("null", "", "localhost", "http://[::1", "file://")),
        ("file://", "", False),
    ],
)
def test_which_pages_may_connect(origin, host, allowed):
    assert OURS.allow_origin(origin, host) is allowed


@pytest.mark.parametrize(
    ("address", "local"),
    [
        *(
            (one, True)
            for one in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "localhost")
        ),
        *((one, False) for one in ("10.0.0.7", "::", "0.0.0.0", "/run/socket", "", None)),
    ],
)
def test_which_addresses_are_of_this_machine_alone(address, local):
    assert hosts.is_loopback(address) is local


async def _plain(request: object) -> Response:
    return PlainTextResponse("in")


async def _open(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


def inside(base_url: str, names: HostNames) -> TestClient:
    """An app that is reached at this address, and lets everyone in, behind the check."""
    routes = [Route("/", _plain), WebSocketRoute("/socket", _open)]
    checked = Middleware(hosts.only_allowed, read_names=lambda: names)
    return TestClient(Starlette(routes=routes, middleware=[checked]), base_url=base_url)


@pytest.mark.parametrize(
    ("base_url", "names", "status"),
    [
        ("http://127.0.0.1", NOTHING_SET, 421),
        ("http://10.0.0.7", NOTHING_SET, 200),
        ("http://10.0.0.7", OURS, 421),
        ("http://127.0.0.1", ANYTHING, 200),
    ],
)
def test_a_foreign_name_is_refused_with_what_to_set(base_url, names, status):
    client = inside(base_url, names)
    answer = client.get("/", headers={"Host": "evil.example"})
    sentence = "This host name is not allowed. If it is yours, add it to TRACELIB_ALLOWED_HOSTS."
    assert (answer.status_code, answer.text) == (status, "in" if status == 200 else sentence)
    assert client.get("/").text == "in"
    twice = [("Host", "localhost"), ("Host", "localhost")]
    assert client.get("/", headers=twice).status_code == 421


def test_a_websocket_is_refused_before_it_is_open():
    client = inside("http://127.0.0.1", NOTHING_SET)
    for headers, status in (
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost", "Origin": "http://localhost:9999"}, 403),
    ):
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect("ws://127.0.0.1/socket", headers=headers),
        ):
            pass
        assert refused.value.status_code == status
        assert "TRACELIB_ALLOWED_HOSTS" in refused.value.text
    own = {"Host": "localhost", "Origin": "http://localhost"}
    with client.websocket_connect("ws://127.0.0.1/socket", headers=own):
        pass


def test_the_names_are_set_here_or_in_streamlits_own_settings(monkeypatch):
    options = {
        "server.allowedHosts": ["a.example"],
        "server.corsAllowedOrigins": ["https://B.example:8443"],
        "browser.serverAddress": "C.example",
    }
    monkeypatch.setattr("streamlit.get_option", options.__getitem__)
    monkeypatch.delenv("TRACELIB_ALLOWED_HOSTS", raising=False)
    assert host_names() == HostNames(("a.example",), ("c.example", "b.example"))
    monkeypatch.setenv("TRACELIB_ALLOWED_HOSTS", "d.example")
    assert host_names().set == ("d.example",)

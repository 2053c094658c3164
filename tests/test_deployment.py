"""The image, and what stands before and beside it: run as far as a machine without Docker can."""

import ast
import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from fnmatch import fnmatch
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import packages_distributions
from pathlib import Path
from threading import Thread

import pytest
import yaml
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

from tests.server import free_port

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
CADDY = shutil.which("caddy")


def steps(name: str) -> list[str]:
    """What the Dockerfile's instructions of this name say, in their order."""
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)


def is_sent(path: str) -> bool:
    """Is this path sent to the builder? The last line of .dockerignore that fits decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.lstrip("!").removeprefix("**/")
        if any(fnmatch(part, pattern) for part in (path, *path.split("/"))) or path.startswith(
            f"{pattern}/"
        ):
            sent = line.startswith("!")
    return sent


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    """The folder /app of the image: what the COPY steps put there."""
    app = tmp_path_factory.mktemp("app")
    for step in steps("COPY"):
        *sources, place = step.split()
        for source in sources:
            assert is_sent(source), source
            target = app / place / (Path(source).name if place.endswith(("/", ".")) else "")
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("*.pyc"))
            else:
                shutil.copy(ROOT / source, target)
    return app


@pytest.fixture(scope="module")
def address(image, real_rows_database) -> Iterator[str]:
    """The app as the image's command starts it; only where it listens is another."""
    (said,) = steps("CMD")
    command = [part.strip(' "') for part in said.strip("[]").split(",")]
    variables = dict(pair.split("=") for step in steps("ENV") for pair in step.split())
    port = free_port()
    ours = {
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
        "STREAMLIT_SERVER_PORT": str(port),
        "DATABASE_URL": real_rows_database.url,
    }
    with running([sys.executable, "-m", *command], cwd=image, env=os.environ | variables | ours):
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"127.0.0.1:{port}"


@contextmanager
def running(command: list[str], **how) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_for(url: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


async def shown(address: str) -> set[str]:
    """Overview as a browser at this address is given it: the kinds of what stands on it."""
    ask = BackMsg()
    ask.rerun_script.page_name = "Overview"
    ask.rerun_script.query_string = "range=custom&from=2026-11-23&to=2026-11-23&refresh=off"
    url = f"ws://{address}/_stcore/stream"
    kinds = set()
    async with connect(url, origin=f"http://{address}", subprotocols=["streamlit"]) as socket:
        await socket.send(ask.SerializeToString())
        async for part in socket:
            message = ForwardMsg.FromString(part)
            kinds.add(message.delta.new_element.WhichOneof("type"))
            if message.WhichOneof("type") == "script_finished":
                return kinds
    raise ConnectionError(address)


def test_the_image_holds_all_that_the_app_needs(address):
    assert {"metric", "plotly_chart"} <= asyncio.run(shown(address))
    assert urllib.request.urlopen(f"http://{address}/health").status == 200


def test_the_image_calls_a_running_app_healthy_and_another_not(address):
    (said,) = re.findall(r'"(from urllib.request .*)"', DOCKERFILE)
    for port, status in ((address.rpartition(":")[2], 0), (str(free_port()), 1)):
        check = said.replace("8501", port)
        done = subprocess.run([sys.executable, "-c", check], stderr=subprocess.DEVNULL)
        assert done.returncode == status


@pytest.mark.parametrize(
    "path", [".git/config", ".streamlit/secrets.toml", "deploy/.env", "tests/rows.py", "README.md"]
)
def test_nothing_else_is_sent_to_the_builder(path):
    assert not is_sent(path)


def test_the_image_is_not_run_by_root_and_pins_what_it_installs():
    assert steps("USER") == ["10001:10001"]
    assert steps("FROM") == ["python:3.13-slim"]
    pinned = (DEPLOY / "requirements.lock").read_text().splitlines()
    assert all("==" in line for line in pinned if not line.startswith("#"))


def test_what_the_image_installs_is_what_the_app_requires():
    lines = (DEPLOY / "requirements.lock").read_text().lower().replace("_", "-").splitlines()
    pinned = {line.split("==")[0] for line in lines}
    required = re.findall(r"^([\w-]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert {name.lower() for name in required} - pinned == set()


def imported(path: Path) -> set[str]:
    """The top-level modules that this file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_what_the_app_imports_is_required_by_name():
    files = [*ROOT.glob("*.py"), *(ROOT / "pages").glob("*.py"), *(ROOT / "tracelib").rglob("*.py")]
    modules = set().union(*map(imported, files)) - sys.stdlib_module_names - {"tracelib"}
    distributions = packages_distributions()
    written = (ROOT / "requirements.txt").read_text().lower()
    required = set(re.findall(r"^([\w-]+)", written, re.MULTILINE))
    unnamed = {
        module
        for module in modules
        if not {one.lower().replace("_", "-") for one in distributions[module]} & required
    }
    assert unnamed == set()


def documents(name: str) -> list[dict]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def test_the_composition_opens_nothing_to_the_network_and_writes_to_nothing():
    (composition,) = documents("compose.yaml")
    services = composition["services"]
    ports = [port for one in services.values() for port in one.get("ports", [])]
    assert ports == ["127.0.0.1:4000:4000", "127.0.0.1:8501:8501"]
    dashboard = services["dashboard"]
    assert (dashboard["read_only"], dashboard["cap_drop"], dashboard["tmpfs"]) == (
        True,
        ["ALL"],
        ["/tmp"],
    )
    assert "tracelib_reader" in dashboard["environment"]["DATABASE_URL"]
    mounted = [one.split(":")[0] for it in services.values() for one in it.get("volumes", [])]
    assert all((DEPLOY / one).exists() for one in mounted if one.startswith("."))
    named = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert named == set(re.findall(r"^(\w+)=", (DEPLOY / "example.env").read_text(), re.MULTILINE))


def test_kubernetes_runs_it_unprivileged_and_hidden():
    deployment, service, policy = documents("kubernetes.yaml")
    assert [one["kind"] for one in (deployment, service, policy)] == [
        "Deployment",
        "Service",
        "NetworkPolicy",
    ]
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert f"{pod['spec']['securityContext']['runAsUser']}:10001" in steps("USER")
    labels = pod["metadata"]["labels"]
    chosen = (deployment["spec"]["selector"], policy["spec"]["podSelector"])
    assert {"matchLabels": labels} == chosen[0] == chosen[1]
    assert service["spec"]["selector"] == labels
    probes = {container[f"{name}Probe"]["httpGet"]["path"] for name in ("liveness", "readiness")}
    assert probes == {"/_stcore/health"}


@contextmanager
def nginx(app: str, folder: Path) -> Iterator[str]:
    """nginx before an app at this address, as deploy/nginx.conf has it but for TLS; its own."""
    port = free_port()
    site = (DEPLOY / "nginx.conf").read_text()
    for written, here in (
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port};"),
        ("127.0.0.1:8501", app),
    ):
        assert written in site
        site = site.replace(written, here)
    site = re.sub(r"^\s*ssl_certificate.*$", "", site, flags=re.MULTILINE)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{site}}}\n"
    )
    with running([NGINX, "-c", str(folder / "nginx.conf")]):
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"127.0.0.1:{port}"


@contextmanager
def caddy(app: str, folder: Path) -> Iterator[str]:
    """Caddy before an app at this address, as deploy/Caddyfile has it but for TLS; its own."""
    port = free_port()
    site = (DEPLOY / "Caddyfile").read_text()
    site = site.replace("traces.example.com {", f"http://127.0.0.1:{port} {{")
    site = site.replace("{\n", "{\n\tadmin off\n", 1).replace("127.0.0.1:8501", app)
    (folder / "Caddyfile").write_text(site)
    home = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(folder))
    command = [CADDY, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with running(command, env=os.environ | home):
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"127.0.0.1:{port}"


BEFORE = [
    pytest.param(nginx, marks=pytest.mark.skipif(not NGINX, reason="nginx is not installed.")),
    pytest.param(caddy, marks=pytest.mark.skipif(not CADDY, reason="Caddy is not installed.")),
]


@pytest.mark.parametrize("proxy", BEFORE)
def test_a_proxy_leads_to_the_app(proxy, address, tmp_path):
    with proxy(address, tmp_path) as before:
        with urllib.request.urlopen(f"http://{before}/Overview") as page:
            headers = page.headers
        assert headers["Strict-Transport-Security"] == "max-age=31536000"
        assert len(headers.get_all("Content-Security-Policy")) == 1
        assert {"metric", "plotly_chart"} <= asyncio.run(shown(before))


@pytest.mark.parametrize("proxy", BEFORE)
def test_a_proxy_leads_to_no_path_of_streamlits_that_is_not_used(proxy, tmp_path):
    used = {f"/_stcore/{one}" for one in ("health", "host-config", "stream", "bidi-components/a/b")}
    unused = {
        *(f"/_stcore/{one}" for one in ("metrics", "upload_file/a/b", "agent/mcp", "healthy", "")),
        *("/_stcore/%75pload_file/a/b", "/Overview/../_stcore/upload_file/a/b"),
    }
    with hearing() as (app, _), proxy(app, tmp_path) as before:
        answers = {path: status(before, path) for path in used | unused}
    assert {path for path, answer in answers.items() if answer == 204} == used
    assert {answers[path] for path in unused} == {404}


def status(address: str, path: str) -> int:
    """What does a path answer, sent as it is written?"""
    connection = HTTPConnection(address, timeout=30)
    connection.request("GET", path)
    return connection.getresponse().status


@pytest.mark.parametrize("proxy", BEFORE)
def test_a_proxy_passes_on_no_identity_that_a_visitor_claims(proxy, tmp_path):
    said = ("Email", "Groups", "User", "Preferred-Username")
    claims = ("X-Tracelib-Proxy-Secret", *(f"X-Forwarded-{one}" for one in said))
    alike = tuple(name.replace("-", "_") for name in claims)
    with hearing() as (app, heard), proxy(app, tmp_path) as before:
        connection = HTTPConnection(before, timeout=30)
        connection.putrequest("GET", "/")
        for name in (*claims, *map(str.lower, claims), *alike):
            connection.putheader(name, "mine")
        connection.endheaders()
        assert connection.getresponse().status == 204
    assert [heard[-1].get(name) for name in ("Host", *claims, *alike)] == [before, *[None] * 10]


@contextmanager
def hearing() -> Iterator[tuple[str, list[Message]]]:
    """In place of the app: where it listens, and the headers it was sent."""
    heard: list[Message] = []

    class Hearing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *said: object) -> None:
            """Nothing on the tests' own output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hearing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", heard
        server.shutdown()

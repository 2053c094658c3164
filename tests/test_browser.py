"""The app in a real browser: every page, one session, every request it sends."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.rows import name_key, name_team, name_user, spend_log

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = os.environ.get("TRACELIB_BROWSER_TESTS") == "required"
ROOT = Path(__file__).parent.parent
SCREENSHOTS = ROOT / "screenshots"
PAGES = ("", "Overview", "Models", "Sessions", "Status")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM and not REQUIRED, reason="There is no Chromium; install the package chromium."
    ),
]


@contextmanager
def serving(**environment: str) -> Iterator[str]:
    """The app on a free port of this machine, with these variables; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = [sys.executable, "-m", "streamlit", "run", "Home.py", "--server.port", str(port)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=inherited | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def app() -> Iterator[str]:
    """The address of the app, running on its own sample traffic."""
    with serving() as address:
        yield address


def _wait_for(url: str, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise TimeoutError(url)


@pytest.fixture(scope="module")
def browser():
    assert CHROMIUM, "Browser tests are required, and there is no Chromium."
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Visit:
    """A tab, with everything it asked for and complained about."""

    def __init__(self, browser, app: str, scheme: str = "light", width: int = 1440):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            timezone_id="Europe/Paris",
            locale="en-GB",
        )
        self.app = app
        self.page = context.new_page()
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self.page.on("request", lambda asked: self.hosts.add(urlsplit(asked.url).netloc))
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message) -> None:
        # Streamlit looks for its own files relative to a deep link first, and is told 404.
        if message.type == "error" and "404" not in message.text:
            self.complaints.append(message.text)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.app}/{path}")
        self.settle()

    def settle(self) -> None:
        """Wait until the script has run and the charts are drawn."""
        page = self.page
        page.get_by_text("Updated ").first.wait_for(state="attached", timeout=60_000)
        page.wait_for_function(
            "() => !document.querySelector('[data-testid=stStatusWidget]')"
            " && !document.querySelector('[data-testid=stSkeleton]')",
            timeout=60_000,
        )
        page.wait_for_timeout(700)

    def shoot(self, name: str) -> None:
        """A picture of the whole page; Streamlit scrolls inside itself, so the window grows."""
        SCREENSHOTS.mkdir(exist_ok=True)
        width = self.page.viewport_size["width"]
        height = self.page.evaluate(
            "() => document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight + 80"
        )
        self.page.set_viewport_size({"width": width, "height": min(max(height, 900), 6_000)})
        self.page.wait_for_timeout(600)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
        self.page.set_viewport_size({"width": width, "height": 900})

    def check(self) -> None:
        assert self.complaints == []
        assert self.hosts <= {urlsplit(self.app).netloc, ""}
        assert self.page.locator("[data-testid=stException]").count() == 0


@pytest.mark.parametrize(
    ("scheme", "width"),
    [("light", 1440), ("dark", 1440), ("light", 390)],
    ids=["light", "dark", "phone"],
)
def test_every_page_opens_without_complaint(app, browser, scheme, width):
    visit = Visit(browser, app, scheme, width)
    look = "phone" if width < 500 else scheme
    for path in PAGES:
        visit.open(path)
        visit.shoot(f"{path or 'Home'}-{look}")
        assert visit.page.locator("[data-testid=stAlertContentError]").count() == 0
        sideways = visit.page.evaluate(
            "() => document.documentElement.scrollWidth > window.innerWidth"
        )
        assert not sideways
        if path in ("Overview", "Models"):
            assert visit.page.locator(".js-plotly-plot").count() >= 6
    visit.check()


def test_a_session_is_followed_to_its_messages(app, browser):
    visit = Visit(browser, app)
    visit.open("Sessions?sort=length")
    grid = visit.page.locator("[data-testid=stDataFrame]").first
    # The first cell of a row is its selection box; canvas cells have no elements of their own.
    grid.click(position={"x": 14, "y": 54})
    visit.page.wait_for_url("**session=**", timeout=20_000)
    visit.settle()
    assert visit.page.get_by_text("All sessions").count() == 1
    assert visit.page.locator("[class*=st-key-role-]").count() > 3
    visit.shoot("Session-light")
    visit.page.get_by_role("button", name="All sessions").click()
    visit.page.wait_for_url(lambda url: "session=" not in url and "sort=length" in url)
    visit.settle()
    visit.page.wait_for_timeout(1_500)
    assert "session=" not in visit.page.url
    assert visit.page.locator("[data-testid=stDataFrame]").count() == 1
    visit.check()


def test_the_range_changes_the_figures_and_stays_on_the_next_page(app, browser):
    visit = Visit(browser, app)
    visit.open("Overview?range=24h")
    day = visit.page.locator("[data-testid=stMetricValue]").first.inner_text()
    visit.page.get_by_label("Time range").first.click()
    visit.page.get_by_role("option", name="Last 30 days").click()
    visit.page.wait_for_url("**range=30d**", timeout=20_000)
    visit.settle()
    month = visit.page.locator("[data-testid=stMetricValue]").first.inner_text()
    assert day != month
    visit.page.get_by_role("link", name="Models").first.click()
    visit.page.wait_for_url("**/Models?range=30d**", timeout=20_000)
    visit.settle()
    assert visit.page.get_by_text("Last 30 days,").count() == 1
    visit.check()


CANARY = "http://canary.invalid"
HOSTILE = (
    f"![md]({CANARY}/md.png) <img src='{CANARY}/tag.png'> <script>fetch('{CANARY}/x')</script> "
    f"[ref]: {CANARY}/ref ![ref] :red[shout] $x^2$ <style>@import '{CANARY}/css';</style> "
    f"<iframe src='{CANARY}/frame'></iframe> {CANARY}/bare \u202ereversed\u202c =1+1"
)


def hostile_rows() -> list[dict]:
    """Requests in which everything a client can choose is an attack."""
    start = datetime.now(UTC) - timedelta(minutes=30)
    said = {"messages": [{"role": "user", "content": HOSTILE}]}
    answer = {"choices": [{"message": {"role": "assistant", "content": HOSTILE + "x" * 2_000_000}}]}
    failed = {"error_information": {"error_class": HOSTILE, "error_message": HOSTILE}}
    chosen = {
        "session_id": "hostile",
        "model": HOSTILE,
        "model_group": HOSTILE,
        "custom_llm_provider": HOSTILE,
        "end_user": HOSTILE,
        "user": "hostile-user",
        "team_id": "hostile-team",
        "api_key": "hostile-key",
        "request_tags": [HOSTILE],
        "proxy_server_request": said,
        "startTime": start,
        "endTime": start + timedelta(seconds=2),
    }
    return [
        spend_log(**chosen, response=answer),
        spend_log(**chosen, status="failure", metadata=failed),
    ]


def test_hostile_content_reaches_no_other_host(browser, database):
    log = database(rows=hostile_rows())
    name_key(log.engine, "hostile-key", HOSTILE)
    name_team(log.engine, "hostile-team", HOSTILE)
    name_user(log.engine, "hostile-user", alias=HOSTILE)
    with serving(DATABASE_URL=log.url) as address:
        visit = Visit(browser, address)
        for path in (*PAGES, "Sessions?session=hostile", "Overview?user=hostile-user"):
            visit.open(path)
        visit.shoot("Hostile-light")
        visit.page.get_by_label("Team").first.click()
        visit.page.wait_for_timeout(500)
        visit.check()
        assert visit.page.locator("img[src*='canary'], iframe[src*='canary']").count() == 0

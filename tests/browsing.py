"""A real Chromium, the app it visits, and a tab that remembers all it asked for."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest

from tests.server import free_port

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
    # A page that a test has altered on its way may still talk to this machine.
    "--disable-features=LocalNetworkAccessChecks",
]
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM and not REQUIRED, reason="There is no Chromium; install the package chromium."
    ),
]
SLOW = 120_000  # ms, on a machine with much else to do
playwright.expect.set_options(timeout=SLOW)
FAILURE = "[data-testid=stException]"
# The script has run, nothing is stale or still to come, and that for half a second.
SETTLED = """() => {
  const app = document.querySelector('[data-testid=stApp]');
  const waits = '[data-testid=stSkeleton], [data-stale=true], [data-testid=stStatusWidget]';
  if (app?.dataset.testScriptState !== 'notRunning' || document.querySelector(waits)) {
    window.settledSince = undefined;
    return false;
  }
  window.settledSince ??= performance.now();
  return performance.now() - window.settledSince > 500;
}"""


@contextmanager
def serving(
    script: str = "Home.py",
    port: int | None = None,
    output: IO[bytes] | int = subprocess.DEVNULL,
    **environment: str,
) -> Iterator[str]:
    """The app on a free port of this machine, with these variables; gives its address.

    Streamlit runs a script; uvicorn an app, which is named by its module and a colon. All that it
    writes, its log included, goes to `output`.
    """
    port = port or free_port()
    process = started(script, port, environment, output=output)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def started(
    script: str,
    port: int,
    environment: dict[str, str],
    before: Sequence[str] = (),
    folder: Path = ROOT,
    output: int | IO[bytes] = subprocess.DEVNULL,
) -> subprocess.Popen:
    """The process of the app, run in this folder, by the command `before` it if there is one."""
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    # A file that changes meanwhile puts a question on the page.
    options = ["--server.port", str(port), "--server.fileWatcherType", "none"]
    program = ["streamlit", "run", str(ROOT / script), *options]
    if ":" in script:
        program = ["uvicorn", script, "--port", str(port)]
    return subprocess.Popen(
        [*before, sys.executable, "-m", *program],
        cwd=folder,
        env=inherited | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=output,
        stderr=output,
    )


def quicker(folder: Path, seconds: int) -> dict[str, str]:
    """Variables with which the refresh of ten seconds, the shortest, comes in so many.

    Python runs what stands in this folder before anything else.
    """
    script = f"from tracelib import settings\nsettings.TICKS['10s'] = {seconds}\n"
    (folder / "sitecustomize.py").write_text(script, encoding="utf-8")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def wait_for(url: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(url)


VIEWER_ZONE = "Europe/Paris"
VIEWER = {"timezone_id": VIEWER_ZONE, "locale": "en-GB"}


def viewer_now() -> datetime:
    """Now on the clock of the browser, whose day may be another than that of UTC."""
    return datetime.now(ZoneInfo(VIEWER_ZONE))


@dataclass
class Browser:
    """A browser with the tabs that visits have left, for the next ones to use.

    A tab keeps what it has compiled, and a new one would compile all of Streamlit again: half
    of what it takes to open a page.
    """

    started: "playwright.Browser"
    idle: list["playwright.Page"] = field(default_factory=list)

    def tab(self) -> "playwright.Page":
        """A tab that nobody uses, with nothing stored."""
        return self.idle.pop() if self.idle else self.fresh_tab()

    def fresh_tab(self) -> "playwright.Page":
        """A tab of somebody who has never been here: it shares nothing with any other."""
        return self.started.new_context(**VIEWER).new_page()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of the test's own."""
    assert CHROMIUM, "Browser tests are required, and there is no Chromium."
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield Browser(started)
        started.close()


class Visit:
    """A tab, with everything it asked for and complained about.

    A newcomer's tab has never been used before.
    """

    def __init__(
        self,
        browser: Browser,
        app: str,
        scheme: str = "light",
        width: int = 1440,
        *,
        newcomer: bool = False,
    ):
        self.browser = browser
        self.app = app
        self.is_newcomer = newcomer
        self.page = browser.fresh_tab() if newcomer else browser.tab()
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=scheme)
        self.page.set_default_timeout(SLOW)
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self.heard = {
            "request": lambda asked: self.hosts.add(urlsplit(asked.url).netloc),
            "console": self._note,
            "pageerror": lambda error: self.complaints.append(str(error)),
        }
        for event, hear in self.heard.items():
            self.page.on(event, hear)

    def _note(self, message) -> None:
        # Streamlit looks for its own files relative to a deep link first, and is told 404.
        if message.type == "error" and "404" not in message.text:
            self.complaints.append(message.text)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.app}/{path}")
        self.settle()
        assert self.page.locator(FAILURE).count() == 0, f"{path} failed: see the server's log"

    def settle(self) -> None:
        """Wait until the script has run and its answer is drawn.

        A click takes a moment to reach the script: first wait for what it changes.
        """
        self.page.evaluate("() => { window.settledSince = undefined; }")
        self.page.wait_for_function(SETTLED)

    def is_sideways(self) -> bool:
        """Whether the page can be scrolled to the side."""
        return self.page.evaluate("() => document.documentElement.scrollWidth > innerWidth")

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
        """Nothing complained, nothing was asked of another host; then leave the tab."""
        assert self.complaints == []
        assert self.hosts <= {urlsplit(self.app).netloc, ""}
        assert self.page.locator(FAILURE).count() == 0
        self._leave()

    def _leave(self) -> None:
        """Leave the tab to the next visit: off the app, with nothing stored and nobody listening.

        A test that fails does not get here, and its tab is not used again.
        """
        if self.is_newcomer:
            self.page.context.close()
            return
        for event, hear in self.heard.items():
            self.page.remove_listener(event, hear)
        self.page.unroute_all()
        self.page.mouse.move(0, 0)
        self.page.goto(f"{self.app}/_stcore/health")  # of the same site, so of the same process
        self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        self.page.context.clear_cookies()
        self.browser.idle.append(self.page)

"""What do a page and a program see while something is wrong with the database, and after it?

`python -m benchmarks.faults [--only NAME …] [--seconds N] [--json FILE]` serves the app over a
database of its own, through a line that can be slow or dead, with a page of Overview open in
Chromium that is refreshed every ten seconds, and a program that calls the API each second. One
after the other, each fault lasts so many seconds, 30 unless said. NAME is a fault, or how several
begin; those with a name server or a small disk need root.

    page_s           from the first refresh in the fault until the page says what is wrong
    program_s        from the beginning of the fault until the API says it
    program_waits_s  the longest that a call of it took
    figures          the least number of figures on the page in that time; before there are 11
    requests         the figures of "Requests" that the page showed in that time
    words            what the page said
    statements       of the page and the program in that time
    threads          of the app at the end of it
    page_heals_s     from the end of the fault until the page has new figures, and no warning
    program_heals_s                                 until the API responds with figures
    first_s          after a restart, from opening a page in a new tab to its first figure

The seconds of a page contain up to ten until its next refresh where it heals, those of a program
up to ten until its next tick.
"""

import argparse
import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from threading import Event, Thread

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.fault_kinds import FAULTS, Fault
from benchmarks.fault_sites import SECRET, App, World, made_world
from tests.browsing import CHROMIUM, FLAGS, PAGES, SETTLED

REFRESH_S, STEP_MS = 10, 250
STATE = """() => ({
  figures: document.querySelectorAll('[data-testid=stMetric]').length,
  requests: [...document.querySelectorAll('[data-testid=stMetric]')].map(one => one.innerText)
    .filter(text => text.startsWith('Requests')).map(text => text.split(/\\n+/)[1]).join(' '),
  words: [...document.querySelectorAll('[data-testid=stAlert]')]
    .map(one => one.innerText).join(' '),
  status: [...document.querySelectorAll('[data-testid=stSidebar] [data-testid=stCaptionContainer]')]
    .map(one => one.innerText).find(text => /Updated|Waiting/.test(text)) || '',
})"""
# Status has facts of the log first, and tables only of failures.
FIGURE = """() => [...document.querySelectorAll(
  '[data-testid=stMetricValue], [data-testid=stDataFrame]')].some(one => one.offsetHeight)
  || [...document.querySelectorAll('[data-testid=stCaptionContainer]')]
    .some(one => one.innerText.trim() === 'Newest request')"""


@dataclass
class Seen:
    """What was seen of a fault; see the head of this module. None if it was not seen."""

    fault: str
    page_s: float | None = None
    program_s: float | None = None
    program_waits_s: float | None = None
    figures: int = 1_000
    requests: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    statements: int = 0
    threads: int = 0
    page_heals_s: float | None = None
    program_heals_s: float | None = None
    first_s: dict[str, float | None] = field(default_factory=dict)


class Program(Thread):
    """Calls the API each second; `calls` has when each began and ended, and if it got figures."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.address = f"{address}/api/v1/analytics/overview?days=1"
        self.calls: list[tuple[float, float, bool]] = []
        self.ends = Event()

    def run(self) -> None:
        while not self.ends.wait(1):
            began = time.monotonic()
            has_figures = self._has_figures()
            self.calls.append((began, time.monotonic(), has_figures))

    def _has_figures(self) -> bool:
        call = urllib.request.Request(self.address, headers={"Authorization": f"Bearer {SECRET}"})
        try:
            with urllib.request.urlopen(call, timeout=60) as response:
                return response.status == 200
        except OSError:
            return False

    def first(self, after: float, has_figures: bool) -> float | None:
        """How long after this moment did it first get figures, or none?"""
        return next(
            (at - after for _, at, had in self.calls if at > after and had is has_figures), None
        )

    def longest(self, after: float) -> float | None:
        """How long did the longest call take that began after this moment?"""
        return max((at - began for began, at, _ in self.calls if began > after), default=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[""], help="faults, or how they begin")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--json", type=Path, help="also write what was seen to this file")
    given = parser.parse_args()
    names = [name for name in FAULTS if name.startswith(tuple(given.only))]
    if not names:
        parser.error(f"choose one of: {', '.join(FAULTS)}")
    seen = []
    for site, of_site in groupby(names, lambda name: FAULTS[name].site):
        with made_world() as world, site(world) as app, _served(app), _page(app) as page:
            seen += [_observed(name, world, app, page, given.seconds) for name in of_site]
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in seen], indent=2) + "\n")


@contextmanager
def _served(app: App) -> Iterator[None]:
    app.start()
    try:
        yield
    finally:
        app.end(signal.SIGTERM)


@contextmanager
def _page(app: App) -> Iterator[Page]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context().new_page()
        page.goto(f"{app.address}/Overview?refresh={REFRESH_S}s")
        page.wait_for_function(SETTLED, timeout=300_000)
        yield page
        browser.close()


def _observed(name: str, world: World, app: App, page: Page, seconds: float) -> Seen:
    seen, fault = Seen(name), FAULTS[name]
    if fault.restarts:
        _restart(seen, fault, world, app, page)
    else:
        _watch_fault(seen, fault, world, app, page, seconds)
    print(json.dumps(asdict(seen), ensure_ascii=False), flush=True)
    return seen


def _watch_fault(
    seen: Seen, fault: Fault, world: World, app: App, page: Page, seconds: float
) -> None:
    program = Program(app.address)
    program.start()
    page.wait_for_timeout(3_000)
    before, began = _statements(world), time.monotonic()
    fault.begin(world)
    _watch(seen, page, began + seconds)
    seen.statements = _statements(world) - before
    seen.threads = psutil.Process(app.process.pid).num_threads()
    ended = time.monotonic()
    fault.end(world)
    seen.page_heals_s = _healed(page, ended)
    page.wait_for_timeout(3_000)
    program.ends.set()
    seen.program_s = _rounded(program.first(began, has_figures=False))
    seen.program_waits_s = _rounded(program.longest(began))
    seen.program_heals_s = _rounded(program.first(ended, has_figures=True))


def _statements(world: World) -> int:
    return sum(len(line.questions()) for line in (world.line, world.second) if line)


def _restart(seen: Seen, fault: Fault, world: World, app: App, page: Page) -> None:
    """Show every page, kill the app, begin the fault, start the app, and show them again."""
    browser = page.context.browser
    _first_figures(browser, app, {})
    time.sleep(5)  # results are written a moment later
    app.end(signal.SIGKILL)
    fault.begin(world)
    app.start()
    time.sleep(5)  # its modules are loaded
    _first_figures(browser, app, seen.first_s)
    ended = time.monotonic()
    fault.end(world)
    page.goto(f"{app.address}/Overview?refresh={REFRESH_S}s")
    seen.page_heals_s = _healed(page, ended)


def _first_figures(browser: Browser, app: App, into: dict[str, float | None]) -> None:
    """Open each page in a new tab."""
    for name in PAGES:
        tab = browser.contexts[0].new_page()
        began = time.monotonic()
        tab.goto(f"{app.address}/{name}", wait_until="commit")
        tab.wait_for_function(FIGURE, timeout=60_000, polling=50)
        into[name or "Home"] = _rounded(time.monotonic() - began)
        tab.wait_for_timeout(1_500)
        tab.close()


def _watch(seen: Seen, page: Page, until: float) -> None:
    refreshed, before = None, page.evaluate(STATE)["status"]
    while time.monotonic() < until:
        state = page.evaluate(STATE)
        if refreshed is None and state["status"] != before:
            refreshed = time.monotonic()
        seen.figures = min(seen.figures, state["figures"])
        if state["requests"] and state["requests"] not in seen.requests:
            seen.requests.append(state["requests"])
        if state["words"] and state["words"] not in seen.words:
            seen.words.append(state["words"])
        if state["words"] and seen.page_s is None:
            seen.page_s = _rounded(time.monotonic() - (refreshed or time.monotonic()))
        page.wait_for_timeout(STEP_MS)


def _healed(page: Page, ended: float) -> float | None:
    """When is the page updated without a warning after this moment?"""
    before = page.evaluate(STATE)["status"]
    while time.monotonic() < ended + 90:
        state = page.evaluate(STATE)
        is_new = state["status"] != before and "aiting" not in state["status"]
        if is_new and not state["words"] and state["figures"]:
            return _rounded(time.monotonic() - ended)
        page.wait_for_timeout(STEP_MS)
    return None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


if __name__ == "__main__":
    main()

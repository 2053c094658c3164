"""How long does a browser take to show each page, against the smallest app that there can be?

`python -m benchmarks.browser [--tries N] [--json FILE]` serves the app on the sample traffic, and
beside it an app of one figure and one chart, and loads both in Chromium, in turns. It measures
from the start of the navigation

    first figure    until the first figure of the page is drawn
    last chart      until no more chart or table is drawn

each as a reload, with everything in the browser's cache, and as a first visit, with nothing in it.
Every question was answered before, at the same tick. The least of some tries is quoted, in
milliseconds and as a multiple of the small app's: on a reload at most 2 for the first figure, and
3 for the last chart. The first figure is a metric on Home, Overview and Models, the number of
sessions on Sessions, and the round trip to the database on Status.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.browsing import wait_for

ROOT = Path(__file__).parent.parent
PAGES = ("Home", "Overview", "Models", "Sessions", "Status")
TRIES = 7
BARS = {"first figure": 2.0, "last chart": 3.0}
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# A tick of five minutes: all tries of a page lie within a few of them.
QUERY = "range=7d&refresh=5m&zone=UTC"
SMALLEST = """
import plotly.graph_objects as go
import streamlit as st

st.set_page_config(layout="wide")
st.metric("Requests", "1,234")
st.plotly_chart(go.Figure(go.Scatter(x=[1, 2, 3], y=[3, 1, 2])))
"""
# When was the first figure drawn, and when the newest chart or table?
WATCH = """
window.drawn = {first: null, last: null, count: 0};
const charts = '.js-plotly-plot .main-svg, [data-testid=stDataFrame] canvas';
const figures = '[data-testid=stMetricValue], [data-testid=stMain] [data-testid=stMarkdown]';
const isFigure = one => one.dataset.testid === 'stMetricValue'
  || /^([\\d,]+ sessions|[\\d.]+ m?s)$/.test(one.innerText.trim());
const look = () => {
  const count = document.querySelectorAll(charts).length;
  const isDrawn = () => count || [...document.querySelectorAll(figures)].some(isFigure);
  if (window.drawn.first === null && isDrawn()) window.drawn.first = performance.now();
  if (count > window.drawn.count) {
    window.drawn.count = count;
    window.drawn.last = performance.now();
  }
};
new MutationObserver(look).observe(document, {childList: true, subtree: true, characterData: true});
"""
SETTLED = """() => {
  const app = document.querySelector('[data-testid=stApp]');
  const waits = '[data-testid=stSkeleton], [data-stale=true]';
  if (app?.dataset.testScriptState !== 'notRunning' || document.querySelector(waits)) {
    window.settledSince = undefined;
    return false;
  }
  window.settledSince ??= performance.now();
  return performance.now() - window.settledSince > 700;
}"""


@dataclass(frozen=True)
class Figure:
    """One moment of one page: its milliseconds, and how many times the small app's they are."""

    page: str
    load: str
    moment: str
    ms: float
    times: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=TRIES)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracelib-benchmark-") as folder:
        figures = measured(Path(folder), asked.tries)
    for one in figures:
        print(
            f"{one.page:10} {one.load:12} {one.moment:13} {one.ms:7.0f} ms {one.times:5.1f} times"
        )
    allowed = ", ".join(f"{moment} {most:g}" for moment, most in BARS.items())
    print(f"At most, on a reload: {allowed} times.")
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in figures], indent=2) + "\n")


def measured(folder: Path, tries: int) -> list[Figure]:
    """Every moment of every page, the small app's first."""
    smallest = folder / "smallest.py"
    smallest.write_text(SMALLEST, encoding="utf-8")
    own = {"TRACELIB_SAMPLE_FOLDER": str(folder / "sample")}
    with _served("Home.py", own) as app, _served(str(smallest), {}) as small:
        pages = {name: "" if name == "Home" else name for name in PAGES}
        urls = {name: f"{app}/{path}?{QUERY}" for name, path in pages.items()}
        with sync_playwright() as driver:
            program = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = driver.chromium.launch(executable_path=program, args=FLAGS)
            times = _times(browser, {"smallest": small, **urls}, tries)
            browser.close()
    return [
        Figure(page, load, moment, round(ms), round(ms / times["smallest", load, moment], 2))
        for (page, load, moment), ms in times.items()
    ]


def _times(browser: Browser, urls: dict[str, str], tries: int) -> dict[tuple[str, str, str], float]:
    """The least of each moment by page and load. All pages take turns in every try."""
    kept = browser.new_context()
    for url in urls.values():
        _loaded(kept, url)
    found: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(tries):
        for page, url in urls.items():
            fresh = browser.new_context()
            for load, context in (("reload", kept), ("first visit", fresh)):
                drawn = _loaded(context, url)
                found.setdefault((page, load, "first figure"), []).append(drawn["first"])
                if drawn["last"] is not None:
                    found.setdefault((page, load, "last chart"), []).append(drawn["last"])
            fresh.close()
    return {key: min(each) for key, each in found.items()}


def _loaded(context: BrowserContext, url: str) -> dict[str, Any]:
    """When was what drawn, in milliseconds since the navigation began?"""
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(url)
    page.wait_for_function(SETTLED, timeout=180_000)
    drawn: dict[str, Any] = page.evaluate("() => window.drawn")
    page.close()
    return drawn


@contextmanager
def _served(script: str, environment: dict[str, str]) -> Iterator[str]:
    """The address of this app on a port of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    options = ["--server.port", str(port), "--server.address", "127.0.0.1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", script, *options, "--server.headless", "true"],
        cwd=ROOT,
        env=inherited | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", 120)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


if __name__ == "__main__":
    main()

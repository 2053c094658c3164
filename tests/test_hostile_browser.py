"""Hostile content in a real browser: it asks no other host, and breaks no layout."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.browsing import MARKS, PAGES, Visit, chromium, playwright, serving
from tests.database import Database
from tests.rows import name_key, name_team, name_user, spend_log

pytestmark = MARKS
expect = playwright.expect

CANARY = "http://canary.invalid"
ATTACKS = (
    f"![md]({CANARY}/md.png)",
    f"![ref]\n\n[ref]: {CANARY}/ref.png",
    f"[![nested]({CANARY}/in.png)]({CANARY}/out)",
    f"[link]({CANARY}/link) <{CANARY}/auto> {CANARY}/bare www.canary.invalid canary@canary.invalid",
    f"http:[//canary.invalid]({CANARY}/joined) www[.canary.invalid](x) canary@[canary.invalid](x)",
    f"<img src='{CANARY}/tag.png'> <svg><image href='{CANARY}/svg.png'/></svg>",
    f"<iframe src='{CANARY}/frame'></iframe> <a href='{CANARY}/a'>a</a>",
    f"<script>fetch('{CANARY}/x')</script> <style>@import '{CANARY}/css';</style>",
    f"<b onmouseover=\"fetch('{CANARY}/x')\">b</b> [js](javascript:fetch('{CANARY}/js'))",
    f"| a |\n|---|\n| ![cell]({CANARY}/cell.png) `code \\| \\\\| ![c]({CANARY}/c.png)` |",
    f"``a`b```c``d`` `x` ![after code]({CANARY}/code.png)",
    f"```mermaid\ngraph TD; A[<img src='{CANARY}/mermaid.png'>]-->B\n```",
    f"```math\n\\includegraphics{{{CANARY}/math.png}}\n```",
    f"$x^2$ $$\\includegraphics{{{CANARY}/tex.png}}$$ note[^1]\n\n[^1]: {CANARY}/note",
    f":red[shout] :material/home: :material_home: :streamlit: :smile: :help[{CANARY}]",
    "# portal\n\n# js-plotly-tester\n\n# root",
    "\u202ereversed \u2066isolated <b>\ufffe\U000e0041</b>",
    "e" + "\u0301" * 5_000,
    '=1+1 =HYPERLINK("http://canary.invalid") {{7*7}} ${7*7} %s %(x)s </textarea></body>',
)
HOSTILE = " ".join(attack.replace("\n", " ") for attack in ATTACKS)
NAME = "\u202e" + HOSTILE + "W" * 300
SESSION = "Sessions?session=hostile"
# What could fetch, lead away, run, or be taken for the page's own.
ACTIVE = ", ".join(
    [
        *("[src*='canary' i]", "[href*='canary' i]", "[xlink\\:href*='canary' i]"),
        *("[style*='canary' i]", "[onmouseover]", "[srcdoc]", ".katex", "[aria-label='home icon']"),
        *(f"[data-testid=stMain] {tag}" for tag in ("object", "embed", "base", "form[action]")),
        *("#portal ~ #portal", "h1#root", "h4#portal", "h4#js-plotly-tester"),
    ]
)
# What sticks out of the page to the right, and is not cut off or scrolled by what holds it.
TOO_WIDE = """() => {
  const isHeld = (one) => {
    const up = one.parentElement;
    return up.dataset.testid !== 'stMain'
      && (getComputedStyle(up).overflowX !== 'visible' || isHeld(up));
  };
  return [...document.querySelectorAll('[data-testid=stMainBlockContainer] *')]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !isHeld(one))
    .map((one) => one.outerHTML.slice(0, 200));
}"""

# As if a mistake of ours had put it on the page: what the browser refuses of it, and why.
SMUGGLED = """async (canary) => {
  const stopped = [];
  document.onsecuritypolicyviolation = (one) => stopped.push(one.effectiveDirective);
  const add = (html) => document.body.append(document.createRange().createContextualFragment(html));
  add(`<img src="${canary}/img"> <img src="x:" onerror="fetch('/x')"> <iframe src="${canary}/f">
    </iframe> <object data="${canary}/o"></object> <audio src="${canary}/a"></audio>
    <link rel="stylesheet" href="${canary}/css"> <style>@import "${canary}/import";</style>
    <script src="${canary}/s"></script> <script>fetch('/y')</script> <base href="${canary}">
    <form action="${canary}/form" target="_blank"></form>`);
  document.querySelector('form[action^=http]').submit();
  await fetch(`${canary}/fetch`).catch(() => null);
  try { new WebSocket(canary.replace('http', 'ws')); } catch { }
  navigator.sendBeacon(`${canary}/beacon`);
  await new Promise((done) => setTimeout(done, 1000));
  return stopped;
}"""
STOPPED = [
    *("base-uri", "connect-src", "form-action", "frame-src", "img-src", "media-src", "object-src"),
    *("script-src-attr", "script-src-elem", "style-src-elem"),
]


def conversation() -> list[dict]:
    """Requests in which everything a client can choose is an attack."""
    start = datetime.now(UTC) - timedelta(minutes=30)
    chosen = {
        "session_id": "hostile",
        "model": NAME,
        "model_group": NAME,
        "custom_llm_provider": NAME,
        "end_user": NAME,
        "user": "hostile-user",
        "team_id": "hostile-team",
        "api_key": "hostile-key",
        "agent_id": NAME,
        "request_tags": [NAME],
        "startTime": start,
        "endTime": start + timedelta(seconds=2),
    }
    failed = {"error_information": {"error_class": NAME, "error_code": NAME, "error_message": NAME}}
    said = [
        {"role": "system", "content": "\n\n".join(ATTACKS)},
        *({"role": "user", "name": NAME, "content": attack} for attack in ATTACKS),
        {"role": NAME, "content": NAME},
    ]
    asked = {"messages": said, "tools": tools()}
    return [
        spend_log(**chosen, proxy_server_request=asked, response=answer()),
        spend_log(**chosen, proxy_server_request=asked, status="failure", metadata=failed),
    ]


def tools() -> list[dict]:
    return [{"type": "function", "function": {"name": NAME, "description": HOSTILE}}]


def answer() -> dict:
    # In a string inside of JSON a NUL and half a sign pass PostgreSQL by.
    arguments = json.dumps({HOSTILE: [HOSTILE, "\x00", "\ud800"], "nul": "\x00" * 100})
    call = {"id": NAME, "type": "function", "function": {"name": NAME, "arguments": arguments}}
    long_line = {"role": "assistant", "content": "x" * 2_000_000}
    calling = {"role": "assistant", "content": HOSTILE, "tool_calls": [call]}
    return {"choices": [{"message": calling}, {"message": long_line, "index": 1}]}


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def hostile_app(server) -> Iterator[str]:
    """The app as a server runs it, on a database of nothing but attacks."""
    log = Database(server, "latest")
    log.insert(conversation())
    name_key(log.engine, "hostile-key", NAME)
    name_team(log.engine, "hostile-team", NAME)
    name_user(log.engine, "hostile-user", alias=NAME)
    with serving("asgi.py", DATABASE_URL=log.url) as address:
        yield address
    log.drop()


def assert_harmless(visit: Visit) -> None:
    """The page stays within its width, and holds nothing that acts."""
    acting = visit.page.locator(ACTIVE)
    assert [one.evaluate("one => one.outerHTML.slice(0, 300)") for one in acting.all()] == []
    assert visit.page.locator("[data-testid=stException]").count() == 0
    assert not visit.is_sideways()
    assert visit.page.evaluate(TOO_WIDE) == []


def assert_harmless_in_both_widths(visit: Visit) -> None:
    for width in (1440, 390):
        visit.page.set_viewport_size({"width": width, "height": 900})
        visit.settle()
        assert_harmless(visit)


def test_hostile_content_is_harmless_on_every_page(browser, hostile_app):
    visit = Visit(browser, hostile_app)
    for path in (*PAGES, "Overview?user=hostile-user"):
        visit.open(path)
        assert_harmless_in_both_widths(visit)
    visit.check()


def test_what_got_past_the_app_would_be_stopped_by_the_browser(browser, hostile_app):
    with canary() as (address, heard):
        visit = Visit(browser, hostile_app)
        visit.open("")
        stopped = visit.page.evaluate(SMUGGLED, address)
        visit.page.context.close()
    assert sorted(set(stopped)) == STOPPED
    assert heard == []


@contextmanager
def canary() -> Iterator[tuple[str, list[str]]]:
    """Another host, and what was asked of it."""
    heard: list[str] = []

    class Listening(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)

        do_POST = do_GET  # noqa: N815 - http.server's own name

    with ThreadingHTTPServer(("127.0.0.1", 0), Listening) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}", heard
        listening.shutdown()


@pytest.mark.parametrize("look", ["plain", "formatted"])
def test_a_hostile_conversation_is_harmless(browser, hostile_app, look):
    visit = Visit(browser, hostile_app)
    visit.open(SESSION if look == "plain" else f"{SESSION}&formatted=yes")
    transcript = visit.page.locator(".st-key-transcript")
    for folded in transcript.locator("summary").all():
        folded.click()
    visit.settle()
    assert_harmless_in_both_widths(visit)
    assert transcript.bounding_box()["width"] > 300
    visit.shoot(f"Hostile-{look}")
    visit.check()


FORMATTED = """
import json, os, pathlib, streamlit as st
from tracelib.page.text.safe_markdown import safe_markdown
for number, text in enumerate(json.loads(pathlib.Path(os.environ["TEXTS"]).read_text("utf-8"))):
    with st.container(key=f"text-{number}"):
        st.markdown(safe_markdown(text), anchors=False)
"""


def mixtures(count: int) -> list[str]:
    """Attacks cut up and put together anew, at random but always the same."""
    chance = random.Random(7)
    joints = [
        *(" ", "\n", "\n\n", "\n- ", "\n> ", "\n# ", "`", "``"),
        *("**", "~~", "](", "\\", "|", "\n|-|\n"),
    ]
    pieces = [attack[: chance.randrange(len(attack))] for attack in ATTACKS[:-2] for _ in range(9)]
    return [
        "".join(chance.choice(pieces) + chance.choice(joints) for _ in range(12))
        for _ in range(count)
    ]


def test_formatted_attacks_are_shown_and_do_nothing(browser, tmp_path):
    texts = [*ATTACKS, *mixtures(150)]
    (tmp_path / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    (tmp_path / "formatted.py").write_text(FORMATTED, encoding="utf-8")
    with serving(str(tmp_path / "formatted.py"), TEXTS=str(tmp_path / "texts.json")) as address:
        visit = Visit(browser, address)
        visit.open("")
        assert_harmless(visit)
        shown = visit.page.locator("[class*=st-key-text-]")
        assert shown.count() == len(texts)
        assert (
            shown.locator(":is(a, img, svg:not([data-testid]), script, input, em[role])").count()
            == 0
        )
        for attack, text in zip(ATTACKS, shown.all_inner_texts(), strict=False):
            assert CANARY not in attack or "canary.invalid" in text
        visit.check()

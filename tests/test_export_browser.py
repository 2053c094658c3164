"""The HTML of a session in a real browser: it shows the conversation and asks for nothing."""

import pytest

from tests.browsing import CHROMIUM, FLAGS, REQUIRED
from tests.sources import source_of
from tests.test_export import EXPORTED, HOSTILE, hostile_database, html_of
from tracelib import export
from tracelib.redaction import ALL
from tracelib.selection import session

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM and not REQUIRED, reason="There is no Chromium; install the package chromium."
    ),
]


@pytest.fixture(scope="module")
def browser():
    assert CHROMIUM, "Browser tests are required, and there is no Chromium."
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def test_a_file_full_of_attacks_is_read_in_peace(browser, database, tmp_path):
    source = source_of(hostile_database(database))
    document = export.session_document(source, session(HOSTILE, "hostile-key"), ALL, EXPORTED)
    file = tmp_path / "session.html"
    file.write_text(html_of(document) + f"<p>{'x' * 300_000}</p>", encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 900}, color_scheme="dark")
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: complaints.append(said.text))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto(file.as_uri())
    page.wait_for_timeout(500)
    assert asked == [file.as_uri()]
    assert complaints == []
    assert page.locator("article").count() == 2
    assert page.locator("section.message.system pre").first.inner_text().startswith("</pre>")
    assert page.locator("script, img, iframe, base, link").count() == 0
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")

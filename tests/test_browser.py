"""The app in a real browser: every page, one session, every request it sends."""

from collections.abc import Iterator

import pytest

from tests.browsing import MARKS, PAGES, Visit, chromium, playwright, serving

pytestmark = MARKS
expect = playwright.expect


@pytest.fixture(scope="module")
def app() -> Iterator[str]:
    """The address of the app as a server runs it, on its own sample traffic."""
    with serving("asgi.py") as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


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
        assert not visit.is_sideways()
        if path in ("Overview", "Models"):
            assert visit.page.locator(".js-plotly-plot").count() >= 6
    visit.check()


def test_a_session_is_followed_to_its_messages(app, browser):
    visit = Visit(browser, app)
    visit.open("Sessions?sort=length")
    grid = visit.page.locator("[data-testid=stDataFrame]").first
    # Canvas cells have no elements of their own; the first of a row is the box that ticks it.
    grid.click(position={"x": 100, "y": 54})
    visit.page.wait_for_url("**session=**")
    expect(visit.page.locator("[class*=st-key-role-]").nth(3)).to_be_attached()
    visit.settle()
    expect(visit.page.get_by_text("All sessions")).to_have_count(1)
    visit.shoot("Session-light")
    visit.page.get_by_role("button", name="All sessions").click()
    visit.page.wait_for_url(lambda url: "session=" not in url and "sort=length" in url)
    expect(visit.page.locator("[data-testid=stDataFrame]")).to_be_visible()
    # It does not open again by what is still chosen in the list.
    visit.page.wait_for_timeout(1_500)
    visit.settle()
    assert "session=" not in visit.page.url
    expect(visit.page.locator("[data-testid=stDataFrame]")).to_have_count(1)
    visit.check()


def test_the_range_changes_the_figures_and_stays_on_the_next_page(app, browser):
    visit = Visit(browser, app)
    visit.open("Overview?range=24h")
    figure = visit.page.locator("[data-testid=stMetricValue]").first
    day = figure.inner_text()
    visit.page.get_by_label("Time range").first.click()
    visit.page.get_by_role("option", name="Last 30 days").click()
    # The URL changes before the script has asked for the figures.
    visit.page.wait_for_url("**range=30d**")
    expect(visit.page.get_by_text("Last 30 days,")).to_be_visible()
    expect(figure).not_to_have_text(day)
    visit.page.get_by_role("link", name="Models").first.click()
    visit.page.wait_for_url("**/Models?range=30d**")
    expect(visit.page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    expect(visit.page.get_by_text("Last 30 days,")).to_have_count(1)
    visit.check()

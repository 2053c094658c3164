"""Tables in a real browser: what a click means, how they sort, what they download, how they fit."""

import csv
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import test_browser
from tests.browsing import PAGES, Visit, playwright, serving
from tests.rows import failure, spend_log

browser, pytestmark = test_browser.browser, test_browser.pytestmark
expect = playwright.expect

COSTS = (0.5, 0.0, 1240.4, 1.4e-7, 0.02298300, 1.24)
WRITTEN = {
    "s0": "$0.50",
    "s1": "$0",
    "s2": "$1,240",
    "s3": "< $0.000001",
    "s4": "$0.023",
    "s5": "$1.24",
}
FORMULA = "=cmd|' /C calc'!A0"
TABLES = "[data-testid=stDataFrame]"
# The grid is a canvas; what it says to those who hear it is a table within.
CELLS = """(grid) => [...grid.querySelectorAll('tr')].map(
  (row) => [...row.querySelectorAll('th, td')].map((cell) => cell.textContent))"""
LEGENDS = """() => [...document.querySelectorAll('.js-plotly-plot')].map((chart) => {
  const legend = chart.querySelector('.legend');
  return [legend ? legend.getBBox().height : 0, chart._fullLayout._size.h];
})"""


@pytest.fixture(scope="module")
def app(server):
    """The address of the app over six sessions of different cost, the newest first, s0."""
    from tests.database import Database

    log = Database(server, "latest")
    now = datetime.now(UTC)
    log.insert(
        spend_log(
            session_id=f"s{number}",
            startTime=now - timedelta(minutes=number + 5),
            spend=cost,
            user=f"user-{number}",
            model_group=FORMULA if number == 5 else f"model-{number}",
        )
        for number, cost in enumerate(COSTS)
    )
    log.insert(
        failure(
            session_id=f"failed-{number}",
            startTime=now - timedelta(minutes=number + 20),
            error_class=name,
        )
        for number, name in enumerate(("RateLimitError", "Timeout", FORMULA))
    )
    with serving("asgi.py", DATABASE_URL=log.url) as address:
        yield address
    log.drop()


def opened(visit: Visit) -> list[str] | None:
    """Which session does the URL name?"""
    return parse_qs(urlsplit(visit.page.url).query).get("session")


def column(table, heading: str) -> list[str]:
    """What the cells under this heading say, from the top."""
    headings, *rows = table.evaluate(CELLS)
    place = [one.lstrip("↑↓ ") for one in headings].index(heading)
    return [row[place] for row in rows]


def click_heading(visit: Visit, table, heading: str) -> None:
    """Click it where it stands: the widths of the columns before it are known."""
    before = {"Last activity": 68, "Status": 174, "Cost": 244, "Cost, bar": 324, "Requests": 390}
    table.click(position={"x": before[heading] + 12, "y": 16})
    visit.page.wait_for_timeout(800)
    visit.settle()


@pytest.mark.parametrize(("path", "place"), [("Sessions", 0), ("Status", -1)])
def test_a_click_on_a_heading_or_the_focus_opens_nothing_and_a_click_on_a_row_does(
    browser, app, path, place
):
    visit = Visit(browser, app)
    visit.open(f"{path}?refresh=off")
    table = visit.page.locator(TABLES).nth(place)
    table.scroll_into_view_if_needed()
    width = table.bounding_box()["width"]
    for x in range(60, int(width) - 20, 55):
        table.click(position={"x": x, "y": 16})
        visit.page.wait_for_timeout(400)
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Shift+Tab")
    visit.page.wait_for_timeout(1_500)
    visit.settle()
    assert opened(visit) is None
    assert path in visit.page.url
    table.click(position={"x": 110, "y": 54})
    visit.page.wait_for_url("**session=**")
    visit.check()


def test_a_heading_sorts_by_value_and_a_click_opens_the_row_that_is_seen(browser, app):
    visit = Visit(browser, app)
    visit.open("Sessions?refresh=off")
    table = visit.page.locator(TABLES).first
    shown = dict(zip(column(table, "Session"), column(table, "Cost"), strict=True))
    assert {name: shown[name] for name in WRITTEN} == WRITTEN
    assert column(table, "Status")[:6] == ["OK"] * 6
    assert set(column(table, "Status")[6:]) == {"1 failed"}
    click_heading(visit, table, "Cost")
    click_heading(visit, table, "Cost")
    by_cost = column(table, "Session")
    assert by_cost[:5] == ["s2", "s5", "s0", "s4", "s3"]
    visit.shoot("Sessions-sorted-light")
    table.click(position={"x": 110, "y": 54 + 33})
    visit.page.wait_for_url("**session=**")
    assert opened(visit) == ["s5"]
    visit.check()


@pytest.mark.parametrize("path", [page for page in PAGES if page])
def test_no_table_has_another_download_than_ours(browser, app, path):
    visit = Visit(browser, app)
    visit.open(f"{path}?refresh=off")
    for table in visit.page.locator(TABLES).all():
        table.scroll_into_view_if_needed()
        table.hover()
        visit.page.get_by_role("button", name="Fullscreen").last.wait_for()
    assert visit.page.get_by_role("button", name="Download as CSV").count() == 0
    tables = visit.page.locator(TABLES).count()
    offered = visit.page.get_by_role("button", name="Download CSV").count()
    assert offered == (0 if path == "Sessions" else tables)
    visit.check()


def test_the_file_has_units_and_exact_values_and_no_formula(browser, app):
    visit = Visit(browser, app)
    visit.open("Models?refresh=off")
    with visit.page.expect_download() as loading:
        visit.page.get_by_role("button", name="Download CSV").first.click()
    assert loading.value.suggested_filename.startswith("all-figures-")
    text = loading.value.path().read_bytes().decode("utf-8-sig")
    rows = {row["model"]: row for row in csv.DictReader(text.splitlines())}
    assert f"'{FORMULA}" in rows
    assert float(rows["model-3"]["cost_usd"]) == 1.4e-7
    assert rows["model-0"]["response_time_p95_ms"] == "1000.0"
    assert rows["model-0"]["error_rate_percent"] == "0.0"
    visit.check()


def test_a_telephone_shows_cards_and_a_tap_opens_one(browser, app):
    visit = Visit(browser, app, width=390)
    visit.open("Sessions?refresh=off")
    assert not visit.page.locator(TABLES).first.is_visible()
    cards = visit.page.locator(".st-key-sessions-as-cards li")
    assert cards.count() == 9
    said = cards.nth(2).inner_text().split("\n")
    assert [one for one in said if one] == [
        *("user-2", "7 min ago", "model-2", "OK", "1 request", "$1,240"),
    ]
    assert not visit.is_sideways()
    visit.shoot("Sessions-cards-phone")
    cards.nth(2).click()
    visit.page.wait_for_url("**session=**")
    assert opened(visit) == ["s2"]
    # A second tap on the same card counts, too.
    visit.page.get_by_role("button", name="All sessions").click()
    visit.page.wait_for_url(lambda url: "session=" not in url)
    visit.settle()
    cards.nth(2).click()
    visit.page.wait_for_url("**session=**")
    visit.check()


def test_a_wide_window_shows_the_table_and_no_cards(browser, app):
    visit = Visit(browser, app, width=1024)
    visit.open("Sessions?refresh=off")
    assert visit.page.locator(TABLES).first.is_visible()
    assert not visit.page.locator(".st-key-sessions-as-cards li").first.is_visible()
    assert not visit.is_sideways()
    visit.check()


@pytest.mark.parametrize("path", ["Overview", "Models", "Status", "Sessions?session=s0"])
def test_no_legend_is_taller_than_its_chart_on_a_telephone(browser, app, path):
    visit = Visit(browser, app, width=390)
    visit.open(f"{path}{'&' if '?' in path else '?'}refresh=off")
    heights = visit.page.evaluate(LEGENDS)
    assert heights
    assert [(legend, chart) for legend, chart in heights if legend > chart] == []
    assert not visit.is_sideways()
    visit.check()

"""Tables in a real browser: what a click means, how they sort, what they download, how they fit."""

import csv
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import test_browser
from tests.browsing import PAGES, Visit, playwright, serving
from tests.rows import failure, spend_log

browser, pytestmark = test_browser.browser, test_browser.pytestmark
expect = playwright.expect

COSTS = (0.5, 0.0, 1240.4, 1.4e-7, 0.02298300, 1.24)
FORMULA = "=cmd|' /C calc'!A0"
TABLES = "[data-testid=stDataFrame]"
# The grid is a canvas; what it says to those who hear it is a table within, of the columns in view.
CELLS = """(grid) => [...grid.querySelectorAll('tr')].map(
  (row) => [...row.querySelectorAll('th, td')].map((cell) => cell.textContent))"""
# What is written along the axes of each chart: words, whether they are seen whole, their angle.
LABELS = """() => [...document.querySelectorAll('.js-plotly-plot')].flatMap((chart) => {
  const within = chart.getBoundingClientRect();
  return [...chart.querySelectorAll('.xtick text, .x2tick text, .ytick text')].map((label) => {
    const { left, right, width } = label.getBoundingClientRect();
    const isSeen = width > 0 && label.style.opacity !== '0'
      && left >= within.left - 1 && right <= within.right + 1;
    const [angle] = /rotate\\((-?[0-9.]+)/.exec(label.getAttribute('transform'))?.slice(1) ?? [0];
    return [label.textContent, isSeen, Number(angle)];
  });
})"""
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


def over(visit: Visit, table, row: int) -> str | None:
    """What is shown where the pointer is on this row, the first being 0, or on the heading."""
    table.scroll_into_view_if_needed()
    # What shows it is loaded beside the table, and looks again where the pointer rests.
    for _ in range(20):
        visit.page.mouse.move(0, 0)
        table.hover(position={"x": 300, "y": 50 + 33 * row})
        visit.page.wait_for_timeout(600)
        if (title := table.get_attribute("title")) is not None:
            return title
    return None


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
    click_heading(visit, table, "Cost")
    click_heading(visit, table, "Cost")
    by_cost = [f"user-{number}" for number in (2, 5, 0, 4, 3)]
    assert column(table, "User")[:5] == by_cost
    visit.shoot("Sessions-sorted-light")
    table.click(position={"x": 110, "y": 54 + 33})
    visit.page.wait_for_url("**session=**")
    assert opened(visit) == ["s5"]
    visit.check()


@pytest.mark.parametrize(
    ("path", "place", "costs"),
    [
        ("Sessions", 0, ["$0.5", "$0", "$1,240.4"]),
        ("Models", 0, ["$1,240.4", "$1.24", "$0.5"]),
        # By the models' names; the second is the one that failed.
        ("Models", 1, ["$1.24", "$0", "$0.5"]),
        ("Status", -1, ["$0", "$0", "$0"]),
    ],
)
def test_the_exact_cost_is_shown_over_a_row(browser, app, path, place, costs):
    visit = Visit(browser, app)
    visit.open(f"{path}?refresh=off")
    table = visit.page.locator(TABLES).nth(place)
    shown = [over(visit, table, row) for row in range(3)]
    assert shown == [f"Exact cost: {cost}" for cost in costs]
    assert over(visit, table, -1) == ""
    visit.check()


def test_the_exact_cost_follows_the_order_of_the_rows(browser, app):
    visit = Visit(browser, app)
    visit.open("Sessions?refresh=off")
    table = visit.page.locator(TABLES).first
    click_heading(visit, table, "Cost")
    click_heading(visit, table, "Cost")
    assert over(visit, table, 4) == "Exact cost: $0.00000014"
    visit.check()


@pytest.mark.parametrize("width", [390, 1024])
@pytest.mark.parametrize("path", ["Overview", "Models", "Status"])
def test_all_that_stands_along_an_axis_is_read_without_turning_the_head(browser, app, path, width):
    visit = Visit(browser, app, width=width)
    visit.open(f"{path}?refresh=off&range=7d")
    labels = visit.page.evaluate(LABELS)
    assert len(labels) > 5
    assert [label for label in labels if not label[1] or label[2]] == []
    if path == "Models":
        # In each of the two charts with a row for each model, and in five rankings.
        assert sum(text == "model-0" for text, *_ in labels) >= 3
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
    expect(cards).to_have_count(9)
    exact = [cards.nth(place).locator(".cost").get_attribute("title") for place in range(6)]
    assert exact == ["$0.5", "$0", "$1,240.4", "$0.00000014", "$0.022983", "$1.24"]
    said = cards.nth(2).inner_text().split("\n")
    who, when, *others = [one for one in said if one]
    assert (who, others) == ("user-2", ["model-2", "OK", "1 request", "$1,240"])
    assert re.fullmatch("[0-9]+ min ago", when)
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

"""A time chosen in a chart, in a real browser: with the mouse, a finger, keys; and the links."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import test_browser
from tests.browsing import Visit, playwright, quicker, serving
from tests.database import Database
from tests.rows import spend_log

browser, pytestmark = test_browser.browser, test_browser.pytestmark
expect = playwright.expect
HOUR = timedelta(hours=1)
REFRESH_S = 3


@pytest.fixture(scope="module")
def app(server, tmp_path_factory):
    """The address of the app over a request an hour of the last ten days."""
    made = Database(server)
    now = datetime.now(UTC)
    made.insert(
        spend_log(startTime=now - timedelta(hours=n, minutes=1), session_id=f"session-{n}")
        for n in range(240)
    )
    variables = quicker(tmp_path_factory.mktemp("quicker"), REFRESH_S)
    with serving(DATABASE_URL=made.url, **variables) as address:
        yield address
    made.drop()


def in_url(visit: Visit) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(visit.page.url).query).items()}


def length(visit: Visit) -> timedelta:
    """How long is the part in the URL?"""
    since, until = (datetime.fromisoformat(in_url(visit)[name]) for name in ("since", "until"))
    return until - since


def place(visit: Visit, chart: str, share: float) -> tuple[float, float]:
    """This share of the width of a chart, where it is on the screen."""
    plot = visit.page.locator(f".st-key-{chart} .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    return box["x"] + box["width"] * share, box["y"] + box["height"] / 2


def clear(visit: Visit) -> None:
    visit.page.locator(".st-key-chip-part").get_by_role("button").click()
    visit.page.wait_for_url(lambda url: "since=" not in url)
    expect(visit.page.locator(".st-key-chip-part")).to_have_count(0)


def wait_for_a_refresh(visit: Visit) -> None:
    updated = visit.page.get_by_text("Updated ")
    expect(updated).not_to_have_text(updated.inner_text())
    visit.settle()


def test_a_drag_sets_the_range_of_all_pages_and_the_chip_takes_it_back(browser, app):
    visit = Visit(browser, app)
    visit.open("Overview?refresh=10s")
    mouse = visit.page.mouse
    mouse.move(*place(visit, "chart-Requests", 0.25))
    mouse.down()
    mouse.move(*place(visit, "chart-Requests", 0.5), steps=6)
    expect(visit.page.locator(".chart-range-time")).to_have_text(re.compile(" to "))
    wait_for_a_refresh(visit)
    visit.page.screenshot(path="screenshots/Chart-range-drag-light.png")
    mouse.up()
    visit.page.wait_for_url("**since=**")
    assert timedelta(hours=40) <= length(visit) <= timedelta(hours=44)
    chosen = in_url(visit)
    expect(visit.page.locator(".st-key-chip-part")).to_be_visible()
    expect(visit.page.locator(".chart-range-mark")).to_be_hidden()
    wait_for_a_refresh(visit)
    assert in_url(visit) == chosen
    visit.shoot("Chart-range-chip-light")
    visit.page.get_by_role("link", name="Models").click()
    visit.page.get_by_text("Cost by model").wait_for()
    visit.settle()
    assert in_url(visit) == chosen
    clear(visit)
    expect(visit.page.get_by_text("Last 7 days,")).to_have_count(1)
    assert in_url(visit) == {"refresh": "10s"}
    visit.check()


def test_a_click_shows_one_bucket_and_a_drag_in_it_is_of_the_same_range(browser, app):
    visit = Visit(browser, app, "dark")
    visit.open("Overview?refresh=off&range=24h&bucket=1h")
    visit.page.get_by_role("link", name="Models").click()
    visit.page.get_by_text("Cost by model").wait_for()
    visit.settle()
    chart = "chart-p95-response-time-over-time--busiest-models"
    visit.page.mouse.click(*place(visit, chart, 0.3))
    visit.page.wait_for_url("**since=**")
    assert length(visit) == HOUR
    expect(visit.page.locator(".chart-range-mark")).to_be_hidden()
    visit.settle()
    x, y = place(visit, chart, 0.2)
    visit.page.mouse.move(x, y)
    visit.page.mouse.down()
    visit.page.mouse.move(*place(visit, chart, 0.6), steps=4)
    visit.page.keyboard.press("Escape")
    visit.page.mouse.up()
    assert length(visit) == HOUR
    visit.page.mouse.move(x, y)
    visit.page.mouse.down()
    visit.page.mouse.move(*place(visit, chart, 0.6), steps=4)
    visit.page.mouse.up()
    visit.page.wait_for_function(f"() => location.href !== {visit.page.url!r}")
    assert timedelta(minutes=15) < length(visit) < timedelta(minutes=35)
    visit.settle()
    clear(visit)
    assert in_url(visit) == {"refresh": "off", "range": "24h", "bucket": "1h"}
    visit.check()


def test_keys_choose_a_time_in_a_chart_that_has_the_focus(browser, app):
    visit = Visit(browser, app)
    visit.open("Overview?refresh=10s&range=24h&bucket=1h")
    chart = visit.page.get_by_role("group", name="Cost, chart over time.")
    keyboard = visit.page.keyboard
    visit.page.get_by_role("group", name="Requests, chart over time.").focus()
    for _ in range(12):
        keyboard.press("Tab")
        if chart.evaluate("(one) => one === document.activeElement"):
            break
    hint = visit.page.locator(".chart-range-keys")
    expect(hint).to_be_visible()
    visit.page.screenshot(path="screenshots/Chart-range-hint-light.png")
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowLeft"):
        keyboard.press(key)
    words = visit.page.locator(".chart-range-status").inner_text()
    assert re.fullmatch(r"\w{3} \d+ \w{3} .* to .*\. Enter shows only this time\.", words)
    wait_for_a_refresh(visit)
    expect(visit.page.locator(".chart-range-time")).to_have_text(words.split(".")[0])
    visit.page.screenshot(path="screenshots/Chart-range-keys-light.png")
    keyboard.press("Enter")
    visit.page.wait_for_url("**since=**")
    assert length(visit) == 2 * HOUR
    clear(visit)
    visit.check()


def test_taps_choose_a_time_on_a_telephone(browser, app):
    visit = Visit(browser, app, width=390)
    visit.open("Overview?refresh=10s&range=24h&bucket=1h")
    finger = visit.page.context.new_cdp_session(visit.page)
    for share in (0.3, 0.5):
        x, y = place(visit, "chart-Requests", share)
        finger.send(
            "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
        )
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    show = visit.page.get_by_role("button", name="Show only this")
    show.wait_for()
    wait_for_a_refresh(visit)
    assert "since" not in in_url(visit)
    assert not visit.is_sideways()
    visit.page.screenshot(path="screenshots/Chart-range-taps-phone.png")
    show.click()
    visit.page.wait_for_url("**since=**")
    assert 5 * HOUR <= length(visit) <= 7 * HOUR
    visit.settle()
    visit.shoot("Chart-range-chip-phone")
    clear(visit)
    visit.check()


def test_the_links_to_a_page_are_copied_or_shown_as_text(browser, app):
    visit = Visit(browser, app)
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=app)
    visit.open("Models?refresh=off&range=24h&model=gpt-4o")
    visit.page.get_by_role("button", name="Copy link").click()
    visit.page.get_by_role("button", name="Copy the live link").click()
    visit.page.get_by_text("Live link copied.").wait_for()
    copied = "() => navigator.clipboard.readText()"
    assert visit.page.evaluate(copied) == f"{app}/Models?range=24h&refresh=off&model=gpt-4o"
    visit.shoot("Copy-link-light")
    visit.page.evaluate("() => Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    visit.page.get_by_role("button", name="Copy the fixed link").click()
    text = visit.page.get_by_role("textbox", name="Fixed link")
    link = text.input_value()
    fixed = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    ends = [datetime.fromisoformat(fixed.pop(name)) for name in ("from", "to")]
    assert ends[1] - ends[0] == timedelta(hours=24)
    assert fixed == {"range": "custom", "zone": "Europe/Paris", "refresh": "off", "model": "gpt-4o"}
    visit.page.screenshot(path="screenshots/Copy-link-text-light.png")
    visit.page.goto(link)
    visit.page.get_by_role("button", name="Copy link").click()
    visit.page.get_by_role("button", name="Copy the fixed link").wait_for()
    expect(visit.page.get_by_role("button", name="Copy the live link")).to_have_count(0)
    visit.page.context.clear_permissions()
    visit.check()


def test_a_chart_is_read_as_a_table_that_stays_open_while_the_page_refreshes(browser, app):
    visit = Visit(browser, app)
    visit.open("Overview?refresh=10s&range=24h&bucket=1h")
    folded = visit.page.locator(".st-key-table-of-Cost")
    folded.get_by_text("As table").click()
    table = visit.page.get_by_role("table", name="Cost")
    expect(table.get_by_role("columnheader")).to_have_text(["Time, Europe/Paris", "Cost"])
    cells = table.get_by_role("row").last
    expect(cells.get_by_role("rowheader")).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d \d\d:00$"))
    expect(cells.get_by_role("cell")).to_have_text("$0.25")
    shown = visit.page.locator(".st-key-chart-Requests").bounding_box()
    wait_for_a_refresh(visit)
    assert table.is_visible()
    assert visit.page.locator(".st-key-chart-Requests").bounding_box() == shown
    visit.shoot("Chart-table-light")
    folded.get_by_text("As table").click()
    expect(table).to_have_count(0)
    visit.check()

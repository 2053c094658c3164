"""The range picker and the axes in a real browser: with the mouse, the keyboard, on a telephone."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import test_browser
from tests.browsing import SCREENSHOTS, Visit, playwright, quicker, serving, viewer_now
from tests.database import Database
from tests.rows import spend_log

browser, pytestmark = test_browser.browser, test_browser.pytestmark
expect = playwright.expect
DAY = timedelta(days=1)
REFRESH_S = 3


@pytest.fixture(scope="module")
def app(server, tmp_path_factory):
    """The address of the app over a request an hour of the last weeks and of last autumn."""
    made = Database(server)
    now = datetime.now(UTC)
    made.insert(spend_log(startTime=now - timedelta(hours=n, minutes=1)) for n in range(24 * 40))
    autumn = datetime(2025, 11, 1, tzinfo=UTC)
    made.insert(spend_log(startTime=autumn + timedelta(minutes=30 * n)) for n in range(48 * 3))
    variables = quicker(tmp_path_factory.mktemp("quicker"), REFRESH_S)
    with serving(DATABASE_URL=made.url, **variables) as address:
        yield address
    made.drop()


def range_in_url(visit: Visit) -> dict[str, str]:
    query = parse_qs(urlsplit(visit.page.url).query)
    return {name: query[name][0] for name in ("range", "from", "to") if name in query}


def open_list(visit: Visit) -> None:
    visit.page.get_by_label("Time range").first.click()


def open_form(visit: Visit, title: str = "Custom range …") -> None:
    open_list(visit)
    visit.page.get_by_role("option", name=title).click()
    visit.page.get_by_role("button", name="Apply").wait_for()
    visit.settle()


def open_calendar(visit: Visit, field: str) -> None:
    visit.page.get_by_role("group", name=field).click()
    visit.page.get_by_role("application").wait_for()


def pick(visit: Visit, day: datetime) -> None:
    """Choose a day in the calendar that is open, with the mouse."""
    calendar = visit.page.get_by_role("application")
    cell = calendar.get_by_role("button", name=f"{day:%A}, {day.day} {day:%B %Y}").first
    if not cell.is_visible():
        calendar.get_by_role("button", name="Previous month").click()
    cell.click()
    calendar.wait_for(state="detached")


def shown_in(visit: Visit, field: str) -> str:
    """What does a field of a day or a time hold?"""
    parts = visit.page.get_by_role("group", name=field, exact=True).get_by_role("spinbutton")
    return " ".join(part.inner_text() for part in parts.all())


def wait_for_a_refresh(visit: Visit) -> None:
    """Wait until the page has run once more by itself."""
    updated = visit.page.get_by_text("Updated ")
    expect(updated).not_to_have_text(updated.inner_text())
    visit.settle()


def test_two_days_are_picked_with_the_mouse_while_the_page_refreshes(browser, app):
    visit = Visit(browser, app)
    visit.open("Overview?refresh=10s&range=24h")
    today = viewer_now()
    first, last = today - 20 * DAY, today - 18 * DAY
    open_form(visit)
    assert shown_in(visit, "Last day") == f"{today:%Y %m %d}"
    open_calendar(visit, "First day")
    wait_for_a_refresh(visit)
    visit.shoot("Range-calendar-light")
    pick(visit, first)
    wait_for_a_refresh(visit)
    assert shown_in(visit, "First day") == f"{first:%Y %m %d}"
    open_calendar(visit, "Last day")
    pick(visit, last)
    wait_for_a_refresh(visit)
    assert [shown_in(visit, day) for day in ("First day", "Last day")] == [
        f"{first:%Y %m %d}",
        f"{last:%Y %m %d}",
    ]
    assert range_in_url(visit) == {"range": "24h"}
    expect(visit.page.get_by_text("Last 24 hours,")).to_have_count(1)
    visit.page.get_by_role("button", name="Apply").click()
    visit.page.wait_for_url("**from=**")
    visit.page.get_by_text(f"{first.day} {first:%B %Y} to {last.day} {last:%B %Y}, ").wait_for()
    assert range_in_url(visit) == {
        "range": "custom",
        "from": f"{first:%Y-%m-%d}",
        "to": f"{last:%Y-%m-%d}",
    }
    expect(visit.page.get_by_role("button", name="Apply")).to_have_count(0)
    wait_for_a_refresh(visit)
    assert range_in_url(visit)["from"] == f"{first:%Y-%m-%d}"
    visit.check()


def _to_the_time(keyboard) -> None:
    """From the end of a day, past the button of its calendar."""
    keyboard.press("Tab")
    keyboard.press("Tab")


def test_times_are_typed_while_the_page_refreshes_and_applied_without_a_mouse(browser, app):
    visit = Visit(browser, app, "dark")
    visit.open("Overview?refresh=10s")
    keyboard = visit.page.keyboard
    visit.page.get_by_label("Time range").first.focus()
    keyboard.press("ArrowDown")
    keyboard.type("Custom")
    keyboard.press("Enter")
    visit.page.get_by_role("button", name="Apply").wait_for()
    visit.settle()
    keyboard.press("Tab")
    keyboard.type("202511")
    wait_for_a_refresh(visit)
    keyboard.type("01")
    _to_the_time(keyboard)
    keyboard.type("14")
    wait_for_a_refresh(visit)
    keyboard.type("05")
    assert (shown_in(visit, "First day"), shown_in(visit, "From")) == ("2025 11 01", "14 05")
    keyboard.press("Tab")
    keyboard.type("20251103")
    _to_the_time(keyboard)
    keyboard.type("0930")
    visit.shoot("Range-typed-dark")
    assert range_in_url(visit) == {}
    keyboard.press("Tab")
    keyboard.press("Enter")
    visit.page.wait_for_url("**from=**")
    visit.page.get_by_text("1 November 2025 14:05 to 3 November 2025 09:30, ").wait_for()
    assert range_in_url(visit) == {
        "range": "custom",
        "from": "2025-11-01T14:05",
        "to": "2025-11-03T09:30",
    }
    visit.check()


def test_an_open_list_stays_open_while_the_page_refreshes(browser, app):
    visit = Visit(browser, app)
    visit.open("Overview?refresh=10s")
    open_list(visit)
    wait_for_a_refresh(visit)
    visit.page.get_by_role("option", name="Yesterday").click()
    visit.page.wait_for_url("**range=yesterday**")
    visit.page.get_by_text("Yesterday, ").wait_for()
    open_list(visit)
    listed = visit.page.get_by_role("option")
    expect(listed).to_have_count(11)
    assert all(one.is_visible() for one in listed.all())
    visit.shoot("Range-list-light")
    visit.check()


def test_a_number_of_hours_of_ones_own_is_typed_and_applied(browser, app):
    visit = Visit(browser, app)
    visit.open("Overview?refresh=10s")
    open_form(visit, "Last … hours or days")
    visit.page.get_by_label("Last", exact=True).fill("36")
    wait_for_a_refresh(visit)
    visit.page.get_by_label("Unit").click()
    visit.page.get_by_role("option", name="hours").click()
    assert range_in_url(visit) == {}
    visit.shoot("Range-last-light")
    visit.page.get_by_role("button", name="Apply").click()
    visit.page.wait_for_url("**range=36h**")
    visit.page.get_by_text("Last 36 hours, ").wait_for()
    visit.check()


def test_a_range_is_picked_on_a_telephone(browser, app):
    visit = Visit(browser, app, width=390)
    visit.open("Overview?refresh=10s")
    visit.page.get_by_test_id("stExpandSidebarButton").click()
    visit.page.get_by_label("Time range").first.wait_for()
    visit.settle()
    open_form(visit)
    day = viewer_now() - 3 * DAY
    for field in ("First day", "Last day"):
        open_calendar(visit, field)
        wait_for_a_refresh(visit)
        if field == "First day":
            visit.page.screenshot(path=SCREENSHOTS / "Range-calendar-phone.png")
        pick(visit, day)
    visit.page.screenshot(path=SCREENSHOTS / "Range-form-phone.png")
    assert not visit.is_sideways()
    visit.page.get_by_role("button", name="Apply").click()
    visit.page.wait_for_url("**from=**")
    visit.page.get_by_text(f"{day.day} {day:%B %Y}, ").wait_for(state="attached")
    assert range_in_url(visit)["from"] == range_in_url(visit)["to"] == f"{day:%Y-%m-%d}"
    visit.check()


def test_the_hover_tells_the_two_hours_apart_that_the_clock_shows_twice(browser, app):
    visit = Visit(browser, app)
    zone = "zone=America/New_York&range=custom&from=2025-11-02&to=2025-11-02"
    visit.open(f"Overview?refresh=off&bucket=1h&{zone}")
    area = visit.page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    hover = visit.page.locator(".js-plotly-plot .hoverlayer").first
    # 24 places from half an hour before midnight on; the two share that of one o'clock.
    for place, name in (
        (0.5, "2 Nov 00:00"),
        (1.5, "2 Nov 01:00, UTC−4"),
        (2.0, "2 Nov 01:00, UTC−5"),
        (2.5, "2 Nov 02:00"),
    ):
        visit.page.mouse.move(
            area["x"] + area["width"] * place / 24, area["y"] + area["height"] / 2
        )
        expect(hover).to_contain_text(re.compile(f"America/New_York.*{name}$"))
    visit.shoot("Range-autumn-light")
    visit.check()

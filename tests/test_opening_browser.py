"""Opening a session in a real browser, and going back to where it was opened from."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browsing import MARKS, Visit, chromium, playwright, serving
from tests.database import Database
from tests.rows import failure, spend_log
from tracelib.selection import read_row_id

pytestmark = MARKS
expect = playwright.expect

# How far the page and the table in it are scrolled, in whole pixels.
SCROLLED = """() => ['[data-testid=stMain]', '.st-key-results .dvn-scroller'].map(
  (one) => Math.round(document.querySelector(one)?.scrollTop ?? 0))"""
SCROLL = """([page, table]) => {
  document.querySelector('[data-testid=stMain]').scrollTop = page;
  document.querySelector('.st-key-results .dvn-scroller').scrollTop = table;
}"""
STATUS_X = 180  # px from the left of the table, in the column of the status


def session(number: int) -> Iterator[dict]:
    """Ten requests of at length; the seventh of every third session fails."""
    start = datetime.now(UTC) - timedelta(hours=number, minutes=30)
    for turn in range(1, 11):
        fails = number % 3 == 0 and turn == 7
        said = [{"role": "user", "content": f"Question {turn}\n" + "at length\n" * 10}]
        yield (failure if fails else spend_log)(
            session_id=f"session-{number}",
            request_id=f"{number}-{turn}",
            startTime=start + timedelta(seconds=turn),
            proxy_server_request={"messages": said},
            response={} if fails else {"choices": [{"message": {"content": f"Answer {turn}"}}]},
        )


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def app(server) -> Iterator[str]:
    """The address of the app over sixty sessions, one an hour."""
    log = Database(server)
    log.insert(row for number in range(60) for row in session(number))
    with serving(DATABASE_URL=log.url) as address:
        yield address
    log.drop()


@pytest.fixture
def visit(browser, app) -> Iterator[Visit]:
    visit = Visit(browser, app)
    yield visit
    visit.check()


def click_row(visit: Visit, row: int, x: int = 100) -> None:
    """Click a row of the last table as it can be seen, without a scroll to it."""
    box = visit.page.locator("[data-testid=stDataFrame]").last.bounding_box()
    visit.page.mouse.click(box["x"] + x, box["y"] + 33 * row + 50)
    visit.page.wait_for_url("**session=**")


def wait_for_session(visit: Visit) -> None:
    expect(visit.page.locator("[class*=st-key-role-]").nth(8)).to_be_attached()
    visit.settle()


def wait_for_list(visit: Visit) -> None:
    visit.page.wait_for_url(lambda url: "session=" not in url)
    expect(visit.page.locator(".st-key-results [data-testid=stDataFrame]")).to_be_visible()
    visit.settle()


def in_url(visit: Visit) -> dict[str, list[str]]:
    return parse_qs(urlsplit(visit.page.url).query)


BACK = {
    "button": lambda visit: visit.page.get_by_role("button", name="All sessions").click(),
    "menu": lambda visit: visit.page.locator(".st-key-menu-sessions button").click(),
    "browser": lambda visit: visit.page.go_back(),
}


@pytest.mark.parametrize("way", BACK)
def test_a_session_opens_at_its_top_and_the_list_is_found_as_it_was_left(visit, way):
    visit.open("Sessions?refresh=off&sort=length")
    visit.page.evaluate(SCROLL, [250, 400])
    left = visit.page.evaluate(SCROLLED)
    assert min(left) > 100
    click_row(visit, 3)
    wait_for_session(visit)
    assert visit.page.evaluate(SCROLLED) == [0, 0]
    assert "request" not in in_url(visit)
    visit.page.keyboard.press("G")
    expect(visit.page.locator(".st-key-turn-10")).to_be_in_viewport()
    BACK[way](visit)
    wait_for_list(visit)
    assert in_url(visit) == {"refresh": ["off"], "sort": ["length"]}
    visit.page.wait_for_function(f"left => ({SCROLLED})().join() === left.join()", arg=left)
    # It stays there while the rest of the page comes, and no longer once the reader scrolls.
    visit.page.wait_for_timeout(1_500)
    assert visit.page.evaluate(SCROLLED) == left
    box = visit.page.locator(".st-key-results .dvn-scroller").bounding_box()
    visit.page.mouse.move(900, box["y"] + 200)
    visit.page.mouse.wheel(0, -left[1])
    visit.page.wait_for_function(f"() => ({SCROLLED})()[1] === 0")
    assert visit.page.evaluate(SCROLLED) == [left[0], 0]


def assert_at_failure(visit: Visit) -> None:
    expect(visit.page.locator(".st-key-turn-7")).to_be_focused()
    expect(visit.page.locator(".st-key-failed-7")).to_be_in_viewport()


def test_a_failure_on_status_opens_in_its_session(visit):
    visit.open("Status?refresh=off")
    visit.page.locator("[data-testid=stDataFrame]").last.scroll_into_view_if_needed()
    click_row(visit, 2)
    wait_for_session(visit)
    (request,) = in_url(visit)["request"]
    assert read_row_id(request).request_id.endswith("-7")
    assert_at_failure(visit)
    visit.page.go_back()
    visit.page.wait_for_url("**/Status**")
    expect(visit.page.get_by_role("heading", name="Failures")).to_be_visible()
    visit.settle()
    assert in_url(visit) == {"refresh": ["off"]}


def test_the_status_of_a_session_opens_at_the_first_of_them(visit):
    visit.open("Sessions?refresh=off&sort=errors")
    click_row(visit, 0, STATUS_X)
    wait_for_session(visit)
    assert read_row_id(in_url(visit)["request"][0]).request_id.endswith("-7")
    assert_at_failure(visit)


def test_a_session_of_a_list_of_failures_opens_at_its_failure(visit):
    visit.open("Sessions?refresh=off&status=with+failures")
    click_row(visit, 1)
    wait_for_session(visit)
    assert_at_failure(visit)


def test_the_next_page_of_the_list_is_read_from_its_top(visit):
    visit.open("Sessions?refresh=off")
    visit.page.evaluate(SCROLL, [400, 400])
    visit.page.get_by_role("button", name="Next page").click()
    visit.page.wait_for_url("**after=**")
    visit.settle()
    assert visit.page.evaluate(SCROLLED) == [0, 0]
